//! Runs: what was asked for, and what became of each key.
//!
//! A key is written down when a run takes it ([`Journal::run_claim`]) and when its
//! enrollment is over ([`Journal::run_result`]). A claim without a result was cut short; the
//! enrollment's own record then says what became of it.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};
use station::keys::device::KeySerial;
use station::record::{Actor, Record};
use station::refusal::Code;
use station::run::{KeyResult, Run, RunId, RunPlan, RunState, Standing};

use crate::{Journal, JournalError, row};

pub(crate) const TABLES: &str = "
    CREATE TABLE run (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        name        TEXT NOT NULL UNIQUE,
        plan        TEXT NOT NULL,
        state       TEXT NOT NULL,
        operator    TEXT,
        begun_ms    INTEGER NOT NULL,
        active_ms   INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE run_key (
        run         INTEGER NOT NULL REFERENCES run (id),
        family      TEXT NOT NULL,
        key_number  INTEGER NOT NULL,
        standing    TEXT NOT NULL,
        code        INTEGER,
        line        INTEGER,
        at_ms       INTEGER NOT NULL,
        PRIMARY KEY (run, family, key_number)
    ) STRICT, WITHOUT ROWID;
";

/// What stands in the place of a standing while the key is in work.
const CLAIMED: &str = "claimed";

/// A run as it was written down.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// Its number.
    pub id: RunId,
    /// What was asked for.
    pub plan: RunPlan,
    /// Whether it takes keys.
    pub state: RunState,
    /// Who began it.
    pub by: Actor,
    /// When, since 1970.
    pub begun: Duration,
    /// For how long it had taken keys when it was last written down.
    pub active: Duration,
    /// What became of each key.
    pub keys: Vec<(KeySerial, KeyResult)>,
    /// The keys that were in work, with their line of the list, and since when.
    pub claimed: Vec<(KeySerial, Option<u32>, Duration)>,
}

impl StoredRun {
    /// The run as it stands after a restart. What was cut short is put right from the records
    /// of the key, oldest first, that `recall` gives; that is to be written down, too. A proven
    /// key stays in work until recovery has finished it or taken it back.
    pub fn restored(
        self,
        mut recall: impl FnMut(KeySerial) -> Vec<Record>,
    ) -> (Run, Vec<(KeySerial, KeyResult)>) {
        let Self { id, plan, state, by, begun, active, mut keys, claimed } = self;
        let (mut put_right, mut in_work) = (Vec::new(), Vec::new());
        for (key, line, at) in claimed {
            let records = recall(key);
            let Some(newest) = records.iter().rev().find(|record| record.at >= at) else { continue };
            match Standing::of_record(newest) {
                Some(standing) => {
                    let code = newest.reason.filter(|_| standing != Standing::Done);
                    put_right.push((key, KeyResult { standing, code, line, at }));
                }
                None => in_work.push((key, line)),
            }
        }
        keys.extend(put_right.iter().copied());
        let mut run = Run::new(id, plan, by, begun).restored(active, keys);
        run.state = state;
        for (key, line) in in_work {
            run.begin(key, line);
        }
        (run, put_right)
    }
}

impl Journal {
    /// Writes a new run down. Its name must be new, too.
    pub fn run_new(&mut self, plan: &RunPlan, by: &Actor, begun: Duration) -> Result<RunId, JournalError> {
        let operator = match by {
            Actor::Operator(name) => Some(name.as_str()),
            _ => None,
        };
        let text = serde_json::to_string(plan).map_err(|error| JournalError::Damaged(error.to_string()))?;
        self.connection
            .prepare_cached(
                "INSERT INTO run (name, plan, state, operator, begun_ms, active_ms) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
            )?
            .execute(params![plan.name, text, RunState::Running.word(), operator, milliseconds(begun)])?;
        Ok(RunId(self.connection.last_insert_rowid()))
    }

    /// Writes down whether a run takes keys, and for how long it has.
    pub fn run_state(&mut self, run: RunId, state: RunState, active: Duration) -> Result<(), JournalError> {
        self.connection
            .prepare_cached("UPDATE run SET state = ?2, active_ms = ?3 WHERE id = ?1")?
            .execute(params![run.0, state.word(), milliseconds(active)])?;
        Ok(())
    }

    /// Writes down that a run has taken a key. What became of it earlier is forgotten, unless it was done.
    pub fn run_claim(
        &mut self,
        run: RunId,
        key: KeySerial,
        line: Option<u32>,
        at: Duration,
    ) -> Result<(), JournalError> {
        self.put(run, key, CLAIMED, None, line, at)
    }

    /// Writes down what became of a key in a run.
    pub fn run_result(&mut self, run: RunId, key: KeySerial, result: &KeyResult) -> Result<(), JournalError> {
        self.put(run, key, result.standing.word(), result.code, result.line, result.at)
    }

