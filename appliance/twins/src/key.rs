//! What can be done to a key: plug it, press it, and send it reports.
//!
//! [`KeyTwin`] has exactly the operations of the line protocol ([`crate::line`]),
//! so that a test can be run against a twin in the same process, one behind a
//! socket, or hardware behind an adapter.

use core::fmt;
use core::time::Duration;

/// A boot-keyboard input report (HID 1.11, appendix B.1): modifiers, 0, up to
/// six usages.
pub type KeyboardReport = [u8; 8];

/// How long a finger rests on the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Press {
    /// Shortly: slot 1 of a YubiKey.
    Short,
    /// For two seconds or more: slot 2 of a YubiKey.
    Long,
}

/// A USB interface of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interface {
    /// HID keyboard with an 8-byte feature report, or the vendor's own HID.
    Feature,
    /// CTAPHID packets.
    Fido,
    /// Smart card.
    Ccid,
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Feature => "feature-report",
            Self::Fido => "FIDO",
            Self::Ccid => "CCID",
        })
    }
}

/// Why a transfer did not take place. A refusal by the key's own protocol is
/// not among these: that is an ordinary answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TwinError {
    /// Pulled out; until [`KeyTwin::power`] nothing answers.
    #[error("the key is not plugged in")]
    Gone,
    /// The transfer failed at the USB level (stall or timeout).
    #[error("the key did not answer the transfer")]
    Nack,
    /// The key has no such interface, or it is switched off.
    #[error("the key has no {0} interface")]
    NoInterface(Interface),
    /// A report of the wrong length.
    #[error("a report of this key has {wanted} bytes, not {got}")]
    Length {
        /// What the interface has.
        wanted: usize,
        /// What came.
        got: usize,
    },
    /// The line to a twin in another process broke, or carried something else.
    #[error("the line to the twin failed: {0}")]
    Line(String),
    /// The twin could not keep its memory in its file.
    #[error("the twin's memory could not be kept: {0}")]
    Memory(String),
}

/// A key, or what behaves as one.
pub trait KeyTwin: Send {
    /// HID SET_REPORT(Feature), without a report id.
    fn set_feature(&mut self, report: &[u8]) -> Result<(), TwinError>;

    /// HID GET_REPORT(Feature), without a report id.
    fn get_feature(&mut self) -> Result<Vec<u8>, TwinError>;

    /// One interrupt OUT packet (CTAPHID).
    fn out(&mut self, packet: &[u8]) -> Result<(), TwinError>;

    /// The next interrupt IN packet, when there is one. Never waits.
    fn input(&mut self) -> Result<Option<Vec<u8>>, TwinError>;

    /// One ISO 7816 command; the answer ends in the status word.
    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TwinError>;

    /// Presses the button. What the key types comes back as the reports of its
    /// keyboard, in order. A press that a challenge waits for types nothing.
    fn touch(&mut self, press: Press) -> Result<Vec<KeyboardReport>, TwinError>;

    /// Pulls the key out and plugs it in again.
    fn power(&mut self) -> Result<(), TwinError>;

    /// Lets the key's time pass.
    fn advance(&mut self, by: Duration) -> Result<(), TwinError>;

    /// How long it takes to answer each report, besides what that takes over USB. Whoever carries the reports lets so much time pass.
    fn lateness(&self) -> Duration {
        Duration::ZERO
    }
}

impl<T: KeyTwin + ?Sized> KeyTwin for Box<T> {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), TwinError> {
        (**self).set_feature(report)
    }

    fn get_feature(&mut self) -> Result<Vec<u8>, TwinError> {
        (**self).get_feature()
    }

    fn out(&mut self, packet: &[u8]) -> Result<(), TwinError> {
        (**self).out(packet)
    }

    fn input(&mut self) -> Result<Option<Vec<u8>>, TwinError> {
        (**self).input()
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TwinError> {
        (**self).apdu(command)
    }

    fn touch(&mut self, press: Press) -> Result<Vec<KeyboardReport>, TwinError> {
        (**self).touch(press)
    }

    fn power(&mut self) -> Result<(), TwinError> {
        (**self).power()
    }

    fn advance(&mut self, by: Duration) -> Result<(), TwinError> {
        (**self).advance(by)
    }

    fn lateness(&self) -> Duration {
        (**self).lateness()
    }
}
