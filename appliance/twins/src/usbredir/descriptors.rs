//! The descriptors of real keys, byte for byte where they are known.
//!
//! YubiKey: `lsusb -v` of a YubiKey 4 (linux-usb, M. Marczykowski-Górecki). Nitrokey Pro:
//! nitrokey-pro-firmware `src/ccid/CCIDHID_USB`. Nitrokey 3: its USB/IP runner, with the
//! smart-card interface that the stick has besides. What no source says is marked.

use super::proto::{Endpoint, Interface};

/// What a device describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Descriptors {
    pub(super) device: Vec<u8>,
    pub(super) configuration: Vec<u8>,
    /// By interface number.
    pub(super) reports: Vec<(u8, Vec<u8>)>,
    /// From index 1 on.
    pub(super) strings: Vec<String>,
    pub(super) interfaces: Vec<Interface>,
    pub(super) endpoints: Vec<Endpoint>,
}

/// Boot keyboard with an 8-byte feature report; 71 bytes.
pub(super) const KEYBOARD_REPORT: [u8; 71] = [
    0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01, 0x75,
    0x01, 0x95, 0x08, 0x81, 0x02, 0x95, 0x01, 0x75, 0x08, 0x81, 0x01, 0x95, 0x05, 0x75, 0x01, 0x05, 0x08,
    0x19, 0x01, 0x29, 0x05, 0x91, 0x02, 0x95, 0x01, 0x75, 0x03, 0x91, 0x01, 0x95, 0x06, 0x75, 0x08, 0x15,
    0x00, 0x25, 0x65, 0x05, 0x07, 0x19, 0x00, 0x29, 0x65, 0x81, 0x00, 0x09, 0x03, 0x75, 0x08, 0x95, 0x08,
    0xb1, 0x02, 0xc0,
];

/// CTAPHID: 64 bytes in, 64 bytes out; 34 bytes (FIDO CTAP 2.1, 11.2.8.2).
pub(super) const FIDO_REPORT: [u8; 34] = [
    0x06, 0xd0, 0xf1, 0x09, 0x01, 0xa1, 0x01, 0x09, 0x20, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95,
    0x40, 0x81, 0x02, 0x09, 0x21, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91, 0x02, 0xc0,
];

/// Nitrokey Pro: a page of its own, 64 bytes in, out and feature. The order of the items
/// is not published.
const NITROKEY_REPORT: [u8; 34] = [
    0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x09,
    0x01, 0x81, 0x02, 0x95, 0x40, 0x09, 0x01, 0x91, 0x02, 0x95, 0x40, 0x09, 0x01, 0xb1, 0x02, 0xc0, 0x00,
];

/// The smart card of a YubiKey: T=1, short and extended APDUs.
const YUBIKEY_CARD: [u8; 54] = [
    54, 0x21, 0x00, 0x01, 0, 7, 2, 0, 0, 0, 0xa0, 0x0f, 0, 0, 0xa0, 0x0f, 0, 0, 0, 0x00, 0xb0, 0x04, 0, 0x00,
    0xb0, 0x04, 0, 0, 0xf6, 0x07, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0x00, 0x04, 0x00, 0x00, 0x0c, 0, 0,
    0xff, 0xff, 0, 0, 0, 1,
];

/// The same at TPDU level, with messages of 271 bytes (nitrokey-pro-firmware).
const NITROKEY_CARD: [u8; 54] = [
    54, 0x21, 0x10, 0x01, 0, 7, 2, 0, 0, 0, 0xa0, 0x0f, 0, 0, 0xa0, 0x0f, 0, 0, 0, 0x00, 0xb0, 0x04, 0, 0x00,
    0xb0, 0x04, 0, 0, 0xfe, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xba, 0x04, 0x01, 0x00, 0x0f, 0x01, 0, 0,
    0xff, 0xff, 0, 0, 0, 1,
];

