//! What the station's display and its light say to the person at the desk.
//!
//! The person who inserts keys has no terminal. A [`View`] goes in, a picture comes
//! out: [`draw`] is a function of the view, the language and the time since the
//! view was first shown. Pages that turn, a countdown, dimming and the wandering
//! against burn-in are all in that time; [`Scene::next_change`] says when the
//! picture changes next, so nobody has to poll.
//!
//! What does not fit becomes pages, whatever its length. [`fits`] tells writers of
//! refusals whether theirs reads well. [`View::signal`] is the same message for the
//! lamp and the buzzer, [`hardware`] brings both to the real thing, and [`twin`]
//! shows them to people elsewhere.
//!
//! This crate never reads a clock while it draws, never cuts a text off, never
//! keeps its caller waiting, and never learns a secret: no view has a field for one.
//!
//! ```
//! use std::time::Duration;
//! use panel::{Glass, Language, Port, Progress, Scene, View, twin};
//!
//! let view = View::Touch { port: Port::new(3), seconds_left: 15, attempt: Progress::new(2, 3), torn: 0 };
//! let scene = Scene::new(&view, Glass::Tall, Language::English, Duration::from_secs(3));
//! assert_eq!(scene.words(), ["Port 3", "Try 2 of 3", "Touch", "key 3", "12 s"]);
//! print!("{}", twin::terminal(&scene.frame()));
//! ```
//!
//! A few of its pictures, in Braille; all of them are in `docs/panel.md`.
//!
#![doc = include_str!("../doc/pictures.md")]
#![cfg_attr(not(feature = "hardware"), allow(rustdoc::broken_intra_doc_links))]

mod clock;
mod face;
mod fits;
mod frame;
mod glass;
#[cfg(feature = "hardware")]
pub mod hardware;
mod icon;
mod item;
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
pub use item::Page;
pub use press::{Debounce, Press};
pub use scene::{Brightness, Scene, draw};
pub use signal::{Lamp, Pattern, Signal};
pub use text::{MAX_CHARS, Text};
pub use view::{
    Activity, BadFingerprint, Fingerprint, Notice, Port, PortLine, PortState, Progress, Run, ServerTrouble,
    Station, View,
};
pub use words::Language;
