//! Lamp, buzzer and button: two ways to a pin behind one small trait.
//!
//! Raspberry Pi's own kernel offers `/dev/gpiomem`, and rppal drives pins
//! through it. Mainline kernels, Debian's among them, do not; there the kernel's
//! GPIO character device does the same. Pins are numbered as the SoC numbers
//! them (BCM).

use std::path::{Path, PathBuf};
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, Value};
use rppal::gpio::{Gpio, InputPin, OutputPin, Trigger};

/// The pins of the board.
pub trait Pins: Send {
    /// Makes `pin` an output that starts at `high`. It stays one until the value is dropped.
    ///
    /// # Errors
    /// If there is no such pin, or somebody else has it.
    fn output(&mut self, pin: u8, high: bool) -> Result<Box<dyn Level>, PinError>;

    /// Makes `pin` an input for a button to ground, pulled up.
    ///
    /// # Errors
    /// If there is no such pin, or somebody else has it.
    fn button(&mut self, pin: u8) -> Result<Box<dyn Edges>, PinError>;
}

/// An output.
pub trait Level: Send {
    /// Drives the pin high or low.
    ///
    /// # Errors
    /// In the kernel's words.
    fn set(&mut self, high: bool) -> Result<(), PinError>;
}

/// A button's contact.
pub trait Edges: Send {
    /// Waits until the contact closes (`true`) or opens, at most for `timeout`;
    /// for ever without one. `None` is a timeout.
    ///
    /// # Errors
    /// In the kernel's words.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<bool>, PinError>;
}

/// A pin that cannot be used. The station works without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// This machine has no pins, or the daemon may not use them.
    #[error("The GPIO pins cannot be used: {0}.")]
    NoPins(String),
    /// One pin.
    #[error("GPIO pin {pin} cannot be used: {what}.")]
    Pin {
        /// Its BCM number.
        pin: u8,
        /// In the kernel's words.
        what: String,
    },
}

impl PinError {
    /// What somebody can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoPins(_) => {
                "Put the station's user into the group of /dev/gpiochip0, or set no pins in the panel's configuration."
            }
            Self::Pin { .. } => {
                "Choose another pin for it, or take it out of the panel's configuration. `gpioinfo` names who uses a pin."
            }
        }
    }
}

/// The pins, by whichever way this machine has.
///
/// # Errors
/// Those of the character device, which is tried last.
pub fn pins() -> Result<Box<dyn Pins>, PinError> {
    let memory = ["/dev/gpiomem", "/dev/gpiomem0"].iter().any(|node| Path::new(node).exists());
    if memory && let Ok(pins) = memory_pins() {
        return Ok(pins);
    }
    chip_pins()
}

/// Whether the line of that name is high, whatever chip it belongs to; `None` where there is none, or somebody else has it.
pub fn named_line(name: &str) -> Option<bool> {
    let line = gpiocdev::find_named_line(name)?;
    let request =
        Request::builder().on_chip(&line.chip).with_line(line.info.offset).as_input().request().ok()?;
    request.value(line.info.offset).ok().map(|value| value == Value::Active)
}

/// Pins through `/dev/gpiomem`.
///
/// # Errors
/// If this is no Raspberry Pi, or the node is missing or closed to us.
pub fn memory_pins() -> Result<Box<dyn Pins>, PinError> {
    let gpio = Gpio::new().map_err(|error| PinError::NoPins(error.to_string()))?;
    Ok(Box::new(Memory { gpio }))
}

/// Pins through the GPIO character device.
///
/// # Errors
/// If there is no GPIO chip that we may open.
pub fn chip_pins() -> Result<Box<dyn Pins>, PinError> {
    let chips = gpiocdev::chip::chips().map_err(|error| PinError::NoPins(error.to_string()))?;
    // The SoC's own chip on every model; expanders have other labels.
    let label =
        |chip: &PathBuf| gpiocdev::chip::Chip::from_path(chip).ok()?.info().ok().map(|info| info.label);
    let soc = chips.iter().find(|chip| label(chip).is_some_and(|label| label.starts_with("pinctrl-")));
    match soc.or(chips.first()) {
        Some(chip) => Ok(Box::new(Device { chip: chip.clone() })),
        None => Err(PinError::NoPins("there is no GPIO chip".to_owned())),
    }
}

