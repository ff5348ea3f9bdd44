//! The engine's words for a server, translated to privacyIDEA's calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keys::device::HashAlgorithm;
use keys::secret::{AccessCode, AesKey, Pin as TokenPin, Seed};
use privacyidea::{
    Client, Description, Error, Init, InitAnswer, PartFormat, Rights, Rollout, SecretBytes, SecretString,
    Serial, ServerCode, Session, Token, TokenFilter, TokenType, Transport, TwoStepSizes, User, Whose,
};
use station::access::code_from_hex;
use station::engine::lag::LAG;
use station::engine::record::EnrollmentId;
use station::engine::server::{
    PeopleView, Person, RandomPins, Readiness, RealmView, Registered, Registration, Right, ServerAnswer,
    ServerCall, ServerFault, TokenSecret, TokenView, TwoStepTerms, Verdict,
};
use station::refusal::Code;
use station::token::{TokenKind, TokenSerial};
use zeroize::Zeroizing;

mod faults;

pub use faults::fault;

use faults::looking;

/// The tokeninfo key under which a token bears the name of its enrollment.
const ENROLLMENT: &str = "enrollment";

/// The tokeninfo key under which the access code of a slot is kept with its token.
const ACCESS_CODE: &str = "enrollment.access_code";

/// Words in the names of notes that hold a secret: the station's own access codes, and what servers keep with tokens of
/// other kinds (privacyIDEA: `private_key_server` of push tokens, `radius.secret`, `yubikey_access_code`).
const SECRET_NOTES: [&str; 4] = ["access_code", "secret", "private_key", "password"];

/// The tokeninfo keys under which a server keeps public ids: of tokens that it checks itself, and of those that
/// it asks YubiCloud about (privacyIDEA, lib/tokens/yubikeytoken.py, yubicotoken.py).
const PUBLIC_ID: [&str; 2] = ["yubikey.prefix", "yubico.tokenid"];

/// How far the clocks of server and station may be apart. TOTP codes are worth
/// nothing beyond it, and receipts would lie.
pub const MOST_SKEW: Duration = Duration::from_secs(300);

/// How long after the server refused a password an order to enroll may have it sent once more. A
/// directory that is away answers as one that refuses, so a station would else stand still for good; sooner,
/// a day's keys would lock the account.
pub const LOGIN_AGAIN: Duration = Duration::from_secs(15 * 60);

