//! What can go wrong, sorted by what a caller must do about it.

use std::time::{Duration, SystemTime};

use thiserror::Error;

use crate::envelope::Malformed;
use crate::http::{Lost, NotSent, TransportError};
use crate::jwt::BadToken;
use crate::text::DisplayText;

/// Why a call did not succeed.
///
/// Ask [`Error::outcome`] first: it says whether anything may have changed.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter that the server would misunderstand, silently change or
    /// answer with a fault of its own. Nothing was sent.
    #[error("the request was not made: {0}")]
    Invalid(#[from] Invalid),
    /// The request did not leave this machine.
    #[error("the request was not sent: {0}")]
    NotSent(NotSent),
    /// The request left, a whole answer did not come.
    #[error("the request was sent, but no complete answer came: {0}")]
    Lost(Lost),
    /// An answer came that is none of the server's.
    #[error("the answer (HTTP {status}) cannot be understood: {fault}")]
    Garbled {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        fault: Malformed,
        /// How long to wait, if the answer said so.
        retry_after: Option<Duration>,
    },
    /// The answer sends on to another address, which is not followed: whoever is there would get what was sent.
    #[error("the address sends on (HTTP {status}) to {to}; if that is the server, give it as url")]
    Redirected {
        /// The HTTP status.
        status: u16,
        /// Where to.
        to: DisplayText,
    },
    /// The server has not got the header with the login, though it was sent.
    #[error(
        "the login did not reach the server: what stands in front of it takes the header Authorization away; have it pass on (Apache: WSGIPassAuthorization On)"
    )]
    AuthorizationDropped,
    /// The server answered with an error of its own.
    #[error("{0}")]
    Server(ServerError),
    /// The login before the call failed; the call itself was not made.
    #[error("no login: {0}")]
    Login(Box<Error>),
    /// The server refused the present password before, so it was not sent again: wrong logins lock
    /// accounts. See [`Client::try_login_again`](crate::Client::try_login_again).
    #[error("no login, and the password was not sent again: {cause}")]
    Held {
        /// When the server refused it.
        since: SystemTime,
        /// What it said.
        cause: Box<Error>,
    },
    /// The login worked, but for somebody who is no administrator.
    #[error("the account is not an administrator's, its role is {role:?}")]
    NotAdmin {
        /// The role that the server told.
        role: String,
    },
    /// The server answered the login with a challenge or withheld the token: it
    /// wants more than a password of this account.
    #[error("the server wants more than a password for this account: {message}")]
    SecondFactor {
        /// The server's message, to show.
        message: DisplayText,
    },
    /// The token that a login returned, or the API key given, cannot be read.
    #[error("the login token cannot be used: {0}")]
    Token(#[from] BadToken),
}

/// An error that the server reported in its own form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the server says no (HTTP {status}, code {}): {message}", code.number())]
pub struct ServerError {
    /// The HTTP status.
    pub status: u16,
    /// The code, to decide by.
    pub code: ServerCode,
    /// The message, to show.
    pub message: DisplayText,
    /// How long to wait, if the answer said so (429, 503).
    pub retry_after: Option<Duration>,
}

/// The server's error codes that were seen and that mean something to a
/// client. The number decides, together with the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerCode {
    /// 301: the serial belongs to a token of another type or another user.
    TypeOrOwner,
    /// 303: a policy forbids it.
    Forbidden,
    /// 344: the server insists on two-step enrollment.
    TwoStepForced,
    /// 404 (with HTTP 400): an enrollment error, such as an AES key of the
    /// wrong length or a container that exists.
    Enrollment,
    /// 601 (with HTTP 404): there is no such token.
    NotFound,
    /// 707: the hardware security module is not ready.
    HsmNotReady,
    /// 904: there is no such user or realm.
    UnknownUser,
    /// 905: a parameter is missing or wrong, or the step is out of order.
    Parameter,
    /// 1007: the token is revoked or locked.
    Revoked,
    /// 1103: the token is assigned already, be it to the same user.
    AlreadyAssigned,
    /// 4031: wrong name or password.
    WrongCredentials,
    /// 4033: the request carried no token.
    NoToken,
    /// 4304: the token is foreign, damaged, or of a server with a new secret.
    BadToken,
    /// 4305: the token has expired.
    TokenExpired,
    /// −500: the server's own fault, or a parameter it cannot digest.
    Internal,
    /// Any other number.
    Other(i64),
}

