//! `POST /token/init`: make a token, or overwrite one.
//!
//! Three things to know before calling it:
//!
//! * **It overwrites.** An existing serial of the same type silently gets the
//!   new seed; there is no "create only". Look with [`Client::token`] first.
//! * **The server may not use the seed it was sent, and says yes.** Compare
//!   [`InitAnswer::seed_is`] before the seed goes anywhere, and the digits and
//!   the hash with what [`Client::token`] tells.
//! * **Its answer contains the seed**, in five places. Only `otpkey` is kept,
//!   as a secret; the body is wiped.

use zeroize::Zeroizing;

use crate::body::Object;
use crate::call::Call;
use crate::calls::answer::InitAnswer;
use crate::client::Client;
use crate::error::{Error, Invalid};
use crate::http::Transport;
use crate::names::{Description, HashAlgorithm, Serial, TokenType, User};
use crate::secret::{SecretBytes, SecretString};

/// What a token shall be. Begin with one of the constructors.
pub struct Init {
    kind: TokenType,
    serial: Option<Serial>,
    description: Option<Description>,
    seed: Option<Seed>,
    otp_length: Option<u8>,
    hash: Option<HashAlgorithm>,
    time_step: Option<u32>,
    owner: Option<User>,
    token_realm: Option<String>,
    pin: Option<SecretString>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    container: Option<Serial>,
    rollover: bool,
    two_step: Option<TwoStepSizes>,
    info: Vec<(String, String)>,
}

enum Seed {
    Bytes(SecretBytes),
    Text(SecretString),
    Generated,
}

/// Sizes to ask for in a two-step enrollment, where no policy sets them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TwoStepSizes {
    /// Bytes of the client's part (default 8).
    pub client: Option<u8>,
    /// Bytes of the server's part (default: as the hash has).
    pub server: Option<u8>,
    /// Rounds of the derivation (default 10000).
    pub rounds: Option<u32>,
}

impl Init {
    /// A token of any type, for which the server makes seed and serial unless
    /// told otherwise.
    pub fn new(kind: TokenType) -> Self {
        Self {
            kind,
            serial: None,
            description: None,
            seed: None,
            otp_length: None,
            hash: None,
            time_step: None,
            owner: None,
            token_realm: None,
            pin: None,
            valid_from: None,
            valid_until: None,
            container: None,
            rollover: false,
            two_step: None,
            info: Vec::new(),
        }
    }

    /// HOTP with a seed of ours and 6 or 8 digits.
    pub fn hotp(serial: Serial, seed: SecretBytes, digits: u8, hash: HashAlgorithm) -> Self {
        Self::new(TokenType::Hotp).serial(serial).seed(seed).otp_length(digits).hash(hash)
    }

    /// TOTP with a seed of ours, 6 or 8 digits, and a step in seconds.
    pub fn totp(serial: Serial, seed: SecretBytes, digits: u8, hash: HashAlgorithm, step: u32) -> Self {
        Self { time_step: Some(step), kind: TokenType::Totp, ..Self::hotp(serial, seed, digits, hash) }
    }

    /// Yubico OTP: the AES key, and the public id in modhex that the key types
    /// in front of its 32 characters. The private id is learned from the first
    /// OTP, and **survives a second init**: delete the old token first.
    pub fn yubikey(serial: Serial, aes_key: SecretBytes, public_id: &str) -> Self {
        let length = u8::try_from(public_id.len()).unwrap_or(u8::MAX).saturating_add(32);
        let init = Self::new(TokenType::Yubikey).serial(serial).seed(aes_key).otp_length(length);
        if public_id.is_empty() { init } else { init.info("prefix", public_id) }
    }

    /// A fixed password.
    pub fn password(serial: Serial, password: SecretString) -> Self {
        Self { seed: Some(Seed::Text(password)), ..Self::new(TokenType::Pw).serial(serial) }
    }

    /// A registration code for a user; the server makes code and serial.
    pub fn registration(owner: User) -> Self {
        Self::new(TokenType::Registration).owner(owner)
    }

    /// Step 1 of a two-step HOTP or TOTP: the server makes its part. Go on
    /// with [`Client::finish_two_step`] only if [`InitAnswer::two_step`] is there.
    pub fn two_step(
        kind: TokenType,
        serial: Serial,
        digits: u8,
        hash: HashAlgorithm,
        sizes: TwoStepSizes,
    ) -> Self {
        let init = Self::new(kind).serial(serial).generated().otp_length(digits).hash(hash);
        Self { two_step: Some(sizes), ..init }
    }

