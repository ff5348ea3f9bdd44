//! A key for the tests of conversations: as little of a YubiKey as they need,
//! with the states and faults that they are about, under virtual time.
//!
//! It follows the documented behaviour of the device, not this crate's idea of
//! how to talk to it: it knows frames, slots, sequence, and silence as refusal.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use keys::conversation::{Conversation, Hint, Report};
use keys::device::{Answer, Firmware, KeyInfo, Operation};
use keys::otp;
use keys::secret::{AccessCode, Seed};
use keys::wire::{Clock, Failure, Wire, WireFault, run};
use keys::yubikey::command::{Command, OtpSlot};
use keys::yubikey::config::SlotConfig;
use keys::yubikey::firmware::{Feature, caches_sequence};
use keys::yubikey::flags::{CfgFlags, TktFlags};
use keys::yubikey::start;
use keys::yubikey::status::Status;

use crate::key_half::{
    Assembler, Assembly, Held, Received, response, status_report, stripped_challenge, written,
};

/// Virtual time, shared by the key and the driver.
#[derive(Clone, Default)]
pub(crate) struct Time(Rc<Cell<Duration>>);

impl Clock for Time {
    fn now(&self) -> Duration {
        self.0.get()
    }

    fn wait_until(&mut self, until: Duration) {
        self.0.set(self.0.get().max(until));
    }
}

/// When the person touches the key.
#[derive(Clone, Copy)]
pub(crate) enum Person {
    Away,
    TouchesAfter(Duration),
}

pub(crate) struct ToyKey {
    pub(crate) time: Time,
    pub(crate) firmware: Firmware,
    pub(crate) sequence: u8,
    pub(crate) slots: [Option<Held>; 2],
    /// What the high byte of the touch level shows.
    pub(crate) touch_noise: u16,
    pub(crate) serial: u32,
    pub(crate) hides_serial: bool,
    pub(crate) info_pages: Vec<Vec<u8>>,
    /// Refuses every command until then: it spoke through another interface.
    pub(crate) asleep_until: Duration,
    /// Shows 0x9F until then.
    pub(crate) starting_until: Duration,
    /// Shows 0x80 for so long after each chunk.
    pub(crate) slow: Duration,
    /// Shows 0x80 for so long after each whole frame.
    pub(crate) works_for: Duration,
    /// A NEO's old sequence, shown until something is written.
    pub(crate) cached_sequence: Option<u8>,
    pub(crate) person: Person,
    /// Changes the reports of the next responses, one each.
    pub(crate) spoil: VecDeque<fn(&mut Vec<[u8; 8]>)>,
    /// Somebody else writes at the same time.
    pub(crate) disturbed: bool,
    /// The flash lies: writes count, but leave no slot valid.
    pub(crate) forgets: bool,
    /// Everything that was written to it.
    pub(crate) written: Vec<[u8; 8]>,
    busy_until: Duration,
    assembler: Assembler,
    /// A response under way.
    pub(crate) response: VecDeque<[u8; 8]>,
    /// A challenge that waits for a touch until then.
    pub(crate) touch_wait: Option<(Duration, Vec<[u8; 8]>)>,
    /// Set by a fault: 0x80 is shown until an abort comes.
    pub(crate) stuck: bool,
    /// So many aborts of a response get lost.
    pub(crate) loses_aborts: u8,
}

impl ToyKey {
    pub(crate) fn new(major: u8, minor: u8, build: u8) -> Self {
        Self {
            time: Time::default(),
            firmware: Firmware::new(major, minor, build),
            sequence: 0,
            slots: [None, None],
            touch_noise: 0x0500,
            serial: 12_345_678,
            hides_serial: false,
            info_pages: Vec::new(),
            asleep_until: Duration::ZERO,
            starting_until: Duration::ZERO,
            slow: Duration::ZERO,
            works_for: Duration::ZERO,
            cached_sequence: None,
            person: Person::Away,
            spoil: VecDeque::new(),
            disturbed: false,
            forgets: false,
            written: Vec::new(),
            busy_until: Duration::ZERO,
            assembler: Assembler::new(),
            response: VecDeque::new(),
            touch_wait: None,
            stuck: false,
            loses_aborts: 0,
        }
    }

    /// With `config` in a slot.
    pub(crate) fn with(mut self, slot: u8, config: SlotConfig) -> Self {
        self.slots[usize::from(slot) - 1] = Some(Held::of(&config));
        self.sequence += 1;
        self
    }

