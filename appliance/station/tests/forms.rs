//! Forms that outlive a release (docs/forms.md), held with vectors: what this version writes is what earlier
//! ones wrote, and what they wrote is read. Renaming a variant or a field in the code must not show here.
#![cfg(test)]

use std::sync::Arc;

use keys::device::{Family, KeySerial, Kind, Slot};
use keys::secret::{AccessCode, Pin};
use station::access::StationSecret;
use station::engine::enrollment::{ProofKind, SlotLock};
use station::engine::record::{Actor, EnrollmentId, Record, Remains, State};
use station::engine::run::{RunPlan, RunState, Standing};
use station::engine::server::Person;
use station::engine::step::{HandOver, Phase};
use station::papers::hand_over;
use station::papers::receipt::{Body, Book, Bytes32, Deed, Line, Receipt, signed, to_be_signed, unsigned};
use station::papers::stamp::Stamp;
use station::profile::Profile;
use station::refusal::Code;
use station::token::{TokenKind, TokenSerial};
use zeroize::Zeroizing;

const YUBIKEY: KeySerial = KeySerial { family: Family::YubiKeyOtp, number: 12_345_678 };

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Computed by Python's hmac and hashlib: HKDF-SHA256 without salt over
/// `enrollment-station access code|FAMILY|SERIAL|SLOT|0`, the first six bytes.
#[test]
fn derived_access_codes_are_those_that_keys_in_the_field_have() {
    let counting = core::array::from_fn(|n| u8::try_from(n).unwrap());
    let (seven, ones) = ([7; 16], [0xff; 16]);
    for (secret, family, number, slot, code) in [
        (counting, Family::YubiKeyOtp, 12_345_678, 1, "8f7c456e0d81"),
        (counting, Family::YubiKeyOtp, 12_345_678, 2, "ea64d682351b"),
        (counting, Family::YubiKeyOtp, 1, 1, "ca6244f6c27c"),
        (counting, Family::YubiKeyOtp, u32::MAX, 2, "94e6574af637"),
        (counting, Family::NitrokeyPro, 0x5555, 1, "8298e7d425d5"),
        (counting, Family::Nitrokey3, 0xdead_beef, 0, "52c0b8123497"),
        (seven, Family::YubiKeyOtp, 12_345_678, 1, "499e04ae9763"),
        (seven, Family::YubiKeyOtp, 1, 2, "767320b6ed9a"),
        (seven, Family::NitrokeyPro, 0x5555, 2, "eaa7b279c759"),
        (seven, Family::Nitrokey3, 0xdead_beef, 1, "1430e3e433ff"),
        (ones, Family::YubiKeyOtp, 1, 0, "000ca5fbd58e"),
        (ones, Family::YubiKeyOtp, u32::MAX, 1, "ddcc34b388dc"),
    ] {
        let derived = StationSecret::new(&secret).code_of(KeySerial { family, number }, Slot(slot));
        assert_eq!(hex(derived.expose()), code, "{family:?} {number} {slot}");
    }
}

#[test]
fn tokens_are_named_as_ever() {
    let key = |family, number| KeySerial { family, number };
    let (pro, three) = (key(Family::NitrokeyPro, 0x5555), key(Family::Nitrokey3, 0xdead_beef));
    for (key, kind, slot, name) in [
        (YUBIKEY, Kind::Hotp, 1, "UBOM12345678_1"),
        (YUBIKEY, Kind::ChallengeResponse, 2, "UBOM12345678_2"),
        (YUBIKEY, Kind::YubicoOtp, 2, "UBAM12345678_2"),
        (YUBIKEY, Kind::StaticPassword, 1, "UBSM12345678_1"),
        (key(Family::YubiKeyOtp, 7), Kind::Hotp, 1, "UBOM00000007_1"),
        (pro, Kind::Hotp, 0, "NK00005555_0"),
        (pro, Kind::Totp, 14, "NK00005555_T14"),
        (three, Kind::Hotp, 1, "NKDEADBEEF_1"),
        (three, Kind::Totp, 1, "NKDEADBEEF_T1"),
    ] {
        assert_eq!(TokenSerial::of(key, kind, Slot(slot)).as_str(), name);
    }
    let words = [TokenKind::Hotp, TokenKind::Totp, TokenKind::Yubikey, TokenKind::Password];
    assert_eq!(words.map(TokenKind::word), ["hotp", "totp", "yubikey", "pw"]);
}

