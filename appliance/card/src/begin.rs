//! What the slot's own program does before systemd starts: `card begin`.
//!
//! It runs as a child of the first process, alone on the machine, so that no service needs the rights to
//! mount something or to read the card's other partitions.
//!
//! 1. `/run`, `/tmp` and `/var` are empty and in memory.
//! 2. The state partition is made or checked, and mounted at `/var/lib`; a copy in memory is there where it cannot be written
//!    ([`crate::remember`]).
//!    The clock is set forward to when something was last written there ([`crate::clock`]).
//! 3. The FAT partition is read: settings go to the state partition, secrets among them are blanked on
//!    the card ([`crate::settings`]). Then it is unmounted, and stays so.
//! 4. The station gets its name, networkd its files ([`crate::network`]), and netlogd its own, where log lines
//!    are sent elsewhere ([`crate::log`]).
//! 5. What is known of both slots is written for whoever handles updates ([`crate::update_facts`]); a start that is a try is noted as one
//!    ([`crate::trial`]).
//! 6. Random numbers are waited for, if the kernel has none yet.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::system::sethostname;
use update::about::Kind;
use zeroize::Zeroizing;

use crate::device::{self, Card};
use crate::from_card::{self, Found};
use crate::layout::{BOOT_PARTITION, STATE_PARTITION, Slot};
use crate::log::{Log, certificates};
use crate::network::Network;
use crate::remember::{self, Condition};
use crate::settings::{self, Settings};
use crate::trial::{self, Kept, Start};
use crate::update_facts::{self, Facts};
use crate::{clock, cmdline, install, job, name, secrets, slots, state};

/// Where the settings are kept, on the state partition.
const KEPT: &str = "/var/lib/enrollment-station";
/// Where the FAT partition is while it is read.
const FAT: &str = "/run/card";
/// Where networkd looks for what is made at each start.
const NETWORK: &str = "/run/systemd/network";
/// Where netlogd looks for where log lines go, and where it finds the authority for that.
const NETLOGD: &str = "/run/systemd/netlogd.conf.d";
const LOG_AUTHORITY: &str = "/run/station-log-authority.pem";
/// Where the rest of its unit stands.
const LOG_UNIT: &str = "/run/systemd/system/station-log.service.d";
/// What says to systemd that this start is a try.
const ON_TRIAL: &str = "/run/station-on-trial";
/// Where the rest of three units stands.
const DAEMON_UNIT: &str = "/run/systemd/system/enrolld.service.d";
const INSTALL_UNIT: &str = "/run/systemd/system/station-install@.service.d";
const TRIAL_UNIT: &str = "/run/systemd/system/card-trial.service.d";
/// The daemon's user, by its name in `/etc/passwd`.
const DAEMON: &str = "enrolld";

/// Does all of it.
///
/// # Errors
/// When the station could not remember anything: no service should start then. Anything wrong with
/// the settings is no such case; the daemon says on the panel what is wrong with them.
pub fn run() -> Result<String, String> {
    memory()?;
    let card = Card::find().ok_or("the card is gone")?;
    let (partition, settings) = (card.partition(STATE_PARTITION), card.partition(BOOT_PARTITION));
    let condition = remember::mount_state(&partition, || order(&settings))?;
    match &condition {
        Condition::Writable { new: true, .. } => {
            log(&format!("{partition}: the station remembers nothing yet"))
        }
        Condition::Writable { repaired: None, .. } => log(&format!("{partition}: well")),
        // On the serial line, too: a journal that is replayed leaves nothing to repair.
        Condition::Writable { repaired: Some(said), .. } => {
            note(3, &format!("{partition}: it had errors, and nothing is lost by their repair: {said}"));
        }
        Condition::Copy { .. } | Condition::Lost { .. } => {
            note(2, &format!("{partition}: {}", condition.cause()))
        }
    }
    if let Some(newest) = clock::newest(Path::new(remember::PLACE)) {
        match clock::forward(newest) {
            Ok(true) => log("there is no clock here: the time goes on from what was written last"),
            Ok(false) => {}
            Err(error) => log(&format!("the clock is not set: {error}")),
        }
    }
    // The daemon's unit wants it to be there, whatever becomes of the settings.
    if let Err(error) = fs::create_dir_all(KEPT) {
        log(&format!("{KEPT}: {error}"));
    }
    // The card may have lost its FAT partition, or a computer may have spoilt it: then what was kept
    // from it last time still counts. It does, too, where nothing can be kept: who may log in was decided then.
    let kept = Path::new(KEPT).join(settings::FILE).exists();
    let operators = kept || matches!(condition, Condition::Writable { .. });
    if let Err(error) = fs::write(remember::CONDITION, condition.lines(operators)) {
        log(&format!("{}: {error}", remember::CONDITION));
    }
    let taken = match condition {
        Condition::Writable { .. } => take_over(&settings, true),
        Condition::Copy { .. } if kept => Ok(()),
        Condition::Copy { .. } | Condition::Lost { .. } => take_over(&settings, false),
    };
    if let Err(error) = taken {
        log(&format!("the settings on the card were not read: {error}"));
    }
    name_and_network();
    if let Err(error) = updates(&card) {
        log(&format!("nothing can be updated: {error}"));
    }
    random();
    Ok("begun".to_owned())
}

