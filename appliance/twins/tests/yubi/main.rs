//! The YubiKey twin, seen from its host.

#[cfg(test)]
mod card;
#[cfg(test)]
mod codes;
#[cfg(test)]
mod device;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod host;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod program;
#[cfg(test)]
mod slots;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod typing;
#[cfg(test)]
mod vectors;
