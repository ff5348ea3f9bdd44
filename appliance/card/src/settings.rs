//! What the operator put on the card's FAT partition, and what becomes of it.
//!
//! `enrollment.toml` and the small files beside it (operators' SSH keys, authorities) are copied to the state
//! partition at every start, where only the daemon may read them. The copy is whole: the new directory takes the
//! place of the old one in one step. Then the secrets are overwritten on the card, in place.
//!
//! A power cut may leave any part of such a file overwritten and the rest not. So what is about to be
//! overwritten stands in a note on the state partition until it is done, and a start that finds a note and a
//! file that is a mixture of both begins again with what the file had been.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use zeroize::Zeroizing;

use crate::secrets::{self, Found, KEPT_IN};
use crate::there::{NOTES, There, is_firmware};

/// The settings' name.
pub const FILE: &str = "enrollment.toml";

/// All files together that are taken over, in bytes.
const MOST: u64 = 16 << 20;

pub(crate) type Bytes = Zeroizing<Vec<u8>>;

/// What is on the partition.
pub struct Settings {
    files: BTreeMap<String, Bytes>,
    /// Where these are, which may be spelled otherwise.
    paths: BTreeMap<String, PathBuf>,
    /// The server's secret, wherever it comes from.
    secret: Option<Bytes>,
    /// Whether the settings hold it, or name the file that does.
    fresh: bool,
    /// The file that has it, apart from the settings.
    secret_file: Option<String>,
    /// The files, apart from the settings, that have to be blanked.
    to_blank: Vec<String>,
}

/// What an earlier start kept, and what it had begun to overwrite.
pub struct Kept(PathBuf);

impl Kept {
    /// What is kept in that directory; it may be nothing.
    pub fn new(kept: &Path) -> Self {
        Self(kept.to_owned())
    }

    fn file(&self, name: &str) -> Option<Bytes> {
        fs::read(self.0.join(name)).ok().map(Zeroizing::new)
    }

    /// What a file on the card was before a power cut came between: it is on the card as it is now.
    fn before(&self, name: &str, now: &[u8]) -> Option<Bytes> {
        let before = fs::read(self.notes().join(name)).ok().map(Zeroizing::new)?;
        let after = blank_of(name, &before);
        let mixture = before.len() == now.len()
            && after.len() == now.len()
            && now
                .iter()
                .zip(before.iter().zip(after.iter()))
                .all(|(now, (old, new))| now == old || now == new);
        mixture.then_some(before)
    }

    fn notes(&self) -> PathBuf {
        self.0.with_extension("blanking")
    }

    /// Forgets what an earlier start had begun to overwrite, where there is nothing to overwrite any more.
    ///
    /// # Errors
    /// When it cannot be deleted. It is tried again at the next start.
    pub fn settle(&self) -> io::Result<()> {
        let notes = self.notes();
        if notes.exists() {
            return forget(&notes);
        }
        let part = part_of(&notes);
        if part.exists() { fs::remove_dir_all(part) } else { Ok(()) }
    }
}

fn part_of(notes: &Path) -> PathBuf {
    notes.with_extension("part-of-blanking")
}

