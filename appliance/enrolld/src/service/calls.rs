//! The calls of `org.enrollmentstation.Control`, each handed to the room that answers it.

use std::sync::Arc;
use std::time::Instant;

use control::types::*;
use control::{Control, Refusal, Replies, Secret};
use station::catalogue::Language;
use station::engine::record::Actor;
use station::refusal::Code;

use super::call_handler::Caller;
use super::changes::Changes;
use super::manage::Change;
use super::redact::redacted;
use super::refuse::{no, told};
use super::translate::{mode_of, problem};
use super::{Service, lock, scheduler_settings};
use crate::config::{Holds, holds};

/// The control service, as what answers calls.
pub(super) struct Answers(pub(super) Arc<Service>);

const DONE: Done = Done {};

impl Control for Answers {
    type Caller = Caller;

    async fn log_in(&self, caller: &Caller, _: LogIn) -> Result<Session, Refusal> {
        // The SSH server answers this by itself, since it has the connection.
        Err(no(Code::OperatorUnknown, caller.name.clone()))
    }

    async fn door(&self, _: &Caller) -> Result<Replies<Door>, Refusal> {
        Ok(self.0.door_needs())
    }

    async fn door_opened(&self, _: &Caller, request: DoorOpened) -> Result<Done, Refusal> {
        self.0.door_is_open(request).map(|()| DONE)
    }

    async fn door_knows(&self, _: &Caller, request: DoorKnows) -> Result<DoorAnswer, Refusal> {
        let known =
            super::call_handler::known(&self.0.config(), &request.fingerprint, &request.address).is_some();
        lock(&self.0.sessions).offered(known);
        Ok(DoorAnswer { known })
    }

    async fn stay(&self, caller: &Caller) -> Result<Replies<Stay>, Refusal> {
        let number = i64::try_from(caller.number).unwrap_or(i64::MAX);
        Ok(super::streams::staying(Stay { number }))
    }

    async fn audit(&self, caller: &Caller, request: Audit) -> Result<Done, Refusal> {
        self.0.audit.look(AuditEntry {
            at: super::credential::now(),
            operator: caller.name.clone(),
            address: caller.address.clone(),
            session: caller.session.clone(),
            what: redacted(request.command.chars().take(500).collect()),
            result: format!("exit {}", request.exit),
            took_ms: request.took_ms,
            number: None,
        });
        Ok(DONE)
    }

    async fn audit_list(
        &self,
        caller: &Caller,
        request: AuditList,
    ) -> Result<Replies<AuditEntries>, Refusal> {
        self.0.audit_told(&caller.name, &request)
    }

    async fn audit_verify(&self, _: &Caller) -> Result<ReceiptVerdict, Refusal> {
        self.0.audit_verified().await
    }

    async fn audit_export(
        &self,
        caller: &Caller,
        request: ReceiptsExport,
    ) -> Result<Replies<ReceiptLines>, Refusal> {
        self.0.audit_exported(&caller.name, &request)
    }

    async fn status(&self, _: &Caller) -> Result<Status, Refusal> {
        self.0.status().await
    }

    async fn watch(&self, _: &Caller) -> Result<Replies<Event>, Refusal> {
        self.0.watch_events().await
    }

    async fn version(&self, _: &Caller) -> Result<Version, Refusal> {
        let about = rustix::system::uname();
        Ok(Version {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            station: self.0.config().station.name.to_string(),
            kernel: about.release().to_string_lossy().into_owned(),
            machine: about.machine().to_string_lossy().into_owned(),
        })
    }

    async fn explain(&self, _: &Caller, request: Explain) -> Result<Explanations, Refusal> {
        let explained = |code: &Code| {
            let text = code.text(Language::English);
            Explanation {
                code: code.to_string(),
                title: text.title.to_owned(),
                cause: text.cause.to_owned(),
                remedy: text.remedy.to_owned(),
            }
        };
        let refusals = match request.code {
            None => Code::ALL.iter().map(explained).collect(),
            Some(text) => match Code::parse(text.trim()) {
                Some(code) => vec![explained(&code)],
                None => {
                    return Err(no(
                        Code::InputInvalid,
                        "there is no such code; explain without one lists them",
                    ));
                }
            },
        };
        Ok(Explanations { refusals })
    }

