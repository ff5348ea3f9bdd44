//! The twin as a thing that can be held, and how it is busy.

use core::time::Duration;

use keys::device::{Kind, Slot as SlotNumber};
use zeroize::Zeroizing;

use super::NitrokeyProTwin;
use super::command::{DATA, GET_DEVICE_STATUS, duration};
use super::faults::Faults;
use super::memory::{Memory, Slot, Spot};
use super::model::Model;
use super::report::{Buffer, LENGTH};
use super::session::Session;
use crate::key::{Interface, KeyTwin, KeyboardReport, Press, TwinError};
use crate::plug::{Plug, one_of};

/// How long a report lies there until the main loop takes it up.
const PICKED_UP: Duration = Duration::from_millis(1);
/// How long the other part of a Storage takes for a command.
const JOB: Duration = Duration::from_millis(60);

#[derive(Clone)]
pub(super) enum Phase {
    Ready,
    /// A report lies there.
    Received(Buffer, Duration),
    /// It is carried out until then; what it comes to, unless that happens late.
    Working(Buffer, Duration, Option<Buffer>),
}

/// A slot by kind and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// HOTP or TOTP.
    pub kind: Kind,
    /// Its number, from 0.
    pub slot: SlotNumber,
}

/// What a test may see of a slot: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotView {
    /// What it is called, as it is kept.
    pub name: [u8; 15],
    /// Bit 0: eight digits.
    pub config: u8,
    /// The next counter of HOTP; 0 for TOTP.
    pub counter: u64,
    /// The interval of TOTP; what the counter began with, for HOTP.
    pub factor: u64,
}

impl NitrokeyProTwin {
    /// A key as it is sold, plugged in. Which bits flip follows from `seed`.
    pub fn new(model: Model, seed: u64) -> Self {
        Self {
            model,
            memory: Memory::new(),
            plug: Plug::default(),
            session: Session::begin(Duration::ZERO),
            shown: Buffer::zeroed(),
            phase: Phase::Ready,
            job: None,
            job_data: false,
            reads: 0,
            chance: seed | 1,
            fewest_tries: u8::MAX,
        }
    }

    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.plug.set_faults(faults);
        self.reads = 0;
    }

    /// What goes wrong, as far as it has not yet.
    pub const fn faults(&self) -> &Faults {
        &self.plug.faults
    }

    /// Puts a foreign credential into a slot.
    pub fn occupy(&mut self, place: Place, secret: &[u8]) {
        let Some(spot) = Spot::named(place.kind, place.slot) else { return };
        let mut kept = Zeroizing::new([0; 40]);
        for (to, from) in kept.iter_mut().zip(secret) {
            *to = *from;
        }
        let factor = if place.kind == Kind::Totp { 30 } else { 0 };
        let slot =
            Slot { name: *b"foreign\0\0\0\0\0\0\0\0", secret: kept, config: 0, token_id: [0; 13], factor };
        self.memory.put(spot, Some(slot));
    }

    /// What is in a slot; `None` when it is empty.
    pub fn slot(&self, place: Place) -> Option<SlotView> {
        let spot = Spot::named(place.kind, place.slot)?;
        let Slot { name, config, factor, .. } = *self.memory.slot(spot)?;
        Some(SlotView { name, config, factor, counter: self.memory.counted(spot) })
    }

    /// Whether a slot holds that secret, with nothing behind it.
    pub fn slot_holds(&self, place: Place, secret: &[u8]) -> bool {
        let slot = Spot::named(place.kind, place.slot).and_then(|spot| self.memory.slot(spot));
        slot.is_some_and(|slot| {
            let (head, tail) = slot.secret.split_at(secret.len().min(40));
            head == secret && tail.iter().all(|byte| *byte == 0)
        })
    }

    /// Gives it another administrator's PIN, with so many tries left.
    pub fn set_admin_pin(&mut self, pin: &str, tries: u8) {
        self.memory.card.admin.change(pin.as_bytes());
        self.set_admin_tries(tries);
    }

    /// Whether that is the administrator's PIN; costs no try.
    pub fn admin_pin_is(&self, pin: &str) -> bool {
        self.memory.card.admin.is(pin.as_bytes())
    }

    /// Sets how often the administrator's PIN may still be wrong.
    pub fn set_admin_tries(&mut self, tries: u8) {
        self.memory.card.admin.tries = tries;
        self.fewest_tries = u8::MAX;
    }

    /// Whether codes want the user's PIN.
    pub const fn set_user_pin_for_codes(&mut self, wanted: bool) {
        self.memory.config[3] = wanted as u8;
    }

    /// How often the administrator's PIN may still be wrong.
    pub const fn admin_tries(&self) -> u8 {
        self.memory.card.admin.tries
    }

    /// The fewest tries that any PIN ever had left, since its tries were set.
    pub fn fewest_tries(&self) -> u8 {
        self.fewest_tries.min(self.memory.card.admin.tries).min(self.memory.card.user.tries)
    }

    /// Everything that it keeps without power, without secrets: two keys of the same
    /// text go on alike.
    pub fn describe(&self) -> String {
        self.memory.describe()
    }

    /// Pulls the key out, until [`KeyTwin::power`].
    pub fn pull_out(&mut self) {
        self.settle();
        self.plug.pull();
    }

    pub(super) fn job_end(&self) -> Duration {
        self.plug.now.saturating_add(JOB).saturating_add(self.plug.faults.slow)
    }

    /// Brings the key to the present.
    fn settle(&mut self) {
        if !self.plug.is_in() {
            return;
        }
        loop {
            let at_work = self.plug.is_in() && !self.plug.is_dead();
            match self.phase.clone() {
                Phase::Received(report, at) if at_work && self.plug.now >= at => self.begin(report, at),
                Phase::Working(report, until, answer) if at_work && self.plug.now >= until => {
                    self.shown = answer.unwrap_or_else(|| self.execute(&report));
                    self.note_tries();
                    if one_of(&mut self.plug.faults.wrong_crc) {
                        let [byte] = self.shown.array(63);
                        self.shown.put(63, &[byte ^ 0x40]);
                    }
                    self.phase = Phase::Ready;
                }
                _ => break,
            }
        }
        if let Some(job) = &self.job
            && job.until.is_some_and(|until| self.plug.now >= until)
        {
            self.job_data = job.command == GET_DEVICE_STATUS && !self.plug.faults.card_silent;
            self.finish_job();
        }
    }

    /// The main loop takes a report up.
    fn begin(&mut self, report: Buffer, at: Duration) {
        // The answer is begun: whoever reads it now sees what it is to, and no CRC.
        let mut begun = Buffer::zeroed();
        begun.put(1, &[report.byte(0)]);
        begun.put(2, &report.crc().to_le_bytes());
        self.shown = begun;
        self.job_data = false;
        let takes = duration(report.byte(0)).saturating_add(self.plug.faults.slow);
        let until = if core::mem::take(&mut self.plug.faults.stuck_busy) {
            Duration::MAX
        } else {
            at.saturating_add(takes)
        };
        let answer = if self.plug.faults.commit_late { None } else { Some(self.execute(&report)) };
        self.note_tries();
        self.phase = Phase::Working(report, until, answer);
    }

    fn note_tries(&mut self) {
        self.fewest_tries = self.fewest_tries();
    }

    /// Before a transfer: whether there is anybody to take it.
    fn reach(&mut self) -> Result<(), TwinError> {
        self.settle();
        if self.plug.pulled_before(false) {
            self.pull_out();
        }
        self.plug.there()?;
        self.plug.takes()
    }

    /// After a transfer: whether it was the last.
    fn transferred(&mut self, written: bool) {
        if self.plug.pulled_after(written) {
            self.pull_out();
        }
    }

    fn take(&mut self, mut report: Buffer) {
        if one_of(&mut self.plug.faults.garble_incoming) {
            self.flip(&mut report, 0);
        }
        if one_of(&mut self.plug.faults.drop_reports) {
            return;
        }
        let at = self.plug.now.saturating_add(PICKED_UP);
        match &self.phase {
            Phase::Ready => self.phase = Phase::Received(report, at),
            // A Storage overwrites what it has not begun; a Pro takes nothing.
            Phase::Received(..) if self.model.is_storage() => self.phase = Phase::Received(report, at),
            Phase::Received(..) | Phase::Working(..) => {}
        }
    }

    fn show(&mut self) -> Buffer {
        let mut shown = self.shown.clone();
        if self.model.is_storage() {
            if core::mem::take(&mut self.job_data) {
                shown.put(DATA, &self.device_status());
                shown.seal();
            }
        } else {
            let device = match self.phase {
                Phase::Ready => 0,
                Phase::Received(..) => 3,
                Phase::Working(..) => 1,
            };
            shown.put(0, &[device]);
        }
        self.reads = self.reads.wrapping_add(1);
        if self.plug.faults.garble_every.is_some_and(|every| self.reads.is_multiple_of(every.get())) {
            self.flip(&mut shown, 1);
        }
        shown
    }

    /// Flips a bit, behind the first `from` bytes.
    fn flip(&mut self, report: &mut Buffer, from: usize) {
        // xorshift64 (Marsaglia 2003): never 0, since it began with 1 at least.
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        let bit = (self.chance >> 20) as usize % ((LENGTH - from) * 8);
        let at = from + bit / 8;
        report.put(at, &[report.byte(at) ^ 1 << (bit % 8)]);
    }
}

