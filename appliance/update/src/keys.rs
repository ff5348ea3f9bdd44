//! The public keys that sign updates, and their signatures in minisign's form (jedisct1.github.io/minisign, "Signature format").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{PublicKey, Signature};

use crate::refused::Refused;

/// The first line of each signature in a bundle. It is not signed, so it has to be this one.
pub const UNTRUSTED: &str = "untrusted comment: signature of an update";

/// What the third line begins with.
const TRUSTED: &str = "trusted comment: ";

/// The most keys of a list, and the most signatures of a bundle.
pub const MOST: usize = 8;

/// The name of the key that tests sign with. A release has none of that name.
pub const DEVELOPMENT: &str = "development";

/// A public key and what people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// One word.
    pub name: String,
    /// As in the second line of a `.pub` file of minisign: 56 letters of base64.
    pub text: String,
    key: PublicKey,
}

impl Key {
    /// A key of its name and its text; none when one of them is none.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Option<Self> {
        let word = (1..=32).contains(&name.len())
            && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
        // Minisign's own reader is less strict about the last letters.
        let bytes = STANDARD.decode(text).ok()?;
        let known = bytes.len() == 42 && bytes.starts_with(b"Ed");
        let key = PublicKey::from_base64(text).ok()?;
        (word && known).then(|| Self { name: name.to_owned(), text: text.to_owned(), key })
    }
}

/// A list of keys, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// A list; none when it is too long, or a key or a name stands in it twice.
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Option<Self> {
        let twice = |(at, key): (usize, &Key)| {
            keys.iter()
                .skip(at.saturating_add(1))
                .any(|other| other.text == key.text || other.name == key.name)
        };
        let good = keys.len() <= MOST && !keys.iter().enumerate().any(twice);
        good.then_some(Self(keys))
    }

    /// Its keys.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the key that tests sign with is among them.
    #[must_use]
    pub fn has_development(&self) -> bool {
        self.0.iter().any(|key| key.name == DEVELOPMENT)
    }

    /// The list with an owner's own keys behind it. A key that stands in both counts once, for what it is here.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = Key>) -> Self {
        let mut keys = self.0.clone();
        for key in more {
            if keys.len() < MOST && !keys.iter().any(|known| known.text == key.text || known.name == key.name)
            {
                keys.push(key);
            }
        }
        Self(keys)
    }

    /// The keys that have signed `head`, by the signatures in `text`, each of which has to be right.
    ///
    /// # Errors
    /// [`Refused::Unsigned`] when there is none, or one is not right.
    pub fn signers(&self, head: &[u8], text: &str) -> Result<Vec<&Key>, Refused> {
        let wrong = |why: &str| Refused::Unsigned(why.to_owned());
        let lines: Vec<&str> = text.split('\n').collect();
        let Some(("", lines)) = lines.split_last().map(|(last, lines)| (*last, lines)) else {
            return Err(wrong("a signature is not whole"));
        };
        if lines.is_empty() || lines.len() % 4 != 0 || lines.len() / 4 > MOST {
            return Err(wrong("it is no list of signatures"));
        }
        let mut signers: Vec<&Key> = Vec::new();
        for four in lines.chunks_exact(4) {
            let signature = parse(four).ok_or_else(|| wrong("a signature is not in minisign's form"))?;
            let verified = |key: &&Key| key.key.verify(head, &signature, false).is_ok();
            let Some(key) = self.0.iter().find(verified) else {
                return Err(wrong("no key that counts here has made it for these bytes"));
            };
            if signers.iter().any(|known| known.text == key.text) {
                return Err(wrong("a key has signed twice"));
            }
            signers.push(key);
        }
        Ok(signers)
    }
}

/// A signature of four lines, in the one form in which it may be written.
fn parse(lines: &[&str]) -> Option<Signature> {
    let &[untrusted, signature, trusted, global] = lines else { return None };
    let exact = |text: &str, length: usize| STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == length);
    let comment = trusted.strip_prefix(TRUSTED)?;
    let plain = comment.len() <= 200 && comment.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let good = untrusted == UNTRUSTED && exact(signature, 74) && plain && exact(global, 64);
    good.then(|| Signature::decode(&lines.join("\n")).ok()).flatten()
}
