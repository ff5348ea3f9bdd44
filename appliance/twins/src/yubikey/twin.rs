//! The twin as a thing that can be held: made, plugged, pressed, and reached by
//! transfers, all of which may fail as a [`Faults`] says.

use core::time::Duration;

use crate::key::{Interface, KeyTwin, KeyboardReport, Press, TwinError};
use crate::plug::{Plug, one_of};

use super::YubiKeyTwin;
use super::chance::Chance;
use super::config::{Mode, ext};
use super::faults::Faults;
use super::memory::{Memory, Place};
use super::model::{Model, interface};
use super::output::{self, Moment};
use super::session::Session;
use super::typing::{self, Keystroke, Tear};

impl YubiKeyTwin {
    /// A key as it is sold, plugged in: slot 1 holds a Yubico OTP of the maker.
    pub fn sold(model: Model, seed: u64) -> Self {
        let mut twin = Self::new(model, seed);
        twin.occupy(keys::device::Slot(1), None);
        twin.replug();
        twin
    }

    /// A key with both slots empty, as none is sold, plugged in. All that is random about it
    /// comes from `seed`.
    pub fn new(model: Model, seed: u64) -> Self {
        let memory = Memory::empty(&model);
        Self::with_memory(model, memory, seed)
    }

    pub(super) fn with_memory(model: Model, memory: Memory, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let session = Session::begin(&memory, &mut chance, Duration::ZERO);
        let mut twin = Self { model, memory, plug: Plug::default(), chance, session, reads: 0 };
        twin.replug();
        twin
    }

    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.plug.set_faults(faults);
        self.reads = 0;
    }

    /// Pulls the key out, until [`KeyTwin::power`].
    pub fn pull_out(&mut self) {
        self.settle();
        self.plug.pull();
        self.session = Session::begin(&self.memory, &mut self.chance, self.plug.now);
    }

    /// The product id that the key reports now; `None` while it is pulled out.
    pub fn product_id(&self) -> Option<u16> {
        if self.plug.is_in() { self.model.product_id(self.session.interfaces) } else { None }
    }

    /// The USB iSerial string: ten digits, when a slot shows it.
    pub fn usb_serial(&self) -> Option<String> {
        self.memory.shows(ext::SERIAL_USB_VISIBLE).then(|| format!("{:010}", self.model.serial))
    }

    /// Presses the button, with the times between the reports.
    pub fn press(&mut self, press: Press) -> Result<Vec<Keystroke>, TwinError> {
        self.settle();
        self.plug.there()?;
        if self.plug.is_dead() || one_of(&mut self.plug.faults.ignore_touches) {
            return Ok(Vec::new());
        }
        if self.touch_is_taken() || self.session.interfaces & interface::OTP == 0 {
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
        let mut typed = output::type_slot(slot, &map, moment, touch);
        self.memory.revision += 1;
        if one_of(&mut self.plug.faults.tear) {
            let what = if self.chance.next().is_multiple_of(2) { Tear::Lost } else { Tear::Twice };
            typing::tear(&mut typed, what, self.chance.next());
        } else if one_of(&mut self.plug.faults.exchange) {
            typing::tear(&mut typed, Tear::Exchanged, self.chance.next());
        }
        typed
    }

    /// What is new about the next Yubico OTP of a slot. Counts it, in a slot that
    /// makes Yubico OTPs.
    pub(super) fn moment(&mut self, place: Place) -> Moment {
        let timestamp = self.session.timestamp(self.plug.now);
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
                None => slot.use_counter = slot.use_counter.saturating_add(1).min(0x7fff),
            }
            *uses = Some(session_use);
            self.memory.revision += 1;
        }
        Moment { session_use, timestamp, random }
    }

    /// Plugs the key in.
    pub(super) fn replug(&mut self) {
        if self.memory.slots().next().is_none() && self.memory.sequence != 0 {
            self.memory.sequence = 0;
            self.memory.revision += 1;
        }
        self.session = Session::begin(&self.memory, &mut self.chance, self.plug.now);
        if !self.plug.faults.stale_status {
            self.hear();
        }
        self.plug.put_in();
    }

    /// Before a transfer: whether there is anybody to take it.
    fn reach(&mut self, wanted: u8, interface: Interface) -> Result<(), TwinError> {
        self.settle();
        if self.plug.pulled_before(false) {
            self.pull_out();
        }
        self.plug.there()?;
        if self.session.interfaces & wanted == 0 {
            return Err(TwinError::NoInterface(interface));
        }
        self.plug.takes()
    }

    /// After a transfer: whether it was the last.
    fn transferred(&mut self, written: bool) {
        if self.plug.pulled_after(written) {
            self.pull_out();
        }
    }
}

impl KeyTwin for YubiKeyTwin {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), TwinError> {
        if self.plug.pulled_before(true) {
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
        if self.plug.faults.garble_every.is_some_and(|every| self.reads.is_multiple_of(every.get())) {
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
        self.plug.faults.stuck_busy = false;
        self.replug();
        Ok(())
    }

    fn lateness(&self) -> Duration {
        self.plug.faults.late
    }

    fn advance(&mut self, by: Duration) -> Result<(), TwinError> {
        self.plug.pass(by);
        self.settle();
        Ok(())
    }
}
