//! Where the engine's records live: an SQLite store that survives power cuts.
//!
//! The journal holds the newest [`Record`] of every enrollment. Each
//! [`write`](Journal::write) is one transaction that is on the disk when the call
//! returns (`synchronous=FULL`, write-ahead log), so that after a power cut the
//! journal shows either the record before or the record after, never a mixture.
//!
//! It refuses a record that cannot follow the one it has: an engine that wants to
//! go from *planned* to *done* has a defect, and the disk is the last place to
//! notice it. It never holds a secret, and it never forgets an enrollment that
//! is not final.

use std::path::Path;
use std::time::Duration;

use keys::device::KeySerial;
use rusqlite::{Connection, OptionalExtension, params};
use station::engine::record::{EnrollmentId, Record, State};

pub mod receipts;

mod chains;
mod row;
mod runs;

pub use row::NotARecord;
pub use runs::StoredRun;

/// The form of the tables; `PRAGMA user_version` says it.
const FORM: i32 = 2;

const TABLES: &str = "
    CREATE TABLE enrollment (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        id          TEXT NOT NULL UNIQUE,
        state       TEXT NOT NULL,
        at_ms       INTEGER NOT NULL,
        family      TEXT NOT NULL,
        key_number  INTEGER NOT NULL,
        slot        INTEGER NOT NULL,
        kind        TEXT NOT NULL,
        remains     TEXT NOT NULL,
        token       TEXT NOT NULL,
        profile     TEXT NOT NULL,
        user        TEXT,
        realm       TEXT,
        operator    TEXT,
        port        TEXT NOT NULL,
        reason      INTEGER
    ) STRICT;
    CREATE INDEX enrollment_of_key ON enrollment (family, key_number);
    CREATE INDEX enrollment_unfinished ON enrollment (state) WHERE state NOT IN ('done', 'undone');
";

/// What form 2 has more than form 1: which enrollments have their receipt (number and
/// hash; '-' for those from before there were receipts), and the runs.
const SINCE_2: &str = "
    ALTER TABLE enrollment ADD COLUMN receipt TEXT;
    UPDATE enrollment SET receipt = '-';
    CREATE INDEX enrollment_owed ON enrollment (number) WHERE receipt IS NULL;
";

/// Beside the form, so that a version that does not know it reads the journal all the same: the public ids of
/// the makers' Yubico OTPs that were given up.
const GIVEN_UP: &str = "
    CREATE TABLE IF NOT EXISTS given_up (id TEXT NOT NULL PRIMARY KEY, public_id TEXT NOT NULL) STRICT;
";

/// Why the journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// No room on the disk.
    #[error("the disk is full")]
    Full,
    /// The file or its file system is read-only.
    #[error("the file system is read-only")]
    ReadOnly,
    /// The file is not a journal, or it is damaged.
    #[error("the journal is damaged: {0}")]
    Damaged(String),
    /// A newer version of the station wrote it.
    #[error("the journal has form {found}, this version reads up to form {FORM}")]
    TooNew {
        /// The form found.
        found: i32,
    },
    /// The record cannot follow the one that is there.
    #[error("enrollment {id} cannot go from {from} to {to}")]
    OutOfOrder {
        id: EnrollmentId,
        /// The state in the journal; "nothing" when it is new.
        from: &'static str,
        /// The state of the record.
        to: &'static str,
    },
    /// Anything else that SQLite reports.
    #[error("the journal cannot be used: {0}")]
    Other(rusqlite::Error),
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => match error {
                rusqlite::Error::FromSqlConversionFailure(_, _, why) => Self::Damaged(why.to_string()),
                error => Self::Other(error),
            },
        }
    }
}

pub struct Journal {
    connection: Connection,
}

