//! The state partition: made at the first start, looked after at every other.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};

use crate::layout::STATE_LABEL;

/// What the partition begins with once its file system is whole; without it, it is made anew. ext4 leaves
/// the first 1024 bytes to boot loaders (Linux, Documentation/filesystems/ext4/overview.rst). The superblock
/// is no place for it: that is written again and again, a power cut may tear it, and what e2fsck puts in its
/// place is a copy from an earlier time.
const MARK: &[u8; 16] = b"enrollment state";

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
    let mut begin = [0; MARK.len()];
    File::open(partition).and_then(|device| device.read_exact_at(&mut begin, 0)).map_err(unreadable)?;
    if begin == *MARK {
        // 0: clean, 1: mended. Where the safe repairs are not enough, nobody is there to be asked.
        if run("e2fsck", &["-p", partition], partition, &[0, 1]).is_err() {
            run("e2fsck", &["-f", "-y", partition], partition, &[0, 1])?;
            return Ok(Done::Repaired);
        }
        return Ok(Done::Checked);
    }
    // A card's own bad blocks stay hidden from us, so nothing is reserved for root to find them with.
    let options =
        ["-q", "-F", "-t", "ext4", "-m", "0", "-L", STATE_LABEL, "-E", "lazy_itable_init=1", partition];
    run("mke2fs", &options, partition, &[0])?;
    sync(partition).map_err(unreadable)?;
    // One sector that makes it ours: before, it is made anew; after, it is whole.
    mark(partition).map_err(unreadable)?;
    Ok(Done::Made)
}

fn mark(partition: &str) -> io::Result<()> {
    // A whole sector, so that no other's content has to be read for it.
    let mut sector = MARK.to_vec();
    sector.resize(512, 0);
    let device = OpenOptions::new().write(true).open(partition)?;
    device.write_all_at(&sector, 0)?;
    device.sync_all()
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

    /// Without it, the partition of a station that is updated would be made anew.
    #[test]
    fn the_mark_of_a_partition_with_state_stays() {
        assert_eq!(MARK, b"enrollment state");
    }

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
        run("mke2fs", &["-q", "-F", "-t", "ext4", "-L", STATE_LABEL, path], path, &[0]).unwrap();
        assert_eq!(prepare(path).unwrap(), Done::Made);
    }

    #[test]
    fn one_whose_superblock_a_power_cut_tore_is_repaired_and_stays() {
        e2fsprogs();
        let file = image();
        let path = file.path().to_str().unwrap();
        assert_eq!(prepare(path).unwrap(), Done::Made);
        // As long ago as its copies may be: under another name, and before anything was in it.
        run("tune2fs", &["-L", "earlier", path], path, &[0]).unwrap();
        for torn in [&[0x55; 512][..], &[0; 1024]] {
            // The superblock's end with its checksum; then all of it.
            file.as_file().write_all_at(torn, 2048 - torn.len() as u64).unwrap();
            assert_eq!(prepare(path).unwrap(), Done::Repaired);
            assert_eq!(prepare(path).unwrap(), Done::Checked);
        }
    }

    #[test]
    fn what_cannot_be_opened_is_said() {
        let error = prepare("/nowhere/at/all").unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }
}
