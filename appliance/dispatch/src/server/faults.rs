//! What an error of the client means to the engine.

use std::time::{Duration, SystemTime};

use privacyidea::{Error, NotSent, Outcome, ServerCode, TlsFault};
use station::engine::server::ServerFault;
use station::refusal::Code;

use super::LOGIN_AGAIN;
/// What an error means to the engine.
pub fn fault(error: &Error) -> ServerFault {
    let code = code(error);
    let detail = error.to_string();
    if error.status() == Some(429) {
        let after = error.retry_after().unwrap_or(Duration::from_secs(1));
        return ServerFault::Later { code, after };
    }
    match error.outcome() {
        Outcome::NotSent => ServerFault::NotSent { code, detail },
        Outcome::Refused => ServerFault::Refused { code, detail: words(error).unwrap_or(detail) },
        Outcome::Unknown => ServerFault::Unknown { code, detail, after: error.retry_after() },
    }
}

/// What a fault means to a call that only looks: a lost answer leaves nothing open.
pub(super) fn looking(fault: ServerFault) -> ServerFault {
    match fault {
        ServerFault::Unknown { code: Code::OutcomeUnknown, detail, after } => {
            ServerFault::Unknown { code: Code::ServerUnreachable, detail, after }
        }
        fault => fault,
    }
}

/// Hour and minute, in the zone that the station is set to.
fn time_of_day(at: SystemTime) -> String {
    let unix = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    crate::receipts::stamp(unix).to_string().get(11..16).unwrap_or_default().to_owned()
}

/// The server's own words, where it had some.
fn words(error: &Error) -> Option<String> {
    match error {
        Error::Server(error) => Some(error.message.to_string()),
        Error::Login(cause) => words(cause),
        Error::Held { since, cause } => Some(format!(
            "refused at {}: {}; an order to enroll tries it again from {} on",
            time_of_day(*since),
            words(cause).unwrap_or_else(|| cause.to_string()),
            time_of_day(*since + LOGIN_AGAIN)
        )),
        _ => None,
    }
}

fn code(error: &Error) -> Code {
    match error {
        // A login that was lost midway has changed nothing: it is as if the server were away.
        Error::Login(cause) => match code(cause) {
            Code::OutcomeUnknown => Code::ServerUnreachable,
            code => code,
        },
        Error::NotSent(NotSent::Tls(fault)) => tls(fault),
        Error::NotSent(_) => Code::ServerUnreachable,
        Error::Lost(_) => Code::OutcomeUnknown,
        Error::NotAdmin { .. } => Code::NotAnAdministrator,
        Error::SecondFactor { .. } => Code::WrongCredentials,
        Error::Token(_) => Code::SessionRefused,
        Error::Held { .. } => Code::PasswordHeld,
        Error::Garbled { status, .. } | Error::Server(privacyidea::ServerError { status, .. })
            if matches!(status, 429 | 503) =>
        {
            Code::ServerBusy
        }
        Error::Garbled { .. } | Error::Redirected { .. } => Code::AnswerUnreadable,
        Error::AuthorizationDropped => Code::SessionRefused,
        // Whatever number comes with it, it is not about the token.
        Error::Server(error) if error.status >= 500 => Code::ServerFault,
        Error::Server(error) => server_code(error.code),
        _ => Code::Internal,
    }
}

fn server_code(code: ServerCode) -> Code {
    match code {
        ServerCode::WrongCredentials => Code::WrongCredentials,
        ServerCode::NoToken | ServerCode::BadToken | ServerCode::TokenExpired => Code::SessionRefused,
        // Two steps are forced by a policy, too; this station enrolls in one.
        ServerCode::Forbidden | ServerCode::TwoStepForced => Code::PolicyForbids,
        ServerCode::TypeOrOwner | ServerCode::Revoked => Code::SerialTaken,
        ServerCode::UnknownUser => Code::PersonUnknown,
        ServerCode::NotFound => Code::TokenVanished,
        ServerCode::Internal | ServerCode::HsmNotReady => Code::ServerFault,
        _ => Code::RegistrationRefused,
    }
}

fn tls(fault: &TlsFault) -> Code {
    match fault {
        TlsFault::Untrusted
        | TlsFault::ServesAuthority(_)
        | TlsFault::SelfSigned(_)
        | TlsFault::IssuerNotShown(_) => Code::CertificateUntrusted,
        // Whose time is a guess cannot tell whether it has.
        TlsFault::Expired if !crate::clock::is_known() => Code::ClockWrong,
        TlsFault::Expired => Code::CertificateExpired,
        TlsFault::WrongName => Code::CertificateWrongHost,
        TlsFault::NotYetValid => Code::ClockWrong,
        TlsFault::PinMismatch => Code::PinMismatch,
        _ => Code::TlsFailed,
    }
}

#[cfg(test)]
mod tests {
    use privacyidea::{DisplayText, ServerError};

    use super::*;

    #[test]
    fn a_password_that_was_held_back_is_told_apart_from_one_that_was_refused() {
        let no = Error::Server(ServerError {
            status: 401,
            code: ServerCode::WrongCredentials,
            message: DisplayText::from_foreign("Wrong credentials"),
            retry_after: None,
        });
        let refused = fault(&Error::Login(Box::new(no.clone())));
        assert_eq!(
            (refused.code(), refused.detail()),
            (Code::WrongCredentials, "Wrong credentials".to_owned())
        );
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200);
        let held = fault(&Error::Held { since, cause: Box::new(no) });
        assert_eq!(held.code(), Code::PasswordHeld);
        let (then, later) = (time_of_day(since), time_of_day(since + LOGIN_AGAIN));
        let told = format!(
            "refused at {then}: Wrong credentials; an order to enroll tries it again from {later} on"
        );
        assert_eq!(held.detail(), told);
        assert!(matches!(held, ServerFault::Refused { .. }));
    }
}
