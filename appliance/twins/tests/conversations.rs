//! The station's side of the protocol against the YubiKey twin, which does not
//! share a line with it: every operation, on every firmware, with a person at the
//! key and with things going wrong.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use keys::conversation::Hint;
use keys::device::{
    Answer, Credential, Digits, Family, Firmware, KeyError, KeyInfo, KeySerial, Kind, Lock, Occupancy,
    Operation, Slot, Unlock,
};
use keys::secret::{AccessCode, AesKey, Pin, PrivateId, Seed};
use keys::wire::{Failure, WireFault, run};
use keys::yubikey::typed::Collector;
use twins::key::{KeyTwin, Press};
use twins::shared::SharedKey;
use twins::yubikey::{Faults, Mode, Model, YubiKeyTwin};

const RFC4226: &[u8; 20] = b"12345678901234567890";
const CODE: [u8; 6] = [1, 2, 3, 4, 5, 6];

const FIRMWARES: [(u8, u8, u8); 15] = [
    (2, 1, 3),
    (2, 2, 3),
    (2, 3, 0),
    (2, 4, 0),
    (3, 0, 0),
    (3, 1, 8),
    (3, 4, 9),
    (4, 0, 1),
    (4, 1, 0),
    (4, 2, 4),
    (4, 3, 4),
    (4, 4, 5),
    (5, 1, 2),
    (5, 4, 3),
    (5, 7, 1),
];

/// A key on the desk.
struct Desk {
    key: SharedKey<YubiKeyTwin>,
    firmware: Firmware,
}

impl Desk {
    fn with((major, minor, build): (u8, u8, u8)) -> Self {
        let firmware = Firmware::new(major, minor, build);
        let key = YubiKeyTwin::new(Model::new(firmware, 12_345_678).unwrap(), 5);
        Self { key: SharedKey::new(key), firmware }
    }

    fn every() -> impl Iterator<Item = Self> {
        FIRMWARES.into_iter().map(Self::with)
    }

    fn faults(&self, set: impl FnOnce(&mut Faults)) {
        let mut faults = Faults::default();
        set(&mut faults);
        self.key.with(|key| key.set_faults(faults));
    }

    fn replug(&self) {
        self.key.with(|key| key.power()).unwrap();
    }

    fn do_with(&self, known: Option<&KeyInfo>, operation: Operation, touch: bool) -> Result<Answer, Failure> {
        let product_id = self.key.with(|key| key.product_id()).unwrap();
        let mut conversation = keys::yubikey::start(product_id, known, operation)?;
        run(conversation.as_mut(), &mut self.key.clone(), &mut self.key.clone(), |hint| {
            if touch && matches!(hint, Some(Hint::TouchWanted { seconds_left: 14 })) {
                assert!(self.key.with(|key| key.touch(Press::Short)).unwrap().is_empty());
            }
        })
    }

    fn run(&self, operation: Operation) -> Result<Answer, Failure> {
        self.do_with(None, operation, false)
    }

    fn inspect(&self) -> KeyInfo {
        match self.run(Operation::Inspect) {
            Ok(Answer::Inspected(info)) => info,
            other => panic!("{}: {other:?}", self.firmware),
        }
    }

    fn occupied(&self) -> [bool; 2] {
        [1, 2].map(|slot| self.inspect().slot(Slot(slot)).unwrap().occupancy == Occupancy::Occupied)
    }

    /// What a press types, as the station reads keyboards.
    fn typed(&self, press: Press) -> keys::yubikey::typed::TypedCode {
        let mut collector = Collector::new();
        for stroke in self.key.with(|key| key.press(press)).unwrap() {
            self.key.pass(stroke.after).unwrap();
            collector.push(self.key.elapsed(), &stroke.report);
        }
        self.key.pass(Duration::from_secs(5)).unwrap();
        collector.take(self.key.elapsed()).unwrap()
    }

    fn hotp(&self, press: Press) -> String {
        self.typed(press).hotp("", Digits::Six).unwrap().to_owned()
    }

    fn holds(&self, slot: u8) -> bool {
        self.key.with(|key| key.slot_holds(Slot(slot), RFC4226))
    }
}

fn seed() -> Seed {
    Seed::new(RFC4226).unwrap()
}

fn code(code: [u8; 6]) -> AccessCode {
    AccessCode::new(&code).unwrap()
}