/// A YubiKey with these of its interfaces.
pub(super) fn yubikey(product: u16, bcd_device: u16, serial: Option<String>) -> Option<Descriptors> {
    let identity = keys::yubikey::ids::Identity::of(product)?;
    let mut parts = Parts::new(0x0200, 64, (0x1050, product), bcd_device, 30);
    if identity.otp {
        parts.hid([3, 1, 1], &KEYBOARD_REPORT, 0x0110, &[(0x81, 8, 10)]);
    }
    if identity.fido {
        parts.hid([3, 0, 0], &FIDO_REPORT, 0x0110, &[(0x04, 64, 2), (0x84, 64, 2)]);
    }
    if identity.ccid {
        parts.card(&YUBIKEY_CARD, [0x02, 0x82, 0x83], 32);
    }
    // YubiKey 5 say FIDO, the generations before U2F.
    let fido = if bcd_device >= 0x0500 { "FIDO" } else { "U2F" };
    let line = match bcd_device >> 8 {
        ..=3 => "Yubikey NEO",
        4 => "Yubikey 4",
        _ => "YubiKey",
    };
    let name = format!("{line} {}", identity.interfaces().replace("FIDO", fido));
    Some(parts.done(vec!["Yubico".to_owned(), name], serial))
}

/// A Nitrokey Pro, Storage without its memory, or Librem Key.
pub(super) fn nitrokey_pro(ids: (u16, u16), serial: u32) -> Descriptors {
    let mut parts = Parts::new(0x0110, 64, ids, 0x0101, 100);
    let report = NITROKEY_REPORT.get(..33).unwrap_or_default();
    parts.hid([3, 0, 0], report, 0x0110, &[(0x84, 8, 10)]);
    parts.card(&NITROKEY_CARD, [0x02, 0x82, 0x81], 255);
    let (maker, name) = match ids {
        (0x20a0, 0x4109) => ("Nitrokey", "Nitrokey Storage"),
        (0x316d, _) => ("Purism, SPC", "Librem Key"),
        _ => ("Nitrokey", "Nitrokey Pro"),
    };
    parts.done(vec![maker.to_owned(), name.to_owned()], Some(format!("{serial:024X}")))
}

/// A Nitrokey 3.
pub(super) fn nitrokey3() -> Descriptors {
    let mut parts = Parts::new(0x0210, 8, (0x20a0, 0x42b2), 0x0100, 100);
    parts.hid([3, 0, 0], &FIDO_REPORT, 0x0111, &[(0x01, 64, 5), (0x81, 64, 5)]);
    parts.card(&YUBIKEY_CARD, [0x02, 0x82, 0x83], 32);
    parts.done(vec!["Nitrokey".to_owned(), "Nitrokey 3".to_owned()], None)
}

/// A description in the making.
struct Parts {
    usb: u16,
    packet: u8,
    ids: (u16, u16),
    bcd_device: u16,
    /// In mA.
    power: u8,
    body: Vec<u8>,
    reports: Vec<(u8, Vec<u8>)>,
    interfaces: Vec<Interface>,
    endpoints: Vec<Endpoint>,
}

impl Parts {
    fn new(usb: u16, packet: u8, ids: (u16, u16), bcd_device: u16, power: u8) -> Self {
        let (body, reports, interfaces, endpoints) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { usb, packet, ids, bcd_device, power, body, reports, interfaces, endpoints }
    }

    /// A HID interface with interrupt endpoints: address, size, interval.
    fn hid(&mut self, class: [u8; 3], report: &[u8], hid: u16, endpoints: &[(u8, u8, u8)]) {
        let number = self.interface(class, endpoints.len());
        let [low, high] = hid.to_le_bytes();
        let length = u8::try_from(report.len()).unwrap_or(u8::MAX);
        self.body.extend([9, 0x21, low, high, 0, 1, 0x22, length, 0]);
        for &(address, size, interval) in endpoints {
            self.endpoint(number, address, 3, size.into(), interval);
        }
        self.reports.push((number, report.to_vec()));
    }

    /// A smart-card interface: bulk out, bulk in, interrupt in.
    fn card(&mut self, class: &[u8], [out, input, interrupt]: [u8; 3], interval: u8) {
        let number = self.interface([0x0b, 0, 0], 3);
        self.body.extend(class);
        self.endpoint(number, out, 2, 64, 0);
        self.endpoint(number, input, 2, 64, 0);
        self.endpoint(number, interrupt, 3, 8, interval);
    }

