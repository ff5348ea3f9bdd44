//! The bus as the kernel has it, through rppal.

use std::io;

use rppal::i2c::{Error, I2c};

use super::bus::{Bus, BusError, OpenBus};

/// The longest that one transfer may hang, in units of 10 ms (the kernel's
/// `I2C_TIMEOUT`). The longest of ours takes 12 ms on a bus of 100 kHz, and a
/// machine that is busy may be late with its end. It has to be far from both: when
/// a transfer ends just as its time is up, the interrupt handler of the kernel's
/// `i2c-bcm2835.c` follows a pointer that `bcm2835_i2c_xfer` has cleared meanwhile, and
/// the machine goes down.
const TIMEOUT: u32 = 200;

/// Opens `/dev/i2c-<bus>` for the device at `address`.
///
/// The bus's speed is not ours to choose: the kernel reads it from the device
/// tree (`clock-frequency`), and 100 kHz is what it says by default.
pub fn i2c(bus: u8, address: u8) -> OpenBus {
    Box::new(move || {
        let mut i2c = I2c::with_bus(bus).map_err(cause)?;
        i2c.set_slave_address(address.into()).map_err(cause)?;
        // An adapter without a timeout of its own is not a reason to stay dark.
        let _ = i2c.set_timeout(TIMEOUT);
        Ok(Box::new(Kernel { i2c, address }))
    })
}

struct Kernel {
    i2c: I2c,
    address: u8,
}

impl Bus for Kernel {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BusError> {
        match self.i2c.write(bytes) {
            Ok(count) if count == bytes.len() => Ok(()),
            Ok(count) => Err(BusError::Other(format!("{count} of {} bytes were written", bytes.len()))),
            Err(error) => Err(cause(error)),
        }
    }

    fn read(&mut self, address: u8) -> Option<u8> {
        let mut byte = [0];
        let read = self.i2c.set_slave_address(address.into()).and_then(|()| self.i2c.read(&mut byte));
        let back = self.i2c.set_slave_address(self.address.into());
        (read.is_ok() && back.is_ok()).then_some(byte[0])
    }
}

fn cause(error: Error) -> BusError {
    match error {
        Error::Io(error) => from_kernel(&error),
        other => BusError::Other(other.to_string()),
    }
}

/// The errors of `i2c-bcm2835.c` and `i2c-dev.c`; the kernel lists their
/// meanings in Documentation/i2c/fault-codes.rst.
fn from_kernel(error: &io::Error) -> BusError {
    const ENXIO: i32 = 6;
    const EAGAIN: i32 = 11;
    const EBUSY: i32 = 16;
    const ENODEV: i32 = 19;
    const ETIMEDOUT: i32 = 110;
    const EREMOTEIO: i32 = 121;
    match (error.raw_os_error(), error.kind()) {
        (Some(EREMOTEIO | ENXIO), _) => BusError::NoAnswer,
        (Some(ETIMEDOUT | EAGAIN | EBUSY), _) => BusError::Stuck,
        (Some(ENODEV), _) | (_, io::ErrorKind::NotFound) => BusError::NoBus,
        (_, io::ErrorKind::PermissionDenied) => BusError::Denied,
        _ => BusError::Other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_errors_have_causes() {
        let cause = |errno| from_kernel(&io::Error::from_raw_os_error(errno));
        assert_eq!(cause(121), BusError::NoAnswer);
        assert_eq!(cause(6), BusError::NoAnswer);
        assert_eq!(cause(110), BusError::Stuck);
        assert_eq!(cause(11), BusError::Stuck);
        assert_eq!(cause(2), BusError::NoBus);
        assert_eq!(cause(13), BusError::Denied);
        assert!(matches!(cause(5), BusError::Other(_)));
    }

    #[test]
    fn a_bus_that_is_not_there_is_named() {
        // No machine has 255 buses.
        assert_eq!(i2c(255, 0x3c)().err(), Some(BusError::NoBus));
    }
}
