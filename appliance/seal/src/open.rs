//! Reading, with the private half of a key that was sealed for.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use curve25519_dalek::montgomery::MontgomeryPoint;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest, Sha256, Sha512};
use ssh_key::private::KeypairData;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::format::{CHUNK, Key, SSH, VERSION, X25519, bech32, hkdf, hmac, nonce};
use crate::recipients::{BEGIN, END};

/// Keys that open sealed files.
#[derive(Default)]
pub struct Identities(Vec<Identity>);

enum Identity {
    X25519(Key),
    Ssh {
        /// The scalar on the Montgomery curve.
        secret: Key,
        /// The public half as SSH writes it.
        wire: Vec<u8>,
    },
    /// A passphrase, which opens an identity that is kept in a file of age.
    Passphrase(Zeroizing<Vec<u8>>),
}

/// Why a file holds no key that could open anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoIdentity {
    /// It is none of the three kinds.
    #[error(
        "this is neither an OpenSSH private key nor an age identity; name the file without .pub, such as ~/.ssh/id_ed25519"
    )]
    Unknown,
    /// A key of OpenSSH of another type.
    #[error("this SSH key is not ed25519, and files are sealed for ed25519 keys alone")]
    Unfit,
    /// It has a passphrase, and none was given.
    #[error("this key has a passphrase")]
    Locked,
    /// The passphrase is another.
    #[error("the passphrase does not open this key")]
    Passphrase,
}

/// Why a file was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// It is no file of age, or is cut off.
    #[error("this is no sealed file, or not the whole of it")]
    Form,
    /// None of the keys is one that it was sealed for.
    #[error("it was sealed for other keys than this one")]
    OtherKeys,
    /// It was changed.
    #[error("it was changed after it was sealed; nothing of it can be believed")]
    Changed,
}

/// What scrypt may cost at most when an identity's passphrase is tried: 2^20 blocks of 1 KiB, as the real program has it twice.
const MOST_WORK: u8 = 20;
const SCRYPT: &[u8] = b"age-encryption.org/v1/scrypt";

/// The sealed files in a text that holds one after the other, armored; whatever stands between them is passed over.
#[must_use]
pub fn blocks(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(block) = rest.find(BEGIN).and_then(|at| rest.get(at..)) {
        let Some(end) = block.find(END).map(|at| at + END.len()) else { break };
        found.extend(block.get(..end));
        rest = block.get(end..).unwrap_or_default();
    }
    found
}

impl Identities {
    /// Adds the keys of a file: an OpenSSH private key, `AGE-SECRET-KEY-1…` lines, or such lines in a file of age that a passphrase
    /// opens.
    ///
    /// # Errors
    /// See [`NoIdentity`]. [`NoIdentity::Locked`] asks to be called again with a passphrase.
    pub fn add(&mut self, file: &[u8], passphrase: Option<&str>) -> Result<(), NoIdentity> {
        let text = core::str::from_utf8(file).unwrap_or_default().trim_start_matches('\u{feff}');
        if text.contains("-----BEGIN OPENSSH PRIVATE KEY-----") {
            self.0.push(of_openssh(text.trim_start(), passphrase)?);
            return Ok(());
        }
        if text.trim_start().starts_with(BEGIN) || file.starts_with(VERSION.as_bytes()) {
            let passphrase = passphrase.ok_or(NoIdentity::Locked)?;
            let with = Self(vec![Identity::Passphrase(Zeroizing::new(passphrase.as_bytes().to_vec()))]);
            let inside = with.open(file).map_err(|error| match error {
                NotOpened::OtherKeys => NoIdentity::Passphrase,
                NotOpened::Form | NotOpened::Changed => NoIdentity::Unknown,
            })?;
            return self.lines(core::str::from_utf8(&inside).unwrap_or_default());
        }
        self.lines(text)
    }