#[test]
fn words_of_journal_and_receipts_stay() {
    let states = State::ALL.map(State::word);
    assert_eq!(states, ["planned", "registered", "written", "proven", "done", "undoing", "undone"]);
    assert_eq!(Remains::ALL.map(Remains::word), ["nothing", "perhaps", "secret"]);
    assert_eq!(Actor::Armed.to_string(), "armed");
    assert_eq!(Actor::Operator("ada".to_owned()).to_string(), "ada");
    assert_eq!(RunState::ALL.map(RunState::word), ["running", "paused", "stopped", "finished"]);
    assert_eq!(&Standing::ALL.map(Standing::word)[..3], ["done", "refused", "quarantined"]);
    let proofs = ["hotp", "totp", "response", "yubico-otp", "password"];
    assert_eq!(
        [ProofKind::Hotp, ProofKind::Totp, ProofKind::Response, ProofKind::YubicoOtp, ProofKind::Password]
            .map(ProofKind::word),
        proofs
    );
    assert!(proofs.iter().all(|word| ProofKind::from_word(word).is_some()));
    let locks = [SlotLock::Open, SlotLock::Locked, SlotLock::Unknown];
    assert_eq!(locks.map(SlotLock::word), ["open", "locked", "unknown"]);
    let phases = Phase::ALL.map(Phase::word);
    // New ones may come; these keep their words.
    for word in
        ["inspecting", "checking", "registering", "writing", "proving", "finishing", "undoing", "recovering"]
    {
        assert!(phases.contains(&word), "{word}");
    }
    let id = EnrollmentId::parse("00010203040506070809abff").unwrap();
    assert_eq!(id.to_string(), "00010203040506070809abff");
}

/// Numbers are in journals, receipts and people's notes. New ones may come, none may go.
#[test]
fn every_code_that_was_ever_given_out_is_still_there() {
    const GIVEN: [(u16, u16); 21] = [
        (1001, 1020),
        (2001, 2007),
        (2010, 2014),
        (2020, 2023),
        (2030, 2035),
        (2040, 2041),
        (2050, 2053),
        (2060, 2061),
        (2063, 2064),
        (3001, 3008),
        (3010, 3013),
        (4001, 4005),
        (4010, 4012),
        (5001, 5005),
        // Those that mean the same for ever, each by its name.
        (1008, 1008),
        (1009, 1009),
        (2041, 2041),
        (2060, 2060),
        (4003, 4003),
        (4004, 4004),
        (5001, 5001),
    ];
    for (first, last) in GIVEN {
        for number in first..=last {
            assert!(Code::from_number(number).is_some(), "E{number}");
        }
    }
    // What the engine itself decides by, when it reads a journal.
    assert_eq!(Code::from_number(1006), Some(Code::AlreadyEnrolled));
    assert_eq!(Code::from_number(4004), Some(Code::Released));
    assert_eq!(Code::Released.to_string(), "E4004");
}

#[test]
fn a_deed_is_written_as_it_was_and_signed_over_the_same_bytes() {
    let deed = Deed {
        at: Stamp::parse("2026-11-21T22:38:30.123+01:00").unwrap(),
        by: "ada".to_owned(),
        from: "192.0.2.7:50000".to_owned(),
        session: "s1".to_owned(),
        what: "SetMode mode=\"armed\"".to_owned(),
        result: "ok".to_owned(),
        took_ms: 12,
    };
    let line = unsigned(7, Bytes32([9; 32]), &Body::Deed(Box::new(deed.clone())));
    let wanted = "{\"format\":1,\"number\":7,\"previous\":\"0909090909090909090909090909090909090909090909090909090909090909\",\
                  \"deed\":{\"at\":\"2026-11-21T22:38:30.123+01:00\",\"by\":\"ada\",\"from\":\"192.0.2.7:50000\",\"session\":\"s1\",\
                  \"what\":\"SetMode mode=\\\"armed\\\"\",\"result\":\"ok\",\"took_ms\":12}";
    assert_eq!(line, wanted);
    assert_eq!(to_be_signed(Book::Audit, &line), format!("enrollment station deed\n{line}").into_bytes());
    let read = Line::parse(&signed(&line, &[0xab; 64])).unwrap();
    assert_eq!((read.number, read.body), (7, Body::Deed(Box::new(deed))));
}

