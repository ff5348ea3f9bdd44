//! Runs: what was asked for, and what became of each key.
//!
//! A key is written down when a run takes it ([`Journal::run_claim`]) and when its
//! enrollment is over ([`Journal::run_result`]). A claim without a result was cut short; the
//! enrollment's own record then says what became of it. A line of the list that is set aside is
//! written down with the result that did it, or by [`Journal::run_lines`].

use std::time::Duration;

use keys::device::KeySerial;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use station::engine::record::{Actor, Record};
use station::engine::run::{Aside, KeyResult, Run, RunId, RunPlan, RunState, Standing, Target};
use station::refusal::Code;

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

/// The lines that are set aside. Made where it is missing, and unknown to earlier versions, which read
/// the rest as before: for them such lines are open.
pub(crate) const LINES: &str = "
    CREATE TABLE IF NOT EXISTS run_line (
        run         INTEGER NOT NULL REFERENCES run (id),
        line        INTEGER NOT NULL,
        standing    TEXT NOT NULL,
        code        INTEGER,
        at_ms       INTEGER NOT NULL,
        PRIMARY KEY (run, line)
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
    /// The lines that were set aside.
    pub aside: Vec<(u32, Aside)>,
}

impl StoredRun {
    /// The run as it stands after a restart. What was cut short is put right from the records
    /// of the key, oldest first, that `recall` gives; that is to be written down, too. A proven
    /// key stays in work until recovery has finished it or taken it back.
    pub fn restored(
        self,
        mut recall: impl FnMut(KeySerial) -> Vec<Record>,
    ) -> (Run, Vec<(KeySerial, KeyResult)>) {
        let Self { id, plan, state, by, begun, active, keys, claimed, aside } = self;
        let (mut put_right, mut in_work) = (Vec::new(), Vec::new());
        for (key, line, at) in claimed {
            let records = recall(key);
            // What became of a trial says nothing of what the key holds.
            let since = |record: &&Record| record.at >= at && !record.token.is_trial();
            let Some(newest) = records.iter().rev().find(since) else { continue };
            match Standing::of_record(newest) {
                Some(standing) => {
                    let code = newest.reason.filter(|_| standing != Standing::Done);
                    put_right.push((key, KeyResult { standing, code, line, at }));
                }
                None => in_work.push((key, line)),
            }
        }
        let mut run = Run::new(id, plan, by, begun).restored(active, keys, aside);
        for (key, result) in &put_right {
            run.put_right(*key, *result);
        }
        run.state = state;
        for (key, line) in in_work {
            run.begin(key, line);
        }
        (run, put_right)
    }
}

