//! `POST /validate/check`: does this OTP count?

use serde::Deserialize;

use crate::body::Object;
use crate::call::Call;
use crate::calls::init::owner_fields;
use crate::client::Client;
use crate::envelope::{Envelope, Json, Malformed};
use crate::error::Error;
use crate::http::Transport;
use crate::names::{Serial, User};
use crate::secret::SecretString;
use crate::text::DisplayText;

/// What is checked.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// One token.
    Serial(&'a Serial),
    /// All tokens of a user.
    User(&'a User),
}

/// The server's verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether it was accepted: the one thing to decide by.
    pub accepted: bool,
    /// Why, for showing. Translated, and different between versions.
    pub message: DisplayText,
    /// The token that matched.
    pub serial: Option<String>,
}

impl Verdict {
    fn from_envelope(envelope: &Envelope<'_>) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        struct Detail<'a> {
            #[serde(borrow)]
            message: Option<Json<'a>>,
            #[serde(borrow)]
            serial: Option<Json<'a>>,
        }
        let accepted = envelope.read()?;
        let detail: Option<Detail<'_>> = envelope.detail.and_then(|d| d.read().ok());
        let (message, serial) = detail.map_or((None, None), |d| (d.message, d.serial));
        Ok(Self {
            accepted,
            message: DisplayText::from_foreign(&message.and_then(Json::ok::<String>).unwrap_or_default()),
            serial: serial.and_then(Json::ok),
        })
    }
}

impl<T: Transport> Client<T> {
    /// Checks an OTP, and **uses it up** when it is right. Wrong ones count: ten lock the token.
    ///
    /// With a PIN, pass PIN and OTP in one text. No login is needed unless the
    /// policy `api_key_required` is set; see [`Client::with_validate_key`].
    pub async fn check(&self, whose: Whose<'_>, pin_and_otp: &SecretString) -> Result<Verdict, Error> {
        self.validate(whose, pin_and_otp, false).await
    }

    /// Checks an OTP without its PIN.
    pub async fn check_otp_only(&self, whose: Whose<'_>, otp: &SecretString) -> Result<Verdict, Error> {
        self.validate(whose, otp, true).await
    }

    async fn validate(
        &self,
        whose: Whose<'_>,
        pass: &SecretString,
        otp_only: bool,
    ) -> Result<Verdict, Error> {
        let mut body = match whose {
            Whose::Serial(serial) => Object::new().text("serial", serial.as_str()),
            Whose::User(user) => {
                user.check()?;
                owner_fields(Object::new(), user)
            }
        };
        body = body.text("pass", pass.reveal());
        if otp_only {
            body = body.number("otponly", 1);
        }
        let call = Call::post("/validate/check", &[], body).with_validate_key();
        let answer = self.call(call, Verdict::from_envelope).await;
        answer.map_err(|error| error.without([pass.reveal()]))
    }
}
