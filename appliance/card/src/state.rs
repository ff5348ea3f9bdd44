//! The state partition: made at the first start, looked after at every other.
//!
//! It is made where the card was written for the first time or anew, which its first MiB of zeros says, and where making it was
//! begun and never ended. Everywhere else something may lie there, and it is kept: repaired as far as nothing is thrown away by
//! it, or left as it is for whoever mounts it to read. More than that is done by order only.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};

use crate::checksums::{self, Verdict};
use crate::layout::STATE_LABEL;

/// What the partition begins with once its file system is whole. Nothing is decided by it here, but a slot with an older version
/// makes a partition anew that does not begin so. ext4 leaves the first 1024 bytes to boot loaders (Linux,
/// Documentation/filesystems/ext4/overview.rst).
const MARK: &[u8; 16] = b"enrollment state";

/// What stands behind the file system while that is made. mke2fs wipes the partition's first KiB (seen with 1.47), so it is no
/// place for this.
const BEGUN: &[u8; 32] = b"enrollment state: it is made now";

/// Bytes behind the file system that are not part of it, for [`BEGUN`].
const BEHIND: u64 = 64 << 10;

/// What a card's image leaves as zeros (`image/card.cfg`).
const FRONT: u64 = 1 << 20;

const SECTOR: usize = 512;

/// Where e2fsprogs keeps its programs. The first process has no PATH.
const PROGRAMS: &str = "/usr/sbin";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A new, empty file system was made.
    Made,
    /// There was one, and it was checked.
    Checked,
    /// There was one with errors, and nothing is lost by their repair. What was wrong, in e2fsck's words.
    Repaired(String),
    /// There is one with errors that are not repaired without an order, since something would be thrown away by it: it is as it
    /// was. What is wrong.
    Damaged(String),
}

/// What somebody has ordered who has the card in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    #[default]
    None,
    /// To repair what is damaged, whatever is lost by it.
    Repair,
    /// To begin anew where something is damaged.
    Anew,
}

/// Why there is no state partition to be used.
#[derive(Debug, thiserror::Error)]
pub enum NoState {
    /// The partition cannot be read.
    #[error("the state partition {partition} cannot be read: {error}")]
    Unreadable {
        partition: String,
        /// What the kernel says.
        error: io::Error,
    },
    /// It could not be made: the card takes no writes.
    #[error("the state partition {partition} cannot be written: {error}")]
    Unwritable {
        partition: String,
        /// What the kernel says.
        error: io::Error,
    },
    /// A program did not do its work.
    #[error("{program} on {partition} ended with {ended}")]
    Failed {
        program: &'static str,
        partition: String,
        /// Its exit status, or why it did not run.
        ended: String,
    },
}

/// Makes the file system, or checks the one that is there.
///
/// # Errors
/// When the partition cannot be read, or cannot be made.
pub fn prepare(partition: &str) -> Result<Done, NoState> {
    prepare_by(partition, Order::None)
}

/// The same, with an order. It counts only where something is damaged: a station that is well is not begun anew by a file that
/// was forgotten on its card.
///
/// # Errors
/// When the partition cannot be read, or cannot be made.
pub fn prepare_by(partition: &str, order: Order) -> Result<Done, NoState> {
    let unreadable = |error| NoState::Unreadable { partition: partition.to_owned(), error };
    let there = There::look(partition).map_err(unreadable)?;
    if there.is_new() {
        return make(partition, &there);
    }
    // Before anything else, whatever becomes of the file system: an older version in the other slot may be started next.
    let settled = there.copy(partition).and_then(|_| there.settle(partition).ok().flatten());
    let damage = match (keep(partition, &there).map_err(unreadable)?, settled) {
        (Done::Damaged(damage), _) => damage,
        (Done::Checked, Some(said)) => return Ok(Done::Repaired(said)),
        (done, _) => return Ok(done),
    };
    match order {
        Order::None => Ok(Done::Damaged(damage)),
        Order::Repair => {
            let first = there.copy(partition);
            let forced = fsck(partition, &["-f", "-y"], first);
            let last = fsck(partition, &["-f", "-y"], None);
            Ok(if last.is_whole() {
                let _ = there.settle(partition);
                Done::Repaired(format!("{damage}; repaired by order: {}", forced.said))
            } else {
                Done::Damaged(last.said)
            })
        }
        Order::Anew => make(partition, &there),
    }
}

