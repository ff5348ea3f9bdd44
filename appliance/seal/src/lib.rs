//! Files that only their readers can open, in the format of age (age-encryption.org/v1).
//!
//! The station writes ([`Recipients::seal`]), for X25519 (`age1…`) and ssh-ed25519, one header stanza each. It has no key that
//! opens what it sealed. The program `station-open` at the administrator's desk reads (feature `open`), with the same keys
//! and with their passphrases.
//!
//! The arithmetic is that of crates which the station has anyway: ChaCha20-Poly1305 of *ring*, the curve of
//! *curve25519-dalek*, OpenSSH's private keys by *ssh-key*. The crate `age` would bring the generation of RustCrypto that
//! `deny.toml` refuses, RSA, HPKE and P-256, for two stanzas that are read here in 200 lines. The real program reads what
//! this writes, and this reads what the real program writes (`scripts/stage/sealed`, `tests/keys/by_age.age`).
//!
//! Sources: C2SP, age.md (version 1) for all of the format; BIP 173 for `age1…`.

mod format;
#[cfg(feature = "open")]
mod open;
mod recipients;

#[cfg(feature = "open")]
pub use open::{Identities, NoIdentity, NotOpened, blocks};
pub use recipients::{NoRecipient, NotSealed, Recipients};