/// Whatever can answer the engine's calls.
pub trait ServerPort: Send + Sync {
    /// Somebody ordered an enrollment: a password that was refused may be tried once more, see [`LOGIN_AGAIN`].
    fn ordered(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Carries a call out.
    fn call(
        &self,
        call: ServerCall,
    ) -> Pin<Box<dyn Future<Output = Result<ServerAnswer, ServerFault>> + Send + '_>>;

    /// How long a change may take to show: a server may be several machines.
    fn lag(&self) -> Duration {
        LAG
    }
}

/// A privacyIDEA server.
pub struct PrivacyIdea<T> {
    client: Client<T>,
    lag: Duration,
    read: Mutex<Read>,
}

/// What was read of the policies with this login.
type Read = Option<(Arc<Session>, Vec<RandomPins>)>;

/// Nothing that holds the lock panics.
fn lock(read: &Mutex<Read>) -> MutexGuard<'_, Read> {
    read.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Transport> PrivacyIdea<T> {
    /// The server that `client` speaks to.
    pub fn new(client: Client<T>) -> Self {
        Self { client, lag: LAG, read: Mutex::default() }
    }

    /// The same, with another time that a change may take to show.
    #[must_use]
    pub fn with_lag(self, lag: Duration) -> Self {
        Self { lag, ..self }
    }

    /// The client, for calls that are not the engine's.
    pub fn client(&self) -> &Client<T> {
        &self.client
    }

    async fn carry_out(&self, call: ServerCall) -> Result<ServerAnswer, ServerFault> {
        match call {
            ServerCall::Prepare => self.prepare().await.map(ServerAnswer::Ready),
            ServerCall::Look(serial) => {
                let found = self.client.token(&serial_of(&serial)?).await.map_err(|e| looking(fault(&e)))?;
                Ok(ServerAnswer::Token(found.map(|token| view(&token))))
            }
            ServerCall::Holders(public_id) => self.holders(&public_id).await.map(ServerAnswer::Holders),
            ServerCall::Register(registration) => {
                self.register(&registration).await.map(ServerAnswer::Registered)
            }
            ServerCall::FinishTwoStep { serial, kind, part } => {
                let part = SecretBytes::copy_of(part.expose());
                let (serial, format) = (serial_of(&serial)?, PartFormat::Base32Check);
                let made = self.client.finish_two_step(&serial, &token_type(kind), &part, format).await;
                Ok(ServerAnswer::Registered(registered(&made.map_err(|e| fault(&e))?, &TokenSecret::TwoStep)))
            }
            ServerCall::KeepCode { serial, code } => {
                let text = station::access::code_to_hex(&code);
                done(self.client.set_info(&serial_of(&serial)?, ACCESS_CODE, &text).await)
            }
            ServerCall::ReadCode(serial) => {
                let found = self.client.token(&serial_of(&serial)?).await.map_err(|e| looking(fault(&e)))?;
                let code = found.and_then(|token| code_kept_with(&token));
                Ok(ServerAnswer::Code(code.map(Arc::new)))
            }
            ServerCall::Verify { serial, kind, code } => self.verify(&serial, kind, &code).await,
            ServerCall::Check { serial, code } => {
                let serial = serial_of(&serial)?;
                let verdict = self
                    .client
                    .check_otp_only(Whose::Serial(&serial), &SecretString::copy_of(&code))
                    .await
                    .map_err(|e| fault(&e))?;
                Ok(ServerAnswer::Verdict(if verdict.accepted {
                    Verdict::Accepted
                } else {
                    Verdict::Rejected(verdict.message.to_string())
                }))
            }
            ServerCall::Disable(serial) => done(self.client.disable(&serial_of(&serial)?).await),
            ServerCall::Enable(serial) => done(self.client.enable(&serial_of(&serial)?).await),
            ServerCall::Delete(serial) => match self.client.delete(&serial_of(&serial)?).await {
                // It found nothing to delete, and says so with 200.
                Ok(false) => Err(ServerFault::Refused {
                    code: Code::TokenVanished,
                    detail: "nothing deleted".to_owned(),
                }),
                result => done(result),
            },
            ServerCall::Assign { serial, person, pin } => {
                let owner = User::new(person.user, person.realm);
                let pin = pin.map(|pin| SecretString::copy_of(pin.expose()));
                done(self.client.assign(&serial_of(&serial)?, &owner, pin.as_ref()).await)
            }
            ServerCall::Realms => {
                let realms = self.client.realms().await.map_err(|e| looking(fault(&e)))?.into_iter();
                let view = |realm: privacyidea::Realm| RealmView {
                    name: realm.name,
                    default: realm.default,
                    resolvers: realm.resolvers,
                };
                Ok(ServerAnswer::Realms(realms.map(view).collect()))
            }
            ServerCall::People { realm, login } => {
                let login = login.as_deref().unwrap_or("*");
                let found = self.client.search_users(&realm, login).await.map_err(|e| looking(fault(&e)))?;
                let people = found.users.into_iter().map(|user| (user.username, user.resolver)).collect();
                Ok(ServerAnswer::People(PeopleView { people, skipped: found.skipped }))
            }
            ServerCall::Note { serial, notes } => {
                let serial = serial_of(&serial)?;
                for (name, value) in notes {
                    self.client.set_info(&serial, name, &value).await.map_err(|e| fault(&e))?;
                }
                Ok(ServerAnswer::Done)
            }
        }
    }

    async fn prepare(&self) -> Result<Readiness, ServerFault> {
        let session = self.client.session().await.map_err(|e| fault(&e))?;
        if let Some(skew) = self.client.skew().filter(|skew| skew.magnitude() > MOST_SKEW) {
            return Err(ServerFault::Refused {
                code: Code::ClockWrong,
                detail: format!("server and station are {} s apart", skew.magnitude().as_secs()),
            });
        }
        let product = self.client.server().map_or_else(|| "privacyIDEA".to_owned(), |server| server.text);
        let random_pins = self.random_pins(&session).await;
        Ok(Readiness { product, rights: rights(&session.rights), random_pins })
    }

    /// Where the server puts random PINs on tokens, asked once a login. A policy with a `pinhandler` tells
    /// people by itself. What cannot be read is not known, which is no fault.
    async fn random_pins(&self, session: &Arc<Session>) -> Vec<RandomPins> {
        let known = |read: &Read| {
            read.as_ref().filter(|(of, _)| Arc::ptr_eq(of, session)).map(|(_, pins)| pins.clone())
        };
        if let Some(pins) = known(&lock(&self.read)) {
            return pins;
        }
        if session.rights.allow("policyread") != Some(true) {
            return Vec::new();
        }
        let Ok(policies) = self.client.policies().await else { return Vec::new() };
        let silent = policies.into_iter().filter(|policy| {
            // Where a policy is about users by name, it is not about a token that is nobody's yet.
            policy.active
                && policy.scope == "enrollment"
                && policy.users.is_empty()
                && policy.action("otp_pin_random").is_some()
                && policy.action("pinhandler").is_none()
        });
        let pins: Vec<_> =
            silent.map(|policy| RandomPins { policy: policy.name, realms: policy.realms }).collect();
        *lock(&self.read) = Some((Arc::clone(session), pins.clone()));
        pins
    }

    /// The tokens that a Yubico OTP of this public id belongs to.
    async fn holders(&self, public_id: &str) -> Result<Vec<String>, ServerFault> {
        let mut holders = Vec::new();
        for name in PUBLIC_ID {
            let filter = TokenFilter {
                info: Some((name.to_owned(), public_id.to_owned())),
                page_size: Some(100),
                ..TokenFilter::default()
            };
            let page = self.client.tokens(&filter).await.map_err(|e| looking(fault(&e)))?;
            // A server that hides tokeninfo has filtered all the same; what it shows is compared.
            let is =
                |token: &Token| token.info.get(name).is_none_or(|has| has.eq_ignore_ascii_case(public_id));
            holders.extend(page.tokens.iter().filter(|token| is(token)).map(|token| token.serial.clone()));
        }
        holders.sort_unstable();
        holders.dedup();
        Ok(holders)
    }

    async fn register(&self, registration: &Registration) -> Result<Registered, ServerFault> {
        let answer = self.client.init(&init(registration)?).await.map_err(|e| fault(&e))?;
        Ok(registered(&answer, &registration.secret))
    }

    async fn verify(
        &self,
        serial: &TokenSerial,
        kind: TokenKind,
        code: &str,
    ) -> Result<ServerAnswer, ServerFault> {
        let serial = serial_of(serial)?;
        match self.client.verify(&serial, &token_type(kind), &SecretString::copy_of(code)).await {
            Ok(answer) if answer.rollout == Rollout::Verify => {
                Ok(ServerAnswer::Verdict(Verdict::Rejected("the token is still to be verified".to_owned())))
            }
            Ok(_) => Ok(ServerAnswer::Verdict(Verdict::Accepted)),
            // The server has one code, 905, for a wrong OTP and for other misfits of this call.
            Err(Error::Server(error)) if error.code == ServerCode::Parameter && error.status < 500 => {
                Ok(ServerAnswer::Verdict(Verdict::Rejected(error.message.to_string())))
            }
            Err(error) => Err(fault(&error)),
        }
    }
}

impl<T: Transport> ServerPort for PrivacyIdea<T> {
    fn ordered(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.client.try_login_again(LOGIN_AGAIN))
    }

