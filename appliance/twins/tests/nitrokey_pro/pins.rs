//! PINs: presented seldom, changed surely, and never put at risk.

use keys::device::{Answer, KeyError, Kind, Lock, Operation};
use twins::key::KeyTwin;

use crate::desk::{ADMIN, Desk, RFC4226, admin, erase, every_key, hotp, key_error, pin, place, program_with};

#[test]
fn a_wrong_pin_leaves_two_tries_and_is_not_presented_again() {
    for mut desk in every_key() {
        let result = desk.ask(program_with(0, hotp(RFC4226), admin("wrong")));
        assert_eq!(key_error(result), KeyError::WrongPin { tries_left: 2 });
        assert_eq!(desk.inspect().lock, Lock::AdminPin { tries_left: 2 });
        // Not even the right one: the station cannot know that it is right.
        for pin in ["wrong", ADMIN] {
            let result = desk.ask(program_with(0, hotp(RFC4226), admin(pin)));
            assert_eq!(key_error(result), KeyError::PinAtRisk { tries_left: 2 });
        }
        assert_eq!(desk.key.with(|key| key.fewest_tries()), 2);
        assert!(desk.key.with(|key| key.slot(place(Kind::Hotp, 0))).is_none());
    }
}

#[test]
fn a_changed_pin_is_a_wrong_one_and_the_right_one_opens() {
    for mut desk in every_key() {
        desk.key.with(|key| key.set_admin_pin("a-longer-pin", 3));
        desk.ask(program_with(0, hotp(RFC4226), admin("a-longer-pin"))).unwrap();
        let result = desk.ask(erase(Kind::Hotp, 0, admin(ADMIN)));
        assert_eq!(key_error(result), KeyError::WrongPin { tries_left: 2 });
        assert!(desk.holds(Kind::Hotp, 0, RFC4226));
    }
}

#[test]
fn a_blocked_pin_is_not_touched() {
    for tries in 0..3 {
        let mut desk = Desk::pro();
        desk.key.with(|key| key.set_admin_pin(ADMIN, tries));
        let result = desk.ask(program_with(0, hotp(RFC4226), admin(ADMIN)));
        assert_eq!(key_error(result), KeyError::PinAtRisk { tries_left: tries });
        assert_eq!(desk.key.with(|key| key.admin_tries()), tries);
    }
}

#[test]
fn lost_reports_never_cost_a_second_try() {
    // Every single report of the conversation is lost once, and every two of them.
    for mut desk in every_key() {
        let untouched = desk.key.with(|key| key.admin_tries());
        assert_eq!(untouched, 3);
        for first in 0..14 {
            let mut key = LosingKey::new(&desk, &[first]);
            let result = key.program("wrong");
            assert_eq!(key_error(result), KeyError::WrongPin { tries_left: 2 }, "{first}");
            key.desk.key.with(|key| key.set_admin_pin(ADMIN, 3));
            let mut key = LosingKey::new(&desk, &[first, first + 1]);
            let result = key.program("wrong");
            assert_eq!(key_error(result), KeyError::WrongPin { tries_left: 2 }, "{first}");
            key.desk.key.with(|key| key.set_admin_pin(ADMIN, 3));
        }
        desk.ask(erase(Kind::Hotp, 0, admin(ADMIN))).unwrap();
    }
}

#[test]
fn lost_reports_do_not_keep_the_right_pin_from_opening() {
    for desk in every_key() {
        for first in 0..14 {
            let mut key = LosingKey::new(&desk, &[first]);
            assert!(matches!(key.program(ADMIN), Ok(Answer::Programmed)), "{first}");
            assert!(desk.holds(Kind::Hotp, 0, RFC4226));
            assert_eq!(desk.key.with(|key| key.fewest_tries()), 3);
        }
    }
}

