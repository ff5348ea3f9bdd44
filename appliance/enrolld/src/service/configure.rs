//! Changing the configuration: what shells ask for, and what an admin has to sign first.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::Refusal;
use control::types::{
    ConfigCommit, ConfigRollback, ConfigText, Configuration, OperatorAdd, OperatorRemove, OperatorSet,
};
use station::refusal::Code;
use zeroize::Zeroizing;

use super::call_handler::Caller;
use super::changes::{Brought, Change, Changes};
use super::proof;
use super::refuse::no;
use super::{Service, lock};

/// How long a commit can wait to be confirmed, in minutes.
const LONGEST: u32 = 24 * 60;

impl Service {
    /// Brings what is pending into force.
    pub(super) async fn commit(
        self: &Arc<Self>,
        caller: &Caller,
        request: ConfigCommit,
    ) -> Result<Configuration, Refusal> {
        let minutes = request.confirmed_minutes;
        if minutes.is_some_and(|minutes| minutes == 0 || minutes > LONGEST) {
            return Err(no(Code::InputInvalid, "a commit waits 1 to 1440 minutes to be confirmed"));
        }
        let time = minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
        let (brought, signer) = {
            let mut changes = lock(&self.changes);
            let change = changes.next_change()?;
            let signer = self.proven(&changes, &change, caller, request.signature.as_deref(), minutes)?;
            (changes.commit(time, Instant::now())?, signer)
        };
        let notes = self.bring(brought, signer).await;
        if let Some(time) = time {
            let service = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                let taken_back = lock(&service.changes).overdue(Instant::now());
                if let Some(brought) = taken_back {
                    tracing::warn!("nobody confirmed the configuration: it is as it was before");
                    service.bring(brought, None).await;
                }
            });
        }
        Ok(Configuration { notes: Some(notes), ..lock(&self.changes).shown() })
    }

    /// Drops what is pending, or else takes the last commit back.
    pub(super) async fn take_back(
        &self,
        caller: &Caller,
        request: ConfigRollback,
    ) -> Result<Configuration, Refusal> {
        let (brought, signer) = {
            let mut changes = lock(&self.changes);
            let signer = match changes.back_change()? {
                Some(change) => self.proven(&changes, &change, caller, request.signature.as_deref(), None)?,
                // What nobody has confirmed goes by itself, so that it goes now needs no proof.
                None => None,
            };
            (changes.rollback()?, signer)
        };
        let notes = match brought {
            Some(brought) => self.bring(brought, signer).await,
            None => Vec::new(),
        };
        Ok(Configuration { notes: Some(notes), ..lock(&self.changes).shown() })
    }

    /// Brings a configuration into force; what else that did.
    async fn bring(&self, brought: Brought, signer: Option<String>) -> Vec<String> {
        let mut notes: Vec<String> =
            signer.map(|signer| format!("{signer} has signed it.")).into_iter().collect();
        notes.extend(self.apply(brought).await);
        for note in &notes {
            tracing::info!("the configuration: {note}");
        }
        notes
    }

    /// Who has signed a change, if somebody had to or did.
    fn proven(
        &self,
        changes: &Changes,
        change: &Change,
        caller: &Caller,
        signature: Option<&[String]>,
        minutes: Option<u32>,
    ) -> Result<Option<String>, Refusal> {
        let told = change.told();
        if let Some(signature) = signature {
            let admins = &change.from.config;
            return lock(&self.proofs).redeem(&told, signature, admins, Instant::now()).map(Some);
        }
        if caller.local || !changes.signed() {
            return Ok(None);
        }
        let (old, new) = (proof::protected(&told.from, ""), proof::protected(&told.to, ""));
        let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let names: Vec<_> =
            names.into_iter().filter(|name| old.get(*name) != new.get(*name)).map(String::as_str).collect();
        if names.is_empty() {
            return Ok(None);
        }
        Err(no(
            Code::SignatureMissing,
            format!("{}\n{}", names.join(", "), proof::lines(change.deed, minutes)),
        ))
    }

    /// The text of a change, to be signed.
    pub(super) fn text_to_sign(&self, rollback: bool) -> Result<ConfigText, Refusal> {
        let changes = lock(&self.changes);
        let change = match rollback {
            false => changes.next_change()?,
            true => changes.back_change()?.ok_or_else(|| {
                no(Code::NoChange, "taking back what is not committed or not confirmed needs no signature")
            })?,
        };
        let door = self.door.borrow().clone();
        let host_key = door.map_or_else(|| "unknown".to_owned(), |door| door.host_key);
        let station = change.from.config.station.name.to_string();
        let text = lock(&self.proofs).offer(&change.told(), &station, &host_key, Instant::now());
        Ok(ConfigText { text })
    }

    /// Takes a whole configuration as the pending one; what would change then.
    pub(super) fn load_config(&self, lines: &[control::Secret]) -> Result<ConfigText, Refusal> {
        let room = lines.iter().map(|line| line.expose().len() + 1).sum();
        let mut text = Zeroizing::new(String::with_capacity(room));
        for line in lines {
            text.push_str(line.expose());
            text.push('\n');
        }
        let mut changes = lock(&self.changes);
        changes.load(&text)?;
        Ok(ConfigText { text: changes.diff()? })
    }

    pub(super) fn add_operator(&self, request: &OperatorAdd) -> Result<ConfigText, Refusal> {
        let mut changes = lock(&self.changes);
        changes.add_operator(request)?;
        Ok(ConfigText { text: changes.diff()? })
    }

    pub(super) fn set_operator(&self, request: &OperatorSet) -> Result<ConfigText, Refusal> {
        let mut changes = lock(&self.changes);
        changes.set_operator(request)?;
        Ok(ConfigText { text: changes.diff()? })
    }

    pub(super) fn remove_operator(&self, request: &OperatorRemove) -> Result<ConfigText, Refusal> {
        let mut changes = lock(&self.changes);
        changes.remove_operator(&request.name)?;
        Ok(ConfigText { text: changes.diff()? })
    }
}
