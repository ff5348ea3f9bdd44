//! What happens, as it happens.

use jiff::Timestamp;

use super::{Key, Mode, Order, Port, Run, Server, Status};
use crate::Refusal;

words! {
    /// What kind of thing happened. In brackets: the members that are there then.
    pub enum EventKind {
        /// How everything is when the stream begins, and again when events were missed (`status`).
        Snapshot = "snapshot",
        /// A key was plugged in (`port`, `key`).
        Arrived = "arrived",
        /// A key was pulled out (`port`).
        Left = "left",
        /// Something else was plugged in (`port`, `text`).
        Stranger = "stranger",
        /// An enrollment was accepted; with `port` as soon as there is a key (`ticket`, `text`).
        Accepted = "accepted",
        /// An enrollment entered a phase (`port`, `ticket`, `phase`).
        Phase = "phase",
        /// A step is done (`port`, `ticket`, `step`).
        Step = "step",
        /// The key is to be touched (`port`, `ticket`, `touch`).
        Touch = "touch",
        /// The key was touched, or need not be any more (`port`, `ticket`).
        Touched = "touched",
        /// An enrollment is over (`port`, `ticket`, `outcome`).
        Outcome = "outcome",
        /// A key was verified (`port`, `verification`).
        Verified = "verified",
        /// A token was deleted and its slot erased (`port`, `outcome`).
        Released = "released",
        /// Other orders wait than before (`orders`).
        Orders = "orders",
        /// A run was started, has got on, or is over (`run`).
        Run = "run",
        /// The mode changed (`mode`, `text` says who did it).
        Mode = "mode",
        /// The server or its credential changed (`server`).
        Server = "server",
        /// Anything else worth telling (`text`).
        Note = "note",
        /// The listener was too slow, and so many events are lost (`missed`). A snapshot follows.
        Missed = "missed",
    }
}

words! {
    /// How an enrollment ended.
    pub enum Ending {
        /// The key has proven itself, and the token counts.
        Enrolled = "enrolled",
        /// Nothing was changed.
        Refused = "refused",
        /// What it had done was taken back; what it replaced does not come back (`gone`, `given_up`).
        Undone = "undone",
        /// There is no token; the key may hold a secret that is worth nothing.
        Quarantined = "quarantined",
        /// Something is left to do that needs the server or the disk.
        Postponed = "postponed",
        /// The enrollment was taken back on request: the token is deleted, the slot erased.
        Released = "released",
    }
}

words! {
    /// How a key is to be touched.
    pub enum Finger {
        /// Shortly: the key types.
        Short = "short",
        /// For two seconds: the key types.
        Long = "long",
        /// As it blinks: the key computes.
        Confirm = "confirm",
    }
}

values! {
    /// Something that happened.
    pub struct Event {
        /// When.
        pub at: Timestamp,
        /// What kind of thing.
        pub kind: EventKind,
        /// In which port.
        pub port: Option<String>,
        /// To which enrollment.
        pub ticket: Option<i64>,
        /// The key.
        pub key: Option<Key>,
        /// The phase that begins.
        pub phase: Option<String>,
        /// The step that ended.
        pub step: Option<Step>,
        /// The touch that is wanted.
        pub touch: Option<Touch>,
        /// How it ended.
        pub outcome: Option<Outcome>,
        /// What came of verifying.
        pub verification: Option<Verification>,
        /// The run.
        pub run: Option<Run>,
        /// The mode.
        pub mode: Option<Mode>,
        /// The server.
        pub server: Option<Server>,
        /// How many events are lost.
        pub missed: Option<i64>,
        /// How everything is.
        pub status: Option<Box<Status>>,
        /// The orders that wait now.
        pub orders: Option<Vec<Order>>,
        /// How the port is now.
        pub now: Option<Port>,
        /// In words.
        pub text: Option<String>,
    }

    /// A step that was carried out.
    pub struct Step {
        /// What was done: `key inspect`, `server register`, `journal planned` …
        pub step: String,
        /// In which phase.
        pub phase: String,
        /// How long it took, in microseconds.
        pub took_us: i64,
        /// What went wrong.
        pub trouble: Option<String>,
    }

    /// A touch that is wanted.
    pub struct Touch {
        /// How.
        pub finger: Finger,
        /// How long the station waits.
        pub within_ms: i64,
        /// Which attempt this is, from 1.
        pub attempt: i64,
        /// How many there are.
        pub attempts: i64,
        /// How many codes of the key have not arrived whole so far, if any; they use no attempt up.
        pub torn: Option<i64>,
    }

    /// How an enrollment ended, and all that is known then.
    pub struct Outcome {
        /// How it ended.
        pub ending: Ending,
        /// Why it is not `enrolled`.
        pub refusal: Option<Refusal>,
        /// The enrollment's name.
        pub enrollment: String,
        /// The key's serial.
        pub key: Option<String>,
        /// Maker and model of the key.
        pub model: Option<String>,
        /// The key's firmware.
        pub firmware: Option<String>,
        /// The token's serial.
        pub token: Option<String>,
        /// The profile.
        pub profile: Option<String>,
        /// Whom the token is for.
        pub person: Option<String>,
        /// The counter of the code that proved it.
        pub counter: Option<i64>,
        /// How many attempts the proof took.
        pub attempts: Option<i64>,
        /// The number of the receipt.
        pub receipt: Option<i64>,
        /// What the server calls itself.
        pub server: Option<String>,
        /// How long it took.
        pub took_ms: i64,
        /// The finished enrollment that stood in the way, since the order does not name its token. It is as it was.
        pub in_the_way: Option<Finished>,
        /// The finished enrollment that the order named and that is gone for good, however it ended.
        pub gone: Option<Finished>,
        /// The public id of the Yubico OTP that the key was sold with, when that is gone for good.
        pub given_up: Option<String>,
    }

    /// A finished enrollment of a key.
    pub struct Finished {
        /// Its token.
        pub token: String,
        /// Whose that is; `null` when it is nobody's yet.
        pub person: Option<String>,
        /// When the key had proven itself.
        pub proven: Timestamp,
    }

    /// What came of verifying a key.
    pub struct Verification {
        /// The key's serial.
        pub key: String,
        /// The token.
        pub token: String,
        /// Whether the server accepted the key's code.
        pub accepted: bool,
        /// Why not, in the server's or the station's words.
        pub text: Option<String>,
        /// The refusal, when the key could not be asked.
        pub refusal: Option<Refusal>,
    }
}

impl Event {
    /// An event with nothing but its kind.
    pub const fn new(at: Timestamp, kind: EventKind) -> Self {
        Self {
            at,
            kind,
            port: None,
            ticket: None,
            key: None,
            phase: None,
            step: None,
            touch: None,
            outcome: None,
            verification: None,
            run: None,
            mode: None,
            server: None,
            missed: None,
            status: None,
            orders: None,
            now: None,
            text: None,
        }
    }
}
