//! The keys of a world: any twin that lives in this process, with what a check wants to
//! know of it.

use keys::device::{Family, Firmware, Kind, Slot};
use sha2::{Digest, Sha256};
use twins::key::{KeyTwin, TwinError};
use twins::nitrokey_pro::{self, NitrokeyProTwin, Place, Product};
use twins::nitrokey3::{self, SecretsTwin};
use twins::yubikey::{self, VENDOR, YubiKeyTwin};

/// The slot that nobody may touch: it holds something foreign in every world.
pub const FOREIGN: Slot = Slot(2);

/// The slot of the orders.
const OURS: Slot = Slot(1);

/// What somebody else's credential is called where keys keep names.
const FOREIGN_NAME: &str = "somebody else's";

const FOREIGN_SECRET: &[u8] = b"a foreign credential";

/// The administrator's PIN of keys as they are sold.
const FACTORY_PIN: &str = "12345678";

/// The fewest tries that the station leaves to whoever owns a key.
const TRIES_LEFT: u8 = 2;

/// Which twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// A YubiKey.
    #[default]
    YubiKey,
    /// A Nitrokey Pro, Storage or Librem Key.
    NitrokeyPro(Product),
    /// A Nitrokey 3.
    Nitrokey3,
}

pub struct Key {
    twin: Twin,
    /// The fewest tries that its PINs may ever have left: two, or what they had at first.
    tries: u8,
    /// The PIN that it had at first.
    pin: String,
    /// What somebody else had put into a YubiKey, as its slot's configuration says.
    foreign: String,
    /// What a YubiKey was sold with in slot 1; empty where there was nothing.
    sold: String,
}

/// The twin of a key.
#[allow(clippy::large_enum_variant, reason = "a world has a handful of them")]
pub enum Twin {
    /// A YubiKey.
    YubiKey(YubiKeyTwin),
    /// A Nitrokey Pro, Storage or Librem Key.
    NitrokeyPro(NitrokeyProTwin),
    /// A Nitrokey 3.
    Nitrokey3(SecretsTwin),
}

/// What a key holds for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The secret, with its next counter.
    Hotp(u64),
    /// The secret, with time to move its codes.
    Totp,
}

impl Key {
    /// A key with something foreign in it.
    pub fn new(sort: Sort, firmware: Firmware, serial: u32, seed: u64) -> Result<Self, String> {
        let twin = match sort {
            Sort::YubiKey => {
                let model = yubikey::Model::new(firmware, serial).map_err(|error| error.to_string())?;
                let mut key = YubiKeyTwin::new(model, seed);
                key.occupy(FOREIGN, None);
                Twin::YubiKey(key)
            }
            Sort::NitrokeyPro(product) => {
                let model =
                    nitrokey_pro::Model::new(product, firmware, serial).map_err(|error| error.to_string())?;
                let mut key = NitrokeyProTwin::new(model, seed);
                for kind in [Kind::Hotp, Kind::Totp] {
                    key.occupy(Place { kind, slot: FOREIGN }, FOREIGN_SECRET);
                }
                Twin::NitrokeyPro(key)
            }
            Sort::Nitrokey3 => {
                let Firmware { major, minor, build } = firmware;
                let firmware = Some([major, minor, build]);
                let mut key = SecretsTwin::new(nitrokey3::Model { serial, firmware, seed });
                key.occupy(FOREIGN_NAME, FOREIGN_SECRET);
                Twin::Nitrokey3(key)
            }
        };
        let foreign = match &twin {
            Twin::YubiKey(key) => configuration(key, FOREIGN),
            _ => String::new(),
        };
        Ok(Self { twin, tries: TRIES_LEFT, pin: FACTORY_PIN.to_owned(), foreign, sold: String::new() })
    }

    /// A YubiKey as it is sold: nothing of others, and in slot 1 a Yubico OTP of the maker.
    pub fn as_sold(firmware: Firmware, serial: u32, seed: u64) -> Result<Self, String> {
        let model = yubikey::Model::new(firmware, serial).map_err(|error| error.to_string())?;
        let key = YubiKeyTwin::sold(model, seed);
        let sold = configuration(&key, OURS);
        let (twin, pin) = (Twin::YubiKey(key), FACTORY_PIN.to_owned());
        // What no configuration looks like.
        Ok(Self { twin, tries: TRIES_LEFT, pin, foreign: "nothing".to_owned(), sold })
    }

