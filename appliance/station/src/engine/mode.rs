//! Whether a key that was plugged in is enrolled, and by which profile: what the
//! mode, the run and people want, decided by values alone.

use core::cmp::Ordering;
use core::fmt;

use keys::device::{Digits, Family, Firmware, KeyInfo};
use serde::{Deserialize, Serialize};

use crate::engine::run::Claim;
use crate::profile::Profile;
use crate::refusal::{Code, Refusal};

/// What the station does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Whatever is inserted is enrolled by the profile that fits it.
    Armed,
    /// It waits for an operator: a run, or a word for this key.
    Attended,
    /// Nothing happens until an operator has supplied the server's credential.
    Locked,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Armed, Self::Attended, Self::Locked];

    /// The word for it in configuration, JSON and the shell.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Attended => "attended",
            Self::Locked => "locked",
        }
    }

    /// The mode of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }

    /// The mode after an operator has supplied the server's credential.
    #[must_use]
    pub const fn with_credential(self) -> Self {
        match self {
            Self::Locked => Self::Attended,
            mode => mode,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// All that is asked when a key is there.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    pub mode: Mode,
    /// Whether there is a server to speak to.
    pub server: bool,
    /// Whether an operator wants this very key enrolled.
    pub wished: bool,
    /// What the present run says of the key, when there is one.
    pub run: Option<&'a Claim>,
}

/// Why a key is enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// An operator wants this key enrolled.
    Wish,
    /// It belongs to the present run.
    Run,
    /// The station is armed.
    Armed,
}

impl Why {
    /// Whether the engine may be told that an operator confirmed overwriting.
    /// `confirmed` is what the operator said when the run was started or the wish
    /// made. Nobody confirms for a station that is merely armed.
    pub const fn may_overwrite(self, confirmed: bool) -> bool {
        confirmed && !matches!(self, Self::Armed)
    }
}

/// What a key waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The station is locked.
    Locked,
    /// The station has no credential for the server.
    Credential,
    /// An operator has to say what is to be done.
    Operator,
    /// All that is left of the run is in work in other ports.
    Run,
}

/// What is done with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Enroll(Why),
    /// Nothing yet.
    Wait(Wait),
    /// Nothing, and somebody should know.
    Refuse(Refusal),
}

/// What is to be done with a key in this situation.
pub fn decide(situation: Situation<'_>) -> Decision {
    let Situation { mode, server, wished, run } = situation;
    if mode == Mode::Locked {
        return Decision::Wait(Wait::Locked);
    }
    if !server {
        return Decision::Wait(Wait::Credential);
    }
    if wished {
        return Decision::Enroll(Why::Wish);
    }
    match (run, mode) {
        (Some(Claim::Take(_)), _) => Decision::Enroll(Why::Run),
        (Some(Claim::Full), _) => Decision::Wait(Wait::Run),
        (Some(Claim::Refuse(refusal)), _) => Decision::Refuse(refusal.clone()),
        (None, Mode::Armed) => Decision::Enroll(Why::Armed),
        (None, _) => Decision::Wait(Wait::Operator),
    }
}

/// A profile with its name and the keys that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedProfile {
    pub name: String,
    /// Which keys it is for.
    pub fits: Fits,
    pub profile: Profile,
}

/// Which keys a profile is for: the table `match` of a profile. What is left out fits every key.
///
/// ```toml
/// match = { vendor = "yubico", model = "5", firmware = ">=5.2.3, <5.7" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fits {
    /// `yubico`, `nitrokey` or `purism`; case does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// A part of what a person calls it, such as `pro 2`; case does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Firmwares>,
}

impl Fits {
    /// Whether a key is meant.
    pub fn fits(&self, info: &KeyInfo) -> bool {
        let vendor = self.vendor.as_ref().is_none_or(|wanted| vendor(info).eq_ignore_ascii_case(wanted));
        let model = self
            .model
            .as_ref()
            .is_none_or(|part| info.model.to_lowercase().contains(&part.trim().to_lowercase()));
        vendor && model && self.firmware.as_ref().is_none_or(|wanted| wanted.contain(info.firmware))
    }

    /// How much it asks for: a profile that asks for more is meant more precisely.
    fn weight(&self) -> usize {
        usize::from(self.vendor.is_some())
            + usize::from(self.model.is_some())
            + usize::from(self.firmware.is_some())
    }
}

/// Who made a key, as `match.vendor` names it.
pub fn vendor(info: &KeyInfo) -> &'static str {
    match info.family {
        Family::YubiKeyOtp => "Yubico",
        // Purism's Librem Key speaks the Nitrokey Pro's protocol.
        _ if info.model.starts_with("Librem") => "Purism",
        _ => "Nitrokey",
    }
}

