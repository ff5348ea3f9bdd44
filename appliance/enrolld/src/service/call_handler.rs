//! Who may ask for what: peer credentials, sessions, roles; and the audit of it.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::interface::Answer;
use control::server::{Credentials, Handler, Interface};
use control::types::{AuditEntry, LogIn, Session};
use control::wire::{Call, Fault, arguments};
use control::{Method, Role, calls};
use station::refusal::Code;
use tokio::sync::watch;

use super::calls::Answers;
use super::credential::now;
use super::redact::shown;
use super::refuse::no;
use super::sessions::{Entered, LoginRequest};
use super::{Service, lock};

/// The users who may connect.
#[derive(Debug, Clone, Default)]
pub struct Admitted {
    /// The users whose calls count as an administrator's until they log in: root, and the
    /// daemon's own.
    pub trusted: Vec<u32>,
    /// The users who have to announce an operator first: the SSH server's.
    pub shells: Vec<u32>,
}

/// Calls of another interface, such as the simulation's.
pub trait More: Send + Sync {
    /// Its description.
    fn interface(&self) -> Interface;

    /// What an operator has to be for a call; `None` when there is no such call.
    fn role(&self, method: &str) -> Option<Role>;

    /// Makes a call.
    fn call<'a>(
        &'a self,
        method: &'a str,
        arguments: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Fault>> + Send + 'a>>;
}

/// Whoever makes a call.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The operator's name.
    pub name: String,
    /// What the operator may do.
    pub role: Role,
    /// Where the operator is.
    pub address: String,
    pub session: String,
    /// Its number; 0 for calls that no operator makes.
    pub(super) number: u64,
    /// Whether the kernel vouches for the caller, so that nothing is taken on the SSH server's word.
    pub(super) local: bool,
}

/// What is remembered of a connection.
pub struct Peer {
    service: Arc<Service>,
    admitted: bool,
    trusted: bool,
    user: u32,
    login: Option<Login>,
}

struct Login {
    fingerprint: String,
    address: String,
    session: String,
    number: u64,
    over: watch::Receiver<bool>,
}

impl Peer {
    fn leave(&mut self) {
        if let Some(login) = self.login.take() {
            lock(&self.service.sessions).leave(login.number);
        }
    }
}

/// The longest text of a login, in bytes. It is kept as long as the session.
const LONGEST_NAME: usize = 128;

/// A stream that a session has, as long as it lives.
struct Streaming {
    service: Arc<Service>,
    number: u64,
    name: &'static str,
}

