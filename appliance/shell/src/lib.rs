//! The SSH door of the station: who may come in, what they may say, and how it is answered.
//!
//! It never holds a seed, a server's credential or a key of a device, and it decides nothing:
//! every command becomes a call to the station's daemon, which knows each operator's
//! role and refuses what the role may not.

pub mod editor;
pub mod words;