struct Memory {
    gpio: Gpio,
}

impl Pins for Memory {
    fn output(&mut self, pin: u8, high: bool) -> Result<Box<dyn Level>, PinError> {
        let free = self.gpio.get(pin).map_err(|error| at(pin, &error))?;
        Ok(Box::new(if high { free.into_output_high() } else { free.into_output_low() }))
    }

    fn button(&mut self, pin: u8) -> Result<Box<dyn Edges>, PinError> {
        let free = self.gpio.get(pin).map_err(|error| at(pin, &error))?;
        let mut input = free.into_input_pullup();
        input.set_interrupt(Trigger::Both, None).map_err(|error| at(pin, &error))?;
        Ok(Box::new(input))
    }
}

impl Level for OutputPin {
    fn set(&mut self, high: bool) -> Result<(), PinError> {
        if high {
            self.set_high()
        } else {
            self.set_low()
        }
        Ok(())
    }
}

impl Edges for InputPin {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<bool>, PinError> {
        let pin = self.pin();
        let event = self.poll_interrupt(false, timeout).map_err(|error| at(pin, &error))?;
        Ok(event.map(|event| event.trigger == Trigger::FallingEdge))
    }
}

struct Device {
    chip: PathBuf,
}

/// Who has a pin, in `gpioinfo`.
const CONSUMER: &str = "enrollment station";

impl Pins for Device {
    fn output(&mut self, pin: u8, high: bool) -> Result<Box<dyn Level>, PinError> {
        let request = Request::builder()
            .on_chip(&self.chip)
            .with_consumer(CONSUMER)
            .with_line(pin.into())
            .as_output(value(high))
            .request()
            .map_err(|error| at(pin, &error))?;
        Ok(Box::new(Line { pin, request }))
    }

    fn button(&mut self, pin: u8) -> Result<Box<dyn Edges>, PinError> {
        let request = Request::builder()
            .on_chip(&self.chip)
            .with_consumer(CONSUMER)
            .with_line(pin.into())
            .as_input()
            .with_bias(Bias::PullUp)
            .with_edge_detection(EdgeDetection::BothEdges)
            .request()
            .map_err(|error| at(pin, &error))?;
        Ok(Box::new(Line { pin, request }))
    }
}

struct Line {
    pin: u8,
    request: Request,
}

impl Level for Line {
    fn set(&mut self, high: bool) -> Result<(), PinError> {
        self.request.set_lone_value(value(high)).map_err(|error| at(self.pin, &error))
    }
}

impl Edges for Line {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<bool>, PinError> {
        if let Some(timeout) = timeout
            && !self.request.wait_edge_event(timeout).map_err(|error| at(self.pin, &error))?
        {
            return Ok(None);
        }
        let event = self.request.read_edge_event().map_err(|error| at(self.pin, &error))?;
        Ok(Some(event.kind == EdgeKind::Falling))
    }
}

const fn value(high: bool) -> Value {
    if high { Value::Active } else { Value::Inactive }
}

fn at(pin: u8, error: &dyn std::error::Error) -> PinError {
    PinError::Pin { pin, what: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_pins_says_so() {
        // Neither a developer's machine nor a container is a Raspberry Pi; where
        // these tests do run on one, there is nothing to refuse.
        if let Err(error) = pins() {
            assert!(matches!(error, PinError::NoPins(_)), "{error}");
            assert!(!error.remedy().is_empty());
        }
    }

    #[test]
    fn a_chip_that_is_not_there_is_an_error_of_the_pin() {
        let mut pins = Device { chip: PathBuf::from("/dev/gpiochip-none") };
        let output = pins.output(17, true).err();
        assert!(matches!(output, Some(PinError::Pin { pin: 17, .. })), "{output:?}");
        let button = pins.button(27).err();
        assert!(matches!(button, Some(PinError::Pin { pin: 27, .. })), "{button:?}");
    }
}
