//! Where the time of day is from, and whether it is known at all.
//!
//! A Pi has no clock. The card begins with the time of what was written on it last, and goes on from there until a time server
//! has answered. Until then codes by time, certificates and the times of receipts rest on a guess, and are said to.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::thread;

use control::types::{Health, Part};
use dispatch::clock::{is_known, set_known};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use station::catalogue::Language;
use station::refusal::Code;

/// Where it is found out.
#[derive(Debug, Clone)]
pub struct Places {
    /// What the card's own program leaves: elsewhere, whoever set up the machine sees to its clock.
    pub card: PathBuf,
    /// The kernel's clocks that run without power.
    pub clocks: PathBuf,
    /// Where systemd-timesyncd makes a file `synchronized` when a time server has answered (systemd-timesyncd.service(8)).
    pub synchronized: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            card: card::remember::CONDITION.into(),
            clocks: "/sys/class/rtc".into(),
            synchronized: "/run/systemd/timesync".into(),
        }
    }
}

impl Places {
    /// Whether the kernel took the time from a clock that runs without power (Documentation/ABI/testing/sysfs-class-rtc).
    fn has_a_clock(&self) -> bool {
        let clocks = fs::read_dir(&self.clocks).into_iter().flatten().flatten();
        let took =
            |clock: PathBuf| fs::read_to_string(clock.join("hctosys")).is_ok_and(|text| text.trim() == "1");
        clocks.map(|clock| clock.path()).any(took)
    }

    fn is_synchronized(&self) -> bool {
        self.synchronized.join("synchronized").exists()
    }

    fn is_known(&self) -> bool {
        !self.card.exists() || self.is_synchronized() || self.has_a_clock()
    }

    /// Waits until a time server has answered.
    fn wait(&self) -> io::Result<()> {
        let watch = inotify::init(CreateFlags::CLOEXEC)?;
        let made = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ATTRIB;
        // It is made with the service.
        inotify::add_watch(&watch, self.synchronized.parent().unwrap_or(Path::new("/run")), made)?;
        let mut buffer = [const { MaybeUninit::uninit() }; 4096];
        loop {
            // Watched first, looked at then: nothing falls between.
            let _ = inotify::add_watch(&watch, &self.synchronized, made);
            if self.is_synchronized() {
                return Ok(());
            }
            match Reader::new(&watch, &mut buffer).next() {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Finds out whether the time is known, and calls `known` when it becomes so later.
pub fn begin(places: Places, known: impl FnOnce() + Send + 'static) {
    if places.is_known() {
        return;
    }
    set_known(false);
    tracing::warn!("the time is not known: the board has no clock, and no time server has answered yet");
    let waiting = thread::Builder::new().name("clock".to_owned()).spawn(move || match places.wait() {
        Ok(()) => {
            set_known(true);
            tracing::info!("the time is known: a time server has answered");
            known();
        }
        Err(error) => tracing::error!("nobody hears when the time is known: {error}"),
    });
    if let Err(error) = waiting {
        tracing::error!("there is no thread for the clock: {error}");
    }
}

/// How the clock is.
pub(crate) fn part() -> Part {
    if is_known() {
        return Part { health: Health::Good, text: "The time is known.".to_owned(), remedy: None };
    }
    let text = Code::ClockUnknown.text(Language::English);
    Part { health: Health::Bad, text: text.cause.to_owned(), remedy: Some(text.remedy.to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_time_is_known_elsewhere_by_a_clock_or_by_a_server() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let places = Places { card: at("card"), clocks: at("rtc"), synchronized: at("run/timesync") };
        assert!(places.is_known(), "this is no card");
        fs::write(at("card"), "writable\n").unwrap();
        assert!(!places.is_known());
        fs::create_dir_all(at("rtc/rtc0")).unwrap();
        fs::write(at("rtc/rtc0/hctosys"), "0\n").unwrap();
        assert!(!places.is_known(), "a clock that says nothing");
        fs::write(at("rtc/rtc0/hctosys"), "1\n").unwrap();
        assert!(places.is_known());
        fs::remove_dir_all(at("rtc")).unwrap();
        fs::create_dir_all(at("run/timesync")).unwrap();
        assert!(!places.is_known());
        fs::write(at("run/timesync/synchronized"), "").unwrap();
        assert!(places.is_known());
    }

    #[test]
    fn it_is_heard_when_a_server_answers_whenever_the_directory_is_made() {
        let root = tempfile::tempdir().unwrap();
        let places = Places {
            card: root.path().into(),
            clocks: "/nowhere".into(),
            synchronized: root.path().join("timesync"),
        };
        let (told, heard) = mpsc::channel();
        let waiting = places.clone();
        let thread = thread::spawn(move || told.send(waiting.wait()).unwrap());
        fs::create_dir(&places.synchronized).unwrap();
        fs::write(places.synchronized.join("other"), "").unwrap();
        fs::write(places.synchronized.join("synchronized"), "").unwrap();
        heard.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
        thread.join().unwrap();
    }
}
