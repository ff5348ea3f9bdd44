//! `GET /audit/`: who did what to which token.
//!
//! The twin notes what a client can ask for: number, date, action, success,
//! serial, token type, owner and administrator. The other columns are there and
//! empty.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::ServerTwin;
use super::answer::{Answer, Reply};
use super::params::Params;
use super::people::{REALM, RESOLVER, matches};
use super::session::Session;

/// How many lines are kept.
const LINES: usize = 2000;

/// The columns that every version has.
const COLUMNS: [&str; 22] = [
    "number",
    "action",
    "success",
    "serial",
    "date",
    "startdate",
    "duration",
    "token_type",
    "user",
    "realm",
    "administrator",
    "action_detail",
    "info",
    "privacyidea_server",
    "client",
    "log_level",
    "policies",
    "clearance_level",
    "sig_check",
    "missing_line",
    "resolver",
    "thread_id",
];

/// Columns that came between 3.9 and 3.13.
const RECENT: [&str; 5] =
    ["authentication", "user_agent", "user_agent_version", "container_serial", "container_type"];

/// All lines, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    lines: VecDeque<Line>,
    last: u64,
}

#[derive(Clone, Debug)]
struct Line {
    number: u64,
    at: Duration,
    action: String,
    succeeded: bool,
    serial: String,
    kind: String,
    user: Option<String>,
    administrator: String,
}

impl ServerTwin {
    /// Note a call: its method, the server's name for its path, and how it ended.
    pub(super) fn note(&mut self, action: String, serial: &str, admin: &str, succeeded: bool, now: Duration) {
        let about = self.tokens.get(serial).map(|token| (token.kind.clone(), token.user.clone()));
        self.note_about(action, serial, about.unwrap_or_default(), admin, succeeded, now);
    }

    /// The same, of a token that may be gone: its type and its owner.
    pub(super) fn note_about(
        &mut self,
        action: String,
        serial: &str,
        (kind, user): (String, Option<String>),
        admin: &str,
        succeeded: bool,
        now: Duration,
    ) {
        self.audit.last += 1;
        if self.audit.lines.len() >= LINES {
            self.audit.lines.pop_front();
        }
        self.audit.lines.push_back(Line {
            number: self.audit.last,
            at: now,
            action,
            succeeded,
            serial: serial.into(),
            kind,
            user,
            administrator: admin.into(),
        });
    }

    /// `GET /audit/`.
    pub(super) fn audit_list(&self, params: &Params, session: &Session) -> Answer {
        self.need("auditlog", session)?;
        let like = |name: &str, text: &str| params.filled(name).is_none_or(|pattern| matches(&pattern, text));
        let mut found: Vec<&Line> = self
            .audit
            .lines
            .iter()
            .filter(|line| {
                like("action", &line.action)
                    && like("serial", &line.serial)
                    && like("administrator", &line.administrator)
                    && like("user", line.user.as_deref().unwrap_or(""))
                    && like("success", if line.succeeded { "1" } else { "0" })
            })
            .collect();
        if params.filled("sortorder").as_deref() != Some("asc") {
            found.reverse();
        }
        let int = |name: &str, default: usize| {
            params.int(name).and_then(Result::ok).and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
        };
        let (page, size) = (int("page", 1).max(1), int("page_size", 15).max(1));
        let count = found.len();
        let shown = found.iter().skip((page - 1).saturating_mul(size)).take(size);
        let (columns, recent) = (self.audit_columns(), self.version().is_recent());
        Ok(Reply::of(json!({
            "auditcolumns": columns,
            "auditdata": shown.map(|line| line.shown(&columns, recent)).collect::<Vec<_>>(),
            "count": count, "current": page,
            "next": (page.saturating_mul(size) < count).then_some(page + 1),
            "prev": (page > 1).then_some(page - 1),
        })))
    }

    fn audit_columns(&self) -> Vec<&'static str> {
        let recent = RECENT.iter().filter(|_| self.version().is_recent());
        let named = |column: &&'static str| match *column {
            "privacyidea_server" if self.version().is_edumfa() => "edumfa_server",
            column => column,
        };
        COLUMNS.iter().chain(recent).map(named).collect()
    }
}

impl Line {
    fn shown(&self, columns: &[&str], recent: bool) -> Value {
        let date = super::clock::iso(self.at).replace("+00:00", ".000000");
        let owned = self.user.is_some();
        let value = |column: &str| match column {
            "number" => self.number.into(),
            "action" => self.action.clone().into(),
            "success" => i64::from(self.succeeded).into(),
            "serial" => self.serial.clone().into(),
            "date" | "startdate" => date.clone().into(),
            "duration" => json!(0.0),
            "token_type" => self.kind.clone().into(),
            "user" => self.user.clone().unwrap_or_default().into(),
            "realm" if owned => REALM.into(),
            "resolver" if owned => RESOLVER.into(),
            "administrator" => self.administrator.clone().into(),
            "authentication" if self.action.ends_with("/validate/check") => {
                if self.succeeded { "ACCEPT" } else { "REJECT" }.into()
            }
            "privacyidea_server" | "edumfa_server" => "fixture".into(),
            "client" => "127.0.0.1".into(),
            "log_level" | "clearance_level" if recent => "default".into(),
            "log_level" | "clearance_level" => Value::Null,
            "sig_check" | "missing_line" => "OK".into(),
            _ => Value::from(""),
        };
        let row: Map<String, Value> =
            columns.iter().map(|column| ((*column).to_owned(), value(column))).collect();
        Value::Object(row)
    }
}
