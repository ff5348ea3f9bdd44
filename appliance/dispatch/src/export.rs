//! Enrolling without a server: tokens become sealed files that one imports.
//!
//! The engine speaks to it as to any server, in the same order and with the same proof. A
//! token lives in memory while it does not count; once its key has proven itself, it is written
//! for the operators' keys ([`SealedDirectory`]), and is gone from memory. Nothing is ever
//! written in the clear. What the file has to say beyond the seed is learned from the proof, as
//! a server learns it: the private id inside a Yubico OTP, and the counter.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keys::device::{Digits, HashAlgorithm};
use keys::otp;
use keys::secret::PrivateId;
use keys::yubikey::yubico_otp::TypedOtp;
use station::access::code_to_hex;
use station::engine::record::EnrollmentId;
use station::engine::server::{
    Readiness, Registered, Registration, ServerAnswer, ServerCall, ServerFault, TokenSecret, TokenView,
    Verdict,
};
use station::papers::export::{self, Exported};
use station::refusal::{Code, Refusal};
use station::token::{TokenKind, TokenSerial};
use zeroize::Zeroizing;

use crate::clock::SystemClock;
use crate::hand_over::SealedDirectory;
use crate::server::ServerPort;

/// In which form tokens are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// OATH CSV, with the ids of a Yubico OTP.
    Csv,
    /// PSKC (RFC 6030).
    Pskc,
}

impl Form {
    const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Pskc => "pskc",
        }
    }
}

/// How many counters ahead of the expected one a code may be, as servers have it.
const LOOK_AHEAD: u64 = 10;

/// How many steps of time a code may be early or late.
const STEPS: u64 = 2;

/// How the names of files with the access code of a slot end.
const CODE: &str = ".access";

/// Sealed files in place of a server.
pub struct Files {
    sealed_directory: SealedDirectory,
    form: Form,
    clock: SystemClock,
    held: Arc<Mutex<BTreeMap<TokenSerial, Held>>>,
}

/// A token that does not count yet.
struct Held {
    registration: Registration,
    counter: u64,
    private_id: Option<PrivateId>,
}

