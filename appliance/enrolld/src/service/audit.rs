//! The audit: who asked for what, from where, with what result.
//!
//! One JSON object a line, in a file that is renamed when it has grown to 1 MiB, so
//! that there are at most two. It is written by a thread of its own: nobody waits for the
//! disk, and a full disk stops nothing. What a call was given is shown by
//! [`control::interface::CallInfo::shown`], which leaves secrets out.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use control::types::AuditEntry;

/// How large the file grows before it is put aside.
const LARGEST: u64 = 1 << 20;

/// How many lines are kept in memory.
const KEPT: usize = 1000;

/// Takes entries.
pub(super) struct Audit {
    newest: Mutex<VecDeque<AuditEntry>>,
    disk: Option<SyncSender<AuditEntry>>,
}

impl Audit {
    /// An audit in `directory`, which goes on where it was; without one, in memory only.
    pub(super) fn open(directory: Option<&Path>) -> Self {
        let mut newest = VecDeque::new();
        let mut disk = None;
        if let Some(directory) = directory {
            let file = directory.join("audit.jsonl");
            for file in [aside(&file), file.clone()] {
                newest.extend(read(&file).unwrap_or_default());
            }
            let surplus = newest.len().saturating_sub(KEPT);
            newest.drain(..surplus);
            let (sender, inbox) = mpsc::sync_channel::<AuditEntry>(256);
            let started = thread::Builder::new().name("audit".to_owned()).spawn(move || {
                for entry in inbox {
                    if let Err(error) = append(&file, &entry) {
                        tracing::warn!("the audit cannot be written: {error}");
                    }
                }
            });
            disk = started.ok().map(|_| sender);
        }
        Self { newest: Mutex::new(newest), disk }
    }

    /// Notes an entry, in the log too.
    pub(super) fn note(&self, entry: AuditEntry) {
        tracing::info!(
            target: "audit",
            "{} from {}: {} [{}, {} ms]", entry.operator, entry.address, entry.what, entry.result, entry.took_ms
        );
        if let Some(disk) = &self.disk
            && disk.try_send(entry.clone()).is_err()
        {
            tracing::warn!("an entry of the audit is only in this log: the disk is too slow");
        }
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.push_back(entry);
        if newest.len() > KEPT {
            newest.pop_front();
        }
    }

    /// The newest entries, oldest first.
    pub(super) fn newest(&self, count: usize) -> Vec<AuditEntry> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.iter().skip(newest.len().saturating_sub(count)).cloned().collect()
    }
}

fn aside(file: &Path) -> PathBuf {
    file.with_extension("old.jsonl")
}

fn read(file: &Path) -> io::Result<Vec<AuditEntry>> {
    // A line that a power cut tore is left out.
    let lines = BufReader::new(File::open(file)?).lines().map_while(Result::ok);
    Ok(lines.filter_map(|line| serde_json::from_str(&line).ok()).collect())
}

fn append(file: &Path, entry: &AuditEntry) -> io::Result<()> {
    if std::fs::metadata(file).is_ok_and(|about| about.len() >= LARGEST) {
        std::fs::rename(file, aside(file))?;
    }
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    OpenOptions::new().create(true).append(true).mode(0o600).open(file)?.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(what: &str) -> AuditEntry {
        AuditEntry {
            at: jiff::Timestamp::UNIX_EPOCH,
            operator: "alice".to_owned(),
            address: "192.0.2.1:5".to_owned(),
            session: "s".to_owned(),
            what: what.to_owned(),
            result: "ok".to_owned(),
            took_ms: 1,
        }
    }

    #[test]
    fn the_file_is_bounded_and_read_back_without_torn_lines() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("audit.jsonl");
        let long = "x".repeat(100_000);
        for number in 0..30 {
            append(&file, &entry(&format!("{number} {long}"))).unwrap();
        }
        append(&file, &entry("last")).unwrap();
        OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"at\":\"19").unwrap();
        let sizes: u64 =
            [aside(&file), file.clone()].iter().map(|f| std::fs::metadata(f).unwrap().len()).sum();
        assert!(sizes < 3 * LARGEST, "{sizes}");
        let audit = Audit::open(Some(directory.path()));
        assert_eq!(audit.newest(1)[0].what, "last");
        assert!(audit.newest(KEPT).len() < 30);
    }
}
