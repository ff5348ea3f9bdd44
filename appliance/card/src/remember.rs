//! What the station remembers, as its services find it in `/var/lib`: on the card, or in memory where the card takes no writes.
//!
//! A card at its end becomes read-only, fails, or is damaged so that nothing may be written before somebody decides what is to be
//! lost. The station starts nevertheless, so that operators can log in, and read and export what is there: all of it is copied
//! into memory, and the services work on the copy as they always do. (SQLite cannot open its log on a read-only file system, and
//! systemd wants its directories.) The daemon reads in [`CONDITION`] how it is, says so, and takes no key.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::state::{self, Done, Order};

/// How it is, for the daemon: a word, a sentence what is the case, one what to do, and who may log in, a line each.
pub const CONDITION: &str = "/run/station-state";

/// Where the services find it.
pub const PLACE: &str = "/var/lib";

/// Where the partition is while it is copied.
const ASIDE: &str = "/run/state";

/// As much is copied, in bytes. A thousand enrollments have some 3 MB.
const MOST: u64 = 192 << 20;

/// With less free room than this, in bytes, the services do not start on it.
const LEAST: u64 = 1 << 20;

/// Files on the FAT partition that order something where the state is damaged, without their ending.
const REPAIR: &str = "repair-state";
const ANEW: &str = "begin-anew";

/// What became of the state partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It can be written.
    Writable {
        /// It was made at this start.
        new: bool,
        /// What was put right, where something was.
        repaired: Option<String>,
    },
    /// It cannot be written, and what lies there is in memory.
    Copy {
        /// Why, in the words of whoever found it.
        why: String,
        /// What was written last may be missing: the journal of the file system could not be read.
        older: bool,
        /// Files that could not be read.
        missing: u32,
        /// What kind of fault it is.
        fault: Fault,
    },
    /// Nothing of it can be read.
    Lost {
        why: String,
        /// What kind of fault it is.
        fault: Fault,
    },
}

/// Why the state partition is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The card takes no writes.
    ReadOnly,
    /// There is no room.
    Full,
    /// It is damaged, and an order can end that.
    Damaged,
}

impl Condition {
    /// What is the case, as a sentence.
    pub fn cause(&self) -> String {
        match self {
            Self::Writable { repaired: Some(said), .. } => {
                format!("The state partition was repaired, and nothing is lost by it: {said}.")
            }
            Self::Writable { .. } => "The state partition can be written.".to_owned(),
            Self::Copy { why, older, missing, .. } => {
                let older = if *older { " What was written last may be missing." } else { "" };
                let missing = match missing {
                    0 => String::new(),
                    1 => " One file cannot be read.".to_owned(),
                    number => format!(" {number} files cannot be read."),
                };
                format!(
                    "Nothing is written to the card: {why}. What it holds can be read and exported.{older}{missing}"
                )
            }
            Self::Lost { why, .. } => format!(
                "Nothing that the station remembers can be read: {why}. Only admins of the card's own settings may log in, and the host key is one for this start."
            ),
        }
    }

    /// What to do.
    pub fn remedy(&self) -> String {
        let fault = match self {
            Self::Writable { .. } => {
                return "See that the receipts are all there: receipts verify.".to_owned();
            }
            Self::Copy { fault, .. } | Self::Lost { fault, .. } => *fault,
        };
        let export =
            |card| format!("Export the receipts, then write the station's image onto a {card} card.");
        match fault {
            Fault::ReadOnly => export("new"),
            Fault::Full => export("larger"),
            Fault::Damaged => format!(
                "{} Or put a file {REPAIR}.txt on its partition ENROLL to have it repaired, whatever is lost by it, or {ANEW}.txt to begin anew.",
                export("new")
            ),
        }
    }

    /// What [`CONDITION`] holds; whether the operators that were kept are known.
    pub fn lines(&self, operators: bool) -> String {
        let word = match self {
            Self::Writable { repaired: None, .. } => "writable",
            Self::Writable { .. } => "repaired",
            Self::Copy { fault, .. } | Self::Lost { fault, .. } => match fault {
                Fault::ReadOnly => "read-only",
                Fault::Full => "full",
                Fault::Damaged => "damaged",
            },
        };
        let line = |text: String| text.replace(['\n', '\r'], " ");
        let who = if operators { "all" } else { "admins" };
        format!("{word}\n{}\n{}\n{who}\n", line(self.cause()), line(self.remedy()))
    }
}

