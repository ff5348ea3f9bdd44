//! What must hold in every world, whatever happened in it.

use keys::device::{Family, KeySerial, Slot};
use station::access::code_from_hex;
use station::engine::record::{Record, Remains, State};
use station::engine::run::Standing;
use twins::privacyidea::{ServerTwin, Token};

use super::key::{Held, Key, Twin};
use super::transport::{Shared, lock};
use super::world::{STRANGER, World};
use super::yubikey;

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A token counts, and no key answers with its secret.
    #[error("token {0} counts, and no key answers for it")]
    CountsWithoutKey(String),
    /// A key holds a secret in our slot, and the journal knows nothing of it.
    #[error("key {0} holds a secret that nobody knows of")]
    UnknownSecret(usize),
    /// A credential that is not ours was changed.
    #[error("a foreign credential was touched")]
    ForeignSlot,
    /// A token that is not ours was changed.
    #[error("a foreign token was touched")]
    ForeignToken,
    /// The journal has an enrollment that is not final.
    #[error("the journal ends with {0} in state {1}")]
    NotFinal(String, &'static str),
    /// The journal says that an enrollment is done, and its token does not count.
    #[error("token {0} is done and does not count")]
    DoneButDead(String),
    /// A finished enrollment that no order named is not as it was.
    #[error("token {0} was finished, and no order named it: {1}")]
    NotKept(String, &'static str),
    /// A token counts whose order was given by somebody who had gone before the key was proven.
    #[error("token {0} counts, and whoever ordered it had gone before its key was proven")]
    NobodyWaited(String),
    /// The disk holds a secret.
    #[error("the disk holds the secret of {0}")]
    SecretOnDisk(String),
    /// A token of ours exists twice, or bears no enrollment that the journal knows.
    #[error("token {0} is left over")]
    LeftOver(String),
    /// A PIN was wrong more often than the station may try.
    #[error("a PIN of key {0} has fewer than two tries left")]
    PinAtRisk(usize),
    /// A slot is locked, and its code is nowhere to be found.
    #[error("key {0} has a slot that nobody can open")]
    LostCode(usize),
    /// A key has a PIN that nobody has.
    #[error("key {0} has a PIN that is not in the hand-over file")]
    PinLost(usize),
    /// The run does not count a key that is enrolled.
    #[error("the run does not count key {0}, which is enrolled")]
    NotCounted(usize),
    /// The run counts a key that was never enrolled.
    #[error("the run counts key {0}, which was never enrolled")]
    CountedInVain(usize),
    /// A line of a list that can be served has no key, or one that cannot has.
    #[error("line {0} of the list, for {1}: {2}")]
    Line(u32, String, &'static str),
    /// After everything was put right, the key could not be enrolled.
    #[error("key {0} could not be enrolled in the end: {1}")]
    NotEnrolled(usize, String),
}

/// What must hold at any time at which the station is off and recovery has run.
pub fn settled(world: &World) -> Result<(), Violation> {
    let shared = lock(&world.shared);
    let now = shared.unix();
    let records = all_records(world);
    for record in &records {
        if !record.state.is_final() {
            return Err(Violation::NotFinal(record.token.to_string(), record.state.word()));
        }
        if record.state == State::Done && !shared.server.counts(record.token.as_str(), now) {
            return Err(Violation::DoneButDead(record.token.to_string()));
        }
    }
    for token in shared.server.tokens() {
        if token.serial == STRANGER {
            continue;
        }
        let known = records.iter().any(|record| {
            record.state == State::Done && record.token.as_str() == token.serial && bears(token, record)
        });
        if !known {
            return Err(Violation::LeftOver(token.serial.clone()));
        }
        if shared.server.counts(&token.serial, now) && !answered(world, token) {
            return Err(Violation::CountsWithoutKey(token.serial.clone()));
        }
    }
    run_counts(world, &records)?;
    for (index, key) in world.keys.iter().enumerate() {
        if let Twin::YubiKey(twin) = key.twin()
            && twin.snapshot().slots.iter().flatten().any(|slot| slot.protected)
            && !opens(world, index, &shared.server)
        {
            return Err(Violation::LostCode(index));
        }
    }
    drop(shared);
    always(world)
}

/// Whether what guards slot 1 of a key can be found where it should be.
fn opens(world: &World, index: usize, server: &ServerTwin) -> bool {
    let Some(Twin::YubiKey(key)) = world.keys.get(index).map(Key::twin) else { return false };
    let serial = KeySerial { family: Family::YubiKeyOtp, number: super::world::serial(index) };
    let derived = *super::flows::station_secret().code_of(serial, Slot(1)).expose();
    let kept = server.tokens().filter_map(|token| code_from_hex(token.info.get("enrollment.access_code")?));
    let handed = world.handed_over.iter().filter_map(|what| what.access_code.as_deref());
    let mut codes: Vec<[u8; 6]> = kept.map(|code| *code.expose()).collect();
    codes.extend(handed.map(|code| *code.expose()));
    codes.push(derived);
    codes.iter().any(|code| key.access_code_is(Slot(1), *code))
}

/// What must hold at every instant, even in the middle of a power cut.
pub fn always(world: &World) -> Result<(), Violation> {
    let shared = lock(&world.shared);
    if !world.foreign_slots_untouched() {
        return Err(Violation::ForeignSlot);
    }
    let stranger_as_before = shared
        .server
        .token(STRANGER)
        .is_some_and(|token| token.active && token.count == 0 && token.user.is_none());
    if !stranger_as_before {
        return Err(Violation::ForeignToken);
    }
    let records = all_records(world);
    // Until the journal has said `registered`, the token may count although nothing was
    // written: its secret is in RAM alone. From then on it may only if its key answers.
    let begun = |record: &&Record| world.was_registered(record.enrollment);
    for record in records.iter().filter(begun) {
        let Some(token) = shared.server.token(record.token.as_str()).filter(|token| bears(token, record))
        else {
            continue;
        };
        let counts = shared.server.counts(&token.serial, shared.unix());
        if counts && !answered(world, token) {
            return Err(Violation::CountsWithoutKey(token.serial.clone()));
        }
    }
    let left = records.iter().filter(|record| world.client.has_left(record.enrollment));
    for record in left.filter(|record| world.was_registered(record.enrollment)) {
        let token = shared.server.token(record.token.as_str()).filter(|token| bears(token, record));
        if token.is_some_and(|token| shared.server.counts(&token.serial, shared.unix())) {
            return Err(Violation::NobodyWaited(record.token.to_string()));
        }
    }
    kept(world, &records, &shared)?;
    for (index, key) in world.keys.iter().enumerate() {
        let known = |slot: Slot| {
            records.iter().any(|record| {
                record.key.number == super::world::serial(index)
                    && record.slot == slot
                    && record.remains != Remains::Nothing
            })
        };
        if key.ours().is_some_and(|slot| !known(slot)) {
            return Err(Violation::UnknownSecret(index));
        }
        if key.pin_was_at_risk() {
            return Err(Violation::PinAtRisk(index));
        }
        let pins = world.handed_over.iter().filter_map(|what| what.admin_pin.as_deref());
        if !key.has_known_pin(pins.map(|pin| pin.expose())) {
            return Err(Violation::PinLost(index));
        }
    }
    Ok(())
}

/// Whether each finished enrollment that no order named is still there, counts, and still answers.
fn kept(world: &World, records: &[Record], shared: &Shared) -> Result<(), Violation> {
    for record in world.unnamed() {
        let not = |what| Err(Violation::NotKept(record.token.to_string(), what));
        let Some(token) = shared.server.token(record.token.as_str()).filter(|token| bears(token, record))
        else {
            return not("it is not at the server any more");
        };
        if !shared.server.counts(&token.serial, shared.unix()) {
            return not("it does not count any more");
        }
        if token.user != record.person.as_ref().map(|person| person.user.clone()) {
            return not("it is not its person's any more");
        }
        if !answered(world, token) {
            return not("no key answers for it any more");
        }
        let newest = records.iter().find(|newest| newest.enrollment == record.enrollment);
        if newest.is_none_or(|newest| newest.state != State::Done) {
            return not("the journal does not say any more that it is done");
        }
    }
    Ok(())
}

/// Whether a disk image, taken as bytes, holds the secret of any token in a form somebody might write it in.
pub fn disk_is_clean(world: &World, image: &[u8]) -> Result<(), Violation> {
    let shared = lock(&world.shared);
    for token in shared.server.tokens() {
        let secret = token.secret_for_tests();
        let text = token.secret_text_for_tests();
        if text.is_empty() {
            continue;
        }
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms =
            vec![text.as_bytes().to_vec(), secret, hex.to_ascii_uppercase().into_bytes(), hex.into_bytes()];
        forms.retain(|form| !form.is_empty());
        if forms.iter().any(|form| image.windows(form.len()).any(|window| window == form.as_slice())) {
            return Err(Violation::SecretOnDisk(token.serial.clone()));
        }
    }
    Ok(())
}

fn all_records(world: &World) -> Vec<Record> {
    world.disk.all().unwrap_or_default()
}

fn bears(token: &Token, record: &Record) -> bool {
    let name = record.enrollment.to_string();
    token.info.values().any(|value| *value == name)
}

/// Whether the run, as it would be taken up now, counts each key that is enrolled, and no other.
fn run_counts(world: &World, records: &[Record]) -> Result<(), Violation> {
    let (run, _) = world.run_on_disk();
    for (index, key) in world.keys.iter().enumerate() {
        let serial = KeySerial { family: key.family(), number: super::world::serial(index) };
        let mut of_key = records.iter().filter(|record| record.key == serial);
        let counted = run.standing(serial) == Some(Standing::Done);
        if !counted && of_key.clone().any(|record| record.state == State::Done) {
            return Err(Violation::NotCounted(index));
        }
        // One that was enrolled and then released stays counted.
        if counted && !of_key.any(|record| world.was_done(record.enrollment)) {
            return Err(Violation::CountedInVain(index));
        }
    }
    Ok(())
}

/// Whether a key or a phone would answer for a token.
fn answered(world: &World, token: &Token) -> bool {
    world.keys.iter().any(|key| answers(key, token))
        || world.phones.iter().any(|phone| phone.holds(&token.secret_for_tests()))
}

/// Whether a key would answer for a token: it holds the secret, and its counter is within the server's look-ahead.
fn answers(key: &Key, token: &Token) -> bool {
    if let Twin::YubiKey(twin) = key.twin() {
        return yubikey::answers(twin, token);
    }
    match key.held(&token.secret_for_tests()) {
        None => false,
        Some(Held::Totp) => true,
        Some(Held::Hotp(counter)) => {
            let counter = i64::try_from(counter).unwrap_or(i64::MAX);
            (token.count..token.count + token.count_window).contains(&counter)
        }
    }
}
