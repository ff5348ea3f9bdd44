//! What all keys have in common: a plug, a time of their own, and transfers that may fail.
//!
//! Faults are parameters of a twin: set before or between calls, in a test as in the program. Those that a twin has are declared
//! by [`faults!`](crate::faults), each with the line that says how it is written and what it does.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::key::TwinError;

/// Why a fault cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fault that this key knows, or not written as it should be")]
pub struct UnknownFault(pub String);

/// A fault that is written `name` or `name=number`. False where the number is missing, too much, or impossible.
pub trait Settable {
    /// Sets it. Times are in milliseconds.
    fn set(&mut self, number: Option<u32>) -> bool;
}

macro_rules! settable {
    ($($kind:ty: $number:ident => $value:expr;)+) => {
        $(impl Settable for $kind {
            fn set(&mut self, $number: Option<u32>) -> bool {
                let value = $value;
                value.map(|value| *self = value).is_some()
            }
        })+
    };
}

settable! {
    u32: number => number;
    Option<u32>: number => number.map(Some);
    Option<NonZeroU32>: number => number.and_then(NonZeroU32::new).map(Some);
    Duration: number => number.map(|ms| Self::from_millis(ms.into()));
    Option<Duration>: number => number.map(|ms| Some(Duration::from_millis(ms.into())));
    bool: number => number.is_none().then_some(true);
}

/// The faults of any transfer, whatever it carries.
pub trait Transfers: Copy + Default {
    /// In so many reports, and in so many transfers, the key is pulled out.
    fn pull_outs(&mut self) -> [&mut Option<u32>; 2];

    /// After so much of the key's time every transfer fails.
    fn dead_after(&mut self) -> &mut Option<Duration>;

    /// So many transfers fail.
    fn nack(&mut self) -> &mut u32;
}

/// Declares the `Faults` of a twin. Besides those named in it, each has those of [`Transfers`].
#[macro_export]
macro_rules! faults {
    ($($name:ident: $kind:ty = $line:literal,)+) => {
        /// Everything that can be made to go wrong; nothing by default. Each can be written as its line says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct Faults {
            $(#[doc = $line] pub $name: $kind,)+
        }

        impl Faults {
            /// How faults are written, and what each does: a line each.
            pub const KNOWN: &str = const { concat!($($line, "\n"),+).trim_ascii_end() };

            /// Sets one fault, written as in [`Faults::KNOWN`].
            pub fn set(&mut self, text: &str) -> Result<(), $crate::plug::UnknownFault> {
                let (name, number) = match text.split_once('=') {
                    Some((name, number)) => (name, Some(number.parse())),
                    None => (text, None),
                };
                let known = match number.transpose() {
                    Ok(number) => $($line.split(['=', ' ']).next() == Some(name)
                        && $crate::plug::Settable::set(&mut self.$name, number))||+,
                    Err(_) => false,
                };
                if known { Ok(()) } else { Err($crate::plug::UnknownFault(text.to_owned())) }
            }
        }

        impl $crate::plug::Transfers for Faults {
            fn pull_outs(&mut self) -> [&mut Option<u32>; 2] {
                [&mut self.pull_out_after_reports, &mut self.pull_out_after_transfers]
            }

            fn dead_after(&mut self) -> &mut Option<core::time::Duration> {
                &mut self.dead_after
            }

            fn nack(&mut self) -> &mut u32 {
                &mut self.nack
            }
        }
    };
}

/// Counts down; true when it was not 0 yet.
pub const fn one_of(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

/// A key's plug, its time, and what goes wrong with its transfers.
#[derive(Debug, Default)]
pub struct Plug<F> {
    /// What goes wrong, as far as it has not yet.
    pub faults: F,
    /// The key's time since it was made.
    pub now: Duration,
    out: bool,
    dead_at: Option<Duration>,
}

impl<F: Transfers> Plug<F> {
    /// Sets what goes wrong from now on.
    pub fn set_faults(&mut self, mut faults: F) {
        self.dead_at = faults.dead_after().map(|after| self.now.saturating_add(after));
        self.faults = faults;
    }

    /// Lets the key's time pass.
    pub const fn pass(&mut self, by: Duration) {
        self.now = self.now.saturating_add(by);
    }

    /// Whether it is in.
    pub const fn is_in(&self) -> bool {
        !self.out
    }

    /// Whether every transfer fails.
    pub fn is_dead(&self) -> bool {
        self.dead_at.is_some_and(|at| self.now >= at)
    }

    /// Pulls it out.
    pub fn pull(&mut self) {
        self.out = true;
        for left in self.faults.pull_outs() {
            *left = None;
        }
    }

    /// Plugs it in again. A key that was dead lives again.
    pub fn put_in(&mut self) {
        if self.is_dead() {
            self.dead_at = None;
            *self.faults.dead_after() = None;
        }
        self.out = false;
    }

    /// Before a transfer: whether the key is pulled out instead.
    pub fn pulled_before(&mut self, written: bool) -> bool {
        let [reports, transfers] = self.faults.pull_outs().map(|left| *left == Some(0));
        self.is_in() && (transfers || written && reports)
    }

    /// Whether there is a key.
    pub const fn there(&self) -> Result<(), TwinError> {
        if self.out { Err(TwinError::Gone) } else { Ok(()) }
    }

    /// Whether the key, which is there, takes the transfer.
    pub fn takes(&mut self) -> Result<(), TwinError> {
        if self.is_dead() || one_of(self.faults.nack()) { Err(TwinError::Nack) } else { Ok(()) }
    }

    /// After a transfer: whether it was the last.
    pub fn pulled_after(&mut self, written: bool) -> bool {
        let [reports, transfers] = self.faults.pull_outs();
        let count = |left: &mut Option<u32>| {
            *left = left.map(|left| left.saturating_sub(1));
            *left == Some(0)
        };
        let by_transfers = count(transfers);
        (written && count(reports)) || by_transfers
    }
}
