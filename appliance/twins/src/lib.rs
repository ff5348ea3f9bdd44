//! Software stand-ins for the hardware and the server around the station.
//!
//! A twin behaves as the real thing does, byte for byte, including what the real
//! thing does badly. It is driven by calls and by an explicit clock, so that a
//! test can replay it: no twin sleeps, reads a clock or draws a random number
//! that its seed does not determine.
//!
//! Twins of keys share no codec with the crate that speaks to keys: a mistake
//! in reading the protocol would otherwise cancel itself out. What proves them
//! are the vendors' own clients (`scripts/vendor-clients`) and vectors those
//! clients made. No twin is ever part of the appliance's image.
//!
//! * [`key`]: what can be done to any key twin.
//! * [`plug`]: what all of them have in common: a plug, and transfers that may fail.
//! * [`shared`]: a key twin in the hands of a conversation and a person.
//! * [`yubikey`]: a YubiKey's OTP application.
//! * [`nitrokey_pro`]: Nitrokey Pro, Storage and Librem Key.
//! * [`nitrokey3`]: the Secrets application of a Nitrokey 3.
//! * [`line`](mod@line): the same operations as lines of text, for other processes; the
//!   program `key-twin` serves them.
//! * [`usbredir`]: the same keys as USB devices of an emulated machine.
//! * [`hostile`]: devices that lie, each made from a seed.
//! * [`privacyidea`]: the server; the program `server-twin` serves it.

pub mod hostile;
pub mod key;
pub mod line;
pub mod nitrokey3;
pub mod nitrokey_pro;
pub mod plug;
pub mod privacyidea;
pub mod shared;
pub mod usbredir;
pub mod yubikey;