/// Takes the people out of the lists of runs that ended, and began before then. Keys that a list named stay. A run that was stopped
/// cannot be resumed any more: nobody would know whom its keys are for.
pub(crate) fn forget_people(transaction: &Transaction<'_>, before_ms: i64) -> Result<(), JournalError> {
    let (finished, stopped) = (RunState::Finished.word(), RunState::Stopped.word());
    let mut statement =
        transaction.prepare("SELECT id, plan FROM run WHERE begun_ms < ?1 AND state IN (?2, ?3)")?;
    let rows = statement.query_map(params![before_ms, finished, stopped], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    })?;
    for row in rows {
        let (id, text) = row?;
        let damaged = |error: serde_json::Error| JournalError::Damaged(format!("run {id}: {error}"));
        let mut plan: RunPlan = serde_json::from_str(&text).map_err(damaged)?;
        let Target::List(list) = &mut plan.target else { continue };
        if list.iter().all(|line| line.person.is_none()) {
            continue;
        }
        list.iter_mut().for_each(|line| line.person = None);
        let text = serde_json::to_string(&plan).map_err(damaged)?;
        transaction
            .execute("UPDATE run SET plan = ?2, state = ?3 WHERE id = ?1", params![id, text, finished])?;
    }
    Ok(())
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
        put_key(&self.connection, run, key, CLAIMED, None, line, at)
    }

    /// Writes down what became of a key in a run, and of its line.
    pub fn run_result(&mut self, run: RunId, key: KeySerial, result: &KeyResult) -> Result<(), JournalError> {
        let KeyResult { standing, code, line, at } = *result;
        let change = self.connection.transaction()?;
        // Only who has the line says what becomes of it: another key may have it by now.
        let had: Option<String> = change
            .prepare_cached(
                "SELECT standing FROM run_key WHERE run = ?1 AND family = ?2 AND key_number = ?3",
            )?
            .query_row(params![run.0, row::family_word(key.family), key.number], |row| row.get(0))
            .optional()?;
        if had.as_deref() == Some(CLAIMED)
            && let Some((line, aside)) = result.sets_aside()
        {
            put_line(&change, run, line, Some(aside))?;
        }
        put_key(&change, run, key, standing.word(), code, line, at)?;
        Ok(change.commit()?)
    }

    /// Writes down that lines are set aside, or are not any more.
    pub fn run_lines(&mut self, run: RunId, lines: &[(u32, Option<Aside>)]) -> Result<(), JournalError> {
        let change = self.connection.transaction()?;
        for (line, aside) in lines {
            put_line(&change, run, *line, *aside)?;
        }
        Ok(change.commit()?)
    }

    /// Writes down what is asked of a run now: its list has more lines.
    pub fn run_plan(&mut self, run: RunId, plan: &RunPlan) -> Result<(), JournalError> {
        let text = serde_json::to_string(plan).map_err(|error| JournalError::Damaged(error.to_string()))?;
        self.connection
            .prepare_cached("UPDATE run SET plan = ?2 WHERE id = ?1")?
            .execute(params![run.0, text])?;
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
                aside: self.run_aside(id)?,
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

    fn run_aside(&self, run: RunId) -> Result<Vec<(u32, Aside)>, JournalError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT line, standing, code, at_ms FROM run_line WHERE run = ?1 ORDER BY line",
        )?;
        let rows = statement.query_map([run.0], |row| {
            let skipped = row.get::<_, String>(1)? == Aside::skipped(Duration::ZERO).word();
            let code = row.get::<_, Option<u16>>(2)?.and_then(Code::from_number);
            Ok((row.get::<_, u32>(0)?, Aside { skipped, code, at: duration(row.get(3)?) }))
        })?;
        rows.map(|row| Ok(row?)).collect()
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
        // A trial is no enrollment of a key, and has no receipt.
        let real =
            |row: &rusqlite::Result<Record>| row.as_ref().map_or(true, |record| !record.token.is_trial());
        rows.filter(real).map(|row| Ok(row?)).collect()
    }

    /// Writes down the number and hash of the receipt of an enrollment, and that it is the log's last line.
    /// An enrollment that is unknown is left out.
    pub fn receipted(
        &mut self,
        enrollment: station::engine::record::EnrollmentId,
        receipt: &str,
    ) -> Result<(), JournalError> {
        let transaction = self.connection.transaction()?;
        transaction
            .prepare_cached("UPDATE enrollment SET receipt = ?2 WHERE id = ?1")?
            .execute(params![enrollment.to_string(), receipt])?;
        if let Some(head) = crate::chains::mark(receipt) {
            let number = i64::try_from(head.number).unwrap_or(i64::MAX);
            transaction
                .prepare_cached(
                    "UPDATE chain SET number = ?1, hash = ?2 WHERE log = 'receipts' AND number < ?1",
                )?
                .execute(params![number, head.hash.to_string()])?;
        }
        transaction.commit()?;
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

fn put_key(
    connection: &Connection,
    run: RunId,
    key: KeySerial,
    standing: &str,
    code: Option<Code>,
    line: Option<u32>,
    at: Duration,
) -> Result<(), JournalError> {
    connection
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

fn put_line(
    connection: &Connection,
    run: RunId,
    line: u32,
    aside: Option<Aside>,
) -> Result<(), JournalError> {
    match aside {
        Some(aside) => connection
            .prepare_cached(
                "INSERT INTO run_line (run, line, standing, code, at_ms) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (run, line) DO UPDATE SET standing = ?3, code = ?4, at_ms = ?5",
            )?
            .execute(params![
                run.0,
                line,
                aside.word(),
                aside.code.map(Code::number),
                milliseconds(aside.at)
            ])?,
        None => connection
            .prepare_cached("DELETE FROM run_line WHERE run = ?1 AND line = ?2")?
            .execute(params![run.0, line])?,
    };
    Ok(())
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn duration(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