impl Files {
    /// Tokens in `sealed_directory`, in that form.
    pub fn new(sealed_directory: SealedDirectory, form: Form, clock: SystemClock) -> Self {
        Self { sealed_directory, form, clock, held: Arc::default() }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<TokenSerial, Held>> {
        // A panic elsewhere cannot leave the map half-written: every change is one insertion.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(&self, call: ServerCall) -> Result<ServerAnswer, ServerFault> {
        match call {
            ServerCall::Prepare => {
                let product = format!("sealed files ({})", self.form.word());
                Ok(ServerAnswer::Ready(Readiness { product, rights: None, random_pins: Vec::new() }))
            }
            ServerCall::Look(serial) => self.look(&serial).map(ServerAnswer::Token),
            ServerCall::Register(registration) => self.register(*registration),
            ServerCall::FinishTwoStep { .. } => Err(refused(Code::TwoStepMissing, "there is no server")),
            ServerCall::Check { serial, code } | ServerCall::Verify { serial, code, .. } => {
                let verdict = match self.held().get_mut(&serial) {
                    Some(held) => held.check(&code, self.clock.now().unix.as_secs()),
                    None => false,
                };
                let rejected = || Verdict::Rejected("the code is not of this token".to_owned());
                Ok(ServerAnswer::Verdict(if verdict { Verdict::Accepted } else { rejected() }))
            }
            ServerCall::Enable(serial) => self.write(&serial).map(|()| ServerAnswer::Done),
            ServerCall::Delete(serial) => {
                self.held().remove(&serial);
                // The access code opens the slot when the token is gone, and nobody else has it.
                for name in self.files_of(&serial)?.into_iter().filter(|name| !is_code(name)) {
                    self.sealed_directory.remove(&name).map_err(|error| failed(&error))?;
                }
                Ok(ServerAnswer::Done)
            }
            ServerCall::Assign { serial, person, .. } => {
                let text = station::papers::hand_over::owner(&serial, &person);
                self.sealed_directory
                    .put(&format!("{serial}.owner"), text.as_bytes())
                    .map_err(|error| failed(&error))?;
                Ok(ServerAnswer::Done)
            }
            ServerCall::KeepCode { serial, code } => {
                let mut text = Zeroizing::new(String::with_capacity(80));
                text.push_str(serial.as_str());
                text.push(',');
                text.push_str(&code_to_hex(&code));
                self.sealed_directory
                    .put(&format!("{serial}{CODE}"), text.as_bytes())
                    .map_err(|error| failed(&error))?;
                Ok(ServerAnswer::Done)
            }
            ServerCall::ReadCode(_) => Ok(ServerAnswer::Code(None)),
            // What a token in memory is kept from doing, it does not do; notes have no place in these files.
            ServerCall::Disable(_) | ServerCall::Note { .. } => Ok(ServerAnswer::Done),
            _ => Err(refused(Code::Internal, "a call that files have no words for")),
        }
    }

    fn register(&self, registration: Registration) -> Result<ServerAnswer, ServerFault> {
        let serial = registration.serial.clone();
        if matches!(registration.secret, TokenSecret::TwoStep) {
            return Err(refused(Code::TwoStepMissing, "there is no server"));
        }
        if registration.pin.is_some() {
            return Err(refused(Code::RegistrationRefused, "a file has no room for a PIN"));
        }
        if !self.files_of(&serial)?.iter().all(|name| is_code(name)) {
            return Err(refused(Code::SerialTaken, serial.as_str()));
        }
        let held = Held { registration, counter: 0, private_id: None };
        // What cannot be written is refused before a key is touched.
        self.text(&held).map_err(|refusal| refused(refusal.code, &refusal.detail))?;
        let echo = Some(held.registration.secret.clone());
        self.held().insert(serial, held);
        Ok(ServerAnswer::Registered(Registered { echo, unverified: false, two_step: None }))
    }

    fn look(&self, serial: &TokenSerial) -> Result<Option<TokenView>, ServerFault> {
        if let Some(held) = self.held().get(serial) {
            return Ok(Some(held.view()));
        }
        let files = self.files_of(serial)?;
        // SERIAL.KIND.ENROLLMENT.FORM
        let token = files.iter().find_map(|name| {
            let mut parts = name.split('.').skip(1);
            Some((parts.next()?.to_owned(), EnrollmentId::parse(parts.next()?)?))
        });
        let Some((kind, enrollment)) = token else { return Ok(None) };
        Ok(Some(TokenView {
            serial: serial.to_string(),
            kind,
            active: true,
            unverified: false,
            half_made: false,
            digits: 0,
            hash: None,
            counter: 0,
            owner: None,
            enrollment: Some(enrollment),
        }))
    }

    /// Writes a token that counts from now on. One that is written already may be asked for again.
    fn write(&self, serial: &TokenSerial) -> Result<(), ServerFault> {
        let sealed = {
            let held = self.held();
            let Some(held) = held.get(serial) else {
                drop(held);
                let there = self.look(serial)?.is_some();
                return if there { Ok(()) } else { Err(refused(Code::TokenUnknown, serial.as_str())) };
            };
            let text = self.text(held).map_err(|refusal| refused(refusal.code, &refusal.detail))?;
            let registration = &held.registration;
            let kind = registration.kind.word();
            (format!("{serial}.{kind}.{}.{}", registration.enrollment, self.form.word()), text)
        };
        let (name, text) = sealed;
        self.sealed_directory.put(&name, text.as_bytes()).map_err(|error| failed(&error))?;
        self.held().remove(serial);
        Ok(())
    }

    fn text(&self, held: &Held) -> Result<Zeroizing<String>, Refusal> {
        let registration = &held.registration;
        let token = Exported {
            serial: registration.serial.clone(),
            kind: registration.kind,
            secret: registration.secret.clone(),
            digits: registration.digits,
            hash: registration.hash,
            period: registration.period,
            counter: held.counter,
            public_id: registration.prefix.clone(),
            private_id: held.private_id.as_ref().map(|id| PrivateId::from_array(id.expose())),
        };
        match self.form {
            Form::Csv => export::csv_line(&token),
            Form::Pskc => export::pskc(&token),
        }
    }

    fn files_of(&self, serial: &TokenSerial) -> Result<Vec<String>, ServerFault> {
        let names = self.sealed_directory.names().map_err(|error| failed(&error))?;
        let mine = |name: &String| name.split('.').next() == Some(serial.as_str());
        Ok(names.into_iter().filter(mine).collect())
    }
}

impl ServerPort for Files {
    fn ordered(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }

    /// What is in memory and on this disk shows at once.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    fn call(
        &self,
        call: ServerCall,
    ) -> Pin<Box<dyn Future<Output = Result<ServerAnswer, ServerFault>> + Send + '_>> {
        Box::pin(async move {
            let port = Self {
                sealed_directory: self.sealed_directory.clone(),
                form: self.form,
                clock: self.clock,
                held: Arc::clone(&self.held),
            };
            // A write waits for the disk.
            let done = tokio::task::spawn_blocking(move || port.carry_out(call)).await;
            done.unwrap_or_else(|_| Err(refused(Code::Internal, "the file was not written")))
        })
    }
}

impl Held {
    /// Whether a code is of this token; what it tells of the key is kept.
    fn check(&mut self, code: &str, unix: u64) -> bool {
        let registration = &self.registration;
        let (digits, hash) = (registration.digits, registration.hash);
        match (&registration.secret, registration.kind) {
            (TokenSecret::Seed(seed), TokenKind::Hotp) => {
                let code = last(code, digits);
                let mut ahead = self.counter..self.counter.saturating_add(LOOK_AHEAD);
                match ahead.find(|counter| code == Some(otp::hotp(seed, *counter, digits, hash).as_str())) {
                    Some(counter) => self.counter = counter.saturating_add(1),
                    None => return false,
                }
                true
            }
            (TokenSecret::Seed(seed), TokenKind::Totp) => {
                let step = unix / u64::from(registration.period.max(1));
                (step.saturating_sub(STEPS)..=step.saturating_add(STEPS))
                    .any(|step| otp::hotp(seed, step, digits, hash) == code)
            }
            (TokenSecret::Aes(key), TokenKind::Yubikey) => {
                let Ok(typed) = TypedOtp::parse(code) else { return false };
                let Ok(token) = typed.decrypt(key) else { return false };
                let counter = u64::from(token.use_counter) * 256 + u64::from(token.session_use);
                let fresh = counter >= self.counter;
                if fresh {
                    self.counter = counter.saturating_add(1);
                    self.private_id = Some(token.private_id);
                }
                fresh
            }
            (TokenSecret::Password(password), TokenKind::Password) => password.expose() == code,
            _ => false,
        }
    }

    fn view(&self) -> TokenView {
        let registration = &self.registration;
        let hash = match registration.hash {
            HashAlgorithm::Sha1 => "sha1",
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Sha512 => "sha512",
        };
        let digits = match registration.kind {
            TokenKind::Yubikey => 32 + u32::try_from(registration.prefix.len()).unwrap_or(0),
            _ => registration.digits.count().into(),
        };
        TokenView {
            serial: registration.serial.to_string(),
            kind: registration.kind.word().to_owned(),
            active: false,
            unverified: false,
            half_made: false,
            digits,
            hash: Some(hash.to_owned()),
            counter: self.counter,
            owner: None,
            enrollment: Some(registration.enrollment),
        }
    }
}

/// Whether a file holds the access code of a slot.
fn is_code(name: &str) -> bool {
    name.ends_with(CODE)
}

/// The code behind what a key may type in front of it.
fn last(code: &str, digits: Digits) -> Option<&str> {
    let at = code.len().checked_sub(digits.count().into())?;
    code.get(at..)
}

fn refused(code: Code, detail: &str) -> ServerFault {
    ServerFault::Refused { code, detail: detail.to_owned() }
}

fn failed(error: &io::Error) -> ServerFault {
    refused(Code::HandOverFailed, &error.to_string())
}
