//! Which keys may be enrolled here: "our stock", as a list of rules in TOML.
//!
//! ```toml
//! [[welcome]]
//! name = "the order of May"
//! vendor = "yubico"
//! model = "YubiKey 5"
//! firmware = "5.4-"
//! form-factor = "USB-C keychain"
//! serials = ["12345678", "20000000-20000499"]
//! fips = true
//! config-locked = false
//! ```
//!
//! A key is welcome when one rule fits it; within a rule, all that is written
//! must fit. Without any rule every key is welcome. An unwelcome key is refused
//! with [`Code::NotWelcome`] and the reason.

use core::fmt;
use core::ops::RangeInclusive;

use keys::device::{Family, Firmware, KeyInfo};
use serde::{Deserialize, Serialize};

use crate::refusal::{Code, Refusal};

/// The rules; a key is welcome when one of them fits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Welcome {
    /// In the order in which they are written.
    pub rules: Vec<Rule>,
}

/// One rule: all that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// What people call the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who made the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Vendor>,
    /// What its model's name begins with, whatever the case of letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<FirmwareRange>,
    /// What its form is called, as the key's own words contain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form_factor: Option<String>,
    /// Its serial is one of these or within one of these ranges; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serials: Vec<Serials>,
    /// Whether it must be, or must not be, a FIPS edition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fips: Option<bool>,
    /// Whether its interface configuration must be, or must not be, locked by a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_locked: Option<bool>,
}

/// Who makes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// YubiKeys.
    Yubico,
    /// Nitrokeys, and the Librem Key, which is one.
    Nitrokey,
}

impl Vendor {
    /// Who made keys of that family.
    pub const fn of(family: Family) -> Self {
        match family {
            Family::YubiKeyOtp => Self::Yubico,
            Family::NitrokeyPro | Family::Nitrokey3 => Self::Nitrokey,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Yubico => "Yubico",
            Self::Nitrokey => "Nitrokey",
        }
    }
}

/// Firmware from `5.4` to `5.7.9`: `5.4-5.7`, `5.4-` or `-5.7`; an end without a
/// third number includes all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FirmwareRange {
    /// The oldest.
    pub from: Firmware,
    /// The newest.
    pub to: Firmware,
}

/// One serial, or a range of them, in the form in which the vendor prints it:
/// decimal for YubiKeys, hexadecimal with `0x` in front for Nitrokeys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serials(RangeInclusive<u32>);

/// Text that is not a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {wanted}")]
pub struct NotARange {
    text: String,
    wanted: &'static str,
}

impl FirmwareRange {
    /// Whether it contains a version.
    pub fn contains(self, firmware: Firmware) -> bool {
        (self.from..=self.to).contains(&firmware)
    }
}

impl fmt::Display for FirmwareRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from != Firmware::default() {
            write!(f, "{}", self.from)?;
        }
        f.write_str("-")?;
        if self.to != NEWEST { write!(f, "{}", self.to) } else { Ok(()) }
    }
}

const NEWEST: Firmware = Firmware::new(u8::MAX, u8::MAX, u8::MAX);

impl TryFrom<String> for FirmwareRange {
    type Error = NotARange;

    fn try_from(text: String) -> Result<Self, NotARange> {
        let version = |part: &str, rest: u8| -> Option<Firmware> {
            let mut numbers = part.split('.');
            let major = numbers.next()?.parse().ok()?;
            let mut next = || numbers.next().map_or(Some(rest), |text| text.parse().ok());
            let firmware = Firmware::new(major, next()?, next()?);
            numbers.next().is_none().then_some(firmware)
        };
        let read = || {
            let (from, to) = text.split_once('-').unwrap_or((&text, &text));
            let (from, to) = (from.trim(), to.trim());
            let from = if from.is_empty() { Firmware::default() } else { version(from, 0)? };
            let to = if to.is_empty() { NEWEST } else { version(to, u8::MAX)? };
            (from <= to && !matches!(text.trim(), "" | "-")).then_some(Self { from, to })
        };
        read().ok_or(NotARange { text: text.clone(), wanted: "a range of firmware such as 5.4-5.7 or 5.4-" })
    }
}

impl From<FirmwareRange> for String {
    fn from(range: FirmwareRange) -> Self {
        range.to_string()
    }
}

impl Serials {
    /// Whether it contains a serial.
    pub fn contains(&self, number: u32) -> bool {
        self.0.contains(&number)
    }
}

impl fmt::Display for Serials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.start())?;
        if self.0.start() == self.0.end() { Ok(()) } else { write!(f, "-{}", self.0.end()) }
    }
}

impl TryFrom<String> for Serials {
    type Error = NotARange;

    fn try_from(text: String) -> Result<Self, NotARange> {
        let number = |part: &str| match part.trim().strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => part.trim().parse().ok(),
        };
        let read = || {
            let (from, to) = text.split_once('-').unwrap_or((&text, &text));
            let range = number(from)?..=number(to)?;
            (!range.is_empty()).then_some(Self(range))
        };
        read().ok_or(NotARange { text: text.clone(), wanted: "a serial or a range such as 100-199" })
    }
}

impl From<Serials> for String {
    fn from(serials: Serials) -> Self {
        serials.to_string()
    }
}