/// What there is to know for updates: both slots, the board, the boot files, and whether this start is a try.
fn updates(card: &Card) -> Result<(), String> {
    let line = fs::read_to_string("/proc/cmdline").map_err(|error| error.to_string())?;
    let request = cmdline::read(&line).map_err(|error| error.to_string())?;
    let page = |slot: Slot| {
        let slot = File::open(card.partition(slot.partition())).map_err(slots::Unknown::from)?;
        slots::page(&slot)
    };
    let running = page(request.slot).map_err(|error| format!("slot {}: {error}", request.slot))?;
    let running = running.about.ok_or_else(|| format!("slot {} does not say what it is", request.slot))?;
    let other = page(request.slot.other()).ok().and_then(|page| page.about);
    let disk = File::open(card.path()).map_err(|error| error.to_string())?;
    let copies = device::records(&disk).map_err(|error| error.to_string())?;
    let kept = Kept::at(trial::PLACE);
    let on_trial = copies.newest().and_then(|record| record.trial);
    let start = kept.starts(request.slot, on_trial).map_err(|error| format!("{}: {error}", trial::PLACE))?;
    match start {
        Start::Usual => {}
        Start::Try { again } => {
            note(4, &format!("slot {} with {} is on trial", request.slot, running.version));
            fs::write(ON_TRIAL, "").map_err(|error| format!("{ON_TRIAL}: {error}"))?;
            // Else a daemon that ends at once restarts the board before anybody has kept why.
            fs::create_dir_all(DAEMON_UNIT).map_err(|error| format!("{DAEMON_UNIT}: {error}"))?;
            fs::write(
                format!("{DAEMON_UNIT}/trial.conf"),
                "[Unit]\nStartLimitIntervalSec=0\nStartLimitAction=none\n",
            )
            .map_err(|error| format!("{DAEMON_UNIT}: {error}"))?;
            if again {
                log("the try before ended without a word, and does not count");
                let path = card.path();
                let disk = File::options().read(true).write(true).open(&path);
                disk.and_then(|disk| device::change(&disk, |record| record.again(request.slot)))
                    .map_err(|error| format!("{path}: {error}"))?;
            }
        }
        Start::FellBack => {
            let why =
                kept.trial().map(|trial| format!("{}: {}", trial.version, trial.why)).unwrap_or_default();
            note(3, &format!("the update is given up, and slot {} runs again: {why}", request.slot));
        }
    }
    let limit = request.trial.filter(|_| running.kind == Kind::Development).unwrap_or(job::LIMIT);
    let text = Zeroizing::new(fs::read(Path::new(KEPT).join(settings::FILE)).unwrap_or_default());
    let own = ::settings::on_card(&secrets::text_of(&text), &::settings::Beside(KEPT.into())).update.keys;
    let facts = Facts {
        slot: request.slot,
        other: other.map(|about| (about.version, about.number)),
        node: card.partition(request.slot.other().partition()),
        contract: request.contract,
        boards: install::boards(),
        on_trial: start != Start::Usual && start != Start::FellBack,
        limit,
        owner: own.iter().filter_map(|key| update_facts::own_key(key.as_str())).collect(),
        ordered: true,
        running,
    };
    from_the_card(card, &facts, &kept);
    fs::write(update_facts::FILE, facts.text())
        .map_err(|error| format!("{}: {error}", update_facts::FILE))?;
    // The unit that writes may open the other slot's node and nothing else.
    fs::create_dir_all(INSTALL_UNIT).map_err(|error| format!("{INSTALL_UNIT}: {error}"))?;
    fs::write(format!("{INSTALL_UNIT}/node.conf"), format!("[Service]\nDeviceAllow={} rw\n", facts.node))
        .map_err(|error| format!("{INSTALL_UNIT}: {error}"))?;
    fs::create_dir_all(TRIAL_UNIT).map_err(|error| format!("{TRIAL_UNIT}: {error}"))?;
    // The program counts from its own start, after the daemon's first; the job's time is for when not even that comes.
    let (program, job) = (limit.saturating_add(60), limit.saturating_add(240));
    let limits = format!("[Unit]\nJobTimeoutSec={job}\n[Service]\nTimeoutStartSec={program}\n");
    fs::write(format!("{TRIAL_UNIT}/limit.conf"), limits).map_err(|error| format!("{TRIAL_UNIT}: {error}"))
}

