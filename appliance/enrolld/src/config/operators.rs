//! Operators: who may log in, with which keys, from where, and what they may do.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use control::Role;
use sha2::{Digest, Sha256};

use super::ssh2;
use settings::encoding::decode;
use settings::read::{Field, Reader, Value};
use settings::values::{Name, Origin, read_beside, text_of};
use settings::{choices, record};

record! {
    /// A person who may log in.
    pub struct Operator {
        /// The name, which audit and receipts show.
        pub name: Name,
        /// What the operator may do; each may do what the one before may. "viewer" looks, "operator"
        /// enrolls keys and manages tokens, "admin" changes the station.
        pub role: OperatorRole = OperatorRole::Operator,
        /// The SSH keys.
        pub keys: Vec<Keys>,
        /// Where the operator may come from; everywhere when there is nothing.
        pub from: Vec<Origin> = Vec::new(),
    }
}

choices! {
    /// What an operator may do.
    pub enum OperatorRole {
        /// Look.
        Viewer = "viewer",
        /// Enroll keys and manage tokens.
        Operator = "operator",
        /// Change the station itself.
        Admin = "admin",
    }
}

impl OperatorRole {
    /// The interface's word for it.
    pub const fn role(self) -> Role {
        match self {
            Self::Viewer => Role::Viewer,
            Self::Operator => Role::Operator,
            Self::Admin => Role::Admin,
        }
    }
}

impl Operator {
    /// All keys, from wherever they came.
    pub fn ssh_keys(&self) -> impl Iterator<Item = &SshKey> {
        self.keys.iter().flat_map(|keys| &keys.keys)
    }
}

/// A public SSH key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKey {
    /// As in OpenSSH's `authorized_keys`: type, base64, perhaps a comment.
    pub line: String,
    /// Its SHA-256 as OpenSSH writes it (`SHA256:…`).
    pub fingerprint: String,
}

/// Types of keys that the SSH server takes. RSA is not among them: the only implementation
/// that the SSH server could use leaks the key by its timing, and these exist everywhere.
const TYPES: [&str; 6] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// The longest text with keys, and as many keys as are taken from it.
const LONGEST: usize = 64 * 1024;
const MOST: usize = 64;

impl SshKey {
    /// Reads keys as files have them: lines of OpenSSH, or the form of RFC 4716 that PuTTY and others write.
    /// The error says what is wrong.
    pub fn read_all(text: &str) -> Result<Vec<Self>, String> {
        if text.len() > LONGEST {
            return Err("this is too long for public keys".to_owned());
        }
        if is_private(text) {
            return Err("this is a private key, which belongs nowhere else: send the public one".to_owned());
        }
        let mut keys = Vec::new();
        for line in ssh2::lines(text).lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let shown: String = line.chars().take(40).collect();
            keys.push(Self::parse(line).map_err(|why| format!("{why}: {shown}"))?);
            if keys.len() > MOST {
                return Err(format!("these are more than {MOST} keys"));
            }
        }
        if keys.is_empty() {
            return Err("there is no key; it is read from standard input".to_owned());
        }
        Ok(keys)
    }

    /// Reads a line; the error says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, &'static str> {
        let mut words = line.split_whitespace();
        let (kind, base64) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if matches!(kind, "ssh-rsa" | "ssh-dss") {
            return Err("RSA and DSA keys are not taken");
        }
        if !TYPES.contains(&kind) {
            return Err("this is no public SSH key");
        }
        let blob = STANDARD.decode(base64).map_err(|_| "the key is damaged")?;
        // RFC 4253, section 6.6: the key begins with its type, a length of four bytes before it.
        let named = blob.get(4..).and_then(|rest| rest.get(..kind.len()));
        let length = blob.get(..4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        if named != Some(kind.as_bytes())
            || length != u32::try_from(kind.len()).ok()
            || blob.len() < kind.len() + 36
        {
            return Err("the key is damaged");
        }
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { line, fingerprint: format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&blob))) })
    }
}

/// One entry of `keys`: a key, or a file of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The file they came from.
    pub file: Option<String>,
    pub keys: Vec<SshKey>,
}

const PRIVATE: &str = "this is a private key, and whoever has had the card in hand has it: it is compromised";
const PRIVATE_REMEDY: &str = "Make a new pair of keys, write its public half here, and delete the file.";