impl Welcome {
    /// Whether a key may be enrolled; the reason when it may not.
    pub fn admit(&self, info: &KeyInfo) -> Result<(), Refusal> {
        if self.rules.is_empty() {
            return Ok(());
        }
        let mut reasons = Vec::new();
        for (number, rule) in self.rules.iter().enumerate() {
            match rule.objection(info) {
                None => return Ok(()),
                Some(reason) => {
                    let name = rule.name.clone().unwrap_or_else(|| format!("rule {}", number + 1));
                    reasons.push(format!("{name}: {reason}"));
                }
            }
        }
        Err(Refusal::new(Code::NotWelcome, reasons.join("; ")))
    }
}

impl Rule {
    /// Why a key does not fit; `None` when it does.
    pub fn objection(&self, info: &KeyInfo) -> Option<String> {
        if let Some(vendor) = self.vendor
            && Vendor::of(info.family) != vendor
        {
            return Some(format!("{} is not made by {}", info.model, vendor.word()));
        }
        if let Some(model) = &self.model
            && !info.model.to_lowercase().starts_with(&model.to_lowercase())
        {
            return Some(format!("it is a {}, not a {model}", info.model));
        }
        if let Some(range) = self.firmware
            && !range.contains(info.firmware)
        {
            return Some(format!("firmware {} is not within {range}", info.firmware));
        }
        if let Some(wanted) = &self.form_factor {
            let form = info.form_factor.unwrap_or("unknown");
            if !form.to_lowercase().contains(&wanted.to_lowercase()) {
                return Some(format!("its form is {form}, not {wanted}"));
            }
        }
        if let Some(wanted) = self.fips
            && info.fips.unwrap_or(false) != wanted
        {
            return Some(format!("it is {} FIPS edition", if wanted { "no" } else { "a" }));
        }
        if let Some(wanted) = self.config_locked
            && info.config_locked != wanted
        {
            let is = if wanted { "not locked" } else { "locked by a code" };
            return Some(format!("its configuration is {is}"));
        }
        match info.serial {
            _ if self.serials.is_empty() => None,
            None => Some("it hides its serial".to_owned()),
            Some(serial) if self.serials.iter().any(|range| range.contains(serial.number)) => None,
            Some(serial) => Some(format!("serial {serial} is not in the list")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keys::device::{KeySerial, Lock};

    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        welcome: Welcome,
    }

    fn key() -> KeyInfo {
        KeyInfo {
            family: Family::YubiKeyOtp,
            model: "YubiKey 5C NFC".to_owned(),
            serial: Some(KeySerial { family: Family::YubiKeyOtp, number: 20_000_042 }),
            firmware: Firmware::new(5, 4, 3),
            slots: Vec::new(),
            named: None,
            lock: Lock::Open,
            form_factor: Some("USB-C keychain"),
            fips: Some(false),
            config_locked: false,
        }
    }

    fn admits(rules: &str) -> Result<(), Refusal> {
        toml::from_str::<File>(rules).unwrap().welcome.admit(&key())
    }

    #[test]
    fn without_rules_every_key_is_welcome_and_one_fitting_rule_is_enough() {
        assert_eq!(admits(""), Ok(()));
        assert_eq!(admits("[[welcome]]\nvendor = 'nitrokey'\n[[welcome]]\nmodel = 'yubikey 5'"), Ok(()));
    }

    #[test]
    fn every_field_can_refuse_and_is_named() {
        for (field, word) in [
            ("vendor = 'nitrokey'", "not made by Nitrokey"),
            ("model = 'YubiKey 4'", "not a YubiKey 4"),
            ("firmware = '5.5-'", "firmware 5.4.3"),
            ("firmware = '-5.3'", "firmware 5.4.3"),
            ("form-factor = 'nano'", "USB-C keychain"),
            ("serials = ['1', '30000000-30000099']", "serial 20000042"),
            ("fips = true", "no FIPS"),
            ("config-locked = true", "not locked"),
        ] {
            let refusal = admits(&format!("[[welcome]]\nname = 'stock'\n{field}")).unwrap_err();
            assert_eq!(refusal.code, Code::NotWelcome);
            assert!(refusal.detail.contains(word) && refusal.detail.contains("stock"), "{refusal}");
        }
    }

    #[test]
    fn every_field_can_fit() {
        for field in [
            "vendor = 'yubico'",
            "model = 'yubikey 5c'",
            "firmware = '5.4'",
            "firmware = '5.4.3-5.4.3'",
            "form-factor = 'usb-c'",
            "serials = ['7', '20000000-20000499']",
            "fips = false",
            "config-locked = false",
        ] {
            assert_eq!(admits(&format!("[[welcome]]\n{field}")), Ok(()), "{field}");
        }
    }

    #[test]
    fn ranges_read_back_and_nonsense_is_refused() {
        for text in ["5.4.0-5.7.255", "5.4.0-", "-5.7.255"] {
            assert_eq!(FirmwareRange::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        for text in ["", "-", "x", "5.4-5.3", "1.2.3.4", "300"] {
            assert!(FirmwareRange::try_from(text.to_owned()).is_err(), "{text}");
        }
        for text in ["7", "100-199"] {
            assert_eq!(Serials::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        assert!(Serials::try_from("0x1f-0x2f".to_owned()).unwrap().contains(0x20));
        for text in ["", "-", "9-1", "12a", "4294967296"] {
            assert!(Serials::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
