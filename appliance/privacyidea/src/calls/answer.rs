//! What `/token/init` answers.

use crate::calls::uri::OtpUri;
use crate::envelope::{self, Envelope, Json, Malformed};
use crate::secret::{SecretBytes, SecretString, same_bytes};
use crate::text::DisplayText;

/// Where a token stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rollout {
    /// Finished: `enrolled` from 3.14 on, empty or absent before and for some types.
    Done,
    /// It waits for the client's part (two-step).
    ClientWait,
    /// It waits for a valid OTP.
    Verify,
    /// Any other state.
    Other(String),
}

impl Rollout {
    /// From the field `rollout_state`.
    pub fn from_field(state: Option<&str>) -> Self {
        match state.unwrap_or_default() {
            "" | "enrolled" => Self::Done,
            "clientwait" => Self::ClientWait,
            "verify" => Self::Verify,
            other => Self::Other(DisplayText::from_foreign(other).as_str().to_owned()),
        }
    }
}

/// What the server asks of the client in a two-step enrollment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TwoStepParameters {
    /// Bytes of the client's part.
    pub client_size: usize,
    /// Bytes of the derived seed.
    pub output_size: usize,
    /// Rounds of PBKDF2.
    pub rounds: u32,
}

/// What the server made of an [`Init`](crate::Init).
pub struct InitAnswer {
    /// The serial it has.
    pub serial: String,
    /// Where it stands.
    pub rollout: Rollout,
    /// The server's own statement of digits, hash and counter. The hash is left out
    /// where it is SHA-1; the counter is one too high.
    pub uri: Option<OtpUri>,
    /// What the client's part must be like; present only in step 1.
    pub two_step: Option<TwoStepParameters>,
    /// What to tell the person who shall enter an OTP; present only in state verify.
    pub verify_prompt: Option<DisplayText>,
    /// The code of a registration token.
    pub registration_code: Option<SecretString>,
    /// The container that it was put into. Absent when that did not work,
    /// although the answer is a success.
    pub container: Option<String>,
    seed: Option<SecretString>,
}

impl InitAnswer {
    /// Whether the server says that it stored this seed. `None` if it says
    /// nothing about the seed.
    pub fn seed_is(&self, sent: &[u8]) -> Option<bool> {
        self.seed.as_ref()?;
        Some(self.seed_bytes().is_some_and(|stored| same_bytes(stored.reveal(), sent)))
    }

    /// The seed that the server says it stored: in step 1 of a two-step
    /// enrollment its own part. `None` if there was none or it is not hex.
    pub fn seed_bytes(&self) -> Option<SecretBytes> {
        let text = self.seed.as_ref()?.reveal().as_bytes();
        let mut bytes = SecretBytes::with_capacity(text.len() / 2);
        if text.len() % 2 != 0 {
            return None;
        }
        for pair in text.chunks_exact(2) {
            let mut byte = 0;
            for &digit in pair {
                byte = byte * 16 + u8::try_from(char::from(digit).to_digit(16)?).ok()?;
            }
            bytes.append(&[byte]);
        }
        Some(bytes)
    }

    /// The seed as the server wrote it, without `seed://`: for type pw it is
    /// the password.
    pub fn seed_text(&self) -> Option<&SecretString> {
        self.seed.as_ref()
    }

    /// Reads the body of an answer, which must be a success.
    pub fn from_body(body: &[u8]) -> Result<Self, Malformed> {
        Self::from_envelope(&envelope::parse(body)?)
    }

