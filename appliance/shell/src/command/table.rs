//! What the table says about each command beyond its grammar: the call that it makes, and
//! with it the role that it needs; what it asks before; and what its JSON looks like.

use control::shape::{Described, json_schema};
use control::types::{self, Role};
use control::{Method, sim};
use serde_json::{Value, json};

/// A command.
pub struct Entry {
    /// Its words.
    pub path: &'static str,
    /// What an operator has to be.
    pub role: Role,
    /// What is asked before it is done; such a command needs `--yes` where nobody can be asked.
    pub question: Option<&'static str>,
    /// What its JSON looks like; `None` for what prints none.
    pub schema: Option<fn() -> Value>,
    /// Whether it prints several objects, a line each.
    pub lines: bool,
    /// Whether it may ask for a secret, so that one may stand on its line by mistake.
    pub secrets: bool,
}

/// The entry of a command, by its words.
pub fn entry(path: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.path == path)
}

const fn look(path: &'static str, method: Method, schema: fn() -> Value) -> Entry {
    Entry { path, role: method.role(), question: None, schema: Some(schema), lines: false, secrets: false }
}

impl Entry {
    const fn asks(mut self, question: &'static str) -> Self {
        self.question = Some(question);
        self
    }

    const fn lines(mut self) -> Self {
        self.lines = true;
        self
    }

    const fn secrets(mut self) -> Self {
        self.secrets = true;
        self
    }
}

const fn own(path: &'static str, schema: Option<fn() -> Value>) -> Entry {
    Entry { path, role: Role::Viewer, question: None, schema, lines: false, secrets: false }
}

fn of<T: Described>() -> Value {
    json_schema::<T>()
}

/// An outcome; with `--detach`, the order.
fn outcome_or_order() -> Value {
    let mut defs = serde_json::Map::new();
    for mut schema in [of::<types::Outcome>(), of::<types::Order>()] {
        if let Some(Value::Object(found)) = schema.get_mut("$defs") {
            defs.append(found);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "anyOf": [{ "$ref": "#/$defs/Outcome" }, { "$ref": "#/$defs/Order" }],
        "$defs": defs,
    })
}

fn schemas() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "A JSON Schema, or an object with one for each command.",
        "type": "object",
    })
}

fn history() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "Lines, oldest first.",
        "type": "array",
        "items": { "type": "string" },
    })
}

/// How a refusal looks on standard error with `--json`.
pub fn refusal() -> Value {
    json_schema::<control::Refusal>()
}

