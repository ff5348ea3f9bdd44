//! Which server it is.

use std::fmt;

/// The products that speak this protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Product {
    /// privacyIDEA.
    PrivacyIdea,
    /// eduMFA, its fork.
    EduMfa,
    /// Another name.
    Other(String),
}

/// Product and version, as far as an answer told them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The product.
    pub product: Product,
    /// The numbers, as many as the answer gave ("3.14" is `[3, 14]`). Empty if
    /// the version is hidden or not made of numbers.
    pub number: Vec<u32>,
    /// The whole text ("privacyIDEA 3.14").
    pub text: String,
}

impl Server {
    /// From the fields `version` and, where present, `versionnumber`.
    pub fn from_fields(version: &str, number: Option<&str>) -> Self {
        let (name, tail) = version.split_once(' ').unwrap_or((version, ""));
        let product = match name.to_ascii_lowercase().as_str() {
            "privacyidea" => Product::PrivacyIdea,
            "edumfa" => Product::EduMfa,
            _ => Product::Other(name.to_owned()),
        };
        // "3.14dev1" counts as 3.14.
        let mut numbers = Vec::new();
        for part in number.unwrap_or(tail).split('.').take(4) {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            let Ok(value) = digits.parse() else { break };
            numbers.push(value);
            if digits.len() < part.len() {
                break;
            }
        }
        Self { product, number: numbers, text: version.to_owned() }
    }

    /// Whether it is privacyIDEA of at least this version. `None` if that
    /// cannot be told.
    pub fn is_privacyidea_since(&self, major: u32, minor: u32) -> Option<bool> {
        match (&self.product, self.number.as_slice()) {
            (Product::PrivacyIdea, [have_major, rest @ ..]) => {
                Some((*have_major, rest.first().copied().unwrap_or(0)) >= (major, minor))
            }
            (Product::PrivacyIdea, []) => None,
            _ => Some(false),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let server = Server::from_fields("privacyIDEA 3.14", Some("3.14"));
        assert_eq!((&server.product, server.number.as_slice()), (&Product::PrivacyIdea, &[3, 14][..]));
        assert_eq!(server.is_privacyidea_since(3, 13), Some(true));
        assert_eq!(server.is_privacyidea_since(3, 15), Some(false));
        assert_eq!(server.is_privacyidea_since(4, 0), Some(false));
        let server = Server::from_fields("eduMFA 2.9.5", None);
        assert_eq!((&server.product, server.number.as_slice()), (&Product::EduMfa, &[2, 9, 5][..]));
        assert_eq!(server.is_privacyidea_since(1, 0), Some(false));
        assert_eq!(Server::from_fields("privacyIDEA", None).is_privacyidea_since(3, 0), None);
        assert_eq!(Server::from_fields("privacyIDEA 3.14dev1", None).number, [3, 14]);
        assert_eq!(Server::from_fields("x 99999999999.1", None).number, Vec::<u32>::new());
    }
}
