//! What can go wrong with a key, in words that fit every vendor.

use core::time::Duration;

use super::Firmware;

/// Why a conversation with a key did not end as wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key did what keys do when they refuse: nothing.
    #[error("the key did not take the change; its status is as before")]
    Refused,
    /// The key did not get ready in time.
    #[error("the key did not answer within {0:?}")]
    TimedOut(Duration),
    /// No touch came in time.
    #[error("the key was not touched in time")]
    NotTouched,
    /// The smart card inside the key, which keeps its PINs, does not answer.
    #[error("the smart card inside the key does not answer")]
    CardSilent,
    /// The key lacks what is asked.
    #[error("firmware {firmware} of this key cannot do this: {what}")]
    NotAble {
        /// What is missing.
        what: &'static str,
        /// What the key has.
        firmware: Firmware,
    },
    /// The slot is empty.
    #[error("the slot is empty")]
    Empty,
    /// The PIN or access code was wrong.
    #[error("wrong PIN, {tries_left} tries left")]
    WrongPin {
        /// Tries until it is blocked.
        tries_left: u8,
    },
    /// A PIN is needed, and none was given.
    #[error("the key wants {0}")]
    PinNeeded(&'static str),
    /// The PIN is blocked, or so low that the station does not try.
    #[error("the PIN has too few tries left ({tries_left}); the station does not risk them")]
    PinAtRisk {
        /// Tries until it is blocked.
        tries_left: u8,
    },
    /// A name or a credential is already there.
    #[error("the key already holds something there")]
    Occupied,
    /// There is no room.
    #[error("the key is full")]
    Full,
    /// Another key is plugged in than the one that was inspected.
    #[error("this is another key than the one that was inspected")]
    AnotherKey,
    /// It is no key that can be enrolled.
    #[error("this key cannot be enrolled: {0}")]
    Unsupported(&'static str),
    /// The interface that slots are programmed through is switched off.
    #[error("{0} is switched off on this key")]
    InterfaceOff(&'static str),
    /// Bytes came that the protocol does not allow.
    #[error("the key sent something that its protocol does not allow: {0}")]
    Garbled(&'static str),
    /// The driver answered out of turn; a defect of ours.
    #[error("the conversation was driven wrongly: {0}")]
    Confused(&'static str),
    /// The credential does not fit the key.
    #[error("this credential does not fit the key: {0}")]
    DoesNotFit(&'static str),
}
