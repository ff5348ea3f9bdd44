//! Why a bundle is not installed.

use std::io;

/// A "no", with the number of its code (`E6001`). Texts and remedies are the daemon's.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The bytes are no bundle, or one of another form.
    #[error("this is no update of an enrollment station: {0}")]
    NoBundle(&'static str),
    /// Fewer bytes came than the bundle has.
    #[error("the update ended before it was whole")]
    CutOff,
    /// No key of the list that counts has made a signature, or one is wrong.
    #[error("its signature is not right: {0}")]
    Unsigned(String),
    /// It changes the list of keys, and two of the keys that count have to agree to that.
    #[error("it changes the keys that sign updates, and only one key has signed it")]
    OneSignature,
    /// It is for another product.
    #[error("it is for {0}")]
    OtherProduct(String),
    /// It is not for this board.
    #[error("it is not for this board, {0}")]
    OtherBoard(String),
    /// It is older than the lowest that may be installed.
    #[error("it is number {number}, and below {floor} nothing is installed")]
    BelowFloor {
        /// The bundle's.
        number: u64,
        /// The station's.
        floor: u64,
    },
    /// It is the one that runs, or an older one, and nobody asked for that.
    #[error("it is number {number}, and number {running} runs")]
    NotNewer {
        /// The bundle's.
        number: u64,
        /// The station's.
        running: u64,
    },
    /// It needs a newer FAT partition: firmware, U-Boot, script.
    #[error("it needs boot files of form {needs}, and this card has {has}")]
    OldCard {
        /// The bundle's.
        needs: u64,
        /// The card's.
        has: u64,
    },
    /// It has failed here before.
    #[error("it has failed on this station before: {0}")]
    Failed(String),
    /// It is signed by a development key, or was made for tests, and the system that runs is a release.
    #[error("it is made for development, and a release is running")]
    Development,
    /// What came is not what was signed.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// The slot could not be written or read back.
    #[error("the slot could not be written: {0}")]
    NotWritten(#[from] io::Error),
    /// What was read back is not what was written, or is no slot.
    #[error("what was read back is not what was written: {0}")]
    ReadBack(String),
}

impl Refused {
    /// The number of its code: 6001 is `E6001`. It keeps its meaning for ever.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::NoBundle(_) => 6001,
            Self::CutOff => 6002,
            Self::Unsigned(_) => 6003,
            Self::OneSignature => 6004,
            Self::OtherProduct(_) => 6005,
            Self::OtherBoard(_) => 6006,
            Self::BelowFloor { .. } => 6007,
            Self::NotNewer { .. } => 6008,
            Self::OldCard { .. } => 6009,
            Self::Failed(_) => 6010,
            Self::Development => 6011,
            Self::Damaged(_) => 6012,
            Self::NotWritten(_) => 6013,
            Self::ReadBack(_) => 6014,
        }
    }
}
