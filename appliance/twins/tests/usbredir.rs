#![cfg(test)]
//! A key twin as a USB device, met by a small host that enumerates it as a kernel does.

use std::time::Duration;

use keys::device::Firmware;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use twins::hostile::HostileDevice;
use twins::usbredir::proto::{Bulk, Connect, Control, Endpoint, Interface, Packet, Parser, cap, status};
use twins::usbredir::{Device, KeyDevice, Product, Sockets, serve};
use twins::yubikey::{Model, YubiKeyTwin};

struct Host {
    stream: UnixStream,
    parser: Parser,
    id: u64,
    /// Interrupt packets that came between.
    typed: Vec<Vec<u8>>,
}

struct Found {
    interfaces: Vec<Interface>,
    endpoints: Vec<Endpoint>,
    connect: Connect,
}

impl Host {
    async fn send(&mut self, packet: &Packet) -> u64 {
        self.id += 1;
        self.stream.write_all(&packet.bytes(self.id, self.parser.caps())).await.unwrap();
        self.id
    }

    async fn next(&mut self) -> (u64, Packet) {
        loop {
            if let Some(next) = self.parser.take().unwrap() {
                return next;
            }
            let mut buffer = [0; 4096];
            let length = self.stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "the device hung up");
            self.parser.push(&buffer[..length]);
        }
    }

    /// The answer to what was sent under that id.
    async fn answer(&mut self, id: u64) -> Packet {
        loop {
            match self.next().await {
                (_, Packet::Interrupt(_, 0, data)) => self.typed.push(data),
                (got, packet) if got == id => return packet,
                (0, Packet::Interfaces(_) | Packet::Endpoints(_)) => {}
                (_, other) => panic!("unexpected {other:?}"),
            }
        }
    }

    async fn connected(&mut self) -> Found {
        let (mut interfaces, mut endpoints) = (None, None);
        loop {
            match self.next().await.1 {
                Packet::Hello { .. } | Packet::Disconnect => {}
                Packet::Interfaces(found) => interfaces = Some(found),
                Packet::Endpoints(found) => endpoints = Some(found),
                Packet::Connect(connect) => {
                    // QEMU refuses a device that says this before the others.
                    return Found { interfaces: interfaces.unwrap(), endpoints: endpoints.unwrap(), connect };
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    async fn control(
        &mut self,
        kind: u8,
        request: u8,
        value: u16,
        index: u16,
        data: Result<&[u8], u16>,
    ) -> Control {
        let (length, data) = match data {
            Ok(data) => (u16::try_from(data.len()).unwrap(), data.to_vec()),
            Err(wanted) => (wanted, Vec::new()),
        };
        let endpoint = kind & 0x80;
        let control =
            Control { endpoint, request, request_type: kind, status: 0, value, index, length, data };
        let id = self.send(&Packet::Control(control)).await;
        match self.answer(id).await {
            Packet::Control(control) => control,
            other => panic!("unexpected {other:?}"),
        }
    }

    async fn strokes(&mut self, count: usize) -> Vec<Vec<u8>> {
        while self.typed.len() < count {
            match self.next().await {
                (_, Packet::Interrupt(0x81, 0, data)) => self.typed.push(data),
                (_, other) => panic!("unexpected {other:?}"),
            }
        }
        self.typed.drain(..count).collect()
    }
}

struct Bench {
    host: Host,
    desk: UnixStream,
    _sockets: tempfile::TempDir,
}

async fn bench(device: impl Device + Send + 'static, plugged: bool) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let (usb, control) = (directory.path().join("usb"), directory.path().join("control"));
    let sockets = Sockets { usbredir: usb.clone(), control: Some(control.clone()), plugged };
    tokio::task::spawn_local(async move { serve(device, &sockets).await.unwrap() });
    let connect = async |path| loop {
        match UnixStream::connect(&path).await {
            Ok(stream) => break stream,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let (stream, desk) = (connect(usb).await, connect(control).await);
    let mut host = Host { stream, parser: Parser::default(), id: 0, typed: Vec::new() };
    host.stream.write_all(&Packet::Hello { caps: cap::OURS | 0x81 }.bytes(0, None)).await.unwrap();
    Bench { host, desk, _sockets: directory }
}

impl Bench {
    async fn tell(&mut self, line: &str) -> String {
        self.desk.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        while reply.last() != Some(&b'\n') {
            reply.push(self.desk.read_u8().await.unwrap());
        }
        String::from_utf8(reply).unwrap().trim_end().to_owned()
    }
}

fn yubikey() -> KeyDevice<YubiKeyTwin> {
    let model = Model::new(Firmware::new(5, 4, 3), 12_345_678).unwrap();
    let mut twin = YubiKeyTwin::new(model, 1);
    twin.occupy(keys::device::Slot(1), None);
    KeyDevice::new(twin, Product::YubiKey(0x0407, 0x0543, None)).unwrap()
}

/// Runs a test with a limit, so that a missing answer fails it.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let limited = async { tokio::time::timeout(Duration::from_secs(30), test).await };
    local.block_on(&runtime, limited).expect("the device answered in time");
}

#[test]
fn a_yubikey_is_enumerated_asked_and_types() {
    run(async {
        let mut bench = bench(yubikey(), true).await;
        let host = &mut bench.host;
        let found = host.connected().await;
        assert_eq!(
            (found.connect.vendor, found.connect.product, found.connect.version),
            (0x1050, 0x0407, 0x0543)
        );
        assert_eq!(found.interfaces, [[0, 3, 1, 1], [1, 3, 0, 0], [2, 0x0b, 0, 0]]);
        assert_eq!(found.endpoints.len(), 8);
        let device = host.control(0x80, 6, 0x0100, 0, Err(18)).await;
        assert_eq!(device.data[8..14], [0x50, 0x10, 0x07, 0x04, 0x43, 0x05]);
        assert_eq!(host.control(0x80, 6, 0x0200, 0, Err(9)).await.data[2..4], [150, 0]);
        assert_eq!(host.control(0x80, 6, 0x0200, 0, Err(150)).await.data.len(), 150);
        assert_eq!(host.control(0x80, 6, 0x0600, 0, Err(10)).await.status, status::STALL);
        let name = host.control(0x80, 6, 0x0302, 0x0409, Err(255)).await;
        assert_eq!(name.data[2..6], [b'Y', 0, b'u', 0]);
        let id = host.send(&Packet::SetConfiguration(1)).await;
        assert_eq!(host.answer(id).await, Packet::ConfigurationStatus(0, 1));
        assert_eq!(host.control(0x81, 6, 0x2200, 0, Err(71)).await.data.len(), 71);
        assert_eq!(host.control(0x81, 6, 0x2200, 1, Err(34)).await.data.len(), 34);

        // GET_REPORT(Feature): the status; SET_REPORT of another length is refused.
        let report = host.control(0xa1, 1, 0x0300, 0, Err(8)).await;
        assert_eq!(report.data[1..4], [5, 4, 3]);
        assert_eq!(host.control(0x21, 9, 0x0300, 0, Ok(&[0; 7])).await.status, status::STALL);
        assert_eq!(host.control(0x21, 9, 0x0300, 0, Ok(&[0; 8])).await.status, status::OK);

        let id = host.send(&Packet::StartInterrupt(0x81)).await;
        assert_eq!(host.answer(id).await, Packet::InterruptStatus(0, 0x81));
        assert_eq!(bench.tell("STATE").await, "OK plugged connected configured 1050:0407");
        // 44 characters of a Yubico OTP and Enter, each pressed and let go.
        assert_eq!(bench.tell("TOUCH 1").await, "OK 90");
        let typed = bench.host.strokes(90).await;
        assert_eq!(typed[88], [0, 0, 0x28, 0, 0, 0, 0, 0]);
        assert!(typed.iter().all(|report| report.len() == 8));
    });
}

#[test]
fn a_key_is_pulled_out_plugged_in_and_renamed() {
    run(async {
        let mut bench = bench(yubikey(), false).await;
        assert_eq!(bench.tell("UNPLUG").await, "ERR it is not plugged in");
        assert_eq!(bench.tell("PLUG").await, "OK");
        assert_eq!(bench.host.connected().await.connect.product, 0x0407);
        assert_eq!(bench.tell("UNPLUG").await, "OK");
        assert_eq!(bench.host.next().await.1, Packet::Disconnect);
        assert_eq!(bench.tell("PLUG").await, "OK");
        bench.host.connected().await;
        assert_eq!(bench.tell("PRODUCT 0402").await, "OK");
        let found = bench.host.connected().await;
        assert_eq!((found.connect.product, found.interfaces.len()), (0x0402, 1));
        assert!(bench.tell("PRODUCT 1234").await.starts_with("ERR"));
        assert!(bench.tell("SEED 4").await.starts_with("ERR"));
    });
}

#[test]
fn a_dead_key_answers_nothing_until_its_transfer_is_called_off() {
    run(async {
        let mut bench = bench(yubikey(), true).await;
        bench.host.connected().await;
        bench.tell("DEAD").await;
        let get = Control {
            endpoint: 0x80,
            request: 1,
            request_type: 0xa1,
            status: 0,
            value: 0x0300,
            index: 0,
            length: 8,
            data: vec![],
        };
        let hung = bench.host.send(&Packet::Control(get)).await;
        bench.tell("ALIVE").await;
        // The hung one stays hung; the next is answered.
        assert_eq!(bench.host.control(0xa1, 1, 0x0300, 0, Err(8)).await.status, status::OK);
        let cancel = Packet::Cancel.bytes(hung, bench.host.parser.caps());
        bench.host.stream.write_all(&cancel).await.unwrap();
        match bench.host.next().await {
            (id, Packet::Control(control)) => assert_eq!((id, control.status), (hung, status::CANCELLED)),
            (_, other) => panic!("unexpected {other:?}"),
        }
    });
}

#[test]
fn the_smart_card_of_a_key_answers() {
    run(async {
        let mut bench = bench(yubikey(), true).await;
        bench.host.connected().await;
        let bulk =
            |endpoint, length, data| Packet::Bulk(Bulk { endpoint, status: 0, length, stream: 0, data });
        let read = bench.host.send(&bulk(0x82, 512, vec![])).await;
        // SELECT of the OTP applet.
        let apdu = [0, 0xa4, 4, 0, 7, 0xa0, 0, 0, 5, 0x27, 0x20, 1];
        let mut message = vec![0x6f, 12, 0, 0, 0, 0, 1, 0, 0, 0];
        message.extend(apdu);
        bench.host.send(&bulk(0x02, 22, message)).await;
        match bench.host.next().await {
            (_, Packet::Bulk(out)) => assert_eq!((out.endpoint, out.length), (0x02, 22)),
            (_, other) => panic!("unexpected {other:?}"),
        }
        match bench.host.answer(read).await {
            Packet::Bulk(answer) => {
                assert_eq!(answer.data[..2], [0x80, 8]);
                assert_eq!(answer.data[10..13], [5, 4, 3]);
                assert_eq!(answer.data[answer.data.len() - 2..], [0x90, 0]);
            }
            other => panic!("unexpected {other:?}"),
        }
    });
}

#[test]
fn hostile_devices_go_on_being_served() {
    run(async {
        let mut bench = bench(HostileDevice::new(0).unwrap(), true).await;
        bench.host.connected().await;
        for seed in 1..100 {
            assert_eq!(bench.tell(&format!("SEED {seed}")).await, "OK");
            bench.host.connected().await;
        }
        assert!(bench.tell("STATE").await.starts_with("OK plugged connected"));
    });
}

#[test]
fn a_peer_that_talks_nonsense_is_let_go_and_the_next_is_served() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let usb = directory.path().join("usb");
        let sockets = Sockets { usbredir: usb.clone(), control: None, plugged: true };
        tokio::task::spawn_local(async move { serve(yubikey(), &sockets).await.unwrap() });
        for nonsense in [&[0xff; 64][..], &[], &[0; 3]] {
            let mut stream = loop {
                match UnixStream::connect(&usb).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::task::yield_now().await,
                }
            };
            stream.write_all(nonsense).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            // Its own hello came, whatever the other side said.
            assert_eq!(rest.len(), 80);
        }
    });
}
