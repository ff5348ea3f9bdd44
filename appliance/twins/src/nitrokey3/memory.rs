//! What a key keeps without power.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::command::Put;

/// How often the PIN may be wrong.
pub(super) const TRIES: u8 = 8;

/// How many credentials there is room for; the firmware's own number.
pub(super) const ROOM: usize = 50;

/// What a test may see of a credential: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialView {
    /// Its name.
    pub label: String,
    /// The next counter of HOTP; 0 for TOTP.
    pub counter: u32,
    /// Whether time moves its codes, not a counter.
    pub totp: bool,
    /// Whether it wants a touch for each code.
    pub touch: bool,
    /// Whether it wants the PIN for each code.
    pub pin: bool,
}

/// The PIN, once one is set.
pub(super) struct Pin {
    pub(super) text: Zeroizing<Vec<u8>>,
    pub(super) tries: u8,
}

impl Pin {
    pub(super) fn new(text: Zeroizing<Vec<u8>>) -> Self {
        Self { text, tries: TRIES }
    }

    /// Presents a PIN. A blocked one is wrong, whatever it is.
    pub(super) fn verify(&mut self, presented: &[u8]) -> bool {
        if self.tries == 0 {
            return false;
        }
        let right = presented == self.text.as_slice();
        self.tries = if right { TRIES } else { self.tries - 1 };
        right
    }
}

#[derive(Default)]
pub(super) struct Memory {
    pub(super) pin: Option<Pin>,
    /// In the order in which they are listed.
    credentials: Vec<([u8; 8], Put)>,
}

impl Memory {
    /// The credentials that can be seen.
    pub(super) fn visible(&self, unlocked: bool) -> impl Iterator<Item = (usize, &Put)> {
        let all = self.credentials.iter().map(|(_, credential)| credential).enumerate();
        all.filter(move |(_, credential)| unlocked || !credential.pin)
    }

    pub(super) fn is_full(&self) -> bool {
        self.credentials.len() >= ROOM
    }

    pub(super) fn has(&self, label: &[u8]) -> bool {
        self.credentials.iter().any(|(place, _)| *place == place_of(label))
    }

    pub(super) fn find(&mut self, label: &[u8], unlocked: bool) -> Option<&mut Put> {
        let all = self.credentials.iter_mut().map(|(_, credential)| credential);
        all.filter(|credential| unlocked || !credential.pin).find(|credential| credential.label == label)
    }

    pub(super) fn put(&mut self, credential: Put) {
        let place = place_of(&credential.label);
        self.remove(&credential.label);
        let at = self.credentials.partition_point(|(other, _)| *other < place);
        self.credentials.insert(at, (place, credential));
    }

    pub(super) fn remove(&mut self, label: &[u8]) {
        self.credentials.retain(|(_, credential)| credential.label != label);
    }

    /// Everything but the secrets, and a digest of those.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        for (_, credential) in &self.credentials {
            let Put { label, kind, digits, secret, touch, pin, counter } = credential;
            let secret = Sha256::digest(secret.as_slice());
            text += &format!("{label:x?} {kind} {digits} {secret:x?} {touch} {pin} {counter}\n");
        }
        if let Some(pin) = &self.pin {
            text += &format!("{:x?} {}\n", Sha256::digest(pin.text.as_slice()), pin.tries);
        }
        text
    }
}

/// What its file is called: the beginning of a hash of the label.
fn place_of(label: &[u8]) -> [u8; 8] {
    let hash: [u8; 32] = Sha256::digest(label).into();
    hash.first_chunk().copied().unwrap_or_default()
}

/// The truncated number of a code (RFC 4226, section 5.3); `None` for SHA-512.
pub(super) fn truncated(kind: u8, secret: &[u8], message: &[u8]) -> Option<[u8; 4]> {
    let hash = match kind & 0x0f {
        1 => {
            let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        }
        2 => {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        }
        _ => return None,
    };
    let from = usize::from(*hash.last()? & 0x0f);
    let [first, rest @ ..] = *hash.get(from..)?.first_chunk::<4>()?;
    let [second, third, fourth] = rest;
    Some([first & 0x7f, second, third, fourth])
}