    /// The serial; without one the server makes one up.
    #[must_use]
    pub fn serial(self, serial: Serial) -> Self {
        Self { serial: Some(serial), ..self }
    }

    /// A text for people. A second init keeps the old one if none is given.
    #[must_use]
    pub fn description(self, description: Description) -> Self {
        Self { description: Some(description), ..self }
    }

    /// The seed.
    #[must_use]
    pub fn seed(self, seed: SecretBytes) -> Self {
        Self { seed: Some(Seed::Bytes(seed)), ..self }
    }

    /// The server makes the seed.
    #[must_use]
    pub fn generated(self) -> Self {
        Self { seed: Some(Seed::Generated), ..self }
    }

    /// Characters of one OTP: 6 or 8, and 32 + public id for Yubico OTP.
    #[must_use]
    pub fn otp_length(self, length: u8) -> Self {
        Self { otp_length: Some(length), ..self }
    }

    /// Seconds per code of TOTP.
    #[must_use]
    pub fn time_step(self, seconds: u32) -> Self {
        Self { time_step: Some(seconds), ..self }
    }

    /// The hash.
    #[must_use]
    pub fn hash(self, hash: HashAlgorithm) -> Self {
        Self { hash: Some(hash), ..self }
    }

    /// The user who will own it. Replaces [`Init::token_realm`].
    #[must_use]
    pub fn owner(self, owner: User) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// A realm for a token without owner. A realm that does not exist is
    /// silently dropped by the server: look at `realms` of [`Client::token`].
    #[must_use]
    pub fn token_realm(self, realm: impl Into<String>) -> Self {
        Self { token_realm: Some(realm.into()), ..self }
    }

    /// The PIN. Needs the right `enrollpin`: without it some servers refuse,
    /// older ones drop the PIN. An empty PIN clears that of an existing token.
    #[must_use]
    pub fn pin(self, pin: SecretString) -> Self {
        Self { pin: Some(pin), ..self }
    }

    /// When it begins and ends to be valid, as `YYYY-MM-DDThh:mm+hhmm`.
    #[must_use]
    pub fn validity(self, from: Option<String>, until: Option<String>) -> Self {
        Self { valid_from: from, valid_until: until, ..self }
    }

    /// Puts it into a container; see [`InitAnswer::container`] for success.
    #[must_use]
    pub fn container(self, container: Serial) -> Self {
        Self { container: Some(container), ..self }
    }

    /// Starts a token in the state *clientwait* or *verify* over (3.14).
    #[must_use]
    pub fn rollover(self) -> Self {
        Self { rollover: true, ..self }
    }

    /// A tokeninfo pair, stored as `<type>.<key>`. The server ignores pairs
    /// under any other name, so the type is put in front here.
    #[must_use]
    pub fn info(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.info.push((key.into(), value.into()));
        self
    }