    async fn set_mode(&self, caller: &Caller, request: SetMode) -> Result<Status, Refusal> {
        if let Some(profile) = &request.profile {
            if request.mode != Some(Mode::Armed) {
                return Err(no(Code::InputInvalid, "a profile goes with the mode armed"));
            }
            let config = self.0.config();
            if !config.profiles.contains_key(profile) {
                return Err(no(Code::ProfileUnknown, profile.clone()));
            }
        }
        if let Some(mode) = request.mode {
            if !self.0.problems().is_empty() && mode != Mode::Locked {
                return Err(no(Code::ConfigurationInvalid, "see config check"));
            }
            if let Some(refusal) = self.0.keeping.trouble().filter(|_| mode != Mode::Locked) {
                return Err(told(&refusal));
            }
            let config = self.0.config();
            let mut settings = scheduler_settings(&config, false);
            settings.mode = mode_of(mode);
            settings.default_profile = request.profile.or(settings.default_profile);
            self.0.scheduler.set_settings(settings).await;
            self.0.scheduler.set_mode(mode_of(mode), Actor::Operator(caller.name.clone())).await;
        }
        self.0.status().await
    }

    async fn keys(&self, _: &Caller) -> Result<Keys, Refusal> {
        self.0.keys_told().await
    }

    async fn key(&self, _: &Caller, request: ByKey) -> Result<KeyDetails, Refusal> {
        self.0.key_told(&request.key).await
    }

    async fn profiles(&self, _: &Caller) -> Result<Profiles, Refusal> {
        Ok(self.0.profiles_told())
    }

    async fn profile_check(&self, caller: &Caller, request: ProfileCheck) -> Result<ProfileFit, Refusal> {
        self.0.profile_fit(caller, request).await
    }

    async fn profile_import(&self, _: &Caller, request: ProfileImport) -> Result<ImportedProfile, Refusal> {
        self.0.import_profile(&request)
    }

    async fn enroll(&self, caller: &Caller, request: Enroll) -> Result<Replies<Event>, Refusal> {
        self.0.enroll_key(caller, request).await
    }

    async fn cancel(&self, _: &Caller, request: Cancel) -> Result<Cancelled, Refusal> {
        self.0.cancel_enrollment(request).await
    }

    async fn verify(&self, caller: &Caller, request: Verify) -> Result<Replies<Event>, Refusal> {
        self.0.verify_key(caller, request).await
    }

    async fn release(&self, caller: &Caller, request: Release) -> Result<Replies<Event>, Refusal> {
        self.0.release_key(caller, request).await
    }

    async fn key_swap(&self, caller: &Caller, request: KeySwap) -> Result<KeyHandled, Refusal> {
        self.0.swap_slots(caller, request).await
    }

    async fn key_wipe(&self, caller: &Caller, request: KeyWipe) -> Result<KeyHandled, Refusal> {
        self.0.wipe_slot(caller, request).await
    }

    async fn key_hand_over(&self, caller: &Caller, request: KeyHandOver) -> Result<Replies<Event>, Refusal> {
        self.0.hand_key_over(caller, request).await
    }

    async fn phone_enroll(
        &self,
        caller: &Caller,
        request: PhoneEnroll,
    ) -> Result<Replies<PhoneNews>, Refusal> {
        self.0.enroll_phone(caller, request).await
    }

    async fn phone_answer(&self, caller: &Caller, request: PhoneAnswer) -> Result<Done, Refusal> {
        self.0.answer_phone(caller, request).await.map(|()| DONE)
    }

    async fn registration_create(
        &self,
        _: &Caller,
        request: RegistrationCreate,
    ) -> Result<Replies<RegistrationPart>, Refusal> {
        self.0.create_registrations(request).await
    }

    async fn sealed_list(&self, caller: &Caller) -> Result<SealedFiles, Refusal> {
        self.0.sealed_list(caller)
    }

    async fn sealed_show(&self, caller: &Caller, request: BySealed) -> Result<SealedText, Refusal> {
        self.0.sealed_text(caller, request)
    }

    async fn sealed_run(
        &self,
        caller: &Caller,
        request: SealedOfRun,
    ) -> Result<Replies<SealedText>, Refusal> {
        self.0.sealed_of_run(caller, &request.run).await
    }

    async fn report(&self, _: &Caller, request: ReportMake) -> Result<Replies<ReportPart>, Refusal> {
        self.0.report(&request).await
    }

    async fn sealed_remove(&self, _: &Caller, request: BySealed) -> Result<Done, Refusal> {
        self.0.sealed_remove(&request).map(|()| DONE)
    }

    async fn welcome_list(&self, _: &Caller) -> Result<WelcomeRules, Refusal> {
        Ok(self.0.welcome_rules())
    }

    async fn welcome_add(&self, _: &Caller, request: WelcomeAdd) -> Result<ConfigText, Refusal> {
        self.0.add_welcome(&request.toml).map(|text| ConfigText { text })
    }

