//! The app's part of a secret made in two steps, as a person types it in: *base32check*,
//! that is base32 of the part behind the first four bytes of its SHA-1, so that a typo shows.

use keys::secret::Seed;
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Bytes of the checksum in front of the part.
const CHECK: usize = 4;

/// What is wrong with what was typed in. Places are counted from 1, without blanks and dashes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Typo {
    /// A letter that there is none of.
    #[error("letter {place} is '{got}', and there are only A to Z and 2 to 7{}", looks_like(*got))]
    Letter {
        place: usize,
        /// What stands there.
        got: char,
    },
    /// Too few or too many letters.
    #[error("it has {got} letters instead of {wanted}")]
    Length {
        /// How many it has.
        got: usize,
        /// How many it should have.
        wanted: usize,
    },
    /// One letter is wrong, and this would be right.
    #[error("letter {place} should probably be {meant}")]
    Wrong {
        place: usize,
        /// What it should be.
        meant: char,
    },
    /// Two letters next to each other are the wrong way round.
    #[error("letters {place} and {} are probably the wrong way round", place + 1)]
    Swapped {
        /// Where the first one is.
        place: usize,
    },
    /// More than one letter is wrong.
    #[error("more than one letter is wrong; compare it with the phone")]
    Several,
}

fn looks_like(got: char) -> &'static str {
    match got {
        '0' => "; O is meant, or Q",
        '1' => "; I is meant, or L",
        '8' => "; B is meant",
        '9' => "; G is meant, or Q",
        _ => "",
    }
}

/// How many letters a part of so many bytes has.
pub(super) const fn letters(part: usize) -> usize {
    ((CHECK + part) * 8).div_ceil(5)
}

/// Reads the app's part of `part` bytes. Blanks, dashes and the letters' case do not matter.
///
/// # Errors
/// The typo, named as exactly as can be.
pub fn read_component(text: &str, part: usize) -> Result<Seed, Typo> {
    let mut values = Zeroizing::new(Vec::with_capacity(text.len()));
    let plain = |c: &char| !c.is_whitespace() && !matches!(c, '-' | '=');
    for (at, letter) in text.chars().filter(plain).enumerate() {
        let upper = letter.to_ascii_uppercase();
        match LETTERS.iter().position(|known| char::from(*known) == upper) {
            Some(value) => values.push(u8::try_from(value).unwrap_or(0)),
            None => return Err(Typo::Letter { place: at + 1, got: letter }),
        }
    }
    let wanted = letters(part);
    if values.len() != wanted {
        return Err(Typo::Length { got: values.len(), wanted });
    }
    if let Some(seed) = decode(&values, part) {
        return Ok(seed);
    }
    Err(find(&mut values, part))
}

/// The part, when its checksum is right. Bits of the last letter that hold nothing may be any,
/// as servers take them.
fn decode(values: &[u8], part: usize) -> Option<Seed> {
    let mut whole = Zeroizing::new(Vec::with_capacity(CHECK + part));
    let (mut bits, mut held) = (0_u32, 0);
    for value in values {
        bits = bits << 5 | u32::from(*value);
        held += 5;
        if held >= 8 {
            held -= 8;
            whole.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    let (check, part) = whole.get(..CHECK + part)?.split_at_checked(CHECK)?;
    (Sha1::digest(part).get(..CHECK) == Some(check)).then(|| Seed::new(part).ok())?
}

/// Which single mistake would explain a wrong checksum. Of all that are tried, a wrong one fits by
/// chance once in some millions.
fn find(values: &mut [u8], part: usize) -> Typo {
    for at in 0..values.len().saturating_sub(1) {
        values.swap(at, at + 1);
        let right = decode(values, part).is_some();
        values.swap(at, at + 1);
        if right {
            return Typo::Swapped { place: at + 1 };
        }
    }
    for at in 0..values.len() {
        let Some(typed) = values.get(at).copied() else { break };
        for (value, letter) in (0_u8..).zip(LETTERS) {
            if let Some(place) = values.get_mut(at) {
                *place = value;
            }
            if decode(values, part).is_some() {
                return Typo::Wrong { place: at + 1, meant: char::from(*letter) };
            }
        }
        if let Some(place) = values.get_mut(at) {
            *place = typed;
        }
    }
    Typo::Several
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Accepted by a privacyIDEA 3.14.
    const TEXT: &str = "3VLYHPABAIBQIBIGA4EA";

    #[test]
    fn the_vector_of_a_real_server_and_its_typos() {
        assert_eq!(read_component(TEXT, 8).unwrap().expose(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(read_component(" 3vly-hpab aibq-ibig a4ea ", 8).is_ok());
        let typo = |text: &str| read_component(text, 8).map(drop).unwrap_err();
        assert_eq!(typo("3VLYHPABA1BQIBIGA4EA"), Typo::Letter { place: 10, got: '1' });
        assert!(typo("3VLYHPABA1BQIBIGA4EA").to_string().ends_with("I is meant, or L"));
        assert_eq!(typo("3VLYHPABAIBQIBIGA4E"), Typo::Length { got: 19, wanted: 20 });
        assert_eq!(typo("3VLYHPABAIBQIBIGB4EA"), Typo::Wrong { place: 17, meant: 'A' });
        assert_eq!(typo("V3LYHPABAIBQIBIGA4EA"), Typo::Swapped { place: 1 });
        assert_eq!(typo("V3LYHPABAIBQIBIGB4EA"), Typo::Several);
        assert_eq!(letters(8), 20);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), part in 1_usize..65) {
            let _ = read_component(&text, part);
        }

        #[test]
        fn any_single_mistake_is_found(at in 0_usize..19, letter in 0_usize..32) {
            let mut text: Vec<char> = TEXT.chars().collect();
            let right = text[at];
            text[at] = char::from(LETTERS[letter]);
            let text: String = text.into_iter().collect();
            match read_component(&text, 8) {
                Ok(_) => prop_assert_eq!(text, TEXT),
                Err(typo) => prop_assert_eq!(typo, Typo::Wrong { place: at + 1, meant: right }),
            }
        }
    }
}
