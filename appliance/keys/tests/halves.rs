//! What the crate writes is read by the key's half, and what that answers is read by the crate.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod key_half;

use key_half::{Assembler, Assembly, Held, Received, Spoilt, chunk, response, stripped_challenge, written};
use keys::device::{Digits, Firmware, Kind, OathId, TokenIdForm};
use keys::secret::{AccessCode, AesKey, LockCode, Pin, PrivateId, Seed};
use keys::yubikey::command::{self, OtpSlot};
use keys::yubikey::config::{ConfigError, Mode, SlotConfig};
use keys::yubikey::device_config::DeviceConfig;
use keys::yubikey::device_info::DeviceInfo;
use keys::yubikey::flags::{CfgFlags, ExtFlags, TktFlags};
use keys::yubikey::frame::{ABORT, Frame, Payload};
use keys::yubikey::report::KeyReport;
use keys::yubikey::response::{LONGEST, Length, Reader, ResponseError};
use keys::yubikey::slot_write::SlotWrite;
use proptest::prelude::*;
use zeroize::Zeroizing;

fn assemble(reports: impl IntoIterator<Item = [u8; 8]>) -> Option<Received> {
    let mut assembler = Assembler::new();
    reports.into_iter().find_map(|report| match assembler.push(&report) {
        Assembly::Complete(frame) => Some(frame),
        _ => None,
    })
}

#[test]
fn chunk_zero_begins_anew_and_clears_what_an_unfinished_frame_left() {
    let old = Frame::new(1, &Payload::from_array(&[0xaa; 64]));
    let new = Frame::new(0x10, &Payload::empty());
    let frame = assemble(old.reports().take(6).chain(new.reports())).unwrap();
    assert_eq!(frame, Received::from(&new));
}

#[test]
fn an_abort_forgets_the_frame_under_way() {
    for abort in [ABORT, [0, 0, 0, 0, 0, 0, 0, 0x8f]] {
        let frame = Frame::new(1, &Payload::from_array(&[0xaa; 64]));
        let mut assembler = Assembler::new();
        for report in frame.reports().take(5) {
            assert_eq!(assembler.push(&report), Assembly::More);
        }
        assert_eq!(assembler.push(&abort), Assembly::Aborted);
        assert!(!assembler.is_under_way());
        let late = frame.reports().nth(5).unwrap();
        assert_eq!(assembler.push(&late), Assembly::Spoilt(Spoilt::OutOfOrder));
    }
}

#[test]
fn a_lost_chunk_is_noticed_by_the_crc() {
    let frame = Frame::new(1, &Payload::from_array(&[0xaa; 64]));
    let lossy = frame.reports().enumerate().filter(|(at, _)| *at != 4).map(|(_, report)| report);
    let mut assembler = Assembler::new();
    let last = lossy.map(|report| assembler.push(&report)).last().unwrap();
    assert_eq!(last, Assembly::Spoilt(Spoilt::Crc));
}

fn read(reports: &[[u8; 8]], length: Length) -> Result<Vec<u8>, ResponseError> {
    let mut reader = Reader::new();
    for report in reports {
        let KeyReport::Chunk { sequence, data } = KeyReport::parse(report) else { panic!("not a chunk") };
        if reader.push(sequence, &data)? {
            break;
        }
    }
    reader.finish(length).map(|bytes| bytes.to_vec())
}

#[test]
fn a_chunk_too_many_or_too_few_is_refused() {
    // 20 bytes and the CRC need four chunks; libykpers and python-yubico insist.
    let reports = response(&[7; 20]);
    assert_eq!(reports.len(), 5);
    assert_eq!(read(&reports, Length::Exactly(20)).unwrap(), [7; 20]);
    let few: Vec<_> = reports.iter().take(3).chain(reports.last()).copied().collect();
    assert_eq!(read(&few, Length::Exactly(20)), Err(ResponseError::Chunks { wanted: 4, got: 3 }));
    let mut many = reports.clone();
    many.insert(4, chunk(4, &[]));
    assert_eq!(read(&many, Length::Exactly(20)), Err(ResponseError::Chunks { wanted: 4, got: 5 }));
}

#[test]
fn a_skipped_chunk_is_noticed() {
    let mut reports = response(&[7; 20]);
    reports.remove(1);
    assert_eq!(read(&reports, Length::Exactly(20)), Err(ResponseError::OutOfOrder { wanted: 1, got: 2 }));
}

#[test]
fn a_changed_byte_is_noticed() {
    let mut reports = response(&[7; 20]);
    reports[2][3] ^= 1;
    assert_eq!(read(&reports, Length::Exactly(20)), Err(ResponseError::Crc));
}