/// The profile for a key that nobody chose one for: of those that fit and whose
/// credential the key can hold, the one that asks for most; `default` decides
/// between equals.
pub fn choose<'a>(
    profiles: &'a [NamedProfile],
    default: Option<&str>,
    info: &KeyInfo,
) -> Result<&'a NamedProfile, Refusal> {
    let able = profiles.iter().filter(|named| named.fits.fits(info) && able(info, &named.profile));
    let most = able.clone().map(|named| named.fits.weight()).max().unwrap_or(0);
    let best: Vec<_> = able.filter(|named| named.fits.weight() == most).collect();
    match *best.as_slice() {
        [] => {
            let text = format!("{} {} with firmware {}", vendor(info), info.model, info.firmware);
            Err(Refusal::new(Code::NoProfileFits, text))
        }
        [only] => Ok(only),
        [first, second, ..] => {
            best.iter().copied().find(|named| Some(named.name.as_str()) == default).ok_or_else(|| {
                Refusal::new(Code::ProfilesTie, format!("'{}' and '{}'", first.name, second.name))
            })
        }
    }
}

/// Whether the key can hold what the profile wants, as far as profiles can be told apart by it.
fn able(info: &KeyInfo, profile: &Profile) -> bool {
    info.ability(profile.kind, profile.slot).is_some_and(|ability| {
        profile.hash <= ability.best_hash && (profile.digits == Digits::Six || ability.eight_digits)
    })
}

/// A set of firmware versions: conditions that must all hold, such as `>=5.2.3, <5.7`.
///
/// A condition is `>=`, `<=`, `>`, `<` or nothing before one to three numbers. `5.4`
/// alone means every 5.4.x, and comparisons look only at the numbers that are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Firmwares {
    conditions: Vec<Condition>,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    allowed: &'static [Ordering],
    numbers: Vec<u8>,
}

/// Text that is no set of firmware versions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no set of firmware versions such as '5.4' or '>=5.2.3, <5.7'")]
pub struct NotFirmwares(String);

impl Firmwares {
    /// Whether a version is in the set.
    pub fn contain(&self, firmware: Firmware) -> bool {
        let numbers = [firmware.major, firmware.minor, firmware.build];
        self.conditions.iter().all(|condition| {
            let written = numbers.iter().take(condition.numbers.len());
            condition.allowed.contains(&written.cmp(condition.numbers.iter()))
        })
    }
}

impl TryFrom<String> for Firmwares {
    type Error = NotFirmwares;

    fn try_from(text: String) -> Result<Self, NotFirmwares> {
        const SIGNS: [(&str, &[Ordering]); 4] = [
            (">=", &[Ordering::Greater, Ordering::Equal]),
            ("<=", &[Ordering::Less, Ordering::Equal]),
            (">", &[Ordering::Greater]),
            ("<", &[Ordering::Less]),
        ];
        let condition = |part: &str| {
            let part = part.trim();
            let (allowed, version) = SIGNS
                .iter()
                .find_map(|(sign, allowed)| Some((*allowed, part.strip_prefix(sign)?.trim_start())))
                .unwrap_or((&[Ordering::Equal], part));
            let numbers: Vec<u8> = version.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
            let plain = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            (plain && numbers.len() <= 3).then_some(Condition { allowed, numbers })
        };
        match text.split(',').map(condition).collect() {
            Some(conditions) => Ok(Self { conditions, text }),
            None => Err(NotFirmwares(text)),
        }
    }
}

impl From<Firmwares> for String {
    fn from(firmwares: Firmwares) -> Self {
        firmwares.text
    }
}

#[cfg(test)]
mod tests {
    use keys::device::{Ability, HashAlgorithm, Kind, Lock, Occupancy, ProofWay, Slot, SlotState};

    use super::*;

    fn info(model: &str, firmware: Firmware) -> KeyInfo {
        let ability = Ability {
            kind: Kind::Hotp,
            eight_digits: true,
            best_hash: HashAlgorithm::Sha1,
            longest_seed: 20,
            proof: ProofWay::TypedShort,
            guards: &[],
        };
        let slot =
            SlotState { slot: Slot(1), occupancy: Occupancy::Empty, abilities: vec![ability], label: None };
        KeyInfo {
            family: Family::YubiKeyOtp,
            model: model.to_owned(),
            serial: None,
            firmware,
            slots: vec![slot],
            named: None,
            lock: Lock::Open,
            form_factor: None,
            fips: None,
            config_locked: false,
        }
    }

    fn named(name: &str, fits: &str) -> NamedProfile {
        let profile = Profile::new(Kind::Hotp);
        NamedProfile { name: name.to_owned(), fits: toml::from_str(fits).unwrap(), profile }
    }