/// What the names of files on the FAT partition order. Computers hide an ending, and add one.
pub fn ordered(names: &[String]) -> Order {
    let is = |wanted: &str| {
        names
            .iter()
            .any(|name| name.split('.').next().is_some_and(|stem| stem.trim().eq_ignore_ascii_case(wanted)))
    };
    // Who puts both there means the milder one first.
    if is(REPAIR) {
        Order::Repair
    } else if is(ANEW) {
        Order::Anew
    } else {
        Order::None
    }
}

/// Makes or checks the partition, and mounts it, or what can be read of it. What is ordered is asked only where something is damaged.
///
/// # Errors
/// When there is no memory for it.
pub fn mount_state(partition: &str, order: impl FnOnce() -> Order) -> Result<Condition, String> {
    fs::create_dir_all(PLACE).map_err(|error| format!("{PLACE}: {error}"))?;
    let mut done = state::prepare(partition);
    if matches!(done, Ok(Done::Damaged(_))) {
        match order() {
            Order::None => {}
            order => done = state::prepare_by(partition, order),
        }
    }
    let writable = is_writable(partition) && state::takes_writes(partition);
    let fault = || if writable { Fault::Damaged } else { Fault::ReadOnly };
    let (why, fault) = match done {
        // What e2fsck says then is about the kernel's refusal.
        Ok(Done::Damaged(_)) if fault() == Fault::ReadOnly => (no_writes(partition), Fault::ReadOnly),
        Ok(Done::Damaged(said)) => (said, fault()),
        Err(error) => (error.to_string(), Fault::ReadOnly),
        // Mounted for writing, Linux would close it at the first error, and nothing could be read any more.
        Ok(_) if !writable => (no_writes(partition), Fault::ReadOnly),
        Ok(done) => {
            // A fault of the card makes it read-only, and the daemon sees that.
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::NOATIME;
            match mount(partition, PLACE, "ext4", flags, c"errors=remount-ro") {
                Ok(()) if is_full() => {
                    let _ = unmount(PLACE, UnmountFlags::empty());
                    ("it is full".to_owned(), Fault::Full)
                }
                Ok(()) => {
                    let new = done == Done::Made;
                    let repaired = if let Done::Repaired(said) = done { Some(said) } else { None };
                    return Ok(Condition::Writable { new, repaired });
                }
                Err(error) => (format!("mounting {partition}: {error}"), fault()),
            }
        }
    };
    copied(partition, why, fault)
}

/// Whether not even SQLite's log can be begun.
fn is_full() -> bool {
    rustix::fs::statvfs(PLACE).is_ok_and(|about| about.f_bavail.saturating_mul(about.f_frsize) < LEAST)
}

fn no_writes(partition: &str) -> String {
    let why = if is_writable(partition) { "writes to it fail" } else { "the kernel finds it read-only" };
    why.to_owned()
}

/// Whether the kernel would write it at all.
fn is_writable(partition: &str) -> bool {
    let name = partition.rsplit('/').next().unwrap_or_default();
    fs::read_to_string(format!("/sys/class/block/{name}/ro")).is_ok_and(|text| text.trim() == "0")
}

fn copied(partition: &str, why: String, fault: Fault) -> Result<Condition, String> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", PLACE, "tmpfs", plain, c"mode=0755,size=40%")
        .map_err(|error| format!("{PLACE}: {error}"))?;
    fs::create_dir_all(ASIDE).map_err(|error| format!("{ASIDE}: {error}"))?;
    let read_only = plain | MountFlags::RDONLY;
    // With its journal first; that is not to be replayed where the card cannot be written.
    let mounted = mount(partition, ASIDE, "ext4", read_only, c"").map(|()| false);
    let mounted = mounted.or_else(|_| mount(partition, ASIDE, "ext4", read_only, c"noload").map(|()| true));
    let older = match mounted {
        Ok(older) => older,
        Err(error) => return Ok(Condition::Lost { why: format!("{why}; mounting it: {error}"), fault }),
    };
    let mut copy = Copying { room: MOST, missing: 0 };
    copy.directory(Path::new(ASIDE), Path::new(PLACE));
    let _ = unmount(ASIDE, UnmountFlags::empty());
    if fs::read_dir(PLACE).is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(Condition::Lost { why, fault });
    }
    Ok(Condition::Copy { why, older, missing: copy.missing, fault })
}

