//! The station's own SSH key: made at the first start, kept on the state partition, and shown by
//! its fingerprint in the banner and on the panel, so that a first contact can be checked.

use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use thiserror::Error;
use zeroize::Zeroizing;

/// The name of the file in the state directory.
const FILE: &str = "ssh_host_ed25519_key";

/// Why there is no host key.
#[derive(Debug, Error)]
pub enum HostKeyError {
    /// The file cannot be read or written.
    #[error(
        "the SSH host key {path} cannot be {what}: {error}. See that the directory is there and belongs to this user."
    )]
    Io {
        /// Which file.
        path: PathBuf,
        /// Read, or written.
        what: &'static str,
        error: io::Error,
    },
    /// Others may read it.
    #[error(
        "the SSH host key {0} can be read by others; delete it, and a new one is made (operators will be warned that it changed)"
    )]
    Open(PathBuf),
    /// It is no key, or not of this kind.
    #[error(
        "the SSH host key {0} is no Ed25519 key; delete it, and a new one is made (operators will be warned that it changed)"
    )]
    Wrong(PathBuf),
    /// No key could be made.
    #[error("no SSH host key can be made: {0}")]
    Make(russh::keys::ssh_key::Error),
}

/// The host key of the state directory; makes it when there is none.
///
/// # Errors
///
/// It cannot be read, written or used.
pub fn host_key(state: &Path) -> Result<PrivateKey, HostKeyError> {
    let path = state.join(FILE);
    let failed = |what| {
        let path = path.clone();
        move |error| HostKeyError::Io { path, what, error }
    };
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => return Err(HostKeyError::Open(path)),
        Ok(_) => {
            let text = Zeroizing::new(std::fs::read_to_string(&path).map_err(failed("read"))?);
            let key = PrivateKey::from_openssh(text.as_str());
            return match key {
                Ok(key) if key.algorithm() == Algorithm::Ed25519 && !key.is_encrypted() => Ok(key),
                _ => Err(HostKeyError::Wrong(path)),
            };
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("read")(error)),
    }
    let key = new()?;
    let text = key.to_openssh(LineEnding::LF).map_err(HostKeyError::Make)?;
    // Under another name first: half a key would stop every later start.
    let fresh = state.join(format!("{FILE}.new"));
    let write = || -> io::Result<()> {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &path)?;
        std::fs::File::open(state)?.sync_all()
    };
    write().map_err(failed("written"))?;
    Ok(key)
}

/// A key that nothing keeps.
pub(super) fn new() -> Result<PrivateKey, HostKeyError> {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(HostKeyError::Make)
}

/// The fingerprint as OpenSSH writes it: `SHA256:` and 43 characters.
pub fn fingerprint(key: &PrivateKey) -> String {
    key.public_key().fingerprint(HashAlg::Sha256).to_string()
}

/// The fingerprint as a picture, as `ssh-keygen -lv` draws it.
pub(super) fn picture(key: &PrivateKey) -> String {
    key.public_key().fingerprint(HashAlg::Sha256).to_randomart("[ED25519 256]")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by ssh-keygen for this test, and used nowhere.
    const EARLIER: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCturY7ptK+L3Qtub/ak9H+2Mlf0geIzBmC5FH0r4VYiAAAAJAdW1daHVtX
WgAAAAtzc2gtZWQyNTUxOQAAACCturY7ptK+L3Qtub/ak9H+2Mlf0geIzBmC5FH0r4VYiA
AAAEBYYDAkklcZDIp9TvCOQb+1o9DV6IEtML9aebBCHm3D2626tjum0r4vdC25v9qT0f7Y
yV/SB4jMGYLkUfSvhViIAAAABnZlY3RvcgECAwQFBgc=
-----END OPENSSH PRIVATE KEY-----
";

    /// Operators' clients know a station by it.
    #[test]
    fn the_key_of_an_earlier_release_is_taken() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("ssh_host_ed25519_key");
        std::fs::write(&path, EARLIER).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let key = host_key(state.path()).unwrap();
        assert_eq!(fingerprint(&key), "SHA256:cVzk8bDfurp71o7AzNHyD7dmRGmbcGVLYlukMtULQ9c");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), EARLIER);
    }

    #[test]
    fn the_key_is_made_once_and_kept_to_oneself() {
        let state = tempfile::tempdir().unwrap();
        let made = host_key(state.path()).unwrap();
        let path = state.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fingerprint(&host_key(state.path()).unwrap()), fingerprint(&made));
        assert!(fingerprint(&made).starts_with("SHA256:") && picture(&made).contains("ED25519"));

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(host_key(state.path()), Err(HostKeyError::Open(_))));
        std::fs::write(&path, "nonsense").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(host_key(state.path()), Err(HostKeyError::Wrong(_))));
        assert!(matches!(host_key(&state.path().join("missing")), Err(HostKeyError::Io { .. })));
    }
}
