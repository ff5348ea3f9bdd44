//! A desk with one twin, and the station's way of asking it things.

use keys::conversation::Conversation;
use keys::device::{
    Answer, Credential, Digits, Firmware, Guard, HashAlgorithm, KeyError, KeyInfo, Kind, Operation, Slot,
    Unlock,
};
use keys::nitrokey_pro::ids;
use keys::secret::{Entropy, Pin, Seed};
use keys::wire::{Failure, run};
use twins::nitrokey_pro::{Faults, Model, NitrokeyProTwin, Place, Product};
use twins::shared::SharedKey;

pub(crate) const RFC4226: &[u8] = b"12345678901234567890";
pub(crate) const ADMIN: &str = "12345678";

pub(crate) struct Desk {
    pub(crate) key: SharedKey<NitrokeyProTwin>,
    pub(crate) model: ids::Model,
    asked: u8,
}

/// Every kind of key there is, by what its firmware does differently.
pub(crate) fn every_key() -> Vec<Desk> {
    let pro = [7, 8, 9, 15].map(|minor| Desk::new(Product::Pro, minor));
    let storage = [53, 54, 57].map(|minor| Desk::new(Product::Storage, minor));
    let librem = [Desk::new(Product::LibremKey, 10)];
    pro.into_iter().chain(storage).chain(librem).collect()
}

impl Desk {
    pub(crate) fn new(product: Product, minor: u8) -> Self {
        let model = Model::new(product, Firmware::new(0, minor, 0), 0x5555).unwrap();
        let (vendor, id) = model.usb_ids();
        Self {
            key: SharedKey::new(NitrokeyProTwin::new(model, 7)),
            model: ids::Model::of(vendor, id).unwrap(),
            asked: 0,
        }
    }

    pub(crate) fn pro() -> Self {
        Self::new(Product::Pro, 15)
    }

    pub(crate) fn with_faults(self, set: impl FnOnce(&mut Faults)) -> Self {
        self.fault(set);
        self
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
        self.asked += 1;
        let entropy = Entropy::from_array(&[self.asked; 32]);
        let mut conversation = keys::nitrokey_pro::start(self.model, known, operation, &entropy)?;
        self.drive(conversation.as_mut())
    }

    fn drive<T>(&self, conversation: &mut (impl Conversation<Output = T> + ?Sized)) -> Result<T, Failure> {
        run(conversation, &mut self.key.clone(), &mut self.key.clone(), |_| {})
    }

    pub(crate) fn inspect(&mut self) -> KeyInfo {
        match self.ask(Operation::Inspect).unwrap() {
            Answer::Inspected(info) => info,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn holds(&self, kind: Kind, slot: u8, secret: &[u8]) -> bool {
        self.key.with(|key| key.slot_holds(place(kind, slot), secret))
    }

    pub(crate) fn code(&mut self, kind: Kind, slot: u8, step: u64) -> Result<String, Failure> {
        match self.ask(ask_code(kind, slot, step, Digits::Six))? {
            Answer::Code(code) => Ok(code.expose().to_owned()),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn place(kind: Kind, slot: u8) -> Place {
    Place { kind, slot: Slot(slot) }
}

pub(crate) fn seed(bytes: &[u8]) -> Seed {
    Seed::new(bytes).unwrap()
}

pub(crate) fn pin(text: &str) -> Pin {
    Pin::new(text.to_owned().into()).unwrap()
}

pub(crate) fn admin(text: &str) -> Unlock {
    Unlock::AdminPin(pin(text))
}

pub(crate) fn hotp(secret: &[u8]) -> Credential {
    Credential::Hotp { seed: seed(secret), digits: Digits::Six }
}

pub(crate) fn totp(secret: &[u8]) -> Credential {
    Credential::Totp { seed: seed(secret), digits: Digits::Six, hash: HashAlgorithm::Sha1, period: 30 }
}

pub(crate) fn program(slot: u8, credential: Credential) -> Operation {
    program_with(slot, credential, admin(ADMIN))
}

pub(crate) fn program_with(slot: u8, credential: Credential, unlock: Unlock) -> Operation {
    let label = format!("NK00005555_{slot}");
    Operation::Program { slot: Slot(slot), credential, unlock, new_code: None, label, guard: Guard::Nothing }
}

pub(crate) fn erase(kind: Kind, slot: u8, unlock: Unlock) -> Operation {
    Operation::Erase { slot: Slot(slot), kind, unlock, label: String::new() }
}

pub(crate) fn ask_code(kind: Kind, slot: u8, step: u64, digits: Digits) -> Operation {
    ask_code_with(kind, slot, step, digits, Unlock::None)
}

pub(crate) fn ask_code_with(kind: Kind, slot: u8, step: u64, digits: Digits, unlock: Unlock) -> Operation {
    let challenge = if kind == Kind::Totp { step.to_be_bytes().to_vec() } else { Vec::new() };
    Operation::AskCode { slot: Slot(slot), kind, challenge, digits, label: String::new(), unlock }
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