#[test]
fn the_administrators_pin_can_be_changed() {
    for mut desk in every_key() {
        let change = |old: &str, new: &str| Operation::ChangePin { old: Some(pin(old)), new: pin(new) };
        let result = desk.ask(change(ADMIN, "87654321"));
        assert!(matches!(result, Ok(Answer::PinChanged)));
        desk.ask(program_with(0, hotp(RFC4226), admin("87654321"))).unwrap();
        // Too short for the card: nothing is lost.
        assert!(matches!(key_error(desk.ask(change("87654321", "1234"))), KeyError::DoesNotFit(_)));
        assert_eq!(key_error(desk.ask(change(ADMIN, "11111111"))), KeyError::WrongPin { tries_left: 2 });
        assert_eq!(
            key_error(desk.ask(change("87654321", "11111111"))),
            KeyError::PinAtRisk { tries_left: 2 }
        );
    }
}

#[test]
fn a_lost_change_of_pin_is_made_in_the_end() {
    for desk in every_key() {
        for lost in 0..12 {
            let (old, new) = if lost % 2 == 0 { (ADMIN, "87654321") } else { ("87654321", ADMIN) };
            let change = Operation::ChangePin { old: Some(pin(old)), new: pin(new) };
            let mut key = LosingKey::new(&desk, &[lost]);
            assert!(matches!(key.ask(change), Ok(Answer::PinChanged)), "{lost}");
            assert_eq!(desk.key.with(|key| key.fewest_tries()), 3);
        }
    }
}

#[test]
fn a_silent_card_is_said_to_be_silent() {
    for desk in every_key() {
        let mut desk = desk.with_faults(|faults| faults.card_silent = true);
        assert_eq!(key_error(desk.ask(Operation::Inspect)), KeyError::CardSilent);
        let result = desk.ask(program_with(0, hotp(RFC4226), admin(ADMIN)));
        assert_eq!(key_error(result), KeyError::CardSilent);
    }
}

#[test]
fn locking_leaves_no_temporary_password_behind() {
    for mut desk in every_key() {
        desk.ask(program_with(0, hotp(RFC4226), admin(ADMIN))).unwrap();
        // ERASE_SLOT with the temporary password of that conversation.
        let mut report = [0; 64];
        report[..2].copy_from_slice(&[6, 0x10]);
        report[2..26].copy_from_slice(&[1; 24]);
        let crc = keys::nitrokey_pro::crc::crc32(&report[..60]);
        report[60..].copy_from_slice(&crc.to_le_bytes());
        desk.key.with(|key| key.set_feature(&report)).unwrap();
        desk.key.pass(std::time::Duration::from_secs(1)).unwrap();
        assert!(desk.holds(Kind::Hotp, 0, RFC4226));
    }
}

/// A desk whose key loses the reports of certain numbers.
struct LosingKey<'a> {
    desk: &'a Desk,
    lost: Vec<usize>,
}

impl<'a> LosingKey<'a> {
    fn new(desk: &'a Desk, lost: &[usize]) -> Self {
        Self { desk, lost: lost.to_vec() }
    }

    fn program(&mut self, pin: &str) -> Result<Answer, keys::wire::Failure> {
        self.ask(program_with(0, hotp(RFC4226), admin(pin)))
    }

    fn ask(&mut self, operation: Operation) -> Result<Answer, keys::wire::Failure> {
        let entropy = keys::secret::Entropy::from_array(&[0x5a; 32]);
        let mut conversation = keys::nitrokey_pro::start(self.desk.model, None, operation, &entropy)?;
        let mut wire = LosingWire { desk: self.desk, lost: &self.lost, sent: 0 };
        keys::wire::run(conversation.as_mut(), &mut wire, &mut self.desk.key.clone(), |_| {})
    }
}

struct LosingWire<'a> {
    desk: &'a Desk,
    lost: &'a [usize],
    sent: usize,
}

impl keys::wire::Wire for LosingWire<'_> {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), keys::wire::WireFault> {
        let number = self.sent;
        self.sent += 1;
        if self.lost.contains(&number) {
            return Ok(());
        }
        self.desk.key.clone().set_feature(report)
    }

    fn feature(&mut self, length: usize) -> Result<keys::conversation::Report, keys::wire::WireFault> {
        self.desk.key.clone().feature(length)
    }

    fn output(&mut self, packet: &[u8]) -> Result<(), keys::wire::WireFault> {
        self.desk.key.clone().output(packet)
    }

    fn input(
        &mut self,
        timeout: std::time::Duration,
    ) -> Result<Option<keys::conversation::Report>, keys::wire::WireFault> {
        self.desk.key.clone().input(timeout)
    }
}
