//! Nitrokey 3: its Secrets application, spoken to over CTAPHID packets.
//!
//! From the wire upwards:
//!
//! | room | what is in it |
//! |---|---|
//! | [`ctaphid`] | 64-byte packets, and the messages they carry |
//! | [`tlv`] | tag, length, value |
//! | [`apdu`] | the commands of the Secrets application |
//! | [`answer`] | its status words and what is in its answers |
//! | [`firmware`] | which version can do what |
//! | [`conversations`] | how they are strung together |
//!
//! Credentials are found by name: there are no numbered slots.

pub mod answer;
pub mod apdu;
pub mod conversations;
pub mod ctaphid;
pub mod firmware;
pub mod tlv;

pub use conversations::start;
