//! The panel's hardware: display on I2C, lamp, buzzer and button on GPIO.
//!
//! [`Panel`] is the SSH server: it takes views, never blocks its caller, and tells
//! how the display is. Everything below it is usable by itself: [`Display`] is
//! driven by time as an argument, the adapters stand behind [`Bus`] and
//! [`Pins`], and a [`Breadboard`] takes the place of the real thing.

mod board;
mod bus;
mod delta;
mod display;
mod i2c;
mod panel;
mod pins;
mod status;
mod watch;
mod wire;

pub use board::Breadboard;
pub use bus::{Bus, BusError, OpenBus};
pub use delta::{Window, changes};
pub use display::{Display, DisplayConfig};
pub use i2c::i2c;
pub use panel::{LampPins, Panel, PanelConfig};
pub use pins::{Edges, Level, PinError, Pins, chip_pins, memory_pins, named_line, pins};
pub use status::{DisplayStatus, Trouble};
