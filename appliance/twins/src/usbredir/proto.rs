//! The messages of usbredir, read and written.
//!
//! From the published description of the protocol (spice, `usbredirproto.h` 0.7): a header
//! of type, length and id, then a body of packed little-endian fields, then data. What
//! the peer says is not believed: a length is bounded before anything waits for it, and a
//! body that is too short is an error.

/// Endpoints of a device: 16 OUT, then 16 IN.
pub const ENDPOINTS: usize = 32;
/// The longest body that is taken. The longest that anybody here sends is a smart-card
/// command of 64 KiB.
pub const MOST: usize = 256 * 1024;
/// The version string that the peer is told.
pub const VERSION: &str = "enrollment-station twins";

/// Capability bits.
pub mod cap {
    /// The device says its bcdDevice.
    pub const CONNECT_VERSION: u32 = 1 << 1;
    /// A disconnect is acknowledged.
    pub const DISCONNECT_ACK: u32 = 1 << 3;
    /// Endpoints have packet sizes. qemu-xhci refuses a device without.
    pub const EP_MAX_PACKET: u32 = 1 << 4;
    /// Ids have 64 bits. qemu-xhci refuses a device without.
    pub const IDS_64: u32 = 1 << 5;
    /// Bulk lengths have 32 bits. qemu-xhci refuses a device without.
    pub const BULK_32: u32 = 1 << 6;
    /// What this side can.
    pub const OURS: u32 = CONNECT_VERSION | DISCONNECT_ACK | EP_MAX_PACKET | IDS_64 | BULK_32;
}

/// How a transfer ended.
pub mod status {
    /// Well.
    pub const OK: u8 = 0;
    /// It was called off.
    pub const CANCELLED: u8 = 1;
    /// It was wrong.
    pub const INVALID: u8 = 2;
    /// It failed.
    pub const IO_ERROR: u8 = 3;
    /// The device refused it.
    pub const STALL: u8 = 4;
    /// The device did not answer.
    pub const TIMEOUT: u8 = 5;
    /// The device sent more than was asked for.
    pub const BABBLE: u8 = 6;
}

/// A setup packet and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// 0, or 0x80 for data from the device.
    pub endpoint: u8,
    /// bRequest.
    pub request: u8,
    /// bmRequestType.
    pub request_type: u8,
    /// See [`status`].
    pub status: u8,
    /// wValue.
    pub value: u16,
    /// wIndex.
    pub index: u16,
    /// wLength, or how much was transferred.
    pub length: u16,
    /// What was transferred.
    pub data: Vec<u8>,
}

/// A bulk transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    /// Its address.
    pub endpoint: u8,
    /// See [`status`].
    pub status: u8,
    /// How much is wanted, or was transferred.
    pub length: u32,
    /// Streams of USB 3.
    pub stream: u32,
    /// What was transferred.
    pub data: Vec<u8>,
}

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connect {
    /// 0 low, 1 full, 2 high, 3 super.
    pub speed: u8,
    /// Class, subclass, protocol.
    pub class: [u8; 3],
    /// idVendor.
    pub vendor: u16,
    /// idProduct.
    pub product: u16,
    /// bcdDevice.
    pub version: u16,
}

