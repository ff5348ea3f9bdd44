//! Profiles in words, for people who choose one, and what they should know of it.

use core::fmt;

use keys::device::{Guard, HashAlgorithm, Kind};

use super::{CodeTo, KeyPin, NewCode, Overwrite, Profile, PublicId, TokenId, TwoStep, Verify};

/// Something about a profile that is allowed and not without a catch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Warning {
    /// A static password.
    Static,
    /// A token id in front of HOTP codes.
    TokenId,
    /// The same access code for every key.
    SameCode,
    /// Anything may be overwritten when somebody confirms it.
    OverwritesAnything,
    /// The Yubico OTP with which keys are sold is given up.
    GivesUpFactory,
    /// What once meant that enrollments of this station are replaced.
    OursIsNever,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Static => {
                "A static password is weak: whoever sees it once has it, and it proves no possession of the key."
            }
            Self::TokenId => {
                "The server takes the token id in front of a code for a PIN, so the token's PIN is set to it; \
                 without that, every code is rejected."
            }
            Self::SameCode => "Whoever learns the access code of one key has that of all of them.",
            Self::OverwritesAnything => {
                "What is in the slot now is lost without a way back, whoever's it is, once somebody confirms it."
            }
            Self::GivesUpFactory => {
                "The Yubico OTP in the slot is lost without a way back, and with it YubiCloud. That it is the maker's \
                 cannot be proven from the key: identities of a company's own validation service can look the same."
            }
            Self::OursIsNever => {
                "overwrite = \"ours\" is read as \"never\": what this station has finished is replaced only by an \
                 order that names its token (enroll --replace TOKEN), or by the line of a list that names the key."
            }
        })
    }
}

impl Profile {
    /// What should be known before this profile is used.
    pub fn warnings(&self) -> Vec<Warning> {
        let all = [
            (Warning::Static, self.kind == Kind::StaticPassword),
            (Warning::TokenId, self.token_id.is_some()),
            (Warning::SameCode, self.new_access_code == NewCode::Fixed),
            (Warning::OverwritesAnything, self.overwrite == Overwrite::Confirmed),
            (Warning::GivesUpFactory, self.overwrite == Overwrite::Factory),
            (Warning::OursIsNever, self.overwrite == Overwrite::Ours),
        ];
        all.into_iter().filter(|(_, holds)| *holds).map(|(warning, _)| warning).collect()
    }

    /// The profile in one sentence for each thing that it decides.
    pub fn in_words(&self) -> String {
        let mut text = vec![self.what(), self.proof()];
        match self.two_step {
            TwoStep::Never => {}
            TwoStep::WhenOffered => {
                text.push("The seed is made in two steps where the server offers it.".into())
            }
            TwoStep::Force => text.push("The seed is made in two steps, or not at all.".into()),
        }
        text.push(
            match self.overwrite {
                Overwrite::Never | Overwrite::Ours => {
                    "Nothing is overwritten but what an unfinished enrollment left."
                }
                Overwrite::Factory => {
                    "A Yubico OTP as keys are sold with is overwritten, once the key has typed it and the server \
                     has no token of it."
                }
                Overwrite::Confirmed => "What is in the slot is overwritten when an operator confirms it.",
            }
            .to_owned(),
        );
        if let Some(realm) = &self.realm {
            text.push(format!("The token is put into realm {realm}."));
        }
        if self.verify == Verify::Required {
            text.push("The server must verify the token itself.".to_owned());
        }
        match self.key_pin {
            KeyPin::Factory => {}
            KeyPin::Asked => text.push("The operator gives the PIN of keys that have one.".to_owned()),
            KeyPin::Random => text.push(
                "In the end each key that has a PIN gets a random one, kept in the hand-over file."
                    .to_owned(),
            ),
        }
        let code = match (self.new_access_code, self.access_code_to) {
            (NewCode::None, _) => None,
            (NewCode::Fixed, _) => Some("the operator's code, the same for every key"),
            (NewCode::Derived, _) => Some("a code derived from the station's secret"),
            (NewCode::Random, CodeTo::Server) => Some("a random code, kept with the token on the server"),
            (NewCode::Random, CodeTo::HandOver) => Some("a random code, kept in the hand-over file"),
        };
        if let Some(code) = code {
            text.push(format!("In the end the slot is locked by {code}."));
        }
        text.extend(self.warnings().iter().map(|warning| format!("Beware: {warning}")));
        text.join(" ")
    }

    fn what(&self) -> String {
        let digits = self.digits.count();
        let slot = self.slot;
        match self.kind {
            Kind::Hotp => match &self.token_id {
                None => format!("HOTP with {digits} digits in slot {slot}."),
                Some(TokenId::Serial) => {
                    format!("HOTP with {digits} digits in slot {slot}, behind ubhe and the key's serial.")
                }
                Some(TokenId::Fixed(id)) => format!("HOTP with {digits} digits in slot {slot}, behind {id}."),
            },
            Kind::Totp => {
                let hash = match self.hash {
                    HashAlgorithm::Sha1 => "SHA-1",
                    HashAlgorithm::Sha256 => "SHA-256",
                    HashAlgorithm::Sha512 => "SHA-512",
                };
                format!("TOTP with {digits} digits every {} seconds and {hash} in slot {slot}.", self.period)
            }
            Kind::YubicoOtp => {
                let id = match &self.public_id {
                    PublicId::Random => "a random public id".to_owned(),
                    PublicId::Serial => "the key's serial as public id".to_owned(),
                    PublicId::None => "no public id".to_owned(),
                    PublicId::Fixed(bytes) => format!("public id {}", keys::modhex::encode(bytes)),
                };
                format!("Yubico OTP with {id} in slot {slot}.")
            }
            Kind::ChallengeResponse => format!(
                "Challenge-response (HMAC-SHA1) in slot {slot}, used as TOTP with {digits} digits every {} seconds.",
                self.period
            ),
            Kind::StaticPassword => {
                format!("A static password of {} letters in slot {slot}.", self.password_length)
            }
        }
    }

    fn proof(&self) -> String {
        let seconds = self.touch.as_secs();
        let touched = format!(
            "The key proves itself by a touch within {seconds} seconds, {} times at most.",
            self.attempts
        );
        match (self.kind, self.guard) {
            (Kind::ChallengeResponse, Guard::Touch) => {
                "The key proves itself by an answer, for which it is touched.".to_owned()
            }
            (Kind::ChallengeResponse, _) => "The key proves itself by an answer, without a touch.".to_owned(),
            (Kind::Totp, _) => "The key proves itself by a code that the station asks for.".to_owned(),
            _ => touched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_told_in_whole_sentences_with_their_warnings() {
        for kind in [Kind::Hotp, Kind::Totp, Kind::YubicoOtp, Kind::ChallengeResponse, Kind::StaticPassword] {
            let profile = Profile { new_access_code: NewCode::Fixed, token_id: None, ..Profile::new(kind) };
            let words = profile.in_words();
            assert!(words.ends_with('.') && words.contains("slot 1"), "{words}");
            assert!(words.contains("Beware: Whoever learns"), "{words}");
            assert_eq!(words.contains("weak"), kind == Kind::StaticPassword, "{words}");
        }
        let profile = Profile { token_id: Some(TokenId::Serial), ..Profile::new(Kind::Hotp) };
        assert_eq!(profile.warnings(), [Warning::TokenId]);
    }
}
