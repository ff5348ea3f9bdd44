//! The calls of `org.enrollmentstation.Control`.

use crate::types::*;

interface! {
    /// The enrollment station: what its shells may ask of its daemon.
    /// Who makes calls announces itself by LogIn first; calls made by root or by the daemon's own
    /// user need not, and count as an administrator's.
    interface "org.enrollmentstation.Control", service Control, method Method;

    /// Announces whose calls follow on this connection.
    call LogIn log_in(LogIn) -> Session, Viewer;
    /// What the SSH server has to know, now and whenever it changes. For the SSH server itself, before anybody logs in.
    stream Door door() -> Door, Viewer;
    /// Whether an SSH key that somebody offers may log in from there. For the SSH server itself; it is counted.
    call DoorKnows door_knows(DoorKnows) -> DoorAnswer, Viewer;
    /// Says that the SSH server is open. For the SSH server itself.
    call DoorOpened door_opened(DoorOpened) -> Done, Viewer;
    /// Says at once which session this is, and no more until it is over: then it ends with the refusal that says why.
    stream Stay stay() -> Stay, Viewer;
    /// Notes a command of a shell.
    call Audit audit(Audit) -> Done, Viewer;
    /// The newest lines of the audit, oldest first, some at a time.
    stream AuditList audit_list(AuditList) -> AuditEntries, Admin;
    /// Whether the chain of deeds is whole.
    call AuditVerify audit_verify() -> ReceiptVerdict, Admin;
    /// The chain of deeds, some lines at a time.
    stream AuditExport audit_export(ReceiptsExport) -> ReceiptLines, Admin;

    /// All there is to know at a glance.
    call Status status() -> Status, Viewer;
    /// What happens, as it happens; a snapshot first.
    stream Watch watch() -> Event, Viewer;
    /// Which program this is.
    call Version version() -> Version, Viewer;
    /// What a refusal means.
    call Explain explain(Explain) -> Explanations, Viewer;
    /// Who starts enrollments.
    call SetMode set_mode(SetMode) -> Status, Operator;

    /// The keys that are plugged in.
    call Keys keys() -> Keys, Viewer;
    /// A key and its history.
    call Key key(ByKey) -> KeyDetails, Viewer;
    /// The profiles.
    call Profiles profiles() -> Profiles, Viewer;
    /// Whether a profile fits a key and the rights at the server.
    call ProfileCheck profile_check(ProfileCheck) -> ProfileFit, Viewer;
    /// Reads a parameter file of the old enrollment client; changes nothing.
    call ProfileImport profile_import(ProfileImport) -> ImportedProfile, Operator;
    /// Enrolls a key; the last event is the outcome. When nobody listens any more, it is called off, unless it is detached.
    stream Enroll enroll(Enroll) -> Event, Operator;
    /// Calls orders off, those in work and those that wait; what they have done is taken back.
    call Cancel cancel(Cancel) -> Cancelled, Operator;
    /// Asks a key for a code and lets the server check it; changes nothing. The last event has the verdict.
    /// When nobody listens any more, it is called off.
    stream Verify verify(Verify) -> Event, Operator;
    /// Takes a finished enrollment back: deletes the token, erases the slot. The last event is the outcome.
    /// When nobody listens any more, it is called off, if it has not begun to delete.
    stream Release release(Release) -> Event, Operator;

    /// Exchanges what is in the two slots of a key.
    call KeySwap key_swap(KeySwap) -> KeyHandled, Operator;
    /// Empties a slot that no enrollment of this station is in.
    call KeyWipe key_wipe(KeyWipe) -> KeyHandled, Operator;
    /// Has the server check password and registration code, and then enrolls a key for that person, as `Enroll` does.
    stream KeyHandOver key_hand_over(KeyHandOver) -> Event, Operator;
    /// Enrolls a phone; the last piece of news has the outcome. When nobody listens any more, it is called off.
    stream PhoneEnroll phone_enroll(PhoneEnroll) -> PhoneNews, Operator;
    /// Answers what the enrollment of a phone asks.
    call PhoneAnswer phone_answer(PhoneAnswer) -> Done, Operator;
    /// Makes registration codes. Whoever gets them has to keep them: the server does not tell them again.
    stream RegistrationCreate registration_create(RegistrationCreate) -> RegistrationPart, Operator;

    /// The sealed files.
    /// An operator sees them if hand-over.to names them.
    call SealedList sealed_list() -> SealedFiles, Operator;
    /// A sealed file. An operator gets it if hand-over.to names them.
    call SealedShow sealed_show(BySealed) -> SealedText, Operator;
    /// The sealed files of a run, one after the other. An operator gets them if hand-over.to names them.
    stream SealedRun sealed_run(SealedOfRun) -> SealedText, Operator;
    /// Takes a sealed file away for ever.
    call SealedRemove sealed_remove(BySealed) -> Done, Admin;

    /// Which keys are welcome.
    call WelcomeList welcome_list() -> WelcomeRules, Viewer;
    /// Adds a rule to what is pending; nothing is in force before it is committed.
    call WelcomeAdd welcome_add(WelcomeAdd) -> ConfigText, Admin;
    /// Takes a rule out of what is pending; nothing is in force before it is committed.
    call WelcomeRemove welcome_remove(WelcomeRemove) -> ConfigText, Admin;

