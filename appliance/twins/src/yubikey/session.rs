//! The key from being plugged in to being pulled out: what it is busy with, what
//! it shows, and what its transfers do.

use core::time::Duration;

use keys::device::Firmware;

use crate::key::{Interface, KeyTwin, KeyboardReport, Press, TwinError};

use super::ccid::Applet;
use super::chance::Chance;
use super::command::{Challenge, Outcome, Via};
use super::config::{Mode, ext};
use super::faults::{Faults, one_of};
use super::frame::{Assembly, Frame, Response, Taken};
use super::memory::{Memory, Place};
use super::model::{Model, interface, interfaces_of};
use super::output::{self, Moment};
use super::typing::Keystroke;

/// Control byte: a write is not consumed yet.
const BUSY: u8 = 0x80;
/// Control byte: waiting for a touch; the low five bits are seconds.
const WAITING: u8 = 0x20;
/// A challenge waits so long unless the settings say otherwise.
const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(15);
/// After the smart card or FIDO were used, OTP does nothing for so long
/// (ykman/hid/base.py, "reclaim").
const RECLAIM: Duration = Duration::from_secs(3);
/// From a write of the settings to the restart that it asked for.
const RESTART: Duration = Duration::from_millis(100);

/// A YubiKey in software.
pub struct YubiKeyTwin {
    pub(super) model: Model,
    pub(super) memory: Memory,
    pub(super) faults: Faults,
    pub(super) chance: Chance,
    pub(super) session: Session,
    /// The key's time since it was made.
    now: Duration,
    plugged: bool,
    /// When [`Faults::dead_after`] strikes.
    dead_at: Option<Duration>,
    /// Reports read so far, for [`Faults::garble_every`].
    reads: u32,
}

/// What is forgotten when the key is pulled out.
pub(super) struct Session {
    /// The interfaces that are on: settings take effect at power-up.
    pub interfaces: u8,
    /// Yubico OTPs since power-up, by place; `None` before the first.
    pub uses: [Option<u8>; 2],
    /// Slot bits that the status still shows although nothing is programmed.
    pub stale_touch_bits: Option<u8>,
    /// What the smart card has selected.
    pub applet: Option<Applet>,
    since: Duration,
    timestamp_start: u32,
    assembly: Assembly,
    link: Link,
    /// The next report is not looked at before.
    consuming_until: Duration,
    reclaimed_until: Duration,
    /// Firmware 3: what the HID side last heard from the applet.
    heard: Option<[u8; 6]>,
    restart_at: Option<Duration>,
}

enum Link {
    Idle,
    Busy { until: Duration, shown: [u8; 6], then: Then },
    Responding(Response),
    Waiting { until: Duration, challenge: Challenge },
}

/// What follows on being busy.
enum Then {
    Status,
    Respond(Response),
    Wait(Challenge),
    /// [`Faults::commit_late`].
    Execute(Frame),
    /// [`Faults::stuck_busy`].
    Stuck,
}

impl Session {
    pub(super) const fn use_mut(&mut self, place: Place) -> &mut Option<u8> {
        let [one, two] = &mut self.uses;
        match place {
            Place::One => one,
            Place::Two => two,
        }
    }
}

impl YubiKeyTwin {
    /// A new key with both slots empty, plugged in. All that is random about it
    /// comes from `seed`.
    #[must_use]
    pub fn new(model: Model, seed: u64) -> Self {
        let memory = Memory::empty(&model);
        Self::with_memory(model, memory, seed)
    }

    pub(super) fn with_memory(model: Model, memory: Memory, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let now = Duration::ZERO;
        let session = Self::plug_in(&memory, &mut chance, now);
        let faults = Faults::default();
        Self { model, memory, faults, chance, session, now, plugged: true, dead_at: None, reads: 0 }
    }