#[test]
fn the_longest_response_has_all_sequence_numbers() {
    let data = [3; LONGEST];
    assert_eq!(read(&response(&data), Length::Exactly(LONGEST)).unwrap(), data);
}

fn seed(bytes: &[u8]) -> Seed {
    Seed::new(bytes).unwrap()
}

fn hotp() -> SlotConfig {
    SlotConfig::hotp(&seed(&[1; 20]), Digits::Six).unwrap()
}

#[test]
fn every_builder_keeps_the_serial_readable() {
    let id = PrivateId::new(&[1; 6]).unwrap();
    let key = AesKey::new(&[2; 16]).unwrap();
    let configs = [
        SlotConfig::hotp(&seed(&[1]), Digits::Six).unwrap(),
        SlotConfig::yubico_otp(&[], &id, &key).unwrap(),
        SlotConfig::static_password(&Pin::new(Zeroizing::new("x".into())).unwrap()).unwrap(),
        SlotConfig::challenge_hmac(&seed(&[1]), true).unwrap(),
    ];
    for config in configs {
        assert!(Held::of(&config).ext().contains(ExtFlags::SERIAL_BY_API));
        let old = Held::of(&config.fitted_to(Firmware::new(2, 2, 3)));
        assert_eq!(old.ext().bits(), 0x04, "2.2.3 refuses bits of 2.3 (ykman issue 368)");
    }
}

#[test]
fn counters_are_multiples_of_sixteen_up_to_0xffff0() {
    let start = |counter| hotp().with_initial_counter(counter).map(|c| Held::of(&c).initial_counter());
    assert_eq!(start(0), Ok(0));
    assert_eq!(start(0x120), Ok(0x120));
    assert_eq!(start(0xffff0), Ok(0xffff0));
    assert_eq!(start(0x100000), Err(ConfigError::Counter(0x100000)));
    assert_eq!(start(17), Err(ConfigError::Counter(17)));
    let config = hotp().with_initial_counter(0x12340).unwrap();
    assert_eq!(config.encode()[20..22], [0x12, 0x34], "big-endian, unlike everything else");
}

#[test]
fn what_an_id_says_it_is_typed_as_is_what_the_slot_types() {
    assert_eq!(OathId::of_serial(12_345).text(), "ubhe00012345");
    assert_eq!(OathId::of_serial(4_294_967_295).text(), "ubhe94967295");
    assert_eq!(OathId::modhex("vvcbcdce").unwrap().text(), "vvcbcdce");
    assert!(OathId::modhex("ab").is_none() && OathId::modhex("").is_none());
    for id in [OathId::of_serial(12_345_678), OathId::modhex("vvcb").unwrap()] {
        let config = hotp().with_token_id(&id.bytes, id.form).unwrap();
        assert_eq!(Held::of(&config).token_id_text(), id.text());
    }
}

#[test]
fn an_update_of_the_code_changes_nothing_else() {
    let code = AccessCode::new(b"newnew").unwrap();
    let hotp = SlotConfig::hotp(&seed(&[1; 20]), Digits::Eight).unwrap();
    let hmac = SlotConfig::challenge_hmac(&seed(&[1; 20]), true).unwrap();
    for (config, kind) in [(hotp, Kind::Hotp), (hmac, Kind::ChallengeResponse)] {
        let before = Held::of(&config);
        let mut after = before.clone();
        assert!(after.update_with(&Held::of(&SlotConfig::new_code_update(kind, true, &code))));
        assert!(after.new_code().same_as(&code));
        assert_eq!((after.ext(), after.tkt(), after.cfg()), (before.ext(), before.tkt(), before.cfg()));
        assert!(after.oath_key().same_as(&before.oath_key()));
    }
}

#[test]
fn the_token_id_is_typed_in_the_form_chosen() {
    let typed =
        |form| Held::of(&hotp().with_token_id(&[0xe1, 0xe2, 0x00, 0x11], form).unwrap()).token_id_text();
    assert_eq!(typed(TokenIdForm::Digits), "e1e20011");
    assert_eq!(typed(TokenIdForm::Modhex1), "ube20011");
    assert_eq!(typed(TokenIdForm::Modhex2), "ubud0011");
    assert_eq!(typed(TokenIdForm::Modhex), "ubudccbb");
}

#[test]
fn an_update_needs_the_allow_update_flag_and_changes_only_its_bits() {
    let all = (TktFlags::from_bits(0xff), CfgFlags::from_bits(0xff));
    let update = Held::of(&SlotConfig::update(ExtFlags::NUMERIC_KEYPAD, all.0, all.1));
    let mut held = Held::of(&hotp());
    assert!(held.update_with(&update));
    assert_eq!((held.ext().bits(), held.tkt().bits(), held.cfg().bits()), (0x08, 0x7f, 0x0c));
    assert_eq!(held.mode(), Mode::Hotp(Digits::Six));
    assert!(!held.update_with(&update), "the update took the flag away");
}