fn write(slot: u8, credential: Credential, unlock: Unlock, new_code: Option<AccessCode>) -> Operation {
    Operation::Program { slot: Slot(slot), credential, unlock, new_code, label: String::new() }
}

fn hotp(slot: u8) -> Operation {
    write(slot, Credential::Hotp { seed: seed(), digits: Digits::Six }, Unlock::None, None)
}

fn erase(slot: u8, unlock: Unlock) -> Operation {
    Operation::Erase { slot: Slot(slot), unlock }
}

fn challenge(slot: u8, kind: Kind, challenge: &[u8]) -> Operation {
    let challenge = challenge.to_vec();
    Operation::AskCode { slot: Slot(slot), kind, challenge, digits: Digits::Eight, label: String::new() }
}

fn refused(result: Result<Answer, Failure>) -> bool {
    matches!(result, Err(Failure::Key(KeyError::Refused)))
}

#[test]
fn every_firmware_is_inspected() {
    for desk in Desk::every() {
        let info = desk.inspect();
        let firmware = desk.firmware;
        assert_eq!(info.firmware, firmware);
        let serial = KeySerial { family: Family::YubiKeyOtp, number: 12_345_678 };
        let told = firmware >= Firmware::new(2, 2, 0);
        assert_eq!(info.serial, told.then_some(serial), "{firmware}");
        assert_eq!(info.slots.len(), 2);
        assert!(info.slots.iter().all(|slot| slot.occupancy == Occupancy::Empty));
        assert_eq!(info.lock, Lock::Open);
        assert!(!info.config_locked);
        assert_eq!(info.fips == Some(true), firmware.major == 4 && firmware.minor == 4);
        let name = match (firmware.major, firmware.minor) {
            (2, _) => "YubiKey",
            (3, _) => "YubiKey NEO",
            (4, 0) => "YubiKey Plus",
            (4, 1) => "YubiKey Edge",
            (4, 4) => "YubiKey 4 FIPS",
            (4, _) => "YubiKey 4",
            _ => "YubiKey 5 NFC",
        };
        assert_eq!(info.model, name, "{firmware}");
    }
}

#[test]
fn the_beta_of_the_neo_has_one_slot() {
    let desk = Desk::with((2, 1, 4));
    assert_eq!(desk.inspect().slots.len(), 1);
    let error = desk.run(hotp(2)).unwrap_err();
    assert!(matches!(error, Failure::Key(KeyError::NotAble { .. })));
    assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
}

#[test]
fn hotp_is_programmed_typed_and_erased_everywhere() {
    for desk in Desk::every() {
        for (slot, press) in [(1, Press::Short), (2, Press::Long)] {
            assert!(matches!(desk.run(hotp(slot)), Ok(Answer::Programmed)), "{}", desk.firmware);
            assert!(desk.holds(slot));
            assert_eq!(desk.hotp(press), "755224");
            assert_eq!(desk.hotp(press), "287082");
        }
        assert_eq!(desk.occupied(), [true, true]);
        assert_eq!(desk.inspect().lock, Lock::MaybeAccessCode);
        // The flags that the firmware knows are kept: the serial stays visible.
        assert_eq!(desk.inspect().serial.is_some(), desk.firmware >= Firmware::new(2, 2, 0));
        for slot in [2, 1] {
            assert!(matches!(desk.run(erase(slot, Unlock::None)), Ok(Answer::Erased)), "{}", desk.firmware);
            assert!(!desk.holds(slot));
            // To erase what is empty is no mistake.
            assert!(matches!(desk.run(erase(slot, Unlock::None)), Ok(Answer::Erased)));
        }
        assert_eq!(desk.occupied(), [false, false]);
    }
}

#[test]
fn eight_digits_are_typed_everywhere() {
    for desk in Desk::every() {
        let credential = Credential::Hotp { seed: seed(), digits: Digits::Eight };
        desk.run(write(1, credential, Unlock::None, None)).unwrap();
        assert_eq!(desk.typed(Press::Short).hotp("", Digits::Eight).unwrap(), "84755224");
    }
}