    /// Runs one operation as the station does. The product id is that of a
    /// composite key, so that it may have to be waited for.
    pub(crate) fn ask(&mut self, known: Option<&KeyInfo>, operation: Operation) -> Result<Answer, Failure> {
        self.ask_as(0x0407, known, operation)
    }

    pub(crate) fn ask_as(
        &mut self,
        product_id: u16,
        known: Option<&KeyInfo>,
        operation: Operation,
    ) -> Result<Answer, Failure> {
        let mut conversation = start(product_id, known, operation)?;
        self.drive(conversation.as_mut())
    }

    pub(crate) fn drive<T>(
        &mut self,
        conversation: &mut (impl Conversation<Output = T> + ?Sized),
    ) -> Result<T, Failure> {
        self.drive_hinted(conversation).0
    }

    pub(crate) fn drive_hinted<T>(
        &mut self,
        conversation: &mut (impl Conversation<Output = T> + ?Sized),
    ) -> (Result<T, Failure>, Vec<Option<Hint>>) {
        let mut time = self.time.clone();
        let mut hints = Vec::new();
        let result = run(conversation, self, &mut time, |hint| hints.push(hint));
        (result, hints)
    }

    pub(crate) fn inspect(&mut self) -> KeyInfo {
        match self.ask(None, Operation::Inspect).unwrap() {
            Answer::Inspected(info) => info,
            _ => panic!("inspection ends in another answer"),
        }
    }