    /// Starts a run.
    call RunStart run_start(RunStart) -> RunDetails, Operator;
    /// Starts a run over a list of people.
    call RunStartList run_start_list(RunStartList) -> RunDetails, Operator;
    /// A run, its list, and earlier runs.
    call RunStatus run_status(ByRun) -> RunDetails, Viewer;
    /// Keys that are plugged in wait.
    call RunPause run_pause(ByRun) -> RunDetails, Operator;
    /// Keys that are plugged in are enrolled again.
    call RunResume run_resume(ByRun) -> RunDetails, Operator;
    /// Lets lines of a run's list get no key for now.
    call RunSkip run_skip(RunLines) -> RunDetails, Operator;
    /// Lets lines that were set aside or skipped get keys again; all that were set aside when none is named.
    call RunRetry run_retry(RunLines) -> RunDetails, Operator;
    /// Puts people behind the last one of a run's list.
    call RunAdd run_add(RunAdd) -> RunDetails, Operator;
    /// Ends a run; enrollments that have begun are finished.
    call RunStop run_stop(ByRun) -> RunDetails, Operator;
    /// Which person got which key, when, and how it ended: of a run or of a stretch of time.
    stream Report report(ReportMake) -> ReportPart, Operator;

    /// A token.
    call TokenShow token_show(ByToken) -> Token, Viewer;
    /// Tokens, a page at a time.
    call TokenList token_list(TokenList) -> Tokens, Viewer;
    /// Lets a token count.
    call TokenEnable token_enable(ByToken) -> Token, Operator;
    /// Keeps a token from counting.
    call TokenDisable token_disable(ByToken) -> Token, Operator;
    /// Deletes a token; its key is left alone. What only the token keeps is not lost without being named.
    call TokenDelete token_delete(TokenDelete) -> Done, Operator;
    /// Gives a token to a person.
    call TokenAssign token_assign(TokenAssign) -> Token, Operator;
    /// Takes a token from its person.
    call TokenUnassign token_unassign(ByToken) -> Token, Operator;
    /// Sets a token's PIN.
    call TokenSetPin token_set_pin(TokenSetPin) -> Done, Operator;
    /// Lets the server find a token's counter again.
    call TokenResync token_resync(TokenResync) -> Token, Operator;
    /// People whose name has this text in it.
    call UserFind user_find(UserFind) -> People, Viewer;

    /// The server and the station's credential for it; asks the server.
    call ServerStatus server_status() -> Server, Viewer;
    /// Gives the station a credential, which it keeps until it is switched off.
    call ServerLogIn server_log_in(ServerLogIn) -> Server, Operator;
    /// Lets the station forget its credential.
    call ServerLogOut server_log_out() -> Server, Operator;

    /// The newest receipts, newest first, some at a time.
    stream ReceiptsList receipts_list(ReceiptsList) -> Receipts, Viewer;
    /// A receipt whole.
    call ReceiptsShow receipts_show(ByReceipt) -> ReceiptDetails, Viewer;
    /// Whether the chain of receipts is whole.
    call ReceiptsVerify receipts_verify() -> ReceiptVerdict, Viewer;
    /// The chain of receipts, some lines at a time.
    stream ReceiptsExport receipts_export(ReceiptsExport) -> ReceiptLines, Operator;

    /// The configuration.
    call ConfigShow config_show(ConfigShow) -> ConfigText, Operator;
    /// What the changes that nobody has committed change.
    call ConfigDiff config_diff() -> ConfigText, Operator;
    /// Changes a field; nothing is in force before it is committed.
    call ConfigSet config_set(ConfigSet) -> ConfigText, Admin;
    /// What is wrong with a configuration.
    call ConfigCheck config_check(ConfigCheck) -> Problems, Operator;
    /// Takes a whole configuration as the changes; nothing is in force before it is committed.
    call ConfigLoad config_load(ConfigLoad) -> ConfigText, Admin;
    /// The text that an admin signs, where a change has to be signed. It is good once and for ten minutes.
    call ConfigToSign config_to_sign(ConfigToSign) -> ConfigText, Admin;
    /// Brings the changes into force.
    call ConfigCommit config_commit(ConfigCommit) -> Configuration, Admin;
    /// Keeps what was committed for some minutes only.
    call ConfigConfirm config_confirm() -> Configuration, Admin;
    /// Drops the changes that nobody has committed, or else takes the last commit back.
    call ConfigRollback config_rollback(ConfigRollback) -> Configuration, Admin;
    /// Everyone who may log in.
    call Operators operators() -> Operators, Viewer;
    /// Adds an operator to what is pending; nothing is in force before it is committed.
    call OperatorAdd operator_add(OperatorAdd) -> ConfigText, Admin;
    /// Changes an operator in what is pending.
    call OperatorSet operator_set(OperatorSet) -> ConfigText, Admin;
    /// Takes an operator out of what is pending.
    call OperatorRemove operator_remove(OperatorRemove) -> ConfigText, Admin;
    /// Who is logged in.
    call Sessions sessions() -> OpenSessions, Admin;
    /// Ends a session and all its streams.
    call SessionEnd session_end(SessionEnd) -> Done, Admin;

    /// What the display shows.
    call Panel panel() -> Panel, Viewer;
    /// What the display shows, now and whenever that changes.
    stream PanelWatch panel_watch() -> Panel, Viewer;
    /// The daemon's own log.
    stream Logs logs(Logs) -> LogLines, Operator;
    /// Starts the station anew.
    call Reboot reboot() -> Done, Admin;
    /// Switches the station off.
    call PowerOff power_off() -> Done, Admin;
}