/// An interface: number, class, subclass, protocol.
pub type Interface = [u8; 4];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// With 0x80 for IN.
    pub address: u8,
    /// 0 control, 1 isochronous, 2 bulk, 3 interrupt.
    pub kind: u8,
    /// bInterval.
    pub interval: u8,
    /// Which interface it belongs to.
    pub interface: u8,
    /// wMaxPacketSize.
    pub max_packet: u16,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// The first, in both directions.
    Hello {
        /// See [`cap`].
        caps: u32,
    },
    /// The device is plugged in.
    Connect(Connect),
    /// It is pulled out.
    Disconnect,
    /// The peer has heard so.
    DisconnectAck,
    Reset,
    Interfaces(Vec<Interface>),
    Endpoints(Vec<Endpoint>),
    SetConfiguration(u8),
    GetConfiguration,
    /// What came of it: status, configuration.
    ConfigurationStatus(u8, u8),
    /// SET_INTERFACE: interface, alternate setting.
    SetAlternate(u8, u8),
    /// GET_INTERFACE.
    GetAlternate(u8),
    /// What came of it: status, interface, alternate setting.
    AlternateStatus(u8, u8, u8),
    /// Send what this interrupt endpoint has from now on.
    StartInterrupt(u8),
    /// And no longer.
    StopInterrupt(u8),
    /// What came of it: status, endpoint.
    InterruptStatus(u8, u8),
    /// Call the transfer with this message's id off.
    Cancel,
    /// The peer refuses the device.
    FilterReject,
    /// A control transfer.
    Control(Control),
    /// A bulk transfer.
    Bulk(Bulk),
    /// An interrupt packet: endpoint, status, data.
    Interrupt(u8, u8, Vec<u8>),
    /// Anything else, which no key needs.
    Other(u32),
}

/// Why what came is no usbredir.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtoError {
    /// The first message must be a hello.
    #[error("the peer did not begin with a hello")]
    NoHello,
    /// Longer than [`MOST`].
    #[error("a message of {0} bytes")]
    TooLong(u32),
    /// Shorter than its type's fields.
    #[error("a message of type {0} that is too short")]
    TooShort(u32),
}

/// Cuts a stream into messages.
#[derive(Default)]
pub struct Parser {
    buffer: Vec<u8>,
    /// What both sides can; nothing before the peer's hello.
    caps: Option<u32>,
}

impl Parser {
    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What both sides can, once the peer has said hello.
    pub fn caps(&self) -> Option<u32> {
        self.caps
    }

    /// The next whole message and its id. After an error the stream is of no more use.
    pub fn take(&mut self) -> Result<Option<(u64, Packet)>, ProtoError> {
        let wide = self.caps.is_some_and(|caps| caps & cap::IDS_64 != 0);
        let mut header = Fields(&self.buffer);
        let (Some(kind), Some(length)) = (header.u32(), header.u32()) else { return Ok(None) };
        let id = if wide { header.u64() } else { header.u32().map(u64::from) };
        let Some(id) = id else { return Ok(None) };
        if self.caps.is_none() && kind != 0 {
            return Err(ProtoError::NoHello);
        }
        let body = usize::try_from(length).ok().filter(|length| *length <= MOST);
        let body = body.ok_or(ProtoError::TooLong(length))?;
        let Some(bytes) = header.take(body) else { return Ok(None) };
        let caps = self.caps.unwrap_or(cap::OURS);
        let packet = read(kind, &mut Fields(bytes), caps).ok_or(ProtoError::TooShort(kind))?;
        if let Packet::Hello { caps } = packet {
            self.caps = Some(caps & cap::OURS);
        }
        let whole = body + if wide { 16 } else { 12 };
        self.buffer.drain(..whole);
        Ok(Some((id, packet)))
    }
}

/// Fields at the front of what is left.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn rest(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.0).to_vec()
    }
}

