//! The station's key: Ed25519, made once, kept in a file that only the station may read.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand::TryRng;
use station::papers::receipt::{Book, Bytes32, to_be_signed};
use zeroize::Zeroizing;

use super::ReceiptError;

/// The key that signs receipts. It wipes itself and cannot be shown.
pub struct StationKey(SigningKey);

impl StationKey {
    /// A key from its 32 secret bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// The key in `directory`, which is made with it if there is none.
    pub fn load_or_make(directory: &Path) -> Result<Self, ReceiptError> {
        super::make(directory)?;
        let path = directory.join("station.key");
        let key = match File::open(&path) {
            Ok(mut file) => {
                let wrong = |why| ReceiptError::Key { path: path.clone(), why };
                if file.metadata()?.mode() & 0o077 != 0 {
                    return Err(wrong("others may read it; make it 0600 and think about who did"));
                }
                let mut text = Zeroizing::new(String::with_capacity(128));
                Read::by_ref(&mut file).take(128).read_to_string(&mut text)?;
                let bytes = unhex(text.trim()).ok_or_else(|| wrong("it must have 64 hex digits"))?;
                Self::from_bytes(&bytes)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::make(directory, &path)?,
            Err(error) => return Err(error.into()),
        };
        let public = format!("{}\n", key.public());
        let beside = directory.join("station.pub");
        if fs::read_to_string(&beside).ok().as_ref() != Some(&public) {
            // For whoever checks; the log itself names the key, too.
            fs::write(beside, public)?;
        }
        Ok(key)
    }

    fn make(directory: &Path, path: &Path) -> Result<Self, ReceiptError> {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::rngs::SysRng.try_fill_bytes(bytes.as_mut()).map_err(std::io::Error::other)?;
        let mut text = Zeroizing::new(String::with_capacity(65));
        for byte in bytes.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
            }
        }
        text.push('\n');
        let unfinished = directory.join("station.key.new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(directory)?.sync_all()?;
        Ok(Self::from_bytes(&bytes))
    }

    /// The public half.
    pub fn public(&self) -> Bytes32 {
        Bytes32(self.0.verifying_key().to_bytes())
    }

    /// Signs a line of a log.
    pub fn sign(&self, book: Book, unsigned: &str) -> [u8; 64] {
        self.0.sign(&to_be_signed(book, unsigned)).to_bytes()
    }
}

/// Whether a signature of a key fits bytes.
pub(super) fn fits(key: &Bytes32, bytes: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(&key.0)
        .is_ok_and(|key| key.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok())
}

fn unhex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let mut value = 0;
        for digit in pair {
            value = value * 16 + char::from(*digit).to_digit(16)?;
        }
        *byte = u8::try_from(value).ok()?;
    }
    Some(bytes)
}