#[test]
fn yubico_otp_is_programmed_and_typed_everywhere() {
    for desk in Desk::every() {
        let credential = Credential::YubicoOtp {
            public_id: vec![0, 0, 0, 0xbc, 0x61, 0x4e],
            private_id: PrivateId::new(b"secret").unwrap(),
            key: AesKey::new(&RFC4226[..16]).unwrap(),
        };
        desk.run(write(2, credential, Unlock::None, None)).unwrap();
        let mut counters = Vec::new();
        for replug in [false, false, true] {
            if replug {
                desk.replug();
            }
            let typed = desk.typed(Press::Long);
            let otp = typed.yubico_otp().unwrap();
            let inside = otp.decrypt(&AesKey::new(&RFC4226[..16]).unwrap()).unwrap();
            counters.push((inside.use_counter, inside.session_use));
        }
        assert_eq!(counters, [(1, 0), (1, 1), (2, 0)], "{}", desk.firmware);
    }
}

#[test]
fn static_passwords_are_programmed_and_typed_everywhere() {
    for desk in Desk::every() {
        let password =
            Pin::new(zeroize::Zeroizing::new("Desk, Card & Key: 38 characters or so?".to_owned())).unwrap();
        desk.run(write(1, Credential::StaticPassword { password }, Unlock::None, None)).unwrap();
        assert_eq!(desk.typed(Press::Short).text(), "Desk, Card & Key: 38 characters or so?");
    }
}

#[test]
fn challenges_are_answered_with_and_without_touch() {
    for desk in Desk::every() {
        for touch in [false, true] {
            let credential = Credential::ChallengeResponse { seed: seed(), touch };
            let written = desk.run(write(2, credential, Unlock::None, None));
            if desk.firmware < Firmware::new(2, 2, 0) {
                assert!(matches!(written, Err(Failure::Key(KeyError::NotAble { .. }))));
                continue;
            }
            written.unwrap();
            // RFC 6238, appendix B: step 1 of SHA-1 is 94287082.
            let step = 1_u64.to_be_bytes();
            match desk.do_with(None, challenge(2, Kind::Totp, &step), touch) {
                Ok(Answer::Code(code)) => assert_eq!(code, "94287082", "{}", desk.firmware),
                other => panic!("{}: {other:?}", desk.firmware),
            }
            // A challenge that ends in what others pad with.
            for end in [0x00, 0x01, 0xff] {
                let answer = desk.do_with(None, challenge(2, Kind::ChallengeResponse, &[7, end]), touch);
                let Ok(Answer::Code(hex)) = answer else { panic!("no answer") };
                assert_eq!(hex.len(), 40);
            }
        }
    }
}

#[test]
fn without_a_touch_a_challenge_runs_out_and_the_key_goes_on() {
    let desk = Desk::with((5, 4, 3));
    let credential = Credential::ChallengeResponse { seed: seed(), touch: true };
    desk.run(write(2, credential, Unlock::None, None)).unwrap();
    let begin = desk.key.elapsed();
    let error = desk.run(challenge(2, Kind::Totp, &[0; 8])).unwrap_err();
    assert_eq!(error, Failure::Key(KeyError::NotTouched));
    let took = (desk.key.elapsed() - begin).as_millis();
    assert!((15_000..16_000).contains(&took), "{took} ms");
    assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
}

#[test]
fn a_challenge_to_the_wrong_slot_is_refused() {
    let desk = Desk::with((5, 4, 3));
    desk.run(hotp(1)).unwrap();
    assert!(refused(desk.run(challenge(1, Kind::Totp, &[0; 8]))));
    let error = desk.run(challenge(2, Kind::Totp, &[0; 8])).unwrap_err();
    assert_eq!(error, Failure::Key(KeyError::Empty));
}

#[test]
fn access_codes_are_set_used_and_refused_everywhere() {
    for desk in Desk::every() {
        let guarded = || Credential::Hotp { seed: seed(), digits: Digits::Six };
        desk.run(write(1, guarded(), Unlock::None, Some(code(CODE)))).unwrap();
        assert!(desk.key.with(|key| key.access_code_is(Slot(1), CODE)));
        assert!(refused(desk.run(hotp(1))), "{}", desk.firmware);
        assert!(refused(desk.run(erase(1, Unlock::None))));
        let wrong = || Unlock::AccessCode(code([6, 5, 4, 3, 2, 1]));
        assert!(refused(desk.run(erase(1, wrong()))));
        assert!(refused(desk.run(write(1, guarded(), wrong(), None))));
        assert!(desk.holds(1));
        desk.run(write(1, guarded(), Unlock::AccessCode(code(CODE)), Some(code(CODE)))).unwrap();
        assert!(matches!(desk.run(erase(1, Unlock::AccessCode(code(CODE)))), Ok(Answer::Erased)));
    }
}