    fn lines(&mut self, text: &str) -> Result<(), NoIdentity> {
        let before = self.0.len();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            // A text is in one case; the checksum is of lower case.
            let lower = Zeroizing::new(line.to_ascii_lowercase());
            let secret = bech32(&lower, "age-secret-key-").ok_or(NoIdentity::Unknown)?;
            self.0.push(Identity::X25519(secret));
        }
        if self.0.len() == before { Err(NoIdentity::Unknown) } else { Ok(()) }
    }

    /// Opens a sealed file, armored or not.
    ///
    /// # Errors
    /// See [`NotOpened`].
    pub fn open(&self, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let whole = match core::str::from_utf8(file) {
            Ok(text) if text.trim_start().starts_with(BEGIN) => {
                unarmored(text.trim()).ok_or(NotOpened::Form)?
            }
            _ => file.to_vec(),
        };
        let file = Header::read(&whole).ok_or(NotOpened::Form)?;
        let pairs = self.0.iter().flat_map(|own| file.stanzas.iter().map(move |stanza| (own, stanza)));
        let key =
            pairs.into_iter().find_map(|(own, stanza)| own.unwrap(stanza)).ok_or(NotOpened::OtherKeys)?;
        let mac = hmac(hkdf(&[], &key, b"header").as_slice(), &[file.signed]);
        if !bool::from(mac.as_slice().ct_eq(&file.mac)) {
            return Err(NotOpened::Changed);
        }
        let (salt, payload) = file.rest.split_at_checked(16).ok_or(NotOpened::Form)?;
        chunks(&hkdf(salt, &key, b"payload"), payload).ok_or(NotOpened::Changed)
    }
}

impl Identity {
    /// The key of the file, if the stanza is for this one.
    fn unwrap(&self, stanza: &Stanza) -> Option<Zeroizing<Vec<u8>>> {
        let arguments: Vec<&str> = stanza.arguments.split(' ').collect();
        let wrap = match (self, arguments.as_slice()) {
            (Self::X25519(secret), ["X25519", share]) => {
                let own = MontgomeryPoint::mul_base_clamped(**secret).to_bytes();
                derived(secret, None, share, &own, X25519)?
            }
            (Self::Ssh { secret, wire }, ["ssh-ed25519", tag, share]) => {
                let wanted: Vec<u8> = Sha256::digest(wire).iter().copied().take(4).collect();
                if STANDARD_NO_PAD.decode(tag).ok()? != wanted {
                    return None;
                }
                let own = MontgomeryPoint::mul_base_clamped(**secret).to_bytes();
                derived(secret, Some(hkdf(wire, &[], SSH)), share, &own, SSH)?
            }
            (Self::Passphrase(words), ["scrypt", salt, work]) => {
                let mut whole_salt = SCRYPT.to_vec();
                whole_salt.extend(STANDARD_NO_PAD.decode(salt).ok().filter(|salt| salt.len() == 16)?);
                let work = work.parse().ok().filter(|work| (1..=MOST_WORK).contains(work))?;
                let mut key = Zeroizing::new([0; 32]);
                let cost = scrypt::Params::new(work, 8, 1).ok()?;
                scrypt::scrypt(words, &whole_salt, &cost, key.as_mut_slice()).ok()?;
                key
            }
            _ => return None,
        };
        let key = decrypted(&wrap, [0; 12], &stanza.body)?;
        (key.len() == 16).then_some(key)
    }
}

/// The key that a stanza's body is encrypted with.
fn derived(secret: &Key, tweak: Option<Key>, share: &str, own: &[u8; 32], label: &[u8]) -> Option<Key> {
    let share: [u8; 32] = STANDARD_NO_PAD.decode(share).ok()?.try_into().ok()?;
    let mut shared = Zeroizing::new(MontgomeryPoint(share).mul_clamped(**secret).to_bytes());
    if let Some(tweak) = tweak {
        shared = Zeroizing::new(MontgomeryPoint(*shared).mul_clamped(*tweak).to_bytes());
    }
    // A share of low order makes a secret that everybody knows.
    if shared.iter().all(|byte| *byte == 0) {
        return None;
    }
    // For SSH the recipient's own point is the one before the tweak.
    let mut salt = share.to_vec();
    salt.extend(own);
    Some(hkdf(&salt, shared.as_slice(), label))
}

