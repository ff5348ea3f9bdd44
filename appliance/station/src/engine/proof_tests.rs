//! What is taken for a proof, and what is not: one field wrong at a time.

use core::time::Duration;
use std::sync::Arc;

use keys::device::{Family, KeySerial, Kind, Slot};
use keys::secret::{AesKey, PrivateId};
use keys::yubikey::yubico_otp::Token;

use super::{Matched, Moving, matching};
use crate::engine::enrollment::confirm;
use crate::engine::flow::{Flow, Next};
use crate::engine::material::Material;
use crate::engine::outcome::ProofKind;
use crate::engine::record::{Actor, EnrollmentId, Record, Remains, State};
use crate::engine::server::{ServerAnswer, ServerCall, TokenView};
use crate::engine::step::{Now, Step, StepResult};
use crate::profile::Profile;
use crate::refusal::Code;
use crate::token::TokenSerial;

const PUBLIC: [u8; 6] = [1, 2, 3, 4, 5, 6];
const PRIVATE: [u8; 6] = [11, 12, 13, 14, 15, 16];
const AES: [u8; 16] = [7; 16];

/// What is written down of an enrollment whose slot has been written.
pub(crate) fn record(kind: Kind) -> Record {
    let (key, slot) = (KeySerial { family: Family::YubiKeyOtp, number: 12_345_678 }, Slot(1));
    Record {
        enrollment: EnrollmentId::parse("000102030405060708090a0b").unwrap(),
        state: State::Written,
        at: Duration::ZERO,
        key,
        slot,
        kind,
        remains: Remains::Perhaps,
        token: TokenSerial::of(key, kind, slot),
        profile: "desk".to_owned(),
        person: None,
        actor: Actor::Armed,
        port: "1-1".to_owned(),
        reason: None,
        given_up: None,
    }
}

/// What a key types that has this configuration, at its first use.
fn typed(public: &[u8], private: [u8; 6], key: [u8; 16]) -> String {
    let token = Token {
        private_id: PrivateId::from_array(&private),
        use_counter: 1,
        timestamp: 5,
        session_use: 0,
        random: 9,
    };
    token.encrypt(public, &AesKey::from_array(&key)).text()
}

fn accepted(text: &str) -> Option<Moving> {
    let material = Material::Yubico {
        key: Arc::new(AesKey::from_array(&AES)),
        private_id: PrivateId::from_array(&PRIVATE),
        public_id: PUBLIC.to_vec(),
    };
    let profile = Profile::new(Kind::YubicoOtp);
    matching(&material, text, &profile, &record(Kind::YubicoOtp), 0).map(|(_, moving)| moving)
}

#[test]
fn a_yubico_otp_is_a_proof_only_with_both_its_ids_and_its_key() {
    assert_eq!(accepted(&typed(&PUBLIC, PRIVATE, AES)), Some(Moving::Counter(256)));
    for byte in 0..6 {
        let mut other = PUBLIC;
        other[byte] ^= 1;
        assert_eq!(accepted(&typed(&other, PRIVATE, AES)), None, "public id, byte {byte}");
        let mut other = PRIVATE;
        other[byte] ^= 0x80;
        assert_eq!(accepted(&typed(&PUBLIC, other, AES)), None, "private id, byte {byte}");
    }
    assert_eq!(accepted(&typed(&PUBLIC[..5], PRIVATE, AES)), None, "a shorter public id");
    assert_eq!(accepted(&typed(&[], PRIVATE, AES)), None, "no public id");
    for byte in 0..16 {
        let mut other = AES;
        other[byte] ^= 4;
        assert_eq!(accepted(&typed(&PUBLIC, PRIVATE, other)), None, "key, byte {byte}");
    }
}

fn view(enrollment: Option<EnrollmentId>) -> TokenView {
    TokenView {
        serial: "UBAM12345678_1".to_owned(),
        kind: "HOTP".to_owned(),
        active: true,
        unverified: false,
        half_made: false,
        digits: 6,
        hash: Some("sha1".to_owned()),
        counter: 4,
        owner: None,
        enrollment,
    }
}

/// What [`confirm`] says of a server that always shows this, after code 3 was accepted.
fn confirmed(shown: Option<TokenView>) -> Result<TokenView, Code> {
    let record = record(Kind::Hotp);
    let matched = Matched {
        code: "755224".to_owned().into(),
        moving: Moving::Counter(3),
        attempts: 1,
        kind: ProofKind::Hotp,
    };
    let mut now = Now::default();
    let mut next = Flow::start(now, move |cx| async move {
        confirm(&cx, &record, &matched).await.map_err(|refusal| refusal.code)
    });
    for _ in 0..1000 {
        let (result, flow) = match next {
            Next::End(ending) => return ending,
            Next::Step(Step::Wait { until }, flow) => {
                now.monotonic = now.monotonic.max(until);
                (StepResult::Waited, flow)
            }
            Next::Step(Step::Server(ServerCall::Look(_)), flow) => {
                (StepResult::Server(Ok(ServerAnswer::Token(shown.clone()))), flow)
            }
            Next::Step(..) => panic!("only looking is expected"),
        };
        next = flow.advance(result, now);
    }
    panic!("no end");
}

#[test]
fn the_token_that_counts_has_to_be_the_one_that_was_made_here() {
    let ours = record(Kind::Hotp).enrollment;
    assert_eq!(confirmed(Some(view(Some(ours)))), Ok(view(Some(ours))));

    let other = EnrollmentId::parse("0b0a09080706050403020100").unwrap();
    assert_eq!(confirmed(Some(view(Some(other)))), Err(Code::ServerContradicts), "another enrollment's");
    assert_eq!(confirmed(Some(view(None))), Err(Code::ServerContradicts), "nobody's");
    assert_eq!(confirmed(None), Err(Code::TokenVanished), "gone");
    for (what, wrong) in [
        ("disabled", TokenView { active: false, ..view(Some(ours)) }),
        ("unverified", TokenView { unverified: true, ..view(Some(ours)) }),
        ("a counter that the code cannot have moved", TokenView { counter: 3, ..view(Some(ours)) }),
    ] {
        assert_eq!(confirmed(Some(wrong)), Err(Code::ServerContradicts), "{what}");
    }
}
