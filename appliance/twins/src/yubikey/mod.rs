//! A YubiKey's OTP application, firmware 2.0 to 5.7, as its host sees it: 8-byte
//! feature reports, the keyboard, and the smart-card interface.
//!
//! Written from the published facts about the protocol; where nobody says what
//! a real key does, the comment says so, and the twin does what is hardest for the
//! host. Not there: FIDO, and every card application but the OTP applet and the
//! management applet; the serial shown by a press while being plugged in.
//!
//! ```
//! use keys::device::Firmware;
//! use twins::key::{KeyTwin, Press};
//! use twins::yubikey::{Model, YubiKeyTwin};
//!
//! let model = Model::new(Firmware::new(5, 4, 3), 12_345_678)?;
//! let mut key = YubiKeyTwin::new(model, 1);
//! assert_eq!(key.get_feature()?, [0, 5, 4, 3, 0, 0, 5, 0]);
//! assert!(key.touch(Press::Short)?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ccid;
mod chance;
mod command;
mod config;
mod faults;
mod frame;
mod info;
mod kept;
mod memory;
mod model;
mod output;
mod session;
mod state;
mod twin;
mod typing;
mod view;

pub use config::{Mode, cfg, ext, tkt};
pub use faults::Faults;
pub use kept::KeptTwin;
pub use model::{FormFactor, Model, ModelError, VENDOR, capability, interface};
pub use state::StateError;
pub use typing::Keystroke;
pub use view::{Foreign, SlotView, Snapshot};

use crate::plug::Plug;
use chance::Chance;
use memory::Memory;
use session::Session;

/// A YubiKey in software.
pub struct YubiKeyTwin {
    model: Model,
    memory: Memory,
    plug: Plug<Faults>,
    chance: Chance,
    session: Session,
    /// Reports read so far, for [`Faults::garble_every`].
    reads: u32,
}