    fn put(
        &mut self,
        run: RunId,
        key: KeySerial,
        standing: &str,
        code: Option<Code>,
        line: Option<u32>,
        at: Duration,
    ) -> Result<(), JournalError> {
        self.connection
            .prepare_cached(
                "INSERT INTO run_key (run, family, key_number, standing, code, line, at_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (run, family, key_number) DO UPDATE \
                 SET standing = ?4, code = ?5, line = ?6, at_ms = ?7 WHERE standing <> 'done'",
            )?
            .execute(params![
                run.0,
                row::family_word(key.family),
                key.number,
                standing,
                code.map(Code::number),
                line,
                milliseconds(at)
            ])?;
        Ok(())
    }

    /// All runs, oldest first.
    pub fn runs(&self) -> Result<Vec<StoredRun>, JournalError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, plan, state, operator, begun_ms, active_ms FROM run ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            Ok((
                RunId(row.get(0)?),
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, Option<String>>(3)?,
                row.get::<_, i64>(4)?,
                row.get::<_, i64>(5)?,
            ))
        })?;
        let mut runs = Vec::new();
        for row in rows {
            let (id, plan, state, operator, begun, active) = row?;
            let damaged = |what: &str| JournalError::Damaged(format!("run {id}: {what}"));
            let (keys, claimed) = self.run_keys(id)?;
            runs.push(StoredRun {
                id,
                plan: serde_json::from_str(&plan).map_err(|error| damaged(&error.to_string()))?,
                state: RunState::from_word(&state).ok_or_else(|| damaged(&state))?,
                by: operator.map_or(Actor::Armed, Actor::Operator),
                begun: duration(begun),
                active: duration(active),
                keys,
                claimed,
            });
        }
        Ok(runs)
    }

    #[allow(clippy::type_complexity)] // Two lists of pairs, of use in one place.
    fn run_keys(
        &self,
        run: RunId,
    ) -> Result<(Vec<(KeySerial, KeyResult)>, Vec<(KeySerial, Option<u32>, Duration)>), JournalError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT family, key_number, standing, code, line, at_ms FROM run_key WHERE run = ?1 ORDER BY at_ms",
        )?;
        let rows = statement.query_map([run.0], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, u32>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, Option<u16>>(3)?,
                row.get::<_, Option<u32>>(4)?,
                row.get::<_, i64>(5)?,
            ))
        })?;
        let (mut keys, mut claimed) = (Vec::new(), Vec::new());
        for row in rows {
            let (family, number, standing, code, line, at) = row?;
            let damaged = |what: &str| JournalError::Damaged(format!("a key of run {run}: {what}"));
            let family = row::family(&family).ok_or_else(|| damaged(&family))?;
            let key = KeySerial { family, number };
            if standing == CLAIMED {
                claimed.push((key, line, duration(at)));
                continue;
            }
            let standing = Standing::from_word(&standing).ok_or_else(|| damaged(&standing))?;
            // A code of a newer version is for people only; the rest is worth reading without it.
            let code = code.and_then(Code::from_number);
            keys.push((key, KeyResult { standing, code, line, at: duration(at) }));
        }
        Ok((keys, claimed))
    }

    /// The final records, oldest first, for which no receipt was written: of a key, or of all.
    pub fn owed(&self, key: Option<KeySerial>) -> Result<Vec<Record>, JournalError> {
        let of_key = if key.is_some() { "AND family = ?1 AND key_number = ?2" } else { "" };
        let sql = format!(
            "{} WHERE receipt IS NULL AND state IN ('done', 'undone') {of_key} ORDER BY number",
            row::SELECT
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = match key {
            Some(key) => statement.query_map(params![row::family_word(key.family), key.number], row::read)?,
            None => statement.query_map([], row::read)?,
        };
        rows.map(|row| Ok(row?)).collect()
    }

    /// Writes down the number and hash of the receipt of an enrollment. Nothing happens if it is unknown.
    pub fn receipted(
        &mut self,
        enrollment: station::record::EnrollmentId,
        receipt: &str,
    ) -> Result<(), JournalError> {
        self.connection
            .prepare_cached("UPDATE enrollment SET receipt = ?2 WHERE id = ?1")?
            .execute(params![enrollment.to_string(), receipt])?;
        Ok(())
    }

    /// The number and hash of the newest receipt that the journal knows of.
    pub fn newest_receipt(&self) -> Result<Option<String>, JournalError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT receipt FROM enrollment WHERE receipt LIKE '%:%' \
                 ORDER BY CAST(receipt AS INTEGER) DESC LIMIT 1",
            )?
            .query_row([], |row| row.get(0))
            .optional()?)
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn duration(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