impl Journal {
    /// Opens the journal in the file `path`, or makes it.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Self::prepare(Connection::open(path)?)
    }

    /// A journal that is gone with the process, for trying things out.
    pub fn in_memory() -> Result<Self, JournalError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self, JournalError> {
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -256)?;
        match connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0))? {
            0 => connection.execute_batch(&format!(
                "BEGIN IMMEDIATE; {TABLES} {SINCE_2} {} PRAGMA user_version = {FORM}; COMMIT;",
                runs::TABLES
            ))?,
            1 => connection.execute_batch(&format!(
                "BEGIN IMMEDIATE; {SINCE_2} {} PRAGMA user_version = {FORM}; COMMIT;",
                runs::TABLES
            ))?,
            FORM => {}
            found => return Err(JournalError::TooNew { found }),
        }
        connection.execute_batch(runs::LINES)?;
        connection.execute_batch(GIVEN_UP)?;
        connection.execute_batch(chains::TABLES)?;
        Ok(Self { connection })
    }

    /// How far an enrollment has come; `None` for one that is not known.
    pub fn state_of(&self, enrollment: EnrollmentId) -> Result<Option<State>, JournalError> {
        state_of(&self.connection, enrollment)
    }

    /// Puts a record on the disk.
    pub fn write(&mut self, record: &Record) -> Result<(), JournalError> {
        let id = record.enrollment;
        let transaction = self.connection.transaction()?;
        let from = state_of(&transaction, id)?;
        let allowed = match from {
            None => record.state == State::Planned,
            Some(from) => from.successors().contains(&record.state),
        };
        if !allowed {
            let from = from.map_or("nothing", State::word);
            return Err(JournalError::OutOfOrder { id, from, to: record.state.word() });
        }
        transaction.prepare_cached(row::UPSERT)?.execute(row::values(record))?;
        if let Some(public_id) = &record.given_up {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO given_up (id, public_id) VALUES (?1, ?2)")?
                .execute(params![id.to_string(), public_id])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// The newest record of each enrollment of a key, oldest enrollment first.
    pub fn recall(&self, key: KeySerial) -> Result<Vec<Record>, JournalError> {
        let sql = format!("{} WHERE family = ?1 AND key_number = ?2 ORDER BY number", row::SELECT);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![row::family_word(key.family), key.number], row::read)?;
        rows.map(|row| Ok(row?)).collect()
    }

    /// The newest record of each enrollment that is not final, oldest first.
    pub fn unfinished(&self) -> Result<Vec<Record>, JournalError> {
        let sql = format!("{} WHERE state NOT IN ('done', 'undone') ORDER BY number", row::SELECT);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], row::read)?;
        rows.map(|row| Ok(row?)).collect()
    }

    /// The newest record of every enrollment, oldest first.
    pub fn all(&self) -> Result<Vec<Record>, JournalError> {
        let sql = format!("{} ORDER BY number", row::SELECT);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], row::read)?;
        rows.map(|row| Ok(row?)).collect()
    }

    /// Forgets whom finished enrollments from before `before` (since 1970) were for, and the lists of runs that ended and
    /// began before it. What is forgotten is written over on the disk. Says how many enrollments there were.
    ///
    /// # Errors
    /// Those of the database; then nothing is forgotten.
    pub fn forget_people(&mut self, before: Duration) -> Result<usize, JournalError> {
        let before_ms = i64::try_from(before.as_millis()).unwrap_or(i64::MAX);
        self.connection.pragma_update(None, "secure_delete", "ON")?;
        let transaction = self.connection.transaction()?;
        let forgotten = transaction.execute(
            "UPDATE enrollment SET user = NULL, realm = NULL \
             WHERE user IS NOT NULL AND at_ms < ?1 AND state IN ('done', 'undone')",
            [before_ms],
        )?;
        runs::forget_people(&transaction, before_ms)?;
        transaction.commit()?;
        Ok(forgotten)
    }

    /// The journal's file as bytes, as it would be on the disk: for backups, and
    /// for searching it.
    pub fn image(&mut self) -> Result<Vec<u8>, JournalError> {
        Ok(self.connection.serialize("main")?.to_vec())
    }

    /// How many enrollments there are in each state.
    pub fn count(&self) -> Result<Vec<(State, u64)>, JournalError> {
        let mut statement =
            self.connection.prepare_cached("SELECT state, COUNT(*) FROM enrollment GROUP BY state")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        let mut counts = Vec::new();
        for row in rows {
            let (word, count) = row?;
            let state = State::from_word(&word).ok_or_else(|| JournalError::Damaged(word.clone()))?;
            counts.push((state, count.unsigned_abs()));
        }
        counts.sort_unstable();
        Ok(counts)
    }
}

fn state_of(connection: &Connection, id: EnrollmentId) -> Result<Option<State>, JournalError> {
    let found: Option<String> = connection
        .prepare_cached("SELECT state FROM enrollment WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?;
    match found.as_deref().map(State::from_word) {
        None => Ok(None),
        Some(Some(state)) => Ok(Some(state)),
        Some(None) => Err(JournalError::Damaged(format!("enrollment {id} has no known state"))),
    }
}
