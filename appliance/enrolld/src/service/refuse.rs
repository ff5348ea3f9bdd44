//! The station's refusals in the words of the control interface.

use control::Refusal as Told;
use privacyidea::Error;
use station::catalogue::Language;
use station::refusal::{Code, Refusal};

/// A refusal as it is told to shells, in English.
pub fn told(refusal: &Refusal) -> Told {
    let text = refusal.code.text(Language::English);
    Told {
        code: refusal.code.to_string(),
        title: text.title.to_owned(),
        cause: text.cause.to_owned(),
        remedy: text.remedy.to_owned(),
        detail: refusal.detail.clone(),
    }
}

/// A refusal by its code.
pub(super) fn no(code: Code, detail: impl Into<String>) -> Told {
    told(&Refusal::new(code, detail.into()))
}

/// What the server said no to.
pub(super) fn of_server(error: &Error) -> Told {
    let fault = dispatch::server::fault(error);
    let code = match fault.code() {
        // Without an enrollment the token did not vanish: it was never there.
        Code::TokenVanished => Code::TokenUnknown,
        code => code,
    };
    no(code, fault.detail())
}