impl ServerCode {
    const KNOWN: [(Self, i64); 15] = [
        (Self::TypeOrOwner, 301),
        (Self::Forbidden, 303),
        (Self::TwoStepForced, 344),
        (Self::Enrollment, 404),
        (Self::NotFound, 601),
        (Self::HsmNotReady, 707),
        (Self::UnknownUser, 904),
        (Self::Parameter, 905),
        (Self::Revoked, 1007),
        (Self::AlreadyAssigned, 1103),
        (Self::WrongCredentials, 4031),
        (Self::NoToken, 4033),
        (Self::BadToken, 4304),
        (Self::TokenExpired, 4305),
        (Self::Internal, -500),
    ];

    /// The number on the wire.
    pub fn number(self) -> i64 {
        match self {
            Self::Other(number) => number,
            known => Self::KNOWN.iter().find(|(code, _)| *code == known).map_or(0, |(_, number)| *number),
        }
    }
}

impl From<i64> for ServerCode {
    fn from(number: i64) -> Self {
        Self::KNOWN.iter().find(|(_, n)| *n == number).map_or(Self::Other(number), |(code, _)| *code)
    }
}

/// What is known about the effect of a call that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The server did not see the request. It may be repeated as it is.
    NotSent,
    /// The server saw it and declined. Repeating it will not help.
    Refused,
    /// The server may have acted. Look at what it has before repeating.
    Unknown,
}

impl Error {
    /// Whether anything may have changed.
    ///
    /// An error reported under HTTP 5xx counts as unknown: an exception on the
    /// server can come after the change was stored. So does any answer that is
    /// not the server's, unless its status says that the request was turned
    /// away unread.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Invalid(_) | Self::NotSent(_) | Self::Token(_) => Outcome::NotSent,
            Self::Lost(_) => Outcome::Unknown,
            Self::Server(error) if error.status >= 500 || error.status < 400 => Outcome::Unknown,
            Self::Server(_)
            | Self::NotAdmin { .. }
            | Self::SecondFactor { .. }
            | Self::Held { .. }
            | Self::Redirected { .. }
            | Self::AuthorizationDropped => Outcome::Refused,
            // 408 and 499 are said after a request was partly taken in.
            Self::Garbled { status: 400..=407 | 409..=498, .. } => Outcome::Refused,
            Self::Garbled { .. } => Outcome::Unknown,
            Self::Login(cause) => match cause.outcome() {
                Outcome::Refused => Outcome::Refused,
                Outcome::NotSent | Outcome::Unknown => Outcome::NotSent,
            },
        }
    }

    /// The server's code, if it reported one.
    pub fn code(&self) -> Option<ServerCode> {
        match self {
            Self::Server(error) => Some(error.code),
            Self::Login(cause) | Self::Held { cause, .. } => cause.code(),
            _ => None,
        }
    }

    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Server(ServerError { status, .. })
            | Self::Garbled { status, .. }
            | Self::Redirected { status, .. } => Some(*status),
            // Of a password that was held back the server has said nothing now.
            Self::Login(cause) => cause.status(),
            _ => None,
        }
    }

    /// How long the server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Server(ServerError { retry_after, .. }) | Self::Garbled { retry_after, .. } => *retry_after,
            Self::Login(cause) => cause.retry_after(),
            _ => None,
        }
    }

    /// Whether the same call may work later without anybody doing anything
    /// about it. This says nothing about whether it may be repeated: see
    /// [`Error::outcome`].
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotSent(why) => !matches!(why, NotSent::Tls(_) | NotSent::Request(_)),
            Self::Lost(why) => !matches!(why, Lost::TooLong),
            Self::Login(cause) => cause.is_transient(),
            Self::Server(ServerError { code: ServerCode::HsmNotReady, .. }) => true,
            _ => matches!(self.status(), Some(408 | 425 | 429 | 502..=504)),
        }
    }

    /// Whether a login ended so by the server's own decision, which the same password will not change.
    pub(crate) fn is_definite(&self) -> bool {
        match self {
            Self::Server(error) => {
                (400..500).contains(&error.status) && !matches!(error.status, 408 | 425 | 429)
            }
            Self::NotAdmin { .. } | Self::SecondFactor { .. } => true,
            _ => false,
        }
    }

    /// Whether the server does not have this call at all: its answer is "not
    /// found" or "not allowed", and not in its own form. Older servers have no
    /// containers.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Garbled { status: 404 | 405, .. })
    }

    /// Drops the server's message if it repeats one of `secrets`.
    pub(crate) fn without<'a>(mut self, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        if let Self::Server(error) = &mut self {
            for secret in secrets {
                error.message = std::mem::take(&mut error.message).without(secret);
            }
        }
        self
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::NotSent(why) => Self::NotSent(why),
            TransportError::Unknown(why) => Self::Lost(why),
        }
    }
}

