//! What a certificate says of itself that the TLS library keeps to itself: who issued it for whom, and in which version of X.509
//! (RFC 5280, section 4.1). Only for saying why a certificate was refused; nothing is decided by it.

/// The object identifiers of a common name and of an organization (X.520).
const NAMES: [&[u8]; 2] = [&[0x55, 4, 3], &[0x55, 4, 10]];

/// Parts of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    /// 1 to 3.
    pub(crate) version: u8,
    /// The issuer's name, encoded.
    pub(crate) issuer: &'a [u8],
    /// The name of whom it is for, encoded.
    pub(crate) subject: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Reads a certificate; `None` where it is none.
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let (certificate, _) = Value::next(der)?;
        let (signed, _) = Value::next(certificate.tagged(0x30)?)?;
        let rest = signed.tagged(0x30)?;
        let (first, after) = Value::next(rest)?;
        let (version, rest) = match first.tag {
            0xa0 => (Value::next(first.content)?.0.content.last()?.checked_add(1)?, after),
            _ => (1, rest),
        };
        // Serial and algorithm stand before the issuer, the dates before the subject.
        let (_serial, rest) = Value::next(rest)?;
        let (_algorithm, rest) = Value::next(rest)?;
        let (issuer, rest) = Value::next(rest)?;
        let (_dates, rest) = Value::next(rest)?;
        let (subject, _) = Value::next(rest)?;
        Some(Self { version, issuer: issuer.whole, subject: subject.whole })
    }
}

/// What people call a name: its common name, else its organization.
pub(crate) fn called(name: &[u8]) -> Option<String> {
    NAMES.into_iter().find_map(|wanted| {
        let (mut sets, _) = Value::next(name).map(|(value, rest)| (value.content, rest))?;
        while let Some((set, rest)) = Value::next(sets) {
            sets = rest;
            let pair = Value::next(set.content)?.0.content;
            let (kind, rest) = Value::next(pair)?;
            if kind.content == wanted {
                let text = Value::next(rest)?.0.content;
                return Some(String::from_utf8_lossy(text).into_owned());
            }
        }
        None
    })
}

/// A value of DER (X.690, section 8.1).
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Value<'a> {
    /// The first value, and what follows it.
    fn next(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let whole = bytes.get(..bytes.len() - rest.len())?;
        Some((Self { tag, content, whole }, rest))
    }

    fn tagged(&self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate() -> Vec<u8> {
        let mut params = CertificateParams::new(["pi.example.test".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, "Büro");
        params.distinguished_name.push(DnType::CommonName, "pi");
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn names_and_version_are_read() {
        let der = certificate();
        let parts = Parts::read(&der).unwrap();
        assert_eq!((parts.version, parts.issuer == parts.subject), (3, true));
        assert_eq!(called(parts.issuer).as_deref(), Some("pi"));
    }

    #[test]
    fn every_cut_is_survived() {
        let der = certificate();
        for end in 0..der.len() {
            let _ = Parts::read(&der[..end]).map(|parts| called(parts.issuer));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let _ = Parts::read(&bytes);
            let _ = called(&bytes);
        }
    }
}
