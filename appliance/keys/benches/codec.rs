//! How long the codecs take, on the small processor of the appliance too:
//! `cargo bench -p keys`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use keys::device::{Digits, HashAlgorithm};
use keys::otp;
use keys::secret::{AccessCode, AesKey, Seed};
use keys::yubikey::command::{self, OtpSlot};
use keys::yubikey::config::SlotConfig;
use keys::yubikey::crc::{crc16, seal};
use keys::yubikey::report::KeyReport;
use keys::yubikey::response::{Length, Reader};
use keys::yubikey::slot_write::SlotWrite;
use keys::yubikey::typed::{Collector, usage::Stroke};
use keys::yubikey::yubico_otp::TypedOtp;

fn seed() -> Option<Seed> {
    Seed::new(b"12345678901234567890").ok()
}

fn write_frame() -> Option<keys::yubikey::frame::Frame> {
    let config = SlotConfig::hotp(&seed()?, Digits::Six).ok()?;
    Some(command::write(OtpSlot::One, &SlotWrite::configure(config, &AccessCode::from_array(&[0; 6]))))
}

fn wire(c: &mut Criterion) {
    c.bench_function("crc16 of 64 bytes", |b| b.iter(|| crc16(black_box(&[0x5a; 64]))));
    c.bench_function("configuration to reports", |b| {
        b.iter(|| write_frame().map(|frame| frame.reports().map(|report| u32::from(report[7])).sum::<u32>()));
    });
    let sealed = [[0x5a; 20].as_slice(), &seal(&[0x5a; 20]), &[0; 6]].concat();
    let (chunks, _) = sealed.as_chunks();
    let answer: Vec<_> = chunks
        .iter()
        .zip(0x40..)
        .map(|([a, b, c, d, e, f, g], at)| [*a, *b, *c, *d, *e, *f, *g, at])
        .collect();
    c.bench_function("response of 20 bytes", |b| {
        b.iter(|| {
            let mut reader = Reader::new();
            for report in &answer {
                if let KeyReport::Chunk { sequence, data } = KeyReport::parse(black_box(report)) {
                    let _ = reader.push(sequence, &data);
                }
            }
            reader.finish(Length::Exactly(20)).map(|data| data.len())
        });
    });
}

fn codes(c: &mut Criterion) {
    let strokes: Vec<_> = "755224\n".chars().filter_map(Stroke::of).flat_map(Stroke::reports).collect();
    c.bench_function("typed code of six digits", |b| {
        b.iter(|| {
            let mut collector = Collector::new();
            for report in &strokes {
                collector.push(Duration::ZERO, black_box(report));
            }
            collector.take(Duration::ZERO).map(|code| code.text().len())
        });
    });
    let seed = seed();
    c.bench_function("hotp", |b| {
        b.iter(|| seed.as_ref().map(|seed| otp::hotp(seed, black_box(7), Digits::Six, HashAlgorithm::Sha1)));
    });
    let key = AesKey::from_array(&[7; 16]);
    c.bench_function("yubico otp", |b| {
        b.iter(|| {
            TypedOtp::parse(black_box("dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh"))
                .and_then(|typed| typed.decrypt(&key))
                .is_ok()
        });
    });
}

criterion_group!(benches, wire, codes);
criterion_main!(benches);
