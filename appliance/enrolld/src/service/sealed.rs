//! Sealed files: what is handed over to people, and tokens that no server has.

use std::io;
use std::path::Path;

use control::types::{BySealed, Role, SealedFile, SealedFiles, SealedText};
use control::{Refusal, Replies};
use jiff::Timestamp;
use station::refusal::Code;

use super::Service;
use super::call_handler::Caller;
use super::refuse::no;
use super::translate::whole;
use crate::config::{Config, HandOverReader};
use dispatch::hand_over::SealedDirectory;

/// Where they are on the state partition.
#[derive(Clone)]
pub(super) struct SealedDirectories {
    /// Access codes and PINs.
    pub(super) secrets: SealedDirectory,
    /// Tokens of a station without a server.
    pub(super) tokens: SealedDirectory,
}

impl SealedDirectories {
    pub(super) fn open(state: &Path) -> io::Result<Self> {
        Ok(Self {
            secrets: SealedDirectory::for_nobody(&state.join("hand-over"))?,
            tokens: SealedDirectory::for_nobody(&state.join("tokens"))?,
        })
    }

    /// What is written from now on is for those whom the configuration names.
    pub(super) fn configure(&self, config: &Config) {
        let readers = config.readers();
        self.secrets.readable_by(readers.clone());
        self.tokens.readable_by(readers);
    }

    /// The drawer that has a file of that name.
    fn of(&self, name: &str) -> io::Result<Option<&SealedDirectory>> {
        for sealed_directory in [&self.secrets, &self.tokens] {
            if sealed_directory.names()?.iter().any(|known| known == name) {
                return Ok(Some(sealed_directory));
            }
        }
        Ok(None)
    }
}

/// What a file is, by the last part of its name.
fn what(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("code") => "the access code of a slot",
        Some("admin") => "the administrator's PIN of a key",
        Some("pin") => "the PIN of a token",
        Some("codes") => "registration codes",
        Some("csv" | "pskc") => "a token, to be imported",
        Some("owner") => "whose token it is",
        Some("access") => "the access code of a slot, kept with its token",
        _ => "a secret",
    }
}

impl Service {
    fn sealed_directories(&self) -> Result<&SealedDirectories, Refusal> {
        self.sealed_directories
            .as_ref()
            .ok_or_else(|| no(Code::HandOverFailed, "there is no state partition"))
    }

    /// Whether somebody may fetch sealed files: an administrator, and whom `hand-over.to` names.
    fn may_fetch(&self, caller: &Caller) -> Result<(), Refusal> {
        let config = self.config();
        let named = |reader: &HandOverReader| matches!(reader, HandOverReader::Operator(name) if name.as_str() == caller.name);
        if caller.role >= Role::Admin || config.hand_over.to.iter().any(named) {
            return Ok(());
        }
        Err(no(
            Code::RoleMissing,
            format!("hand-over.to does not name {}, and only an admin gets all", caller.name),
        ))
    }

    /// Every sealed file.
    pub(super) fn sealed_list(&self, caller: &Caller) -> Result<SealedFiles, Refusal> {
        self.may_fetch(caller)?;
        let sealed_directories = self.sealed_directories()?;
        let mut files = Vec::new();
        for sealed_directory in [&sealed_directories.secrets, &sealed_directories.tokens] {
            for file in sealed_directory.files().map_err(failed)? {
                files.push(SealedFile {
                    token: file.name.split('.').next().unwrap_or_default().to_owned(),
                    what: what(&file.name).to_owned(),
                    bytes: whole(file.bytes),
                    at: Timestamp::try_from(file.at).unwrap_or(Timestamp::UNIX_EPOCH),
                    name: file.name,
                });
            }
        }
        Ok(SealedFiles { files })
    }

    /// One of them, as it is.
    pub(super) fn sealed_text(&self, caller: &Caller, request: BySealed) -> Result<SealedText, Refusal> {
        self.may_fetch(caller)?;
        let sealed_directory = self.sealed_directories()?.of(&request.name).map_err(failed)?;
        let sealed_directory = sealed_directory.ok_or_else(|| unknown(&request.name))?;
        let bytes = sealed_directory.sealed(&request.name).map_err(failed)?;
        Ok(SealedText { name: request.name, text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// Those of a run, one after the other. The station cannot open them, so one file of all of them is
    /// the sealed files in a row, each whole.
    pub(super) async fn sealed_of_run(
        &self,
        caller: &Caller,
        run: &str,
    ) -> Result<Replies<SealedText>, Refusal> {
        self.may_fetch(caller)?;
        let directories = self.sealed_directories()?.clone();
        let view = self.run_named(run).await?;
        let enrollments = self.enrollments_of(&view).await?;
        let mut texts = Vec::new();
        for directory in [&directories.secrets, &directories.tokens] {
            let names = directory.names().map_err(failed)?;
            // TOKEN.ENROLLMENT.WHAT, and TOKEN.KIND.ENROLLMENT.FORM
            let mine = |name: &String| name.split('.').any(|part| enrollments.contains(part));
            for name in names.into_iter().filter(mine) {
                let bytes = directory.sealed(&name).map_err(failed)?;
                texts.push(SealedText { name, text: String::from_utf8_lossy(&bytes).into_owned() });
            }
        }
        if texts.is_empty() {
            let why = format!("the run {} has no sealed file", control::clean::shown(&view.plan.name));
            return Err(no(Code::InputInvalid, why));
        }
        Ok(super::report::in_parts(texts))
    }

    /// Takes one away.
    pub(super) fn sealed_remove(&self, request: &BySealed) -> Result<(), Refusal> {
        let sealed_directory = self.sealed_directories()?.of(&request.name).map_err(failed)?;
        sealed_directory.ok_or_else(|| unknown(&request.name))?.remove(&request.name).map_err(failed)
    }
}

fn unknown(name: &str) -> Refusal {
    let name = control::clean::shown(name);
    no(Code::InputInvalid, format!("there is no sealed file {name}; sealed list names them"))
}

fn failed(error: io::Error) -> Refusal {
    no(Code::HandOverFailed, error.to_string())
}