/// A parameter that is refused before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Invalid {
    /// Outside the server's rule `^[0-9a-zA-Z\-_]+$`, or longer than the 40
    /// characters of its column.
    #[error("a serial has 1 to 40 letters, digits, '-' and '_'")]
    Serial,
    /// The server would cut it at 80 characters without a word.
    #[error("a description has at most 80 characters and no control characters")]
    Description,
    /// A name of a token type, a container or a tokeninfo key that could not be told from syntax.
    #[error("the name of {0} has characters that it cannot have, or too many")]
    Name(&'static str),
    /// A user without a name, or an empty value where one is needed.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Two parameters of which the server would silently prefer one.
    #[error("{0} and {1} exclude each other")]
    Both(&'static str, &'static str),
    /// A seed of a length that the server accepts but cannot use, or refuses.
    #[error("the seed has {got} bytes, {wanted}")]
    SeedLength {
        /// How many there are.
        got: usize,
        /// How many are right, in words.
        wanted: &'static str,
    },
    /// A number outside of what the server can use.
    #[error("{0} is out of range")]
    Range(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(status: u16, code: i64) -> Error {
        Error::Server(ServerError {
            status,
            code: code.into(),
            message: DisplayText::default(),
            retry_after: None,
        })
    }

    #[test]
    fn codes_there_and_back() {
        for number in [301, 303, 344, 404, 601, 707, 904, 905, 1007, 1103, 4031, 4033, 4304, 4305, -500, 17] {
            assert_eq!(ServerCode::from(number).number(), number);
        }
        assert_eq!(ServerCode::from(4305), ServerCode::TokenExpired);
        assert_eq!(ServerCode::from(5), ServerCode::Other(5));
    }

    #[test]
    fn what_may_have_happened() {
        let garbled = |status| Error::Garbled { status, fault: Malformed::Html, retry_after: None };
        assert_eq!(server(403, 303).outcome(), Outcome::Refused);
        assert_eq!(server(500, -500).outcome(), Outcome::Unknown);
        assert_eq!(server(503, -503).outcome(), Outcome::Unknown);
        assert_eq!(garbled(200).outcome(), Outcome::Unknown);
        assert_eq!(garbled(502).outcome(), Outcome::Unknown);
        assert_eq!(garbled(408).outcome(), Outcome::Unknown);
        assert_eq!(garbled(404).outcome(), Outcome::Refused);
        assert_eq!(garbled(429).outcome(), Outcome::Refused);
        assert_eq!(Error::Lost(Lost::Timeout).outcome(), Outcome::Unknown);
        assert_eq!(Error::NotSent(NotSent::Refused).outcome(), Outcome::NotSent);
        assert_eq!(Error::Invalid(Invalid::Serial).outcome(), Outcome::NotSent);
    }

    #[test]
    fn a_call_whose_login_was_lost_was_not_made() {
        assert_eq!(Error::Login(Box::new(Error::Lost(Lost::Closed))).outcome(), Outcome::NotSent);
        let wrong = Error::Login(Box::new(server(401, 4031)));
        assert_eq!(wrong.outcome(), Outcome::Refused);
        assert_eq!(wrong.code(), Some(ServerCode::WrongCredentials));
        assert!(!wrong.is_transient());
    }
}
