//! Who may come in. The SSH server does not know the operators: it asks the daemon about each key that is
//! offered, and is told yes or no.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use control::types::DoorKnows;
use control::{CallError, Client};
use russh::keys::{Algorithm, HashAlg, PublicKey};

/// How long the daemon is waited for.
const TIMEOUT: Duration = Duration::from_secs(5);

/// As many fingerprints are remembered.
const REMEMBERED: usize = 256;

/// Asks the daemon.
pub(super) struct Authorizer {
    station: Client,
    /// Keys that the daemon knew, and from where. They get as far as being told that the daemon is away,
    /// while it is; every session is announced to it.
    known: Mutex<HashSet<(String, IpAddr)>>,
}

impl Authorizer {
    pub(super) fn new(socket: &Path) -> Self {
        Self { station: Client::local(socket), known: Mutex::default() }
    }

    /// The fingerprint of a key, when it may log in from there.
    pub(super) async fn find(&self, key: &PublicKey, from: IpAddr) -> Option<String> {
        if !accepted(&key.algorithm()) {
            return None;
        }
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let from = from.to_canonical();
        let asked = DoorKnows { fingerprint: fingerprint.clone(), address: from.to_string() };
        let known = (fingerprint.clone(), from);
        let answer = tokio::time::timeout(TIMEOUT, self.station.door_knows(&asked)).await;
        let mut memory = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let welcome = match answer {
            Ok(Ok(answer)) if answer.known => {
                if memory.len() >= REMEMBERED {
                    memory.clear();
                }
                memory.insert(known);
                true
            }
            Ok(Err(CallError::Unreachable(_) | CallError::Lost(_))) | Err(_) => memory.contains(&known),
            Ok(Ok(_) | Err(_)) => {
                memory.remove(&known);
                false
            }
        };
        welcome.then_some(fingerprint)
    }
}

/// Ed25519 and ECDSA, in software or in a security key.
fn accepted(algorithm: &Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256
    )
}
