//! An update that somebody has put beside `enrollment.toml` on the card's FAT partition, as a file that ends with `.update`.
//!
//! It is installed at a start, before any service: no key is in work then, so this is a moment in which the station may restart. It is taken once:
//! one that runs already or is older is passed over, and so is one that has failed here. The file is never deleted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::install;
use crate::trial::Kept;
use crate::update_facts::Facts;

/// What the names of bundles end with, in any case.
const ENDING: &str = ".update";

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No bundle.
    Nothing,
    /// One that is not for this station now: its name, and why.
    PassedOver(String, String),
    /// One that is written, and waits to be tried: its name.
    Written(String),
}

/// Installs the first bundle of a directory, by name.
pub fn take(directory: &Path, facts: &Facts, kept: &Kept, now: u64) -> Found {
    let Some(path) = first(directory) else { return Found::Nothing };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => return Found::PassedOver(name, error.to_string()),
    };
    let facts = Facts { ordered: false, ..facts.clone() };
    match install::installed(file, &mut std::io::sink(), &facts, kept, now) {
        Ok(_) => Found::Written(name),
        Err(refused) => Found::PassedOver(name, format!("E{:04}: {refused}", refused.code())),
    }
}

fn first(directory: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    let bundle = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().ends_with(ENDING))
    };
    entries.filter(bundle).min()
}