/// Installs an update that lies on the FAT partition, and restarts into it. Not while another is on trial: that is decided first.
fn from_the_card(card: &Card, facts: &Facts, kept: &Kept) {
    if facts.on_trial {
        return;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let found = on_the_card(&card.partition(BOOT_PARTITION), |_| {
        Ok(from_card::take(Path::new(FAT), facts, kept, now))
    });
    match found {
        Ok(Found::Nothing) => {}
        Ok(Found::PassedOver(name, why)) => note(5, &format!("{name} is not installed: {why}")),
        Ok(Found::Written(name)) => match install::switch(card, facts.slot) {
            Ok(said) => {
                note(3, &format!("{name}: {said}; restarting"));
                // Nothing runs yet that would have to end.
                let _ = unmount(remember::PLACE, UnmountFlags::empty());
                rustix::fs::sync();
                let _ = rustix::system::reboot(rustix::system::RebootCommand::Restart);
            }
            Err(error) => note(3, &format!("{name} is written and not tried: {error}")),
        },
        Err(error) => note(4, &format!("no update is looked for: {error}")),
    }
}

/// Waits until the kernel has random numbers, which keys and seeds are made of: a board that was just switched on has few. Whoever
/// needs some would wait as well, without a word.
fn random() {
    let mut byte = [0];
    if getrandom(&mut byte, GetRandomFlags::NONBLOCK) != Err(Errno::AGAIN) {
        return;
    }
    note(5, "waiting for random numbers: no key is made without them");
    let begun = Instant::now();
    while getrandom(&mut byte, GetRandomFlags::empty()) == Err(Errno::INTR) {}
    log(&format!("there are random numbers after {:.1} s", begun.elapsed().as_secs_f32()));
}

fn memory() -> Result<(), String> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV;
    for (to, options, extra) in [
        ("/run", c"mode=0755,size=32M", MountFlags::empty()),
        ("/tmp", c"mode=1777,size=16M", MountFlags::NOEXEC),
        ("/var", c"mode=0755,size=16M", MountFlags::NOEXEC),
    ] {
        mount("tmpfs", to, "tmpfs", plain | extra, options)
            .map_err(|error| format!("mounting {to}: {error}"))?;
    }
    Ok(())
}

/// What somebody has ordered with a file on the FAT partition.
fn order(partition: &str) -> state::Order {
    let names = on_the_card(partition, |_| {
        let entries = fs::read_dir(FAT).map_err(|error| error.to_string())?;
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect::<Vec<_>>())
    });
    remember::ordered(&names.unwrap_or_default())
}

/// `lasting` is whether what is kept outlives this start: only then secrets are taken off the card.
fn take_over(partition: &str, lasting: bool) -> Result<(), String> {
    on_the_card(partition, |plain| read_and_keep(plain, lasting))
}

