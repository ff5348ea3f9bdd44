//! Who the client is to the server, and for how long.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clock::Skew;
use crate::envelope::{Envelope, Json, Malformed};
use crate::error::Error;
use crate::jwt::{self, Claims};
use crate::secret::SecretString;
use crate::text::DisplayText;

/// A login is renewed this long before it ends, or after nine tenths of its
/// life if that is later: the policy `jwt_validity` allows lives of seconds.
const RENEW_AHEAD: Duration = Duration::from_secs(60);

/// How the client proves who it is.
pub struct Credentials(pub(crate) Kind);

pub(crate) enum Kind {
    Password { username: String, realm: Option<String>, password: SecretString },
    ApiKey(Arc<SecretString>),
}

impl Credentials {
    /// Name and password of a local administrator. The login is renewed
    /// whenever it ends.
    pub fn password(username: impl Into<String>, password: SecretString) -> Self {
        Self(Kind::Password { username: username.into(), realm: None, password })
    }

    /// Name and password of a member of a realm of administrators.
    pub fn password_in_realm(
        username: impl Into<String>,
        realm: impl Into<String>,
        password: SecretString,
    ) -> Self {
        Self(Kind::Password { username: username.into(), realm: Some(realm.into()), password })
    }

    /// A long-lived key (`pi-manage api createtoken -r admin`). It cannot be
    /// renewed, and its rights are not in it.
    pub fn api_key(key: SecretString) -> Self {
        Self(Kind::ApiKey(Arc::new(key)))
    }
}

/// The two kinds of login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authority {
    /// By name and password, an hour long unless a policy says otherwise.
    Password,
    /// By a long-lived key.
    ApiKey,
}

/// What the login may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    /// The login answer listed them.
    Known(BTreeSet<String>),
    /// A long-lived key: only trying tells.
    Unknown,
}

impl Rights {
    /// Whether a right (`enrollHOTP`, `tokenlist` …) is there; `None` if that
    /// cannot be known.
    pub fn allow(&self, right: &str) -> Option<bool> {
        match self {
            Self::Known(rights) => Some(rights.contains(right)),
            Self::Unknown => None,
        }
    }

    /// Those of `wanted` that are certainly missing.
    pub fn missing<'a>(&self, wanted: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        wanted.into_iter().filter(|right| self.allow(right) == Some(false)).collect()
    }
}

/// A login as it was when it began. The token itself is not in here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The name.
    pub username: String,
    /// Its realm; empty for local administrators.
    pub realm: String,
    /// Always `admin`: other roles are refused.
    pub role: String,
    /// How the client logged in.
    pub authority: Authority,
    /// What it may do.
    pub rights: Rights,
    /// When it ends, in Unix seconds **on the server's clock**.
    pub until: Option<u64>,
    /// How far the server's clock was ahead at the login. An API key is used
    /// without a login, so it has none here; see `Client::skew`.
    pub skew: Option<Skew>,
    /// When it ends on the client's steady clock ([`crate::Clock::steady`]).
    pub ends: Option<Duration>,
}

/// A session with its token.
pub(crate) struct Lease {
    pub(crate) number: u64,
    pub(crate) token: Arc<SecretString>,
    /// When to log in again, on the steady clock.
    pub(crate) due: Option<Duration>,
    pub(crate) session: Arc<Session>,
}

/// When a login was asked for and answered.
pub(crate) struct Moment {
    /// Steady time before the request.
    pub(crate) before: Duration,
    /// Wall time after the answer.
    pub(crate) wall: SystemTime,
    pub(crate) skew: Option<Skew>,
}

