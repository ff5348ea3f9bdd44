//! Parameter files of the old enrollment client (privacyideaadm), read into a profile.
//!
//! Such a file was given as `privacyidea @FILE` and holds one argument a line, as
//! Python's argparse reads them:
//!
//! ```text
//! --url=https://pi.example.com
//! --admin
//! desk
//! token
//! yubikey_mass_enroll
//! --yubimode=OATH
//! --yubislot=2
//! ```
//!
//! What has a counterpart becomes TOML for `enrollment.toml`. Everything else is named,
//! with the reason and what to do instead. Passwords, PINs and access codes in the file
//! are never repeated, neither is any text that could be one.

use core::fmt;

use keys::device::{Digits, Kind, Slot};
use keys::modhex;
use zeroize::Zeroizing;

use crate::profile::{KeyPin, NewCode, Profile, PublicId};

mod arguments;

use arguments::{Argument, Known, Place};

/// What was in a parameter file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The profile; `None` when the file has nothing about keys.
    pub profile: Option<Profile>,
    /// The server's address.
    pub url: Option<String>,
    /// The same as text for `enrollment.toml`, with what is left as comments above it.
    pub toml: String,
    /// What could not be taken over, in the order of the file.
    pub left: Vec<Left>,
}

/// Something that could not be taken over, or became something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Where it stands, counted from 1; 0 for what the file does not say.
    pub line: usize,
    /// The option or command; empty where its name might be a secret.
    pub what: String,
    /// Why, and what to do instead.
    pub why: String,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.what.as_str()) {
            (0, what) => write!(f, "{what}: {}", self.why),
            (line, "") => write!(f, "line {line}: {}", self.why),
            (line, what) => write!(f, "line {line}, {what}: {}", self.why),
        }
    }
}

/// The longest file that is read; such files have some ten lines.
const LONGEST: usize = 64 * 1024;

/// Reads a parameter file. `name` becomes the profile's name: what is not `a-z`, `0-9` or `-`
/// in it becomes `-`.
pub fn read(name: &str, text: &str) -> Imported {
    let mut reading = Reading::default();
    if text.len() > LONGEST {
        reading.left(0, "file", "it is over 64 KiB long; a parameter file has some ten lines");
        return reading.finish(name);
    }
    let (arguments, odd) = arguments::read(text);
    for odd in odd {
        reading.left(odd.line, &odd.name, odd.why);
    }
    reading.device = device(&arguments);
    for argument in &arguments {
        reading.take(argument);
    }
    reading.finish(name)
}

/// The device that a file is about: the command says so, or else the first option that has one.
fn device(arguments: &[Argument]) -> Option<Place> {
    let places = || arguments.iter().map(|argument| (argument.option, argument.option.place()));
    places()
        .rfind(|(option, _)| matches!(option, Known::EnrollYubiKey | Known::EnrollNitrokey))
        .or_else(|| places().find(|(_, place)| matches!(place, Place::YubiKey | Place::Nitrokey)))
        .map(|(_, place)| place)
}

/// The old client's modes of a YubiKey.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    #[default]
    Oath,
    Yubico,
    Static,
}

#[derive(Default)]
struct Reading {
    device: Option<Place>,
    url: Option<String>,
    mode: Mode,
    challenge_response: Option<usize>,
    slot: Option<u8>,
    public_id: Option<(usize, &'static str, PublicId)>,
    new_code: bool,
    realm: Option<String>,
    description: Option<String>,
    totp: bool,
    eight: bool,
    key_pin: bool,
    label: Option<String>,
    left: Vec<Left>,
}

impl Reading {
    fn left(&mut self, line: usize, what: &str, why: impl Into<String>) {
        self.left.push(Left { line, what: what.to_owned(), why: why.into() });
    }

