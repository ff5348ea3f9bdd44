//! The key as a USB device of an emulated machine.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use twins::hostile::HostileDevice;
use twins::line::LineKey;
use twins::usbredir::{self, Device, KeyDevice, Product, Sockets};

/// The commands of `--control`, for help texts.
pub(crate) const DESK: &str = "\
DESK (commands of --control; each is answered by OK or ERR)
  PLUG, UNPLUG        plug it in, pull it out
  TOUCH 1 | TOUCH 2   short or long press                 OK <keyboard reports>
  PRODUCT <hex>       gone, and back under that product id (YubiKey)
  SEED <number>       gone, and back as the device of that seed (hostile)
  DEAD, ALIVE         answer no transfer any more, or again
  SLOW <ms>           every answer takes so long
  STATE               how it is                           OK plugged connected configured <ids>";

#[derive(Args)]
pub(crate) struct Usb {
    /// Be a USB device: serve usbredir on this Unix socket
    ///
    /// QEMU: -chardev socket,id=k,path=PATH -device usb-redir,chardev=k
    #[arg(long, value_name = "PATH", conflicts_with = "listen")]
    usbredir: Option<PathBuf>,

    #[command(flatten)]
    desk: Desk,
}

#[derive(Args)]
pub(crate) struct Desk {
    /// Take commands on this Unix socket, see DESK in --help
    #[arg(long, value_name = "PATH", requires = "usbredir")]
    control: Option<PathBuf>,

    /// Be plugged in only when told so
    #[arg(long, requires = "control")]
    unplugged: bool,
}

impl Usb {
    /// Where it is to be served, when it is to be a USB device.
    pub(crate) fn sockets(&self) -> Option<Sockets> {
        Some(self.desk.at(self.usbredir.clone()?))
    }
}

impl Desk {
    fn at(&self, usbredir: PathBuf) -> Sockets {
        Sockets { usbredir, control: self.control.clone(), plugged: !self.unplugged }
    }
}

#[derive(Args)]
pub(crate) struct Attached {
    /// The socket of `nitrokey3-twin --listen`, or of another twin of a Nitrokey 3
    #[arg(long, value_name = "PATH")]
    line: PathBuf,

    /// Serve usbredir on this Unix socket
    #[arg(long, value_name = "PATH")]
    usbredir: PathBuf,

    #[command(flatten)]
    desk: Desk,
}

#[derive(Args)]
pub(crate) struct Hostile {
    /// Which device; SEED on the control socket makes another
    #[arg(long, value_name = "NUMBER")]
    seed: u64,

    /// Serve usbredir on this Unix socket
    #[arg(long, value_name = "PATH")]
    usbredir: PathBuf,

    #[command(flatten)]
    desk: Desk,
}

pub(crate) fn run_attached(arguments: &Attached) -> Result<(), Box<dyn Error>> {
    let key = LineKey::open(&format!("unix:{}", arguments.line.display()))?;
    export(KeyDevice::new(key, Product::Nitrokey3), &arguments.desk.at(arguments.usbredir.clone()))
}

pub(crate) fn run_hostile(arguments: &Hostile) -> Result<(), Box<dyn Error>> {
    let device = HostileDevice::new(arguments.seed)?;
    export(Some(device), &arguments.desk.at(arguments.usbredir.clone()))
}

/// Serves the device until SIGTERM or SIGINT.
pub(crate) fn export(device: Option<impl Device>, sockets: &Sockets) -> Result<(), Box<dyn Error>> {
    let device = device.ok_or("there is no such product")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            result = usbredir::serve(device, sockets) => Ok(result?),
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    })
}
