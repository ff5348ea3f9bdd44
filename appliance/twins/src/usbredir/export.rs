//! One device, served to one peer at a time.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::control::{Asked, Command};
use super::device::{Device, Outcome, Setup};
use super::proto::{self, Bulk, Control, Endpoint, Packet, Parser, ProtoError, status};
use crate::line::Listener;

/// Why a peer is not served any more.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Io(#[from] io::Error),
    /// What the peer says is no usbredir.
    #[error("the peer does not speak usbredir: {0}")]
    Proto(#[from] ProtoError),
}

/// Serves a device.
pub struct Exporter<D> {
    device: D,
    plugged: bool,
    dead: bool,
    slow: Duration,
    /// Until when the device's time was told it.
    told: Instant,
    peer: Option<Peer>,
}

struct Peer {
    stream: UnixStream,
    parser: Parser,
    /// Whether it was told that the device is there.
    connected: bool,
    configured: bool,
    /// Interrupt endpoints that it listens to.
    listens: BTreeSet<u8>,
    /// Bulk transfers that wait for data.
    waiting: Vec<(u64, Bulk)>,
    /// Transfers that never end, so that they can be called off.
    hung: BTreeMap<u64, Packet>,
    /// Answers that come late.
    late: BTreeMap<(Instant, u64), Packet>,
    out: Vec<u8>,
}

impl<D: Device> Exporter<D> {
    /// Serves `device`, plugged in from the start or not.
    pub fn new(device: D, plugged: bool) -> Self {
        let told = Instant::now();
        Self { device, plugged, dead: false, slow: Duration::ZERO, told, peer: None }
    }

