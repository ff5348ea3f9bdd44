//! Conversations with a YubiKey, from one command to a whole operation.
//!
//! [`start`] is the vendor-neutral entry: an [`Operation`](crate::device::Operation) goes in, an
//! [`Answer`](crate::device::Answer) comes out. Below it are parts that can be
//! driven by themselves: [`Settle`] brings a key to rest, [`Exchange`] carries
//! one command, [`Open`] finds out what is plugged in.
//!
//! A part that ended in an error leaves the key as it may be; the next
//! conversation begins with [`Settle`], so nothing has to be cleared up.

mod ask;
mod exchange;
mod inspect;
mod open;
mod port;
mod settle;
mod start;
mod write;

use core::time::Duration;

pub use exchange::{Exchange, Outcome};
pub use open::{Depth, Open, Opened};
pub use settle::Settle;
pub use start::start;

/// A key takes a write within this time. The slowest thing it can be at is a
/// swap of the slots, 920 ms; libykpers waits for 1150 ms.
const WRITE_TAKEN: Duration = Duration::from_millis(1200);

/// After the last chunk the outcome shows within this time.
const ANSWER: Duration = Duration::from_millis(2000);

/// A status that stays as it was for this long after a command is a refusal.
/// yubikit is sure at once; the time is for a key that looks idle for an
/// instant before it begins.
const REFUSAL_SURE: Duration = Duration::from_millis(100);

/// A key that starts (0x9F) is ready within this time.
const STARTUP: Duration = Duration::from_secs(3);

/// The longest wait for a touch. Keys count at most 31 seconds down (five
/// bits); they give up by themselves, usually after 15.
const TOUCH: Duration = Duration::from_secs(33);

/// How long, and how often, a key that just spoke through another interface is
/// asked again (ykman `hid/base.py`).
const RECLAIM: (Duration, u8) = (Duration::from_millis(500), 6);

/// How often a read that came back spoilt is repeated.
const SPOILT_REPEATS: u8 = 2;
