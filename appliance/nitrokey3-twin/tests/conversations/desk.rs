//! A desk with one key, a person who touches it when told to, and the station's
//! way of asking it things.

use keys::conversation::Hint;
use keys::device::{
    Answer, Credential, Digits, Guard, HashAlgorithm, KeyError, KeyInfo, Kind, Operation, Slot, Unlock,
};
use keys::secret::{Entropy, Pin, Seed};
use keys::wire::{Failure, run};
use nitrokey3_twin::{Faults, Model, Nitrokey3Twin};
use twins::key::{KeyTwin, Press};
use twins::shared::SharedKey;

pub(crate) const RFC4226: &[u8] = b"12345678901234567890";
pub(crate) const RFC6238_SHA256: &[u8] = b"12345678901234567890123456789012";
pub(crate) const SERIAL: u32 = 0x1122_3344;

pub(crate) struct Desk {
    pub(crate) key: SharedKey<Nitrokey3Twin>,
    /// Whether somebody touches the key when the station says that it waits.
    pub(crate) attentive: bool,
    /// How often the station said so, by now.
    pub(crate) touches: u32,
    asked: u8,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::of(Model { serial: SERIAL, firmware: Some([1, 9, 0]), seed: 1 })
    }

    pub(crate) fn of(model: Model) -> Self {
        let key = SharedKey::new(Nitrokey3Twin::new(model).unwrap());
        Self { key, attentive: true, touches: 0, asked: 0 }
    }

    pub(crate) fn inattentive(self) -> Self {
        Self { attentive: false, ..self }
    }

    pub(crate) fn fault(&self, set: impl FnOnce(&mut Faults)) {
        self.key.with(|key| {
            let mut faults = *key.faults();
            set(&mut faults);
            key.set_faults(faults);
        });
    }

    pub(crate) fn ask(&mut self, operation: Operation) -> Result<Answer, Failure> {
        self.ask_known(None, operation)
    }

    pub(crate) fn ask_known(
        &mut self,
        known: Option<&KeyInfo>,
        operation: Operation,
    ) -> Result<Answer, Failure> {
        self.asked = self.asked.wrapping_add(1);
        let entropy = Entropy::from_array(&[self.asked; 32]);
        let mut conversation = keys::identify::start((0x20a0, 0x42b2), known, operation, &entropy)?;
        let (attentive, touches) = (self.attentive, &mut self.touches);
        let person = self.key.clone();
        run(conversation.as_mut(), &mut self.key.clone(), &mut self.key.clone(), |hint| {
            if let Some(Hint::TouchWanted { .. }) = hint {
                *touches += 1;
                if attentive {
                    person.with(|key| key.touch(Press::Short)).unwrap();
                }
            }
        })
    }

    pub(crate) fn inspect(&mut self) -> KeyInfo {
        match self.ask(Operation::Inspect).unwrap() {
            Answer::Inspected(info) => info,
            other => panic!("{other:?}"),
        }
    }

    /// The names of what can be seen in it.
    pub(crate) fn names(&mut self) -> Vec<String> {
        let mut names = self.inspect().named.unwrap().names;
        names.sort();
        names
    }

    pub(crate) fn program(&mut self, label: &str, credential: Credential) {
        assert!(matches!(self.ask(program(label, credential)), Ok(Answer::Programmed)), "{label}");
    }

    pub(crate) fn set_pin(&mut self, text: &str) {
        let change = Operation::ChangePin { old: None, new: pin(text) };
        assert!(matches!(self.ask(change), Ok(Answer::PinChanged)));
    }
}

pub(crate) fn seed(bytes: &[u8]) -> Seed {
    Seed::new(bytes).unwrap()
}

pub(crate) fn pin(text: &str) -> Pin {
    Pin::new(text.to_owned().into()).unwrap()
}

pub(crate) fn user(text: &str) -> Unlock {
    Unlock::UserPin(pin(text))
}

pub(crate) fn hotp(secret: &[u8]) -> Credential {
    Credential::Hotp { seed: seed(secret), digits: Digits::Six }
}

pub(crate) fn totp(secret: &[u8], hash: HashAlgorithm, digits: Digits) -> Credential {
    Credential::Totp { seed: seed(secret), digits, hash, period: 30 }
}

pub(crate) fn program(label: &str, credential: Credential) -> Operation {
    program_with(label, credential, Guard::Nothing, Unlock::None)
}

pub(crate) fn program_with(label: &str, credential: Credential, guard: Guard, unlock: Unlock) -> Operation {
    Operation::Program { slot: Slot(1), credential, unlock, new_code: None, label: label.to_owned(), guard }
}

pub(crate) fn erase(label: &str) -> Operation {
    erase_with(label, Unlock::None)
}

pub(crate) fn erase_with(label: &str, unlock: Unlock) -> Operation {
    Operation::Erase { slot: Slot(1), kind: Kind::Hotp, unlock, label: label.to_owned() }
}

pub(crate) fn ask_hotp(label: &str) -> Operation {
    ask_code(label, Kind::Hotp, Vec::new(), Digits::Six, Unlock::None)
}

pub(crate) fn ask_totp(label: &str, step: u64, digits: Digits) -> Operation {
    ask_code(label, Kind::Totp, step.to_be_bytes().to_vec(), digits, Unlock::None)
}

pub(crate) fn ask_code(
    label: &str,
    kind: Kind,
    challenge: Vec<u8>,
    digits: Digits,
    unlock: Unlock,
) -> Operation {
    Operation::AskCode { slot: Slot(1), kind, challenge, digits, label: label.to_owned(), unlock }
}

pub(crate) fn code(result: Result<Answer, Failure>) -> String {
    match result.unwrap() {
        Answer::Code(code) => code.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn key_error<T: core::fmt::Debug>(result: Result<T, Failure>) -> KeyError {
    match result {
        Err(Failure::Key(error)) => error,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn expected(secret: &[u8], counter: u64) -> String {
    keys::otp::hotp(&seed(secret), counter, Digits::Six, HashAlgorithm::Sha1)
}
