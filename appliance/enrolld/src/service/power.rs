//! Switching the machine off, by a program that may.

use std::ffi::OsString;
use std::time::Duration;

use station::refusal::Code;
use tokio::process::Command;

use super::refuse::no;

/// How long a station may take from the request to its first step of stopping.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The program that switches off. It is called with `reboot` or `poweroff`.
#[derive(Debug, Clone)]
pub struct Power(Option<OsString>);

impl Power {
    /// By this program, such as `systemctl`.
    #[must_use]
    pub const fn by(program: OsString) -> Self {
        Self(Some(program))
    }

    /// Not at all: a simulation does not switch its machine off.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether there is a program at all.
    pub(super) fn check(&self) -> Result<(), control::Refusal> {
        self.0.as_ref().map(drop).ok_or_else(|| no(Code::PowerRefused, "this station is a simulation"))
    }

    /// Does it.
    pub(super) async fn run(&self, what: &str) -> Result<(), control::Refusal> {
        self.check()?;
        let Some(program) = &self.0 else { return Ok(()) };
        let ran = Command::new(program).arg(what).kill_on_drop(true).output().await;
        match ran {
            Ok(ran) if ran.status.success() => Ok(()),
            Ok(ran) => {
                let said = String::from_utf8_lossy(&ran.stderr);
                let said: String = said.lines().next().unwrap_or_default().chars().take(200).collect();
                Err(no(Code::PowerRefused, format!("{what}: {} {said}", ran.status)))
            }
            Err(error) => Err(no(Code::PowerRefused, format!("{}: {error}", program.to_string_lossy()))),
        }
    }
}
