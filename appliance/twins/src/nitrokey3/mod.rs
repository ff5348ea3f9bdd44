//! A Nitrokey 3, as far as its Secrets application goes, over CTAPHID packets.
//!
//! Small enough to be made and thrown away thousands of times, and open to a test
//! that looks into it: for the crash explorer and for runs of many keys. What it
//! says is no word of ours: it answers every command as Nitrokey's own code does
//! (`secrets-app` 0.16, `usbd-ctaphid` 0.5), which the crate `nitrokey3-twin` runs
//! and compares it with, command by command, over long random sequences.
//!
//! Kept as it is there, because clients meet it:
//!
//! * A verified PIN holds for the next command only, and what is encrypted by it
//!   cannot even be seen without.
//! * A touch is asked for by silence: keep-alives come with FIDO commands only.
//! * A new channel calls off what another one has at work.
//! * "Busy" is said by an error number that means nothing.
//!
//! Not there: FIDO2, CCID, reverse HOTP, passwords, challenge-response, commands of
//! the admin application other than the version.
//!
//! ```
//! use twins::key::KeyTwin;
//! use twins::nitrokey3::{Model, SecretsTwin};
//!
//! let mut key = SecretsTwin::new(Model { serial: 0x1122_3344, firmware: Some([1, 9, 0]), seed: 1 });
//! let mut init = vec![0xff, 0xff, 0xff, 0xff, 0x86, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
//! init.resize(64, 0);
//! key.out(&init)?;
//! assert_eq!(key.input()?.map(|packet| packet[7..19].to_vec()), Some(vec![1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1]));
//! # Ok::<(), twins::key::TwinError>(())
//! ```

mod application;
mod command;
mod faults;
mod hid;
mod memory;
mod twin;

pub use faults::Faults;
pub use memory::CredentialView;
pub use twin::{Model, SecretsTwin};