    /// The frames that were written, complete ones only.
    pub(crate) fn frames(&self) -> Vec<Received> {
        let mut assembler = Assembler::new();
        self.written
            .iter()
            .filter_map(|report| match assembler.push(report) {
                Assembly::Complete(frame) => Some(frame),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn commands(&self) -> Vec<Command> {
        self.frames().iter().map(|frame| Command::from_byte(frame.command()).unwrap()).collect()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.time.now()
    }

    fn status(&self) -> Status {
        let mut bits = 0;
        for (at, slot) in self.slots.iter().enumerate() {
            if slot.is_some() && self.firmware >= Firmware::new(2, 1, 0) {
                bits |= 1 << at;
            }
        }
        let sequence = self.cached_sequence.unwrap_or(self.sequence);
        Status { firmware: self.firmware, sequence, touch_level: self.touch_noise | bits }
    }

    fn take(&mut self, frame: &Received) {
        let now = self.time.now();
        self.busy_until = now + self.works_for;
        if caches_sequence(self.firmware) {
            self.cached_sequence = None;
        }
        let Some(command) = Command::from_byte(frame.command()) else { return };
        if now < self.asleep_until || !known(command, self.firmware) {
            return;
        }
        match command {
            Command::Write(slot) => self.write(slot, frame.payload()),
            Command::Swap => {
                self.slots.swap(0, 1);
                self.sequence += 1;
            }
            // No slot here has the access code of the wake-up probe, which stands behind 45 scan codes.
            Command::ScanMap if frame.payload()[45..51] == [0; 6] => self.sequence += 1,
            Command::Serial if !self.hides_serial => self.answer(&self.serial.to_be_bytes()),
            Command::DeviceInfo => {
                if let Some(page) = self.info_pages.get(usize::from(frame.payload()[0])) {
                    self.answer(&page.clone());
                }
            }
            Command::ChallengeHmac(slot) => self.challenge(slot, frame.payload()),
            _ => {}
        }
    }

    fn write(&mut self, slot: OtpSlot, payload: &[u8; 64]) {
        let Some((held, current)) = written(payload) else { return };
        let place = &mut self.slots[usize::from(slot.slot().0) - 1];
        let guard = place.as_ref().map_or(AccessCode::from_array(&[0; 6]), Held::new_code);
        if !guard.same_as(&current) {
            return;
        }
        // A key refuses the whole configuration for one unknown bit.
        if held.as_ref().is_some_and(|held| held.ext().known_to(self.firmware) != held.ext()) {
            return;
        }
        *place = held;
        if self.forgets {
            self.slots = [None, None];
        }
        self.sequence = self.sequence.wrapping_add(if self.disturbed { 3 } else { 1 });
        if self.slots.iter().all(Option::is_none) && !self.forgets {
            self.sequence = 0;
        }
    }

    fn challenge(&mut self, slot: OtpSlot, payload: &[u8; 64]) {
        let Some(config) = &self.slots[usize::from(slot.slot().0) - 1] else { return };
        let short = config.cfg().contains(CfgFlags::HMAC_SHORT_CHALLENGE);
        if !config.tkt().contains(TktFlags::OATH) || !config.cfg().contains(CfgFlags::CHALLENGE_HMAC) {
            return;
        }
        let message = if short { stripped_challenge(payload) } else { payload };
        let mac = hmac_sha1(&config.oath_key(), message);
        let reports = response(&mac);
        if config.cfg().contains(CfgFlags::CHALLENGE_TOUCH) {
            self.touch_wait = Some((self.time.now() + Duration::from_secs(15), reports));
        } else {
            self.response = reports.into();
        }
    }

    fn answer(&mut self, data: &[u8]) {
        let mut reports = response(data);
        if let Some(spoil) = self.spoil.pop_front() {
            spoil(&mut reports);
        }
        self.response = reports.into();
    }

    fn show(&mut self) -> [u8; 8] {
        let now = self.time.now();
        if now < self.starting_until {
            return [0, 0, 0, 0, 0, 0, 0, 0x9f];
        }
        if self.stuck || now < self.busy_until {
            return [0, 0, 0, 0, 0, 0, 0, 0x80];
        }
        if let Some((until, reports)) = &self.touch_wait {
            let started = *until - Duration::from_secs(15);
            match self.person {
                Person::TouchesAfter(after) if now >= started + after => {
                    self.response = reports.clone().into();
                    self.touch_wait = None;
                }
                _ if now >= *until => self.touch_wait = None,
                _ => {
                    let seconds_left = (*until - now).as_secs() as u8;
                    return status_report(&self.status(), 0x20 | seconds_left);
                }
            }
        }
        // The mark that ends a response is shown until it is aborted.
        match self.response.len() {
            0 => status_report(&self.status(), 0),
            1 => self.response[0],
            _ => self.response.pop_front().unwrap(),
        }
    }
}

impl Wire for ToyKey {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), WireFault> {
        let report: [u8; 8] = report.try_into().unwrap();
        self.written.push(report);
        let now = self.time.now() + Duration::from_millis(1);
        self.time.wait_until(now);
        assert!(now >= self.starting_until, "written to while it starts");
        if report[7] & 0x7f <= 9 {
            assert!(now >= self.busy_until && !self.stuck, "a chunk was written before the last was taken");
        }
        self.busy_until = now + self.slow;
        match self.assembler.push(&report) {
            Assembly::Complete(frame) => self.take(&frame),
            Assembly::Aborted if self.loses_aborts > 0 && !self.response.is_empty() => self.loses_aborts -= 1,
            Assembly::Aborted => {
                self.response.clear();
                self.touch_wait = None;
                self.stuck = false;
            }
            Assembly::More | Assembly::Spoilt(_) | Assembly::Ignored => {}
        }
        Ok(())
    }

    fn feature(&mut self, length: usize) -> Result<Report, WireFault> {
        assert_eq!(length, 8);
        let now = self.time.now() + Duration::from_millis(1);
        self.time.wait_until(now);
        Ok(Report::short(&self.show()))
    }

    fn output(&mut self, _: &[u8]) -> Result<(), WireFault> {
        panic!("a YubiKey takes no packets here")
    }

    fn input(&mut self, _: Duration) -> Result<Option<Report>, WireFault> {
        panic!("a YubiKey sends no packets here")
    }
}

/// Whether the firmware knows a command at all.
fn known(command: Command, firmware: Firmware) -> bool {
    match command {
        Command::Write(slot) => slot.is_in(firmware),
        Command::Update(slot) => slot.is_in(firmware) && Feature::Update.is_in(firmware),
        Command::Swap => Feature::Swap.is_in(firmware),
        Command::Serial => Feature::SerialByApi.is_in(firmware),
        Command::ScanMap => firmware.major >= 3,
        Command::DeviceInfo => Feature::DeviceInfo.is_in(firmware),
        Command::WriteDeviceInfo => Feature::WriteDeviceInfo.is_in(firmware),
        Command::ChallengeHmac(_) => Feature::ChallengeResponse.is_in(firmware),
    }
}

/// HMAC-SHA1 by way of the definition (RFC 2104), so that it shares nothing
/// with the crate but SHA-1.
pub(crate) fn hmac_sha1(key: &Seed, message: &[u8]) -> Vec<u8> {
    use sha1::{Digest, Sha1};
    let mut block = [0; 64];
    block[..key.expose().len()].copy_from_slice(key.expose());
    let pad = |byte: u8| block.map(|own| own ^ byte);
    let inner = Sha1::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha1::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

pub(crate) fn totp_of(seed: &Seed, unix_seconds: u64) -> String {
    otp::totp(seed, unix_seconds, 30, keys::device::Digits::Six, keys::device::HashAlgorithm::Sha1)
}