#[test]
fn a_key_that_hides_its_serial_is_seen_to_do_so() {
    for desk in Desk::every() {
        desk.key.with(|key| {
            key.occupy(Slot(1), None);
            key.hide_serial();
        });
        let info = desk.inspect();
        // Device information has the serial all the same.
        let told = desk.firmware >= Firmware::new(4, 1, 0);
        assert_eq!(info.serial.is_some(), told, "{}", desk.firmware);
        assert_eq!(info.slot(Slot(1)).unwrap().occupancy, Occupancy::Occupied);
    }
}

#[test]
fn another_key_is_not_written_to() {
    let desk = Desk::with((5, 4, 3));
    let mut known = desk.inspect();
    assert!(matches!(desk.do_with(Some(&known), hotp(1), false), Ok(Answer::Programmed)));
    known.serial = Some(KeySerial { family: Family::YubiKeyOtp, number: 1 });
    let error = desk.do_with(Some(&known), hotp(2), false).unwrap_err();
    assert_eq!(error, Failure::Key(KeyError::AnotherKey));
    assert!(!desk.holds(2));
}

#[test]
fn a_key_at_255_is_programmed_too() {
    let desk = Desk::with((5, 4, 3));
    for _ in 0..255 {
        desk.run(hotp(1)).unwrap();
    }
    assert_eq!(desk.key.with(|key| key.snapshot().sequence), 255);
    assert!(matches!(desk.run(hotp(2)), Ok(Answer::Programmed)));
    assert_eq!(desk.key.with(|key| key.snapshot().sequence), 1);
}

#[test]
fn a_neo_is_shaken_awake() {
    for slot in [1, 2] {
        let desk = Desk::with((3, 4, 9));
        desk.key.with(|key| key.occupy(Slot(slot), None));
        desk.faults(|faults| {
            faults.stale_status = true;
            faults.starting = Duration::from_millis(700);
        });
        desk.replug();
        assert_eq!(desk.occupied(), [slot == 1, slot == 2]);
        desk.replug();
        assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
    }
}

#[test]
fn a_key_that_just_spoke_through_the_card_is_waited_for() {
    for firmware in [(3, 4, 9), (4, 3, 4), (5, 4, 3)] {
        let desk = Desk::with(firmware);
        desk.key.with(|key| key.occupy(Slot(1), None));
        desk.key.with(|key| key.apdu(&[0, 0xa4, 4, 0])).unwrap();
        assert!(desk.inspect().serial.is_some());
        desk.key.with(|key| key.apdu(&[0, 0xa4, 4, 0])).unwrap();
        assert!(matches!(desk.run(hotp(2)), Ok(Answer::Programmed)), "{firmware:?}");
    }
}

#[test]
fn a_key_with_otp_switched_off_is_not_spoken_to() {
    let model = Model::new(Firmware::new(5, 4, 3), 1).unwrap().with_product_id(0x0406).unwrap();
    let desk = Desk { key: SharedKey::new(YubiKeyTwin::new(model, 1)), firmware: Firmware::new(5, 4, 3) };
    let error = desk.run(Operation::Inspect).unwrap_err();
    assert!(matches!(error, Failure::Key(KeyError::InterfaceOff(_))));
}

#[test]
fn what_another_program_left_behind_does_no_harm() {
    let leftovers: [&[[u8; 8]]; 4] = [
        // Half a frame.
        &[[1, 2, 3, 4, 5, 6, 7, 0x80], [1, 2, 3, 4, 5, 6, 7, 0x81]],
        // A serial that nobody read.
        &[[0, 0, 0, 0, 0, 0, 0, 0x80], [0, 0x10, 0x6b, 0x5b, 0, 0, 0, 0x89]],
        // A challenge that waits for a touch.
        &[[0, 0, 0, 0, 0, 0, 0, 0x80], [0, 0x38, 0x6b, 0x5b, 0, 0, 0, 0x89]],
        // A reset.
        &[[0, 0, 0, 0, 0, 0, 0, 0x8f]],
    ];
    for left in leftovers {
        for pause in [0, 5, 50] {
            let desk = Desk::with((5, 4, 3));
            let credential = Credential::ChallengeResponse { seed: seed(), touch: true };
            desk.run(write(2, credential, Unlock::None, None)).unwrap();
            for report in left {
                desk.key.with(|key| key.set_feature(report)).unwrap();
            }
            desk.key.pass(Duration::from_millis(pause)).unwrap();
            assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
        }
    }
}

