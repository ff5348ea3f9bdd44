//! The twin as a thing that can be held.

use core::time::Duration;

use zeroize::Zeroizing;

use super::application::{Application, Begun, TIMEOUT};
use super::command::{Command, HOTP, Put, TOTP, status};
use super::faults::Faults;
use super::hid::{Event, PACKET, Pipe, Request, SECRETS, VERSION, error};
use super::memory::{CredentialView, ROOM};
use crate::key::{Interface, KeyTwin, KeyboardReport, Press, TwinError};
use crate::plug::{Plug, one_of};

/// What a twin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    pub serial: u32,
    /// The firmware that it says it has; `None` says nothing, as no real one does.
    /// The application is the same whatever it says.
    pub firmware: Option<[u8; 3]>,
    /// Where all that is random about it comes from.
    pub seed: u64,
}

impl Model {
    /// USB vendor and product id.
    pub const USB_IDS: (u16, u16) = (0x20a0, 0x42b2);
}

/// A Nitrokey 3 in software: its Secrets application.
pub struct SecretsTwin {
    model: Model,
    application: Application,
    pipe: Pipe,
    /// What waits for a touch, for whom, and until when.
    waiting: Option<(Option<Request>, Command, Duration)>,
    plug: Plug<Faults>,
    /// How many answers were salted.
    salts: u64,
    /// The fewest tries that the PIN ever had left.
    fewest_tries: u8,
}

