//! What the operator put on the card's FAT partition, and what becomes of it.
//!
//! `enrollment.toml` and the small files beside it (operators' SSH keys, authorities) are copied to the state
//! partition at every start, where only the daemon may read them. The copy is whole: the new directory takes the
//! place of the old one in one step. Then the secrets are overwritten on the card, in place, so that no power cut
//! leaves a file half there.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, PermissionsExt as _, chown};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use zeroize::Zeroizing;

use crate::secrets::{self, Found, KEPT_IN};

/// The settings' name.
pub const FILE: &str = "enrollment.toml";

/// The longest file that is taken over, in bytes, and how many.
const LONGEST: u64 = 1 << 20;
const MOST: usize = 64;

/// Endings of the files that are taken over. What else is on the partition belongs to the firmware and U-Boot.
const ENDINGS: [&str; 8] = ["toml", "pem", "crt", "cer", "pub", "key", "keys", "token"];

type Bytes = Zeroizing<Vec<u8>>;

/// What is on the partition.
pub struct Settings {
    files: BTreeMap<String, Bytes>,
    secret: Option<Bytes>,
    /// The file, apart from the settings, that has to be blanked.
    secret_file: Option<String>,
}

/// What an earlier start kept.
pub struct Kept(Option<Bytes>);

impl Kept {
    /// Reads it; it may be nothing.
    #[must_use]
    pub fn read(kept: &Path) -> Self {
        Self(fs::read(kept.join(KEPT_IN)).ok().map(Zeroizing::new))
    }
}

impl Settings {
    /// Reads the partition.
    ///
    /// # Errors
    /// When it cannot be read. Files that are too long or too many are left out: the daemon then says which
    /// one it misses.
    pub fn read(fat: &Path, kept: &Kept) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(fat)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let about = entry.metadata()?;
            if about.is_file() && about.len() <= LONGEST && files.len() < MOST {
                files.insert(name, entry.path());
            }
        }
        let text = files.get(FILE).map(fs::read).transpose()?.map(Zeroizing::new).unwrap_or_default();
        let text = Zeroizing::new(String::from_utf8(text.to_vec()).unwrap_or_default());
        let found = secrets::find(&text).map(|(_, found)| found);
        let named = match &found {
            Some(Found::File(name)) => Some((*name).to_owned()),
            _ => None,
        };
        let wanted = |name: &str| {
            let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
            ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
                || name == "authorized_keys"
                || named.as_deref() == Some(name)
                || text.contains(&format!("\"{name}\""))
        };
        let files: BTreeMap<String, Bytes> = files
            .into_iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, path)| Ok((name, Zeroizing::new(fs::read(path)?))))
            .collect::<io::Result<_>>()?;
        let (secret, secret_file) = match found {
            Some(Found::Value(value)) => (Some(Zeroizing::new(value.as_bytes().to_vec())), None),
            Some(Found::File(name)) => (files.get(name).cloned(), Some(name.to_owned())),
            Some(Found::Kept) => (kept.0.clone(), None),
            None => (None, None),
        };
        let secret_file = secret_file.filter(|_| secret.is_some());
        Ok(Self { files, secret, secret_file })
    }

    fn text(&self) -> Option<&str> {
        self.files.get(FILE).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Whether something on the card has to be blanked.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        let found = self.text().and_then(secrets::find).map(|(_, found)| found);
        self.secret.is_some() && matches!(found, Some(Found::Value(_) | Found::File(_)))
    }

    fn copy(&self) -> BTreeMap<&str, Bytes> {
        let mut copy = BTreeMap::new();
        for (name, bytes) in &self.files {
            if self.secret_file.as_deref() == Some(name) {
                continue;
            }
            copy.insert(name.as_str(), bytes.clone());
        }
        if let (Some(text), Some(kept)) = (self.text(), &self.secret) {
            copy.insert(FILE, Zeroizing::new(secrets::completed(text).into_bytes()));
            copy.insert(KEPT_IN, kept.clone());
        }
        copy
    }

    /// Puts the copy in place of the earlier one, for that group to read; whether it differs from that. It is on
    /// the card when this returns.
    ///
    /// # Errors
    /// When it cannot be written. The earlier one is then still there.
    pub fn keep(&self, kept: &Path, group: u32) -> io::Result<bool> {
        let files = self.copy();
        if same(kept, &files) {
            return Ok(false);
        }
        let part = kept.with_extension("part");
        if part.exists() {
            fs::remove_dir_all(&part)?;
        }
        DirBuilder::new().mode(0o750).create(&part)?;
        chown(&part, None, Some(group))?;
        for (name, bytes) in &files {
            let mut file = File::create_new(part.join(name))?;
            file.set_permissions(Permissions::from_mode(0o640))?;
            chown(part.join(name), None, Some(group))?;
            file.write_all(bytes)?;
            file.sync_all()?;
        }
        File::open(&part)?.sync_all()?;
        if kept.exists() {
            renameat_with(CWD, &part, CWD, kept, RenameFlags::EXCHANGE)?;
            fs::remove_dir_all(&part)?;
        } else {
            fs::rename(&part, kept)?;
        }
        if let Some(parent) = kept.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(true)
    }

    /// Overwrites the secrets on the card.
    ///
    /// # Errors
    /// When it cannot be written. It is tried again at the next start.
    pub fn blank(&self, fat: &Path) -> io::Result<()> {
        // The named file first: as long as the settings name it, it is looked at again.
        if let Some(name) = &self.secret_file {
            let length = self.files.get(name).map_or(0, |bytes| bytes.len());
            overwrite(&fat.join(name), &vec![b' '; length])?;
        }
        if let Some(text) = self.text() {
            overwrite(&fat.join(FILE), secrets::blanked(text).as_bytes())?;
        }
        Ok(())
    }
}

/// In place: neither its length nor where it lies changes.
fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    if file.metadata()?.len() != bytes.len() as u64 {
        return Err(io::Error::other("its length has changed meanwhile"));
    }
    file.write_all_at(bytes, 0)?;
    file.sync_all()
}

fn same(directory: &Path, files: &BTreeMap<&str, Bytes>) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    let there: Vec<_> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    there.len() == files.len()
        && files.iter().all(|(name, bytes)| {
            fs::read(directory.join(name))
                .is_ok_and(|there| Zeroizing::new(there).as_slice() == bytes.as_slice())
        })
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