fn of_openssh(text: &str, passphrase: Option<&str>) -> Result<Identity, NoIdentity> {
    let key = ssh_key::PrivateKey::from_openssh(text).map_err(|_| NoIdentity::Unknown)?;
    if key.public_key().algorithm() != ssh_key::Algorithm::Ed25519 {
        return Err(NoIdentity::Unfit);
    }
    let key = match (key.is_encrypted(), passphrase) {
        (false, _) => key,
        (true, None) => return Err(NoIdentity::Locked),
        (true, Some(words)) => key.decrypt(words).map_err(|_| NoIdentity::Passphrase)?,
    };
    let wire = key.public_key().to_bytes().map_err(|_| NoIdentity::Unknown)?;
    let KeypairData::Ed25519(pair) = key.key_data() else { return Err(NoIdentity::Unfit) };
    let seed = Zeroizing::new(pair.private.to_bytes());
    // RFC 8032, section 5.1.5: the first half of the hash is the scalar.
    let mut hash = Sha512::digest(seed.as_slice());
    let mut secret = Zeroizing::new([0; 32]);
    for (to, from) in secret.iter_mut().zip(hash.iter()) {
        *to = *from;
    }
    hash.as_mut_slice().zeroize();
    Ok(Identity::Ssh { secret, wire })
}

struct Stanza<'a> {
    arguments: &'a str,
    body: Vec<u8>,
}

/// The parts of a file.
struct Header<'a> {
    stanzas: Vec<Stanza<'a>>,
    /// What the MAC is of.
    signed: &'a [u8],
    mac: Vec<u8>,
    rest: &'a [u8],
}

impl<'a> Header<'a> {
    fn read(file: &'a [u8]) -> Option<Self> {
        let mut at = 0;
        if line(file, &mut at)?.0 != VERSION {
            return None;
        }
        let mut stanzas = Vec::new();
        loop {
            let (text, from) = line(file, &mut at)?;
            if let Some(mac) = text.strip_prefix("--- ") {
                let mac = STANDARD_NO_PAD.decode(mac).ok()?;
                return Some(Self { stanzas, signed: file.get(..from + 3)?, mac, rest: file.get(at..)? });
            }
            let arguments = text.strip_prefix("-> ")?;
            let mut body = String::new();
            loop {
                let (text, _) = line(file, &mut at)?;
                body.push_str(text);
                // The last line of a body is shorter than the others.
                if text.len() < 64 {
                    break;
                }
            }
            stanzas.push(Stanza { arguments, body: STANDARD_NO_PAD.decode(body).ok()? });
        }
    }
}

/// The next line, and where it begins.
fn line<'a>(file: &'a [u8], at: &mut usize) -> Option<(&'a str, usize)> {
    let from = *at;
    let rest = file.get(from..)?;
    let length = rest.iter().position(|byte| *byte == b'\n')?;
    *at = from + length + 1;
    Some((core::str::from_utf8(rest.get(..length)?).ok()?, from))
}

/// STREAM, as it is written.
fn chunks(key: &Key, payload: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let size = CHUNK + CHACHA20_POLY1305.tag_len();
    let mut plain = Zeroizing::new(Vec::with_capacity(payload.len()));
    let last = payload.len().div_ceil(size).checked_sub(1)?;
    for (number, chunk) in payload.chunks(size).enumerate() {
        let opened = decrypted(key, nonce(number, number == last), chunk)?;
        if opened.is_empty() && number > 0 {
            return None;
        }
        plain.extend(opened.iter());
    }
    Some(plain)
}

