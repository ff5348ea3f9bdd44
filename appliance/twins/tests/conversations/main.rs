//! The station's side of the protocol against the YubiKey twin, which does not
//! share a line with it: every operation, on every firmware, with a person at the
//! key and with things going wrong.

#[cfg(test)]
mod desk;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod trouble;
