//! The state partition: made at the first start, looked after at every other.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};

use crate::ext4::{self, Superblock};
use crate::layout::STATE_LABEL;

/// The label while the file system is being made: one that a power cut left unfinished bears it, or
/// none, and is made anew.
const UNFINISHED: &str = "unfinished";

/// Where e2fsprogs keeps its programs. The first process has no PATH.
const PROGRAMS: &str = "/usr/sbin";

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// A new, empty file system was made.
    Made,
    /// There was one, and it was checked.
    Checked,
    /// There was one with errors; what could be saved is there.
    Repaired,
}

/// Why there is no state partition to be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoState {
    /// The partition cannot be read.
    #[error("the state partition {partition} cannot be read: {error}")]
    Unreadable {
        /// The partition.
        partition: String,
        /// What the kernel says.
        error: io::Error,
    },
    /// A program did not do its work.
    #[error("{program} on {partition} ended with {ended}")]
    Failed {
        /// The program.
        program: &'static str,
        /// The partition.
        partition: String,
        /// Its exit status, or why it did not run.
        ended: String,
    },
}

/// Makes the file system, or checks the one that is there.
///
/// # Errors
/// When neither can be done, not even with all of e2fsck's repairs.
pub fn prepare(partition: &str) -> Result<Done, NoState> {
    let unreadable = |error| NoState::Unreadable { partition: partition.to_owned(), error };
    let mut first = [0; ext4::LENGTH];
    File::open(partition)
        .and_then(|device| device.read_exact_at(&mut first, ext4::START))
        .map_err(unreadable)?;
    if Superblock::read(&first).is_some_and(|made| made.label == STATE_LABEL) {
        // 0: clean, 1: mended. Where the safe repairs are not enough, nobody is there to be asked.
        if run("e2fsck", &["-p", partition], partition, &[0, 1]).is_err() {
            run("e2fsck", &["-f", "-y", partition], partition, &[0, 1])?;
            return Ok(Done::Repaired);
        }
        return Ok(Done::Checked);
    }
    // A card's own bad blocks stay hidden from us, so nothing is reserved for root to find them with.
    let options =
        ["-q", "-F", "-t", "ext4", "-m", "0", "-L", UNFINISHED, "-E", "lazy_itable_init=1", partition];
    run("mke2fs", &options, partition, &[0])?;
    sync(partition).map_err(unreadable)?;
    // One sector that makes it ours: before, it is made anew; after, it is whole.
    run("tune2fs", &["-L", STATE_LABEL, partition], partition, &[0])?;
    sync(partition).map_err(unreadable)?;
    Ok(Done::Made)
}

fn sync(partition: &str) -> io::Result<()> {
    File::open(partition)?.sync_all()
}

fn run(program: &'static str, arguments: &[&str], partition: &str, fine: &[i32]) -> Result<(), NoState> {
    let ended = Command::new(format!("{PROGRAMS}/{program}"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let ended = match ended {
        Ok(status) if status.code().is_some_and(|code| fine.contains(&code)) => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    Err(NoState::Failed { program, partition: partition.to_owned(), ended })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(16 << 20).unwrap();
        file
    }

    /// e2fsprogs is essential on Debian; its programs are outside an ordinary user's PATH.
    fn e2fsprogs() {
        assert!(
            std::path::Path::new(PROGRAMS).join("mke2fs").exists(),
            "this test needs e2fsprogs: apt-get install e2fsprogs"
        );
    }

    #[test]
    fn it_is_made_once_and_then_checked() {
        e2fsprogs();
        let file = image();
        let path = file.path().to_str().unwrap();
        assert_eq!(prepare(path).unwrap(), Done::Made);
        assert_eq!(prepare(path).unwrap(), Done::Checked);
    }

    #[test]
    fn one_that_was_not_finished_is_made_anew() {
        e2fsprogs();
        let file = image();
        let path = file.path().to_str().unwrap();
        run("mke2fs", &["-q", "-F", "-t", "ext4", "-L", UNFINISHED, path], path, &[0]).unwrap();
        assert_eq!(prepare(path).unwrap(), Done::Made);
    }

    #[test]
    fn what_cannot_be_opened_is_said() {
        let error = prepare("/nowhere/at/all").unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }
}