/// What a login answer gives: a lease or a reason against it.
pub(crate) fn lease_from_login(
    envelope: &Envelope<'_>,
    number: u64,
    at: &Moment,
) -> Result<Result<Lease, Error>, Malformed> {
    #[derive(serde::Deserialize)]
    struct Value<'a> {
        #[serde(borrow)]
        token: Option<Json<'a>>,
        #[serde(borrow)]
        role: Option<Json<'a>>,
        #[serde(borrow)]
        username: Option<Json<'a>>,
        #[serde(borrow)]
        realm: Option<Json<'a>>,
        #[serde(borrow)]
        rights: Option<Json<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Detail<'a> {
        #[serde(borrow)]
        message: Option<Json<'a>>,
    }

    let value = envelope.value().ok_or(Malformed::Shape)?;
    let value = if value.is_object() { Some(value.read::<Value<'_>>()?) } else { None };
    let Some((value, token)) = value.and_then(|v| v.token.map(|token| (v, token))) else {
        // A second factor is asked for with `value` false or without a token.
        let detail = envelope.detail.and_then(|d| d.read::<Detail<'_>>().ok());
        let message: String = detail.and_then(|d| d.message).and_then(Json::ok).unwrap_or_default();
        return Ok(Err(Error::SecondFactor { message: DisplayText::from_foreign(&message) }));
    };
    let token = token.secret()?;
    let claims = match jwt::claims(token.reveal().as_bytes()) {
        Ok(claims) => claims,
        Err(bad) => return Ok(Err(bad.into())),
    };
    let Some(role) = value.role.and_then(Json::ok).or(claims.role) else { return Err(Malformed::Shape) };
    if role != "admin" {
        return Ok(Err(Error::NotAdmin { role: DisplayText::from_foreign(&role).as_str().to_owned() }));
    }
    let rights = value.rights.and_then(Json::ok::<Vec<String>>).or(claims.rights);
    let ends = claims
        .exp
        .and_then(|exp| life(exp, envelope.time, at.wall))
        .map(|life| at.before.saturating_add(life));
    Ok(Ok(Lease {
        number,
        due: ends.map(|end| renewal(at.before, end)),
        token: Arc::new(token),
        session: Arc::new(Session {
            username: value.username.and_then(Json::ok).or(claims.username).unwrap_or_default(),
            realm: value.realm.and_then(Json::ok).or(claims.realm).unwrap_or_default(),
            role,
            authority: Authority::Password,
            rights: rights.map_or(Rights::Unknown, |r| Rights::Known(r.into_iter().collect())),
            until: claims.exp,
            skew: at.skew,
            ends,
        }),
    }))
}

/// The session of a long-lived key, from what the key says.
pub(crate) fn lease_from_key(key: &Arc<SecretString>, number: u64, at: &Moment) -> Result<Lease, Error> {
    let claims: Claims = jwt::claims(key.reveal().as_bytes())?;
    let role = claims.role.unwrap_or_default();
    if role != "admin" {
        return Err(Error::NotAdmin { role: DisplayText::from_foreign(&role).as_str().to_owned() });
    }
    // Without a word from the server yet, a clock that is wrong may make the
    // end wrong; the server has the last word with its code 4305.
    let ends = at.skew.zip(claims.exp).and_then(|(skew, exp)| left(exp, skew, at.wall));
    Ok(Lease {
        number,
        token: Arc::clone(key),
        due: None,
        session: Arc::new(Session {
            username: claims.username.unwrap_or_default(),
            realm: claims.realm.unwrap_or_default(),
            role,
            authority: Authority::ApiKey,
            rights: claims.rights.map_or(Rights::Unknown, |r| Rights::Known(r.into_iter().collect())),
            until: claims.exp,
            skew: at.skew,
            ends: ends.map(|life| at.before.saturating_add(life)),
        }),
    })
}

/// How long until `exp`, by our wall clock and what is known of the server's.
pub(crate) fn left(exp: u64, skew: Skew, ours: SystemTime) -> Option<Duration> {
    let ours = ours.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs_f64();
    let left = exp as f64 - (ours + skew.server_ahead_ms as f64 / 1000.0);
    Duration::try_from_secs_f64(left.max(0.0)).ok()
}

/// How long until `exp`, by the server's time if it gave one.
fn life(exp: u64, server: Option<f64>, ours: SystemTime) -> Option<Duration> {
    let now = match server {
        Some(time) => time,
        None => ours.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs_f64(),
    };
    Duration::try_from_secs_f64(exp as f64 - now).ok().filter(|life| !life.is_zero())
}

fn renewal(begin: Duration, end: Duration) -> Duration {
    end.saturating_sub(RENEW_AHEAD.min(end.saturating_sub(begin) / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_that_are_missing() {
        let known = Rights::Known(["enrollHOTP".to_owned()].into());
        assert_eq!(known.missing(["enrollHOTP", "tokenlist"]), ["tokenlist"]);
        assert_eq!(Rights::Unknown.missing(["enrollHOTP", "tokenlist"]), Vec::<&str>::new());
        assert_eq!(Rights::Unknown.allow("delete"), None);
    }

    #[test]
    fn short_lives_are_renewed_late() {
        let s = Duration::from_secs;
        assert_eq!(renewal(s(100), s(3_700)), s(3_640));
        assert_eq!(renewal(s(100), s(104)), Duration::from_millis(103_600));
    }

    #[test]
    fn the_servers_clock_counts() {
        let ours = SystemTime::UNIX_EPOCH;
        assert_eq!(life(5_000, Some(1_400.0), ours), Some(Duration::from_secs(3_600)));
        assert_eq!(life(5_000, None, ours), Some(Duration::from_secs(5_000)));
        assert_eq!(life(5_000, Some(5_000.0), ours), None);
        assert_eq!(life(5_000, Some(9_000.0), ours), None);
        assert!(life(u64::MAX, Some(1.0), ours).is_none_or(|life| life > Duration::from_secs(1 << 60)));
    }
}