    /// What it is.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.dead_at = faults.dead_after.map(|after| self.now + after);
        self.reads = 0;
    }

    /// What goes wrong, as far as it has not yet.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Pulls the key out, until [`KeyTwin::power`].
    pub fn pull_out(&mut self) {
        self.settle();
        self.plugged = false;
        self.session = Self::plug_in(&self.memory, &mut self.chance, self.now);
        self.faults.pull_out_after_reports = None;
        self.faults.pull_out_after_transfers = None;
    }

    /// The product id that the key reports now; `None` while it is pulled out.
    #[must_use]
    pub fn product_id(&self) -> Option<u16> {
        if self.plugged { self.model.product_id(self.session.interfaces) } else { None }
    }

    /// The USB iSerial string: ten digits, when a slot shows it.
    #[must_use]
    pub fn usb_serial(&self) -> Option<String> {
        self.memory.shows(ext::SERIAL_USB_VISIBLE).then(|| format!("{:010}", self.model.serial))
    }

    /// Presses the button, with the times between the reports.
    pub fn press(&mut self, press: Press) -> Result<Vec<Keystroke>, TwinError> {
        self.settle();
        if !self.plugged {
            return Err(TwinError::Gone);
        }
        if self.is_dead() || one_of(&mut self.faults.ignore_touches) {
            return Ok(Vec::new());
        }
        match core::mem::replace(&mut self.session.link, Link::Idle) {
            Link::Waiting { challenge, .. } => {
                if let Some(answer) = self.respond(&challenge) {
                    self.session.link = Link::Responding(Response::new(&answer));
                }
                return Ok(Vec::new());
            }
            busy @ Link::Busy { .. } => {
                self.session.link = busy;
                return Ok(Vec::new());
            }
            other => self.session.link = other,
        }
        if self.session.interfaces & interface::OTP == 0 {
            return Ok(Vec::new());
        }
        Ok(self.fire(press))
    }

    fn fire(&mut self, press: Press) -> Vec<Keystroke> {
        let alone = self.memory.two.is_none();
        let fast = alone && self.memory.one.as_ref().is_some_and(|slot| slot.config.has(ext::FAST_TRIG));
        // How long the finger has to rest before anything is typed.
        let (place, touch) = match press {
            _ if fast => (Place::One, Duration::from_millis(100)),
            Press::Short => (Place::One, Duration::from_millis(500)),
            Press::Long => (Place::Two, Duration::from_millis(2500)),
        };
        let moment = self.moment(place);
        let map = self.memory.scan_map;
        let Some(slot) = self.memory.slot_mut(place) else { return Vec::new() };
        let typed = output::type_slot(slot, &map, moment, touch);
        self.memory.revision += 1;
        typed
    }

    /// What is new about the next Yubico OTP of a slot. Counts it, in a slot that
    /// makes Yubico OTPs.
    pub(super) fn moment(&mut self, place: Place) -> Moment {
        let elapsed = self.now.saturating_sub(self.session.since).as_millis();
        // 8 Hz in 24 bits, which go round after 24 days.
        let ticks = u32::try_from(elapsed / 125 % (1 << 24)).unwrap_or(0);
        let timestamp = (self.session.timestamp_start + ticks) & 0x00ff_ffff;
        let random = self.chance.bits16();
        let mut session_use = 0;
        let uses = self.session.use_mut(place);
        if let Some(slot) = self.memory.slot_mut(place)
            && matches!(slot.config.mode(), Mode::YubicoOtp | Mode::YubicoChallenge)
            && !slot.config.has(ext::DORMANT)
        {
            match uses.and_then(|last| last.checked_add(1)) {
                Some(next) => session_use = next,
                // The 16th bit is reserved.
                None => slot.use_counter = (slot.use_counter + 1).min(0x7fff),
            }
            *uses = Some(session_use);
            self.memory.revision += 1;
        }
        Moment { session_use, timestamp, random }
    }

    fn plug_in(memory: &Memory, chance: &mut Chance, now: Duration) -> Session {
        Session {
            interfaces: interfaces_of(memory.settings.usb_enabled),
            uses: [None, None],
            stale_touch_bits: None,
            applet: None,
            since: now,
            timestamp_start: chance.bits24(),
            assembly: Assembly::new(),
            link: Link::Idle,
            consuming_until: now,
            reclaimed_until: now,
            heard: None,
            restart_at: None,
        }
    }

    /// Brings the link to where it is at this time.
    pub(super) fn settle(&mut self) {
        if self.session.restart_at.is_some_and(|at| self.now >= at) {
            self.replug();
        }
        loop {
            let due = match &self.session.link {
                Link::Busy { then: Then::Stuck, .. } => false,
                Link::Busy { until, .. } | Link::Waiting { until, .. } => self.now >= *until,
                Link::Idle | Link::Responding(_) => false,
            };
            if !due {
                return;
            }
            self.session.link = match core::mem::replace(&mut self.session.link, Link::Idle) {
                Link::Busy { until, then, .. } => match then {
                    Then::Respond(response) => Link::Responding(response),
                    Then::Wait(challenge) => {
                        Link::Waiting { until: until + self.challenge_timeout(), challenge }
                    }
                    Then::Execute(frame) => {
                        let outcome = self.execute(frame.command, &frame.payload, Via::Hid);
                        self.follow(outcome, self.now, Duration::ZERO)
                    }
                    Then::Status | Then::Stuck => Link::Idle,
                },
                // A wait that ran out leaves the status as it was.
                _ => Link::Idle,
            };
            if matches!(self.session.link, Link::Idle) {
                self.session.heard = Some(self.status());
            }
        }
    }

    fn challenge_timeout(&self) -> Duration {
        match self.memory.settings.challenge_timeout {
            0 => CHALLENGE_TIMEOUT,
            seconds => Duration::from_secs(seconds.into()),
        }
    }

    /// A whole frame came in.
    fn begin(&mut self, frame: Frame) {
        let shown = self.shown_status();
        if self.faults.stuck_busy {
            self.session.link = Link::Busy { until: self.now, shown, then: Then::Stuck };
            return;
        }
        if self.faults.commit_late {
            let latency = self.latency(frame.command, &Outcome::Changed);
            let then = Then::Execute(frame);
            self.session.link = Link::Busy { until: self.now + latency, shown, then };
            return;
        }
        let outcome = self.execute(frame.command, &frame.payload, Via::Hid);
        let latency = self.latency(frame.command, &outcome);
        self.session.link = self.follow(outcome, self.now, latency);
        if let Link::Busy { shown: kept, .. } = &mut self.session.link {
            *kept = shown;
        }
    }

    fn follow(&mut self, outcome: Outcome, now: Duration, latency: Duration) -> Link {
        let until = now + latency;
        let then = match outcome {
            Outcome::Refused | Outcome::Changed => Then::Status,
            Outcome::Restart => {
                self.restart_soon();
                Then::Status
            }
            Outcome::Data(data) => Then::Respond(Response::new(&data)),
            Outcome::Touch(challenge) => Then::Wait(challenge),
        };
        Link::Busy { until, shown: self.status(), then }
    }

    /// Version, programming sequence, touch level: what the applet knows.
    pub(super) fn status(&self) -> [u8; 6] {
        let Firmware { major, minor, build } = self.model.firmware;
        let bits = self.memory.touch_bits(self.model.firmware);
        let low = self.session.stale_touch_bits.unwrap_or(bits);
        [major, minor, build, self.memory.sequence, low, self.model.touch_high]
    }

    /// What the HID side shows. On a NEO it is what the applet last told it: after
    /// power-up, and after a change over the smart card, that is out of date until
    /// a command goes through. Nobody says what it shows at power-up; zeros mislead a
    /// host the most.
    fn shown_status(&self) -> [u8; 6] {
        let [major, minor, build, _, _, high] = self.status();
        match (major, self.session.heard) {
            (3, None) => [major, minor, build, 0, 0, high],
            (3, Some(heard)) => heard,
            _ => self.status(),
        }
    }

    /// Restarts when the change that asked for it is done.
    pub(super) fn restart_soon(&mut self) {
        self.session.restart_at = Some(self.now + RESTART);
    }

    /// The smart card was used.
    pub(super) fn reclaim(&mut self) {
        self.session.link = Link::Idle;
        self.session.assembly.clear();
        self.session.reclaimed_until = self.now + RECLAIM;
    }

    fn is_dead(&self) -> bool {
        self.dead_at.is_some_and(|at| self.now >= at)
    }

    fn replug(&mut self) {
        if self.memory.slots().next().is_none() && self.memory.sequence != 0 {
            self.memory.sequence = 0;
            self.memory.revision += 1;
        }
        self.session = Self::plug_in(&self.memory, &mut self.chance, self.now);
        self.plugged = true;
    }

    /// Before a transfer: whether there is anybody to take it.
    pub(super) fn reach(&mut self, wanted: u8, interface: Interface) -> Result<(), TwinError> {
        self.settle();
        let due = self.faults.pull_out_after_transfers == Some(0);
        if self.plugged && due {
            self.pull_out();
        }
        if !self.plugged {
            return Err(TwinError::Gone);
        }
        if self.session.interfaces & wanted == 0 {
            return Err(TwinError::NoInterface(interface));
        }
        if self.is_dead() || one_of(&mut self.faults.nack) {
            return Err(TwinError::Nack);
        }
        Ok(())
    }

    /// After a transfer: whether it was the last.
    fn transferred(&mut self, written: bool) {
        let count = |left: &mut Option<u32>| {
            *left = left.map(|left| left.saturating_sub(1));
            *left == Some(0)
        };
        let by_transfers = count(&mut self.faults.pull_out_after_transfers);
        let by_reports = written && count(&mut self.faults.pull_out_after_reports);
        if by_transfers || by_reports {
            self.pull_out();
        }
    }

    fn take(&mut self, report: &[u8; 8]) {
        let reclaimed = self.now < self.session.reclaimed_until;
        if reclaimed || self.now < self.session.consuming_until {
            return;
        }
        match self.session.link {
            // Not ready: the report is lost, as the host was told it would be.
            Link::Busy { .. } => return,
            // Any write ends these two; its content is not looked at.
            Link::Responding(_) | Link::Waiting { .. } => {
                self.session.link = Link::Idle;
                self.session.heard = Some(self.status());
                return;
            }
            Link::Idle => {}
        }
        self.session.consuming_until = self.now + self.faults.slow_reports;
        match self.session.assembly.take(report) {
            Taken::Whole(frame) => self.begin(frame),
            Taken::Part | Taken::Refused | Taken::Reset | Taken::Nothing => {}
        }
    }

    fn show(&mut self) -> [u8; 8] {
        let idle = self.shown_status();
        let (shown, control) = match &mut self.session.link {
            Link::Responding(response) => return response.report(),
            Link::Busy { shown, .. } => (*shown, BUSY | 9),
            Link::Waiting { until, .. } => {
                let left = until.saturating_sub(self.now).as_millis().div_ceil(1000).clamp(1, 31);
                (idle, WAITING | u8::try_from(left).unwrap_or(31))
            }
            Link::Idle if self.now < self.session.consuming_until => {
                (idle, BUSY | self.session.assembly.last())
            }
            Link::Idle => (idle, 0),
        };
        let [major, minor, build, sequence, low, high] = shown;
        [0, major, minor, build, sequence, low, high, control]
    }
}

