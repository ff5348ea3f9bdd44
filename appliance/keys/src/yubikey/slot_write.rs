//! The payload of the write and update commands: what the slot shall hold, and
//! the access code that it has now.

use super::config::{CONFIG, ConfigError, SlotConfig};
use super::frame::{PAYLOAD, Payload};
use crate::bytes::take;
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

    /// The payload.
    pub fn payload(&self) -> Payload {
        let config = match &self.change {
            Change::Delete => Zeroizing::new([0; CONFIG]),
            Change::Configure(config) => config.encode(),
        };
        let mut bytes = Zeroizing::new([0; PAYLOAD]);
        for (to, from) in bytes.iter_mut().zip(config.iter().chain(self.current.expose())) {
            *to = *from;
        }
        Payload::from_array(&bytes)
    }

    /// Reads a payload as the key does. The six bytes behind the access code
    /// are not looked at.
    pub fn parse(payload: &[u8; PAYLOAD]) -> Result<Self, ConfigError> {
        let mut rest = payload.as_slice();
        // 64 bytes hold both, so no `take` comes back empty.
        let config = Zeroizing::new(take::<CONFIG>(&mut rest).unwrap_or([0; CONFIG]));
        let current = AccessCode::from_array(&take(&mut rest).unwrap_or_default());
        let change = if config.iter().all(|&byte| byte == 0) {
            Change::Delete
        } else {
            Change::Configure(SlotConfig::parse(&config)?)
        };
        Ok(Self { change, current })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Digits;
    use crate::secret::Seed;
    use proptest::prelude::*;

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

    #[test]
    fn deletion_is_told_apart_by_its_zeros_although_it_has_no_crc() {
        let code = AccessCode::new(&[1, 2, 3, 4, 5, 6]).unwrap();
        let again = SlotWrite::parse(SlotWrite::delete(&code).payload().bytes()).unwrap();
        assert!(matches!(again.change, Change::Delete));
        assert!(again.current.same_as(&code));
    }

    proptest! {
        #[test]
        fn any_payload_is_read_or_refused(payload in prop::collection::vec(any::<u8>(), 64)) {
            let payload: [u8; 64] = payload.try_into().unwrap();
            if let Ok(write) = SlotWrite::parse(&payload) {
                prop_assert!(write.payload().bytes()[..58] == payload[..58]);
            }
        }
    }
}
