//! What a privacyIDEA login token says about itself.
//!
//! The signature is the server's business and is not looked at: the claims only
//! tell when to log in again and what to expect. The bytes are treated as hostile.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// A token with every right has 4.4 KB. Nothing sensible has more than this.
pub const LONGEST: usize = 64 * 1024;

/// The readable part of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// When it ends, in Unix seconds on the server's clock.
    pub exp: Option<u64>,
    /// `admin`, `user` or, for a key to `/validate`, `validate`.
    pub role: Option<String>,
    /// The name it was issued for.
    pub username: Option<String>,
    /// The realm of that name; empty for local administrators.
    pub realm: Option<String>,
    /// Whether it is a long-lived key (`authtype` is `API`).
    pub api_key: bool,
    /// The rights it lists. A long-lived key lists none (its claim is a text,
    /// not a list), which does not mean that it has none.
    pub rights: Option<Vec<String>>,
}

/// Why a token cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadToken {
    /// It is empty or longer than [`LONGEST`].
    #[error("a token of this length is none")]
    Length,
    /// It is not three parts of base64url with points between.
    #[error("it is not three parts of base64url with points between")]
    Form,
    /// The middle part is not a JSON object with claims.
    #[error("its middle part is not a JSON object with claims")]
    Payload,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    exp: Option<&'a RawValue>,
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow)]
    username: Option<&'a RawValue>,
    #[serde(borrow)]
    realm: Option<&'a RawValue>,
    #[serde(borrow)]
    authtype: Option<&'a RawValue>,
    #[serde(borrow)]
    rights: Option<&'a RawValue>,
}

/// Reads the claims of a token (RFC 7519, compact form). Claims of an
/// unexpected type are left out rather than refused.
pub fn claims(token: &[u8]) -> Result<Claims, BadToken> {
    if token.is_empty() || token.len() > LONGEST {
        return Err(BadToken::Length);
    }
    let mut parts = token.split(|&b| b == b'.');
    let (Some(head), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(BadToken::Form);
    };
    for part in [head, signature] {
        if part.is_empty() || !part.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            return Err(BadToken::Form);
        }
    }
    let json = Zeroizing::new(BASE64URL_NOPAD.decode(payload).map_err(|_| BadToken::Form)?);
    // A struct is read from an array, too; a payload must be an object.
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(BadToken::Payload);
    }
    let wire: Wire<'_> = serde_json::from_slice(&json).map_err(|_| BadToken::Payload)?;
    Ok(Claims {
        exp: wire.exp.and_then(seconds),
        role: wire.role.and_then(read),
        username: wire.username.and_then(read),
        realm: wire.realm.and_then(read),
        api_key: wire.authtype.and_then(read).is_some_and(|t: String| t == "API"),
        rights: wire.rights.and_then(read),
    })
}

fn read<T: serde::de::DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// NumericDate may have a fraction (RFC 7519, section 2); it is rounded down.
fn seconds(raw: &RawValue) -> Option<u64> {
    let value: f64 = read(raw)?;
    // 2^53: the last second that a float can still tell from the next.
    (0.0..9_007_199_254_740_992.0).contains(&value).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(payload: &str) -> Vec<u8> {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", BASE64URL_NOPAD.encode(payload.as_bytes())).into_bytes()
    }

    #[test]
    fn a_login_token() {
        let read = claims(&token(
            r#"{"username":"admin","realm":"","nonce":"00","role":"admin","authtype":"password",
               "exp":1795282695.78,"rights":["enable","enrollHOTP"]}"#,
        ))
        .unwrap();
        assert_eq!(read.exp, Some(1_795_282_695));
        assert_eq!(read.role.as_deref(), Some("admin"));
        assert!(!read.api_key);
        assert_eq!(read.rights.unwrap(), ["enable", "enrollHOTP"]);
    }

    #[test]
    fn a_long_lived_key_has_a_text_for_rights() {
        let read = claims(&token(r#"{"role":"admin","authtype":"API","exp":1,"rights":"TODO"}"#)).unwrap();
        assert!(read.api_key);
        assert_eq!(read.rights, None);
    }

    #[test]
    fn odd_expiries_are_none() {
        for exp in ["-1", "1e300", "\"soon\"", "null", "[]", "1e999"] {
            let read = claims(&token(&format!(r#"{{"exp":{exp}}}"#)));
            assert_eq!(read.ok().and_then(|c| c.exp), None, "{exp}");
        }
    }

    #[test]
    fn what_is_no_token() {
        for bad in ["", "a.b", "a..c", "a.e30.c.d", "a.e30=.c", "a.e30.", ".e30.c", "a b.e30.c"] {
            assert!(claims(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(claims(&token("[]")), Err(BadToken::Payload));
        assert_eq!(claims(&vec![b'a'; LONGEST + 1]), Err(BadToken::Length));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let _ = claims(&bytes);
        }

        #[test]
        fn no_payload_panics(payload in any::<String>()) {
            let _ = claims(&token(&payload));
        }
    }
}
