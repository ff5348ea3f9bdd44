//! The server and the station's credential for it.
//!
//! A password that an operator enters lives in this process's memory and nowhere else; an
//! API key comes from the configuration. Whatever the credential is, it never leaves here
//! but towards the server.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use control::types::{Credential, Server};
use jiff::Timestamp;
use privacyidea::transport::{Https, Trust};
use privacyidea::{Client, Credentials, Error, Rights, SecretString};
use station::engine::server::{ServerAnswer, ServerCall, ServerFault};
use station::refusal::Code;
use station::token::TokenKind;
use tokio::sync::broadcast;
use zeroize::Zeroizing;

use super::refuse::{no, of_server};
use crate::config::{Config, Insecure, Output, ServerSection};
use dispatch::clock::SystemClock;
use dispatch::export::{Files, Form};
use dispatch::hand_over::SealedDirectory;
use dispatch::server::{MOST_SKEW, PrivacyIdea, ServerPort};

/// What the server sees as `User-Agent`.
const USER_AGENT: &str = concat!("enrolld/", env!("CARGO_PKG_VERSION"));

type Port = Arc<PrivacyIdea<Https>>;

/// How long an answer is good for that somebody asks for, and how long the server gets to give another.
const FRESH: Duration = Duration::from_secs(10);
const BOUND: Duration = Duration::from_secs(3);

/// Keeps the credential.
pub(super) struct CredentialStore {
    state: Arc<Mutex<State>>,
    /// Tells that something about the server is otherwise than before.
    moved: broadcast::Sender<()>,
}

struct State {
    section: ServerSection,
    /// Whether the API key was given for another server.
    key_withheld: bool,
    wanted: Vec<String>,
    port: Option<Port>,
    /// Where tokens go when there is no server.
    tokens: Option<SealedDirectory>,
    /// They, in place of a server.
    files: Option<Arc<Files>>,
    shown: Server,
}

impl CredentialStore {
    /// With what the configuration has, and a place for tokens of a station without a server.
    pub(super) fn new(config: &Config, key_withheld: bool, tokens: Option<SealedDirectory>) -> Self {
        let mut state = State {
            section: ServerSection::default(),
            key_withheld: false,
            wanted: Vec::new(),
            port: None,
            tokens,
            files: None,
            shown: nothing(),
        };
        for note in state.configure(config, key_withheld) {
            tracing::warn!("{note}");
        }
        Self { state: Arc::new(Mutex::new(state)), moved: broadcast::channel(16).0 }
    }

    /// Takes another configuration. A credential that was entered stays only when the server
    /// and the way it is trusted stay, and an API key that was given for another server is not sent.
    /// What that does to a credential is told.
    pub(super) fn configure(&self, config: &Config, key_withheld: bool) -> Vec<String> {
        self.lock().configure(config, key_withheld)
    }

    /// What the engine speaks to; `None` without a credential. How the server answers it is noted.
    pub(super) fn port(&self) -> Option<Arc<dyn ServerPort>> {
        let state = self.lock();
        match &state.files {
            Some(files) => Some(Arc::clone(files) as Arc<dyn ServerPort>),
            None => {
                let (port, state, moved) =
                    (Arc::clone(state.port.as_ref()?), Arc::clone(&self.state), self.moved.clone());
                Some(Arc::new(Heard { port, state, moved }))
            }
        }
    }

    /// Who is told when something about the server is otherwise than before.
    pub(super) fn moved(&self) -> broadcast::Sender<()> {
        self.moved.clone()
    }

    /// Why the engine has nothing to speak to.
    pub(super) fn ready(&self) -> Result<(), control::Refusal> {
        if self.lock().files.is_some() {
            return Ok(());
        }
        self.client().map(drop)
    }

    /// The server, for calls that are not the engine's.
    pub(super) fn client(&self) -> Result<Port, control::Refusal> {
        let state = self.lock();
        if state.section.url.is_none() {
            return Err(no(Code::NoServer, ""));
        }
        state.port.clone().ok_or_else(|| no(Code::NoCredential, ""))
    }

    /// What is known without asking.
    pub(super) fn shown(&self) -> Server {
        self.lock().shown.clone()
    }

