//! A Nitrokey Pro, Storage or Librem Key, as its host sees it: 64-byte feature
//! reports. Firmware 0.7 to 0.15 of the Pro, 0.50 to 0.57 of the Storage.
//!
//! Written from what the published firmware does (`report_protocol.c`, `hotp.c`,
//! `CCIDHID_usb_prop.c`, `main.c` of nitrokey-pro-firmware; `report_protocol.c`,
//! `hotp.c`, `html_io.c` of nitrokey-storage-firmware), with what it does badly:
//!
//! * A report that comes while it works is dropped in silence, and the last answer
//!   stays in view. A Storage does not even say that it works.
//! * Newer firmware of the Storage says "ok" to commands that it does not carry out.
//! * Some secrets are taken for none, and the old one stays.
//!
//! Where the published firmware and other clients' word differ, the twin does what
//! the clients expect, and [`Faults`] has the other: forgetting the temporary
//! passwords when it is locked.
//!
//! Not there: smart card over CCID, password safe, AES keys, firmware update,
//! volumes of the Storage, codes that are typed by the lock keys of a keyboard.
//!
//! ```
//! use keys::device::Firmware;
//! use twins::key::KeyTwin;
//! use twins::nitrokey_pro::{Model, NitrokeyProTwin, Product};
//!
//! let model = Model::new(Product::Pro, Firmware::new(0, 15, 0), 0x5555)?;
//! let mut key = NitrokeyProTwin::new(model, 1);
//! let mut status = [0; 64];
//! status[60..].copy_from_slice(&[0xdf, 0xb7, 0x6e, 0xef]);
//! key.set_feature(&status)?;
//! key.advance(std::time::Duration::from_millis(10))?;
//! assert_eq!(key.get_feature()?[7..13], [15, 0, 0x55, 0x55, 0, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod card;
mod command;
mod faults;
mod job;
mod memory;
mod model;
mod pins;
mod report;
mod session;
mod slots;
mod twin;

pub use faults::Faults;
pub use model::{Model, ModelError, Product};
pub use twin::{Place, SlotView};

use crate::plug::Plug;
use job::Job;
use memory::Memory;
use report::Buffer;
use session::Session;
use twin::Phase;

/// A Nitrokey of the Pro family in software.
pub struct NitrokeyProTwin {
    model: Model,
    memory: Memory,
    plug: Plug<Faults>,
    session: Session,
    /// The report that is shown; its first byte is said by the phase.
    shown: Buffer,
    phase: Phase,
    /// The last of a Storage's own commands.
    job: Option<Job>,
    /// Whether the next reading of a Storage has the data with it.
    job_data: bool,
    /// Reports read so far, for [`Faults::garble_every`].
    reads: u32,
    /// Says which bits flip.
    chance: u64,
    /// The fewest tries that any PIN ever had left.
    fewest_tries: u8,
}
