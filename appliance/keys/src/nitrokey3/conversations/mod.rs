//! Conversations with a Nitrokey 3, from one message to a whole operation.
//!
//! [`start`] is the vendor-neutral entry: an [`Operation`](crate::device::Operation) goes in, an
//! [`Answer`](crate::device::Answer) comes out. Each opens a channel of its own, so
//! that what an earlier one left behind is none of its business.

mod open;
mod operations;
mod pin;
mod start;
mod talk;

use core::time::Duration;

pub use start::start;

/// A message that wants no touch is answered within this time.
const ANSWER: Duration = Duration::from_secs(3);

/// The longest that a key may say that it works, in keep-alives.
const WORKING: Duration = Duration::from_secs(15);

/// The longest wait for a touch. The application gives up by itself after 15 s.
const TOUCH: Duration = Duration::from_secs(20);

/// How long, and how often, a key is asked again that somebody else has at work.
const BUSY: (Duration, u8) = (Duration::from_millis(200), 15);

/// How many messages a long answer may come in.
const MOST_PARTS: u8 = 64;

/// How many tries of a PIN must be left for one to be made.
const TRIES_WANTED: u8 = 3;