    #[test]
    fn nothing_is_done_unasked_unless_armed() {
        let all = |mode, server, wished, run: Option<&Claim>| decide(Situation { mode, server, wished, run });
        let take = Claim::Take(None);
        assert_eq!(all(Mode::Locked, true, true, Some(&take)), Decision::Wait(Wait::Locked));
        assert_eq!(all(Mode::Armed, false, true, Some(&take)), Decision::Wait(Wait::Credential));
        assert_eq!(all(Mode::Attended, true, false, None), Decision::Wait(Wait::Operator));
        assert_eq!(all(Mode::Attended, true, true, None), Decision::Enroll(Why::Wish));
        assert_eq!(all(Mode::Attended, true, false, Some(&take)), Decision::Enroll(Why::Run));
        assert_eq!(all(Mode::Armed, true, false, None), Decision::Enroll(Why::Armed));
        assert_eq!(all(Mode::Armed, true, false, Some(&Claim::Full)), Decision::Wait(Wait::Run));
        let refusal = Refusal::new(Code::NotWelcome, "");
        let refused = Claim::Refuse(refusal.clone());
        assert_eq!(all(Mode::Armed, true, false, Some(&refused)), Decision::Refuse(refusal));
        assert_eq!(all(Mode::Armed, true, true, Some(&refused)), Decision::Enroll(Why::Wish));
    }

    #[test]
    fn an_armed_station_confirms_nothing() {
        assert!(!Why::Armed.may_overwrite(true));
        assert!(Why::Run.may_overwrite(true) && Why::Wish.may_overwrite(true));
        assert!(!Why::Run.may_overwrite(false) && !Why::Wish.may_overwrite(false));
    }

    #[test]
    fn a_credential_unlocks_and_changes_nothing_else() {
        assert_eq!(Mode::ALL.map(Mode::with_credential), [Mode::Armed, Mode::Attended, Mode::Attended]);
        for mode in Mode::ALL {
            assert_eq!(Mode::from_word(mode.word()), Some(mode));
        }
    }

    #[test]
    fn the_profile_that_asks_for_most_is_taken() {
        let key = info("YubiKey 5 NFC", Firmware::new(5, 4, 3));
        let all = [
            named("any", ""),
            named("yubikeys", "vendor = 'YUBICO'"),
            named("new", "vendor = 'yubico'\nfirmware = '>=5.2.3, <5.7'"),
            named("nitrokeys", "vendor = 'nitrokey'\nmodel = 'pro'\nfirmware = '0.8'"),
        ];
        assert_eq!(choose(&all, Some("any"), &key).unwrap().name, "new");
        let old = info("YubiKey 4", Firmware::new(4, 3, 4));
        assert_eq!(choose(&all, None, &old).unwrap().name, "yubikeys");
        let refusal = choose(&all[3..], None, &key).unwrap_err();
        assert_eq!(refusal.code, Code::NoProfileFits);
    }

    #[test]
    fn between_equals_the_default_decides() {
        let key = info("YubiKey 5 NFC", Firmware::new(5, 4, 3));
        let all = [named("one", ""), named("two", "")];
        assert_eq!(choose(&all, None, &key).unwrap_err().code, Code::ProfilesTie);
        assert_eq!(choose(&all, Some("two"), &key).unwrap().name, "two");
        let eight = Profile { digits: Digits::Eight, ..Profile::new(Kind::Totp) };
        let unable = NamedProfile { profile: eight, ..named("totp", "vendor = 'yubico'") };
        assert_eq!(choose(&[unable, named("one", "")], None, &key).unwrap().name, "one");
    }

    #[test]
    fn firmware_conditions_look_at_the_numbers_that_are_written() {
        for (text, inside, outside) in [
            ("5.4", "5.4.9", "5.5.0"),
            ("5.4.3", "5.4.3", "5.4.4"),
            (">=5.2.3", "5.2.3", "5.2.2"),
            ("<5.7", "5.6.9", "5.7.1"),
            ("<= 5.7", "5.7.1", "5.8.0"),
            (">4, <5.7", "5.0.0", "4.3.4"),
        ] {
            let set = Firmwares::try_from(text.to_owned()).unwrap();
            let version = |text: &str| {
                let numbers: Vec<u8> = text.split('.').map(|part| part.parse().unwrap()).collect();
                Firmware::new(numbers[0], numbers[1], numbers[2])
            };
            assert!(set.contain(version(inside)), "{inside} in {text}");
            assert!(!set.contain(version(outside)), "{outside} in {text}");
        }
        for wrong in ["", "five", "1.2.3.4", ">=", "256", "5..4", "=5", ">=5,", "+5"] {
            assert!(Firmwares::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
