//! Who may come in: the operators' SSH keys, and where each may come from.

use std::net::IpAddr;

use control::types::Operator;
use russh::keys::{Algorithm, HashAlg, PublicKey};

/// The keys that open the door.
#[derive(Default)]
pub(super) struct Operators {
    keys: Vec<Known>,
}

struct Known {
    key: PublicKey,
    name: String,
    from: Vec<Network>,
}

/// Somebody whose key is known.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// The operator's name.
    pub(super) name: String,
    /// The fingerprint of the key, as OpenSSH writes it.
    pub(super) fingerprint: String,
}

impl Operators {
    /// Takes the operators as the daemon gives them. What cannot be used is left out and told.
    #[must_use]
    pub(super) fn new(operators: &[Operator]) -> Self {
        let mut keys = Vec::new();
        for operator in operators {
            let mut from = Vec::new();
            let mut sound = true;
            for text in &operator.from {
                match Network::parse(text) {
                    Some(network) => from.push(network),
                    // Left out, it would let the operator in from everywhere.
                    None => {
                        sound = false;
                        tracing::error!("{}: \"{text}\" is neither an address nor a network", operator.name);
                    }
                }
            }
            for line in operator.keys.iter().filter(|_| sound) {
                match PublicKey::from_openssh(line) {
                    Ok(key) if accepted(&key.algorithm()) => {
                        keys.push(Known { key, name: operator.name.clone(), from: from.clone() });
                    }
                    Ok(key) => {
                        tracing::error!("{}: a key of type {} opens no door", operator.name, key.algorithm());
                    }
                    Err(error) => tracing::error!("{}: a key cannot be read: {error}", operator.name),
                }
            }
        }
        Self { keys }
    }

    /// Whose key it is, when its owner may come from there.
    #[must_use]
    pub(super) fn find(&self, key: &PublicKey, from: IpAddr) -> Option<Visitor> {
        let known = self.keys.iter().find(|known| known.key.key_data() == key.key_data())?;
        let from = from.to_canonical();
        let welcome = known.from.is_empty() || known.from.iter().any(|network| network.holds(from));
        welcome.then(|| Visitor {
            name: known.name.clone(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        })
    }

    /// Whether nobody can come in.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Ed25519 and ECDSA, in software or in a security key.
fn accepted(algorithm: &Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256
    )
}

/// An address, or a network such as `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Self { address, bits })
    }

    fn holds(&self, other: IpAddr) -> bool {
        let number = |address: IpAddr| match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let ((one, kind), (other, other_kind)) = (number(self.address), number(other));
        let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
        kind == other_kind && one & mask == other & mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL0GoFwyeMpT0hBwCe6JqcpVi5sb2Qp7j9WCvQxdBiQt someone";

    fn operator(key: &str, from: &[&str]) -> Operator {
        Operator {
            name: "ada".into(),
            role: control::Role::Admin,
            keys: vec![key.into()],
            fingerprints: Vec::new(),
            from: from.iter().map(|text| (*text).into()).collect(),
            sessions: 0,
            last_login: None,
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        let cases = [
            ("192.0.2.0/24", "192.0.2.200", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
        ];
        for (network, address, held) in cases {
            assert_eq!(
                Network::parse(network).unwrap().holds(address.parse().unwrap()),
                held,
                "{network} {address}"
            );
        }
        for wrong in ["", "desk", "192.0.2.0/33", "192.0.2/24", "192.0.2.0/-1", "*"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_opens_from_where_its_owner_may_come() {
        let key = PublicKey::from_openssh(KEY).unwrap();
        let here: IpAddr = "::ffff:192.0.2.9".parse().unwrap();
        let there: IpAddr = "203.0.113.9".parse().unwrap();
        let operators = Operators::new(&[operator(KEY, &["192.0.2.0/24"])]);
        let visitor = operators.find(&key, here).unwrap();
        assert!(visitor.name == "ada" && visitor.fingerprint.starts_with("SHA256:"));
        assert!(operators.find(&key, there).is_none());
        assert!(Operators::new(&[operator(KEY, &[])]).find(&key, there).is_some());
    }

    #[test]
    fn what_cannot_be_used_opens_nothing() {
        // 1024 bits of RSA, and a restriction that cannot be read.
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7gR9DtQm0zyBqLaLGcMmjbFkXdDhDn5Fq4YrlOtFqGD6Jk0mXYo7mUBVpDL1kxlvDdJzKqTkCK0ZsLPdGbFbZ6LwPBYjCSZcKuC9VLo1v0QGfWBvS9n8XkAHj0DsCjo9JkqLxG2ZfC0v3dGqHpYd3fHh3uJ2hJqJ5p1C6mQ==";
        assert!(Operators::new(&[operator(rsa, &[])]).is_empty());
        assert!(Operators::new(&[operator("nonsense", &[])]).is_empty());
        assert!(Operators::new(&[operator(KEY, &["everywhere"])]).is_empty());
    }
}
