//! The application: what comes of a command (`authenticator.rs` of secrets-app).

use core::time::Duration;

use super::command::{Command, HOTP, Put, Status, status};
use super::memory::{Memory, Pin, truncated};

/// How long it waits for a touch.
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);

/// What it says of itself: 4, then the version of the application.
const VERSION: [u8; 3] = [4, 16, 0];

/// The longest answer; what is left over is asked for again.
const LONGEST_ANSWER: usize = 3072;

/// The application with its memory.
pub(super) struct Application {
    pub(super) memory: Memory,
    serial: u32,
    /// Whether the PIN was verified by the last command.
    unlocked: bool,
    /// Where a list goes on, and in which form.
    list: Option<(usize, u8)>,
}

/// What came of a command, so far.
pub(super) enum Begun {
    /// The answer, status word first.
    Done(Vec<u8>),
    /// It waits for a touch.
    Waiting(Command),
}

impl Application {
    pub(super) fn new(serial: u32) -> Self {
        Self { memory: Memory::default(), serial, unlocked: false, list: None }
    }

    /// Forgets what it does not keep.
    pub(super) fn power_up(&mut self) {
        self.unlocked = false;
        self.list = None;
    }

    /// Begins a command. `salt` is random.
    pub(super) fn begin(&mut self, apdu: &[u8], salt: [u8; 8]) -> Option<Begun> {
        let (class, head, data) = split(apdu)?;
        let command = match Command::parse(class, head, data) {
            Ok(command) => command,
            Err(status) => return Some(Begun::Done(status.to_vec())),
        };
        if !matches!(command, Command::SendRemaining) {
            self.list = None;
        }
        match self.before_touch(&command) {
            Ok(true) => Some(Begun::Waiting(command)),
            Ok(false) => Some(Begun::Done(self.finish(command, salt))),
            Err(status) => {
                self.forget(&command);
                Some(Begun::Done(status.to_vec()))
            }
        }
    }

    /// Whether it wants a touch, unless it is refused before.
    fn before_touch(&mut self, command: &Command) -> Result<bool, Status> {
        match command {
            Command::Delete { .. } | Command::Reset => Ok(true),
            Command::Put(put) => Ok(put.touch && !put.pin),
            Command::Calculate { label, .. } => {
                let unlocked = self.unlocked;
                let credential = self.memory.find(label, unlocked).ok_or(status::NOT_FOUND)?;
                Ok(credential.touch && !credential.pin)
            }
            Command::SetPin { .. } if self.memory.pin.is_some() => Err(status::SECURITY),
            Command::SetPin { .. } => Ok(true),
            Command::VerifyPin { .. } | Command::ChangePin { .. } if self.memory.pin.is_none() => {
                Err(status::SECURITY)
            }
            Command::VerifyPin { .. } => {
                self.unlocked = false;
                Ok(true)
            }
            Command::ChangePin { .. } => Ok(true),
            Command::Select | Command::List { .. } | Command::SendRemaining => Ok(false),
        }
    }

    /// Goes on after the touch, or without one.
    pub(super) fn finish(&mut self, command: Command, salt: [u8; 8]) -> Vec<u8> {
        let stays = matches!(command, Command::VerifyPin { .. });
        let mut answer = status::OK.to_vec();
        match self.carry_out(command, salt, &mut answer) {
            Ok(()) => {}
            // What it could not say yet stays in the answer.
            Err(more @ [0x61, _]) => {
                for (to, from) in answer.iter_mut().zip(more) {
                    *to = from;
                }
            }
            Err(refused) => answer = refused.to_vec(),
        }
        if !stays && self.list.is_none() {
            self.unlocked = false;
        }
        answer
    }

    /// Ends without the touch: none came in time, or the host called it off.
    pub(super) fn give_up(&mut self, command: &Command, called_off: bool) -> Vec<u8> {
        self.forget(command);
        let status = if called_off { status::UNSPECIFIED } else { status::SECURITY };
        status.to_vec()
    }

    fn forget(&mut self, command: &Command) {
        if !matches!(command, Command::VerifyPin { .. }) {
            self.unlocked = false;
        }
    }

