//! What happens between the kernel and the first program of the slot.
//!
//! 1. `/dev`, `/proc` and `/sys` are mounted.
//! 2. The modules of `/modules.list` are loaded, in its order; the kernel unpacks them.
//!    The watchdog is opened as soon as its module is there, so nothing from here on hangs for good.
//! 3. The card is found: the disk with our signature, once its partitions are there. The kernel says
//!    when something appears.
//! 4. The state partition grows to the card's size. One sector is written, once in a card's life.
//! 5. The kernel verifies the slot that U-Boot chose; it is mounted read-only.
//! 6. The slot is the root. [`crate::begin`] does the rest that precedes the services, then systemd takes
//!    over.
//!
//! If anything fails, the kernel's log says what, and the machine restarts: U-Boot has taken an attempt
//! from the slot, so the other one has its turn in the end.

mod disk;
mod handover;
mod modules;

use std::fs::{self, File};
use std::io::{self, Write as _};

use rustix::system::{RebootCommand, reboot};

use crate::cmdline;

/// What went wrong, as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// A call to the kernel failed.
    #[error("{what}: {error}")]
    Kernel {
        /// What was tried.
        what: String,
        /// What the kernel says.
        error: io::Error,
    },
    /// U-Boot named no slot.
    #[error(transparent)]
    NoSlot(#[from] cmdline::NoSlot),
    /// The slot cannot be verified.
    #[error(transparent)]
    Unverified(#[from] crate::verity::Unverified),
    /// No disk with our signature appeared.
    #[error("no card with the station's signature appeared within {0} s")]
    NoCard(u64),
}

/// Says in a few words what was tried when the kernel refused.
trait Doing<T> {
    fn doing(self, what: impl Into<String>) -> Result<T, Stopped>;
}
impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T, Stopped> {
        self.map_err(|error| Stopped::Kernel { what: what.into(), error: error.into() })
    }
}

/// Runs all of it; does not return. Only for the first process of a machine.
pub fn run() -> ! {
    let error = match start() {
        Ok(never) => match never {},
        Err(error) => error,
    };
    say(2, &format!("{error}; restarting"));
    rustix::fs::sync();
    let _ = reboot(RebootCommand::Restart);
    std::process::exit(1)
}

fn start() -> Result<std::convert::Infallible, Stopped> {
    handover::mount_kernel_files()?;
    let line = fs::read_to_string("/proc/cmdline").doing("reading the kernel's command line")?;
    let request = cmdline::read(&line)?;
    let mut news = disk::News::listen()?;
    modules::load_all();
    // Held until systemd is started and opens it itself: the kernel pats one that nobody has open.
    let _watchdog = watchdog();
    let card = disk::find(&mut news)?;
    let card = disk::grow(card, &mut news)?;
    let slot = card.partition(request.slot.partition());
    handover::mount_slot(&slot)?;
    say(6, &format!("slot {} of {} is verified", request.slot, card.path()));
    handover::leave(&request.arguments)
}

/// Seconds that the card may take until systemd runs: a repair of a large state partition is the longest part of it.
const HANG: u16 = 300;

/// Starts the board's watchdog, where there is one.
fn watchdog() -> Option<File> {
    let watchdog = File::options().write(true).open("/dev/watchdog").ok()?;
    if let Err(error) = crate::sys::set_watchdog(&watchdog, HANG) {
        say(5, &format!("the watchdog keeps its own time: {error}"));
    }
    Some(watchdog)
}

/// A line in the kernel's log, which is also on the serial console.
fn say(level: u8, what: &str) {
    if let Ok(mut log) = File::options().write(true).open("/dev/kmsg") {
        let _ = log.write_all(format!("<{level}>card: {what}\n").as_bytes());
    }
}
