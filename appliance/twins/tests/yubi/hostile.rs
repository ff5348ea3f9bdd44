//! Whatever comes, the twin neither panics nor takes what it should not.

use std::time::Duration;

use keys::device::{Firmware, Slot};
use proptest::prelude::*;
use twins::key::{KeyTwin, Press};
use twins::line::{Pace, Server};
use twins::yubikey::{Model, YubiKeyTwin};

use crate::host::{Config, RFC4226, key, reports};

#[derive(Debug, Clone)]
enum Step {
    Write([u8; 8]),
    Read,
    Card(Vec<u8>),
    Touch(bool),
    Power,
    Advance(u64),
    Line(String),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        // Mostly reports that are nearly right.
        8 => (any::<[u8; 7]>(), 0..16_u8).prop_map(|(data, sequence)| {
            let mut report = [0; 8];
            report[..7].copy_from_slice(&data);
            report[7] = 0x80 | sequence;
            Step::Write(report)
        }),
        2 => any::<[u8; 8]>().prop_map(Step::Write),
        4 => Just(Step::Read),
        2 => proptest::collection::vec(any::<u8>(), 0..80).prop_map(Step::Card),
        1 => any::<bool>().prop_map(Step::Touch),
        1 => Just(Step::Power),
        2 => (0..20_000_u64).prop_map(Step::Advance),
        1 => ".{0,40}".prop_map(Step::Line),
    ]
}

fn firmware() -> impl Strategy<Value = Firmware> {
    let known =
        [(2, 0, 0), (2, 1, 4), (2, 3, 0), (3, 4, 0), (4, 0, 0), (4, 3, 4), (5, 1, 2), (5, 4, 3), (5, 7, 1)];
    proptest::sample::select(known.to_vec())
        .prop_map(|(major, minor, build)| Firmware::new(major, minor, build))
}

fn guarded(firmware: Firmware) -> YubiKeyTwin {
    let mut key = YubiKeyTwin::new(Model::new(firmware, 1).unwrap(), 3);
    key.occupy(Slot(1), Some([1, 2, 3, 4, 5, 6]));
    key.occupy(Slot(2), Some([6, 5, 4, 3, 2, 1]));
    key
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_what_is_guarded_stays(firmware in firmware(), steps in proptest::collection::vec(step(), 0..120)) {
        let mut key = guarded(firmware);
        let (one, two) = (key.config52(Slot(1)).unwrap(), key.config52(Slot(2)).unwrap());
        for step in steps {
            match step {
                Step::Write(report) => drop(key.set_feature(&report)),
                Step::Read => drop(key.get_feature()),
                Step::Card(command) => drop(key.apdu(&command)),
                Step::Touch(long) => drop(key.touch(if long { Press::Long } else { Press::Short })),
                Step::Power => key.power().unwrap(),
                Step::Advance(milliseconds) => key.advance(Duration::from_millis(milliseconds)).unwrap(),
                Step::Line(line) => drop(twins::line::Request::parse(&line)),
            }
        }
        prop_assert!(key.config52(Slot(1)).unwrap() == one);
        prop_assert!(key.config52(Slot(2)).unwrap() == two);
        let saved = key.save();
        prop_assert!(YubiKeyTwin::restore(key.model().clone(), &saved, 1).is_ok());
    }

    /// CRC-16 finds every error of one or two bits and every burst of up to 16.
    #[test]
    fn a_frame_with_a_burst_of_errors_is_never_taken(start in 0..70 * 8_usize, burst in 1..=u16::MAX) {
        let mut key = key(5, 4, 3);
        let mut frame = [0; 70];
        for report in reports(0x01, &Config::hotp().payload()) {
            let at = usize::from(report[7] & 0x1f) * 7;
            frame[at..at + 7].copy_from_slice(&report[..7]);
        }
        let whole = frame;
        for bit in 0..16 {
            let at = start + bit;
            if burst & (1 << bit) != 0 && at < 560 {
                frame[at / 8] ^= 1 << (at % 8);
            }
        }
        // The command byte is not under the checksum: any other command refuses too,
        // unless it takes configurations.
        prop_assume!(frame != whole && frame[64] != 0x03);
        for (sequence, chunk) in frame.chunks(7).enumerate() {
            let mut report = [0; 8];
            report[..7].copy_from_slice(chunk);
            report[7] = 0x80 | u8::try_from(sequence).unwrap();
            key.set_feature(&report).unwrap();
        }
        key.advance(Duration::from_secs(1)).unwrap();
        let held = key.snapshot().slots;
        prop_assert!(held.iter().all(Option::is_none), "bits {start} and on");
    }

    #[test]
    fn saved_text_is_read_or_refused(text in "(yubikey-twin 1\n)?(key 5.4.3 12345678\n)?.{0,60}\n?.{0,60}") {
        let model = Model::new(Firmware::new(5, 4, 3), 12_345_678).unwrap();
        if let Ok(key) = YubiKeyTwin::restore(model.clone(), &text, 1) {
            prop_assert!(YubiKeyTwin::restore(model, &key.save(), 1).is_ok());
        }
    }

    #[test]
    fn any_line_has_one_line_for_an_answer(line in "\\PC{0,100}") {
        let server = Server::new(key(5, 4, 3), Pace::Manual);
        let answer = server.answer(&line);
        prop_assert!(!answer.is_empty() && !answer.contains('\n'));
    }
}

#[test]
fn a_seed_is_recognised_only_where_it_is() {
    let mut key = key(5, 4, 3);
    assert!(!key.slot_holds(Slot(1), RFC4226));
    assert!(crate::host::change(&mut key, 0x01, &Config::hotp().payload()));
    assert!(key.slot_holds(Slot(1), RFC4226) && !key.slot_holds(Slot(2), RFC4226));
    assert!(!key.slot_holds(Slot(1), &RFC4226[..19]) && !key.slot_holds(Slot(1), &[0; 64]));
    assert!(!key.slot_holds(Slot(0), RFC4226));
}

#[test]
fn the_ends_of_numbers_and_of_time_are_survived() {
    let mut key = key(5, 4, 3);
    assert!(crate::host::change(&mut key, 0x01, &Config::hotp().payload()));
    key.occupy(Slot(2), None);
    let saved = key.save().replace(" 0 0 0\n", &format!(" {} {} {}\n", u64::MAX, u16::MAX, u8::MAX));
    let mut key = YubiKeyTwin::restore(key.model().clone(), &saved, 1).unwrap();
    let faults = crate::host::with(|faults| {
        faults.slow = Duration::MAX;
        faults.dead_after = Some(Duration::MAX);
    });
    key.set_faults(faults);
    assert_eq!(key.touch(Press::Short).unwrap().len(), 14);
    assert_eq!(key.touch(Press::Long).unwrap().len(), 90);
    assert_eq!(key.snapshot().slots[0].as_ref().unwrap().hotp_counter, 0);
    for _ in 0..2 {
        key.advance(Duration::MAX).unwrap();
        for report in reports(0x15, &[2, 0x0c, 0]) {
            key.set_feature(&report).ok();
        }
        key.get_feature().ok();
        key.apdu(&[0, 0xa4, 4, 0]).ok();
    }
    key.power().unwrap();
    assert_eq!(key.touch(Press::Short).unwrap().len(), 14);
}