/// What takes the place of a file with secrets: as long as it is.
fn blank_of(name: &str, bytes: &[u8]) -> Bytes {
    if name == FILE { secrets::blanked(bytes) } else { Zeroizing::new(vec![b' '; bytes.len()]) }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

impl Settings {
    /// Reads the partition. On FAT a name is the same in capitals; files get the names that the settings give them. What is not
    /// as it was meant to be, and was made the best of, stands in a note for the daemon.
    ///
    /// # Errors
    /// When it cannot be read. Files that are too long or too many are left out: the daemon then says which
    /// one it misses.
    pub fn read(fat: &Path, kept: &Kept) -> io::Result<Self> {
        let mut there = There::look(fat)?;
        let there_file = there.settings();
        let read = |name: &str, path: &Path| {
            let now = Zeroizing::new(fs::read(path)?);
            Ok::<_, io::Error>(kept.before(name, &now).unwrap_or(now))
        };
        let text = there_file.as_ref().map(|one| read(FILE, &one.path)).transpose()?.unwrap_or_default();
        let text = secrets::text_of(&text);
        let secret_at = secrets::find(&text);
        let fresh = matches!(secret_at, Some(Found::Value(_) | Found::File(_)));
        let mut naming = secrets::files(&text);
        naming.extend(match &secret_at {
            Some(Found::File(name)) => Some(name.clone()),
            _ => None,
        });
        naming.retain(|name| !name.eq_ignore_ascii_case(FILE) && !is_firmware(name));
        let (mut files, mut paths, mut room) = (BTreeMap::new(), BTreeMap::new(), MOST);
        for one in there_file.into_iter().chain(there.files(&text)) {
            let Some(left) = room.checked_sub(one.length) else { continue };
            let bytes = read(&one.name, &one.path)?;
            let Some(bytes) = there.without_private_keys(&one, bytes) else { continue };
            room = left;
            files.insert(one.name.clone(), bytes);
            paths.insert(one.name, one.path);
        }
        if let Some(notes) = there.notes() {
            files.insert(NOTES.to_owned(), notes);
        }
        let (secret, secret_file) = match secret_at {
            Some(Found::Value(value)) => (Some(Zeroizing::new(value.as_bytes().to_vec())), None),
            // A file that is blank has been taken over before.
            Some(Found::File(name)) if files.get(&name).is_some_and(|bytes| is_blank(bytes)) => {
                (kept.file(KEPT_IN), Some(name))
            }
            Some(Found::File(name)) => (files.get(&name).cloned(), Some(name)),
            Some(Found::Kept | Found::Several) => (kept.file(KEPT_IN), None),
            None => (None, None),
        };
        let secret_file = secret_file.filter(|_| secret.is_some());
        let mut to_blank = Vec::new();
        for name in naming {
            let Some(bytes) = files.get_mut(&name) else { continue };
            if !is_blank(bytes) {
                to_blank.push(name);
            } else if let Some(before) = kept.file(&name) {
                *bytes = before;
            }
        }
        Ok(Self { files, paths, secret, fresh, secret_file, to_blank })
    }

    /// Whether something on the card has to be blanked.
    pub fn has_secrets(&self) -> bool {
        !self.to_blank.is_empty() || self.text_has_secrets()
    }

    fn text_has_secrets(&self) -> bool {
        self.secret.is_some() && self.fresh
    }

    fn copy(&self) -> BTreeMap<&str, Bytes> {
        let mut copy = BTreeMap::new();
        for (name, bytes) in &self.files {
            if self.secret_file.as_deref() == Some(name) {
                continue;
            }
            copy.insert(name.as_str(), bytes.clone());
        }
        if let (Some(bytes), Some(kept)) = (self.files.get(FILE), &self.secret) {
            copy.insert(FILE, secrets::completed(bytes));
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
        replace(&part, kept).map(|()| true)
    }

    /// Overwrites the secrets on the card; they have been kept by then.
    ///
    /// # Errors
    /// When it cannot be written. It is tried again at the next start.
    pub fn blank(&self, kept: &Kept) -> io::Result<()> {
        let text = self.text_has_secrets().then(|| FILE.to_owned());
        let names: Vec<&String> = self.to_blank.iter().chain(&text).collect();
        let files = names.iter().filter_map(|name| Some((name.as_str(), self.files.get(name.as_str())?)));
        note(&kept.notes(), files.clone())?;
        for (name, bytes) in files {
            let path = self.paths.get(name).ok_or(io::ErrorKind::NotFound)?;
            overwrite(path, &blank_of(name, bytes))?;
        }
        forget(&kept.notes())
    }
}

/// Writes down what is about to be overwritten. It is on the card when this returns. A note that is there is
/// needed until the new one is.
fn note<'b>(notes: &Path, files: impl Iterator<Item = (&'b str, &'b Bytes)>) -> io::Result<()> {
    let part = part_of(notes);
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    DirBuilder::new().mode(0o700).create(&part)?;
    for (name, bytes) in files {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    File::open(&part)?.sync_all()?;
    replace(&part, notes)
}

/// Puts a directory in the place of another in one step.
fn replace(part: &Path, place: &Path) -> io::Result<()> {
    if place.exists() {
        renameat_with(CWD, part, CWD, place, RenameFlags::EXCHANGE)?;
        sync_parent(place)?;
        fs::remove_dir_all(part)
    } else {
        fs::rename(part, place)?;
        sync_parent(place)
    }
}

/// Forgets it in one step.
fn forget(notes: &Path) -> io::Result<()> {
    let part = part_of(notes);
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::rename(notes, &part)?;
    sync_parent(notes)?;
    fs::remove_dir_all(part)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
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