fn read(kind: u32, body: &mut Fields<'_>, caps: u32) -> Option<Packet> {
    Some(match kind {
        0 => {
            body.take(64)?;
            // A peer without capabilities sends none.
            Packet::Hello { caps: body.u32().unwrap_or(0) }
        }
        1 => {
            let (speed, class) = (body.u8()?, body.array()?);
            let (vendor, product) = (body.u16()?, body.u16()?);
            Packet::Connect(Connect { speed, class, vendor, product, version: body.u16().unwrap_or(0) })
        }
        2 => Packet::Disconnect,
        3 => Packet::Reset,
        4 => {
            let count = usize::try_from(body.u32()?).ok()?;
            let columns = [body.take(32)?, body.take(32)?, body.take(32)?, body.take(32)?];
            let row = |at: usize| columns.map(|column| column.get(at).copied().unwrap_or_default());
            Packet::Interfaces((0..count.min(32)).map(row).collect())
        }
        5 => {
            let (kinds, intervals, interfaces) =
                (body.take(ENDPOINTS)?, body.take(ENDPOINTS)?, body.take(ENDPOINTS)?);
            let sizes = body.take(2 * ENDPOINTS).unwrap_or(&[0; 2 * ENDPOINTS]);
            let mut found = Vec::new();
            for (at, (((kind, interval), interface), size)) in
                (0_u8..).zip(kinds.iter().zip(intervals).zip(interfaces).zip(sizes.chunks(2)))
            {
                if *kind != 0xff {
                    found.push(Endpoint {
                        address: (at & 0x10) << 3 | at & 0x0f,
                        kind: *kind,
                        interval: *interval,
                        interface: *interface,
                        max_packet: size.try_into().map_or(0, u16::from_le_bytes),
                    });
                }
            }
            Packet::Endpoints(found)
        }
        6 => Packet::SetConfiguration(body.u8()?),
        7 => Packet::GetConfiguration,
        8 => Packet::ConfigurationStatus(body.u8()?, body.u8()?),
        9 => Packet::SetAlternate(body.u8()?, body.u8()?),
        10 => Packet::GetAlternate(body.u8()?),
        11 => Packet::AlternateStatus(body.u8()?, body.u8()?, body.u8()?),
        15 => Packet::StartInterrupt(body.u8()?),
        16 => Packet::StopInterrupt(body.u8()?),
        17 => Packet::InterruptStatus(body.u8()?, body.u8()?),
        21 => Packet::Cancel,
        22 => Packet::FilterReject,
        24 => Packet::DisconnectAck,
        100 => Packet::Control(Control {
            endpoint: body.u8()?,
            request: body.u8()?,
            request_type: body.u8()?,
            status: body.u8()?,
            value: body.u16()?,
            index: body.u16()?,
            length: body.u16()?,
            data: body.rest(),
        }),
        101 => {
            let (endpoint, status, low, stream) = (body.u8()?, body.u8()?, body.u16()?, body.u32()?);
            let high = if caps & cap::BULK_32 != 0 { body.u16()? } else { 0 };
            let length = u32::from(high) << 16 | u32::from(low);
            Packet::Bulk(Bulk { endpoint, status, length, stream, data: body.rest() })
        }
        103 => {
            let (endpoint, status, _length) = (body.u8()?, body.u8()?, body.u16()?);
            Packet::Interrupt(endpoint, status, body.rest())
        }
        other => Packet::Other(other),
    })
}

impl Packet {
    /// The message as bytes, for a peer with which `caps` are shared (`None` before its hello).
    pub fn bytes(&self, id: u64, caps: Option<u32>) -> Vec<u8> {
        let (kind, body) = self.body(caps.unwrap_or(0));
        let mut bytes = Vec::with_capacity(16 + body.len());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        let wide = caps.is_some_and(|caps| caps & cap::IDS_64 != 0) && kind != 0;
        if wide {
            bytes.extend(id.to_le_bytes());
        } else {
            bytes.extend((id & 0xffff_ffff).to_le_bytes().into_iter().take(4));
        }
        bytes.extend(body);
        bytes
    }

