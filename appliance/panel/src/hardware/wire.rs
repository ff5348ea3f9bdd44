//! The driver's commands and data as transfers on a bus.

use display_interface::{DataFormat, DisplayError, WriteOnlyDataCommand};

use super::bus::{Bus, BusError};

/// Before bytes that are all commands, and before bytes that are all data
/// (SSD1306 datasheet, section 8.1.5.2).
const COMMANDS: u8 = 0x00;
const DATA: u8 = 0x40;

/// Bytes of data in one transfer. A page, so that other users of the bus get
/// their turn and a slow bus stays within the kernel's timeout.
const MOST: usize = 128;

/// Takes what the `ssd1306` crate sends and writes it to a bus. Commands are
/// collected and go out together, before the next data or at the end: each
/// transfer costs two bytes more than it carries.
pub(super) struct Wire<'a> {
    bus: &'a mut dyn Bus,
    commands: Vec<u8>,
    failed: Option<BusError>,
}

impl<'a> Wire<'a> {
    pub(super) fn new(bus: &'a mut dyn Bus) -> Self {
        Self { bus, commands: vec![COMMANDS], failed: None }
    }

    /// Sends what is still collected.
    ///
    /// # Errors
    /// The bus's first failure since the wire was made.
    pub(super) fn finish(mut self) -> Result<(), BusError> {
        let sent = self.flush();
        match (self.failed, sent) {
            (Some(failed), _) => Err(failed),
            (None, Ok(())) => Ok(()),
            (None, Err(_)) => Err(BusError::Other("the display driver refused a command".to_owned())),
        }
    }

    fn flush(&mut self) -> Result<(), DisplayError> {
        if self.commands.len() > 1 {
            let commands = std::mem::replace(&mut self.commands, vec![COMMANDS]);
            self.write(&commands)?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DisplayError> {
        if self.failed.is_some() {
            return Err(DisplayError::BusWriteError);
        }
        self.bus.write(bytes).map_err(|error| {
            self.failed = Some(error);
            DisplayError::BusWriteError
        })
    }
}

impl WriteOnlyDataCommand for Wire<'_> {
    fn send_commands(&mut self, commands: DataFormat<'_>) -> Result<(), DisplayError> {
        match commands {
            DataFormat::U8(commands) => {
                self.commands.extend_from_slice(commands);
                Ok(())
            }
            _ => Err(DisplayError::DataFormatNotImplemented),
        }
    }

    fn send_data(&mut self, data: DataFormat<'_>) -> Result<(), DisplayError> {
        let DataFormat::U8(data) = data else { return Err(DisplayError::DataFormatNotImplemented) };
        self.flush()?;
        for part in data.chunks(MOST) {
            let mut transfer = Vec::with_capacity(part.len() + 1);
            transfer.push(DATA);
            transfer.extend_from_slice(part);
            self.write(&transfer)?;
        }
        Ok(())
    }
}