/// Whether the partition takes a write: a sector behind the file system is written as it is. A card at its end may not say that it is
/// read-only, and answer each write with an error.
#[must_use]
pub fn takes_writes(partition: &str) -> bool {
    let written = || -> io::Result<()> {
        let device = OpenOptions::new().read(true).write(true).open(partition)?;
        let length = io::Seek::seek(&mut &device, io::SeekFrom::End(0))?;
        let at = behind_of(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut sector = [0; SECTOR];
        device.read_exact_at(&mut sector, at)?;
        device.write_all_at(&sector, at)?;
        device.sync_all()
    };
    written().is_ok()
}

/// What a partition looks like before anything is done to it.
struct There {
    length: u64,
    /// Its first MiB is zeros.
    empty: bool,
    marked: bool,
    begun: bool,
}

impl There {
    fn look(partition: &str) -> io::Result<Self> {
        let device = File::open(partition)?;
        // A device's own metadata has no length.
        let length = io::Seek::seek(&mut &device, io::SeekFrom::End(0))?;
        let mut front = vec![0; usize::try_from(FRONT.min(length)).unwrap_or_default()];
        device.read_exact_at(&mut front, 0)?;
        let mut behind = [0; SECTOR];
        // Where that cannot be read, nothing is begun anew for it.
        let read = behind_of(length).map(|at| device.read_exact_at(&mut behind, at));
        Ok(Self {
            length,
            empty: front.iter().all(|byte| *byte == 0),
            marked: front.starts_with(MARK),
            begun: matches!(read, Some(Ok(()))) && behind == sector(BEGUN),
        })
    }

    /// Whether nothing can lie there.
    fn is_new(&self) -> bool {
        self.empty || (self.begun && !self.marked)
    }

    fn copy(&self, partition: &str) -> Option<checksums::Copy> {
        checksums::copy(&File::open(partition).ok()?, STATE_LABEL, self.length)
    }

    /// Puts both marks right; what was wrong.
    fn settle(&self, partition: &str) -> io::Result<Option<String>> {
        if !self.marked {
            write(partition, &sector(MARK), 0)?;
        }
        if let Some(at) = behind_of(self.length).filter(|_| self.begun) {
            write(partition, &[0; SECTOR], at)?;
        }
        Ok((!self.marked).then(|| "the mark in front of the file system was damaged".to_owned()))
    }
}

/// Where [`BEGUN`] stands; nowhere in a partition without room for it.
fn behind_of(length: u64) -> Option<u64> {
    let at = (length & !4095).checked_sub(BEHIND)?;
    (at > FRONT).then_some(at)
}

/// A whole sector, so that no other's content has to be read for it.
fn sector(begin: &[u8]) -> [u8; SECTOR] {
    let mut sector = [0; SECTOR];
    sector.iter_mut().zip(begin).for_each(|(to, from)| *to = *from);
    sector
}

fn make(partition: &str, there: &There) -> Result<Done, NoState> {
    let unwritable = |error| NoState::Unwritable { partition: partition.to_owned(), error };
    let behind = behind_of(there.length);
    if let Some(at) = behind {
        write(partition, &sector(BEGUN), at).map_err(unwritable)?;
    }
    if there.marked {
        // By order. A cut between this and the last line leaves what is begun, and that is made anew.
        write(partition, &[0; SECTOR], 0).map_err(unwritable)?;
    }
    // A card's own bad blocks stay hidden from us, so nothing is reserved for root to find them with.
    let options =
        ["-q", "-F", "-t", "ext4", "-m", "0", "-L", STATE_LABEL, "-E", "lazy_itable_init=1", partition];
    let length = behind.map(|at| format!("{}k", at >> 10));
    let ended = Command::new(format!("{PROGRAMS}/mke2fs"))
        .args(options)
        .args(length)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let failed = |ended| NoState::Failed { program: "mke2fs", partition: partition.to_owned(), ended };
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(failed(status.to_string())),
        Err(error) => return Err(failed(error.to_string())),
    }
    File::open(partition).and_then(|device| device.sync_all()).map_err(unwritable)?;
    // One sector that makes it ours: before, it is made anew; after, it is whole.
    write(partition, &sector(MARK), 0).map_err(unwritable)?;
    if let Some(at) = behind {
        write(partition, &[0; SECTOR], at).map_err(unwritable)?;
    }
    Ok(Done::Made)
}

/// Checks what is there, and repairs it as far as nothing is thrown away.
fn keep(partition: &str, there: &There) -> io::Result<Done> {
    let copy = there.copy(partition);
    let verdict = checksums::in_front(&File::open(partition)?)?;
    let mut said = None;
    if verdict == Verdict::Wrong || (verdict == Verdict::None && copy.is_some()) {
        let Some(copy) = copy else {
            return Ok(Done::Damaged("its superblock is damaged, and so is every copy of it".to_owned()));
        };
        let ended = fsck(partition, &["-f", "-p"], Some(copy));
        if !ended.is_whole() {
            return Ok(Done::Damaged(ended.said));
        }
        said = Some("its superblock was damaged, and is restored from a copy".to_owned());
    }
    // What was made whole from a copy is looked at as any other. Where one run was not enough, the next one may be.
    let mut ended = fsck(partition, &["-f", "-p"], None);
    if !ended.is_whole() {
        ended = fsck(partition, &["-f", "-p"], None);
    }
    if !ended.is_whole() && fsck(partition, &["-f", "-n"], None).is_about_growing() {
        ended = fsck(partition, &["-f", "-y"], None);
    }
    if !ended.is_whole() {
        return Ok(Done::Damaged(ended.said));
    }
    if let Some(found) = mend_bitmaps(partition)? {
        match found {
            Ok(mended) => said = said.or(Some(mended)),
            Err(damage) => return Ok(Done::Damaged(damage)),
        }
    }
    Ok(match (said, ended.has_repaired()) {
        (None, false) => Done::Checked,
        (Some(said), _) => Done::Repaired(said),
        (None, true) => Done::Repaired(ended.said),
    })
}

