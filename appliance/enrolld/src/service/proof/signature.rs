//! SSH signatures, as `ssh-keygen -Y sign` makes them (OpenSSH's PROTOCOL.sshsig).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ssh_key::encoding::Decode;
use ssh_key::{Algorithm, PublicKey, SshSig};

use crate::config::{Config, OperatorRole};

/// What such signatures are for, so that one that was made for something else is none.
pub(super) const NAMESPACE: &str = "enrollment-station";

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// The longest one, in characters; one of ECDSA with 521 bits has some 600.
const LONGEST: usize = 8192;

/// The flag of a security key that somebody touched it (U2F raw message formats, "user presence").
const TOUCHED: u8 = 1;

/// The end of a security key's signature: a byte of flags and four of a counter (PROTOCOL.u2f).
const FLAGS_FROM_END: usize = 5;

pub(super) struct Signed {
    signature: SshSig,
}

impl Signed {
    /// Reads the armored form, whatever ends its lines; the error says why not.
    pub(super) fn read(lines: &[String]) -> Result<Self, &'static str> {
        if lines.iter().map(String::len).sum::<usize>() > LONGEST {
            return Err("it is too long for a signature");
        }
        let mut base64 = String::new();
        let (mut begun, mut ended) = (false, false);
        for line in lines.iter().map(|line| line.trim_matches(['\u{feff}', '\0', ' ', '\t', '\r', '\n'])) {
            match line {
                _ if ended => {}
                BEGIN => begun = true,
                END => ended = begun,
                line if begun => base64.push_str(line),
                _ => {}
            }
        }
        if !ended {
            return Err("that is no signature as ssh-keygen -Y sign writes it, into change.sig");
        }
        let bytes = STANDARD.decode(base64).map_err(|_| "the signature is damaged")?;
        let mut rest = bytes.as_slice();
        let signature = SshSig::decode(&mut rest).map_err(|_| "the signature is damaged")?;
        if !rest.is_empty() || signature.version() != SshSig::VERSION || !signature.reserved().is_empty() {
            return Err("the signature is damaged");
        }
        if signature.namespace() != NAMESPACE {
            return Err("it is a signature for something else: sign with -n enrollment-station");
        }
        Ok(Self { signature })
    }

    /// The admin whose key made it.
    pub(super) fn admin(&self, config: &Config) -> Result<String, &'static str> {
        let mine = |line: &str| {
            PublicKey::from_openssh(line).is_ok_and(|key| key.key_data() == self.signature.public_key())
        };
        let admins = config.operators.iter().filter(|operator| operator.role == OperatorRole::Admin);
        let mut signers = admins.filter(|admin| admin.ssh_keys().any(|key| mine(&key.line)));
        let admin = signers.next().ok_or("the key that made it is no admin's")?;
        if !self.touched() {
            return Err("nobody touched the security key that made it");
        }
        Ok(admin.name.to_string())
    }

    /// Whether a security key was touched; other keys cannot be.
    fn touched(&self) -> bool {
        if !matches!(
            self.signature.public_key().algorithm(),
            Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256
        ) {
            return true;
        }
        let bytes = self.signature.signature_bytes();
        let flags = bytes.len().checked_sub(FLAGS_FROM_END).and_then(|at| bytes.get(at));
        flags.is_some_and(|flags| flags & TOUCHED != 0)
    }

    /// Whether it signs this text, in one of the forms that a shell may have given the file.
    pub(super) fn signs(&self, text: &str) -> bool {
        let key = PublicKey::from(self.signature.public_key().clone());
        forms(text).iter().any(|form| key.verify(NAMESPACE, form, &self.signature).is_ok())
    }
}

/// A text as files have it: as it is; with the ends of lines of Windows, or without the last one;
/// with a byte order mark; in UTF-16, as `>` of Windows PowerShell writes.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    let windows = text.replace('\n', "\r\n");
    for text in [text, text.trim_end_matches('\n'), &windows, windows.trim_end_matches("\r\n")] {
        forms.push(text.as_bytes().to_vec());
        forms.push([b"\xef\xbb\xbf", text.as_bytes()].concat());
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let units = || text.encode_utf16().flat_map(order);
            forms.push(order(0xfeff).into_iter().chain(units()).collect());
            forms.push(units().collect());
        }
    }
    forms
}
