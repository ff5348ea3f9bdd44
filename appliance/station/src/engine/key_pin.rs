//! A PIN of its own for each key: random, and with its owner before the key has it.
//!
//! A PIN that is lost makes a key useless for whoever administers it, and a journal
//! must not hold it. So it goes into the hand-over file first, and the key gets it
//! last, when its token counts. Should the power go between the two, the key still
//! has the PIN that it had, and the file holds one more than is needed.

use std::sync::Arc;

use keys::device::{KeyError, Operation};
use keys::secret::Pin;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::engine::flow::FlowContext;
use crate::engine::outcome::{NewKeyPin, Order};
use crate::engine::record::Record;
use crate::engine::step::{HandOver, KeyFault};
use crate::profile::KeyPin;
use crate::refusal::{Code, Refusal};

/// Letters and digits that are not taken for one another, 31 of them.
const LETTERS: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// Sixteen of them are 79 bits. Keys take at least 20 (Nitrokey Storage), and want at least 8.
const LENGTH: usize = 16;

/// Gives the key a PIN of its own, where the profile wants that and keys have one.
///
/// A refusal means that the key has the PIN that it had.
pub(crate) async fn renew(
    cx: &FlowContext,
    order: &Order,
    rng: &mut impl CryptoRng,
    record: &Record,
) -> Result<NewKeyPin, Refusal> {
    if order.profile.key_pin != KeyPin::Random || record.key.family.factory_pin().is_none() {
        return Ok(NewKeyPin::None);
    }
    let Some(old) = order.pin_of_key(record.key.family) else {
        return Err(Refusal::new(Code::KeyPin, "nobody gave the one that the key has now"));
    };
    let text = random(rng);
    let (Ok(new), Ok(same)) = (Pin::new(text.clone()), Pin::new(text)) else {
        return Err(Refusal::new(Code::Internal, "a PIN that is none"));
    };
    let new = Arc::new(new);
    let mut what = HandOver::of(record);
    what.admin_pin = Some(Arc::clone(&new));
    cx.hand_over(what).await?;
    match cx.key(Operation::ChangePin { old: Some(old), new: same }).await {
        Ok(_) => Ok(NewKeyPin::Changed(new)),
        Err(KeyFault::Protocol(error)) if unchanged(&error) => {
            Err(Refusal::new(Code::KeyPin, error.to_string()))
        }
        // Which one it has, whoever owns it can try out. That the old one is wrong, where
        // it was right a moment ago, means that an answer was lost.
        Err(_) => Ok(NewKeyPin::Unknown(new)),
    }
}

/// Whether a key certainly has the PIN that it had after this.
const fn unchanged(error: &KeyError) -> bool {
    matches!(
        error,
        KeyError::PinAtRisk { .. } | KeyError::PinNeeded(_) | KeyError::AnotherKey | KeyError::DoesNotFit(_)
    )
}

/// A random PIN; every one is as likely as any other.
fn random(rng: &mut impl CryptoRng) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(LENGTH));
    let mut byte = Zeroizing::new([0_u8; 1]);
    while text.len() < LENGTH {
        rng.fill_bytes(byte.as_mut());
        let [number] = *byte;
        // 248 is the largest multiple of 31 that fits.
        if let (Some(letter), true) = (LETTERS.get(usize::from(number % 31)), number < 248) {
            text.push(char::from(*letter));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn random_pins_are_long_different_and_of_letters_that_can_be_read() {
        let mut rng = StdRng::seed_from_u64(1);
        let pins: Vec<_> = (0..200).map(|_| random(&mut rng)).collect();
        for pin in &pins {
            assert_eq!(pin.len(), LENGTH);
            assert!(pin.bytes().all(|letter| LETTERS.contains(&letter)), "{}", pin.as_str());
        }
        let all: std::collections::BTreeSet<&str> = pins.iter().map(|pin| pin.as_str()).collect();
        assert_eq!(all.len(), 200);
        // Each letter comes up: 3200 of 31.
        assert!(LETTERS.iter().all(|letter| pins.iter().any(|pin| pin.as_bytes().contains(letter))));
    }
}
