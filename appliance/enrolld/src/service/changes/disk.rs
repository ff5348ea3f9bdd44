//! Where a committed configuration outlives a power cut: a whole file on the state partition, beside
//! the hash of the card's file that it was made from.
//!
//! A first line of its own says for which server an API key in it was given. Older releases take it for a comment.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::version::{Target, Version};

/// What the first line begins with.
const KEY_FOR: &str = "# api-key-for ";

pub(super) struct Disk {
    /// The directory; without it, everything is gone with the process.
    state: Option<PathBuf>,
}

/// One step of keeping; a power cut happens before or after it.
pub(super) enum Step {
    Write { file: PathBuf, text: Zeroizing<String> },
    Rename { from: PathBuf, to: PathBuf },
    Remove(PathBuf),
    Settle(PathBuf),
}

impl Disk {
    pub(super) const fn new(state: Option<PathBuf>) -> Self {
        Self { state }
    }

    /// What was committed on top of the card's file; `None` when nothing was, or the card's file is another now.
    pub(super) fn committed(&self, base: &str) -> Option<(Zeroizing<String>, Option<Target>)> {
        let state = self.state.as_ref()?;
        let of = std::fs::read_to_string(state.join("committed.of")).ok()?;
        let committed = state.join("committed.toml");
        if of.trim() == hash(base) {
            let text = std::fs::read_to_string(committed).ok().map(Zeroizing::new)?;
            return Some(split(text));
        }
        if committed.exists() {
            tracing::warn!("the card's configuration was changed: what operators had committed is put aside");
            if let Err(error) = std::fs::rename(&committed, state.join("put-aside.toml")) {
                tracing::warn!("it cannot be put aside: {error}");
            }
        }
        None
    }

    /// Keeps a configuration, so that a power cut leaves the one that was kept or this.
    pub(super) fn keep(&self, version: &Version, base: &str) -> io::Result<()> {
        self.steps(version, base).iter().try_for_each(Step::take)
    }

    pub(super) fn steps(&self, version: &Version, base: &str) -> Vec<Step> {
        let Some(state) = &self.state else { return Vec::new() };
        let committed = state.join("committed.toml");
        if *version.text == base {
            return vec![Step::Remove(committed), Step::Settle(state.clone())];
        }
        let text = match version.key_for {
            Some(target) => format!("{KEY_FOR}{}\n{}", target.hex(), *version.text),
            None => version.text.to_string(),
        };
        let mut steps = Vec::new();
        // What stands there may be of another card's file, and would count once the hash is this one's.
        if std::fs::read_to_string(state.join("committed.of")).is_ok_and(|of| of.trim() != hash(base)) {
            steps.extend([Step::Remove(committed.clone()), Step::Settle(state.clone())]);
        }
        for (file, text) in [(committed, text), (state.join("committed.of"), hash(base))] {
            let new = file.with_extension("new");
            steps.push(Step::Write { file: new.clone(), text: Zeroizing::new(text) });
            steps.push(Step::Rename { from: new, to: file });
            steps.push(Step::Settle(state.clone()));
        }
        steps
    }
}

impl Step {
    pub(super) fn take(&self) -> io::Result<()> {
        match self {
            Self::Write { file, text } => {
                let mut options = std::fs::OpenOptions::new();
                let mut out = options.create(true).write(true).truncate(true).mode(0o600).open(file)?;
                out.write_all(text.as_bytes())?;
                out.sync_all()
            }
            Self::Rename { from, to } => std::fs::rename(from, to),
            Self::Remove(file) => match std::fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            Self::Settle(directory) => std::fs::File::open(directory)?.sync_all(),
        }
    }
}

fn split(text: Zeroizing<String>) -> (Zeroizing<String>, Option<Target>) {
    let line = text.strip_prefix(KEY_FOR).and_then(|rest| rest.split_once('\n'));
    match line.and_then(|(hex, rest)| Some((Target::from_hex(hex.trim())?, rest))) {
        Some((target, rest)) => (Zeroizing::new(rest.to_owned()), Some(target)),
        None => (text, None),
    }
}

fn hash(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}
