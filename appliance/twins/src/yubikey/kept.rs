//! A twin whose memory is a file, so that it outlives its program as a key
//! outlives the station's power cuts.

use core::time::Duration;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::key::{KeyTwin, KeyboardReport, Press, TwinError};

use super::YubiKeyTwin;
use super::model::Model;

/// A twin and the file it is kept in. The file is replaced whole, before the
/// answer to what changed it is given.
pub struct KeptTwin {
    twin: YubiKeyTwin,
    path: PathBuf,
    /// The revision that is in the file.
    kept: u64,
}

impl KeptTwin {
    /// The twin in the file, or the one that `new` makes when there is no file.
    pub fn open(
        path: &Path,
        model: &Model,
        seed: u64,
        new: impl FnOnce() -> YubiKeyTwin,
    ) -> Result<Self, TwinError> {
        let twin = match fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => YubiKeyTwin::restore(model.clone(), &text, seed)
                .map_err(|error| TwinError::Memory(error.to_string()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => new(),
            Err(error) => return Err(TwinError::Memory(error.to_string())),
        };
        let mut kept = Self { twin, path: path.to_owned(), kept: 0 };
        kept.write()?;
        Ok(kept)
    }

    /// The twin itself. What is changed here is kept with the next operation.
    pub const fn twin(&mut self) -> &mut YubiKeyTwin {
        &mut self.twin
    }

    fn keep<R>(&mut self, result: R) -> Result<R, TwinError> {
        if self.twin.revision() != self.kept {
            self.write()?;
        }
        Ok(result)
    }

    fn write(&mut self) -> Result<(), TwinError> {
        let failed = |error: std::io::Error| TwinError::Memory(error.to_string());
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)
            .map_err(failed)?;
        file.write_all(self.twin.save().as_bytes()).map_err(failed)?;
        fs::rename(&beside, &self.path).map_err(failed)?;
        self.kept = self.twin.revision();
        Ok(())
    }
}

impl KeyTwin for KeptTwin {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), TwinError> {
        let result = self.twin.set_feature(report);
        self.keep(result)?
    }

    fn get_feature(&mut self) -> Result<Vec<u8>, TwinError> {
        let result = self.twin.get_feature();
        self.keep(result)?
    }

    fn out(&mut self, packet: &[u8]) -> Result<(), TwinError> {
        let result = self.twin.out(packet);
        self.keep(result)?
    }

    fn input(&mut self) -> Result<Option<Vec<u8>>, TwinError> {
        let result = self.twin.input();
        self.keep(result)?
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TwinError> {
        let result = self.twin.apdu(command);
        self.keep(result)?
    }

    fn lateness(&self) -> Duration {
        self.twin.lateness()
    }

    fn touch(&mut self, press: Press) -> Result<Vec<KeyboardReport>, TwinError> {
        let result = self.twin.touch(press);
        self.keep(result)?
    }

    fn power(&mut self) -> Result<(), TwinError> {
        let result = self.twin.power();
        self.keep(result)?
    }

    fn advance(&mut self, by: Duration) -> Result<(), TwinError> {
        let result = self.twin.advance(by);
        self.keep(result)?
    }
}