    /// Whether it holds what it was sold with, if it was sold with anything.
    pub fn holds_what_it_was_sold_with(&self) -> bool {
        match &self.twin {
            Twin::YubiKey(key) => self.sold.is_empty() || configuration(key, OURS) == self.sold,
            _ => true,
        }
    }

    pub const fn twin(&self) -> &Twin {
        &self.twin
    }

    /// The twin, if it is a YubiKey.
    pub const fn yubikey(&mut self) -> Option<&mut YubiKeyTwin> {
        match &mut self.twin {
            Twin::YubiKey(key) => Some(key),
            _ => None,
        }
    }

    /// The twin, if it is of the Pro family.
    pub const fn nitrokey_pro(&mut self) -> Option<&mut NitrokeyProTwin> {
        match &mut self.twin {
            Twin::NitrokeyPro(key) => Some(key),
            _ => None,
        }
    }

    /// The twin, if it is a Nitrokey 3.
    pub const fn nitrokey3(&mut self) -> Option<&mut SecretsTwin> {
        match &mut self.twin {
            Twin::Nitrokey3(key) => Some(key),
            _ => None,
        }
    }

    /// What can be done to any key.
    pub fn plugged(&mut self) -> &mut dyn KeyTwin {
        match &mut self.twin {
            Twin::YubiKey(key) => key,
            Twin::NitrokeyPro(key) => key,
            Twin::Nitrokey3(key) => key,
        }
    }

    /// Its USB ids; `None` when it has no USB interface.
    pub fn ids(&self) -> Option<(u16, u16)> {
        match &self.twin {
            Twin::YubiKey(key) => Some((VENDOR, key.product_id()?)),
            Twin::NitrokeyPro(key) => Some(key.model().usb_ids()),
            Twin::Nitrokey3(_) => Some(nitrokey3::Model::USB_IDS),
        }
    }

    /// Nothing goes wrong with it any more.
    pub fn calm(&mut self) {
        match &mut self.twin {
            Twin::YubiKey(key) => key.set_faults(yubikey::Faults::default()),
            Twin::NitrokeyPro(key) => key.set_faults(nitrokey_pro::Faults::default()),
            Twin::Nitrokey3(key) => key.set_faults(nitrokey3::Faults::default()),
        }
    }

    /// Pulls it out and plugs it in again.
    pub fn replug(&mut self) -> Result<(), TwinError> {
        self.plugged().power()
    }

    /// Gives it a PIN of its owner, with so many tries left: the administrator's of the
    /// Pro family, the only one of a Nitrokey 3.
    pub fn set_pin(&mut self, pin: &str, tries: u8) {
        match &mut self.twin {
            Twin::YubiKey(_) => {}
            Twin::NitrokeyPro(key) => key.set_admin_pin(pin, tries),
            Twin::Nitrokey3(key) => key.set_pin(pin, tries),
        }
        self.tries = TRIES_LEFT.min(tries);
        pin.clone_into(&mut self.pin);
    }

    /// How often that PIN may still be wrong; 0 where there is none.
    pub fn tries(&self) -> u8 {
        match &self.twin {
            Twin::YubiKey(_) => 0,
            Twin::NitrokeyPro(key) => key.admin_tries(),
            Twin::Nitrokey3(key) => key.pin_tries().unwrap_or_default(),
        }
    }

