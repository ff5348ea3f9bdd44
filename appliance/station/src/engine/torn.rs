//! Codes that did not arrive whole.
//!
//! What a key types comes over USB report by report, and some hosts lose one now and then, or deliver one twice
//! ([`keys::yubikey::typed::is_torn`]). Such a code is the host's fault and not the person's: it is asked for again without using
//! an attempt up, a few times, and is never sent to the server, which would count it as a wrong one.

use keys::device::{HashAlgorithm, Kind};
use keys::modhex;
use keys::otp;
use keys::secret::Seed;
use keys::yubikey::typed::is_torn;
use keys::yubikey::yubico_otp::TypedOtp;
use zeroize::Zeroizing;

use crate::engine::material::Material;
use crate::engine::record::Record;
use crate::engine::server::LOOK_AHEAD;
use crate::profile::Profile;

/// How often a torn code is asked for again without an attempt being used up.
const ASKED_AGAIN: u8 = 5;

/// Letters of the encrypted part of a Yubico OTP, and of a whole one with the public id that stations and makers give it.
pub(crate) const YUBICO: [usize; 2] = [32, 44];

/// Letters of the token id that a key may type before an HOTP code (developers.yubico.com, "OATH token identifier").
const TOKEN_ID: usize = 12;

/// The attempts that the person at the desk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempts {
    most: u8,
    number: u8,
    torn: u8,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Which, from 1.
    pub(crate) number: u8,
    /// How many codes were torn before it.
    pub(crate) torn: u8,
}

impl Attempts {
    /// Those of a profile.
    pub(crate) const fn of(profile: &Profile) -> Self {
        Self { most: profile.attempts, number: 0, torn: 0 }
    }

    /// The next one, as long as there is one.
    pub(crate) const fn next(&mut self) -> Option<Attempt> {
        if self.number >= self.most {
            return None;
        }
        self.number = self.number.saturating_add(1);
        Some(Attempt { number: self.number, torn: self.torn })
    }

    /// The code of the last one was torn: it does not count, as long as that does not go on for ever.
    pub(crate) const fn torn(&mut self) {
        self.torn = self.torn.saturating_add(1);
        if self.torn <= ASKED_AGAIN {
            self.number = self.number.saturating_sub(1);
        }
    }

    /// How many there were, in words.
    pub(crate) fn in_words(self) -> String {
        let attempts =
            if self.number == 1 { "1 attempt".to_owned() } else { format!("{} attempts", self.number) };
        match self.torn {
            0 => attempts,
            1 => format!("{attempts}, 1 torn code"),
            torn => format!("{attempts}, {torn} torn codes"),
        }
    }
}

/// Why a text is no code of a secret that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is another one.
    Wrong,
    /// It is one that did not arrive whole.
    Torn,
    /// As long as a code is, of the right key, and its checksum is wrong: letters were lost and others doubled, or the key has
    /// another secret.
    Checksum,
}

/// What is wrong with a text that `material` does not give. `step` is the time step at which it was asked for.
pub(crate) fn of_material(
    material: &Material,
    text: &str,
    profile: &Profile,
    record: &Record,
    step: u64,
) -> Unfit {
    let torn = match material {
        Material::Seed(seed) => {
            let id = match profile.kind {
                Kind::Hotp => profile.token_id.as_ref().and_then(|id| id.of(record.key)),
                _ => None,
            };
            let id = id.map(|id| id.text()).unwrap_or_default();
            let wanted = id.len().saturating_add(usize::from(profile.digits.count()));
            is_almost(text, &[wanted], !id.is_empty())
                || codes(seed, profile, step)
                    .any(|code| is_torn(&Zeroizing::new([id.as_str(), &code].concat()), text))
        }
        Material::Yubico { public_id, .. } => {
            let id = modhex::encode(public_id);
            let wanted = id.len().saturating_add(YUBICO[0]);
            // Whether the rest is right, nobody can say without the whole of it.
            if TypedOtp::parse(text).is_ok_and(|typed| typed.public_id() == public_id) {
                return Unfit::Checksum;
            }
            let of_another = text.get(..id.len()).is_none_or(|begin| begin != id && !is_torn(&id, begin));
            is_almost(text, &[wanted], true) || (text.len() == wanted && is_modhex(text) && !of_another)
        }
        Material::Password(password) => is_torn(password.expose(), text),
    };
    if torn { Unfit::Torn } else { Unfit::Wrong }
}

