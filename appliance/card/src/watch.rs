//! `card watch`: beside the daemon, what only the system may see and do.
//!
//! It reads the kernel's log for errors of the card ([`crate::errors`]) and leaves them where the daemon finds them, and has the
//! board's own LED show what the daemon writes into [`LIGHT`]. It waits for both and wakes for nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::mem::MaybeUninit;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;

use crate::errors;

/// How many errors of the card there were, and the last one; for the daemon.
pub const ERRORS: &str = "/run/station-card/errors";

/// What the board's LED shall show, a word of [`Show`]; from the daemon.
pub const LIGHT: &str = "/run/enrolld/light";

const LOG: &str = "/dev/kmsg";
const LEDS: &str = "/sys/class/leds";

/// What the LED shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// The kernel's heartbeat: all is well.
    Alive,
    /// Once a second: the station waits for something that may come by itself.
    Trying,
    /// Five times a second: somebody is needed.
    Fault,
}

impl Show {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Trying => "trying",
            Self::Fault => "fault",
        }
    }

    /// Reads a word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Alive, Self::Trying, Self::Fault].into_iter().find(|show| show.word() == text.trim())
    }

    /// The kernel's trigger, and how long the LED is on and off, in milliseconds (Documentation/leds/leds-class.rst,
    /// Documentation/ABI/testing/sysfs-class-led-trigger-timer).
    const fn trigger(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Alive => ("heartbeat", None),
            Self::Trying => ("timer", Some("500")),
            Self::Fault => ("timer", Some("100")),
        }
    }
}

/// Does all of it until something fails for good.
///
/// # Errors
/// When the kernel's log cannot be read.
pub fn run() -> Result<String, String> {
    let said = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let log = OpenOptions::new().read(true).custom_flags(flags).open(LOG).map_err(said(LOG))?;
    let directory = Path::new(LIGHT).parent().unwrap_or(Path::new("/run"));
    let light = watched(directory).map_err(said(LIGHT))?;
    let led = led(Path::new(LEDS));
    let mut counted = Counted { count: 0, file: ERRORS.into() };
    loop {
        counted.read(&log).map_err(said(LOG))?;
        if let (Some(led), Some(show)) = (&led, wanted(Path::new(LIGHT)))
            && let Err(error) = light_up(led, show)
        {
            eprintln!("card: {}: {error}", led.display());
        }
        let mut waiting = [PollFd::new(&log, PollFlags::IN), PollFd::new(&light, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(said("waiting")(error.into())),
        }
        drain(&light);
    }
}

fn watched(directory: &Path) -> io::Result<rustix::fd::OwnedFd> {
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, directory, WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO)?;
    Ok(watch)
}

/// What happened is seen by looking at the file.
fn drain(watch: &rustix::fd::OwnedFd) {
    let mut buffer = [const { MaybeUninit::uninit() }; 4096];
    let mut reader = Reader::new(watch, &mut buffer);
    while reader.next().is_ok() {}
}

struct Counted {
    count: u64,
    file: PathBuf,
}

impl Counted {
    /// Reads all records that there are; each read gives one.
    fn read(&mut self, mut log: &File) -> io::Result<()> {
        let mut record = [0; 8192];
        let mut last = None;
        loop {
            match log.read(&mut record) {
                Ok(0) => break,
                Ok(length) => {
                    let text = String::from_utf8_lossy(record.get(..length).unwrap_or_default());
                    if let Some(text) = errors::told(&text) {
                        self.count = self.count.saturating_add(1);
                        last = Some(text.to_owned());
                    }
                }
                Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                    Some(Errno::AGAIN) => break,
                    // Records were overwritten before they were read; or one is too long.
                    Some(Errno::PIPE | Errno::INTR | Errno::INVAL) => {}
                    _ => return Err(error),
                },
            }
        }
        if let Some(last) = last {
            self.leave(&last)?;
        }
        Ok(())
    }

    fn leave(&self, last: &str) -> io::Result<()> {
        let part = self.file.with_extension("part");
        fs::write(&part, errors::lines(self.count, last))?;
        fs::rename(part, &self.file)
    }
}

fn wanted(file: &Path) -> Option<Show> {
    Show::parse(&fs::read_to_string(file).ok()?)
}

/// The board's own: "ACT" in all device trees of Raspberry Pis.
fn led(leds: &Path) -> Option<PathBuf> {
    let named = leds.join("ACT");
    if named.exists() {
        return Some(named);
    }
    let mut others: Vec<PathBuf> =
        fs::read_dir(leds).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    others.sort();
    // Lights of keyboards and of drivers have a colon in their names.
    others.into_iter().find(|led| led.file_name().is_some_and(|name| !name.to_string_lossy().contains(':')))
}

fn light_up(led: &Path, show: Show) -> io::Result<()> {
    let (trigger, delay) = show.trigger();
    let now = fs::read_to_string(led.join("trigger"))?;
    // The one in brackets is in force; written anew, it would begin again.
    if !now.contains(&format!("[{trigger}]")) {
        fs::write(led.join("trigger"), trigger)?;
    }
    match delay {
        Some(delay) => ["delay_on", "delay_off"].iter().try_for_each(|name| fs::write(led.join(name), delay)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_light_is_a_trigger_with_its_times() {
        let leds = tempfile::tempdir().unwrap();
        let at = leds.path().join("ACT");
        fs::create_dir_all(leds.path().join("input3::capslock")).unwrap();
        assert_eq!(led(leds.path()), None);
        fs::create_dir(&at).unwrap();
        assert_eq!(led(leds.path()), Some(at.clone()));
        fs::write(at.join("trigger"), "none timer [heartbeat]\n").unwrap();
        light_up(&at, Show::Alive).unwrap();
        assert_eq!(fs::read_to_string(at.join("trigger")).unwrap(), "none timer [heartbeat]\n", "it goes on");
        light_up(&at, Show::Fault).unwrap();
        let read = |name| fs::read_to_string(at.join(name)).unwrap();
        assert_eq!(
            (read("trigger"), read("delay_on"), read("delay_off")),
            ("timer".into(), "100".into(), "100".into())
        );
        light_up(&at, Show::Trying).unwrap();
        assert_eq!(read("delay_on"), "500");
    }

    #[test]
    fn words_are_read_back() {
        for show in [Show::Alive, Show::Trying, Show::Fault] {
            assert_eq!(Show::parse(&format!("{}\n", show.word())), Some(show));
        }
        assert_eq!(Show::parse("dark"), None);
    }

    #[test]
    fn errors_are_counted_and_the_last_is_left() {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("kmsg");
        fs::write(&log, "3,1,2,-;mmc0: error -84\n").unwrap();
        let mut counted = Counted { count: 0, file: place.path().join("errors") };
        counted.read(&File::open(&log).unwrap()).unwrap();
        counted.read(&File::open(&log).unwrap()).unwrap();
        let left = fs::read_to_string(&counted.file).unwrap();
        assert_eq!(errors::read(&left), Some((2, "mmc0: error -84".to_owned())));
    }
}
