//! What a person or an operator gets on paper or in a file, besides the key: PINs and
//! access codes, as lines of CSV. They are secrets: whoever calls this encrypts them at once.

use keys::secret::Pin;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::access::code_to_hex;
use crate::engine::server::Person;
use crate::engine::step::HandOver;
use crate::token::TokenSerial;

/// The columns of a hand-over line.
pub const COLUMNS: [&str; 8] = ["token", "key", "slot", "user", "realm", "access code", "admin pin", "pin"];

/// The first line of a hand-over table, and the one that belongs to an enrollment.
pub fn table(what: &HandOver) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(512));
    table::write(&mut text, COLUMNS);
    let (key, slot) = (what.key.to_string(), what.slot.to_string());
    let (user, realm) =
        what.person.as_ref().map_or(("", ""), |person| (person.user.as_str(), person.realm.as_str()));
    let code = what.access_code.as_ref().map(|code| code_to_hex(code)).unwrap_or_default();
    let [admin, pin] = [&what.admin_pin, &what.pin].map(|pin| pin.as_ref().map_or("", |pin| pin.expose()));
    table::write(&mut text, [what.token.as_str(), &key, &slot, user, realm, &code, admin, pin]);
    text
}

/// Whose token it is, for enrolling without a server.
pub fn owner(token: &TokenSerial, person: &Person) -> String {
    let mut text = String::new();
    table::write(&mut text, ["token", "user", "realm"]);
    table::write(&mut text, [token.as_str(), &person.user, &person.realm]);
    text
}

/// A random PIN of 4 to 12 digits, every one as likely as any other.
pub fn random_pin(digits: u8, rng: &mut impl CryptoRng) -> Option<Pin> {
    let digits = usize::from(digits.clamp(4, 12));
    let mut text = Zeroizing::new(String::with_capacity(12));
    let mut bytes = Zeroizing::new([0_u8; 64]);
    // A source that gives nothing but useless bytes is none; it must not hang here.
    for _ in 0..16 {
        rng.fill_bytes(bytes.as_mut());
        // Of 256 values, 250 are a multiple of ten.
        let fair = bytes.iter().filter(|byte| **byte < 250).map(|byte| char::from(b'0' + byte % 10));
        let missing = digits.saturating_sub(text.len());
        text.extend(fair.take(missing));
        if text.len() == digits {
            return Pin::new(text).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn pins_have_every_digit_and_the_wanted_length() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let mut seen = [0_u32; 10];
        for _ in 0..2_000 {
            let pin = random_pin(6, &mut rng).unwrap();
            assert_eq!(pin.expose().len(), 6);
            pin.expose().bytes().for_each(|digit| seen[usize::from(digit - b'0')] += 1);
        }
        // 1200 of each are expected; five standard deviations are 164.
        assert!(seen.iter().all(|count| (1_036..1_364).contains(count)), "{seen:?}");
    }
}