/// Has bitmaps made anew whose checksums are wrong although e2fsck finds nothing. It writes a bitmap when a bit of it is not what it has
/// found itself, so one is made wrong that it looks at: the first, of a block that it always counts. What was done, or what is left.
fn mend_bitmaps(partition: &str) -> io::Result<Option<Result<String, String>>> {
    let wrong = checksums::wrong_bitmaps(&File::open(partition)?)?;
    if wrong.is_empty() {
        return Ok(None);
    }
    for at in wrong {
        let device = OpenOptions::new().read(true).write(true).open(partition);
        // A card that takes no writes is found out by whoever mounts it.
        let turned = device.and_then(|device| {
            let mut first = [0; SECTOR];
            device.read_exact_at(&mut first, at)?;
            first[0] ^= 1;
            device.write_all_at(&first, at)?;
            device.sync_all()
        });
        if let Err(error) = turned {
            return Ok(Some(Err(format!(
                "a bitmap of its file system is damaged, and cannot be made anew: {error}"
            ))));
        }
    }
    let ended = fsck(partition, &["-f", "-p"], None);
    let left = checksums::wrong_bitmaps(&File::open(partition)?)?;
    Ok(Some(if ended.is_whole() && left.is_empty() {
        Ok("a bitmap of its file system was damaged, and is made anew".to_owned())
    } else {
        Err(format!("a bitmap of its file system is damaged: {}", ended.said))
    }))
}

fn write(partition: &str, bytes: &[u8], at: u64) -> io::Result<()> {
    let device = OpenOptions::new().write(true).open(partition)?;
    device.write_all_at(bytes, at)?;
    device.sync_all()
}

/// What e2fsck has come to (its manual page, "EXIT CODE").
struct Ended {
    code: Option<i32>,
    said: String,
}

impl Ended {
    /// 0: clean, 1: mended.
    fn is_whole(&self) -> bool {
        matches!(self.code, Some(0 | 1))
    }

    /// Whether it has put something right that no power cut leaves behind.
    fn has_repaired(&self) -> bool {
        let usual = [
            "recovering journal",
            "orphan",
            "Setting free ",
            "count wrong",
            " files (",
            "i_blocks is",
            "bitmap differences",
        ];
        self.code == Some(1)
            && self.said.split("; ").any(|line| !usual.iter().any(|usual| line.contains(usual)))
    }

    /// Whether all that is wrong is in what a file system needs to grow while it is mounted (inode 7), and ours does not do that.
    fn is_about_growing(&self) -> bool {
        let about = |line: &str| {
            line.starts_with("Resize inode not valid")
                || line.contains("node 7 ")
                || line.ends_with("inode 7")
        };
        let mut lines = self
            .said
            .split("; ")
            .filter(|line| !line.contains("still has errors") && !line.contains(" files ("))
            .peekable();
        lines.peek().is_some() && lines.all(|line| about(line.trim_end_matches(".  IGNORED.")))
    }
}

/// Runs it; what it says in one line, without the headings of its passes.
fn fsck(partition: &str, options: &[&str], copy: Option<checksums::Copy>) -> Ended {
    let copy =
        copy.map(|copy| ["-b".to_owned(), copy.at.to_string(), "-B".to_owned(), copy.block.to_string()]);
    let ran = Command::new(format!("{PROGRAMS}/e2fsck"))
        .args(options)
        .args(copy.iter().flatten())
        .arg(partition)
        .stdin(Stdio::null())
        .output();
    match ran {
        Ok(ran) => {
            let text = [ran.stdout, ran.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            let lines = text.lines().map(|line| {
                line.trim().trim_start_matches("state: ").trim_start_matches(&format!("{partition}: "))
            });
            let lines = lines.filter(|line| {
                !line.is_empty() && !line.starts_with("Pass ") && !line.starts_with("e2fsck ")
            });
            let said: Vec<String> = lines.take(12).map(|line| line.chars().take(200).collect()).collect();
            let said =
                if said.is_empty() { format!("e2fsck ended with {}", ran.status) } else { said.join("; ") };
            Ended { code: ran.status.code(), said }
        }
        Err(error) => Ended { code: None, said: format!("e2fsck: {error}") },
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