impl SecretsTwin {
    /// A key with nothing in it, plugged in.
    pub fn new(model: Model) -> Self {
        let application = Application::new(model.serial);
        Self {
            model,
            application,
            pipe: Pipe::default(),
            waiting: None,
            plug: Plug::default(),
            salts: 0,
            fewest_tries: u8::MAX,
        }
    }

    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.plug.set_faults(faults);
    }

    /// Puts a HOTP credential of somebody else into it.
    pub fn occupy(&mut self, label: &str, secret: &[u8]) {
        self.application.memory.put(Put {
            label: label.as_bytes().to_vec(),
            kind: HOTP | 1,
            digits: 6,
            secret: Zeroizing::new(secret.to_vec()),
            touch: false,
            pin: false,
            counter: 0,
        });
    }

    /// Fills it with credentials of somebody else.
    pub fn fill(&mut self) {
        for number in 0..ROOM {
            if !self.application.memory.is_full() {
                self.occupy(&format!("foreign {number}"), b"a foreign credential");
            }
        }
    }

    /// Gives it a PIN that may be wrong so many more times.
    pub fn set_pin(&mut self, pin: &str, tries: u8) {
        let mut kept = super::memory::Pin::new(Zeroizing::new(pin.as_bytes().to_vec()));
        kept.tries = tries;
        self.application.memory.pin = Some(kept);
        self.fewest_tries = u8::MAX;
    }

    /// How often the PIN may still be wrong; `None` without one.
    pub fn pin_tries(&self) -> Option<u8> {
        self.application.memory.pin.as_ref().map(|pin| pin.tries)
    }

    /// The fewest tries that the PIN ever had left, since it was set.
    pub fn fewest_tries(&self) -> u8 {
        self.fewest_tries.min(self.pin_tries().unwrap_or(u8::MAX))
    }

    /// All that is in it, hidden or not.
    pub fn credentials(&self) -> Vec<CredentialView> {
        let view = |put: &Put| CredentialView {
            label: String::from_utf8_lossy(&put.label).into_owned(),
            counter: put.counter,
            totp: put.kind & 0xf0 == TOTP,
            touch: put.touch,
            pin: put.pin,
        };
        self.application.memory.visible(true).map(|(_, put)| view(put)).collect()
    }

    /// The first credential with that secret.
    pub fn holder_of(&self, secret: &[u8]) -> Option<CredentialView> {
        let mut all = self.application.memory.visible(true).zip(self.credentials());
        all.find(|((_, put), _)| put.secret.as_slice() == secret && [HOTP, TOTP].contains(&(put.kind & 0xf0)))
            .map(|(_, view)| view)
    }

    /// Everything that it keeps without power, without secrets: two keys of the same
    /// text go on alike.
    pub fn describe(&self) -> String {
        self.application.memory.describe()
    }

    /// Whether it waits for a touch.
    pub const fn wants_touch(&self) -> bool {
        self.waiting.is_some()
    }

    /// Pulls the key out, until [`KeyTwin::power`].
    pub fn pull_out(&mut self) {
        self.plug.pull();
    }

    /// Before a transfer: whether there is anybody to take it.
    fn reach(&mut self) -> Result<(), TwinError> {
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

    fn take(&mut self, packet: &[u8; PACKET]) {
        let working = self.waiting.as_ref().and_then(|(request, ..)| *request);
        match self.pipe.take(packet, working, self.plug.now) {
            Event::Nothing => {}
            Event::Message(request, _) if one_of(&mut self.plug.faults.busy) => {
                self.pipe.error(request, error::BUSY);
            }
            // Also what another application would answer goes through the same hands.
            Event::Message(request, _) if self.waiting.is_some() => self.pipe.error(request, error::BUSY),
            Event::Message(request, data) => self.message(request, &data),
            Event::Disown => {
                if let Some((request, ..)) = &mut self.waiting {
                    *request = None;
                }
            }
            Event::CallOff { answered } => {
                if let Some((request, command, _)) = self.waiting.take() {
                    let answer = self.application.give_up(&command, true);
                    if let (Some(request), true) = (request, answered) {
                        self.pipe.answer(request, &answer);
                    }
                }
            }
        }
    }

    fn message(&mut self, request: Request, data: &[u8]) {
        match (request.command, self.model.firmware) {
            (VERSION, Some([major, minor, patch])) => {
                let text = format!("{major}.{minor}.{patch}").into_bytes();
                let packed = u32::from(major) << 22 | u32::from(minor) << 6 | u32::from(patch);
                let answer = if data == [1] { text } else { packed.to_be_bytes().to_vec() };
                self.pipe.answer(request, &answer);
            }
            (SECRETS, _) => self.command(request, data),
            _ => self.pipe.error(request, error::COMMAND),
        }
    }

    fn command(&mut self, request: Request, apdu: &[u8]) {
        let loses = matches!(apdu, [0, 0x01, ..]) && one_of(&mut self.plug.faults.lose_writes);
        if loses {
            return self.pipe.answer(request, &status::OK);
        }
        let salt = self.salt();
        match self.application.begin(apdu, salt) {
            None => self.pipe.error(request, error::LENGTH),
            Some(Begun::Done(answer)) => self.pipe.answer(request, &answer),
            Some(Begun::Waiting(command)) => {
                self.waiting = Some((Some(request), command, self.plug.now.saturating_add(TIMEOUT)));
            }
        }
        self.note_tries();
    }

    fn note_tries(&mut self) {
        self.fewest_tries = self.fewest_tries();
    }

    /// Eight bytes that are like random ones: splitmix64 (Steele, Lea, Flood 2014).
    fn salt(&mut self) -> [u8; 8] {
        self.salts += 1;
        let mut z = self.model.seed.wrapping_add(self.salts.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_be_bytes()
    }
}

impl KeyTwin for SecretsTwin {
    fn set_feature(&mut self, _report: &[u8]) -> Result<(), TwinError> {
        self.reach()?;
        Err(TwinError::NoInterface(Interface::Feature))
    }

    fn get_feature(&mut self) -> Result<Vec<u8>, TwinError> {
        self.reach()?;
        Err(TwinError::NoInterface(Interface::Feature))
    }

    fn out(&mut self, packet: &[u8]) -> Result<(), TwinError> {
        if self.plug.pulled_before(true) {
            self.pull_out();
        }
        self.reach()?;
        let wrong = TwinError::Length { wanted: PACKET, got: packet.len() };
        let packet: &[u8; PACKET] = packet.try_into().map_err(|_| wrong)?;
        self.take(packet);
        self.transferred(true);
        Ok(())
    }

    fn input(&mut self) -> Result<Option<Vec<u8>>, TwinError> {
        self.reach()?;
        let packet = self.pipe.out.pop_front();
        // A look that finds nothing is no transfer.
        if packet.is_some() {
            self.transferred(false);
        }
        Ok(packet.map(|packet| packet.to_vec()))
    }

    /// The twin has no CCID interface.
    fn apdu(&mut self, _command: &[u8]) -> Result<Vec<u8>, TwinError> {
        self.reach()?;
        Err(TwinError::NoInterface(Interface::Ccid))
    }

    /// It types nothing; the touch is for whatever waits for one.
    fn touch(&mut self, _press: Press) -> Result<Vec<KeyboardReport>, TwinError> {
        self.plug.there()?;
        if self.plug.is_dead() || one_of(&mut self.plug.faults.ignore_touches) {
            return Ok(Vec::new());
        }
        if let Some((request, command, _)) = self.waiting.take() {
            let salt = self.salt();
            let loses =
                matches!(command, Command::Delete { .. }) && one_of(&mut self.plug.faults.lose_writes);
            let answer = if loses { status::OK.to_vec() } else { self.application.finish(command, salt) };
            self.note_tries();
            if let Some(request) = request {
                self.pipe.answer(request, &answer);
            }
        }
        Ok(Vec::new())
    }

    fn power(&mut self) -> Result<(), TwinError> {
        self.pull_out();
        self.pipe = Pipe::default();
        self.waiting = None;
        self.application.power_up();
        self.plug.put_in();
        Ok(())
    }

    fn advance(&mut self, by: Duration) -> Result<(), TwinError> {
        self.plug.pass(by);
        if self.plug.is_in() {
            self.pipe.pass(self.plug.now);
            let late = self.waiting.take_if(|(_, _, until)| self.plug.now > *until);
            if let Some((request, command, _)) = late {
                let answer = self.application.give_up(&command, false);
                if let Some(request) = request {
                    self.pipe.answer(request, &answer);
                }
            }
        }
        Ok(())
    }
}