    fn call(
        &self,
        call: ServerCall,
    ) -> Pin<Box<dyn Future<Output = Result<ServerAnswer, ServerFault>> + Send + '_>> {
        Box::pin(self.carry_out(call))
    }

    fn lag(&self) -> Duration {
        self.lag
    }
}

/// What the server made of a registration, or of the second of two steps.
fn registered(answer: &InitAnswer, sent: &TokenSecret) -> Registered {
    let bytes = || answer.seed_bytes();
    let echo = match sent {
        TokenSecret::Seed(_) | TokenSecret::TwoStep => bytes()
            .and_then(|bytes| Seed::new(bytes.reveal()).ok())
            .map(|seed| TokenSecret::Seed(Arc::new(seed))),
        TokenSecret::Aes(_) => bytes()
            .and_then(|bytes| AesKey::new(bytes.reveal()).ok())
            .map(|key| TokenSecret::Aes(Arc::new(key))),
        TokenSecret::Password(_) => answer
            .seed_text()
            .and_then(|text| TokenPin::new(Zeroizing::new(text.reveal().to_owned())).ok())
            .map(|password| TokenSecret::Password(Arc::new(password))),
    };
    let terms = answer
        .two_step
        .filter(|_| answer.rollout == Rollout::ClientWait || answer.rollout == Rollout::Verify);
    Registered {
        echo,
        unverified: answer.rollout == Rollout::Verify,
        two_step: terms.map(|terms| TwoStepTerms {
            part: terms.client_size,
            seed: terms.output_size,
            rounds: terms.rounds,
        }),
    }
}

fn done(result: Result<bool, Error>) -> Result<ServerAnswer, ServerFault> {
    result.map(|_| ServerAnswer::Done).map_err(|e| fault(&e))
}