    fn body(&self, caps: u32) -> (u32, Vec<u8>) {
        match self {
            Self::Hello { caps } => {
                let mut body = VERSION.as_bytes().to_vec();
                body.resize(64, 0);
                body.extend(caps.to_le_bytes());
                (0, body)
            }
            Self::Connect(connect) => {
                let mut body = vec![connect.speed];
                body.extend(connect.class);
                body.extend(connect.vendor.to_le_bytes());
                body.extend(connect.product.to_le_bytes());
                if caps & cap::CONNECT_VERSION != 0 {
                    body.extend(connect.version.to_le_bytes());
                }
                (1, body)
            }
            Self::Disconnect => (2, Vec::new()),
            Self::Reset => (3, Vec::new()),
            Self::Interfaces(interfaces) => {
                let count = interfaces.len().min(32);
                let mut body = u32::try_from(count).unwrap_or_default().to_le_bytes().to_vec();
                for column in 0..4 {
                    let mut cells: Vec<u8> =
                        interfaces.iter().take(32).filter_map(|row| row.get(column).copied()).collect();
                    cells.resize(32, 0);
                    body.extend(cells);
                }
                (4, body)
            }
            Self::Endpoints(endpoints) => (5, endpoint_table(endpoints, caps)),
            Self::SetConfiguration(configuration) => (6, vec![*configuration]),
            Self::GetConfiguration => (7, Vec::new()),
            Self::ConfigurationStatus(status, configuration) => (8, vec![*status, *configuration]),
            Self::SetAlternate(interface, alternate) => (9, vec![*interface, *alternate]),
            Self::GetAlternate(interface) => (10, vec![*interface]),
            Self::AlternateStatus(status, interface, alternate) => {
                (11, vec![*status, *interface, *alternate])
            }
            Self::StartInterrupt(endpoint) => (15, vec![*endpoint]),
            Self::StopInterrupt(endpoint) => (16, vec![*endpoint]),
            Self::InterruptStatus(status, endpoint) => (17, vec![*status, *endpoint]),
            Self::Cancel => (21, Vec::new()),
            Self::FilterReject => (22, Vec::new()),
            Self::DisconnectAck => (24, Vec::new()),
            Self::Control(control) => {
                let mut body = vec![control.endpoint, control.request, control.request_type, control.status];
                for field in [control.value, control.index, control.length] {
                    body.extend(field.to_le_bytes());
                }
                body.extend(&control.data);
                (100, body)
            }
            Self::Bulk(bulk) => {
                let [a, b, c, d] = bulk.length.to_le_bytes();
                let mut body = vec![bulk.endpoint, bulk.status, a, b];
                body.extend(bulk.stream.to_le_bytes());
                if caps & cap::BULK_32 != 0 {
                    body.extend([c, d]);
                }
                body.extend(&bulk.data);
                (101, body)
            }
            Self::Interrupt(endpoint, status, data) => {
                let mut body = vec![*endpoint, *status];
                body.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_le_bytes());
                body.extend(data);
                (103, body)
            }
            Self::Other(kind) => (*kind, Vec::new()),
        }
    }
}

/// Four columns; what is no endpoint has the type FF.
fn endpoint_table(endpoints: &[Endpoint], caps: u32) -> Vec<u8> {
    let (mut kinds, mut intervals, mut interfaces) =
        (vec![0xff_u8; ENDPOINTS], vec![0; ENDPOINTS], vec![0; ENDPOINTS]);
    let mut sizes = vec![0_u8; 2 * ENDPOINTS];
    for endpoint in endpoints {
        let at = usize::from((endpoint.address & 0x80) >> 3 | endpoint.address & 0x0f);
        for (column, value) in [
            (&mut kinds, endpoint.kind),
            (&mut intervals, endpoint.interval),
            (&mut interfaces, endpoint.interface),
        ] {
            column.iter_mut().skip(at).take(1).for_each(|cell| *cell = value);
        }
        let size = endpoint.max_packet.to_le_bytes();
        sizes.iter_mut().skip(2 * at).zip(size).for_each(|(cell, byte)| *cell = byte);
    }
    let mut body = [kinds, intervals, interfaces].concat();
    if caps & cap::EP_MAX_PACKET != 0 {
        body.extend(sizes);
    }
    body
}

#[cfg(test)]
#[path = "proto_tests.rs"]
mod tests;