    fn carry_out(&mut self, command: Command, salt: [u8; 8], answer: &mut Vec<u8>) -> Result<(), Status> {
        match command {
            Command::Select => self.select(salt, answer),
            Command::List { version } => return self.list(0, version, answer),
            Command::SendRemaining => {
                let (from, version) = self.list.ok_or(status::CONDITIONS)?;
                return self.list(from, version, answer);
            }
            Command::Put(put) => return self.put(put),
            Command::Calculate { label, challenge } => return self.calculate(&label, &challenge, answer),
            Command::Delete { label } => {
                let unlocked = self.unlocked;
                self.memory.find(&label, unlocked).ok_or(status::NOT_FOUND)?;
                self.memory.remove(&label);
            }
            Command::Reset => self.memory = Memory::default(),
            Command::SetPin { new } => self.memory.pin = Some(Pin::new(new)),
            Command::VerifyPin { pin } => {
                let right = self.memory.pin.as_mut().is_some_and(|kept| kept.verify(&pin));
                if !right {
                    return Err(status::VERIFICATION_FAILED);
                }
                self.unlocked = true;
            }
            Command::ChangePin { old, new } => {
                let right = self.memory.pin.as_mut().is_some_and(|kept| kept.verify(&old));
                if !right {
                    return Err(status::VERIFICATION_FAILED);
                }
                self.memory.pin = Some(Pin::new(new));
            }
        }
        Ok(())
    }

    fn select(&self, salt: [u8; 8], answer: &mut Vec<u8>) {
        answer.extend([0x79, 3]);
        answer.extend(VERSION);
        match &self.memory.pin {
            None => {
                answer.extend([0x71, 8]);
                answer.extend(salt);
            }
            Some(pin) => answer.extend([0x82, 1, pin.tries]),
        }
        answer.extend([0x8f, 4]);
        answer.extend(self.serial.to_be_bytes());
    }

    fn list(&mut self, from: usize, version: u8, answer: &mut Vec<u8>) -> Result<(), Status> {
        let unlocked = self.unlocked;
        for (number, credential) in self.memory.visible(unlocked).skip_while(|(number, _)| *number < from) {
            let mut entry = vec![credential.kind];
            entry.extend(&credential.label);
            if version == 1 {
                entry.push(u8::from(credential.touch) | u8::from(credential.pin) << 1);
            }
            let length = u8::try_from(entry.len()).unwrap_or(u8::MAX);
            if answer.len() + 2 + entry.len() > LONGEST_ANSWER {
                self.list = Some((number, version));
                return Err([0x61, 0xff]);
            }
            answer.extend([0x72, length]);
            answer.extend(entry);
        }
        self.list = None;
        Ok(())
    }

    fn put(&mut self, put: Put) -> Result<(), Status> {
        if self.memory.is_full() {
            return Err(status::NO_MEMORY);
        }
        if self.memory.has(&put.label) {
            return Err(status::BLOCKED);
        }
        if put.pin && !self.unlocked {
            return Err(status::SECURITY);
        }
        self.memory.put(put);
        Ok(())
    }

    fn calculate(&mut self, label: &[u8], challenge: &[u8], answer: &mut Vec<u8>) -> Result<(), Status> {
        let unlocked = self.unlocked;
        let credential = self.memory.find(label, unlocked).ok_or(status::NOT_FOUND)?;
        let moving = if credential.kind & 0xf0 == HOTP {
            let counter = u64::from(credential.counter);
            // The counter goes on before the code is computed.
            credential.counter = credential.counter.checked_add(1).ok_or(status::UNSPECIFIED)?;
            counter.to_be_bytes().to_vec()
        } else {
            challenge.to_vec()
        };
        let code = truncated(credential.kind, &credential.secret, &moving).ok_or(status::NOT_SUPPORTED)?;
        answer.extend([0x76, 5, credential.digits]);
        answer.extend(code);
        Ok(())
    }
}

/// A short APDU, cut up; `None` when it is none.
fn split(apdu: &[u8]) -> Option<(u8, [u8; 3], &[u8])> {
    let (&[class, instruction, p1, p2], rest) = apdu.split_first_chunk()?;
    let head = [instruction, p1, p2];
    match rest {
        // Nothing, or how much is expected.
        [] | [_] => Some((class, head, &[])),
        [length, data @ ..] => {
            let length = usize::from(*length);
            let fits = data.len() == length || data.len() == length + 1;
            if length > 0 && fits { Some((class, head, data.get(..length)?)) } else { None }
        }
    }
}