#[test]
fn a_receipt_is_written_as_it_was_and_signed_over_the_same_bytes() {
    const RECEIPT: &str = r#"{"at":"2026-11-21T01:00:02.000+01:00","enrollment":"000000000000000000000002","by":"armed","station":"desk","key":{"vendor":"Yubico","model":"YubiKey 5 NFC","serial":"12345678","firmware":"5.4.3","port":"1-1.3"},"token":"UBOM12345678_1","profile":{"name":"desk","hash":"0707070707070707070707070707070707070707070707070707070707070707"},"run":"drawer","proof":{"kind":"hotp","counter":4,"attempts":2,"verified_by_policy":true},"outcome":"postponed","code":"E2050","server":"privacyIDEA 3.14","took":{"total_ms":912,"phases_ms":[["inspecting",12],["proving",900]]},"recovered":true}"#;
    const CHECKPOINT: &str = r#"{"at":"2026-11-21T01:00:00.000+01:00","station":"desk","key":"0808080808080808080808080808080808080808080808080808080808080808","oldest":1,"begins":"first"}"#;
    let previous = "09".repeat(32);
    let receipt: Receipt = serde_json::from_str(RECEIPT).unwrap();
    assert_eq!(serde_json::to_string(&receipt).unwrap(), RECEIPT);
    let line = unsigned(7, Bytes32([9; 32]), &Body::Receipt(Box::new(receipt)));
    assert_eq!(line, format!(r#"{{"format":1,"number":7,"previous":"{previous}","receipt":{RECEIPT}"#));
    let checkpoint = serde_json::from_str(CHECKPOINT).unwrap();
    let first = unsigned(1, Bytes32::NOTHING, &Body::Checkpoint(checkpoint));
    let nothing = "0".repeat(64);
    assert_eq!(first, format!(r#"{{"format":1,"number":1,"previous":"{nothing}","checkpoint":{CHECKPOINT}"#));
    for why in ["first", "full", "key", "damage"] {
        let text = CHECKPOINT.replace("first", why);
        let read: station::papers::receipt::Checkpoint = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
    assert_eq!(
        to_be_signed(Book::Receipts, &line),
        format!("enrollment station receipt\n{line}").into_bytes()
    );
    let whole = signed(&line, &[0xab; 64]);
    assert_eq!(whole, format!(r#"{line},"signature":"{}"}}"#, "ab".repeat(64)));
    assert_eq!(Line::parse(&whole).unwrap().hash, Bytes32::hash_of(whole.as_bytes()));
}

#[test]
fn a_plan_of_a_run_is_written_as_it_was() {
    for text in [
        r#"{"name":"drawer","target":{"count":5},"overwrite_confirmed":false}"#,
        r#"{"name":"drawer","target":"endless","profile":"desk","overwrite_confirmed":true}"#,
        r#"{"name":"sold","target":{"count":200},"overwrite_confirmed":false,"factory":true}"#,
        r#"{"name":"list","target":{"list":[{"key":"12345678","person":["alice","office"]},{"key":null,"person":null,"random_pin":true}]},"overwrite_confirmed":false}"#,
    ] {
        let plan: RunPlan = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&plan).unwrap(), text);
    }
}

/// The digest stands in receipts, over the text as it is written here.
#[test]
fn a_profile_is_written_as_it_was_and_has_the_digest_that_it_had() {
    for (text, digest) in PROFILES {
        let profile: Profile = toml::from_str(text).unwrap();
        let written = toml::to_string(&profile).unwrap();
        assert_eq!(written, *text);
        assert_eq!(hex(&profile.digest()), *digest, "{text}");
    }
}

const PROFILES: &[(&str, &str)] = &[
    (
        r#"kind = "hotp"
slot = 2
digits = 8
seed-length = 32
guard = "touch"
key-pin = "factory"
label = "vpn:{token}"
attempts = 5
touch-seconds = 40
realm = "office"
description = "{station} {key} {profile}"
overwrite = "confirmed"
verify = "required"
two-step = "when-offered"
token-id = "serial"
new-access-code = "random"
access-code-to = "server"
"#,
        "410630db61cb825d7dc7ffc2714f9cbb82f3323303504ef28bb1073c919eecf5",
    ),
    (
        r#"kind = "totp"
slot = 1
digits = 6
seed-length = 20
hash = "sha256"
period = 60
guard = "nothing"
key-pin = "random"
label = "{server}:{token}"
attempts = 3
touch-seconds = 30
description = "{station}: {key}"
overwrite = "never"
verify = "auto"
two-step = "force"
new-access-code = "none"
"#,
        "13963365fcf12d4a011771dcdcd0d25ef7d305a697d631a844967a90cdbfafe7",
    ),
    (
        r#"kind = "yubico-otp"
slot = 1
guard = "nothing"
key-pin = "factory"
label = "{server}:{token}"
attempts = 3
touch-seconds = 30
description = "{station}: {key}"
overwrite = "never"
verify = "auto"
two-step = "never"
public-id = "serial"
new-access-code = "derived"
"#,
        "8b639f0c19c7311bf9974a8ba2bb02e059383d50ffaef8ee1b99448f074c3f41",
    ),
    (
        r#"kind = "yubico-otp"
slot = 1
guard = "nothing"
key-pin = "asked"
label = "{server}:{token}"
attempts = 3
touch-seconds = 30
description = "{station}: {key}"
overwrite = "never"
verify = "auto"
two-step = "never"
public-id = "vvccdd"
new-access-code = "fixed"
"#,
        "dd0c7ce69205df32f4179e3fb95093408f63a867bc55f567443e1b1ca4a1c2a9",
    ),
    (
        r#"kind = "challenge-response"
slot = 1
digits = 6
seed-length = 20
period = 30
guard = "nothing"
key-pin = "factory"
label = "{server}:{token}"
attempts = 3
touch-seconds = 30
description = "{station}: {key}"
overwrite = "never"
verify = "auto"
two-step = "never"
new-access-code = "random"
access-code-to = "hand-over"
"#,
        "22cfcfd3cee55aa16131661deadfeac1403f5214b5e0eba8c8bad1d7ececbdcc",
    ),
    (
        r#"kind = "static-password"
slot = 1
guard = "nothing"
key-pin = "factory"
label = "{server}:{token}"
attempts = 3
touch-seconds = 30
description = "{station}: {key}"
overwrite = "never"
verify = "auto"
two-step = "never"
password-length = 20
allow-static = true
new-access-code = "none"
"#,
        "3428fb5fe8b38e943d85734f6fba7ce4084f36605f79420902a0021133b7e5dd",
    ),
];

#[test]
fn what_is_handed_over_has_the_columns_that_it_had() {
    let record = Record {
        enrollment: EnrollmentId::parse("00010203040506070809abff").unwrap(),
        state: State::Planned,
        at: core::time::Duration::ZERO,
        key: YUBIKEY,
        slot: Slot(2),
        kind: Kind::Hotp,
        remains: Remains::Nothing,
        token: TokenSerial::of(YUBIKEY, Kind::Hotp, Slot(2)),
        profile: "desk".to_owned(),
        person: Some(Person { user: "o'neil, dave".to_owned(), realm: "office".to_owned() }),
        actor: Actor::Armed,
        port: "1-1".to_owned(),
        reason: None,
        given_up: None,
    };
    let pin = |text: &str| Some(Arc::new(Pin::new(Zeroizing::new(text.to_owned())).unwrap()));
    let mut what = HandOver::of(&record);
    what.access_code = Some(Arc::new(AccessCode::from_array(&[1, 2, 3, 4, 5, 0xff])));
    (what.admin_pin, what.pin) = (pin("23456789"), pin("0417"));
    assert_eq!(
        hand_over::table(&what).as_str(),
        "token,key,slot,user,realm,access code,admin pin,pin\r\n\
         UBOM12345678_2,12345678,2,\"o'neil, dave\",office,0102030405ff,23456789,0417\r\n"
    );
    assert_eq!(
        hand_over::owner(&record.token, &Person { user: "alice".to_owned(), realm: "office".to_owned() }),
        "token,user,realm\r\nUBOM12345678_2,alice,office\r\n"
    );
}
