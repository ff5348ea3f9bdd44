//! The vectors that yubikit 5.9.2 built, byte for byte, and its wake-up probe.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

mod key_half;

use key_half::{Assembler, Assembly, response as reports_of, written};
use keys::device::{Digits, TokenIdForm};
use keys::secret::{AccessCode, LockCode, Pin, Seed};
use keys::yubikey::command::{self, AnswerForm, Command, OtpSlot};
use keys::yubikey::config::{Mode, SlotConfig};
use keys::yubikey::crc::crc16;
use keys::yubikey::device_config::DeviceConfig;
use keys::yubikey::device_info::capability;
use keys::yubikey::flags::{CfgFlags, ExtFlags, TktFlags};
use keys::yubikey::frame::{ABORT, Frame};
use keys::yubikey::report::KeyReport;
use keys::yubikey::response;
use keys::yubikey::slot_write::SlotWrite;
use serde_json::Value;
use zeroize::Zeroizing;

const RFC_KEY: &[u8] = b"12345678901234567890";

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/yubikey_otp.json")).unwrap()
}

/// Those of commands that the station gives; the key's twin reads the others.
fn listed() -> Vec<Value> {
    let all = vectors()["vectors"].as_array().unwrap().clone();
    assert_eq!(all.len(), 12);
    all.into_iter().filter(|vector| vector["name"] != "ndef_uri").collect()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn no_code() -> AccessCode {
    AccessCode::from_array(&[0; 6])
}

/// yubikit's own `extFlags`.
fn vendors_ext() -> ExtFlags {
    ExtFlags::SERIAL_BY_API | ExtFlags::FAST_TRIGGER | ExtFlags::ALLOW_UPDATE
}

fn hotp(key: &[u8]) -> SlotConfig {
    SlotConfig::hotp(&Seed::new(key).unwrap(), Digits::Six).unwrap().with_ext(vendors_ext())
}

/// The frame of that vector, made by this crate.
fn built(name: &str) -> Frame {
    let code = AccessCode::new(&[1, 2, 3, 4, 5, 6]).unwrap();
    // yubikit leaves MODHEX2 on in every HOTP configuration, even without a
    // token id, where it means nothing.
    let two = |config: SlotConfig| config.with_token_id(&[], TokenIdForm::Modhex2).unwrap();
    let into_one = |config| command::write(OtpSlot::One, &SlotWrite::configure(config, &no_code()));
    match name {
        "hotp6_slot1" => into_one(two(hotp(RFC_KEY))),
        "hotp6_tokenid" => {
            let id = [0xe1, 0xe2, 0x00, 0x11, 0x22, 0x33];
            into_one(hotp(RFC_KEY).with_token_id(&id, TokenIdForm::Modhex2).unwrap())
        }
        "hotp6_key16" => into_one(two(hotp(&(0x10..0x20).collect::<Vec<u8>>()))),
        "hotp6_keypad_serial_usb" => {
            let ext = vendors_ext() | ExtFlags::NUMERIC_KEYPAD | ExtFlags::SERIAL_IN_USB;
            into_one(two(hotp(RFC_KEY).with_ext(ext)))
        }
        "static_scancodes" => {
            let password = Pin::new(Zeroizing::new("vvccccHello.".into())).unwrap();
            into_one(SlotConfig::static_password(&password).unwrap().with_ext(vendors_ext()))
        }
        "chalresp_hmac" => {
            let config = SlotConfig::challenge_hmac(&Seed::new(RFC_KEY).unwrap(), false).unwrap();
            command::write(OtpSlot::Two, &SlotWrite::configure(config, &no_code()))
        }
        "update_slot1_remove_acc" => {
            let update = SlotConfig::update(vendors_ext(), TktFlags::ENTER, CfgFlags::NONE);
            command::update(OtpSlot::One, &SlotWrite::configure(update, &code))
        }
        "delete_slot1_acc" => command::write(OtpSlot::One, &SlotWrite::delete(&code)),
        "read_serial" => command::read_serial(),
        "calc_hmac_zero_end" => command::challenge_hmac(OtpSlot::Two, &[0]).unwrap(),
        "write_device_info" => command::write_device_info(&DeviceConfig {
            reboot: true,
            usb_enabled: Some(capability::OTP | capability::OATH),
            new_lock: Some(LockCode::new(&[0xaa; 16]).unwrap()),
            ..DeviceConfig::default()
        })
        .unwrap(),
        other => panic!("no builder for vector {other}"),
    }
}

#[test]
fn every_vector_is_built_byte_for_byte() {
    for vector in &listed() {
        let name = vector["name"].as_str().unwrap();
        let frame = built(name);
        let text = |field: &str| vector[field].as_str().unwrap();
        let number = |field: &str| u16::from_str_radix(text(field).trim_start_matches("0x"), 16).unwrap();

        assert_eq!(frame.payload().as_slice(), hex(text("payload64")), "{name}");
        assert_eq!(u16::from(frame.command()), number("command"), "{name}");
        assert_eq!(frame.crc(), number("frame_crc"), "{name}");
        assert_eq!(frame.bytes().as_slice(), hex(text("frame70")), "{name}");
        if let Some(config) = vector["config52"].as_str() {
            assert_eq!(frame.payload()[..52], hex(config), "{name}");
            assert_eq!(frame.payload()[50..52], hex(text("config_crc_le")), "{name}");
            assert_eq!(crc16(&frame.payload()[..52]), number("config_crc_residual"), "{name}");
        }

        let mut reports: Vec<_> = frame.reports().collect();
        if vector["feature_reports_in"].is_array() {
            reports.push(ABORT);
        }
        let wanted: Vec<_> = vector["feature_reports_out"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| hex(r.as_str().unwrap()))
            .collect();
        assert_eq!(reports.iter().map(|r| r.to_vec()).collect::<Vec<_>>(), wanted, "{name}");
    }
}

#[test]
fn every_vector_is_put_together_again_from_its_reports() {
    for vector in &listed() {
        let name = vector["name"].as_str().unwrap();
        let mut assembler = Assembler::new();
        let mut complete = None;
        for report in vector["feature_reports_out"].as_array().unwrap() {
            let report: [u8; 8] = hex(report.as_str().unwrap()).try_into().unwrap();
            match assembler.push(&report) {
                Assembly::Complete(frame) => complete = Some(frame),
                Assembly::Aborted => assert_eq!(report, ABORT, "{name}"),
                Assembly::More => {}
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(complete.unwrap().0.as_slice(), hex(vector["frame70"].as_str().unwrap()), "{name}");
    }
}

#[test]
fn every_answer_is_decoded_and_encoded_again() {
    let mut answered = 0;
    for vector in &listed() {
        let Some(reports) = vector["feature_reports_in"].as_array() else { continue };
        answered += 1;
        let name = vector["name"].as_str().unwrap();
        let command = Command::from_byte(built(name).command()).unwrap();
        let AnswerForm::Response(length) = command.answer() else { panic!("{name} has a response") };
        let reports: Vec<[u8; 8]> =
            reports.iter().map(|report| hex(report.as_str().unwrap()).try_into().unwrap()).collect();

        let mut reader = response::Reader::new();
        let mut ended = false;
        for report in &reports {
            let KeyReport::Chunk { sequence, data } = KeyReport::parse(report) else { panic!("{name}") };
            ended = reader.push(sequence, &data).unwrap();
        }
        assert!(ended, "{name}");
        let data = reader.finish(length).unwrap();

        let device_response = hex(vector["device_response"].as_str().unwrap());
        assert_eq!(device_response.split_at(data.len()).0, data.as_slice(), "{name}");
        let decoded = vector["decoded"].as_str().unwrap();
        match command {
            Command::Serial => assert_eq!(command::parse_serial(&data).unwrap().to_string(), decoded),
            _ => assert_eq!(data.as_slice(), hex(decoded), "{name}"),
        }
        assert_eq!(reports_of(&data), reports, "{name}");
    }
    assert_eq!(answered, 2);
}

#[test]
fn every_configuration_is_read_back() {
    for (name, mode) in [
        ("hotp6_slot1", Mode::Hotp(Digits::Six)),
        ("hotp6_tokenid", Mode::Hotp(Digits::Six)),
        ("hotp6_key16", Mode::Hotp(Digits::Six)),
        ("hotp6_keypad_serial_usb", Mode::Hotp(Digits::Six)),
        ("static_scancodes", Mode::ScanCodes),
        ("chalresp_hmac", Mode::ChallengeHmac),
    ] {
        let config = written(built(name).payload()).unwrap().0.unwrap();
        assert_eq!(config.mode(), mode, "{name}");
        match name {
            "hotp6_key16" => {
                let mut key: Vec<u8> = (0x10..0x20).collect();
                key.resize(20, 0);
                assert_eq!(config.oath_key().expose(), key);
            }
            "hotp6_tokenid" => assert_eq!(config.token_id_text(), "ubud00112233"),
            "static_scancodes" => assert_eq!(config.scan_codes().len(), 12),
            _ => assert_eq!(config.oath_key().expose(), RFC_KEY, "{name}"),
        }
    }
    assert_eq!(written(built("delete_slot1_acc").payload()).unwrap().0, None);
}

#[test]
fn the_wakeup_probe_is_yubikits() {
    let vectors = vectors();
    let wanted: Vec<_> = vectors["extra"]["neo_wakeup_probe"]
        .as_array()
        .unwrap()
        .iter()
        .map(|report| hex(report.as_str().unwrap()))
        .collect();
    let reports: Vec<_> = command::neo_wakeup_probe().reports().map(|report| report.to_vec()).collect();
    assert_eq!(reports, wanted);
}