    /// Everything that the server would take without a word and then not use
    /// as it was meant.
    fn check(&self) -> Result<(), Invalid> {
        let generated = matches!(self.seed, Some(Seed::Generated));
        if !self.kind.as_str().bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Invalid::Name("the token type"));
        }
        if let Some(owner) = &self.owner {
            owner.check()?;
        }
        if self.owner.is_some() && self.token_realm.is_some() {
            return Err(Invalid::Both("an owner", "a realm for a token without owner"));
        }
        for (key, _) in &self.info {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            if key.is_empty() || key.len() > 100 || !key.bytes().all(fits) {
                return Err(Invalid::Name("a tokeninfo key"));
            }
        }
        match &self.kind {
            TokenType::Hotp | TokenType::Totp => {
                if self.otp_length.is_some_and(|n| n != 6 && n != 8) {
                    return Err(Invalid::Range("the number of digits"));
                }
                match &self.seed {
                    // RFC 4226, R6, asks for 16; vendors' keys hold at most 64.
                    Some(Seed::Bytes(seed)) if !(10..=64).contains(&seed.len()) => {
                        return Err(Invalid::SeedLength { got: seed.len(), wanted: "10 to 64 are right" });
                    }
                    Some(Seed::Text(_)) => return Err(Invalid::Missing("a seed of bytes")),
                    _ => {}
                }
                if self.two_step.is_some() && !generated {
                    return Err(Invalid::Both("a two-step enrollment", "a seed"));
                }
            }
            TokenType::Yubikey => {
                match &self.seed {
                    Some(Seed::Bytes(key)) if key.len() == 16 => {}
                    Some(Seed::Bytes(key)) => {
                        return Err(Invalid::SeedLength { got: key.len(), wanted: "16 are right for AES" });
                    }
                    _ => return Err(Invalid::Missing("the AES key")),
                }
                // The server's default of 6 makes every OTP fail.
                if !self.otp_length.is_some_and(|n| (32..=64).contains(&n)) {
                    return Err(Invalid::Range("the length of a Yubico OTP"));
                }
            }
            TokenType::Pw => {
                if !matches!(&self.seed, Some(Seed::Text(password)) if !password.is_empty()) {
                    return Err(Invalid::Missing("the password"));
                }
            }
            TokenType::Registration => {
                if self.owner.is_none() {
                    return Err(Invalid::Missing("the user of a registration code"));
                }
            }
            TokenType::Other(_) => {}
        }
        Ok(())
    }

    fn body(&self) -> Object {
        let kind = self.kind.as_str();
        let mut body = Object::new()
            .text("type", kind)
            .maybe("serial", self.serial.as_ref().map(Serial::as_str))
            .maybe("description", self.description.as_ref().map(Description::as_str))
            .maybe_number("otplen", self.otp_length)
            .maybe("hashlib", self.hash.map(HashAlgorithm::as_str))
            .maybe_number("timeStep", self.time_step)
            .maybe("pin", self.pin.as_ref().map(SecretString::reveal))
            .maybe("validity_period_start", self.valid_from.as_deref())
            .maybe("validity_period_end", self.valid_until.as_deref())
            .maybe("container_serial", self.container.as_ref().map(Serial::as_str));
        body = match (&self.owner, &self.token_realm) {
            (Some(owner), _) => owner_fields(body, owner),
            (None, realm) => body.maybe("realm", realm.as_deref()),
        };
        body = match &self.seed {
            Some(Seed::Bytes(seed)) => body.hex("otpkey", seed.reveal()),
            Some(Seed::Text(text)) => body.text("otpkey", text.reveal()),
            Some(Seed::Generated) => body.number("genkey", 1),
            None => body,
        };
        if let Some(sizes) = self.two_step {
            body = body
                .number("2stepinit", 1)
                .maybe_number("2step_clientsize", sizes.client)
                .maybe_number("2step_serversize", sizes.server)
                .maybe_number("2step_difficulty", sizes.rounds);
        }
        if self.rollover {
            body = body.number("rollover", 1);
        }
        for (key, value) in &self.info {
            body = body.text(&format!("{kind}.{key}"), value);
        }
        body
    }
}

pub(crate) fn owner_fields(body: Object, owner: &User) -> Object {
    named_fields(body, &owner.spelled(), owner)
}

pub(crate) fn named_fields(body: Object, login: &str, owner: &User) -> Object {
    body.text("user", login)
        .maybe("realm", owner.realm.as_deref())
        .maybe("resolver", owner.resolver.as_deref())
}

impl<T: Transport> Client<T> {
    /// Makes the token, or overwrites the one of that serial and type.
    pub async fn init(&self, init: &Init) -> Result<InitAnswer, Error> {
        init.check()?;
        let call = Call::post("/token/init", &[], init.body());
        let answer = self.call(call, InitAnswer::from_envelope).await;
        answer.map_err(|error| {
            // The server may quote a parameter that it does not like.
            let seed = match &init.seed {
                Some(Seed::Bytes(seed)) => Zeroizing::new(data_encoding::HEXLOWER.encode(seed.reveal())),
                Some(Seed::Text(text)) => Zeroizing::new(text.reveal().to_owned()),
                Some(Seed::Generated) | None => Zeroizing::default(),
            };
            error.without([seed.as_str(), init.pin.as_ref().map_or("", SecretString::reveal)])
        })
    }

    /// The second call for a token in state verify: an OTP that came out of the key.
    ///
    /// A wrong one is refused with code 905 and may be tried again. Two traps
    /// of the server, both of them answered with success: on a token that is
    /// enrolled already any OTP passes, and **a serial that does not exist
    /// becomes a token without a seed**. So look with [`Client::token`] before
    /// the first try and before every repetition.
    pub async fn verify(
        &self,
        serial: &Serial,
        kind: &TokenType,
        otp: &SecretString,
    ) -> Result<InitAnswer, Error> {
        let body = Object::new()
            .text("type", kind.as_str())
            .text("serial", serial.as_str())
            .text("verify", otp.reveal());
        let answer = self.call(Call::post("/token/init", &[], body), InitAnswer::from_envelope).await;
        answer.map_err(|error| error.without([otp.reveal()]))
    }
}
