//! Whether what the station does can be kept: how the card's state partition was found, and whether it can be written now.
//!
//! Where it cannot, operators log in and read as always, and no key is taken: an enrollment whose journal is not kept is one
//! that nobody could finish after a power cut.

use std::fs::File;
use std::io::{self, PipeWriter, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use control::Role;
use control::types::{Health, Part};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode as Permissions, OFlags, StatVfsMountFlags};
use station::catalogue::Language;
use station::engine::mode::Mode;
use station::engine::record::Actor;
use station::refusal::{Code, Refusal};
use tokio::sync::Notify;

use super::{Service, lock, scheduler_settings};
use crate::config::Config;

/// Where `card begin` says how it found the state partition; elsewhere there is no such file.
pub use card::remember::CONDITION;

/// Less free room than this, and no key is taken: the lines of an enrollment in journal, receipts and audit are some 10 KB,
/// and SQLite's log grows to 4 MB.
const ROOM: u64 = 8 << 20;

/// What is said of a file system that Linux has closed after an error. 6.12 does not even give what it holds any more (EIO, seen in the
/// trial `fails`); a start finds the card as it is, and reads it.
const CLOSED: &str = "The kernel has closed the card after an error. Restart the station, so that what the card holds can be read: reboot.";

/// How the partition is.
pub(super) struct Keeping {
    state: Option<PathBuf>,
    condition: Condition,
    /// Why journal or receipts could not be opened.
    unopened: Option<Refusal>,
    errors: Option<Errors>,
    /// What was seen last.
    last: Mutex<Option<Refusal>>,
    /// It is to be looked at.
    look: Arc<Notify>,
}

/// As it was found at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    word: String,
    cause: String,
    remedy: String,
    admins: bool,
}

impl Condition {
    /// Reads what `card begin` wrote; that all is well where there is none.
    pub fn read(file: &Path) -> Self {
        Self::parse(&std::fs::read_to_string(file).unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.lines().map(|line| line.chars().take(1000).collect::<String>());
        let mut next = || lines.next().unwrap_or_default();
        Self { word: next(), cause: next(), remedy: next(), admins: next() == "admins" }
    }

    /// Leaves of a configuration those operators that may log in. What the station had kept of them is gone, and the card's
    /// own file may name some who were removed since.
    pub fn restrict(&self, config: &mut Config) {
        if self.admins {
            config.operators.retain(|operator| operator.role.role() == Role::Admin);
        }
    }

    /// Whether it forbids that keys are taken.
    pub fn forbids(&self) -> bool {
        self.refusal().is_some()
    }

    fn refusal(&self) -> Option<Refusal> {
        let code = match self.word.as_str() {
            "read-only" => Code::CardReadOnly,
            "full" => Code::CardFull,
            "damaged" => Code::CardDamaged,
            _ => return None,
        };
        Some(Refusal::new(code, self.cause.clone()))
    }
}

impl Keeping {
    pub(super) fn new(state: Option<PathBuf>, condition: Condition, unopened: Option<Refusal>) -> Self {
        let look = Arc::new(Notify::new());
        let errors = state.as_deref().and_then(|state| Errors::of(state, &look));
        Self { state, condition, unopened, errors, last: Mutex::default(), look }
    }

    /// Why nothing may be enrolled, as far as it is the card's fault.
    pub(super) fn trouble(&self) -> Option<Refusal> {
        let found = self.condition.refusal().or_else(|| now(self.state.as_deref()?, self.errors.as_ref()));
        // What could not be opened on a card that takes no writes is not damaged.
        found.or_else(|| self.unopened.clone())
    }

    /// Leaves a file whose date is that of now, so that the next start begins there ([`card::clock`]).
    pub(super) fn note_time(&self) {
        let Some(state) = &self.state else { return };
        let note = || -> io::Result<()> {
            let mut file = File::create(state.join("time"))?;
            file.write_all(b"The time was known when this was written.\n")?;
            file.sync_all()
        };
        if let Err(error) = note() {
            tracing::warn!("the time is not kept: {error}");
        }
    }

    /// Has it looked at.
    pub(super) fn look(&self) {
        self.look.notify_one();
    }

    pub(super) fn condition(&self) -> &Condition {
        &self.condition
    }

    /// How journal and receipts are.
    pub(super) fn part(&self) -> Part {
        let text = |refusal: &Refusal| {
            let cause = refusal.code.text(Language::English).cause;
            if refusal.detail.is_empty() { cause.to_owned() } else { refusal.detail.to_string() }
        };
        match self.trouble() {
            Some(refusal) => {
                let remedy = refusal.code.text(Language::English).remedy.to_owned();
                // What the card's program says of the start is about that.
                let found = self.condition.forbids() && !self.condition.remedy.is_empty();
                let remedy = if found { self.condition.remedy.clone() } else { remedy };
                Part { health: Health::Bad, text: text(&refusal), remedy: Some(remedy) }
            }
            None if self.condition.word == "repaired" => Part {
                health: Health::Good,
                text: self.condition.cause.clone(),
                remedy: Some(self.condition.remedy.clone()),
            },
            None => Part { health: Health::Good, text: "The journal is open.".to_owned(), remedy: None },
        }
    }
}

/// What the kernel says of it now: it ends all writing when the card fails.
fn now(state: &Path, errors: Option<&Errors>) -> Option<Refusal> {
    let about = rustix::fs::statvfs(state).ok()?;
    if about.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Some(Refusal::new(Code::CardReadOnly, ""));
    }
    let count = errors.map_or(0, Errors::count);
    if count > 0 && ended(state) {
        return Some(Refusal::new(Code::CardReadOnly, CLOSED));
    }
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    (free < ROOM).then(|| Refusal::new(Code::CardFull, format!("The card has {} KB left.", free >> 10)))
}

