//! The twin as a thing that can be held.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use trussed_core::types::consent::Level;
use twins::key::{Interface, KeyTwin, KeyboardReport, Press, TwinError};
use twins::plug::{Plug, one_of};

use crate::faults::Faults;
use crate::firmware;
use crate::presence::World;
use crate::usb::{Answer, Ask};

/// What a twin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its serial.
    pub serial: u32,
    /// The firmware that it says it has; `None` says nothing, as no real one does.
    /// The applications are the same whatever it says.
    pub firmware: Option<[u8; 3]>,
    /// Where all that is random about it comes from.
    pub seed: u64,
}

/// A Nitrokey 3 in software.
///
/// It runs in a thread of its own, which ends when this goes.
pub struct Nitrokey3Twin {
    asks: Sender<Ask>,
    answers: Receiver<Answer>,
    plug: Plug<Faults>,
}

/// The firmware keeps whole messages on the stack, several at a time.
const STACK: usize = 16 << 20;

impl Nitrokey3Twin {
    /// A key with nothing in it, plugged in.
    ///
    /// # Errors
    ///
    /// When the computer has no more threads.
    pub fn new(model: Model) -> std::io::Result<Self> {
        let (asks, inbox) = mpsc::channel();
        let (outbox, answers) = mpsc::channel();
        let world = World::default();
        thread::Builder::new()
            .name("nitrokey 3".to_owned())
            .stack_size(STACK)
            .spawn(move || firmware::run(&model, &world, inbox, outbox))?;
        Ok(Self { asks, answers, plug: Plug::default() })
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.plug.set_faults(faults);
    }

    /// What goes wrong, as far as it has not yet.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.plug.faults
    }

    /// Pulls the key out, until [`KeyTwin::power`].
    pub fn pull_out(&mut self) {
        self.plug.pull();
    }

    fn ask(&self, ask: Ask) -> Result<Answer, TwinError> {
        let broken = || TwinError::Line("the firmware has stopped; it must have panicked".to_owned());
        self.asks.send(ask).map_err(|_| broken())?;
        self.answers.recv().map_err(|_| broken())
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
}

impl KeyTwin for Nitrokey3Twin {
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
        if packet.len() != 64 {
            return Err(TwinError::Length { wanted: 64, got: packet.len() });
        }
        self.ask(Ask::Out(packet.to_vec()))?;
        self.transferred(true);
        Ok(())
    }

    fn input(&mut self) -> Result<Option<Vec<u8>>, TwinError> {
        self.reach()?;
        let packet = match self.ask(Ask::In)? {
            Answer::Packet(packet) => packet,
            Answer::Done => None,
        };
        // A look that finds nothing is no transfer.
        if packet.is_some() {
            self.transferred(false);
        }
        Ok(packet)
    }

    /// The twin has no CCID interface.
    fn apdu(&mut self, _command: &[u8]) -> Result<Vec<u8>, TwinError> {
        self.reach()?;
        Err(TwinError::NoInterface(Interface::Ccid))
    }

    /// It types nothing; the touch is for whatever waits for one.
    fn touch(&mut self, press: Press) -> Result<Vec<KeyboardReport>, TwinError> {
        self.plug.there()?;
        if !self.plug.is_dead() && !one_of(&mut self.plug.faults.ignore_touches) {
            let level = match press {
                Press::Short => Level::Normal,
                Press::Long => Level::Strong,
            };
            self.ask(Ask::Touch(level))?;
        }
        Ok(Vec::new())
    }

    fn power(&mut self) -> Result<(), TwinError> {
        self.pull_out();
        // It is answered by the next session, or by nobody.
        self.asks.send(Ask::Power).map_err(|_| TwinError::Line("the firmware has stopped".to_owned()))?;
        self.plug.put_in();
        Ok(())
    }

    fn advance(&mut self, by: Duration) -> Result<(), TwinError> {
        self.plug.pass(by);
        if self.plug.is_in() {
            self.ask(Ask::Advance(by))?;
        }
        Ok(())
    }
}
