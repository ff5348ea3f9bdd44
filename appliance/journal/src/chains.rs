//! What the journal knows of the signed logs: where they end, and who may have signed them.
//!
//! These tables were added without a new form of the journal: a version that does not know them leaves them
//! alone, and what it writes meanwhile is found from the enrollments' own marks.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};
use station::papers::receipt::{Book, Bytes32};

use crate::receipts::{Known, Written};
use crate::{Journal, JournalError};

pub(crate) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS chain (
        log         TEXT PRIMARY KEY,
        number      INTEGER NOT NULL,
        hash        TEXT NOT NULL,
        oldest      INTEGER NOT NULL,
        since       INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS chain_key (
        log         TEXT NOT NULL,
        key         TEXT NOT NULL,
        since       INTEGER NOT NULL,
        PRIMARY KEY (log, key)
    ) STRICT;
";

/// The next line of the same log, or the same one; never one before it.
const HEAD: &str = "
    INSERT INTO chain (log, number, hash, oldest, since) VALUES (?1, ?2, ?3, ?4, ?2)
    ON CONFLICT (log) DO UPDATE SET
        number = excluded.number, hash = excluded.hash, oldest = MAX(oldest, excluded.oldest)
    WHERE excluded.number >= number
";

impl Journal {
    /// What is known of a log; its marks apart.
    pub fn known(&self, book: Book) -> Result<Known, JournalError> {
        let mut known = Known::default();
        let row = self
            .connection
            .prepare_cached("SELECT number, hash, oldest, since FROM chain WHERE log = ?1")?
            .query_row([book.word()], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        if let Some((number, hash, oldest, since)) = row {
            known.head = Some(Written { number: whole(number), hash: bytes(hash)? });
            known.oldest = Some(whole(oldest));
            known.since = whole(since);
        }
        if book == Book::Receipts
            && let Some(mark) = self.newest_receipt()?.as_deref().and_then(mark)
            && known.head.is_none_or(|head| head.number < mark.number)
        {
            known.head = Some(mark);
        }
        let mut keys = self
            .connection
            .prepare_cached("SELECT key, since FROM chain_key WHERE log = ?1 ORDER BY since")?;
        let rows = keys.query_map([book.word()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        for row in rows {
            let (key, since) = row?;
            known.keys.push((bytes(key)?, whole(since)));
        }
        Ok(known)
    }

    /// The hashes of receipts, by their numbers, from a number on.
    pub fn marks(&self, from: u64) -> Result<BTreeMap<u64, Bytes32>, JournalError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT receipt FROM enrollment WHERE receipt LIKE '%:%' AND CAST(receipt AS INTEGER) >= ?1",
        )?;
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let mut marks = BTreeMap::new();
        for row in statement.query_map([from], |row| row.get::<_, String>(0))? {
            if let Some(Written { number, hash }) = mark(&row?) {
                marks.insert(number, hash);
            }
        }
        Ok(marks)
    }

    /// Notes the last line of a log, and the oldest that is to be kept. It never goes back.
    pub fn note_head(&mut self, book: Book, head: Written, oldest: u64) -> Result<(), JournalError> {
        let [number, oldest] = [head.number, oldest].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        self.connection.prepare_cached(HEAD)?.execute(params![
            book.word(),
            number,
            head.hash.to_string(),
            oldest
        ])?;
        Ok(())
    }

    /// Notes that a key may sign a log from a line on; known keys stay as they are.
    pub fn note_key(&mut self, book: Book, key: Bytes32, since: u64) -> Result<(), JournalError> {
        let since = i64::try_from(since).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO chain_key (log, key, since) VALUES (?1, ?2, ?3)")?
            .execute(params![book.word(), key.to_string(), since])?;
        Ok(())
    }
}

/// `7:<64 hex digits>`, as an enrollment is marked with its receipt.
pub(crate) fn mark(text: &str) -> Option<Written> {
    let (number, hash) = text.split_once(':')?;
    Some(Written { number: number.parse().ok()?, hash: Bytes32::try_from(hash.to_owned()).ok()? })
}

fn whole(number: i64) -> u64 {
    number.unsigned_abs()
}

fn bytes(text: String) -> Result<Bytes32, JournalError> {
    Bytes32::try_from(text).map_err(|error| JournalError::Damaged(error.to_owned()))
}
