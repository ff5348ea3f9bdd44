//! What the display needs from an I2C bus, and what can go wrong on one.

/// A display's connection: an open bus and the display's address on it.
pub trait Bus: Send {
    /// Writes `bytes` in one transfer, between a start and a stop condition.
    ///
    /// # Errors
    /// What went wrong; how many bytes arrived is unknown.
    fn write(&mut self, bytes: &[u8]) -> Result<(), BusError>;

    /// The byte that a read of `address` gives; `None` when nothing acknowledges it. Nothing is
    /// written: that could change something that is no display.
    fn read(&mut self, address: u8) -> Option<u8>;
}

/// Opens the bus, again after each failure: its node may come and go.
pub type OpenBus = Box<dyn FnMut() -> Result<Box<dyn Bus>, BusError> + Send>;

/// What went wrong on the bus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// There is no such bus on this machine.
    #[error("there is no such I2C bus")]
    NoBus,
    /// The bus may not be opened.
    #[error("the I2C bus may not be opened")]
    Denied,
    /// Nothing acknowledged the address or a byte.
    #[error("nothing answers at this address")]
    NoAnswer,
    /// A line is held down, or a transfer did not end.
    #[error("the I2C bus does not move")]
    Stuck,
    /// Anything else, in the kernel's words.
    #[error("the I2C bus fails: {0}")]
    Other(String),
}