fn serial_of(serial: &TokenSerial) -> Result<Serial, ServerFault> {
    Serial::new(serial.as_str()).map_err(|error| defect(&error.to_string()))
}

fn defect(what: &str) -> ServerFault {
    ServerFault::NotSent { code: Code::Internal, detail: what.to_owned() }
}

fn token_type(kind: TokenKind) -> TokenType {
    TokenType::from_name(kind.word())
}

fn rights(rights: &Rights) -> Option<Vec<Right>> {
    let all = [
        Right::Enroll(TokenKind::Hotp),
        Right::Enroll(TokenKind::Totp),
        Right::Enroll(TokenKind::Yubikey),
        Right::Enroll(TokenKind::Password),
        Right::List,
        Right::Delete,
        Right::Enable,
        Right::Disable,
        Right::Assign,
        Right::EnrollPin,
        Right::Note,
        Right::LookUp,
    ];
    let mut granted = Vec::new();
    for right in all {
        if rights.allow(&right.to_string())? {
            granted.push(right);
        }
    }
    Some(granted)
}

fn init(registration: &Registration) -> Result<Init, ServerFault> {
    let serial = serial_of(&registration.serial)?;
    let digits = registration.digits.count();
    let hash = match registration.hash {
        HashAlgorithm::Sha1 => privacyidea::HashAlgorithm::Sha1,
        HashAlgorithm::Sha256 => privacyidea::HashAlgorithm::Sha256,
        HashAlgorithm::Sha512 => privacyidea::HashAlgorithm::Sha512,
    };
    let mut init = match (&registration.secret, registration.kind) {
        (TokenSecret::Seed(seed), TokenKind::Hotp) => {
            Init::hotp(serial, SecretBytes::copy_of(seed.expose()), digits, hash)
        }
        (TokenSecret::Seed(seed), TokenKind::Totp) => {
            Init::totp(serial, SecretBytes::copy_of(seed.expose()), digits, hash, registration.period.into())
        }
        (TokenSecret::TwoStep, TokenKind::Hotp | TokenKind::Totp) => {
            let kind = token_type(registration.kind);
            let init = Init::two_step(kind, serial, digits, hash, TwoStepSizes::default());
            if registration.kind == TokenKind::Totp {
                init.time_step(registration.period.into())
            } else {
                init
            }
        }
        (TokenSecret::Aes(key), TokenKind::Yubikey) => {
            Init::yubikey(serial, SecretBytes::copy_of(key.expose()), &registration.prefix)
        }
        (TokenSecret::Password(password), TokenKind::Password) => {
            Init::password(serial, SecretString::copy_of(password.expose()))
        }
        _ => return Err(defect("a secret that does not fit the type of the token")),
    };
    let description =
        Description::new(registration.description.as_str()).map_err(|error| defect(&error.to_string()))?;
    init = init.description(description).info(ENROLLMENT, registration.enrollment.to_string());
    if let Some(realm) = &registration.realm {
        init = init.token_realm(realm.as_str());
    }
    if let Some(pin) = &registration.pin {
        init = init.pin(SecretString::copy_of(pin.expose()));
    }
    Ok(init)
}

fn view(token: &Token) -> TokenView {
    TokenView {
        serial: token.serial.clone(),
        kind: token.kind.as_str().to_owned(),
        active: token.active && !token.revoked && !token.locked,
        unverified: token.rollout == Rollout::Verify,
        half_made: token.rollout == Rollout::ClientWait,
        digits: token.otp_length.unwrap_or(0),
        hash: token.hash().map(|hash| hash.as_str().to_owned()),
        counter: token.count.unwrap_or(0),
        owner: token
            .owner
            .as_ref()
            .map(|user| Person { user: user.login.clone(), realm: user.realm.clone().unwrap_or_default() }),
        enrollment: enrollment_of(token),
    }
}

/// The enrollment that made a token, by its name in the token.
pub fn enrollment_of(token: &Token) -> Option<EnrollmentId> {
    // The server keeps the parameter `hotp.enrollment` under that very name.
    let named = token.info.get(&format!("{}.{ENROLLMENT}", token.kind.as_str()));
    EnrollmentId::parse(named.or_else(|| token.info.get(ENROLLMENT))?)
}

/// Whether a note of that name may hold a secret. Such a note is told to nobody.
pub fn holds_secret(note: &str) -> bool {
    let note = note.to_ascii_lowercase();
    SECRET_NOTES.iter().any(|word| note.contains(word))
}

/// The access code of a slot that is kept with its token.
pub fn code_kept_with(token: &Token) -> Option<AccessCode> {
    code_from_hex(token.info.get(ACCESS_CODE)?)
}