/// What is left to be copied, and what could not be.
struct Copying {
    room: u64,
    missing: u32,
}

impl Copying {
    /// All that lies in a directory, with its owners and modes. What cannot be read is counted and passed over.
    fn directory(&mut self, from: &Path, to: &Path) {
        let Ok(entries) = fs::read_dir(from) else { return self.misses() };
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_name() == "lost+found" => {}
                Ok(entry) => {
                    let to = to.join(entry.file_name());
                    if self.entry(&entry.path(), &to).is_err() {
                        let _ = fs::remove_file(&to);
                        self.misses();
                    }
                }
                // What follows in it cannot be found any more.
                Err(_) => return self.misses(),
            }
        }
    }

    fn entry(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let about = fs::symlink_metadata(from)?;
        if about.is_dir() {
            fs::create_dir(to)?;
            self.directory(from, to);
        } else if about.is_file() {
            self.room = self.room.checked_sub(about.len()).ok_or(io::ErrorKind::StorageFull)?;
            fs::copy(from, to)?;
            // The clock goes by it.
            fs::File::options().write(true).open(to)?.set_modified(about.modified()?)?;
        } else {
            return Ok(());
        }
        chown(to, Some(about.uid()), Some(about.gid()))?;
        fs::set_permissions(to, fs::Permissions::from_mode(about.mode() & 0o7777))
    }

    fn misses(&mut self) {
        self.missing = self.missing.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_file_whatever_its_ending() {
        let ordered =
            |names: &[&str]| ordered(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(ordered(&["enrollment.toml", "config.txt"]), Order::None);
        for name in ["begin-anew", "BEGIN-ANEW.TXT", "begin-anew.txt.txt"] {
            assert_eq!(ordered(&[name]), Order::Anew, "{name}");
        }
        assert_eq!(ordered(&["begin-anew.txt", "Repair-State.txt"]), Order::Repair);
        assert_eq!(ordered(&["begin-anew-not.txt"]), Order::None);
    }

    #[test]
    fn the_condition_is_four_lines_whatever_somebody_said() {
        for condition in [
            Condition::Writable { new: true, repaired: None },
            Condition::Writable { new: false, repaired: Some("a\nb".to_owned()) },
            Condition::Copy { why: "x\r\ny".to_owned(), older: true, missing: 2, fault: Fault::Damaged },
            Condition::Lost { why: "z".to_owned(), fault: Fault::ReadOnly },
        ] {
            assert_eq!(condition.lines(true).lines().count(), 4, "{condition:?}");
        }
    }

    #[test]
    fn all_of_it_is_copied_and_what_cannot_be_is_counted() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(from.path().join("enrolld/receipts")).unwrap();
        fs::create_dir_all(from.path().join("lost+found/x")).unwrap();
        fs::write(from.path().join("enrolld/journal.db"), "journal").unwrap();
        fs::write(from.path().join("enrolld/receipts/1"), vec![b'x'; 100]).unwrap();
        fs::set_permissions(from.path().join("enrolld/journal.db"), fs::Permissions::from_mode(0o600))
            .unwrap();
        let mut copy = Copying { room: 1000, missing: 0 };
        copy.directory(from.path(), to.path());
        assert_eq!(copy.missing, 0);
        assert_eq!(fs::read_to_string(to.path().join("enrolld/journal.db")).unwrap(), "journal");
        assert_eq!(fs::metadata(to.path().join("enrolld/journal.db")).unwrap().mode() & 0o777, 0o600);
        assert!(!to.path().join("lost+found").exists());
        let (to, mut copy) = (tempfile::tempdir().unwrap(), Copying { room: 50, missing: 0 });
        copy.directory(from.path(), to.path());
        assert_eq!(copy.missing, 1, "one is too long");
        assert!(!to.path().join("enrolld/receipts/1").exists());
    }
}
