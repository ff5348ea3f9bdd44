//! What the station's display and its light say to the person at the desk.
//!
//! A [`View`] goes in, a picture comes out: [`draw`] is a function of the view,
//! the language and the time since the view was first shown. Pages that turn, a
//! countdown, dimming and the wandering against burn-in are all in that time.
//!
//! The crate never reads a clock while it draws, never cuts a text off, and never
//! learns a secret: no view has a field for one.

mod clock;
mod face;
mod fits;
mod frame;
mod glass;
#[cfg(feature = "hardware")]
pub mod hardware;
mod icon;
mod layout;
mod press;
pub mod samples;
mod scene;
mod signal;
mod text;
pub mod twin;
mod view;
mod words;
mod wrap;

pub use fits::{Misfit, fits, most_pages, pages};
pub use frame::Frame;
pub use glass::Glass;
pub use press::{Debounce, Press};
pub use scene::{Brightness, Page, Scene, draw};
pub use signal::{Lamp, Pattern, Signal};
pub use text::{MAX_CHARS, Text};
pub use view::{
    Activity, BadFingerprint, Fingerprint, Notice, Port, PortLine, PortState, Progress, Run, ServerTrouble,
    Station, View,
};
pub use words::Language;