    /// Tries a name and a password, and keeps them when the server takes them.
    pub(super) async fn log_in(
        &self,
        user: String,
        realm: Option<String>,
        password: Zeroizing<String>,
        by: &str,
    ) -> Result<Server, control::Refusal> {
        let password = SecretString::copy_of(&password);
        let credentials = match &realm {
            Some(realm) => Credentials::password_in_realm(&user, realm, password),
            None => Credentials::password(&user, password),
        };
        let port = {
            let state = self.lock();
            connect(&state.section, credentials)?
        };
        // A failure is that of whoever typed: the station goes on with what it has.
        let session = port.client().session().await.map_err(|error| of_server(&error))?;
        let mut state = self.lock();
        state.port = Some(Arc::clone(&port));
        state.shown = Server {
            credential: Credential::Login,
            user: Some(match session.realm.as_str() {
                "" => session.username.clone(),
                realm => format!("{}@{realm}", session.username),
            }),
            entered_by: Some(by.to_owned()),
            since: Some(now()),
            ..state.without_credential()
        };
        state.heard(&port, &session.rights, session.until);
        Ok(state.shown.clone())
    }

    /// Forgets a credential that was entered. An API key of the configuration comes back.
    pub(super) async fn log_out(&self) -> Server {
        let port = self.lock().port.take();
        if let Some(port) = port {
            port.client().forget_login().await;
        }
        let mut state = self.lock();
        state.shown = state.without_credential();
        state.use_configured();
        state.shown.clone()
    }

    /// Asks the server how it is.
    pub(super) async fn ask(&self) -> Server {
        let Ok(port) = self.client() else { return self.shown() };
        let session = port.client().session().await;
        // A login is known from before, and an API key needs none: only a call tells whether the server is there.
        let asked = match &session {
            Ok(_) => port.client().realms().await.err().map(|error| dispatch::server::fault(&error)),
            Err(_) => None,
        };
        let mut state = self.lock();
        match (session, asked.as_ref().and_then(trouble)) {
            (Ok(session), None) => state.heard(&port, &session.rights, session.until),
            (Ok(_), refusal) => state.shown.trouble = refusal,
            (Err(error), _) => {
                if error.status().is_some() {
                    state.shown.answered = Some(now());
                }
                state.shown.trouble = Some(of_server(&error));
            }
        }
        state.shown.clone()
    }

    /// Asks the server how it is, unless it is known: it has just answered, or it refuses the credential,
    /// which is not sent again and again. Takes three seconds at most.
    pub(super) async fn freshen(&self) {
        let (Ok(_), shown) = (self.client(), self.shown()) else { return };
        let trouble = shown.trouble.as_ref().and_then(|refusal| Code::parse(&refusal.code));
        if trouble.is_some_and(|code| !mends_itself(code)) {
            return;
        }
        let age = |answered: Timestamp| now().duration_since(answered).unsigned_abs();
        if trouble.is_none() && shown.answered.is_some_and(|answered| age(answered) < FRESH) {
            return;
        }
        if tokio::time::timeout(BOUND, self.ask()).await.is_err() {
            self.lock().shown.trouble = Some(no(Code::ServerUnreachable, "no answer within three seconds"));
        }
        if trouble.map(|code| code.to_string()) != self.shown().trouble.map(|refusal| refusal.code) {
            // Nobody may be watching.
            let _ = self.moved.send(());
        }
    }

    /// Notes what a call told of the server.
    pub(super) fn called(&self, result: Result<(), &Error>) {
        let fault = result.err().map(dispatch::server::fault);
        note(&self.state, &self.moved, fault.as_ref(), true);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server as the engine speaks to it; what its answers say of it is noted.
struct Heard {
    port: Port,
    state: Arc<Mutex<State>>,
    moved: broadcast::Sender<()>,
}

impl ServerPort for Heard {
    fn ordered(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.port.ordered()
    }

    fn lag(&self) -> Duration {
        self.port.lag()
    }

    fn call(
        &self,
        call: ServerCall,
    ) -> Pin<Box<dyn Future<Output = Result<ServerAnswer, ServerFault>> + Send + '_>> {
        // That may be known from before, and then nothing is sent.
        let sent = !matches!(call, ServerCall::Prepare);
        Box::pin(async move {
            let result = self.port.call(call).await;
            note(&self.state, &self.moved, result.as_ref().err(), sent);
            result
        })
    }
}

/// Notes how a call went; `sent` says whether it went out in any case.
fn note(state: &Mutex<State>, moved: &broadcast::Sender<()>, fault: Option<&ServerFault>, sent: bool) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let shown = &mut state.shown;
    let before = shown.trouble.as_ref().map(|refusal| refusal.code.clone());
    match fault {
        None if sent => {
            shown.answered = Some(now());
            shown.trouble = None;
        }
        None => {
            let clock = Code::ClockWrong.to_string();
            shown.trouble = shown.trouble.take().filter(|refusal| refusal.code != clock);
        }
        // Nothing was asked.
        Some(ServerFault::NotSent { code: Code::Internal, .. }) => {}
        Some(fault) => match trouble(fault) {
            Some(refusal) => shown.trouble = Some(refusal),
            // A no to this call alone is an answer like others.
            None => {
                shown.answered = Some(now());
                shown.trouble = shown.trouble.take().filter(|_| !sent);
            }
        },
    }
    let after = shown.trouble.as_ref().map(|refusal| refusal.code.clone());
    drop(state);
    if before != after {
        // Nobody may be watching.
        let _ = moved.send(());
    }
}

