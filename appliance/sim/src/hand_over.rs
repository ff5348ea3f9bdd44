//! The hand-over file of a simulation: in clear, since its keys are worth nothing.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::pin::Pin;

use dispatch::store::HandOverPort;
use station::engine::step::HandOver;

/// A file with a line for each key: its serial, its token, and what it got.
pub(crate) struct PlainFile(pub(crate) PathBuf);

impl HandOverPort for PlainFile {
    fn hand_over(&self, what: HandOver) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(std::future::ready(self.append(&what).map_err(|error| format!("hand-over file: {error}"))))
    }
}

impl PlainFile {
    fn append(&self, what: &HandOver) -> std::io::Result<()> {
        let mut line = format!("key {} token {}", what.key, what.token);
        if let Some(code) = &what.access_code {
            line += " access-code ";
            line.extend(code.expose().iter().map(|byte| format!("{byte:02x}")));
        }
        if let Some(pin) = &what.admin_pin {
            line += " admin-pin ";
            line += pin.expose();
        }
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.0)?;
        writeln!(file, "{line}")?;
        file.sync_data()
    }
}