/// Does something while the FAT partition is mounted, read-only.
fn on_the_card<T>(partition: &str, act: impl FnOnce(MountFlags) -> Result<T, String>) -> Result<T, String> {
    let said = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    // The module is in the slot, not in the initial file system. The kernel asks for it by itself, too.
    fs::create_dir_all(FAT).map_err(|error| said(FAT, &error))?;
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = c"utf8,fmask=0177,dmask=0077";
    mount(partition, FAT, "vfat", plain | MountFlags::RDONLY, options)
        .map_err(|error| said(partition, &error))?;
    let done = act(plain);
    let unmounted = unmount(FAT, UnmountFlags::empty()).map_err(|error| said(FAT, &error));
    done.and_then(|done| unmounted.map(|()| done))
}

fn read_and_keep(plain: MountFlags, lasting: bool) -> Result<(), String> {
    let kept = settings::Kept::new(Path::new(KEPT));
    let settings = Settings::read(Path::new(FAT), &kept).map_err(|error| error.to_string())?;
    if settings.keep(Path::new(KEPT), group(DAEMON)).map_err(|error| format!("{KEPT}: {error}"))? {
        log("the settings on the card are new, and kept");
    }
    // Only once they are safe elsewhere.
    if !lasting {
        log("nothing can be kept, so secrets in the settings stay on the card");
    } else if settings.has_secrets() {
        mount_remount(FAT, plain, c"").map_err(|error| format!("{FAT}: {error}"))?;
        settings.blank(&kept).map_err(|error| format!("{FAT}: {error}"))?;
        log("secrets in the settings are kept by the station and blanked on the card");
    } else {
        kept.settle().map_err(|error| format!("{KEPT}: {error}"))?;
    }
    Ok(())
}

fn name_and_network() {
    let file = Zeroizing::new(fs::read(Path::new(KEPT).join(settings::FILE)).unwrap_or_default());
    let network = Network::read(&secrets::text_of(&file), &::settings::Beside(KEPT.into()));
    let host = network.name.clone().unwrap_or_else(name::of_this_machine);
    let written = || {
        fs::create_dir_all(NETWORK)?;
        network.files().iter().try_for_each(|(name, file)| fs::write(format!("{NETWORK}/{name}"), file))
    };
    let done = sethostname(host.as_bytes()).map_err(std::io::Error::from).and_then(|()| written());
    if let Err(error) = done {
        log(&format!("name and network are not set: {error}"));
    }
    if let Some(Err(error)) = network.log.as_ref().map(log_server) {
        log(&format!("log lines are not sent to the syslog server: {error}"));
    }
}

/// What netlogd needs, whose user may not read the settings; its unit starts when the file is there.
fn log_server(log: &Log) -> std::io::Result<()> {
    if let Some(name) = log.authority() {
        // Everybody may read it there, and who knows what else the file holds.
        let text = Zeroizing::new(fs::read_to_string(Path::new(KEPT).join(name))?);
        let certificates = certificates(&text);
        if certificates.is_empty() {
            return Err(std::io::Error::other(format!("{name} holds no certificate")));
        }
        fs::write(LOG_AUTHORITY, certificates)?;
        fs::set_permissions(LOG_AUTHORITY, fs::Permissions::from_mode(0o644))?;
    }
    fs::create_dir_all(NETLOGD)?;
    fs::write(format!("{NETLOGD}/station.conf"), log.file(LOG_AUTHORITY))?;
    fs::create_dir_all(LOG_UNIT)?;
    fs::write(format!("{LOG_UNIT}/to.conf"), log.unit())
}

/// A user's group; root's when there is none of that name.
fn group(user: &str) -> u32 {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users.lines().find(|line| line.split(':').next() == Some(user));
    line.and_then(|line| line.split(':').nth(3)).and_then(|id| id.parse().ok()).unwrap_or_default()
}

fn log(what: &str) {
    note(6, what);
}

/// A line of the kernel's log; up to level 3 it is on the serial line as well.
fn note(level: u8, what: &str) {
    if let Ok(mut log) = File::options().write(true).open("/dev/kmsg") {
        let _ = log.write_all(format!("<{level}>card: {what}\n").as_bytes());
    }
}
