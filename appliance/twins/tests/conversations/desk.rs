//! A key on a desk, with a person at it and a station that speaks to it.

use std::time::Duration;

use keys::conversation::Hint;
use keys::device::{
    Answer, Credential, Digits, Firmware, Guard, KeyError, KeyInfo, Kind, Occupancy, Operation, Slot, Unlock,
};
use keys::secret::{AccessCode, Seed};
use keys::wire::{Failure, run};
use keys::yubikey::typed::{Collector, TypedCode};
use twins::key::{KeyTwin, Press};
use twins::shared::SharedKey;
use twins::yubikey::{Faults, Model, YubiKeyTwin};

pub(crate) const RFC4226: &[u8; 20] = b"12345678901234567890";
pub(crate) const CODE: [u8; 6] = [1, 2, 3, 4, 5, 6];

pub(crate) const FIRMWARES: [(u8, u8, u8); 15] = [
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
pub(crate) struct Desk {
    pub(crate) key: SharedKey<YubiKeyTwin>,
    pub(crate) firmware: Firmware,
}

impl Desk {
    pub(crate) fn with((major, minor, build): (u8, u8, u8)) -> Self {
        let firmware = Firmware::new(major, minor, build);
        let key = YubiKeyTwin::new(Model::new(firmware, 12_345_678).unwrap(), 5);
        Self { key: SharedKey::new(key), firmware }
    }

    pub(crate) fn every() -> impl Iterator<Item = Self> {
        FIRMWARES.into_iter().map(Self::with)
    }

    pub(crate) fn faults(&self, set: impl FnOnce(&mut Faults)) {
        let mut faults = Faults::default();
        set(&mut faults);
        self.key.with(|key| key.set_faults(faults));
    }

    pub(crate) fn replug(&self) {
        self.key.with(|key| key.power()).unwrap();
    }

    pub(crate) fn do_with(
        &self,
        known: Option<&KeyInfo>,
        operation: Operation,
        touch: bool,
    ) -> Result<Answer, Failure> {
        let product_id = self.key.with(|key| key.product_id()).unwrap();
        let mut conversation = keys::yubikey::start(product_id, known, operation)?;
        run(conversation.as_mut(), &mut self.key.clone(), &mut self.key.clone(), |hint| {
            if touch && matches!(hint, Some(Hint::TouchWanted { seconds_left: 14 })) {
                assert!(self.key.with(|key| key.touch(Press::Short)).unwrap().is_empty());
            }
        })
    }

    pub(crate) fn run(&self, operation: Operation) -> Result<Answer, Failure> {
        self.do_with(None, operation, false)
    }

    pub(crate) fn inspect(&self) -> KeyInfo {
        match self.run(Operation::Inspect) {
            Ok(Answer::Inspected(info)) => info,
            other => panic!("{}: {other:?}", self.firmware),
        }
    }

    pub(crate) fn occupied(&self) -> [bool; 2] {
        [1, 2].map(|slot| self.inspect().slot(Slot(slot)).unwrap().occupancy == Occupancy::Occupied)
    }

    /// What a press types, as the station reads keyboards.
    pub(crate) fn typed(&self, press: Press) -> TypedCode {
        let mut collector = Collector::new();
        for stroke in self.key.with(|key| key.press(press)).unwrap() {
            self.key.pass(stroke.after).unwrap();
            collector.push(self.key.elapsed(), &stroke.report);
        }
        self.key.pass(Duration::from_secs(5)).unwrap();
        collector.take(self.key.elapsed()).unwrap()
    }

    pub(crate) fn hotp(&self, press: Press) -> String {
        self.typed(press).hotp("", Digits::Six).unwrap().to_owned()
    }

    pub(crate) fn holds(&self, slot: u8) -> bool {
        self.key.with(|key| key.slot_holds(Slot(slot), RFC4226))
    }
}

pub(crate) fn seed() -> Seed {
    Seed::new(RFC4226).unwrap()
}

pub(crate) fn code(code: [u8; 6]) -> AccessCode {
    AccessCode::new(&code).unwrap()
}

pub(crate) fn write(
    slot: u8,
    credential: Credential,
    unlock: Unlock,
    new_code: Option<AccessCode>,
) -> Operation {
    let guard = Guard::Nothing;
    Operation::Program { slot: Slot(slot), credential, unlock, new_code, label: String::new(), guard }
}

pub(crate) fn hotp(slot: u8) -> Operation {
    write(slot, Credential::Hotp { seed: seed(), digits: Digits::Six }, Unlock::None, None)
}

pub(crate) fn erase(slot: u8, unlock: Unlock) -> Operation {
    Operation::Erase { slot: Slot(slot), kind: Kind::Hotp, unlock, label: String::new() }
}

pub(crate) fn challenge(slot: u8, kind: Kind, challenge: &[u8]) -> Operation {
    let challenge = challenge.to_vec();
    Operation::AskCode {
        slot: Slot(slot),
        kind,
        challenge,
        digits: Digits::Eight,
        label: String::new(),
        unlock: Unlock::None,
    }
}

pub(crate) fn refused(result: Result<Answer, Failure>) -> bool {
    matches!(result, Err(Failure::Key(KeyError::Refused)))
}