/// Whether somebody's private key stands there, in any of its usual forms.
fn is_private(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| {
        (line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY"))
            || line.starts_with("PuTTY-User-Key-File-")
    })
}

const REMEDY: &str =
    "Write the line that ssh-keygen -t ed25519 puts into id_ed25519.pub, or the name of such a file.";

impl Field for Keys {
    fn form() -> String {
        "a public SSH key as in authorized_keys (ed25519 or ecdsa, security keys too), or the name of a \
         file of them beside the configuration, which ends in .pub"
            .to_owned()
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = text_of::<Self>(value, reader)?;
        let is_file = text.ends_with(".pub") && !text.contains(' ');
        let (file, lines) = if is_file {
            let (name, bytes) = read_beside::<Self>(value, reader)?;
            let (text, wrong) = decode(&bytes);
            if let Some(wrong) = wrong {
                reader.problem(&value.span(), format!("in {name}, {}", wrong.text), wrong.remedy);
            }
            (Some(name), text.trim_start_matches('\u{feff}').to_owned())
        } else {
            (None, text.to_owned())
        };
        if is_private(&lines) {
            reader.problem(&value.span(), PRIVATE, PRIVATE_REMEDY);
            return None;
        }
        let lines = ssh2::lines(&lines);
        let mut keys = Vec::new();
        for line in lines.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            match SshKey::parse(line) {
                Ok(key) => keys.push(key),
                Err(why) => reader.problem(&value.span(), why, REMEDY),
            }
        }
        if keys.is_empty() && lines.trim().is_empty() {
            reader.problem(&value.span(), "there is no key", REMEDY);
        }
        (!keys.is_empty()).then_some(Self { file, keys })
    }

    fn show(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_ssh_keygen() {
        // Made by OpenSSH 9.2: ssh-keygen -t ed25519, then ssh-keygen -lf.
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ test";
        let key = SshKey::parse(line).unwrap();
        assert_eq!(key.fingerprint, "SHA256:Re+qUgfoyZ72NnI9WgakQho6T4dygZP+WyfyGV9mNlc");
        assert_eq!(key.line, line);
    }

    #[test]
    fn keys_are_read_as_files_have_them() {
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ test";
        // Made by OpenSSH 9.2: ssh-keygen -e of the same key; PuTTY breaks its lines elsewhere.
        let ssh2 = "---- BEGIN SSH2 PUBLIC KEY ----\r\n\
                    Comment: \"256-bit ED25519, converted by \\\r\nada@desk from OpenSSH\"\r\n\
                    x-private: none\r\n\
                    AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ\r\n\
                    ---- END SSH2 PUBLIC KEY ----\r\n";
        let keys = SshKey::read_all(&format!("# mine\n{line}\n\n{ssh2}")).unwrap();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0].fingerprint, keys[1].fingerprint);
        assert_eq!(keys[0].line, line);
        assert!(
            keys[1].line.ends_with("256-bit ED25519, converted by ada@desk from OpenSSH"),
            "{}",
            keys[1].line
        );
    }

    #[test]
    fn what_holds_no_public_keys_is_refused_with_the_reason() {
        for (text, word) in [
            ("", "no key"),
            ("# nothing\n", "no key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "private"),
            ("PuTTY-User-Key-File-3: ssh-ed25519", "private"),
            ("\nhello", "no public SSH key: hello"),
            ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA", "no public SSH key"),
            ("---- BEGIN SSH2 PUBLIC KEY ----\nComment: \\", "no key"),
        ] {
            let said = SshKey::read_all(text).unwrap_err();
            assert!(said.contains(word), "{text}: {said}");
        }
        assert!(SshKey::read_all(&"x".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn what_is_no_key_is_said_to_be_none() {
        let good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ";
        let shorter = good.strip_suffix("AJQ").unwrap();
        for (line, word) in [
            ("", "no public"),
            ("hello", "no public"),
            ("ssh-rsa AAAA", "RSA"),
            ("ssh-ed25519", "damaged"),
            (shorter, "damaged"),
            (&good.replace("ssh-ed25519", "ecdsa-sha2-nistp256"), "damaged"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "no public"),
        ] {
            assert!(SshKey::parse(line).unwrap_err().contains(word), "{line}");
        }
    }
}
