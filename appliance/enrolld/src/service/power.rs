//! Switching the machine off, by a program that may.

use std::ffi::OsString;
use std::time::Duration;

use control::Refusal;
use control::types::Done;
use station::refusal::Code;
use tokio::process::Command;

use super::Service;
use super::refuse::no;

/// How long a station may take from the request to its first step of stopping.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The program that switches off. It is called with `reboot` or `poweroff`.
#[derive(Debug, Clone)]
pub struct Power(Option<OsString>);

impl Power {
    /// By this program, such as `systemctl`.
    pub const fn by(program: OsString) -> Self {
        Self(Some(program))
    }

    /// Not at all: a simulation does not switch its machine off.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether there is a program at all.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.0.as_ref().map(drop).ok_or_else(|| no(Code::PowerRefused, "this station is a simulation"))
    }

    /// Does it.
    pub(super) async fn run(&self, what: &str) -> Result<(), Refusal> {
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

impl Service {
    /// Lets what is in work end, then switches the machine off.
    pub(super) async fn switch(&self, what: &str) -> Result<Done, Refusal> {
        self.power.check()?;
        let snapshot = self.snapshot().await?;
        let restart = what == "reboot";
        tracing::warn!("{what}: {} ports have something in them", snapshot.ports.len());
        self.face.show(panel::View::ShuttingDown { restart });
        // The service manager asks this process to stop, which lets writes end first.
        let switched = match self.power.run(what).await {
            Ok(()) => self.stops(TIMEOUT).await,
            refused => refused,
        };
        if switched.is_err() {
            // The display has said that the station ends.
            let _ = self.server_changed.send(());
        }
        switched.map(|()| Done {})
    }

    /// Comes back when the station begins to stop; an error when it does not within so long.
    async fn stops(&self, patience: Duration) -> Result<(), Refusal> {
        let stopped = async {
            while self.scheduler.snapshot().await.is_some_and(|snapshot| !snapshot.stopping) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        match tokio::time::timeout(patience, stopped).await {
            Ok(()) => Ok(()),
            Err(_) => {
                tracing::error!("nobody has switched the station off");
                Err(no(Code::PowerStays, ""))
            }
        }
    }
}