impl Streaming {
    fn begin(service: &Arc<Service>, number: u64, name: &'static str) -> Self {
        lock(&service.sessions).begin(number, name);
        Self { service: Arc::clone(service), number, name }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        lock(&self.service.sessions).finish(self.number, self.name);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Decides, and answers.
pub struct CallHandler {
    service: Arc<Service>,
    answers: Answers,
    admitted: Admitted,
    more: Option<Arc<dyn More>>,
}

impl CallHandler {
    /// Before a control service.
    pub fn new(service: Arc<Service>, admitted: Admitted, more: Option<Arc<dyn More>>) -> Self {
        Self { answers: Answers(Arc::clone(&service)), service, admitted, more }
    }

    /// Logs an operator in; whether that is a new session.
    fn log_in(&self, peer: &mut Peer, request: LogIn) -> Result<(Session, bool), control::Refusal> {
        let config = self.service.config();
        let found = known(&config, &request.operator, &request.address);
        let operator = found.ok_or_else(|| no(Code::OperatorUnknown, request.address.clone()))?;
        let (name, role) = (operator.name.to_string(), operator.role.role());
        let who = LoginRequest {
            fingerprint: request.operator,
            name: name.clone(),
            role,
            address: request.address,
            session: request.session,
        };
        peer.leave();
        let idle = Duration::from_secs(u64::from(config.shell.idle_minutes.number()) * 60);
        let Entered { number, fresh, last, over } =
            lock(&self.service.sessions).enter(who.clone(), idle, Instant::now())?;
        let LoginRequest { fingerprint, address, session, .. } = who;
        peer.login = Some(Login { fingerprint, address, session, number, over });
        let session = Session {
            name,
            role,
            station: config.station.name.to_string(),
            last_login: last.as_ref().map(|(at, _)| *at),
            last_address: last.map(|(_, address)| address),
            idle_ms: i64::from(config.shell.idle_minutes.number()) * 60_000,
        };
        Ok((session, fresh))
    }

    /// Who that is now: roles are looked up at each call, so that a change counts at once.
    fn caller(&self, peer: &Peer) -> Result<Caller, Fault> {
        match &peer.login {
            Some(login) => {
                let config = self.service.config();
                let operator = known(&config, &login.fingerprint, &login.address)
                    .ok_or_else(|| no(Code::OperatorUnknown, login.address.clone()))?;
                if *login.over.borrow() {
                    return Err(no(Code::SessionEnded, "").into());
                }
                Ok(Caller {
                    name: operator.name.to_string(),
                    role: operator.role.role(),
                    address: login.address.clone(),
                    session: login.session.clone(),
                    number: login.number,
                    local: false,
                })
            }
            None if peer.trusted => Ok(Caller {
                name: format!("user {}", peer.user),
                role: Role::Admin,
                address: "local".to_owned(),
                session: "local".to_owned(),
                number: 0,
                local: true,
            }),
            None => Err(no(Code::OperatorUnknown, "nobody has logged in on this connection").into()),
        }
    }

    fn entry(caller: &Caller, what: String, result: Result<(), &Fault>, begun: Instant) -> AuditEntry {
        let result = match result {
            Ok(()) => "ok".to_owned(),
            Err(Fault::Refused(refusal)) => refusal.code.clone(),
            Err(fault) => fault.to_string(),
        };
        AuditEntry {
            at: now(),
            operator: caller.name.clone(),
            address: caller.address.clone(),
            session: caller.session.clone(),
            what,
            result,
            took_ms: i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX),
            number: None,
        }
    }

    async fn decide(&self, peer: &mut Peer, call: &Call<'_>) -> Result<Answer, Fault> {
        let begun = Instant::now();
        let (method, role) = match (Method::from_full_name(&call.method), &self.more) {
            (Some(method), _) => (Some(method), method.role()),
            (None, Some(more)) => (None, more.role(&call.method).ok_or_else(|| unknown(call))?),
            (None, None) => return Err(unknown(call)),
        };
        match method {
            Some(Method::LogIn) => {
                let request: LogIn = arguments(call.arguments())?;
                let texts = [&request.operator, &request.address, &request.session];
                if texts.iter().any(|text| text.len() > LONGEST_NAME) {
                    let why = format!("a login is told in texts of at most {LONGEST_NAME} bytes");
                    return Err(no(Code::InputInvalid, why).into());
                }
                let who = Caller {
                    name: request.operator.clone(),
                    role: Role::Viewer,
                    address: request.address.clone(),
                    session: request.session.clone(),
                    number: 0,
                    local: false,
                };
                let session = self.log_in(peer, request).map_err(Fault::from);
                if session.as_ref().map_or(true, |(_, fresh)| *fresh) {
                    let (known, who) = match &session {
                        Ok((session, _)) => (true, Caller { name: session.name.clone(), ..who }),
                        Err(_) => (false, who),
                    };
                    let entry = Self::entry(&who, "LogIn".to_owned(), session.as_ref().map(|_| ()), begun);
                    match known {
                        true => self.service.audit.look(entry),
                        false => self.service.audit.stranger(entry),
                    }
                }
                return super::answers::one(&session?.0);
            }
            // What the SSH server has to know before anybody can log in: nothing about operators but yes or no.
            Some(method @ (Method::Door | Method::DoorKnows | Method::DoorOpened)) => {
                let door = Caller {
                    name: "door".to_owned(),
                    role: Role::Viewer,
                    address: "local".to_owned(),
                    session: "door".to_owned(),
                    number: 0,
                    local: false,
                };
                return calls::dispatch(&self.answers, &door, method, call.arguments()).await;
            }
            _ => {}
        }
        let caller = self.caller(peer)?;
        if !matches!(method, Some(Method::Stay | Method::Audit)) {
            lock(&self.service.sessions).used(caller.number, begun);
        }
        let shown = |done| match method {
            Some(method) => shown(method, call.arguments(), done),
            None => call.method.to_string(),
        };
        if caller.role < role {
            let fault =
                Fault::from(no(Code::RoleMissing, format!("it takes {role}, and you are {}", caller.role)));
            self.service.audit.look(Self::entry(&caller, shown(false), Err(&fault), begun));
            return Err(fault);
        }
        let deed = super::audit::is_deed(method, role);
        if deed {
            self.service.audit.pace(&caller.name).await;
        }
        // Nothing may be written any more when the station stops.
        let last = matches!(method, Some(Method::Reboot | Method::PowerOff));
        if last {
            let entry = Self::entry(&caller, shown(true), Ok(()), begun);
            self.service.audit.deed(AuditEntry { result: "asked".to_owned(), ..entry }).await;
        }
        // Whoever goes away in the middle of a call has made it all the same.
        let mut noting = Noting { door: self, call: deed.then(|| (caller.clone(), shown(false), begun)) };
        let answer = match (method, &self.more) {
            (Some(method), _) => calls::dispatch(&self.answers, &caller, method, call.arguments()).await,
            (None, Some(more)) => more.call(&call.method, call.arguments()).await,
            (None, None) => Err(unknown(call)),
        };
        noting.call = None;
        // What only looks is in the audit as the shell's command; the rest here, whoever made the call.
        let noted = if deed { !(last && answer.is_ok()) } else { role > Role::Viewer || answer.is_err() };
        let entry =
            noted.then(|| Self::entry(&caller, shown(answer.is_ok()), answer.as_ref().map(|_| ()), begun));
        match entry {
            Some(entry) if deed => {
                self.service.audit.deed(entry).await;
                self.service.look_at_the_card();
            }
            Some(entry) => self.service.audit.look(entry),
            None => {}
        }
        Ok(match (answer?, &peer.login) {
            (Answer::Many(messages), Some(login)) => {
                let name = method.map_or("another", Method::name);
                let held = Streaming::begin(&self.service, login.number, name);
                Answer::Many(super::streams::until_over(messages, login.over.clone(), held))
            }
            (Answer::One(message), _) => match self.service.places.hold(&caller.name, message.len())? {
                Some(place) => Answer::Held(message, Box::new(place)),
                None => Answer::One(message),
            },
            (answer, _) => answer,
        })
    }
}

/// Notes a call that nobody waited for to its end.
struct Noting<'a> {
    door: &'a CallHandler,
    call: Option<(Caller, String, Instant)>,
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        if let Some((caller, what, begun)) = self.call.take() {
            let gone = Fault::from(no(Code::Cancelled, "its client has gone"));
            self.door.service.audit.post(CallHandler::entry(&caller, what, Err(&gone), begun));
        }
    }
}

