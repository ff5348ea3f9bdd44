//! The 67 transactions of libnitrokey 3.7 with a key of firmware 0.15, byte for
//! byte: what is asked is built here, what is answered is understood here.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

use keys::device::{Digits, Firmware, Kind, Slot};
use keys::nitrokey_pro::answer::{Code, Status, retries};
use keys::nitrokey_pro::command::{self, Factor, FittingPin, GeneralConfig, TemporaryPassword};
use keys::nitrokey_pro::report::{Answer, CommandStatus, Query, Shown};
use keys::nitrokey_pro::slot::{OtpSlot, SlotConfig, SlotName};
use keys::secret::{Pin, Seed};

const RFC_KEY: &[u8] = b"12345678901234567890";

struct Transaction {
    out: [u8; 64],
    shown: [u8; 64],
}

fn transactions() -> Vec<Transaction> {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors/nitrokey_pro.json")).unwrap();
    let report = |value: &serde_json::Value| -> [u8; 64] {
        let text = value.as_str().unwrap();
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..128).step_by(2).map(byte).collect::<Vec<_>>().try_into().unwrap()
    };
    let list = vectors["transcripts"]["fw0.15"].as_array().unwrap();
    list.iter().map(|entry| Transaction { out: report(&entry["out"]), shown: report(&entry["in"]) }).collect()
}

fn hotp(number: u8) -> OtpSlot {
    OtpSlot::new(Kind::Hotp, Slot(number)).unwrap()
}

fn totp(number: u8) -> OtpSlot {
    OtpSlot::new(Kind::Totp, Slot(number)).unwrap()
}

fn admin() -> TemporaryPassword {
    TemporaryPassword::new(b"tmp-admin-password-00000").unwrap()
}

fn user() -> TemporaryPassword {
    TemporaryPassword::new(b"tmp-user-password-000000").unwrap()
}

fn pin(text: &str) -> Pin {
    Pin::new(text.to_owned().into()).unwrap()
}

fn seed(bytes: &[u8]) -> Seed {
    Seed::new(bytes).unwrap()
}

fn config(user_pin_for_codes: bool) -> GeneralConfig {
    GeneralConfig { num_lock: 0xff, caps_lock: 0xff, scroll_lock: 0xff, user_pin_for_codes }
}

fn code(slot: OtpSlot) -> Query {
    command::get_code(slot, 0, 0, None)
}

/// A slot's name and the first part of its secret.
fn data(name: &str, secret: &[u8]) -> [Query; 2] {
    [command::send_name(&SlotName::cut(name), &admin()), command::send_secret(&seed(secret), 0, &admin())]
}

fn write(slot: OtpSlot, factor: Factor, config: u8, token_id: &[u8; 13]) -> Query {
    command::write_slot(slot, factor, SlotConfig::from_byte(config), token_id, &admin())
}

/// Everything that libnitrokey asked, in its order, without the status requests
/// that stand before most commands.
fn asked() -> Vec<Query> {
    let long: Vec<u8> = (0..40).collect();
    let none = [0; 13];
    let mut all = vec![
        command::admin_retries(),
        command::user_retries(),
        command::send_name(&SlotName::cut("x"), &TemporaryPassword::new(b"nope").unwrap()),
        command::first_authenticate(FittingPin::new(&pin("wrong")).unwrap(), &admin()),
        command::admin_retries(),
        command::first_authenticate(FittingPin::new(&pin("12345678")).unwrap(), &admin()),
        command::admin_retries(),
    ];
    all.extend(data("rfc4226", RFC_KEY));
    all.push(write(hotp(0), Factor::Counter(0), 0, &none));
    all.extend((0..5).map(|_| code(hotp(0))));
    all.push(command::read_slot_name(hotp(0)));
    all.extend(data("eight", RFC_KEY));
    all.push(write(hotp(2), Factor::Counter(0x1234), 7, b"ubnu00000001\0"));
    all.push(code(hotp(2)));
    all.extend(data("", RFC_KEY));
    all.push(write(hotp(1), Factor::Counter(0), 0, &none));
    all.push(code(hotp(1)));
    all.extend(data("totp", RFC_KEY));
    all.push(write(totp(14), Factor::Interval(30), 1, &none));
    all.push(command::set_time(1_111_111_109, true));
    all.push(code(totp(14)));
    all.extend(data("long", &long));
    all.push(command::send_secret(&seed(&long), 1, &admin()));
    all.push(write(hotp(1), Factor::Counter(7), 0, &none));
    all.push(code(hotp(1)));
    all.push(command::write_config(config(true), Some(&admin())));
    all.push(code(hotp(0)));
    all.push(command::user_authenticate(FittingPin::new(&pin("123456")).unwrap(), &user()));
    all.push(command::get_code(hotp(0), 0, 0, Some(&user())));
    all.push(command::write_config(config(false), Some(&admin())));
    all.push(command::erase_slot(hotp(0), Some(&admin())));
    all.push(code(hotp(0)));
    all.push(command::lock());
    all.push(command::erase_slot(hotp(2), Some(&admin())));
    all
}