    async fn welcome_remove(&self, _: &Caller, request: WelcomeRemove) -> Result<ConfigText, Refusal> {
        self.0.remove_welcome(request.number).map(|text| ConfigText { text })
    }

    async fn run_start_list(&self, caller: &Caller, request: RunStartList) -> Result<RunDetails, Refusal> {
        self.0.start_list(caller, request).await
    }

    async fn run_start(&self, caller: &Caller, request: RunStart) -> Result<RunDetails, Refusal> {
        self.0.start_run(caller, request).await
    }

    async fn run_status(&self, _: &Caller, request: ByRun) -> Result<RunDetails, Refusal> {
        self.0.run_told(request).await
    }

    async fn run_pause(&self, _: &Caller, _: ByRun) -> Result<RunDetails, Refusal> {
        self.0.pause_run().await
    }

    async fn run_resume(&self, _: &Caller, request: ByRun) -> Result<RunDetails, Refusal> {
        self.0.resume_run(request).await
    }

    async fn run_skip(&self, _: &Caller, request: RunLines) -> Result<RunDetails, Refusal> {
        self.0.skip_lines(request).await
    }

    async fn run_retry(&self, _: &Caller, request: RunLines) -> Result<RunDetails, Refusal> {
        self.0.retry_lines(request).await
    }

    async fn run_add(&self, _: &Caller, request: RunAdd) -> Result<RunDetails, Refusal> {
        self.0.add_to_run(request).await
    }

    async fn run_stop(&self, _: &Caller, request: ByRun) -> Result<RunDetails, Refusal> {
        self.0.stop_run(request).await
    }

    async fn token_show(&self, _: &Caller, request: ByToken) -> Result<Token, Refusal> {
        self.0.token(&request.serial).await
    }

    async fn token_list(&self, _: &Caller, request: TokenList) -> Result<Tokens, Refusal> {
        self.0.tokens(request).await
    }

    async fn token_enable(&self, _: &Caller, request: ByToken) -> Result<Token, Refusal> {
        self.0.change_token(&request.serial, Change::Enable).await
    }

    async fn token_disable(&self, _: &Caller, request: ByToken) -> Result<Token, Refusal> {
        self.0.change_token(&request.serial, Change::Disable).await
    }

    async fn token_delete(&self, _: &Caller, request: TokenDelete) -> Result<Done, Refusal> {
        self.0.delete_token(request).await.map(|()| DONE)
    }

    async fn token_assign(&self, _: &Caller, request: TokenAssign) -> Result<Token, Refusal> {
        self.0.assign_token(request).await
    }

    async fn token_unassign(&self, _: &Caller, request: ByToken) -> Result<Token, Refusal> {
        self.0.change_token(&request.serial, Change::Unassign).await
    }

    async fn token_set_pin(&self, _: &Caller, request: TokenSetPin) -> Result<Done, Refusal> {
        self.0.set_token_pin(&request.serial, &request.pin).await.map(|()| DONE)
    }

    async fn token_resync(&self, _: &Caller, request: TokenResync) -> Result<Token, Refusal> {
        self.0.resync_token(request).await
    }

    async fn user_find(&self, _: &Caller, request: UserFind) -> Result<People, Refusal> {
        self.0.find_people(request).await
    }

    async fn server_status(&self, _: &Caller) -> Result<Server, Refusal> {
        let server = self.0.credentials.ask().await;
        self.0.server_moved();
        Ok(server)
    }

    async fn server_log_in(&self, caller: &Caller, request: ServerLogIn) -> Result<Server, Refusal> {
        let ServerLogIn { user, realm, password } = request;
        let server = self.0.credentials.log_in(user, realm, password.into_inner(), &caller.name).await;
        if server.is_ok() {
            self.0.scheduler.set_server(self.0.credentials.port()).await;
        }
        self.0.server_moved();
        server
    }

    async fn server_log_out(&self, _: &Caller) -> Result<Server, Refusal> {
        let server = self.0.credentials.log_out().await;
        self.0.scheduler.set_server(self.0.credentials.port()).await;
        self.0.server_moved();
        Ok(server)
    }

    async fn receipts_list(
        &self,
        caller: &Caller,
        request: ReceiptsList,
    ) -> Result<Replies<Receipts>, Refusal> {
        self.0.receipts_told(&caller.name, request).await
    }

    async fn receipts_show(&self, _: &Caller, request: ByReceipt) -> Result<ReceiptDetails, Refusal> {
        self.0.receipt_told(request).await
    }

    async fn receipts_verify(&self, _: &Caller) -> Result<ReceiptVerdict, Refusal> {
        self.0.receipts_verified().await
    }

