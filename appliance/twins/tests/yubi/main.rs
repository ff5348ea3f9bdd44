//! The YubiKey twin, seen from its host.

#[cfg(test)]
mod host;
#[cfg(test)]
mod slots;
#[cfg(test)]
mod vectors;