    fn take(&mut self, argument: &Argument) {
        let (line, option, value) = (argument.line, argument.option, argument.value.as_str());
        let name = option.name();
        let elsewhere = matches!(option.place(), Place::YubiKey | Place::Nitrokey)
            && self.device.is_some_and(|device| device != option.place());
        if elsewhere {
            return self.left(line, name, "it is about another kind of key than the rest of the file");
        }
        match option {
            Known::Token | Known::EnrollYubiKey | Known::EnrollNitrokey | Known::PiAuthorization => {}
            Known::Url => self.url(line, value),
            Known::Admin => {
                let who = shown(value);
                self.left(line, name, format!("log in as {who} from the shell: server login"));
            }
            Known::AdminRealm if value.is_empty() => {}
            Known::AdminRealm => self.left(line, name, "log in from the shell as NAME@REALM"),
            Known::Password => self.left(
                line,
                name,
                "passwords are not taken from files; log in from the shell: server login. Then delete this file",
            ),
            Known::NoSslCheck => self.left(
                line,
                name,
                "certificates are always checked; name the authority with ca, or the server's key with pin, under [server]",
            ),
            Known::YubiMode => match value {
                // HOTP is what some guides say for OATH.
                "OATH" | "HOTP" => self.mode = Mode::Oath,
                "YUBICO" => self.mode = Mode::Yubico,
                "STATIC" => self.mode = Mode::Static,
                _ => self.left(line, name, "the modes are OATH, YUBICO and STATIC; taken as OATH"),
            },
            Known::YubiCr => self.challenge_response = Some(line),
            Known::YubiSlot => self.slot(line, name, value, 1..=2),
            Known::NitroSlot => self.slot(line, name, value, 0..=15),
            Known::YubiPrefix => self.prefix(line, value),
            Known::YubiPrefixRandom => match value.parse::<u8>() {
                Ok(0) => self.public_id = Some((line, name, PublicId::None)),
                Ok(6) => self.public_id = Some((line, name, PublicId::Random)),
                _ => {
                    self.public_id = Some((line, name, PublicId::Random));
                    self.left(line, name, "random public ids have six bytes here, the range that is left to users");
                }
            },
            Known::YubiPrefixSerial => {
                self.public_id = Some((line, name, PublicId::Serial));
                let why = "it becomes six bytes, vvcc and the serial; the old client typed the serial's digits in ASCII";
                self.left(line, name, why);
            }
            Known::Access => self.left(
                line,
                name,
                "access codes are not taken from files; give the code that opens the slots when you start the enrollment. Then delete this file",
            ),
            Known::NewAccess if value == "000000000000" => self.new_code = false,
            Known::NewAccess => {
                self.new_code = true;
                let why = "the profile says that slots get a fixed code; the code itself is given when the enrollment is started. Then delete this file";
                self.left(line, name, why);
            }
            Known::FileName => self.left(
                line,
                name,
                "nothing is written to clear text files; enrolling without a server writes a file encrypted to operators' keys",
            ),
            Known::Realm if value.is_empty() => {}
            Known::Realm => self.realm = Some(value.to_owned()),
            Known::Description => self.description(line, name, value),
            Known::NitroMode => match value {
                "HOTP" => self.totp = false,
                "TOTP" => self.totp = true,
                _ => self.left(line, name, "the modes are HOTP and TOTP; taken as HOTP"),
            },
            Known::NitroDigits => match value {
                "6" => self.eight = false,
                "8" => self.eight = true,
                _ => self.left(line, name, "there are 6 or 8 digits; taken as 6"),
            },
            Known::NitroPin => {
                self.key_pin = true;
                let why = "PINs are not taken from files; the profile says that the administrator's PIN is asked for. Then delete this file";
                self.left(line, name, why);
            }
            Known::NitroSlotName => {
                self.label = Some(format!("{value}:{{token}}")).filter(|_| value != "privacyIDEA");
            }
        }
    }

    fn url(&mut self, line: usize, value: &str) {
        let fits = |rest: &str| {
            let host = rest.split('/').next().unwrap_or_default();
            !host.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic() && !b"@\"'\\<>?#".contains(&b))
        };
        let scheme = value.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
        let why = match scheme {
            Some((scheme, rest)) if scheme == "https" && fits(rest) => {
                self.url = Some(format!("https://{rest}"));
                return;
            }
            Some((scheme, rest)) if scheme == "http" && fits(rest) => {
                "it is not encrypted, and seeds would go over it; write the https address under [server]"
            }
            _ => "it is no plain https address; write url under [server]",
        };
        self.left(line, Known::Url.name(), why);
    }

    fn slot(&mut self, line: usize, name: &str, value: &str, may: core::ops::RangeInclusive<u8>) {
        match value.parse::<u8>().ok().filter(|slot| may.contains(slot)) {
            Some(slot) => self.slot = Some(slot),
            None => {
                let why = format!("slots are {} to {}; taken as {}", may.start(), may.end(), may.start());
                self.left(line, name, why);
            }
        }
    }

    /// A fixed prefix: `m:` modhex, `h:` hex, else the text's own bytes (python-yubico,
    /// yubikey_config.py).
    fn prefix(&mut self, line: usize, value: &str) {
        let name = Known::YubiPrefix.name();
        let bytes = if let Some(text) = value.strip_prefix("m:") {
            modhex::decode(text).ok().map(|bytes| bytes.to_vec())
        } else if let Some(text) = value.strip_prefix("h:") {
            from_hex(text)
        } else {
            Some(value.as_bytes().to_vec())
        };
        match bytes {
            Some(bytes) if bytes.is_empty() => {}
            Some(bytes) if bytes.len() <= 16 => {
                self.public_id = Some((line, name, PublicId::Fixed(bytes)));
                let why = "all keys get the same public id; a server that looks keys up by it cannot tell them apart";
                self.left(line, name, why);
            }
            _ => self.left(line, name, "a prefix has 1 to 16 bytes; left out"),
        }
    }