fn unknown(call: &Call<'_>) -> Fault {
    Fault::MethodNotFound(call.method.to_string())
}

/// The operator with that key, when the operator may come from that address.
pub(super) fn known<'a>(
    config: &'a crate::config::Config,
    fingerprint: &str,
    address: &str,
) -> Option<&'a crate::config::Operator> {
    let operator = config
        .operators
        .iter()
        .find(|operator| operator.ssh_keys().any(|key| key.fingerprint == fingerprint))?;
    let socket = address.parse::<SocketAddr>().map(|address| address.ip());
    let address = socket.or_else(|_| address.parse::<IpAddr>()).ok();
    let allowed = operator.from.is_empty()
        || address.is_some_and(|address| operator.from.iter().any(|origin| origin.contains(address)));
    allowed.then_some(operator)
}

impl Handler for CallHandler {
    type Peer = Peer;

    fn interfaces(&self) -> Vec<Interface> {
        let own = Interface { name: Method::INTERFACE, description: Method::description() };
        std::iter::once(own).chain(self.more.as_ref().map(|more| more.interface())).collect()
    }

    fn connected(&self, credentials: Credentials) -> Peer {
        let trusted = self.admitted.trusted.contains(&credentials.user);
        let admitted = trusted || self.admitted.shells.contains(&credentials.user);
        if !admitted {
            tracing::warn!("user {} may not speak to the station", credentials.user);
        }
        Peer { service: Arc::clone(&self.service), admitted, trusted, user: credentials.user, login: None }
    }

    fn waits_for_client(&self, call: &Call<'_>) -> bool {
        // What is done with a key that somebody has to insert or to touch. Everything else is over at once, or
        // is better carried to its end.
        let waits = [
            Method::Enroll,
            Method::KeyHandOver,
            Method::PhoneEnroll,
            Method::Verify,
            Method::Release,
            Method::KeySwap,
            Method::KeyWipe,
            Method::ProfileCheck,
        ];
        Method::from_full_name(&call.method).is_some_and(|method| waits.contains(&method))
    }

    async fn handle(&self, peer: &mut Peer, call: Call<'_>) -> Result<Answer, Fault> {
        if !peer.admitted {
            return Err(Fault::PermissionDenied);
        }
        self.decide(peer, &call).await
    }
}
