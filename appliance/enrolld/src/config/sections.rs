//! The sections of `enrollment.toml` whose values are the daemon's own types; the others are in
//! [`settings::sections`]. The reference in `docs/configuration.md` is made from both.

use std::fmt;

use settings::read::{Field, Reader, Value};
use settings::sections;
use settings::values::{Authorities, Line, Url, Whole, read_beside, text_of};
use settings::{Insecure, Output};
use toml::de::DeValue;
use zeroize::Zeroizing;

use super::fields::{Pin, Ports};
use super::handed::{CodeFile, CodesFile, Reader as Recipient, SecretFile};

sections! {
    /// The server that tokens are registered at.
    pub struct ServerSection {
        /// Its address.
        pub url: Option<Url> = None,
        /// What people call it, for the names of credentials on keys that keep names.
        pub name: Line<40> = Line::new("privacyIDEA"),
        /// The authorities that may have signed its certificate; the system's when it is left out.
        pub ca: Option<Authorities> = None,
        /// Its public key, instead of an authority. Several while the key changes.
        pub pin: Vec<Pin> = Vec::new(),
        /// Gives up what protects seeds on their way. For trying things out only.
        pub insecure: Option<Insecure> = None,
        /// An API key of the server. Whoever has the card has it.
        pub api_key: Option<ApiKey> = None,
        /// The file with an API key in its first line.
        pub api_key_file: Option<ApiKeyFile> = None,
        /// How long an answer may take, in seconds.
        pub timeout_seconds: Whole<5, 120> = Whole::new(30),
        /// How long a change may take to show, in seconds, where the server is several machines behind one
        /// name. That a token is gone, which the server did not say it deleted, is believed after that.
        pub lag_seconds: Whole<0, 600> = Whole::new(90),
        /// Enrolls without a server: tokens become files that one imports, encrypted for those whom
        /// hand-over.to names.
        pub output: Option<Output> = None,
    }

    /// What opens slots of YubiKeys, and what shall guard them. Each in a file beside the configuration, so that
    /// no code stands in it.
    pub struct AccessCodesSection {
        /// What opens the slots of each key now.
        pub table_file: Option<CodesFile> = None,
        /// What every slot gets, where a profile says new-access-code = "fixed".
        pub fixed_file: Option<CodeFile> = None,
        /// What codes are derived from, where a profile says new-access-code = "derived". Whoever loses
        /// it cannot change those slots any more.
        pub secret_file: Option<SecretFile> = None,
    }

    /// Secrets for people: access codes, PINs, tokens without a server. They become files that the station itself cannot read.
    pub struct HandOverSection {
        /// Who can read them.
        pub to: Vec<Recipient> = Vec::new(),
    }

    /// Where keys may be plugged in.
    pub struct UsbSection {
        /// The ports; all of them when there are none.
        pub ports: Vec<Ports> = Vec::new(),
    }
}

/// An API key. It is wiped when it is dropped and cannot be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// A JSON web token, which is what privacyIDEA calls an API key: three parts of base64url.
    fn parse(text: &str) -> Option<Self> {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b))
        };
        let parts: Vec<&str> = text.split('.').collect();
        (parts.len() == 3 && parts.into_iter().all(part) && text.len() <= 8192)
            .then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// It. Where it goes from here is the caller's responsibility.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

const NO_API_KEY: &str = "this is no API key of privacyIDEA";

const API_KEY_REMEDY: &str =
    "An API key has three parts with dots between them; make one with pi-manage api createtoken -r admin.";

impl Field for ApiKey {
    fn form() -> String {
        "an API key of privacyIDEA".to_owned()
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::String(text) = value.get_ref() else {
            reader.problem(&value.span(), NO_API_KEY, API_KEY_REMEDY);
            return None;
        };
        let key = Self::parse(text);
        if key.is_none() {
            reader.problem(&value.span(), NO_API_KEY, API_KEY_REMEDY);
        }
        key
    }

    fn show(&self) -> Option<String> {
        None
    }
}

/// The API key in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyFile {
    /// The file's name.
    pub file: String,
    /// What it contains.
    pub key: ApiKey,
}

impl Field for ApiKeyFile {
    fn form() -> String {
        "the name of a file beside the configuration".to_owned()
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        text_of::<Self>(value, reader)?;
        let (file, bytes) = read_beside::<Self>(value, reader)?;
        let first = std::str::from_utf8(&bytes).ok().and_then(|text| text.lines().next());
        let key = first.and_then(|line| ApiKey::parse(line.trim()));
        if key.is_none() {
            reader.problem(&value.span(), format!("the first line of {file} is no API key"), API_KEY_REMEDY);
        }
        Some(Self { file, key: key? })
    }

    fn show(&self) -> Option<String> {
        None
    }
}

impl ServerSection {
    /// The API key, wherever it stands.
    pub fn key(&self) -> Option<&ApiKey> {
        self.api_key.as_ref().or(self.api_key_file.as_ref().map(|file| &file.key))
    }
}