    async fn receipts_export(
        &self,
        caller: &Caller,
        request: ReceiptsExport,
    ) -> Result<Replies<ReceiptLines>, Refusal> {
        self.0.receipts_exported(&caller.name, &request)
    }

    async fn config_show(&self, _: &Caller, request: ConfigShow) -> Result<ConfigText, Refusal> {
        let text = lock(&self.0.changes).text(request.path.as_deref(), request.pending)?;
        Ok(ConfigText { text })
    }

    async fn config_diff(&self, _: &Caller) -> Result<ConfigText, Refusal> {
        Ok(ConfigText { text: lock(&self.0.changes).diff()? })
    }

    async fn config_set(&self, _: &Caller, request: ConfigSet) -> Result<ConfigText, Refusal> {
        let mut changes = lock(&self.0.changes);
        let secret = request.secret.as_ref().map(Secret::expose);
        let value = match (holds(&request.path), request.value.as_deref(), secret) {
            (Some(Holds::Secret), None, secret) => secret.filter(|secret| !secret.is_empty()),
            (Some(Holds::Secret), Some(_), _) => {
                let how = format!("{0} holds a secret: config set {0} asks for it", request.path);
                return Err(no(Code::InputInvalid, how));
            }
            (_, value, None) => value,
            (_, _, Some(_)) => return Err(no(Code::InputInvalid, "this field holds no secret")),
        };
        changes.set(&request.path, value)?;
        Ok(ConfigText { text: changes.diff()? })
    }

    async fn config_check(&self, _: &Caller, request: ConfigCheck) -> Result<Problems, Refusal> {
        let (problems, notices) = lock(&self.0.changes).check(request.text.as_deref());
        let notices = Some(notices).filter(|notices| !notices.is_empty());
        Ok(Problems { problems: problems.into_iter().map(problem).collect(), notices })
    }

    async fn config_load(&self, _: &Caller, request: ConfigLoad) -> Result<ConfigText, Refusal> {
        self.0.load_config(&request.lines)
    }

    async fn config_to_sign(&self, _: &Caller, request: ConfigToSign) -> Result<ConfigText, Refusal> {
        self.0.text_to_sign(request.rollback)
    }

    async fn config_commit(&self, caller: &Caller, request: ConfigCommit) -> Result<Configuration, Refusal> {
        self.0.commit(caller, request).await
    }

    async fn config_confirm(&self, _: &Caller) -> Result<Configuration, Refusal> {
        let mut changes = lock(&self.0.changes);
        changes.confirm()?;
        Ok(Changes::shown(&changes))
    }

    async fn config_rollback(
        &self,
        caller: &Caller,
        request: ConfigRollback,
    ) -> Result<Configuration, Refusal> {
        self.0.take_back(caller, request).await
    }

    async fn operators(&self, _: &Caller) -> Result<Operators, Refusal> {
        Ok(Operators { operators: self.0.operators_told() })
    }

    async fn operator_add(&self, _: &Caller, request: OperatorAdd) -> Result<ConfigText, Refusal> {
        self.0.add_operator(&request)
    }

    async fn operator_set(&self, _: &Caller, request: OperatorSet) -> Result<ConfigText, Refusal> {
        self.0.set_operator(&request)
    }

    async fn operator_remove(&self, _: &Caller, request: OperatorRemove) -> Result<ConfigText, Refusal> {
        self.0.remove_operator(&request)
    }

    async fn sessions(&self, _: &Caller) -> Result<OpenSessions, Refusal> {
        let sessions = lock(&self.0.sessions);
        let (offered, unknown) = sessions.offers();
        Ok(OpenSessions { sessions: sessions.told(Instant::now()), offered, unknown })
    }

    async fn session_end(&self, _: &Caller, request: SessionEnd) -> Result<Done, Refusal> {
        let ended = lock(&self.0.sessions).end(request.number.into());
        let operator = ended.ok_or_else(|| no(Code::SessionUnknown, request.number.to_string()))?;
        tracing::info!("session {} of {operator} is ended", request.number);
        Ok(DONE)
    }

    async fn panel(&self, _: &Caller) -> Result<Panel, Refusal> {
        Ok(self.0.face.told())
    }

    async fn panel_watch(&self, _: &Caller) -> Result<Replies<Panel>, Refusal> {
        Ok(self.0.pictures())
    }

    async fn logs(&self, caller: &Caller, request: Logs) -> Result<Replies<LogLines>, Refusal> {
        self.0.log_lines(&caller.name, &request)
    }

    async fn reboot(&self, _: &Caller) -> Result<Done, Refusal> {
        self.0.switch("reboot").await
    }

    async fn power_off(&self, _: &Caller) -> Result<Done, Refusal> {
        self.0.switch("poweroff").await
    }
}
