//! A whole configuration, and for which server an API key in it was given.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::config::{Config, Insecure, ServerSection};

/// A server's address and the way it is trusted, as a hash: a credential belongs to these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target([u8; 32]);

impl Target {
    pub(super) fn of(server: &ServerSection) -> Self {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        };
        part(server.url.as_ref().map_or("", |url| url.as_str()).as_bytes());
        part(server.ca.as_ref().map_or(&[][..], |ca| &ca.pem));
        part(match server.insecure {
            None => b"",
            Some(Insecure::AnyCertificate) => b"certificate",
            Some(Insecure::PlainHttp) => b"plain",
        });
        for pin in &server.pin {
            part(pin.0.to_text().as_bytes());
        }
        Self(hash.finalize().into())
    }

    pub(super) fn hex(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    pub(super) fn from_hex(text: &str) -> Option<Self> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

/// A configuration's text.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) text: Zeroizing<String>,
    /// For which server its API key was given; `None` when that was in this very change.
    pub(super) key_for: Option<Target>,
}

impl Version {
    /// With its API key given for the server that it names.
    pub(super) const fn given(text: Zeroizing<String>) -> Self {
        Self { text, key_for: None }
    }

    /// Settles for whom the API key is, now that the server is known.
    pub(super) fn settled(self, config: &Config) -> Self {
        Self { key_for: self.key_for.or_else(|| Some(Target::of(&config.server))), ..self }
    }

    /// Whether there is an API key that was given for another server.
    pub(super) fn withholds_key(&self, config: &Config) -> bool {
        let given_here = self.key_for.is_none_or(|target| target == Target::of(&config.server));
        config.server.key().is_some() && !given_here
    }
}