    /// Serves one peer after the other at `listener`, and carries out commands; ends only
    /// when nobody can give any more.
    ///
    /// # Errors
    ///
    /// When the listening socket fails. A peer that breaks off, or talks nonsense, is let go.
    pub async fn serve(
        mut self,
        listener: &Listener,
        commands: &mut mpsc::Receiver<Asked>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            self.pass();
            let due = self.due();
            let sleep = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => core::future::pending().await,
                }
            };
            let peer = &mut self.peer;
            let came = async {
                match peer {
                    Some(peer) => Came::Bytes(peer.stream.read(&mut buffer).await),
                    None => Came::Peer(listener.accept().await),
                }
            };
            tokio::select! {
                asked = commands.recv() => match asked {
                    Some((command, reply)) => {
                        self.pass();
                        // The client may have gone meanwhile.
                        let _ = reply.send(self.obey(command));
                    }
                    None => return Ok(()),
                },
                came = came => match came {
                    Came::Peer(stream) => self.meet(stream?),
                    Came::Bytes(Ok(length)) if length > 0 => {
                        let bytes = buffer.get(..length).unwrap_or_default();
                        self.pass();
                        if self.hear(bytes).is_err() {
                            self.peer = None;
                        }
                    }
                    Came::Bytes(_) => self.peer = None,
                },
                () = sleep => {}
            }
            self.pass();
            self.speak();
            if self.flush().await.is_err() {
                self.peer = None;
            }
        }
    }

    fn pass(&mut self) {
        let now = Instant::now();
        self.device.advance(now.saturating_duration_since(self.told));
        self.told = now;
    }

    fn due(&self) -> Option<Instant> {
        let peer = self.peer.as_ref()?;
        let late = peer.late.keys().next().map(|(at, _)| *at);
        let device = self.device.due().filter(|_| peer.connected && !peer.listens.is_empty() && !self.dead);
        late.into_iter().chain(device.map(|within| self.told + within.max(Duration::from_millis(1)))).min()
    }

    fn meet(&mut self, stream: UnixStream) {
        let (parser, listens, waiting) = (Parser::default(), BTreeSet::new(), Vec::new());
        let (hung, late) = (BTreeMap::new(), BTreeMap::new());
        let out = Packet::Hello { caps: proto::cap::OURS }.bytes(0, None);
        self.peer = Some(Peer {
            stream,
            parser,
            connected: false,
            configured: false,
            listens,
            waiting,
            hung,
            late,
            out,
        });
    }

    fn obey(&mut self, command: Command) -> Result<String, String> {
        let done = String::new();
        match command {
            Command::Plug if self.plugged => return Err("it is plugged in already".to_owned()),
            Command::Plug => self.replug()?,
            Command::Unplug if !self.plugged => return Err("it is not plugged in".to_owned()),
            Command::Unplug => self.pull(),
            Command::Product(product) => {
                self.device.set_product(product)?;
                self.pull();
                self.replug()?;
            }
            Command::Seed(seed) => {
                self.device.set_seed(seed)?;
                self.pull();
                self.replug()?;
            }
            Command::Touch(press) => return self.device.touch(press).map(|reports| reports.to_string()),
            Command::Dead => self.dead = true,
            Command::Alive => self.dead = false,
            Command::Slow(by) => self.slow = by,
            Command::State => return Ok(self.state()),
        }
        Ok(done)
    }

    fn state(&self) -> String {
        let peer = self.peer.as_ref();
        let mut words = Vec::new();
        words.extend(self.plugged.then(|| "plugged".to_owned()));
        words.extend(peer.filter(|peer| peer.connected).map(|_| "connected".to_owned()));
        words.extend(peer.filter(|peer| peer.configured).map(|_| "configured".to_owned()));
        let identity = self.device.identity();
        words.push(format!("{:04x}:{:04x}", identity.vendor, identity.product));
        words.join(" ")
    }

    fn replug(&mut self) -> Result<(), String> {
        self.device.power()?;
        self.plugged = true;
        self.announce();
        Ok(())
    }

    fn pull(&mut self) {
        self.plugged = false;
        let Some(peer) = &mut self.peer else { return };
        if core::mem::take(&mut peer.connected) {
            peer.send(0, &Packet::Disconnect);
        }
        peer.configured = false;
        peer.listens.clear();
        peer.waiting.clear();
        peer.hung.clear();
        peer.late.clear();
    }

    /// Tells the peer that the device is there. QEMU wants the interfaces first.
    fn announce(&mut self) {
        let described = self.describe();
        let identity = self.device.identity();
        let Some(peer) = self.peer.as_mut().filter(|peer| peer.parser.caps().is_some() && !peer.connected)
        else {
            return;
        };
        for packet in described {
            peer.send(0, &packet);
        }
        peer.send(0, &Packet::Connect(identity));
        peer.connected = true;
    }

    fn describe(&self) -> [Packet; 2] {
        let control = |address| Endpoint { address, kind: 0, interval: 0, interface: 0, max_packet: 64 };
        let mut endpoints = vec![control(0), control(0x80)];
        endpoints.extend(self.device.endpoints());
        [Packet::Interfaces(self.device.interfaces()), Packet::Endpoints(endpoints)]
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), ProtoError> {
        if let Some(peer) = &mut self.peer {
            peer.parser.push(bytes);
        }
        loop {
            let Some(peer) = &mut self.peer else { return Ok(()) };
            let Some((id, packet)) = peer.parser.take()? else { return Ok(()) };
            self.packet(id, packet);
        }
    }

    fn packet(&mut self, id: u64, packet: Packet) {
        match packet {
            Packet::Hello { .. } if self.plugged => self.announce(),
            Packet::SetConfiguration(configuration) => {
                let described = self.describe();
                if let Some(peer) = &mut self.peer {
                    peer.configured = configuration != 0;
                    for packet in described {
                        peer.send(0, &packet);
                    }
                    peer.send(id, &Packet::ConfigurationStatus(status::OK, configuration));
                }
            }
            Packet::GetConfiguration => self.answer(id, Packet::ConfigurationStatus(status::OK, 1)),
            Packet::SetAlternate(interface, alternate) => {
                let status = if alternate == 0 { status::OK } else { status::STALL };
                self.answer(id, Packet::AlternateStatus(status, interface, 0));
            }
            Packet::GetAlternate(interface) => {
                self.answer(id, Packet::AlternateStatus(status::OK, interface, 0));
            }
            Packet::StartInterrupt(endpoint) => {
                if let Some(peer) = &mut self.peer {
                    peer.listens.insert(endpoint);
                    peer.send(id, &Packet::InterruptStatus(status::OK, endpoint));
                }
            }
            Packet::StopInterrupt(endpoint) => {
                if let Some(peer) = &mut self.peer {
                    peer.listens.remove(&endpoint);
                    peer.send(id, &Packet::InterruptStatus(status::OK, endpoint));
                }
            }
            Packet::Control(control) => self.control(id, control),
            Packet::Bulk(bulk) => self.bulk(id, bulk),
            Packet::Interrupt(endpoint, _, data) if !self.dead => self.interrupt(endpoint, &data),
            Packet::Cancel => self.cancel(id),
            Packet::FilterReject => self.pull(),
            // A reset changes nothing of a key; acknowledgements and the rest need no answer.
            _ => {}
        }
    }

    fn interrupt(&mut self, endpoint: u8, data: &[u8]) {
        // The peer has told its guest already that this is done.
        if self.device.interrupt_out(endpoint, data) == Outcome::Gone {
            self.pull();
        }
    }

    fn control(&mut self, id: u64, control: Control) {
        let Control { request, request_type, value, index, length, .. } = control;
        let setup = Setup { kind: request_type, request, value, index, length };
        let outcome = if self.dead { Outcome::Hangs } else { self.device.control(setup, &control.data) };
        let reply = |status, data: Vec<u8>| {
            let sent = if request_type & 0x80 == 0 { control.data.len() } else { data.len() };
            let length = u16::try_from(sent).unwrap_or(u16::MAX);
            Packet::Control(Control { status, length, data, ..control.clone() })
        };
        self.end(id, outcome, reply);
    }

    fn bulk(&mut self, id: u64, bulk: Bulk) {
        let reply = |status, data: Vec<u8>| {
            let sent = if bulk.endpoint & 0x80 == 0 { bulk.data.len() } else { data.len() };
            Packet::Bulk(Bulk {
                status,
                length: u32::try_from(sent).unwrap_or(u32::MAX),
                data,
                ..bulk.clone()
            })
        };
        if self.dead {
            self.end(id, Outcome::Hangs, reply);
        } else if bulk.endpoint & 0x80 == 0 {
            let outcome = self.device.bulk_out(bulk.endpoint, &bulk.data);
            self.end(id, outcome, reply);
        } else {
            let wanted = usize::try_from(bulk.length).unwrap_or(0).min(proto::MOST / 2);
            match (self.device.bulk_in(bulk.endpoint, wanted), &mut self.peer) {
                (Some(outcome), _) => self.end(id, outcome, reply),
                (None, Some(peer)) => peer.waiting.push((id, bulk)),
                (None, None) => {}
            }
        }
    }

    fn end(&mut self, id: u64, outcome: Outcome, reply: impl Fn(u8, Vec<u8>) -> Packet) {
        match (outcome, &mut self.peer) {
            (Outcome::Ends(status, data), _) => self.answer(id, reply(status, data)),
            (Outcome::Hangs, Some(peer)) => {
                peer.hung.insert(id, reply(status::CANCELLED, Vec::new()));
            }
            (Outcome::Hangs, None) => {}
            (Outcome::Gone, _) => self.pull(),
        }
    }

    fn answer(&mut self, id: u64, packet: Packet) {
        let (slow, now) = (self.slow + self.device.lateness(), self.told);
        let Some(peer) = &mut self.peer else { return };
        if slow.is_zero() {
            peer.send(id, &packet);
        } else {
            peer.late.insert((now + slow, id), packet);
        }
    }

    fn cancel(&mut self, id: u64) {
        let Some(peer) = &mut self.peer else { return };
        if let Some(packet) = peer.hung.remove(&id) {
            peer.send(id, &packet);
        } else if let Some(at) = peer.waiting.iter().position(|(waiting, _)| *waiting == id) {
            let (_, bulk) = peer.waiting.swap_remove(at);
            let packet =
                Packet::Bulk(Bulk { status: status::CANCELLED, length: 0, data: Vec::new(), ..bulk });
            peer.send(id, &packet);
        }
    }

    /// Says what is due by itself: keystrokes, packets, late answers.
    fn speak(&mut self) {
        let now = self.told;
        let Some(peer) = &mut self.peer else { return };
        while let Some(entry) = peer.late.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, id), packet) = entry.remove_entry();
            peer.send(id, &packet);
        }
        if !peer.connected || self.dead {
            return;
        }
        let mut gone = false;
        for endpoint in peer.listens.clone() {
            while let Some(outcome) = self.device.interrupt_in(endpoint) {
                match outcome {
                    Outcome::Ends(status, data) => peer.send(0, &Packet::Interrupt(endpoint, status, data)),
                    Outcome::Hangs => {}
                    Outcome::Gone => {
                        gone = true;
                        break;
                    }
                }
            }
        }
        for (id, bulk) in core::mem::take(&mut peer.waiting) {
            let wanted = usize::try_from(bulk.length).unwrap_or(0).min(proto::MOST / 2);
            match self.device.bulk_in(bulk.endpoint, wanted) {
                Some(Outcome::Ends(status, data)) => {
                    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
                    peer.send(id, &Packet::Bulk(Bulk { status, length, data, ..bulk }));
                }
                Some(Outcome::Gone) => gone = true,
                Some(Outcome::Hangs) | None => peer.waiting.push((id, bulk)),
            }
        }
        if gone {
            self.pull();
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let Some(peer) = &mut self.peer else { return Ok(()) };
        let bytes = core::mem::take(&mut peer.out);
        peer.stream.write_all(&bytes).await
    }
}

enum Came {
    Peer(io::Result<UnixStream>),
    Bytes(io::Result<usize>),
}

impl Peer {
    fn send(&mut self, id: u64, packet: &Packet) {
        let caps = self.parser.caps();
        self.out.extend(packet.bytes(id, caps));
    }
}
