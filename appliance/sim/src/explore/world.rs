//! What survives a power cut (disk, keys, server), and what does not.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dispatch::server::{PrivacyIdea, ServerPort};
use journal::Journal;
use keys::device::{Firmware, KeySerial};
use privacyidea::{Client, Credentials, SecretString};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};
use station::engine::enrollment::{self, Ending, Order, Outcome, Replace};
use station::engine::key_order::KeyOrder;
use station::engine::phone::{self, PhoneOutcome};
use station::engine::record::{EnrollmentId, Record, State};
use station::engine::recovery::{self, Settled};
use station::engine::release;
use station::engine::run::Run;
use station::engine::slots::{self, Handled};
use station::engine::step::{HandOver, Phase};
use station::engine::verify::{self, Verified};
use station::profile::Overwrite;
use twins::privacyidea::{ADMIN, Lag, Options, Request, ServerTwin, Version};

use super::client;
use super::defect::Defect;
use super::driver::{self, Touching};
use super::flows;
use super::key::{Key, Sort};
use super::phone::Phone;
use super::power::{EPOCH, Left, Power, PowerCut};
use super::transport::{Handle, Shared, TwinTransport, VirtualClock, lock};

/// How long an answer of an operator may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A token that nobody may touch.
pub const STRANGER: &str = "UBOM99999999_1";

/// A station with its keys and its server.
pub struct World {
    pub disk: Journal,
    /// What keeps the disk from being written, when something does.
    pub disk_fault: Option<String>,
    pub keys: Vec<Key>,
    /// The phones that have read a code.
    pub phones: Vec<Phone>,
    /// What may become of others' credentials, since their owner wants it.
    pub owner_wants: OwnerWants,
    /// The run that takes the keys; RAM, so a restart takes it up from the disk.
    pub(super) run: Run,
    /// Server, time and power.
    pub shared: Handle,
    /// The way to the server; a new one after each restart, since the login is in RAM.
    pub server: Arc<dyn ServerPort>,
    /// What the person at the desk does.
    pub touching: Touching,
    /// How the last enrollment of a key ended.
    pub ended: Option<&'static str>,
    /// In which phase the person at the desk calls the enrollment off.
    pub calls_off: Option<Phase>,
    /// Whoever gave the order that is carried out, or waits.
    pub client: client::Client,
    /// A defect that is planted to see whether it is caught.
    pub defect: Option<Defect>,
    /// What was put into the hand-over file: it survives a power cut as the disk does.
    pub handed_over: Vec<HandOver>,
    /// Whether each step is printed, for somebody who looks for what went wrong.
    pub tells: bool,
    /// How often the station was started.
    pub starts: u64,
    /// How often a key was inserted.
    insertions: u64,
    /// The enrollments of which the journal ever said `registered`.
    registered: HashSet<EnrollmentId>,
    /// Those of which it ever said `done`, with what it said then.
    finished: BTreeMap<EnrollmentId, Record>,
    /// Those of them that an order named, so that they may go.
    named: HashSet<EnrollmentId>,
    /// The keys of which an order gave up what they were sold with.
    given_up: HashSet<usize>,
    /// A record that a planted defect holds back; RAM, so a restart loses it.
    held_back: Option<Record>,
    /// What the keys held of others at the beginning.
    foreign: Vec<String>,
    /// What happens after everything was put right, and has to end well: key 0 is inserted.
    pub after: fn(&mut World) -> Result<Ending, PowerCut>,
    /// What is wanted of the key then.
    pub again: fn(&World) -> Order,
    /// What its owner does to it before that.
    pub mend: fn(&mut Key),
    seed: u64,
}

/// What may become of the credentials that are not the station's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerWants {
    /// Nothing: they stay as and where they are.
    Nothing,
    /// They may be in the other slot.
    Swapped,
    /// They may be gone.
    Wiped,
}

/// What a world begins as.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// All random numbers follow from it.
    pub seed: u64,
    /// How many keys there are.
    pub keys: u32,
    pub sort: Sort,
    pub firmware: Firmware,
    /// Which server.
    pub version: Version,
    /// Policy presets of the server.
    pub policies: Vec<&'static str>,
    /// Whether YubiKeys are as they are sold.
    pub sold: bool,
    /// By how much what it shows is behind.
    pub lag: Lag,
}