    pub(crate) fn from_envelope(envelope: &Envelope<'_>) -> Result<Self, Malformed> {
        #[derive(serde::Deserialize)]
        struct Detail<'a> {
            serial: String,
            rollout_state: Option<String>,
            #[serde(borrow)]
            otpkey: Option<Json<'a>>,
            #[serde(borrow)]
            googleurl: Option<Json<'a>>,
            #[serde(borrow)]
            verify: Option<Json<'a>>,
            #[serde(borrow)]
            registrationcode: Option<Json<'a>>,
            container_serial: Option<String>,
            #[serde(rename = "2step_salt")]
            client_size: Option<usize>,
            #[serde(rename = "2step_output")]
            output_size: Option<usize>,
            #[serde(rename = "2step_difficulty")]
            rounds: Option<u32>,
        }
        #[derive(serde::Deserialize)]
        struct Value<'a> {
            #[serde(borrow)]
            value: Json<'a>,
        }
        #[derive(serde::Deserialize)]
        struct Prompt {
            message: String,
        }

        if !envelope.read::<bool>()? {
            return Err(Malformed::Shape);
        }
        let detail: Detail<'_> = envelope.detail.ok_or(Malformed::Shape)?.read()?;
        let secret = |json: Option<Json<'_>>| json.map(|j| j.read::<Value<'_>>()?.value.secret()).transpose();
        let seed = secret(detail.otpkey)?.map(|whole| {
            let bare = whole.reveal().strip_prefix("seed://").map(SecretString::copy_of);
            bare.unwrap_or(whole)
        });
        let uri = secret(detail.googleurl).ok().flatten();
        let two_step = match (detail.client_size, detail.output_size, detail.rounds) {
            (Some(client_size), Some(output_size), Some(rounds)) => {
                Some(TwoStepParameters { client_size, output_size, rounds })
            }
            _ => None,
        };
        let rollout = Rollout::from_field(detail.rollout_state.as_deref());
        let prompt =
            detail.verify.and_then(Json::ok::<Prompt>).map(|p| DisplayText::from_foreign(&p.message));
        Ok(Self {
            serial: detail.serial,
            uri: uri.and_then(|uri| OtpUri::parse(uri.reveal())),
            two_step,
            verify_prompt: prompt.or_else(|| (rollout == Rollout::Verify).then(DisplayText::default)),
            rollout,
            registration_code: detail.registrationcode.map(Json::secret).transpose()?,
            container: detail.container_serial.filter(|serial| !serial.is_empty()),
            seed,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_seed(seed: &str) -> InitAnswer {
        let body = format!(
            r#"{{"result":{{"status":true,"value":true}},"detail":{{"serial":"A","otpkey":{{"value":"{seed}"}}}}}}"#
        );
        InitAnswer::from_body(body.as_bytes()).unwrap()
    }

    #[test]
    fn seeds_in_every_form() {
        assert_eq!(with_seed("seed://0aFf").seed_is(&[0x0a, 0xff]), Some(true));
        assert_eq!(with_seed("0AFF").seed_is(&[0x0a, 0xff]), Some(true));
        assert_eq!(with_seed("seed://0aff").seed_is(&[0x0a]), Some(false));
        for odd in ["seed://0af", "seed://zz", "seed://+1", "seed://ää"] {
            assert!(with_seed(odd).seed_bytes().is_none(), "{odd}");
            assert_eq!(with_seed(odd).seed_is(&[1]), Some(false), "{odd}");
        }
        let silent = br#"{"result":{"status":true,"value":true},"detail":{"serial":"A"}}"#;
        assert_eq!(InitAnswer::from_body(silent).unwrap().seed_is(&[1]), None);
    }

    #[test]
    fn half_of_the_parameters_are_none() {
        let body = br#"{"result":{"status":true,"value":true},"detail":{"serial":"A","2step_salt":8}}"#;
        assert_eq!(InitAnswer::from_body(body).unwrap().two_step, None);
        let body = br#"{"result":{"status":true,"value":true},"detail":{"serial":"A","2step_salt":-8}}"#;
        assert_eq!(InitAnswer::from_body(body).err(), Some(Malformed::Shape));
    }

    #[test]
    fn an_error_is_no_answer_to_read() {
        let body = br#"{"result":{"status":false,"error":{"code":905,"message":""}}}"#;
        assert_eq!(InitAnswer::from_body(body).err(), Some(Malformed::Shape));
    }

    proptest! {
        #[test]
        fn no_detail_panics(
            name in "serial|rollout_state|otpkey|googleurl|verify|registrationcode|2step_salt",
            value in r#"(\{"value":)?[{}\[\]",:a-z0-9\\.-]{0,40}\}?"#,
        ) {
            let body = format!(
                r#"{{"result":{{"status":true,"value":true}},"detail":{{"serial":"A","{name}":{value}}}}}"#
            );
            if let Ok(answer) = InitAnswer::from_body(body.as_bytes()) {
                let _ = answer.seed_is(b"x");
            }
        }
    }
}