/// What a failed call says of the server as a whole; `None` when it concerns that call alone.
fn trouble(fault: &ServerFault) -> Option<control::Refusal> {
    let code = fault.code();
    let whole = match fault {
        ServerFault::NotSent { .. } => true,
        ServerFault::Later { .. } => false,
        ServerFault::Refused { .. } | ServerFault::Unknown { .. } => {
            mends_itself(code)
                || matches!(
                    code,
                    Code::WrongCredentials
                        | Code::PasswordHeld
                        | Code::NotAnAdministrator
                        | Code::SessionRefused
                )
        }
    };
    whole.then(|| no(code, fault.detail()))
}

/// Whether a trouble may be gone when the server is asked again, without anybody's doing. A credential
/// that it refused is not sent again: accounts are locked after some such tries.
pub(crate) fn mends_itself(code: Code) -> bool {
    matches!(
        code,
        Code::ServerUnreachable
            | Code::ServerFault
            | Code::ServerBusy
            | Code::AnswerUnreadable
            | Code::OutcomeUnknown
            | Code::ClockWrong
            | Code::CertificateUntrusted
            | Code::CertificateExpired
            | Code::CertificateWrongHost
            | Code::PinMismatch
            | Code::TlsFailed
    )
}

impl State {
    fn configure(&mut self, config: &Config, key_withheld: bool) -> Vec<String> {
        self.wanted = rights(config);
        let same = self.section == config.server && self.key_withheld == key_withheld;
        if same && (self.port.is_some() || self.files.is_some()) {
            return Vec::new();
        }
        let mut told = Vec::new();
        if self.shown.credential == Credential::Login {
            let (user, url) =
                (self.shown.user.as_deref().unwrap_or("?"), self.shown.url.as_deref().unwrap_or("?"));
            told.push(format!(
                "The login of {user} at {url} is forgotten: it was for that address and trust."
            ));
        }
        self.section = config.server.clone();
        self.key_withheld = key_withheld;
        self.port = None;
        self.files = None;
        self.shown = self.without_credential();
        match (self.section.output, &self.tokens) {
            (Some(output), Some(sealed_directory)) => self.use_files(output, sealed_directory.clone()),
            _ => self.use_configured(),
        }
        if key_withheld && self.files.is_none() {
            let url = self.shown.url.as_deref().unwrap_or("?");
            told.push(format!(
                "The API key is not sent to {url}: it was given for another address or trust. Give it anew \
                 (config set server.api-key), or log in: server login."
            ));
        }
        told
    }

    fn use_files(&mut self, output: Output, sealed_directory: SealedDirectory) {
        let form = match output {
            Output::Csv => Form::Csv,
            Output::Pskc => Form::Pskc,
        };
        self.files = Some(Arc::new(Files::new(sealed_directory, form, SystemClock::new())));
        self.shown.credential = Credential::Files;
        self.shown.product = Some(format!("sealed files ({})", output.word()));
        self.shown.since = Some(now());
    }

    fn use_configured(&mut self) {
        let Some(key) = self.section.key() else { return };
        if self.key_withheld {
            self.shown.trouble = Some(no(Code::KeyForAnother, ""));
            return;
        }
        let credentials = Credentials::api_key(SecretString::copy_of(key.expose()));
        match connect(&self.section, credentials) {
            Ok(port) => {
                self.port = Some(port);
                self.shown.credential = Credential::ApiKey;
                self.shown.since = Some(now());
            }
            Err(refusal) => self.shown.trouble = Some(refusal),
        }
    }