impl Default for Beginning {
    fn default() -> Self {
        Self {
            seed: 1,
            keys: 1,
            sort: Sort::YubiKey,
            firmware: Firmware::new(5, 4, 3),
            version: Version::V3_14,
            policies: Vec::new(),
            sold: false,
            lag: Lag::default(),
        }
    }
}

/// A world that could not be made; a defect of the explorer.
#[derive(Debug, thiserror::Error)]
#[error("the world could not be made: {0}")]
pub struct NoWorld(String);

impl NoWorld {
    /// For a reason in words.
    pub(super) fn because(why: impl core::fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl World {
    /// Makes a world.
    pub fn new(beginning: &Beginning) -> Result<Self, NoWorld> {
        let bad = |error: &dyn std::fmt::Display| NoWorld(error.to_string());
        let options = Options { version: beginning.version, seed: beginning.seed, image_chars: 0 };
        let mut server = ServerTwin::new(options);
        stranger(&mut server).map_err(|error| bad(&error))?;
        for preset in &beginning.policies {
            server.policy_set(preset).map_err(|error| bad(&error))?;
        }
        server.set_lag(beginning.lag);
        let mut keys = Vec::new();
        for number in 0..beginning.keys {
            let (serial, seed) = (serial(number as usize), beginning.seed ^ u64::from(number));
            let key = if beginning.sold {
                Key::as_sold(beginning.firmware, serial, seed)
            } else {
                Key::new(beginning.sort, beginning.firmware, serial, seed)
            };
            keys.push(key.map_err(NoWorld)?);
        }
        let foreign = keys.iter().map(Key::foreign).collect();
        let shared = Arc::new(Mutex::new(Shared {
            server,
            reachable: true,
            time: Duration::ZERO,
            power: Power::default(),
            kept: Vec::new(),
            kept_by_server: None,
        }));
        let mut disk = Journal::in_memory().map_err(|error| bad(&error))?;
        let run = super::run::begin(&mut disk).map_err(|error| bad(&error))?;
        Ok(Self {
            disk,
            run,
            phones: Vec::new(),
            owner_wants: OwnerWants::Nothing,
            disk_fault: None,
            keys,
            server: connect(&shared),
            shared,
            touching: Touching::Right,
            ended: None,
            calls_off: None,
            client: client::Client::default(),
            defect: None,
            handed_over: Vec::new(),
            tells: false,
            starts: 0,
            insertions: 0,
            registered: HashSet::new(),
            finished: BTreeMap::new(),
            named: HashSet::new(),
            given_up: HashSet::new(),
            held_back: None,
            foreign,
            after: |world| {
                let order = flows::naming(world, 0, (world.again)(world));
                Ok(world.insert(0, order)?.ending)
            },
            again: |_| flows::anew(),
            mend: |_| {},
            seed: beginning.seed,
        })
    }

    /// Passes a point at which the power could go.
    pub fn point(&self) -> Result<(), PowerCut> {
        if lock(&self.shared).power.is_watched() {
            self.look();
        }
        lock(&self.shared).point()
    }

    /// Looks at all that is kept without power.
    fn look(&self) {
        let mut kept: Vec<Left> = self.keys.iter().map(Key::kept).collect();
        kept.push(self.kept_here());
        let mut shared = lock(&self.shared);
        shared.kept = kept;
        shared.kept_by_server = None;
    }

    /// Digest of what the station itself keeps: its disk, and what it handed over.
    fn kept_here(&self) -> Left {
        let mut hash = Sha256::new();
        for mut record in self.disk.all().unwrap_or_default() {
            record.at = Duration::ZERO;
            hash.update(format!("{record:?}"));
        }
        hash.update(self.run_in_words());
        for phone in &self.phones {
            hash.update(phone.in_words().as_bytes());
        }
        for what in &self.handed_over {
            hash.update(what.enrollment.to_string());
            hash.update(what.admin_pin.as_ref().map_or("", |pin| pin.expose()));
        }
        hash.finalize().into()
    }

    /// Lets time pass for everybody.
    pub fn wait(&mut self, until: Duration) {
        let mut shared = lock(&self.shared);
        let passed = until.saturating_sub(shared.time);
        shared.time += passed;
        for key in &mut self.keys {
            // A key that is pulled out has no time.
            let _ = key.plugged().advance(passed);
        }
    }

    /// Puts a record on the disk.
    pub fn write(&mut self, record: &Record) -> Result<(), String> {
        self.client.note(record);
        if record.state == State::Registered {
            self.registered.insert(record.enrollment);
        }
        if record.state == State::Done {
            self.finished.insert(record.enrollment, record.clone());
        }
        match &self.disk_fault {
            Some(why) => Err(why.clone()),
            None if self.defect == Some(Defect::JournalLate) => {
                let held_back = self.held_back.replace(record.clone());
                held_back.into_iter().chain(record.state.is_final().then(|| record.clone())).try_for_each(
                    |record| {
                        self.held_back.take_if(|held| *held == record);
                        self.disk.write(&record).map_err(|error| error.to_string())
                    },
                )
            }
            None => self.disk.write(record).map_err(|error| error.to_string()),
        }
    }

    /// Whether the journal ever said that this enrollment's token is registered.
    pub fn was_registered(&self, enrollment: EnrollmentId) -> bool {
        self.registered.contains(&enrollment)
    }

    /// Whether the journal ever said that this enrollment is done.
    pub fn was_done(&self, enrollment: EnrollmentId) -> bool {
        self.finished.contains_key(&enrollment)
    }

    /// The finished enrollments that no order has named.
    pub fn unnamed(&self) -> impl Iterator<Item = &Record> {
        self.finished.values().filter(|record| !self.named.contains(&record.enrollment))
    }

    /// Notes what an order names of what is finished on a key. Said here once more, so that the engine's own
    /// reading of orders is checked, too.
    fn note_named(&mut self, key: usize, named: impl Fn(&Record) -> bool) {
        let Some(serial) = self.key_serial(key) else { return };
        let records = self.disk.recall(serial).unwrap_or_default();
        let named = records.iter().filter(|record| named(record));
        self.named.extend(named.map(|record| record.enrollment));
    }

    /// The serial of a key.
    pub fn key_serial(&self, key: usize) -> Option<KeySerial> {
        Some(KeySerial { family: self.keys.get(key)?.family(), number: serial(key) })
    }

    /// Starts the station after a power cut: RAM is empty, keys lost their power too.
    pub fn restart(&mut self, power: Power) {
        self.starts += 1;
        self.held_back = None;
        self.client.comes();
        self.server = connect(&self.shared);
        for key in &mut self.keys {
            key.calm();
            // The twins are in this process: plugging one in cannot fail.
            let _ = key.replug();
        }
        let mut shared = lock(&self.shared);
        shared.power = power;
        shared.time += Duration::from_secs(20);
    }

    /// Plugs a key in and enrolls it; the run takes it, unless it has it.
    pub fn insert(&mut self, key: usize, order: Order) -> Result<Outcome, PowerCut> {
        let serial = self.key_serial(key);
        match &order.replace {
            Replace::Token(token) => self.note_named(key, |record| record.token.as_str() == token),
            Replace::Key(named) if Some(*named) == serial => self.note_named(key, |_| true),
            _ => {}
        }
        if order.factory || order.profile.overwrite == Overwrite::Factory {
            self.given_up.insert(key);
        }
        let order = Defect::instead_of_order(self, order, serial);
        let taken = self.run_takes(key)?;
        let now = driver::now(&self.shared);
        let rng = self.chance();
        let outcome = driver::drive(self, enrollment::enroll(order, now, rng), Some(key))?;
        self.ended = Some(outcome.ending.word());
        self.run_finished(&outcome.finished)?;
        if let Some(serial) = taken {
            self.run_settles(serial, &outcome.ending)?;
        }
        Ok(outcome)
    }

    /// Enrolls the phone of somebody at the desk.
    pub fn enroll_phone(&mut self, order: Order) -> Result<PhoneOutcome, PowerCut> {
        let now = driver::now(&self.shared);
        let rng = self.chance();
        driver::drive(self, phone::enroll(order, TIMEOUT, now, rng), None)
    }

    /// Random numbers for the next enrollment. Not a function of time: worlds that differ only
    /// in time must go on alike.
    fn chance(&mut self) -> StdRng {
        self.insertions += 1;
        let stream = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (self.starts << 32) ^ self.insertions;
        StdRng::seed_from_u64(stream)
    }

    /// Exchanges what is in the slots of a key.
    pub fn swap(&mut self, key: usize, key_order: KeyOrder) -> Result<Handled, PowerCut> {
        let now = driver::now(&self.shared);
        driver::drive(self, slots::swap(key_order, now), Some(key))
    }

    /// Empties a slot of a key.
    pub fn wipe(&mut self, key: usize, key_order: KeyOrder) -> Result<Handled, PowerCut> {
        let now = driver::now(&self.shared);
        driver::drive(self, slots::wipe(key_order, now), Some(key))
    }

    /// Takes back what is enrolled on a key.
    pub fn release(&mut self, key: usize, key_order: KeyOrder) -> Result<Outcome, PowerCut> {
        self.note_named(key, |record| key_order.slot.is_none_or(|slot| slot == record.slot));
        let now = driver::now(&self.shared);
        self.insertions += 1;
        let outcome = driver::drive(self, release::release(key_order, now), Some(key))?;
        self.run_finished(&outcome.finished)?;
        Ok(outcome)
    }

    /// Asks whether a key still answers for its token.
    pub fn verify(&mut self, key: usize, key_order: KeyOrder) -> Result<Verified, PowerCut> {
        let now = driver::now(&self.shared);
        driver::drive(self, verify::verify(key_order, now), Some(key))
    }

    /// How often a key was inserted.
    pub fn insertions(&self) -> u64 {
        self.insertions
    }

    /// Pulls a key out and plugs it in again.
    pub fn replug(&mut self, key: usize) {
        if let Some(key) = self.keys.get_mut(key) {
            // The twin is in this process: plugging it in cannot fail.
            let _ = key.replug();
        }
    }

    /// What the station does when it starts.
    pub fn recover(&mut self) -> Result<Vec<Settled>, PowerCut> {
        let unfinished = self.disk.unfinished().unwrap_or_default();
        self.take_up_run()?;
        let now = driver::now(&self.shared);
        let settled = driver::drive(self, recovery::recover(unfinished, now), None)?;
        for Settled { record, .. } in &settled {
            self.run_hears(record)?;
        }
        Ok(settled)
    }

    /// Whether every foreign slot is as it was, or as its owner wants it.
    pub fn foreign_slots_untouched(&self) -> bool {
        let as_before = self.keys.iter().map(Key::foreign).eq(self.foreign.iter().cloned());
        let mut numbered = self.keys.iter().enumerate();
        if !numbered.all(|(index, key)| self.given_up.contains(&index) || key.holds_what_it_was_sold_with()) {
            return false;
        }
        let there = self.keys.iter().all(|key| key.foreign_slot().is_some());
        match self.owner_wants {
            OwnerWants::Nothing => as_before,
            OwnerWants::Swapped => there,
            OwnerWants::Wiped => as_before || !there,
        }
    }
}

/// The serial of the key of that number.
pub fn serial(key: usize) -> u32 {
    1_000 + u32::try_from(key).unwrap_or(u32::MAX / 2)
}

fn connect(shared: &Handle) -> Arc<dyn ServerPort> {
    let (user, password) = ADMIN;
    let credentials = Credentials::password(user, SecretString::copy_of(password));
    let client = Client::new(TwinTransport(Arc::clone(shared)), credentials)
        .with_clock(Arc::new(VirtualClock(Arc::clone(shared))));
    Arc::new(PrivacyIdea::new(client))
}

/// What another administrator did before the station comes: a token that is theirs; and few
/// rounds where a secret is made in two steps, since thousands of them are made here. (Whether many
/// rounds are right, the vectors of a real server say.)
fn stranger(server: &mut ServerTwin) -> Result<(), NoWorld> {
    let (user, password) = ADMIN;
    let login = serde_json::json!({"username": user, "password": password});
    let answer = server.handle(&Request::new("POST", "/auth").json(&login), EPOCH);
    let token =
        answer.json().and_then(|json| json.pointer("/result/value/token")?.as_str().map(str::to_owned));
    let Some(token) = token else {
        return Err(NoWorld("the server twin does not let its administrator in".to_owned()));
    };
    let make = serde_json::json!({
        "type": "hotp", "serial": STRANGER, "otpkey": "00112233445566778899aabbccddeeff00112233",
    });
    // The first policy by name that says so counts.
    let rounds = serde_json::json!({
        "scope": "enrollment", "action": "hotp_2step_difficulty=20, totp_2step_difficulty=20",
        "active": true, "realm": "",
    });
    for (path, body) in [("/token/init", make), ("/policy/AFewRounds", rounds)] {
        let made = server.handle(&Request::new("POST", path).token(&token).json(&body), EPOCH);
        if made.status != 200 {
            return Err(NoWorld(format!("{path}: status {}", made.status)));
        }
    }
    Ok(())
}