#[test]
fn a_cut_at_any_transfer_leaves_the_slot_old_or_new_and_a_second_try_ends_it() {
    let known = Desk::with((5, 4, 3)).inspect();
    let mut written = Vec::new();
    for transfers in 0.. {
        for late in [false, true] {
            let desk = Desk::with((5, 4, 3));
            desk.key.with(|key| key.occupy(Slot(1), None));
            desk.faults(|faults| {
                faults.pull_out_after_transfers = Some(transfers);
                faults.commit_late = late;
            });
            let result = desk.do_with(Some(&known), hotp(1), false);
            if matches!(result, Ok(Answer::Programmed)) {
                let first = written.iter().position(|held| *held).unwrap();
                assert!(written[first..].iter().all(|held| *held), "old again after new");
                return;
            }
            assert_eq!(result.unwrap_err(), Failure::Wire(WireFault::Gone));
            desk.replug();
            if !late {
                written.push(desk.holds(1));
            }
            assert_eq!(desk.occupied(), [true, false]);
            assert!(matches!(desk.do_with(Some(&known), hotp(1), false), Ok(Answer::Programmed)));
            assert!(desk.holds(1));
        }
    }
}

#[test]
fn a_slow_key_is_waited_for() {
    for firmware in [(2, 3, 0), (3, 4, 9), (5, 7, 1)] {
        let desk = Desk::with(firmware);
        desk.faults(|faults| {
            faults.slow = Duration::from_millis(800);
            faults.slow_reports = Duration::from_millis(20);
        });
        assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
        assert!(matches!(desk.run(erase(1, Unlock::None)), Ok(Answer::Erased)));
    }
}

#[test]
fn a_key_that_hangs_is_given_up_and_works_again_after_a_replug() {
    let desk = Desk::with((5, 4, 3));
    desk.faults(|faults| faults.stuck_busy = true);
    let error = desk.run(hotp(1)).unwrap_err();
    assert!(matches!(error, Failure::Key(KeyError::TimedOut(_))), "{error:?}");
    assert!(desk.key.elapsed() < Duration::from_secs(30));
    desk.replug();
    assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));

    desk.faults(|faults| faults.dead_after = Some(Duration::ZERO));
    assert!(matches!(desk.run(Operation::Inspect).unwrap_err(), Failure::Wire(WireFault::Failed(_))));
    desk.replug();
    assert_eq!(desk.occupied(), [true, false]);
}

#[test]
fn a_refusal_is_a_refusal() {
    for desk in Desk::every() {
        desk.faults(|faults| faults.refuse_writes = 1);
        assert!(refused(desk.run(hotp(1))), "{}", desk.firmware);
        assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
    }
}

#[test]
fn a_write_that_only_counts_is_found_out_when_the_slot_was_empty() {
    let desk = Desk::with((5, 4, 3));
    desk.faults(|faults| faults.lose_writes = 1);
    assert!(desk.run(hotp(1)).is_err());
    // Over a slot that was full nobody can tell; the proof will.
    desk.key.with(|key| key.occupy(Slot(1), None));
    desk.faults(|faults| faults.lose_writes = 1);
    assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
    assert!(!desk.holds(1));
    assert_eq!(
        desk.key.with(|key| key.snapshot().slots[0].as_ref().map(|slot| slot.mode)),
        Some(Mode::YubicoOtp)
    );
}

#[test]
fn garbled_reports_never_make_a_slot_believed_that_is_not_written() {
    for every in 1..60 {
        for seed in 0..4 {
            let firmware = Firmware::new(5, 4, 3);
            let key = YubiKeyTwin::new(Model::new(firmware, 12_345_678).unwrap(), seed);
            let desk = Desk { key: SharedKey::new(key), firmware };
            desk.faults(|faults| faults.garble_every = Some(every));
            if let Ok(Answer::Programmed) = desk.run(hotp(1)) {
                assert!(desk.holds(1), "believed with every {every}, seed {seed}");
            }
            desk.faults(|_| {});
            assert!(matches!(desk.run(hotp(1)), Ok(Answer::Programmed)));
        }
    }
}