    fn without_credential(&self) -> Server {
        let section = &self.section;
        let trust = match (section.insecure, &section.ca) {
            (Some(Insecure::AnyCertificate), _) => "any certificate: insecure".to_owned(),
            (Some(Insecure::PlainHttp), _) => "nothing is encrypted: insecure".to_owned(),
            _ if !section.pin.is_empty() => "its pinned key".to_owned(),
            (None, Some(ca)) => ca.file.clone(),
            (None, None) => "the system's authorities".to_owned(),
        };
        Server { url: section.url.as_ref().map(|url| url.as_str().to_owned()), trust, ..nothing() }
    }

    fn heard(&mut self, port: &Port, rights: &Rights, until: Option<u64>) {
        let shown = &mut self.shown;
        shown.product = port.client().server().map(|server| server.text);
        shown.until = until
            .and_then(|seconds| i64::try_from(seconds).ok())
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        let known = self.wanted.iter().all(|right| rights.allow(right).is_some());
        shown.rights_known = known;
        let missing = rights.missing(self.wanted.iter().map(String::as_str));
        shown.rights_missing = missing.into_iter().map(str::to_owned).collect();
        shown.answered = Some(now());
        let skew = port.client().skew();
        shown.ahead_ms = skew.map(|skew| skew.server_ahead_ms);
        let apart = skew.filter(|skew| skew.magnitude() > MOST_SKEW);
        shown.trouble = apart.map(|skew| {
            no(Code::ClockWrong, format!("server and station are {} s apart", skew.magnitude().as_secs()))
        });
    }
}

fn connect(section: &ServerSection, credentials: Credentials) -> Result<Port, control::Refusal> {
    let url = section.url.as_ref().ok_or_else(|| no(Code::NoServer, ""))?;
    let wrong = |why: String| no(Code::ConfigurationInvalid, why);
    let trust = match (section.insecure, &section.ca) {
        (Some(Insecure::AnyCertificate), _) => Trust::insecure_accept_any_certificate(),
        (_, Some(ca)) => Trust::pem(&ca.pem).map_err(|error| wrong(error.to_string()))?,
        _ if !section.pin.is_empty() => {
            Trust::pins(section.pin.iter().map(|pin| pin.0)).map_err(|error| wrong(error.to_string()))?
        }
        _ => Trust::system(),
    };
    let timeout = Duration::from_secs(section.timeout_seconds.number().into());
    let mut https = Https::builder(url.as_str(), trust, USER_AGENT).timeout(timeout);
    if section.insecure == Some(Insecure::PlainHttp) {
        https = https.allow_plain_http();
    }
    let https = https.build().map_err(|error| wrong(format!("server.url: {error}")))?;
    let lag = Duration::from_secs(section.lag_seconds.number().into());
    Ok(Arc::new(PrivacyIdea::new(Client::new(https, credentials)).with_lag(lag)))
}

/// The rights that enrolling by these profiles needs, those for taking back included.
fn rights(config: &Config) -> Vec<String> {
    let mut wanted: Vec<String> =
        ["tokenlist", "delete", "enable", "disable", "assign", "settokeninfo"].map(str::to_owned).into();
    for section in config.profiles.values() {
        let right = match TokenKind::of(section.profile.kind) {
            TokenKind::Hotp => "enrollHOTP",
            TokenKind::Totp => "enrollTOTP",
            TokenKind::Yubikey => "enrollYUBIKEY",
            TokenKind::Password => "enrollPW",
        };
        if !wanted.iter().any(|known| known == right) {
            wanted.push(right.to_owned());
        }
    }
    wanted
}

fn nothing() -> Server {
    Server {
        url: None,
        product: None,
        trust: String::new(),
        credential: Credential::None,
        user: None,
        entered_by: None,
        since: None,
        until: None,
        rights_known: false,
        rights_missing: Vec::new(),
        answered: None,
        ahead_ms: None,
        trouble: None,
    }
}

/// The present, as messages have it: whole milliseconds.
pub(super) fn now() -> Timestamp {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    at(unix)
}

/// A time since 1970.
pub(super) fn at(unix: Duration) -> Timestamp {
    let milliseconds = i64::try_from(unix.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
