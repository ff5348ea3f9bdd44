//! What a peer of a USB twin sends, read and written again.
#![no_main]

use twins::usbredir::proto::{Packet, Parser, cap};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut parser = Parser::default();
    parser.push(&Packet::Hello { caps: cap::OURS }.bytes(0, None));
    parser.push(data);
    while let Ok(Some((id, packet))) = parser.take() {
        // An unknown message has no body when it is written.
        let _ = packet.bytes(id, parser.caps());
    }
});
