//! A response of 20 bytes, in chunks as a key sends them, whatever it sends.
#![no_main]

use keys::yubikey::report::KeyReport;
use keys::yubikey::response::{Length, Reader};

libfuzzer_sys::fuzz_target!(|reports: &[u8]| {
    let mut reader = Reader::new();
    for report in reports.as_chunks().0 {
        if let KeyReport::Chunk { sequence, data } = KeyReport::parse(report)
            && reader.push(sequence, &data) != Ok(false)
        {
            break;
        }
    }
    let _ = reader.finish(Length::Prefixed);
});
