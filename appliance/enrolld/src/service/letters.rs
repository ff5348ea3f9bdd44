//! Registration codes, and handing keys over to those who show one.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use control::types::{
    Enroll, Event, KeyHandOver, RegistrationCreate, RegistrationForm, RegistrationMade, RegistrationPart,
};
use control::wire::Reply;
use control::{Refusal, Replies, Secret};
use futures_util::stream;
use paper::Template;
use privacyidea::{Client, SecretString, Serial, Transport};
use station::engine::mode::{Mode, choose};
use station::engine::record::{Record, State};
use station::papers::registration as codes;
use station::refusal::Code;
use zeroize::Zeroizing;

use super::call_handler::Caller;
use super::enroll::{find, unnamed};
use super::print;
use super::refuse::{no, of_server};
use super::translate::whole;
use super::{Service, lock, scheduler_settings};
use crate::registration::{self, Identity};
use dispatch::scheduler::Snapshot;

/// How much of a table goes into one piece, and how many pieces into one message.
const PIECE: usize = 600;
const PIECES: usize = 256;

impl Service {
    /// Makes registration codes.
    pub(super) async fn create_registrations(
        &self,
        request: RegistrationCreate,
    ) -> Result<Replies<RegistrationPart>, Refusal> {
        let form = request.form.unwrap_or(RegistrationForm::Table);
        let language = print::language(crate::config::language(self.config().station.language));
        let template = match &request.letter {
            Some(text) => {
                Template::parse(text, "code").map_err(|wrong| no(Code::InputInvalid, wrong.to_string()))?
            }
            None => Template::registration(language),
        };
        let sealed_directory = match (form, &self.sealed_directories) {
            (RegistrationForm::Sealed, None) => {
                return Err(no(Code::HandOverFailed, "there is no state partition"));
            }
            (RegistrationForm::Sealed, _) if self.config().readers().is_none() => {
                return Err(no(Code::HandOverFailed, "hand-over.to names nobody who could read it"));
            }
            (RegistrationForm::Sealed, Some(sealed_directories)) => Some(sealed_directories.secrets.clone()),
            _ => None,
        };
        let port = self.credentials.client()?;
        let client = port.client();
        let people = if request.without_token {
            self.answered(registration::without_token(client, &request.realm).await)?
        } else {
            self.answered(client.users(&request.realm, "*").await)?
        };
        if people.is_empty() {
            let why = if request.without_token {
                "everybody there has a token, or nobody is there"
            } else {
                "nobody is there"
            };
            return Err(no(Code::InputInvalid, format!("realm {}: {why}", request.realm)));
        }
        // Before there is any code: one that cannot be printed would be in the world without having reached anybody.
        if form == RegistrationForm::Letters {
            print::rehearsed(&template, &people, language)?;
        }
        let made = registration::create(client, &people).await;
        let table = || {
            let table = codes::table(&made.letters);
            Zeroizing::new(table.as_bytes().to_vec())
        };
        let mut sealed = None;
        let mut warning = made.warning.map(str::to_owned);
        let bytes = match (form, sealed_directory) {
            (RegistrationForm::Letters, _) => {
                let written = print::printed(made.letters.iter());
                match paper::letters(&template, &written, language) {
                    Ok(pdf) => pdf,
                    // Letters were asked for, and nothing else is given: the codes are taken back.
                    Err(why) => return Err(self.taken_back(client, &made.letters, &why).await),
                }
            }
            (_, Some(sealed_directory)) => {
                let name =
                    format!("registration.{}.codes", super::credential::now().strftime("%Y%m%dT%H%M%SZ"));
                match sealed_directory.put(&name, &table()) {
                    Ok(()) => {
                        sealed = Some(name);
                        Zeroizing::default()
                    }
                    Err(error) => {
                        warning = Some(format!("it could not be sealed ({error}); this is the table"));
                        table()
                    }
                }
            }
            _ => table(),
        };
        let last = RegistrationMade {
            codes: whole(made.letters.len()),
            people: whole(people.len()),
            warning,
            failed: made.failed.as_ref().map(of_server),
            sealed,
        };
        let pieces: Vec<Secret> = bytes.chunks(PIECE).map(encoded).collect();
        let mut parts = Vec::new();
        let mut pieces = pieces.into_iter().peekable();
        while pieces.peek().is_some() {
            parts.push(RegistrationPart { pieces: pieces.by_ref().take(PIECES).collect(), made: None });
        }
        match parts.last_mut() {
            Some(part) => part.made = Some(last),
            None => parts.push(RegistrationPart { pieces: Vec::new(), made: Some(last) }),
        }
        let count = parts.len();
        let replies = parts.into_iter().enumerate();
        Ok(Box::pin(stream::iter(
            replies.map(move |(at, parameters)| Ok(Reply { parameters, continues: at + 1 < count })),
        )))
    }

