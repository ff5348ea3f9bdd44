//! Conversations with the Nitrokey Pro family, from one command to a whole
//! operation.
//!
//! [`start`] is the vendor-neutral entry: an [`Operation`](crate::device::Operation) goes in, an
//! [`Answer`](crate::device::Answer) comes out.
//!
//! What the other end is like, and what is done about it:
//!
//! * A report that comes while the key works is dropped in silence, and the
//!   answer to an older one stays in view. An answer counts only when it names the
//!   command and the CRC that were sent; a report that was dropped is sent again,
//!   when that does no harm.
//! * Presenting a PIN is never repeated blindly. When its answer is lost, the
//!   count of tries says whether it was taken, and whether it was wrong.
//! * No PIN is presented unless at least three tries are left, so that two stay
//!   after a wrong one, and the person whose key it is can still use it.

mod ask;
mod inspect;
mod open;
mod pin;
mod start;
mod talk;
mod write;

use core::time::Duration;

pub use start::start;

/// An ordinary command is through within this time. libnitrokey waits 1.6 s for a
/// Pro and 2.2 s for a Storage.
const ANSWER: Duration = Duration::from_secs(3);

/// A command that asks the smart card is through within this time. It takes up to
/// seconds; a card that must be started first takes longest.
const CARD: Duration = Duration::from_secs(15);

/// A key that is ready and still shows an older answer after this time has
/// dropped the report. A Pro says "received" at once; a Storage says nothing
/// until its main loop comes round.
const DROPPED: (Duration, Duration) = (Duration::from_millis(150), Duration::from_secs(1));

/// How often a report is sent before the key counts as silent.
const SENDS: u8 = 3;

/// How many tries of a PIN must be left for one to be made.
const TRIES_WANTED: u8 = 3;

/// What a slot is unlocked by.
const ADMIN_PIN: &str = "its administrator's PIN before a slot is written";