impl KeyTwin for NitrokeyProTwin {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), TwinError> {
        if self.plug.pulled_before(true) {
            self.pull_out();
        }
        self.reach()?;
        let wrong = TwinError::Length { wanted: LENGTH, got: report.len() };
        let report = Buffer::from_slice(report).ok_or(wrong)?;
        self.take(report);
        self.transferred(true);
        Ok(())
    }

    fn get_feature(&mut self) -> Result<Vec<u8>, TwinError> {
        self.reach()?;
        let shown = self.show();
        self.transferred(false);
        Ok(shown.bytes().to_vec())
    }

    fn out(&mut self, _packet: &[u8]) -> Result<(), TwinError> {
        self.reach()?;
        Err(TwinError::NoInterface(Interface::Fido))
    }

    fn input(&mut self) -> Result<Option<Vec<u8>>, TwinError> {
        self.reach()?;
        Err(TwinError::NoInterface(Interface::Fido))
    }

    /// The twin has no smart card application behind its CCID interface.
    fn apdu(&mut self, _command: &[u8]) -> Result<Vec<u8>, TwinError> {
        self.reach()?;
        Err(TwinError::NoInterface(Interface::Ccid))
    }

    /// It has no button.
    fn touch(&mut self, _press: Press) -> Result<Vec<KeyboardReport>, TwinError> {
        self.settle();
        self.plug.there().map(|()| Vec::new())
    }

    fn power(&mut self) -> Result<(), TwinError> {
        self.pull_out();
        self.plug.faults.stuck_busy = false;
        self.session = Session::begin(self.plug.now);
        self.shown = Buffer::zeroed();
        self.phase = Phase::Ready;
        self.job = None;
        self.job_data = false;
        self.plug.put_in();
        Ok(())
    }

    fn advance(&mut self, by: Duration) -> Result<(), TwinError> {
        self.plug.pass(by);
        self.settle();
        Ok(())
    }
}
