//! The smart card inside, as far as its PINs go.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// How often a PIN may be wrong.
const TRIES: u8 = 3;

/// A PIN and its count.
#[derive(Clone)]
pub(super) struct CardPin {
    text: Zeroizing<Vec<u8>>,
    pub(super) tries: u8,
    shortest: usize,
}

impl CardPin {
    fn new(text: &[u8], shortest: usize) -> Self {
        Self { text: Zeroizing::new(text.to_vec()), tries: TRIES, shortest }
    }

    /// Presents a PIN. A blocked one is wrong, whatever it is.
    pub(super) fn verify(&mut self, presented: &[u8]) -> bool {
        if self.tries == 0 {
            return false;
        }
        let right = presented == self.text.as_slice();
        self.tries = if right { TRIES } else { self.tries - 1 };
        right
    }

    pub(super) fn is(&self, text: &[u8]) -> bool {
        text == self.text.as_slice()
    }

    /// Sets a new one, if it is long enough.
    pub(super) fn change(&mut self, new: &[u8]) -> bool {
        let fits = new.len() >= self.shortest;
        if fits {
            self.text = Zeroizing::new(new.to_vec());
            self.tries = TRIES;
        }
        fits
    }
}

#[derive(Clone)]
pub(super) struct Card {
    pub(super) admin: CardPin,
    pub(super) user: CardPin,
}

impl Card {
    /// As it is sold: user 123456, administrator 12345678.
    pub(super) fn new() -> Self {
        Self { admin: CardPin::new(b"12345678", 8), user: CardPin::new(b"123456", 6) }
    }
}

impl Card {
    /// The tries of the PINs, and a digest of each.
    pub(super) fn describe(&self) -> String {
        let pin = |pin: &CardPin| format!("{:x?} {}\n", Sha256::digest(pin.text.as_slice()), pin.tries);
        pin(&self.admin) + &pin(&self.user)
    }
}

/// A field of a report up to its first zero: how the firmware hands PINs on.
pub(super) fn c_string(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_wrong_pins_block_and_one_right_one_resets() {
        let mut pin = CardPin::new(b"12345678", 8);
        assert!(!pin.verify(b"1"));
        assert_eq!(pin.tries, 2);
        assert!(pin.verify(b"12345678"));
        assert_eq!(pin.tries, 3);
        for _ in 0..5 {
            assert!(!pin.verify(b"1"));
        }
        assert_eq!(pin.tries, 0);
        assert!(!pin.verify(b"12345678"));
    }

    #[test]
    fn a_short_pin_is_no_new_one() {
        let mut pin = CardPin::new(b"12345678", 8);
        assert!(!pin.change(b"1234567"));
        assert!(pin.change(b"87654321"));
        assert!(pin.verify(b"87654321"));
    }
}
