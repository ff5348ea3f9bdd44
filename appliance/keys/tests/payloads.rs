//! More payloads that yubikit 5.9.2 built: the options that the complete
//! vectors leave out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

mod key_half;

use keys::device::{Digits, TokenIdForm};
use keys::secret::{AccessCode, AesKey, LockCode, PrivateId, Seed};
use keys::yubikey::command::{self, OtpSlot};
use keys::yubikey::config::SlotConfig;
use keys::yubikey::device_config::DeviceConfig;
use keys::yubikey::flags::{CfgFlags, ExtFlags, TktFlags};
use keys::yubikey::slot_write::SlotWrite;
use serde_json::Value;

/// What yubikit sets in every slot that types.
fn vendors_ext() -> ExtFlags {
    ExtFlags::SERIAL_BY_API | ExtFlags::FAST_TRIGGER | ExtFlags::ALLOW_UPDATE
}

fn seed() -> Seed {
    Seed::new(b"12345678901234567890").unwrap()
}

fn none() -> AccessCode {
    AccessCode::from_array(&[0; 6])
}

fn hotp(digits: Digits) -> SlotConfig {
    let config = SlotConfig::hotp(&seed(), digits).unwrap().with_ext(vendors_ext());
    config.with_token_id(&[], TokenIdForm::Modhex2).unwrap()
}

fn yubico_otp(public_id: &[u8]) -> SlotConfig {
    let private_id = PrivateId::from_array(&[1, 2, 3, 4, 5, 6]);
    let key: Vec<u8> = (0x10..0x20).collect();
    SlotConfig::yubico_otp(public_id, &private_id, &AesKey::new(&key).unwrap())
        .unwrap()
        .with_ext(vendors_ext())
}

fn built(name: &str) -> [u8; 64] {
    let one_to_six = AccessCode::from_array(&[1, 2, 3, 4, 5, 6]);
    let slot = |config, current: &AccessCode| *SlotWrite::configure(config, current).payload().bytes();
    match name {
        "hotp8_counter_0x120" => {
            let config = hotp(Digits::Eight)
                .with_initial_counter(0x120)
                .unwrap()
                .with_tkt(TktFlags::NONE)
                .with_new_code(&one_to_six);
            slot(config, &AccessCode::from_array(&[10, 11, 12, 13, 14, 15]))
        }
        "hotp6_tokenid_modhex" => {
            let id = [0xe1, 0xe2, 0x00, 0x11, 0x22, 0x33];
            let config = hotp(Digits::Six).with_token_id(&id, TokenIdForm::Modhex).unwrap();
            slot(config.with_pacing(CfgFlags::PACING_20MS), &none())
        }
        "hotp6_tokenid_digits" => {
            let config = SlotConfig::hotp(&seed(), Digits::Six).unwrap();
            slot(config.with_token_id(&[0x00, 0x11, 0x22, 0x33], TokenIdForm::Digits).unwrap(), &none())
        }
        "yubico_otp" => slot(yubico_otp(&[0x2d, 0x34, 0x4e, 0x83, 0xaa, 0xbb]), &none()),
        "yubico_otp_tabs_delays" => {
            let tkt = TktFlags::TAB_FIRST
                | TktFlags::TAB_AFTER_CODE
                | TktFlags::DELAY_AFTER_FIXED
                | TktFlags::DELAY_AFTER_CODE
                | TktFlags::ENTER;
            slot(yubico_otp(&[]).with_ext(vendors_ext() | ExtFlags::SERIAL_IN_USB).with_tkt(tkt), &none())
        }
        "chalresp_hmac_touch" => slot(SlotConfig::challenge_hmac(&seed(), true).unwrap(), &none()),
        "update_keypad_pacing" => {
            let ext = vendors_ext() | ExtFlags::NUMERIC_KEYPAD | ExtFlags::LED_INVERTED;
            let tkt = TktFlags::ENTER | TktFlags::TAB_AFTER_CODE;
            slot(SlotConfig::update(ext, tkt, CfgFlags::PACING_10MS), &none())
        }
        "device_config_full" => {
            let config = DeviceConfig {
                reboot: true,
                unlock: Some(LockCode::from_array(&[1; 16])),
                usb_enabled: Some(0x23f),
                nfc_enabled: Some(0x20),
                auto_eject: Some(300),
                challenge_timeout: Some(9),
                flags: Some(0x40),
                new_lock: Some(LockCode::from_array(&[2; 16])),
                nfc_restricted: true,
            };
            *command::write_device_info(&config).unwrap().payload()
        }
        other => panic!("no builder for vector {other}"),
    }
}

fn vectors() -> Vec<(String, [u8; 64])> {
    let all: Value = serde_json::from_str(include_str!("vectors/yubikey_payloads.json")).unwrap();
    let text = |vector: &Value, field: &str| vector[field].as_str().unwrap().to_owned();
    all["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|vector| {
            let hex = text(vector, "payload64");
            let bytes: Vec<u8> =
                (0..64).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
            (text(vector, "name"), bytes.try_into().unwrap())
        })
        // What is read by radio only the key's twin reads.
        .filter(|(name, _)| !name.starts_with("ndef"))
        .collect()
}

#[test]
fn every_payload_is_built_byte_for_byte() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 8);
    for (name, payload) in vectors {
        assert_eq!(built(&name), payload, "{name}");
    }
}

#[test]
fn a_payload_updates_a_slot_as_it_writes_one() {
    for (name, payload) in vectors().into_iter().filter(|(name, _)| !name.starts_with("device")) {
        let (held, current) = key_half::written(&payload).unwrap();
        assert!(held.is_some(), "{name} is a configuration");
        assert_eq!(current.expose(), &payload[52..58], "{name}");
        let update = SlotConfig::update(vendors_ext(), TktFlags::ENTER, CfgFlags::NONE);
        let write = SlotWrite::configure(update, &current);
        assert_eq!(command::update(OtpSlot::One, &write).payload(), write.payload().bytes(), "{name}");
    }
}
