//! How the display is, in sentences for `status`.

use std::time::Duration;

use super::bus::BusError;

/// How the display is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisplayStatus {
    /// Nothing has been tried yet.
    Starting,
    /// It shows what it should.
    Working,
    /// It does not; it is tried again.
    Troubled {
        trouble: Trouble,
        /// How many times in a row.
        failures: u32,
        /// How long until the next try, counted from the last one.
        retry_in: Duration,
    },
}

/// Why the display does not work. Enrollments go on without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The kernel has no such bus.
    #[error("There is no I2C bus {bus} on this machine.")]
    NoBus {
        /// Its number.
        bus: u8,
    },
    /// The daemon may not open the bus.
    #[error("The I2C bus {bus} may not be opened.")]
    Denied {
        /// Its number.
        bus: u8,
    },
    /// Nothing answers, neither here nor at the other address of such displays.
    #[error("No display answers at {address:#04x} on I2C bus {bus}.")]
    Missing {
        /// The bus's number.
        bus: u8,
        /// The address tried.
        address: u8,
    },
    /// The display is at its other address.
    #[error("No display answers at {address:#04x} on I2C bus {bus}, but something answers at {other:#04x}.")]
    WrongAddress {
        /// The bus's number.
        bus: u8,
        /// The address tried.
        address: u8,
        /// The address that answers.
        other: u8,
    },
    /// It is another controller, which takes our commands for something else.
    #[error(
        "The display at {address:#04x} on I2C bus {bus} has an SH1106 and no SSD1306: its picture is shifted and torn."
    )]
    Sh1106 {
        /// The bus's number.
        bus: u8,
        address: u8,
    },
    /// A line of the bus is held down.
    #[error("I2C bus {bus} does not move: a line is held low.")]
    Stuck {
        /// The bus's number.
        bus: u8,
    },
    /// Anything else.
    #[error("The display on I2C bus {bus} fails: {what}.")]
    Other {
        /// The bus's number.
        bus: u8,
        /// In the kernel's words.
        what: String,
    },
}

/// Whether a byte that was read from a display is an SH1106's status. Both controllers have "busy" and "off" in its upper bits; below, an
/// SH1106 has 8 and an SSD1306 something else (Meshtastic tells them apart so, `ScanI2CTwoWire.cpp`; not seen here). A bus that gives
/// zeros says nothing.
pub(super) const fn is_sh1106(status: u8) -> bool {
    status & 0x0f == 0x08
}

/// The two addresses of an SSD1306 (datasheet, section 8.1.5): the module's `SA0` decides.
const ADDRESSES: [u8; 2] = [0x3c, 0x3d];

impl Trouble {
    /// What `error` means for the display at `address`. `answers` asks the bus
    /// whether something is at another address.
    pub(super) fn from_bus(error: BusError, bus: u8, address: u8, answers: impl FnOnce(u8) -> bool) -> Self {
        match error {
            BusError::NoBus => Self::NoBus { bus },
            BusError::Denied => Self::Denied { bus },
            BusError::Stuck => Self::Stuck { bus },
            BusError::Other(what) => Self::Other { bus, what },
            BusError::NoAnswer => {
                let other =
                    ADDRESSES.into_iter().find(|&other| other != address).filter(|&other| answers(other));
                match other {
                    Some(other) => Self::WrongAddress { bus, address, other },
                    None => Self::Missing { bus, address },
                }
            }
        }
    }

    /// What somebody can do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoBus { .. } => {
                "Set panel.i2c-bus to the bus the display is wired to (1 on pins 3 and 5), or panel.display to none."
                    .to_owned()
            }
            Self::Denied { bus } => {
                format!("Put the station's user into the group of /dev/i2c-{bus}.")
            }
            Self::Missing { .. } => {
                "Check the display's four wires (3.3 V, ground, SDA on pin 3, SCL on pin 5). It is tried again by itself."
                    .to_owned()
            }
            Self::WrongAddress { other, .. } => format!("Set panel.i2c-address to {other:#04x}."),
            Self::Sh1106 { .. } => {
                "Use a display with an SSD1306; those of 1.3 inches mostly have an SH1106.".to_owned()
            }
            Self::Stuck { .. } => {
                "Unplug the display; if that frees the bus, check SDA and SCL for a short and plug it in again.".to_owned()
            }
            Self::Other { .. } => "Check the display's wires, then restart the station.".to_owned(),
        }
    }
}

impl DisplayStatus {
    /// Whether it shows what it should.
    pub fn is_working(&self) -> bool {
        matches!(self, Self::Working)
    }

    /// One sentence about it.
    pub fn sentence(&self) -> String {
        match self {
            Self::Starting => "The display is being set up.".to_owned(),
            Self::Working => "The display works.".to_owned(),
            Self::Troubled { trouble, .. } => trouble.to_string(),
        }
    }

    /// What somebody can do, if anything has to be done.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Troubled { trouble, .. } => Some(trouble.remedy()),
            _ => None,
        }
    }
}
