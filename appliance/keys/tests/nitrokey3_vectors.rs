//! Every command that Nitrokey's own client sent to Nitrokey's own application,
//! byte for byte, and what the application answered.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

use keys::device::{Digits, Firmware, Guard, HashAlgorithm};
use keys::nitrokey3::answer::{Listed, Selected, StatusWord, code};
use keys::nitrokey3::apdu::{self, Apdu, Label, Moving};
use keys::otp;
use keys::secret::{Pin, Seed};

const RFC_KEY: &[u8] = b"12345678901234567890";
const RFC_KEY_32: &[u8] = b"12345678901234567890123456789012";

struct Exchange {
    apdu: Vec<u8>,
    answer: Vec<u8>,
}

fn exchanges(check: &str) -> Vec<Exchange> {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("vectors/nitrokey3_secrets.json")).unwrap();
    let hex = |value: &serde_json::Value| -> Vec<u8> {
        let text = value.as_str().unwrap();
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let list = vectors["checks"][check]["apdus"].as_array().unwrap();
    list.iter()
        .map(|entry| {
            assert_eq!(entry["app"], "SECRETS");
            Exchange { apdu: hex(&entry["apdu"]), answer: hex(&entry["sw_then_data"]) }
        })
        .collect()
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn pin(text: &str) -> Pin {
    Pin::new(text.to_owned().into()).unwrap()
}

fn seed(bytes: &[u8]) -> Seed {
    Seed::new(bytes).unwrap()
}

fn put_hotp(name: &str, digits: Digits, counter: u32, guard: Guard) -> Option<Apdu> {
    let moving = Moving::Counter(counter);
    apdu::put(&label(name), moving, HashAlgorithm::Sha1, digits, &seed(RFC_KEY), guard)
}

fn put_totp(name: &str, hash: HashAlgorithm, key: &[u8]) -> Option<Apdu> {
    apdu::put(&label(name), Moving::Time, hash, Digits::Eight, &seed(key), Guard::Nothing)
}

fn calculate(name: &str, step: u64) -> Option<Apdu> {
    apdu::calculate(&label(name), step)
}

/// What the station's code sends for each exchange of a check.
fn sent(check: &str) -> Vec<Option<Apdu>> {
    match check {
        "select" => vec![apdu::select()],
        "hotp" => vec![
            put_hotp("hotp1", Digits::Six, 0, Guard::Nothing),
            calculate("hotp1", 0),
            calculate("hotp1", 0),
            calculate("hotp1", 0),
            calculate("hotp1", 0),
            put_hotp("hotp8", Digits::Eight, 0x1234, Guard::Nothing),
            calculate("hotp8", 0),
        ],
        "totp" => vec![
            put_totp("totp1", HashAlgorithm::Sha1, RFC_KEY),
            calculate("totp1", 1),
            calculate("totp1", 0x0235_23ec),
            calculate("totp1", 0x27bc_86aa),
            put_totp("totp256", HashAlgorithm::Sha256, RFC_KEY_32),
            calculate("totp256", 1),
        ],
        "listing" => vec![apdu::list(), apdu::select()],
        "no_silent_overwrite" => vec![put_hotp("hotp1", Digits::Six, 0, Guard::Nothing)],
        "pin" => vec![
            apdu::select(),
            apdu::verify_pin(&pin("12345678")),
            apdu::set_pin(&pin("12345678")),
            apdu::select(),
            apdu::verify_pin(&pin("00000000")),
            apdu::select(),
            apdu::set_pin(&pin("99999999")),
            apdu::verify_pin(&pin("12345678")),
            put_hotp("pinned", Digits::Six, 0, Guard::Pin),
            apdu::verify_pin(&pin("12345678")),
            calculate("pinned", 0),
            calculate("pinned", 0),
            apdu::change_pin(&pin("12345678"), &pin("87654321")),
            apdu::verify_pin(&pin("87654321")),
        ],
        "fido2_get_info" => Vec::new(),
        other => panic!("a check that is new: {other}"),
    }
}

const CHECKS: [&str; 7] =
    ["select", "hotp", "totp", "listing", "no_silent_overwrite", "pin", "fido2_get_info"];

#[test]
fn every_command_is_built_byte_for_byte() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("vectors/nitrokey3_secrets.json")).unwrap();
    assert_eq!(vectors["checks"].as_object().unwrap().len(), CHECKS.len());
    let mut compared = 0;
    for check in CHECKS {
        let (sent, expected) = (sent(check), exchanges(check));
        assert_eq!(sent.len(), expected.len(), "{check}");
        for (number, (apdu, exchange)) in sent.iter().zip(expected).enumerate() {
            assert_eq!(apdu.as_ref().unwrap().bytes(), exchange.apdu, "{check} {number}");
            compared += 1;
        }
    }
    assert_eq!(compared, 31);
}

#[test]
fn status_words_mean_what_they_meant_there() {
    let words = |check| -> Vec<_> {
        exchanges(check).iter().map(|one| StatusWord::split(&one.answer).unwrap().0).collect()
    };
    assert!(words("hotp").iter().chain(&words("totp")).all(|word| *word == StatusWord::Ok));
    assert_eq!(words("no_silent_overwrite"), [StatusWord::Blocked]);
    use StatusWord::{NotFound, Ok, SecurityStatus, VerificationFailed};
    assert_eq!(
        words("pin"),
        [
            Ok,
            SecurityStatus,
            Ok,
            Ok,
            VerificationFailed,
            Ok,
            SecurityStatus,
            Ok,
            Ok,
            Ok,
            Ok,
            NotFound,
            Ok,
            Ok
        ]
    );
}

#[test]
fn selections_tell_version_serial_and_tries() {
    let tries: Vec<_> = ["select", "pin", "listing"]
        .into_iter()
        .flat_map(exchanges)
        .filter(|one| one.apdu[1] == 0xa4)
        .map(|one| {
            let selected = Selected::parse(&one.answer[2..]).unwrap();
            assert_eq!(selected.version, Firmware::new(4, 16, 0));
            assert_eq!(selected.serial, Some(0x1122_3344));
            selected.pin_tries
        })
        .collect();
    assert_eq!(tries, [None, None, Some(8), Some(7), None]);
}

#[test]
fn codes_are_those_of_the_standards() {
    let codes = |check| -> Vec<String> {
        exchanges(check)
            .iter()
            .filter(|one| one.apdu[1] == 0xa2 && one.answer[..2] == [0x90, 0])
            .map(|one| code(&one.answer[2..]).unwrap().1)
            .collect()
    };
    let hotp = |counter, digits| otp::hotp(&seed(RFC_KEY), counter, digits, HashAlgorithm::Sha1);
    let mut expected: Vec<_> = (0..4).map(|counter| hotp(counter, Digits::Six)).collect();
    expected.push(hotp(0x1234, Digits::Eight));
    assert_eq!(codes("hotp"), expected);
    // RFC 6238, appendix B.
    assert_eq!(codes("totp"), ["94287082", "07081804", "65353130", "46119246"]);
    assert_eq!(codes("pin"), ["755224"]);
}

#[test]
fn lists_name_everything_with_kind_and_properties() {
    let list = exchanges("listing");
    let all = Listed::parse_all(&list[0].answer[2..]).unwrap();
    let seen: Vec<_> = all.iter().map(|one| (one.kind, one.label.as_str(), one.properties)).collect();
    assert_eq!(seen, [(0x11, "hotp8", 0), (0x21, "totp1", 0), (0x22, "totp256", 0), (0x11, "hotp1", 0)]);
}
