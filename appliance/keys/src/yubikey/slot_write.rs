//! The payload of the write and update commands: what the slot shall hold, and
//! the access code that it has now.

use super::config::{CONFIG, SlotConfig};
use super::frame::Payload;
use crate::secret::AccessCode;
use zeroize::Zeroizing;

/// What becomes of the slot.
pub enum Change {
    /// It is emptied: 52 zeros, even without a CRC.
    Delete,
    /// It holds this, or is updated by it.
    Configure(SlotConfig),
}

/// A configuration, or its deletion, with the access code that the slot has now
/// (all zero for none), behind each other in 58 bytes.
///
/// A slot with another code refuses silently.
pub struct SlotWrite {
    /// What becomes of the slot.
    pub change: Change,
    /// What guards it now.
    pub current: AccessCode,
}

impl SlotWrite {
    /// Puts `config` into a slot guarded by `current`.
    pub fn configure(config: SlotConfig, current: &AccessCode) -> Self {
        Self { change: Change::Configure(config), current: AccessCode::from_array(current.expose()) }
    }

    /// Empties a slot guarded by `current`.
    pub fn delete(current: &AccessCode) -> Self {
        Self { change: Change::Delete, current: AccessCode::from_array(current.expose()) }
    }

    pub fn payload(&self) -> Payload {
        let config = match &self.change {
            Change::Delete => Zeroizing::new([0; CONFIG]),
            Change::Configure(config) => config.encode(),
        };
        Payload::of((&*config, self.current.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Digits;
    use crate::secret::Seed;

    #[test]
    fn both_access_codes_have_their_place() {
        let seed = Seed::new(&[1; 20]).unwrap();
        let new = AccessCode::new(b"newnew").unwrap();
        let config = SlotConfig::hotp(&seed, Digits::Six).unwrap().with_new_code(&new);
        let payload = SlotWrite::configure(config, &AccessCode::new(b"oldold").unwrap()).payload();
        assert_eq!(payload.bytes()[38..44], *b"newnew");
        assert_eq!(payload.bytes()[52..58], *b"oldold");
        assert_eq!(payload.bytes()[58..], [0; 6]);
    }
}
