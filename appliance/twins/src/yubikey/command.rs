//! What each command does, whichever interface it came through.

use core::time::Duration;

use keys::device::Firmware;

use super::YubiKeyTwin;
use super::config::{Mode, cfg, ext, is_neo_beta};
use super::info::{self, Written};
use super::memory::Place;
use super::output;
use crate::plug::one_of;

/// A challenge that waits for a touch or not.
#[derive(zeroize::ZeroizeOnDrop)]
pub(super) struct Challenge {
    #[zeroize(skip)]
    pub place: Place,
    #[zeroize(skip)]
    pub mode: Mode,
    pub bytes: [u8; 64],
}

/// What came of a command.
pub(super) enum Outcome {
    /// Nothing changed. The key does not say why.
    Refused,
    /// Something changed; the status says so.
    Changed,
    /// Changed, and the key restarts.
    Restart,
    /// An answer, without checksum.
    Data(Vec<u8>),
    /// An answer after a touch.
    Touch(Challenge),
}

/// Where a command comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    Hid,
    Ccid,
}

impl YubiKeyTwin {
    /// Executes one command.
    pub(super) fn execute(&mut self, command: u8, payload: &[u8; 64], via: Via) -> Outcome {
        match command {
            0x10 | 0x13 | 0x20 | 0x28 | 0x30 | 0x38 => self.answer(command, payload),
            _ => self.change_or_fail(command, payload, via),
        }
    }

    /// A change, unless a fault takes it back.
    fn change_or_fail(&mut self, command: u8, payload: &[u8; 64], via: Via) -> Outcome {
        let faulty = self.plug.faults.refuse_writes > 0 || self.plug.faults.lose_writes > 0;
        let before = faulty.then(|| (self.memory.clone(), self.session.uses));
        let outcome = self.change(command, payload, via);
        if let (Some((memory, uses)), Outcome::Changed | Outcome::Restart) = (before, &outcome) {
            (self.memory, self.session.uses) = (memory, uses);
            if one_of(&mut self.plug.faults.refuse_writes) {
                return Outcome::Refused;
            }
            self.plug.faults.lose_writes -= 1;
            self.memory.count_always();
        }
        outcome
    }

    /// How long a command takes: a slot 20 to 60 ms, a swap up to 920 ms
    /// (yubikey-personalization, ykcore.c).
    pub(super) fn latency(&mut self, command: u8, outcome: &Outcome) -> Duration {
        let milliseconds = match (outcome, command) {
            (Outcome::Refused, _) => self.chance.between(1, 3),
            (Outcome::Data(_) | Outcome::Touch(_), _) => self.chance.between(2, 8),
            (_, 0x06) => self.chance.between(300, 920),
            _ => self.chance.between(20, 60),
        };
        Duration::from_millis(milliseconds).saturating_add(self.plug.faults.slow)
    }

    fn change(&mut self, command: u8, payload: &[u8; 64], via: Via) -> Outcome {
        let firmware = self.model.firmware;
        let before = self.memory.touch_bits(firmware);
        let done = match command {
            0x01 => self.write_slot(Place::One, payload),
            0x03 => self.write_slot(Place::Two, payload),
            0x04 => self.memory.update(firmware, Place::One, payload),
            0x05 => self.memory.update(firmware, Place::Two, payload),
            0x06 => {
                let done = self.memory.swap(firmware, payload);
                if done {
                    self.session.uses.swap(0, 1);
                }
                done
            }
            0x08 => self.memory.write_ndef(firmware, false, payload),
            0x09 => self.memory.write_ndef(firmware, true, payload),
            0x11 => self.memory.set_mode(&self.model, payload),
            0x12 => self.memory.write_scan_map(firmware, payload),
            0x15 => match info::write(&self.model, &mut self.memory, payload) {
                Written::Refused => false,
                Written::Kept => true,
                Written::Restart => return Outcome::Restart,
            },
            _ => false,
        };
        if !done {
            return Outcome::Refused;
        }
        // yubikit/yubiotp.py, `_YubiOtpSmartCardBackend`: 5.0.0 to 5.4.2 leave the slot
        // bits as they were when the last slot is deleted over CCID.
        let forgetful = (Firmware::new(5, 0, 0)..Firmware::new(5, 4, 3)).contains(&firmware);
        let emptied = self.memory.slots().next().is_none();
        self.session.stale_touch_bits =
            (via == Via::Ccid && forgetful && emptied && before != 0).then_some(before);
        Outcome::Changed
    }

    fn write_slot(&mut self, place: Place, payload: &[u8; 64]) -> bool {
        let done = self.memory.write(self.model.firmware, place, payload);
        if done {
            *self.session.use_mut(place) = None;
        }
        done
    }

    fn answer(&mut self, command: u8, payload: &[u8; 64]) -> Outcome {
        let firmware = self.model.firmware;
        let [first, ..] = payload;
        match command {
            0x10 if has_serial(firmware) && self.memory.tells_serial() => {
                Outcome::Data(self.model.serial.to_be_bytes().to_vec())
            }
            0x13 => info::page(&self.model, &self.memory, *first).map_or(Outcome::Refused, Outcome::Data),
            0x20 => self.challenge(Place::One, Mode::YubicoChallenge, payload),
            0x28 => self.challenge(Place::Two, Mode::YubicoChallenge, payload),
            0x30 => self.challenge(Place::One, Mode::HmacChallenge, payload),
            0x38 => self.challenge(Place::Two, Mode::HmacChallenge, payload),
            _ => Outcome::Refused,
        }
    }

    fn challenge(&mut self, place: Place, mode: Mode, payload: &[u8; 64]) -> Outcome {
        let Some(config) = self.memory.slot(place).map(|slot| &slot.config) else { return Outcome::Refused };
        if config.mode() != mode || config.has(ext::DORMANT) {
            return Outcome::Refused;
        }
        let challenge = Challenge { place, mode, bytes: *payload };
        if config.cfg & cfg::CHAL_BTN_TRIG != 0 {
            Outcome::Touch(challenge)
        } else {
            self.respond(&challenge).map_or(Outcome::Refused, Outcome::Data)
        }
    }

    /// The answer to a challenge that needs no touch, or had it.
    pub(super) fn respond(&mut self, challenge: &Challenge) -> Option<Vec<u8>> {
        let moment = self.moment(challenge.place);
        let slot = self.memory.slot(challenge.place)?;
        match challenge.mode {
            mode if slot.config.mode() != mode => None,
            Mode::HmacChallenge => Some(output::hmac_answer(&slot.config, &challenge.bytes)),
            _ => Some(output::yubico_answer(slot, &challenge.bytes, moment)),
        }
    }
}

/// Since 2.2, and the NEO beta before (ykpers.c, `capability_has_serial_api`).
fn has_serial(firmware: Firmware) -> bool {
    firmware >= Firmware::new(2, 2, 0) || is_neo_beta(firmware)
}