    fn description(&mut self, line: usize, name: &str, value: &str) {
        if value.chars().any(char::is_control) || value.chars().count() > 80 {
            return self.left(line, name, "the server keeps 80 characters in one line; left out");
        }
        // What the old client wrote when nobody said anything.
        if !value.is_empty() && value != "command line enrolled" {
            self.description = Some(value.to_owned());
        }
    }

    fn finish(mut self, name: &str) -> Imported {
        let profile = self.device.map(|device| self.profile(device));
        self.left.sort_by_key(|left| left.line);
        let toml = self.toml(name, profile.as_ref());
        Imported { profile, url: self.url, toml, left: self.left }
    }

    fn profile(&mut self, device: Place) -> Profile {
        let yubikey = device == Place::YubiKey;
        let kind = match (yubikey, self.mode) {
            (false, _) if self.totp => Kind::Totp,
            (false, _) => Kind::Hotp,
            (true, Mode::Oath) if self.challenge_response.is_some() => Kind::ChallengeResponse,
            (true, Mode::Oath) => Kind::Hotp,
            (true, Mode::Yubico) => Kind::YubicoOtp,
            (true, Mode::Static) => Kind::StaticPassword,
        };
        if let (Some(line), true) = (self.challenge_response, self.mode != Mode::Oath) {
            self.left(
                line,
                Known::YubiCr.name(),
                "challenge-response goes with the mode OATH only; left out",
            );
        }
        let mut profile = Profile::new(kind);
        profile.slot = Slot(self.slot.unwrap_or(if yubikey { 1 } else { 0 }));
        match self.public_id.take() {
            Some((_, _, id)) if kind == Kind::YubicoOtp => profile.public_id = id,
            Some((_, _, PublicId::None)) | None => {}
            Some((line, name, _)) => {
                let why = "the server takes what stands in front of a code for the PIN, so that every code would fail; left out";
                self.left.retain(|left| left.line != line);
                self.left(line, name, why);
            }
        }
        if self.new_code {
            profile.new_access_code = NewCode::Fixed;
        }
        if self.eight {
            profile.digits = Digits::Eight;
        }
        if self.key_pin {
            profile.key_pin = KeyPin::Asked;
        }
        profile.realm = self.realm.take();
        if let Some(description) = self.description.take() {
            profile.description = description;
        }
        if let Some(label) = self.label.take() {
            profile.label = label;
        }
        if kind == Kind::StaticPassword {
            self.left(0, "static password", "it proves nothing but that it was typed; the profile says allow-static = true, consider another kind");
        }
        let why = "the old client overwrote every slot without asking; here only empty ones are written. Change overwrite to allow more";
        self.left(0, "overwrite", why);
        profile
    }

    fn toml(&self, name: &str, profile: Option<&Profile>) -> String {
        let mut text = String::new();
        for left in &self.left {
            text.push_str(&format!("# {left}\n"));
        }
        if let Some(url) = &self.url {
            text.push_str(&format!("\n[server]\nurl = {}\n", toml::Value::String(url.clone())));
        }
        let Some(profile) = profile else { return text };
        let vendor = if self.device == Some(Place::YubiKey) { "yubico" } else { "nitrokey" };
        text.push_str(&format!("\n[profile.{}]\nmatch = {{ vendor = \"{vendor}\" }}\n", table_name(name)));
        // Only what differs from the defaults, so that people see what the file said.
        let table = |profile: &Profile| toml::Table::try_from(profile).unwrap_or_default();
        let plain = table(&Profile::new(profile.kind));
        for (field, value) in table(profile) {
            let always = matches!(field.as_str(), "kind" | "slot" | "allow-static" | "overwrite");
            if always || plain.get(&field) != Some(&value) {
                text.push_str(&format!("{field} = {value}\n"));
            }
        }
        text
    }
}

/// The name of an administrator as it may be shown.
fn shown(value: &str) -> &str {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if (1..=64).contains(&value.len()) && value.chars().all(fits) { value } else { "the administrator" }
}

fn table_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let name: String =
        name.trim_start_matches('@').to_ascii_lowercase().chars().take(63).map(plain).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "imported".to_owned() } else { name.to_owned() }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.as_bytes().iter().map(digit).collect::<Option<_>>()?);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}
