//! The station as a whole.

use jiff::Timestamp;

use super::{Configuration, Order, Port, Role, Run, Server, Unsettled};
use crate::Refusal;

words! {
    /// Who starts enrollments.
    pub enum Mode {
        /// Each key that is plugged in is enrolled by the profile that fits it.
        Armed = "armed",
        /// An operator starts each enrollment or run.
        Attended = "attended",
        /// Nothing is enrolled.
        Locked = "locked",
    }
}

words! {
    /// How a part of the station is.
    pub enum Health {
        /// It works.
        Good = "good",
        /// It is not there, and the station works without.
        Absent = "absent",
        /// It does not work.
        Bad = "bad",
    }
}

values! {
    /// How a part of the station is, and what to do about it.
    pub struct Part {
        /// How it is.
        pub health: Health,
        /// In a sentence.
        pub text: String,
        /// What to do, when something is to be done.
        pub remedy: Option<String>,
    }

    /// Counts of enrollments.
    pub struct Counts {
        /// The key is proven and the token counts.
        pub enrolled: i64,
        /// Nothing was changed.
        pub refused: i64,
        /// What was done was taken back.
        pub undone: i64,
        /// The key has to come back.
        pub quarantined: i64,
        /// Recovery has something left to do.
        pub postponed: i64,
    }

    /// All there is to know at a glance.
    pub struct Status {
        /// The station's name.
        pub station: String,
        /// The program's version.
        pub version: String,
        /// When this was.
        pub at: Timestamp,
        /// When the daemon was started.
        pub started: Timestamp,
        /// Who starts enrollments.
        pub mode: Mode,
        /// Why nothing can be enrolled now; `null` when it can.
        pub not_ready: Option<Refusal>,
        /// The server.
        pub server: Server,
        /// Every port that has a key, or had one that is remembered.
        pub ports: Vec<Port>,
        /// The orders that wait, oldest first.
        pub orders: Vec<Order>,
        /// The run, when there is one that is not over.
        pub run: Option<Run>,
        /// Keys that an enrollment left in no final state.
        pub unsettled: Vec<Unsettled>,
        /// Enrollments since the daemon was started.
        pub counts: Counts,
        /// The display.
        pub display: Part,
        /// USB.
        pub usb: Part,
        /// The SSH server.
        pub door: Part,
        /// The journal and the receipts.
        pub records: Part,
        /// Whether the time of day is known.
        pub clock: Part,
        /// The board: its card, its supply, how hot it is.
        pub board: Part,
        /// The configuration.
        pub configuration: Configuration,
        /// The fingerprint of the SSH host key, once the SSH server is open.
        pub host_key: Option<String>,
        /// The station's addresses.
        pub addresses: Vec<String>,
    }

    /// Which program this is.
    pub struct Version {
        /// The program's version.
        pub version: String,
        /// The station's name.
        pub station: String,
        /// The kernel it runs on.
        pub kernel: String,
        /// The machine's kind of processor.
        pub machine: String,
    }

    /// What the display shows.
    pub struct Panel {
        /// In pixels.
        pub width: i64,
        /// In pixels.
        pub height: i64,
        /// One bit a pixel, rows from the top, eight pixels a byte, the leftmost in the highest bit; base64.
        pub pixels: String,
        /// The words in the picture, line by line.
        pub words: Vec<String>,
        /// What the lamp does: `off`, `green`, `blinking green` …
        pub lamp: String,
        /// How long until the picture changes by itself.
        pub changes_in_ms: Option<i64>,
    }

    /// What a refusal means.
    pub struct Explanation {
        /// The stable code, such as `E2041`.
        pub code: String,
        /// What.
        pub title: String,
        /// Why.
        pub cause: String,
        /// What to do.
        pub remedy: String,
    }

    /// What refusals mean.
    pub struct Explanations {
        /// By code.
        pub refusals: Vec<Explanation>,
    }

    /// A call of this interface.
    pub struct Call {
        /// Its name.
        pub name: String,
        /// What an operator has to be to use it.
        pub role: Role,
        /// Whether it answers more than once.
        pub streams: bool,
    }
}

requests! {
    /// Which refusal is to be explained.
    pub struct Explain {
        /// The code; all of them when missing.
        pub code: Option<String>,
    }

    /// Who shall start enrollments.
    pub struct SetMode {
        /// Who.
        pub mode: Option<Mode>,
        /// The profile of the armed mode, when it is not the one that fits.
        pub profile: Option<String>,
    }
}
