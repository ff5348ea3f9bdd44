//! Nitrokey Pro, Pro 2, Storage and Librem Key, spoken to over 64-byte HID
//! feature reports.
//!
//! From the wire upwards:
//!
//! | room | what is in it |
//! |---|---|
//! | [`crc`] | the CRC-32 of the STM32 |
//! | [`report`] | what is asked, and what the key shows |
//! | [`slot`] | slots, their names and set-up |
//! | [`command`] | the commands |
//! | [`answer`] | what is in the results |
//! | [`ids`] | which model and firmware can do what |
//! | [`conversations`] | how they are strung together |

pub mod answer;
pub mod command;
pub mod conversations;
pub mod crc;
pub mod ids;
pub mod report;
pub mod slot;

pub use conversations::start;
