//! Writing: what the station does. It has no key that opens what it sealed.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::montgomery::MontgomeryPoint;
use rand::CryptoRng;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::format::{self, CHUNK, Key, VERSION, hkdf, hmac};

/// Somebody who can read what is sealed.
#[derive(Clone)]
enum Recipient {
    /// The point of an `age1…` recipient.
    X25519([u8; 32]),
    /// An ssh-ed25519 key: its point on the Montgomery curve, and its SSH wire form.
    Ssh([u8; 32], Vec<u8>),
}

/// Those who can read what is sealed.
#[derive(Clone)]
pub struct Recipients(Vec<Recipient>);

/// Why nobody could read it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRecipient {
    /// A line is no key that can be encrypted to.
    #[error("key {0} is neither ssh-ed25519 nor age1…: give the public half of one of these")]
    Unfit(usize),
    /// There is none.
    #[error("nobody is named who could read it: name an operator's ssh-ed25519 key")]
    Nobody,
}

/// The library refused to encrypt, which it does for no text that fits into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file could not be encrypted; nothing was written")]
pub struct NotSealed;

impl Recipients {
    /// Reads public keys as they stand in `authorized_keys` or as `age-keygen` writes them,
    /// one each. Empty ones and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// The number of the first that is of another kind, counted from 1; or none at all.
    pub fn parse<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self, NoRecipient> {
        let mut read = Vec::new();
        for (number, key) in (1_usize..).zip(keys) {
            let key = key.trim();
            if key.is_empty() || key.starts_with('#') {
                continue;
            }
            let recipient = if key.starts_with("ssh-ed25519 ") { ssh(key) } else { native(key) };
            read.push(recipient.ok_or(NoRecipient::Unfit(number))?);
        }
        if read.is_empty() { Err(NoRecipient::Nobody) } else { Ok(Self(read)) }
    }

    /// Encrypts for every one of them, in armored form, which any terminal shows.
    ///
    /// # Errors
    /// See [`NotSealed`].
    pub fn seal(&self, plain: &[u8], rng: &mut impl CryptoRng) -> Result<Vec<u8>, NotSealed> {
        let mut file_key = Zeroizing::new([0; 16]);
        rng.fill_bytes(file_key.as_mut());
        let mut whole = format!("{VERSION}\n").into_bytes();
        for recipient in &self.0 {
            let mut ephemeral = Zeroizing::new([0; 32]);
            rng.fill_bytes(ephemeral.as_mut());
            whole.extend(recipient.stanza(&file_key, &ephemeral)?.into_bytes());
        }
        whole.extend(b"---");
        let header = hkdf(&[], file_key.as_slice(), b"header");
        let mac = STANDARD_NO_PAD.encode(hmac(header.as_slice(), &[&whole]).as_slice());
        whole.extend(format!(" {mac}\n").into_bytes());

        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        whole.extend(nonce);
        payload(&hkdf(&nonce, file_key.as_slice(), b"payload"), plain, &mut whole)?;
        Ok(armored(&whole))
    }
}

impl Recipient {
    /// The header's stanza: the file's key, for this recipient.
    fn stanza(&self, file_key: &[u8; 16], ephemeral: &[u8; 32]) -> Result<String, NotSealed> {
        let share = MontgomeryPoint::mul_base_clamped(*ephemeral).to_bytes();
        let shared =
            |point: &[u8; 32]| Zeroizing::new(MontgomeryPoint(*point).mul_clamped(*ephemeral).to_bytes());
        let encoded = STANDARD_NO_PAD.encode(share);
        let (head, point, secret, label): (String, &[u8; 32], Key, &[u8]) = match self {
            Self::X25519(point) => (format!("-> X25519 {encoded}"), point, shared(point), format::X25519),
            Self::Ssh(point, wire) => {
                let label = format::SSH;
                let tag: Vec<u8> = Sha256::digest(wire).iter().copied().take(4).collect();
                // So that a key for signatures and one for this are never the same.
                let tweak = hkdf(wire, &[], label);
                let secret = Zeroizing::new(MontgomeryPoint(*shared(point)).mul_clamped(*tweak).to_bytes());
                (format!("-> ssh-ed25519 {} {encoded}", STANDARD_NO_PAD.encode(tag)), point, secret, label)
            }
        };
        // A recipient of low order would make a secret that everybody knows (RFC 7748, section 6.1).
        if secret.iter().all(|byte| *byte == 0) {
            return Err(NotSealed);
        }
        let mut salt = share.to_vec();
        salt.extend(point);
        let wrap = hkdf(&salt, secret.as_slice(), label);
        let mut body = Zeroizing::new(file_key.to_vec());
        encrypt(&wrap, [0; 12], &mut body)?;
        // 32 bytes are 43 letters, fewer than a line's 64.
        Ok(format!("{head}\n{}\n", STANDARD_NO_PAD.encode(body.as_slice())))
    }
}

