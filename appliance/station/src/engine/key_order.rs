//! What is wanted of a key that is enrolled already, and which of its slots is meant.

use std::collections::BTreeMap;
use std::sync::Arc;

use keys::device::{Answer, KeyInfo, KeySerial, Operation, Slot};
use keys::secret::{AccessCode, Pin};

use crate::access::Codes;
use crate::engine::flow::FlowContext;
use crate::engine::openers::early_fault;
use crate::engine::outcome::Order;
use crate::engine::record::{Actor, Record, State};
use crate::profile::Profile;
use crate::refusal::{Code, Refusal};

/// What somebody wants to know of, or done to, an enrolled key.
#[derive(Clone)]
pub struct KeyOrder {
    /// The station's name.
    pub station: String,
    /// Where the key is, as a USB port path (`1-1.3`).
    pub port: String,
    /// Who lets it happen.
    pub actor: Actor,
    /// Which slot; `None` where only one is enrolled.
    pub slot: Option<Slot>,
    /// The profiles in force, by name. They say what a key calls a credential and how
    /// it is touched; an enrollment whose profile is gone is taken for one with every default.
    pub profiles: Arc<BTreeMap<String, Profile>>,
    /// What unlocks the slot, where slots have access codes.
    pub unlock: Option<Arc<AccessCode>>,
    /// What unlocks slots, where keys have a PIN for that and it is not the one
    /// with which they are sold.
    pub key_pin: Option<Arc<Pin>>,
    /// What people call the server, for the names of credentials on keys.
    pub server_name: String,
    /// Access codes of slots.
    pub codes: Codes,
}

impl KeyOrder {
    /// An errand for the only enrolled slot of the key in `port`.
    pub fn new(port: impl Into<String>, actor: Actor) -> Self {
        Self {
            station: String::new(),
            port: port.into(),
            actor,
            slot: None,
            profiles: Arc::default(),
            unlock: None,
            key_pin: None,
            server_name: "privacyIDEA".to_owned(),
            codes: Codes::default(),
        }
    }

    /// The profile of an enrollment, as far as it is still known.
    pub(crate) fn profile_of(&self, record: &Record) -> Profile {
        let known = self.profiles.get(&record.profile).cloned();
        let mut profile = known.unwrap_or_else(|| Profile::new(record.kind));
        (profile.kind, profile.slot) = (record.kind, record.slot);
        profile
    }

    /// The order that led to an enrollment, as far as it is still known.
    pub(crate) fn order_of(&self, record: &Record) -> Order {
        let profile = self.profile_of(record);
        let (station, port) = (self.station.clone(), self.port.clone());
        Order {
            person: record.person.clone(),
            unlock: self.unlock.clone(),
            key_pin: self.key_pin.clone(),
            server_name: self.server_name.clone(),
            codes: self.codes.clone(),
            ..Order::new(station, port, self.actor.clone(), record.profile.clone(), profile)
        }
    }

    /// The finished enrollment that is meant, or `None` when there is none.
    pub(crate) fn meant<'a>(&self, records: &'a [Record]) -> Result<Option<&'a Record>, Refusal> {
        let mut done: Vec<&Record> = Vec::new();
        for record in records.iter().filter(|record| record.state == State::Done) {
            if self.slot.is_none_or(|slot| slot == record.slot) {
                // A later enrollment under the same serial is the one that is there.
                done.retain(|earlier| earlier.token != record.token);
                done.push(record);
            }
        }
        match done.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            several => {
                let names: Vec<String> =
                    several.iter().map(|record| format!("slot {}: {}", record.slot, record.token)).collect();
                Err(Refusal::new(Code::WhichSlot, names.join(", ")))
            }
        }
    }
}

/// Finds out what the key is, and its serial.
pub(crate) async fn inspect(cx: &FlowContext, found: &mut Option<KeyInfo>) -> Result<KeySerial, Refusal> {
    let info = match cx.key(Operation::Inspect).await {
        Ok(Answer::Inspected(info)) => info,
        Ok(_) => return Err(Refusal::new(Code::Internal, "inspection was answered by something else")),
        Err(fault) => return Err(early_fault(&fault)),
    };
    let serial = info.serial.ok_or_else(|| Refusal::new(Code::SerialHidden, info.model.clone()));
    *found = Some(info);
    serial
}