    /// Has the server check who somebody is; then enrolls a key for that person.
    pub(super) async fn hand_key_over(
        self: &Arc<Self>,
        caller: &Caller,
        request: KeyHandOver,
    ) -> Result<Replies<Event>, Refusal> {
        // A code works once, so that nothing that can be known beforehand may stand in the way.
        let (who, _) = self.person(&request.person, request.unchecked.unwrap_or(false)).await?;
        let snapshot = self.snapshot().await?;
        if let Some(problem) = lock(&self.problems).first() {
            return Err(no(Code::ConfigurationInvalid, problem.to_string()));
        }
        if snapshot.stopping {
            return Err(no(Code::Stopping, ""));
        }
        if snapshot.mode == Mode::Locked {
            return Err(no(Code::Locked, ""));
        }
        if let Some(profile) =
            request.profile.as_ref().filter(|name| !self.config().profiles.contains_key(*name))
        {
            return Err(no(Code::ProfileUnknown, profile.clone()));
        }
        self.is_free_for(&request, &snapshot).await?;
        let port = self.credentials.client()?;
        let password = SecretString::copy_of(request.password.expose());
        let code = SecretString::copy_of(request.code.expose());
        let identity = self.answered(registration::check(port.client(), &who, &password, &code).await)?;
        let why = match identity {
            Identity::Shown => None,
            Identity::NoCode => {
                Some("there is no registration code for this person; it may have been used".to_owned())
            }
            Identity::Wrong(words) => Some(format!(
                "the server says: {words}; it takes password and code together only with its policy otppin=userstore"
            )),
            _ => Some(
                "the server took the code and keeps it, so it does not count; delete that token".to_owned(),
            ),
        };
        if let Some(why) = why {
            return Err(no(Code::NotIdentified, why));
        }
        tracing::info!("{} has shown a registration code to {}", who, caller.name);
        let KeyHandOver { profile, key, overwrite_confirmed, replace, pin, detach, wait_ms, .. } = request;
        let enroll = Enroll {
            profile,
            person: Some(who.to_string()),
            // It was looked up above, and the server has checked its password.
            unchecked: Some(true),
            key,
            overwrite_confirmed,
            factory: None,
            replace,
            pin,
            unlock: None,
            key_pin: None,
            detach,
            wait_ms,
        };
        self.enroll_key(caller, enroll).await
    }
}

impl Service {
    /// Deletes codes that nobody will get, and says why.
    async fn taken_back<T: Transport>(
        &self,
        client: &Client<T>,
        letters: &[codes::Letter],
        why: &paper::NotPrinted,
    ) -> Refusal {
        let mut left = Vec::new();
        for letter in letters {
            let gone = match Serial::new(&letter.token) {
                Ok(serial) => registration::withdraw(client, &serial).await.is_ok(),
                Err(_) => false,
            };
            if !gone {
                left.push(letter.token.as_str());
            }
        }
        let rest = match left.as_slice() {
            [] => "no code is left at the server".to_owned(),
            left => format!("delete these tokens: {}", left.join(", ")),
        };
        no(Code::InputInvalid, format!("{why}; {rest}"))
    }

    /// Whether the key that is there, if one is, is nobody's yet, or what is finished on it is named: no code is to be
    /// used up for an order that will be refused.
    async fn is_free_for(&self, request: &KeyHandOver, snapshot: &Snapshot) -> Result<(), Refusal> {
        let view = match &request.key {
            Some(text) => find(snapshot, text),
            None => match unnamed(&snapshot.ports).as_slice() {
                [only] => Some(*only),
                _ => None,
            },
        };
        let Some(info) = view.and_then(|view| view.key.as_ref()) else { return Ok(()) };
        let Some(serial) = info.serial else { return Ok(()) };
        let settings = scheduler_settings(&self.config(), false);
        let named = match &request.profile {
            Some(name) => settings.profiles.iter().find(|named| named.name == *name),
            None => choose(&settings.profiles, settings.default_profile.as_deref(), info).ok(),
        };
        // What else is wrong with it, the enrollment says.
        let Some(named) = named else { return Ok(()) };
        let (slot, kind) = (named.profile.slot, named.profile.kind);
        let records = self.store.recall(serial).await.unwrap_or_default();
        let here = |record: &&Record| {
            record.slot == slot && info.share_slots(record.kind, kind) && !record.token.is_trial()
        };
        let newest = records.iter().rev().find(here).filter(|record| record.state == State::Done);
        let is_named = |record: &Record| {
            request
                .replace
                .as_ref()
                .is_some_and(|token| token.trim().eq_ignore_ascii_case(record.token.as_str()))
        };
        match newest {
            Some(record) if !is_named(record) => Err(no(Code::AlreadyEnrolled, record.token.to_string())),
            _ => Ok(()),
        }
    }
}

fn encoded(bytes: &[u8]) -> Secret {
    Secret::new(Zeroizing::new(STANDARD.encode(bytes)))
}