/// Whether nothing can be written any more. From 6.12 on, Linux shows an ext4 that it has closed after an error no longer as
/// read-only; it refuses to make a file there (fs/ext4/ialloc.c, `__ext4_new_inode`). One without a name leaves nothing behind.
fn ended(state: &Path) -> bool {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let made = rustix::fs::open(state, flags, Permissions::RUSR | Permissions::WUSR);
    matches!(made, Err(rustix::io::Errno::IO | rustix::io::Errno::ROFS))
}

/// The number of errors that the kernel has met in a file system, of whose change it tells (Linux, fs/ext4/sysfs.c,
/// `ext4_notify_error_sysfs`).
struct Errors {
    file: File,
    /// Its end is the end of the thread that waits for a change.
    _stop: Option<PipeWriter>,
}

impl Errors {
    /// Those of the ext4 in which a directory is; of another file system nothing is known. `look` hears of each change.
    fn of(state: &Path, look: &Arc<Notify>) -> Option<Self> {
        let device = std::fs::metadata(state).ok()?.dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let block = std::fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
        let count = Path::new("/sys/fs/ext4").join(block.file_name()?).join("errors_count");
        Self::at(&count, Arc::clone(look)).ok()
    }

    fn at(count: &Path, look: Arc<Notify>) -> io::Result<Self> {
        let file = File::open(count)?;
        let own = file.try_clone()?;
        let (ended, stop) = io::pipe()?;
        let started = thread::Builder::new().name("card".to_owned()).spawn(move || {
            loop {
                // Changes are told only to who has read what was before.
                read(&own);
                let mut waiting = [PollFd::new(&own, PollFlags::PRI), PollFd::new(&ended, PollFlags::IN)];
                match poll(&mut waiting, None) {
                    Err(rustix::io::Errno::INTR) => {}
                    Ok(_) if waiting[1].revents().is_empty() => look.notify_one(),
                    // A file that is none of the kernel's own cannot be waited for.
                    Ok(_) | Err(_) => return,
                }
            }
        });
        Ok(Self { file, _stop: started.ok().map(|_| stop) })
    }

    fn count(&self) -> u64 {
        read(&self.file)
    }
}

fn read(count: &File) -> u64 {
    let mut text = [0; 20];
    let length = count.read_at(&mut text, 0).unwrap_or_default();
    let text = str::from_utf8(text.get(..length).unwrap_or_default());
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default()
}

/// Looks at it whenever there is a reason to: no key is taken from when it cannot be written, and keys are taken as configured
/// once it can. Reasons are what the kernel tells of the file system, what the station itself has written, and the beat of the
/// service manager's watchdog, for what others write.
pub(crate) async fn watch(service: Arc<Service>) {
    loop {
        let trouble = service.keeping.trouble();
        let changed = {
            let mut last = lock(&service.keeping.last);
            let changed = last.as_ref().map(|last| last.code) != trouble.as_ref().map(|now| now.code);
            last.clone_from(&trouble);
            changed
        };
        if changed {
            match &trouble {
                Some(refusal) => {
                    tracing::error!("{}: {}", refusal.code, refusal.code.text(Language::English).cause)
                }
                None => tracing::info!("what the station does can be kept again"),
            }
            let wrong = trouble.is_some() || !service.problems().is_empty();
            let settings = scheduler_settings(&service.config(), wrong);
            let mode = if wrong { Mode::Locked } else { settings.mode };
            service.scheduler.set_settings(settings).await;
            service.scheduler.set_mode(mode, Actor::Armed).await;
            service.server_moved();
        } else if trouble.is_some() {
            // Somebody may have changed it in the same moment.
            let open =
                service.scheduler.snapshot().await.is_some_and(|scheduler| scheduler.mode != Mode::Locked);
            if open {
                service.scheduler.set_mode(Mode::Locked, Actor::Armed).await;
            }
        }
        service.keeping.look.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use card::remember::{Condition as Found, Fault};

    use super::*;

    #[test]
    fn the_card_and_the_catalogue_have_one_remedy() {
        for (fault, code) in [(Fault::ReadOnly, Code::CardReadOnly), (Fault::Full, Code::CardFull)] {
            let found = Found::Lost { why: String::new(), fault };
            assert_eq!(found.remedy(), code.text(Language::English).remedy);
            let read = Condition::parse(&found.lines(true));
            assert_eq!(read.refusal().map(|refusal| refusal.code), Some(code));
        }
    }

    #[test]
    fn a_place_that_can_be_written_has_not_ended() {
        let state = tempfile::tempdir().unwrap();
        assert!(!ended(state.path()));
        let count = state.path().join("errors_count");
        std::fs::write(&count, "12\n").unwrap();
        let errors = Errors::at(&count, Arc::default()).unwrap();
        assert_eq!(errors.count(), 12);
        assert_eq!(now(state.path(), Some(&errors)).map(|refusal| refusal.code), None);
    }

    #[test]
    fn the_card_says_how_it_is_and_without_it_all_is_well() {
        let found = Condition::parse("damaged\nWhat is there cannot be read.\nBegin anew.\nadmins\n");
        assert_eq!(found.refusal().map(|refusal| refusal.code), Some(Code::CardDamaged));
        assert!(found.admins);
        for well in ["", "writable\n\n\n", "repaired\nIt was repaired.\nLook.\n", "another word"] {
            assert_eq!(Condition::parse(well).refusal(), None, "{well}");
        }
        let keeping = Keeping::new(None, found, None);
        let part = keeping.part();
        assert_eq!(
            (part.text.as_str(), part.remedy.as_deref()),
            ("What is there cannot be read.", Some("Begin anew."))
        );
        assert_eq!(Keeping::new(None, Condition::default(), None).trouble(), None);
    }
}