#[test]
fn deletion_is_told_apart_by_its_zeros_although_it_has_no_crc() {
    let code = AccessCode::new(&[1, 2, 3, 4, 5, 6]).unwrap();
    let (held, current) = written(SlotWrite::delete(&code).payload().bytes()).unwrap();
    assert_eq!(held, None);
    assert!(current.same_as(&code));
}

#[test]
fn a_challenge_that_ends_in_zero_is_padded_with_ones() {
    let frame = command::challenge_hmac(OtpSlot::Two, &[0]).unwrap();
    assert_eq!(frame.payload()[..3], [0, 1, 1]);
    assert_eq!(stripped_challenge(frame.payload()), [0]);
    assert!(command::challenge_hmac(OtpSlot::One, &[0; 65]).is_none());
}

#[test]
fn every_part_of_a_device_configuration_fits_a_frame_at_once() {
    let config = DeviceConfig {
        reboot: true,
        unlock: Some(LockCode::from_array(&[1; 16])),
        usb_enabled: Some(0x23f),
        nfc_enabled: Some(0),
        auto_eject: Some(300),
        challenge_timeout: Some(9),
        flags: Some(0x40),
        new_lock: Some(LockCode::from_array(&[2; 16])),
        nfc_restricted: true,
    };
    assert!(command::write_device_info(&config).is_some());
}

proptest! {
    #[test]
    fn reports_of_any_frame_make_that_frame_again(
        payload in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>()], 64),
        command: u8,
    ) {
        let frame = Frame::new(command, &Payload::new(&payload).unwrap());
        let again = assemble(frame.reports()).unwrap();
        prop_assert_eq!(&again, &Received::from(&frame));
        prop_assert_eq!(again.command(), command);
        prop_assert_eq!(again.payload().as_slice(), payload.as_slice());
    }

    #[test]
    fn what_is_answered_is_read(data in prop::collection::vec(any::<u8>(), 0..=LONGEST)) {
        prop_assert_eq!(read(&response(&data), Length::Exactly(data.len())).unwrap(), data);
    }

    #[test]
    fn a_status_is_read_as_shown(report: [u8; 8]) {
        if let KeyReport::Status(status) | KeyReport::TouchWanted { status, .. } = KeyReport::parse(&report) {
            prop_assert_eq!(&key_half::status_report(&status, report[7])[1..], &report[1..]);
        }
    }

    #[test]
    fn a_page_of_any_tags_is_read_or_refused(
        tags in prop::collection::vec((1u8..0x20, prop::collection::vec(any::<u8>(), 0..5)), 0..12),
        more: bool,
    ) {
        let tags: Vec<(u8, &[u8])> = tags.iter().map(|(tag, value)| (*tag, value.as_slice())).collect();
        let read = DeviceInfo::default().add_page(&key_half::page(&tags, more));
        prop_assert!(!more || read != Ok(false));
    }

    #[test]
    fn padding_a_challenge_can_be_undone(challenge in prop::collection::vec(any::<u8>(), 1..64)) {
        let frame = command::challenge_hmac(OtpSlot::One, &challenge).unwrap();
        prop_assert_eq!(stripped_challenge(frame.payload()), challenge.as_slice());
    }

    #[test]
    fn a_configuration_holds_what_it_was_made_of(
        key in prop::collection::vec(any::<u8>(), 1..=20),
        sixteenth: u16,
        id in prop::collection::vec(any::<u8>(), 0..=16),
        code: [u8; 6],
    ) {
        let counter = u32::from(sixteenth) * 16;
        let config = SlotConfig::hotp(&seed(&key), Digits::Eight).unwrap()
            .with_initial_counter(counter).unwrap()
            .with_token_id(&id, TokenIdForm::Modhex1).unwrap()
            .with_new_code(&AccessCode::new(&code).unwrap());
        let held = Held::of(&config);
        let write = SlotWrite::configure(config, &AccessCode::from_array(&[0; 6]));
        prop_assert_eq!(written(write.payload().bytes()).unwrap().0, Some(held.clone()));
        prop_assert_eq!(held.mode(), Mode::Hotp(Digits::Eight));
        prop_assert_eq!(held.initial_counter(), counter);
        prop_assert_eq!(held.fixed(), id.as_slice());
        prop_assert!(held.new_code().expose() == &code);
        let mut padded = key.clone();
        padded.resize(20, 0);
        prop_assert!(held.oath_key().expose() == padded.as_slice());
    }
}
