//! Where the time of day is from, and whether it is known at all.
//!
//! A Pi has no clock. The card begins with the time of what was written on it last, and goes on from there until a time server
//! has answered. Until then codes by time, certificates and the times of receipts rest on a guess, and are said to.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use control::types::{Health, Part};
use dispatch::clock::{is_known, set_known};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use station::catalogue::Language;
use station::refusal::Code;

static PLACES: OnceLock<Places> = OnceLock::new();

/// Where it is found out.
#[derive(Debug, Clone)]
pub struct Places {
    /// What the card's own program leaves: elsewhere, whoever set up the machine sees to its clock.
    pub card: PathBuf,
    /// The kernel's clocks that run without power.
    pub clocks: PathBuf,
    /// Where systemd-timesyncd makes a file `synchronized` when a time server has answered (systemd-timesyncd.service(8)).
    pub synchronized: PathBuf,
    /// Where the card's own program writes the time servers of the settings, as networkd reads them (`NTP=`, systemd.network(5)).
    pub network: PathBuf,
    /// Where networkd says which time servers all links have, those that DHCP names among them.
    pub links: PathBuf,
}

/// Where the time of day is from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// The machine has its time from whoever set it up.
    Machine,
    /// The board has a clock that runs without power.
    Clock,
    /// A time server of the settings has answered. Where DHCP names some as well, it may be one of those.
    Settings(Vec<String>),
    /// A time server that DHCP names has answered.
    Network(Vec<String>),
    /// One of Debian's time servers has answered.
    Debian,
    /// What was written on the card last: it is not known.
    Card,
}

impl Source {
    fn in_words(&self) -> String {
        match self {
            Self::Machine => "The time is that of the machine.".to_owned(),
            Self::Clock => "The time is from the board's own clock.".to_owned(),
            Self::Settings(servers) => {
                format!("The time is from a time server, of [network] ntp and DHCP: {}.", servers.join(", "))
            }
            Self::Network(servers) => {
                format!("The time is from a time server that DHCP names: {}.", servers.join(", "))
            }
            Self::Debian => "The time is from one of Debian's time servers.".to_owned(),
            Self::Card => {
                let unknown = Code::ClockUnknown.text(Language::English).cause;
                format!("{unknown} The time goes on from what was written on the card last.")
            }
        }
    }
}

impl Default for Places {
    fn default() -> Self {
        Self {
            card: card::remember::CONDITION.into(),
            clocks: "/sys/class/rtc".into(),
            synchronized: "/run/systemd/timesync".into(),
            network: "/run/systemd/network".into(),
            links: "/run/systemd/netif/state".into(),
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
        self.source() != Source::Card
    }

    fn source(&self) -> Source {
        if !self.card.exists() {
            return Source::Machine;
        }
        if !self.is_synchronized() {
            return if self.has_a_clock() { Source::Clock } else { Source::Card };
        }
        // timesyncd asks those of the links, and Debian's where there are none (timesyncd.conf(5)); it tells nobody which has answered.
        let files = fs::read_dir(&self.network).into_iter().flatten().flatten();
        let set: Vec<String> = files.flat_map(|file| servers(&file.path())).collect();
        let all = servers(&self.links);
        match (set.is_empty(), all.is_empty()) {
            (true, true) => Source::Debian,
            (true, false) => Source::Network(all),
            (false, true) => Source::Settings(set),
            (false, false) => Source::Settings(all),
        }
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

/// The time servers in a file of networkd's; none where there is no such file.
fn servers(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.strip_prefix("NTP="));
    let names = lines.flat_map(str::split_ascii_whitespace);
    // What networkd was told over the network is text of others.
    let plain = |name: &&str| name.len() <= 253 && name.bytes().all(|byte| byte.is_ascii_graphic());
    names.filter(plain).take(8).map(str::to_owned).collect()
}

/// Finds out whether the time is known, and calls `known` when it becomes so later.
pub fn begin(places: Places, known: impl FnOnce() + Send + 'static) {
    let known_already = places.is_known();
    let _ = PLACES.set(places.clone());
    if known_already {
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

/// How the clock is, and where its time is from.
pub(crate) fn part() -> Part {
    let source = PLACES.get().map_or(Source::Machine, Places::source);
    let text = source.in_words();
    if is_known() {
        return Part { health: Health::Good, text, remedy: None };
    }
    let remedy = Code::ClockUnknown.text(Language::English).remedy;
    Part { health: Health::Bad, text, remedy: Some(remedy.to_owned()) }
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
        let places = Places {
            card: at("card"),
            clocks: at("rtc"),
            synchronized: at("run/timesync"),
            network: at("network"),
            links: at("state"),
        };
        assert_eq!(places.source(), Source::Machine, "this is no card");
        fs::write(at("card"), "writable\n").unwrap();
        assert_eq!(places.source(), Source::Card);
        assert!(places.source().in_words().contains("no time server"));
        fs::create_dir_all(at("rtc/rtc0")).unwrap();
        fs::write(at("rtc/rtc0/hctosys"), "0\n").unwrap();
        assert!(!places.is_known(), "a clock that says nothing");
        fs::write(at("rtc/rtc0/hctosys"), "1\n").unwrap();
        assert_eq!(places.source(), Source::Clock);
        fs::remove_dir_all(at("rtc")).unwrap();
        fs::create_dir_all(at("run/timesync")).unwrap();
        assert!(!places.is_known());
        fs::write(at("run/timesync/synchronized"), "").unwrap();
        assert_eq!(places.source(), Source::Debian);
        fs::write(at("state"), "OPER_STATE=routable\nNTP=192.0.2.7 \u{1b}[2J\nDNS=192.0.2.1\n").unwrap();
        assert_eq!(places.source(), Source::Network(vec!["192.0.2.7".to_owned()]));
        fs::create_dir(at("network")).unwrap();
        fs::write(at("network/10-station.network"), "[Network]\nNTP=time.example\n").unwrap();
        assert_eq!(places.source(), Source::Settings(vec!["192.0.2.7".to_owned()]));
        fs::remove_file(at("state")).unwrap();
        assert!(places.source().in_words().ends_with("time.example."));
    }

    #[test]
    fn it_is_heard_when_a_server_answers_whenever_the_directory_is_made() {
        let root = tempfile::tempdir().unwrap();
        let places = Places {
            card: root.path().into(),
            clocks: "/nowhere".into(),
            synchronized: root.path().join("timesync"),
            network: "/nowhere".into(),
            links: "/nowhere".into(),
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