impl KeyTwin for YubiKeyTwin {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), TwinError> {
        if self.plugged && self.faults.pull_out_after_reports == Some(0) {
            self.pull_out();
        }
        self.reach(interface::OTP, Interface::Feature)?;
        let wrong = TwinError::Length { wanted: 8, got: report.len() };
        let report = <&[u8; 8]>::try_from(report).map_err(|_| wrong)?;
        self.take(report);
        self.transferred(true);
        Ok(())
    }

    fn get_feature(&mut self) -> Result<Vec<u8>, TwinError> {
        self.reach(interface::OTP, Interface::Feature)?;
        let mut report = self.show();
        self.reads = self.reads.wrapping_add(1);
        if self.faults.garble_every.is_some_and(|every| self.reads.is_multiple_of(every)) {
            let bit = self.chance.between(0, 63);
            for (at, byte) in report.iter_mut().enumerate() {
                if at as u64 == bit / 8 {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
        self.transferred(false);
        Ok(report.to_vec())
    }

    fn out(&mut self, _packet: &[u8]) -> Result<(), TwinError> {
        // The twin has no FIDO application, whatever its product id says.
        self.reach(0xff, Interface::Fido)?;
        Err(TwinError::NoInterface(Interface::Fido))
    }

    fn input(&mut self) -> Result<Option<Vec<u8>>, TwinError> {
        self.reach(0xff, Interface::Fido)?;
        Err(TwinError::NoInterface(Interface::Fido))
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TwinError> {
        self.reach(interface::CCID, Interface::Ccid)?;
        let answer = self.card(command);
        self.transferred(false);
        Ok(answer)
    }

    fn touch(&mut self, press: Press) -> Result<Vec<KeyboardReport>, TwinError> {
        Ok(self.press(press)?.iter().map(|stroke| stroke.report).collect())
    }

    fn power(&mut self) -> Result<(), TwinError> {
        self.pull_out();
        if self.is_dead() {
            self.dead_at = None;
            self.faults.dead_after = None;
        }
        self.faults.stuck_busy = false;
        self.replug();
        Ok(())
    }

    fn advance(&mut self, by: Duration) -> Result<(), TwinError> {
        self.now = self.now.saturating_add(by);
        self.settle();
        Ok(())
    }
}