/// Every command.
pub const ENTRIES: &[Entry] = &[
    look("status", Method::Status, of::<types::Status>),
    look("watch", Method::Watch, of::<types::Event>).lines(),
    look("keys", Method::Keys, of::<types::Keys>),
    look("key", Method::Key, of::<types::KeyDetails>),
    look("profiles", Method::Profiles, of::<types::Profiles>),
    look("profile show", Method::Profiles, of::<types::Profile>),
    look("profile check", Method::ProfileCheck, of::<types::ProfileFit>),
    look("profile import", Method::ProfileImport, of::<types::ImportedProfile>),
    look("mode", Method::SetMode, of::<types::Status>),
    look("enroll", Method::Enroll, outcome_or_order).secrets(),
    look("hand-over", Method::KeyHandOver, outcome_or_order).secrets(),
    look("phone enroll", Method::PhoneEnroll, of::<types::PhoneOutcome>).secrets(),
    look("registration create", Method::RegistrationCreate, of::<types::RegistrationPart>).lines(),
    look("cancel", Method::Cancel, of::<types::Cancelled>),
    look("run start", Method::RunStart, of::<types::RunDetails>).secrets(),
    look("run status", Method::RunStatus, of::<types::RunDetails>),
    look("run pause", Method::RunPause, of::<types::RunDetails>),
    look("run resume", Method::RunResume, of::<types::RunDetails>),
    look("run skip", Method::RunSkip, of::<types::RunDetails>),
    look("run retry", Method::RunRetry, of::<types::RunDetails>),
    look("run add", Method::RunAdd, of::<types::RunDetails>),
    look("run report", Method::Report, of::<types::ReportPart>).lines(),
    look("run stop", Method::RunStop, of::<types::RunDetails>).asks("End the run?"),
    look("report", Method::Report, of::<types::ReportPart>).lines(),
    look("verify", Method::Verify, of::<types::Verification>).secrets(),
    look("release", Method::Release, of::<types::Outcome>)
        .secrets()
        .asks("Delete the key's token at the server and erase its slot?"),
    look("swap", Method::KeySwap, of::<types::KeyHandled>)
        .secrets()
        .asks("Exchange what is in the slots 1 and 2 of the key?"),
    look("wipe", Method::KeyWipe, of::<types::KeyHandled>)
        .secrets()
        .asks("Erase what is in the slot, whosever it is, for ever?"),
    look("welcome list", Method::WelcomeList, of::<types::WelcomeRules>),
    look("welcome add", Method::WelcomeAdd, of::<types::ConfigText>),
    look("welcome remove", Method::WelcomeRemove, of::<types::ConfigText>),
    look("sealed list", Method::SealedList, of::<types::SealedFiles>),
    look("sealed show", Method::SealedShow, of::<types::SealedText>),
    look("sealed remove", Method::SealedRemove, of::<types::Done>)
        .asks("Take the sealed file away? Nobody can read what is in it any more."),
    look("token show", Method::TokenShow, of::<types::Token>),
    look("token list", Method::TokenList, of::<types::Tokens>),
    look("token enable", Method::TokenEnable, of::<types::Token>),
    look("token disable", Method::TokenDisable, of::<types::Token>).asks("Keep this token from counting?"),
    look("token delete", Method::TokenDelete, of::<types::Done>).asks("Delete this token for ever?"),
    look("token assign", Method::TokenAssign, of::<types::Token>),
    look("token unassign", Method::TokenUnassign, of::<types::Token>)
        .asks("Take this token from its person?"),
    look("token pin", Method::TokenSetPin, of::<types::Done>).secrets(),
    look("token resync", Method::TokenResync, of::<types::Token>).secrets(),
    look("user find", Method::UserFind, of::<types::People>),
    look("server status", Method::ServerStatus, of::<types::Server>),
    look("server login", Method::ServerLogIn, of::<types::Server>).secrets(),
    look("server logout", Method::ServerLogOut, of::<types::Server>)
        .asks("Let the station forget its credential? Nothing can be enrolled then."),
    look("receipts list", Method::ReceiptsList, of::<types::Receipts>),
    look("receipts show", Method::ReceiptsShow, of::<types::ReceiptDetails>),
    look("receipts verify", Method::ReceiptsVerify, of::<types::ReceiptVerdict>),
    look("receipts export", Method::ReceiptsExport, of::<types::ReceiptLines>).lines(),
    look("config show", Method::ConfigShow, of::<types::ConfigText>),
    look("config diff", Method::ConfigDiff, of::<types::ConfigText>),
    look("config set", Method::ConfigSet, of::<types::ConfigText>).secrets(),
    look("config load", Method::ConfigLoad, of::<types::ConfigText>),
    look("config check", Method::ConfigCheck, of::<types::Problems>),
    look("config commit", Method::ConfigCommit, of::<types::Configuration>)
        .asks("Bring the changes into force?"),
    look("config commit confirmed", Method::ConfigCommit, of::<types::Configuration>),
    look("config confirm", Method::ConfigConfirm, of::<types::Configuration>),
    look("config rollback", Method::ConfigRollback, of::<types::Configuration>)
        .asks("Take the changes back?"),
    look("operators", Method::Operators, of::<types::Operators>),
    look("operators add", Method::OperatorAdd, of::<types::ConfigText>),
    look("operators set", Method::OperatorSet, of::<types::ConfigText>),
    look("operators remove", Method::OperatorRemove, of::<types::ConfigText>),
    look("sessions", Method::Sessions, of::<types::OpenSessions>),
    look("sessions end", Method::SessionEnd, of::<types::Done>),
    look("audit", Method::AuditList, of::<types::AuditEntries>),
    look("audit verify", Method::AuditVerify, of::<types::ReceiptVerdict>),
    look("audit export", Method::AuditExport, of::<types::ReceiptLines>).lines(),
    look("panel", Method::Panel, of::<types::Panel>).lines(),
    look("logs", Method::Logs, of::<types::LogLine>).lines(),
    look("explain", Method::Explain, of::<types::Explanations>),
    own("schema", Some(schemas)),
    look("version", Method::Version, of::<types::Version>),
    look("reboot", Method::Reboot, of::<types::Done>).asks("Start the station anew?"),
    look("poweroff", Method::PowerOff, of::<types::Done>).asks("Switch the station off?"),
    Entry { role: Role::Operator, ..own("plug", Some(of::<sim::SimKey>)) },
    Entry { role: Role::Operator, ..own("touch", Some(of::<sim::Touched>)) },
    Entry { role: Role::Operator, ..own("pull", Some(of::<sim::SimKey>)) },
    own("history", Some(history)),
    own("help", None),
    own("exit", None),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(command: &clap::Command, before: &str, found: &mut Vec<String>) {
        for inner in command.get_subcommands() {
            let path = format!("{before}{}", inner.get_name());
            if !inner.is_subcommand_required_set() {
                found.push(path.clone());
            }
            paths(inner, &format!("{path} "), found);
        }
    }

    /// The options that have the shell ask for a secret.
    const ASKING: [&str; 3] = ["pin", "unlock", "key_pin"];

    #[test]
    fn what_asks_for_a_secret_says_so() {
        let tree = super::super::tree();
        for entry in ENTRIES {
            let command = entry.path.split(' ').fold(&tree, |tree, word| tree.find_subcommand(word).unwrap());
            let asks = command.get_arguments().any(|arg| ASKING.contains(&arg.get_id().as_str()));
            let help = command.get_about().unwrap().to_string();
            let says = help.contains("asked for") || help.contains("asks for") || help.contains("ask for");
            assert!(entry.secrets || !(asks || says), "{}", entry.path);
        }
    }

    #[test]
    fn every_command_has_an_entry_and_the_other_way_round() {
        let mut grammar = Vec::new();
        paths(&super::super::tree(), "", &mut grammar);
        let mut table: Vec<String> = ENTRIES.iter().map(|entry| entry.path.to_owned()).collect();
        grammar.sort();
        table.sort();
        assert_eq!(grammar, table);
    }
}
