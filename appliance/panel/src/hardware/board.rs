//! A breadboard: a display that exists only in memory, with every way to fail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bus::{Bus, BusError, OpenBus};
use crate::frame::Frame;
use crate::glass::Glass;
use crate::twin::Ssd1306;

/// A bus with an [`Ssd1306`] twin on it. Clones are the same board.
#[derive(Clone)]
pub struct Breadboard {
    wires: Arc<Mutex<Wires>>,
}

struct Wires {
    glass: Glass,
    address: u8,
    /// `None` while it is unplugged.
    chip: Option<Ssd1306>,
    stuck: bool,
    /// What a read of the display gives.
    says: u8,
    /// Whether the bus itself is there.
    bus: bool,
    /// Bytes that still get through before one transfer fails.
    until_loss: Option<usize>,
    log: Vec<usize>,
}

/// Transfers remembered.
const MOST_LOG: usize = 100_000;

impl Breadboard {
    /// A board with a display at `address`, just powered on.
    pub fn new(glass: Glass, address: u8) -> Self {
        let wires = Wires {
            glass,
            address,
            chip: Some(Ssd1306::new(glass)),
            stuck: false,
            says: 0x43,
            bus: true,
            until_loss: None,
            log: Vec::new(),
        };
        Self { wires: Arc::new(Mutex::new(wires)) }
    }

    /// Opens the bus for a display that is expected at `address`.
    pub fn opener(&self, address: u8) -> OpenBus {
        let board = self.clone();
        Box::new(move || {
            if board.lock().bus {
                Ok(Box::new(Plugged { board: board.clone(), address }) as Box<dyn Bus>)
            } else {
                Err(BusError::NoBus)
            }
        })
    }

    /// Pulls the display out.
    pub fn unplug(&self) {
        self.lock().chip = None;
    }

    /// Plugs the display in: it starts dark, with noise in its memory.
    pub fn plug(&self) {
        let mut wires = self.lock();
        wires.chip = Some(Ssd1306::new(wires.glass));
    }

    /// What the display says when it is read from now on: an SSD1306 says 0x43 while it is dark, an
    /// SH1106 0x48.
    pub fn says(&self, byte: u8) {
        self.lock().says = byte;
    }

    /// Holds SDA down, or lets go of it.
    pub fn hold(&self, stuck: bool) {
        self.lock().stuck = stuck;
    }

    /// Takes the whole bus away, or brings it back.
    pub fn remove_bus(&self, gone: bool) {
        self.lock().bus = !gone;
    }

    /// Lets so many more bytes through; the transfer in which the next one would
    /// be is cut there and fails. Once.
    pub fn lose_after(&self, bytes: usize) {
        self.lock().until_loss = Some(bytes);
    }

    /// What the glass shows; dark while it is unplugged.
    pub fn picture(&self) -> Frame {
        let wires = self.lock();
        wires.chip.as_ref().map_or_else(|| Frame::new(wires.glass), Ssd1306::picture)
    }

    /// The controller as it is now.
    pub fn chip(&self) -> Option<Ssd1306> {
        self.lock().chip.clone()
    }

    /// How many bytes each transfer carried since the last call, addresses not counted.
    pub fn take_log(&self) -> Vec<usize> {
        std::mem::take(&mut self.lock().log)
    }

    fn lock(&self) -> MutexGuard<'_, Wires> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Plugged {
    board: Breadboard,
    address: u8,
}

impl Bus for Plugged {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BusError> {
        let mut wires = self.board.lock();
        if !wires.bus {
            return Err(BusError::NoBus);
        }
        if wires.stuck {
            return Err(BusError::Stuck);
        }
        if wires.address != self.address || wires.chip.is_none() {
            return Err(BusError::NoAnswer);
        }
        let (through, lost) = match wires.until_loss {
            Some(left) if left < bytes.len() => {
                wires.until_loss = None;
                (bytes.get(..left).unwrap_or_default(), true)
            }
            Some(left) => {
                wires.until_loss = Some(left - bytes.len());
                (bytes, false)
            }
            None => (bytes, false),
        };
        if wires.log.len() < MOST_LOG {
            wires.log.push(through.len());
        }
        if let Some(chip) = wires.chip.as_mut().filter(|_| !through.is_empty()) {
            chip.transfer(through);
        }
        if lost { Err(BusError::NoAnswer) } else { Ok(()) }
    }

    fn read(&mut self, address: u8) -> Option<u8> {
        let wires = self.board.lock();
        let there = wires.bus && !wires.stuck && wires.chip.is_some() && wires.address == address;
        there.then_some(wires.says)
    }
}
