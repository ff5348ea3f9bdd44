//! How an enrollment begins: by whom, by which profile, for whom.

use keys::device::KeyInfo;
use station::engine::enrollment::{Order, Replace};
use station::engine::mode::{NamedProfile, Why, choose};
use station::engine::record::Actor;
use station::engine::run::Claim;
use station::engine::step::Phase;
use station::refusal::{Code, Refusal};
use tokio::sync::watch;

use super::Secrets;
use super::port::{Begun, Pending, Work};
use super::task::Task;
use super::view::Doing;
use super::work;
use crate::driver::Cancel;

impl Task {
    /// Begins the enrollment of a key that nothing is done with.
    pub(super) async fn begin(
        &mut self,
        name: &str,
        info: &KeyInfo,
        why: Why,
        pending: Option<Pending>,
        claim: Option<Claim>,
    ) {
        let request = pending.as_ref().map(|pending| &pending.request);
        let run = self.present.as_ref().filter(|_| why == Why::Run);
        let wanted = request
            .and_then(|request| request.profile.clone())
            .or_else(|| run.and_then(|present| present.run.plan.profile.clone()));
        let named = match self.profile(wanted.as_deref(), info) {
            Ok(named) => named.clone(),
            Err(refusal) => {
                if let Some(port) = self.ports.get_mut(name) {
                    port.over = true;
                }
                if why == Why::Run {
                    self.run_refuse(info.serial, &refusal).await;
                }
                self.tally.refused += 1;
                self.set_doing(name, Doing::Refused { ending: "refused", refusal: refusal.clone() });
                if let Some(pending) = pending {
                    drop(pending.waiter.send(Err(refusal)));
                }
                return;
            }
        };
        let line = match claim {
            Some(Claim::Take(line)) => line,
            _ => None,
        };
        let (by, person, confirmed, secrets) = match (request, run) {
            (Some(request), _) => (
                request.by.clone(),
                request.person.clone(),
                request.overwrite_confirmed,
                request.secrets.clone(),
            ),
            (None, Some(present)) => (
                present.run.by.clone(),
                present.run.person(line),
                present.run.plan.overwrite_confirmed,
                present.secrets.clone(),
            ),
            (None, None) => (Actor::Armed, None, false, Secrets::default()),
        };
        let factory = match (request, run) {
            (Some(request), _) => request.factory,
            (None, run) => run.is_some_and(|present| present.run.plan.factory),
        };
        let replace = match (request.map(|request| &request.replace), run, info.serial) {
            (Some(Some(token)), ..) => Replace::Token(token.clone()),
            (Some(None), ..) => Replace::Unnamed,
            (None, Some(present), Some(key)) if present.run.names(line, key) => Replace::Key(key),
            _ => Replace::Nobody,
        };
        let random_pin = run.is_some_and(|present| present.run.random_pin(line));
        let run_id = run.map(|present| present.run.id);
        let books = self.books(run.map(|present| present.run.plan.name.clone()));
        let Some(insertion) = self.ports.get(name).map(|port| port.insertion) else { return };
        let Some(station) = self.station(insertion) else { return };
        let Some(key) = self.ports.get_mut(name).and_then(|port| port.key.take()) else { return };
        if why == Why::Run
            && let Some(serial) = info.serial
        {
            // Before the journal hears of the enrollment, so that a power cut loses neither.
            self.run_begin(serial, line).await;
        }
        let Some(port) = self.ports.get_mut(name) else { return };
        port.person.clone_from(&person);
        port.gone = None;
        let order = Order {
            station: self.settings.station.clone(),
            port: name.to_owned(),
            actor: by.clone(),
            profile_name: named.name.clone(),
            profile: named.profile,
            person,
            pin: secrets.pin,
            random_pin,
            unlock: secrets.unlock,
            key_pin: secrets.key_pin,
            server_name: self.settings.server_name.clone(),
            overwrite_confirmed: why.may_overwrite(confirmed),
            factory,
            replace,
            codes: self.settings.codes.clone(),
            welcome: self.settings.welcome.clone(),
        };
        let (cancel, cancelled) = watch::channel(false);
        let place = Some((name.to_owned(), port.insertion));
        let id = pending.as_ref().map(|pending| pending.id);
        let doing = Doing::Working {
            why,
            profile: named.name.clone(),
            phase: Phase::Inspecting,
            by: by.clone(),
            ticket: id,
        };
        let unowned = request.is_some_and(|request| request.detached);
        let ticket = pending.map(|pending| (pending.id, pending.waiter));
        let begun = Begun { why, by, profile: named.name, run: run_id, ticket };
        let work = work::enroll(station, books, order, key, info.clone(), Cancel::on(cancelled));
        let handle = self.tasks.spawn(work);
        port.task = Some(handle.id());
        if let Some(serial) = info.serial {
            self.locked.insert(serial);
        }
        let work =
            Work { begun: Some(begun), cancel: Some(cancel), unowned, ..Work::new(place, info.serial) };
        self.works.insert(handle.id(), work);
        self.set_doing(name, doing);
    }

    /// The profile of that name, or the one that fits the key.
    fn profile(&self, wanted: Option<&str>, info: &KeyInfo) -> Result<&NamedProfile, Refusal> {
        match wanted {
            Some(name) => self
                .settings
                .profiles
                .iter()
                .find(|named| named.name == name)
                .ok_or_else(|| Refusal::new(Code::ProfileUnknown, name.to_owned())),
            None => choose(&self.settings.profiles, self.settings.default_profile.as_deref(), info),
        }
    }
}