/// The codes that a new credential may give.
fn codes<'a>(
    seed: &'a Seed,
    profile: &'a Profile,
    step: u64,
) -> impl Iterator<Item = Zeroizing<String>> + 'a {
    let (numbers, hash) = match profile.kind {
        Kind::Hotp => (0..LOOK_AHEAD, HashAlgorithm::Sha1),
        _ => (step..step.saturating_add(1), profile.hash),
    };
    numbers.map(move |number| Zeroizing::new(otp::hotp(seed, number, profile.digits, hash)))
}

/// Whether a text is a torn code of a secret that is not known here: by its length, and by the token id `id` that the key types
/// first, where that is known; where it is not, there may be any or none. Two exchanged letters of the code itself make another code,
/// and nothing here tells the one from the other.
pub(crate) fn of_unknown(text: &str, kind: Kind, digits: u32, id: Option<&str>) -> bool {
    let digits = usize::try_from(digits).unwrap_or_default();
    match (kind, id) {
        (Kind::YubicoOtp, _) => is_almost(text, &YUBICO, true),
        (Kind::StaticPassword, _) => false,
        (_, Some(id)) => {
            let whole = id.len().saturating_add(digits);
            is_almost(text, &[whole], !id.is_empty())
                || (text.len() == whole && text.get(..id.len()).is_some_and(|begin| is_torn(id, begin)))
        }
        (_, None) => is_almost(text, &[digits, digits.saturating_add(TOKEN_ID)], true),
    }
}

/// Whether a text has the letters of a code, and nearly as many as one of those lengths.
pub(crate) fn is_almost(text: &str, lengths: &[usize], modhex: bool) -> bool {
    let length = text.len();
    let near = |wanted: &usize| length.abs_diff(*wanted) <= wanted / 16 + 1;
    let fits =
        |letter: char| letter.is_ascii_digit() || (modhex && is_modhex(letter.encode_utf8(&mut [0; 4])));
    !lengths.contains(&length) && lengths.iter().any(near) && text.chars().all(fits)
}

fn is_modhex(text: &str) -> bool {
    text.chars().all(|letter| "cbdefghijklnrtuvCBDEFGHIJKLNRTUV".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_code_uses_no_attempt_up_a_few_times() {
        let mut attempts = Attempts::of(&Profile { attempts: 2, ..Profile::new(Kind::Hotp) });
        let mut asked = Vec::new();
        while let Some(attempt) = attempts.next() {
            asked.push((attempt.number, attempt.torn));
            attempts.torn();
        }
        assert_eq!(asked, [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 6)]);
        assert_eq!(attempts.in_words(), "2 attempts, 7 torn codes");
    }

    #[test]
    fn a_code_of_an_unknown_secret_is_torn_by_its_length_and_its_token_id() {
        let torn = |text, kind, id| of_unknown(text, kind, 6, id);
        assert!(torn("75522", Kind::Hotp, None) && torn("7555224", Kind::Hotp, None));
        assert!(!torn("755224", Kind::Hotp, None) && !torn("7552", Kind::Hotp, None));
        assert!(torn("ubud0011223755224", Kind::Hotp, None) && !torn("ubud00112233755224", Kind::Hotp, None));
        assert!(torn("ubud0011223755224", Kind::Hotp, Some("ubud00112233")));
        assert!(!torn("75522", Kind::Hotp, Some("ubud00112233")), "that is too short for it");
        assert!(
            torn("ubud01012233755224", Kind::Hotp, Some("ubud00112233")),
            "two letters of its id are exchanged"
        );
        assert!(!torn("ubud99112233755224", Kind::Hotp, Some("ubud00112233")), "that is another id");
        assert!(!torn("ubud00112233575224", Kind::Hotp, Some("ubud00112233")), "nobody here knows the code");
        assert!(!torn("7552c", Kind::Hotp, Some("")) && torn("75522", Kind::Hotp, Some("")));
        let otp = "ccccccbchvthbknkhfdlikfudjnhfhdivuccgttrvkhu";
        assert!(torn(otp.trim_end_matches('u'), Kind::YubicoOtp, None));
        assert!(
            !torn(otp, Kind::YubicoOtp, None)
                && !torn(otp.trim_start_matches("ccccccbchvth"), Kind::YubicoOtp, None)
        );
        assert!(!torn("correct horse", Kind::StaticPassword, None));
    }
}