/// STREAM: chunks of 64 KiB, numbered, the last one marked. An empty text is one empty chunk.
fn payload(key: &Key, plain: &[u8], to: &mut Vec<u8>) -> Result<(), NotSealed> {
    let last = plain.len().div_ceil(CHUNK).max(1) - 1;
    for number in 0..=last {
        let from = number * CHUNK;
        let chunk = plain.get(from..plain.len().min(from + CHUNK)).ok_or(NotSealed)?;
        let nonce = format::nonce(number, number == last);
        let mut chunk = Zeroizing::new(chunk.to_vec());
        encrypt(key, nonce, &mut chunk)?;
        to.extend(chunk.iter());
    }
    Ok(())
}

fn encrypt(key: &Key, nonce: [u8; 12], text: &mut Vec<u8>) -> Result<(), NotSealed> {
    // What grows would leave a copy behind that is not wiped.
    text.reserve_exact(CHACHA20_POLY1305.tag_len());
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).map_err(|_| NotSealed)?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    LessSafeKey::new(key).seal_in_place_append_tag(nonce, Aad::empty(), text).map_err(|_| NotSealed)
}

/// What is at both ends of an armored file.
pub(crate) const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
pub(crate) const END: &str = "-----END AGE ENCRYPTED FILE-----";

fn armored(whole: &[u8]) -> Vec<u8> {
    let text = STANDARD.encode(whole);
    let mut out = format!("{BEGIN}\n").into_bytes();
    for line in text.as_bytes().chunks(64) {
        out.extend(line);
        out.push(b'\n');
    }
    out.extend(format!("{END}\n").into_bytes());
    out
}

/// A line of `authorized_keys`, without options: type, key, and perhaps a comment.
fn ssh(line: &str) -> Option<Recipient> {
    let wire = STANDARD.decode(line.split_whitespace().nth(1)?).ok()?;
    let rest = wire.strip_prefix(b"\0\0\0\x0bssh-ed25519\0\0\0\x20".as_slice())?;
    let point = CompressedEdwardsY(rest.try_into().ok()?).decompress()?;
    if point.is_small_order() {
        return None;
    }
    Some(Recipient::Ssh(point.to_montgomery().to_bytes(), wire))
}

/// `age1…`: bech32 of a point.
fn native(text: &str) -> Option<Recipient> {
    Some(Recipient::X25519(*format::bech32(text, "age")?))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    /// RFC 7748, section 5.2.
    #[test]
    fn the_curve_is_that_of_the_rfc() {
        let hex = |text: &str| -> [u8; 32] {
            data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
        };
        let scalar = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
        let point = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
        let out = hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
        assert_eq!(MontgomeryPoint(point).mul_clamped(scalar).to_bytes(), out);
    }

    #[test]
    fn keys_are_read_and_others_are_refused_by_number() {
        let age = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        assert!(Recipients::parse(["# me", age]).is_ok());
        let wrong = age.replace("ql3", "qm3");
        assert_eq!(Recipients::parse([age, &wrong]).map(drop), Err(NoRecipient::Unfit(2)));
        assert_eq!(Recipients::parse(["", "# nobody"]).map(drop), Err(NoRecipient::Nobody));
        for key in ["ssh-rsa AAAA", "ssh-ed25519 AAAA", "age1", "AGE-SECRET-KEY-1"] {
            assert_eq!(Recipients::parse([key]).map(drop), Err(NoRecipient::Unfit(1)), "{key}");
        }
    }

    #[test]
    fn nothing_of_the_text_shows_and_no_two_files_are_alike() {
        let age = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        let recipients = Recipients::parse([age]).unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let [one, two] = [(); 2].map(|()| recipients.seal(b"0a0b0c0d0e0f", &mut rng).unwrap());
        assert_ne!(one, two);
        let text = String::from_utf8(one).unwrap();
        assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"), "{text}");
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let whole = STANDARD.decode(body).unwrap();
        assert!(whole.starts_with(b"age-encryption.org/v1\n-> X25519 "));
        assert!(!whole.windows(6).any(|part| part == b"0a0b0c"));
    }
}
