use super::*;
use proptest::prelude::*;

fn every() -> Vec<Packet> {
    vec![
        Packet::Connect(Connect {
            speed: 1,
            class: [0; 3],
            vendor: 0x1050,
            product: 0x0407,
            version: 0x0543,
        }),
        Packet::Disconnect,
        Packet::Reset,
        Packet::Interfaces(vec![[0, 3, 1, 1], [1, 3, 0, 0]]),
        Packet::Endpoints(vec![
            Endpoint { address: 0, kind: 0, interval: 0, interface: 0, max_packet: 64 },
            Endpoint { address: 0x80, kind: 0, interval: 0, interface: 0, max_packet: 64 },
            Endpoint { address: 0x84, kind: 3, interval: 2, interface: 1, max_packet: 64 },
        ]),
        Packet::SetConfiguration(1),
        Packet::GetConfiguration,
        Packet::ConfigurationStatus(0, 1),
        Packet::SetAlternate(1, 0),
        Packet::GetAlternate(1),
        Packet::AlternateStatus(0, 1, 0),
        Packet::StartInterrupt(0x81),
        Packet::StopInterrupt(0x81),
        Packet::InterruptStatus(0, 0x81),
        Packet::Cancel,
        Packet::FilterReject,
        Packet::DisconnectAck,
        Packet::Control(Control {
            endpoint: 0x80,
            request: 6,
            request_type: 0x80,
            status: 0,
            value: 0x0100,
            index: 0,
            length: 18,
            data: vec![18, 1],
        }),
        Packet::Bulk(Bulk { endpoint: 2, status: 0, length: 70_000, stream: 0, data: vec![1, 2, 3] }),
        Packet::Interrupt(0x81, 0, vec![0; 8]),
    ]
}

fn greeted() -> Parser {
    let mut parser = Parser::default();
    parser.push(&Packet::Hello { caps: 0xff }.bytes(0, None));
    assert_eq!(parser.take(), Ok(Some((0, Packet::Hello { caps: 0xff }))));
    parser
}

#[test]
fn every_message_comes_back_in_whatever_pieces_it_comes() {
    let caps = Some(cap::OURS);
    let stream: Vec<u8> =
        every().iter().zip(1_u64 << 40..).flat_map(|(packet, id)| packet.bytes(id, caps)).collect();
    for piece in [1, 7, stream.len()] {
        let mut parser = greeted();
        let mut got = Vec::new();
        for bytes in stream.chunks(piece) {
            parser.push(bytes);
            while let Some((_, packet)) = parser.take().unwrap() {
                got.push(packet);
            }
        }
        assert_eq!(got, every());
    }
}

#[test]
fn the_layout_is_that_of_the_published_header() {
    // type 1, length 10, id of 64 bits; speed, class, subclass, protocol, vendor, product, version.
    let bytes = every()[0].bytes(5, Some(cap::OURS));
    assert_eq!(bytes[..16], [1, 0, 0, 0, 10, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[16..], [1, 0, 0, 0, 0x50, 0x10, 0x07, 0x04, 0x43, 0x05]);
    // The hello has an id of 32 bits, whatever is shared.
    assert_eq!(Packet::Hello { caps: cap::OURS }.bytes(0, Some(cap::OURS)).len(), 12 + 68);
    assert_eq!(every()[3].bytes(0, Some(cap::OURS)).len(), 16 + 132);
    assert_eq!(every()[4].bytes(0, Some(cap::OURS)).len(), 16 + 160);
}

#[test]
fn nonsense_is_refused() {
    let mut parser = Parser::default();
    parser.push(&Packet::Reset.bytes(0, None));
    assert_eq!(parser.take(), Err(ProtoError::NoHello));
    let mut parser = greeted();
    parser.push(&[100, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(parser.take(), Err(ProtoError::TooLong(u32::MAX)));
    let mut parser = greeted();
    parser.push(&[100, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
    assert_eq!(parser.take(), Err(ProtoError::TooShort(100)));
}

proptest! {
    #[test]
    fn any_stream_is_read_to_its_end_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), greet: bool) {
        let mut parser = if greet { greeted() } else { Parser::default() };
        parser.push(&bytes);
        while let Ok(Some((id, packet))) = parser.take() {
            let _ = packet.bytes(id, Some(cap::OURS));
        }
    }
}
