//! Access codes in files beside the configuration, and those who can read what is handed over.

use std::fmt;
use std::sync::Arc;

use keys::secret::AccessCode;
use station::access::{CodeTable, StationSecret, code_from_hex};
use zeroize::Zeroizing;

use seal::Recipients;
use settings::read::{Field, Reader as Reading, Value};
use settings::values::{Name, read_beside, text_of};

/// A secret and the file beside the configuration that it came from. It cannot be shown.
pub struct Kept<T> {
    /// The file's name.
    pub file: String,
    /// What it contains.
    pub secret: Arc<T>,
    // To see whether it is another than before.
    bytes: Arc<Zeroizing<Vec<u8>>>,
}

/// What opens the slots of each key.
pub type CodesFile = Kept<CodeTable>;

/// One access code for all slots.
pub type CodeFile = Kept<AccessCode>;

/// What access codes are derived from.
pub type SecretFile = Kept<StationSecret>;

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { file: self.file.clone(), secret: Arc::clone(&self.secret), bytes: Arc::clone(&self.bytes) }
    }
}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.bytes == other.bytes
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (secret)", self.file)
    }
}

/// What can stand in such a file.
trait Content: Sized {
    const FORM: &'static str;

    /// Reads it; says what is wrong, and never what stands there.
    fn of(text: &str) -> Result<Self, String>;
}

impl Content for CodeTable {
    const FORM: &'static str = "the name of a file with a line serial,code (12 hexadecimal digits) for each key, beside the configuration";

    fn of(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }
}

impl Content for AccessCode {
    const FORM: &'static str =
        "the name of a file whose first line is a code (12 hexadecimal digits), beside the configuration";

    fn of(text: &str) -> Result<Self, String> {
        code_from_hex(first(text))
            .ok_or_else(|| "its first line is no code of 12 hexadecimal digits".to_owned())
    }
}

impl Content for StationSecret {
    const FORM: &'static str = "the name of a file whose first line has 32 random hexadecimal digits (openssl rand -hex 16), beside the configuration";

    fn of(text: &str) -> Result<Self, String> {
        let wrong = || "its first line has not 32 hexadecimal digits".to_owned();
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(first(text).as_bytes()).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| wrong())?;
        let bytes: &[u8; 16] = bytes.as_slice().try_into().map_err(|_| wrong())?;
        // Somebody typed it, or it never was written.
        if bytes.iter().all(|byte| bytes.first() == Some(byte)) {
            return Err("its digits are all alike, so everybody can guess them".to_owned());
        }
        Ok(Self::new(bytes))
    }
}

fn first(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}

impl<T: Content> Field for Kept<T> {
    fn form() -> String {
        T::FORM.to_owned()
    }

    fn read(value: &Value<'_>, reader: &mut Reading<'_>) -> Option<Self> {
        let (file, bytes) = read_beside::<Self>(value, reader)?;
        let read = match std::str::from_utf8(&bytes) {
            Ok(text) => T::of(text),
            Err(_) => Err("it is not UTF-8 text".to_owned()),
        };
        match read {
            Ok(secret) => Some(Self { file, secret: Arc::new(secret), bytes: Arc::new(bytes) }),
            Err(why) => {
                reader.problem(
                    &value.span(),
                    format!("{file} does not do: {why}"),
                    format!("Write {}.", T::FORM),
                );
                None
            }
        }
    }

    fn show(&self) -> Option<String> {
        None
    }
}

/// Somebody who can read what is handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reader {
    /// An operator, by ssh-ed25519 keys in a file.
    Operator(Name),
    /// A public key: `ssh-ed25519 …` or `age1…`.
    Key(String),
}

impl Field for Reader {
    fn form() -> String {
        "the name of an operator who has an ssh-ed25519 key, or a public key: \"ssh-ed25519 …\" or \"age1…\""
            .to_owned()
    }

    fn read(value: &Value<'_>, reader: &mut Reading<'_>) -> Option<Self> {
        let text = text_of::<Self>(value, reader)?.trim();
        if text.starts_with("age1") || text.contains(' ') {
            if let Err(error) = Recipients::parse([text]) {
                let why = error.to_string().replacen("key 1", "this", 1);
                reader.problem(&value.span(), why, format!("Write {}.", Self::form()));
                return None;
            }
            return Some(Self::Key(text.to_owned()));
        }
        let name = Name::parse(text);
        if name.is_none() {
            let said = format!("\"{}\" does not do", text.escape_debug());
            reader.problem(&value.span(), said, format!("Write {}.", Self::form()));
        }
        name.map(Self::Operator)
    }

    fn show(&self) -> Option<String> {
        None
    }
}

impl super::Config {
    /// Those who can read what is handed over; `None` when the configuration names nobody.
    pub fn readers(&self) -> Option<Recipients> {
        let mut lines = Vec::new();
        for reader in &self.hand_over.to {
            match reader {
                Reader::Key(line) => lines.push(line.as_str()),
                Reader::Operator(name) => lines.extend(self.sealing_keys(name)),
            }
        }
        Recipients::parse(lines).ok()
    }

    /// The keys of an operator that something can be encrypted to: those of security keys and ECDSA cannot.
    pub(super) fn sealing_keys<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a str> {
        let mine = self.operators.iter().filter(move |operator| operator.name == *name);
        let keys = mine.flat_map(|operator| operator.ssh_keys());
        keys.map(|key| key.line.as_str()).filter(|line| line.starts_with("ssh-ed25519 "))
    }
}