fn is_status(transaction: &Transaction) -> bool {
    transaction.out[0] == 0
}

fn answer(transaction: &Transaction) -> Answer {
    match Shown::parse(&transaction.shown) {
        Shown::Answer(answer) => answer,
        _ => panic!("no answer"),
    }
}

#[test]
fn every_report_is_built_byte_for_byte() {
    let all = transactions();
    assert_eq!(all.len(), 67);
    let status = command::get_status();
    assert!(all.iter().filter(|one| is_status(one)).all(|one| one.out == *status.bytes()));
    let others: Vec<_> = all.iter().filter(|one| !is_status(one)).collect();
    let asked = asked();
    assert_eq!(asked.len(), others.len());
    for (number, (query, expected)) in asked.iter().zip(others).enumerate() {
        assert_eq!(query.bytes(), &expected.out, "report {number}");
    }
}

#[test]
fn every_answer_names_its_report_and_no_other() {
    let all = transactions();
    let status = command::get_status();
    let mut asked = asked().into_iter();
    let other = command::read_slot_name(totp(7));
    for transaction in &all {
        let query = if is_status(transaction) { None } else { asked.next() };
        let answer = answer(transaction);
        assert!(answer.answers(query.as_ref().unwrap_or(&status)));
        assert!(!answer.answers(&other));
    }
}

#[test]
fn answers_are_understood() {
    let all = transactions();
    let of = |command: u8| all.iter().filter(move |one| one.out[0] == command).map(answer);

    let first = Status::parse(of(0x00).next().unwrap().result()).unwrap();
    assert_eq!(first, Status { firmware: Firmware::new(0, 15, 0), card: 0x5555, config: config(false) });
    let guarded: Vec<_> =
        of(0x00).map(|one| Status::parse(one.result()).unwrap().config.user_pin_for_codes).collect();
    assert_eq!(guarded.iter().filter(|guarded| **guarded).count(), 3);

    assert_eq!(of(0x09).map(|one| retries(&one).unwrap()).collect::<Vec<_>>(), [3, 2, 3]);
    assert_eq!(of(0x0f).map(|one| retries(&one).unwrap()).collect::<Vec<_>>(), [3]);
    assert_eq!(
        of(0x07).map(|one| one.status()).collect::<Vec<_>>(),
        [CommandStatus::WrongPassword, CommandStatus::Ok]
    );
    assert_eq!(of(0x01).nth(2).unwrap().status(), CommandStatus::NoName);
    assert_eq!(of(0x17).next().unwrap().status(), CommandStatus::NotAuthorized);
    assert_eq!(of(0x06).nth(1).unwrap().status(), CommandStatus::NotAuthorized);

    // RFC 4226, appendix D; counter 1234 hexadecimal; RFC 6238, appendix B.
    let codes: Vec<_> = of(0x04)
        .filter(|one| one.status() == CommandStatus::Ok)
        .map(|one| Code::parse(one.result()).unwrap().text().unwrap())
        .collect();
    let wanted =
        |counter, digits| keys::otp::hotp(&seed(RFC_KEY), counter, digits, keys::device::HashAlgorithm::Sha1);
    let rfc: Vec<_> = (0..5).map(|counter| wanted(counter, Digits::Six)).collect();
    assert_eq!(codes[..5], rfc);
    assert_eq!(codes[5], wanted(0x1234, Digits::Eight));
    assert_eq!(codes[6], "07081804");
    let long: Vec<u8> = (0..40).collect();
    let long = keys::otp::hotp(&seed(&long), 7, Digits::Six, keys::device::HashAlgorithm::Sha1);
    assert_eq!(codes[7], long);
    assert_eq!(codes[8], wanted(5, Digits::Six));
    assert_eq!(codes.len(), 9);
    let refused: Vec<_> =
        of(0x04).map(|one| one.status()).filter(|status| *status != CommandStatus::Ok).collect();
    let empty = CommandStatus::SlotEmpty;
    assert_eq!(refused, [empty, CommandStatus::NotAuthorized, empty]);
}
