//! The client against answers that a privacyIDEA 3.14 gave, without a network.
//!
//! The files in `answers/` were recorded; seeds, codes, pictures and signatures
//! in them are replaced.

#[cfg(test)]
mod enrolling;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod logging;
#[cfg(test)]
mod login;
#[cfg(test)]
mod managing;
#[cfg(test)]
mod script;