    /// Whether it has the administrator's PIN that it had at first, or one of these.
    pub fn has_known_pin<'a>(&'a self, mut others: impl Iterator<Item = &'a str>) -> bool {
        self.pin_is(&self.pin) || others.any(|pin| self.pin_is(pin))
    }

    /// Whether that is the administrator's PIN, where it has one.
    pub fn pin_is(&self, pin: &str) -> bool {
        match &self.twin {
            Twin::YubiKey(_) | Twin::Nitrokey3(_) => true,
            Twin::NitrokeyPro(key) => key.admin_pin_is(pin),
        }
    }

    /// Whether a PIN of its ever had fewer tries left than the station may leave.
    pub fn pin_was_at_risk(&self) -> bool {
        match &self.twin {
            Twin::YubiKey(_) => false,
            Twin::NitrokeyPro(key) => key.fewest_tries() < self.tries,
            Twin::Nitrokey3(key) => key.fewest_tries() < self.tries,
        }
    }

    /// A digest of all that it keeps without power; two keys of which it is equal go on
    /// alike.
    pub fn kept(&self) -> [u8; 32] {
        let digest = match &self.twin {
            Twin::YubiKey(key) => Sha256::digest(key.save().as_bytes()),
            Twin::NitrokeyPro(key) => Sha256::digest(key.describe()),
            Twin::Nitrokey3(key) => Sha256::digest(key.describe()),
        };
        digest.into()
    }

    /// What it holds of others.
    pub fn foreign(&self) -> String {
        match &self.twin {
            Twin::YubiKey(_) => format!("{:?}", self.foreign_slot()),
            Twin::NitrokeyPro(key) => [Kind::Hotp, Kind::Totp]
                .map(|kind| Place { kind, slot: FOREIGN })
                .map(|place| format!("{:?} {}", key.slot(place), key.slot_holds(place, FOREIGN_SECRET)))
                .join(" "),
            Twin::Nitrokey3(key) => format!("{:?}", key.holder_of(FOREIGN_SECRET)),
        }
    }

    /// Where a YubiKey holds what somebody else had put into it.
    pub fn foreign_slot(&self) -> Option<Slot> {
        let Twin::YubiKey(key) = &self.twin else { return None };
        [Slot(1), Slot(2)].into_iter().find(|slot| configuration(key, *slot) == self.foreign)
    }

    /// Whether it holds anything that is not of others.
    pub fn holds_ours(&self) -> bool {
        self.ours().is_some()
    }

    /// In which slot it holds something that is not of others.
    pub fn ours(&self) -> Option<Slot> {
        let held = match &self.twin {
            Twin::YubiKey(key) => {
                let slots = key.snapshot().slots;
                let occupied = |slot: &Slot| slots.get(usize::from(slot.0) - 1).is_some_and(Option::is_some);
                let foreign = self.foreign_slot();
                let theirs = |slot: &Slot| {
                    Some(*slot) == foreign || !self.sold.is_empty() && configuration(key, *slot) == self.sold
                };
                return [Slot(1), Slot(2)].into_iter().find(|slot| !theirs(slot) && occupied(slot));
            }
            Twin::NitrokeyPro(key) => [Kind::Hotp, Kind::Totp]
                .into_iter()
                .any(|kind| key.slot(Place { kind, slot: OURS }).is_some()),
            Twin::Nitrokey3(key) => key.credentials().iter().any(|view| view.label != FOREIGN_NAME),
        };
        held.then_some(OURS)
    }

    /// Its name in journal and run.
    pub fn family(&self) -> Family {
        match &self.twin {
            Twin::YubiKey(_) => Family::YubiKeyOtp,
            Twin::NitrokeyPro(_) => Family::NitrokeyPro,
            Twin::Nitrokey3(_) => Family::Nitrokey3,
        }
    }

    /// What it holds for a secret; `None` when it does not have it.
    pub fn held(&self, secret: &[u8]) -> Option<Held> {
        match &self.twin {
            Twin::YubiKey(key) => {
                [Slot(1), Slot(2)].into_iter().zip(key.snapshot().slots).find_map(|(slot, view)| {
                    let view = view.filter(|_| key.slot_holds(slot, secret))?;
                    Some(Held::Hotp(view.hotp_counter))
                })
            }
            Twin::NitrokeyPro(key) => {
                let places = [(Kind::Hotp, 3), (Kind::Totp, 15)]
                    .into_iter()
                    .flat_map(|(kind, count)| (0..count).map(move |slot| Place { kind, slot: Slot(slot) }));
                let holds = |place: &Place| key.slot_holds(*place, secret);
                let place = places.into_iter().find(holds)?;
                Some(if place.kind == Kind::Totp { Held::Totp } else { Held::Hotp(key.slot(place)?.counter) })
            }
            Twin::Nitrokey3(key) => {
                let view = key.holder_of(secret)?;
                Some(if view.totp { Held::Totp } else { Held::Hotp(view.counter.into()) })
            }
        }
    }
}

/// What a slot of a YubiKey does, in words to be compared. (What wipes itself says nothing of
/// itself.)
fn configuration(key: &YubiKeyTwin, slot: Slot) -> String {
    key.config52(slot).map_or_else(String::new, |config| format!("{:?}", *config))
}
