//! Making and signing bundles: for whoever gives out releases, and for tests. The station is built without it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest as _};
use ed25519_dalek::SigningKey;

use crate::bundle::MAGIC;
use crate::head::Head;
use crate::keys::UNTRUSTED;

/// Something that makes Ed25519 signatures: a key in memory, or one in hardware behind a program.
pub trait Signing {
    /// The public key.
    fn public(&self) -> [u8; 32];

    /// The signature over these bytes.
    ///
    /// # Errors
    /// In words.
    fn sign(&self, bytes: &[u8]) -> Result<[u8; 64], String>;
}

impl Signing for SigningKey {
    fn public(&self) -> [u8; 32] {
        self.verifying_key().to_bytes()
    }

    fn sign(&self, bytes: &[u8]) -> Result<[u8; 64], String> {
        Ok(ed25519_dalek::Signer::sign(self, bytes).to_bytes())
    }
}

/// The key that tests sign with. Everybody has it, so no release may.
#[must_use]
pub fn development() -> SigningKey {
    SigningKey::from_bytes(b"development key of this project!")
}

/// The number that minisign gives to a key: its own are random, these are the first bytes of its hash.
fn id(public: &[u8; 32]) -> [u8; 8] {
    let hash = Blake2b512::digest(public);
    hash.first_chunk::<8>().copied().unwrap_or_default()
}

/// A public key as minisign writes it.
#[must_use]
pub fn public(key: &impl Signing) -> String {
    let public = key.public();
    STANDARD.encode([b"Ed", id(&public).as_slice(), &public].concat())
}

/// A signature of four lines in minisign's form, over bytes that were hashed first (`ED`). The comment is signed, too.
///
/// # Errors
/// In the signer's words.
pub fn sign(head: &[u8], key: &impl Signing, comment: &str) -> Result<String, String> {
    let signature = key.sign(&Blake2b512::digest(head))?;
    let first = STANDARD.encode([b"ED", id(&key.public()).as_slice(), &signature].concat());
    let global = key.sign(&[&signature, comment.as_bytes()].concat())?;
    Ok(format!("{UNTRUSTED}\n{first}\ntrusted comment: {comment}\n{}\n", STANDARD.encode(global)))
}

/// The bundle.
#[must_use]
pub fn bundle(head: &Head, signatures: &str, packed: &[u8]) -> Vec<u8> {
    let head = head.text();
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
    [MAGIC.as_slice(), &length(&head), &length(signatures), head.as_bytes(), signatures.as_bytes(), packed]
        .concat()
}