    fn interface(&mut self, [class, subclass, protocol]: [u8; 3], endpoints: usize) -> u8 {
        let number = u8::try_from(self.interfaces.len()).unwrap_or(u8::MAX);
        let endpoints = u8::try_from(endpoints).unwrap_or(u8::MAX);
        self.body.extend([9, 4, number, 0, endpoints, class, subclass, protocol, 0]);
        self.interfaces.push([number, class, subclass, protocol]);
        number
    }

    fn endpoint(&mut self, interface: u8, address: u8, kind: u8, max_packet: u16, interval: u8) {
        let [low, high] = max_packet.to_le_bytes();
        self.body.extend([7, 5, address, kind, low, high, interval]);
        self.endpoints.push(Endpoint { address, kind, interval, interface, max_packet });
    }

    fn done(self, mut strings: Vec<String>, serial: Option<String>) -> Descriptors {
        let [usb, usb_high] = self.usb.to_le_bytes();
        let ([vendor, vendor_high], [product, product_high]) =
            (self.ids.0.to_le_bytes(), self.ids.1.to_le_bytes());
        let [version, version_high] = self.bcd_device.to_le_bytes();
        let with_serial = if serial.is_some() { 3 } else { 0 };
        strings.extend(serial);
        let device = vec![
            18,
            1,
            usb,
            usb_high,
            0,
            0,
            0,
            self.packet,
            vendor,
            vendor_high,
            product,
            product_high,
            version,
            version_high,
            1,
            2,
            with_serial,
            1,
        ];
        let total = u16::try_from(9 + self.body.len()).unwrap_or(u16::MAX).to_le_bytes();
        let [total, total_high] = total;
        let count = u8::try_from(self.interfaces.len()).unwrap_or(u8::MAX);
        let mut configuration = vec![9, 2, total, total_high, count, 1, 0, 0x80, self.power / 2];
        configuration.extend(self.body);
        let (reports, interfaces, endpoints) = (self.reports, self.interfaces, self.endpoints);
        Descriptors { device, configuration, reports, strings, interfaces, endpoints }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yubikey_with_everything_has_the_length_of_the_real_one() {
        let key = yubikey(0x0407, 0x0434, None).unwrap();
        assert_eq!(key.configuration.len(), 150);
        assert_eq!(key.configuration[2..4], [150, 0]);
        assert_eq!(key.configuration[8], 15);
        assert_eq!(key.strings[1], "Yubikey 4 OTP+U2F+CCID");
        assert_eq!(yubikey(0x0407, 0x0543, None).unwrap().strings[1], "YubiKey OTP+FIDO+CCID");
    }

    #[test]
    fn only_what_is_switched_on_is_described() {
        let classes = |product| {
            let key = yubikey(product, 0x0543, None).unwrap();
            key.interfaces.iter().map(|[_, class, sub, _]| (*class, *sub)).collect::<Vec<_>>()
        };
        assert_eq!(classes(0x0401), [(3, 1)]);
        assert_eq!(classes(0x0402), [(3, 0)]);
        assert_eq!(classes(0x0405), [(3, 1), (11, 0)]);
        assert!(yubikey(0x1234, 0x0543, None).is_none());
    }

    #[test]
    fn every_description_adds_up() {
        for key in [
            yubikey(0x0407, 0x0543, Some("0012345678".into())).unwrap(),
            nitrokey_pro((0x20a0, 0x4108), 7),
            nitrokey3(),
        ] {
            assert_eq!(key.device.len(), 18);
            let mut rest = &key.configuration[..];
            let (mut interfaces, mut endpoints) = (0, 0);
            while let [length, kind, ..] = *rest {
                interfaces += usize::from(kind == 4);
                endpoints += usize::from(kind == 5);
                rest = &rest[usize::from(length)..];
            }
            assert!(rest.is_empty());
            assert_eq!((interfaces, endpoints), (key.interfaces.len(), key.endpoints.len()));
            assert_eq!(usize::from(key.configuration[4]), interfaces);
            // No endpoint is there twice.
            let mut addresses: Vec<u8> = key.endpoints.iter().map(|endpoint| endpoint.address).collect();
            addresses.sort_unstable();
            addresses.dedup();
            assert_eq!(addresses.len(), endpoints);
        }
    }
}