fn decrypted(key: &Key, nonce: [u8; 12], text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).ok()?);
    let mut text = Zeroizing::new(text.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let length = key.open_in_place(nonce, Aad::empty(), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

fn unarmored(text: &str) -> Option<Vec<u8>> {
    let inside = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let body: String = inside.lines().map(str::trim).collect();
    STANDARD.decode(body).ok()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::Recipients;

    const AGE: &str = include_str!("../tests/keys/age.key");
    const SSH_KEY: &str = include_str!("../tests/keys/id_ed25519");
    const SSH_LOCKED: &str = include_str!("../tests/keys/id_ed25519_locked");
    const AGE_LOCKED: &str = include_str!("../tests/keys/age_locked.key");
    const PUBLIC: [&str; 2] =
        [include_str!("../tests/keys/age.pub"), include_str!("../tests/keys/id_ed25519.pub")];
    const PASSPHRASE: &str = "correct horse";

    fn with(file: &str, passphrase: Option<&str>) -> Result<Identities, NoIdentity> {
        let mut identities = Identities::default();
        identities.add(file.as_bytes(), passphrase).map(|()| identities)
    }

    fn sealed(to: &[&str], plain: &[u8]) -> Vec<u8> {
        Recipients::parse(to.iter().copied()).unwrap().seal(plain, &mut StdRng::seed_from_u64(7)).unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_by_each_key_and_by_no_other() {
        for length in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let plain = vec![b'x'; length];
            let file = sealed(&PUBLIC, &plain);
            for key in [AGE, SSH_KEY] {
                assert!(*with(key, None).unwrap().open(&file).unwrap() == plain, "{length}");
            }
        }
        let other = sealed(&PUBLIC[..1], b"x");
        assert_eq!(with(SSH_KEY, None).unwrap().open(&other).err(), Some(NotOpened::OtherKeys));
    }

    #[test]
    fn what_the_real_program_sealed_is_opened() {
        let file = include_bytes!("../tests/keys/by_age.age");
        for key in [AGE, SSH_KEY] {
            assert_eq!(with(key, None).unwrap().open(file).unwrap().as_slice(), b"hello\n");
        }
    }

    #[test]
    fn keys_with_a_passphrase_are_opened_by_it_alone() {
        let file = sealed(&PUBLIC, b"pin");
        for key in [SSH_LOCKED, AGE_LOCKED] {
            assert_eq!(with(key, None).err(), Some(NoIdentity::Locked));
            assert_eq!(with(key, Some("wrong")).err(), Some(NoIdentity::Passphrase));
            assert_eq!(with(key, Some(PASSPHRASE)).unwrap().open(&file).unwrap().as_slice(), b"pin");
        }
        assert_eq!(with(PUBLIC[1], None).err(), Some(NoIdentity::Unknown));
    }

    #[test]
    fn a_file_that_was_changed_or_cut_is_refused() {
        let own = with(AGE, None).unwrap();
        let whole = unarmored(core::str::from_utf8(&sealed(&PUBLIC, b"0123456789")).unwrap().trim()).unwrap();
        assert_eq!(own.open(&whole).unwrap().as_slice(), b"0123456789");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(own.open(&changed).is_err(), "{at}");
            assert!(own.open(&whole[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn several_files_stand_one_after_the_other() {
        let [one, two] =
            [&b"one"[..], b"two"].map(|plain| String::from_utf8(sealed(&PUBLIC, plain)).unwrap());
        let text = format!("# a\n{one}\n# b\n{two}{BEGIN}\ncut off");
        let own = with(SSH_KEY, None).unwrap();
        let opened: Vec<_> =
            blocks(&text).iter().map(|block| own.open(block.as_bytes()).unwrap().to_vec()).collect();
        assert_eq!(opened, [b"one".to_vec(), b"two".to_vec()]);
    }
}
