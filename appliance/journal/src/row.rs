//! Records as rows of a table. Words, not numbers, so that the file can be read by a person.

use std::time::Duration;

use keys::device::{Family, KeySerial, Kind, Slot};
use rusqlite::types::{ToSqlOutput, Type};
use rusqlite::{Row, ToSql};
use station::engine::record::{Actor, EnrollmentId, Record, Remains, State};
use station::engine::server::Person;
use station::refusal::Code;
use station::token::TokenSerial;

pub(crate) const SELECT: &str = "SELECT id, state, at_ms, family, key_number, slot, kind, remains, token, profile, \
                                 user, realm, operator, port, reason, \
                                 (SELECT public_id FROM given_up WHERE given_up.id = enrollment.id) AS given_up \
                                 FROM enrollment";

pub(crate) const UPSERT: &str = "INSERT INTO enrollment (id, state, at_ms, family, key_number, slot, kind, remains, \
                                 token, profile, user, realm, operator, port, reason) \
                                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
                                 ON CONFLICT (id) DO UPDATE SET state = ?2, at_ms = ?3, remains = ?8, reason = ?15, \
                                 receipt = NULL";

/// A row that is not a record.
#[derive(Debug, thiserror::Error)]
#[error("column '{column}' of an enrollment holds '{value}'")]
pub struct NotARecord {
    column: &'static str,
    value: String,
}

/// The values of [`UPSERT`], in order.
pub(crate) fn values(record: &Record) -> rusqlite::ParamsFromIter<[ToSqlOutput<'_>; 15]> {
    let at_ms = i64::try_from(record.at.as_millis()).unwrap_or(i64::MAX);
    let operator = match &record.actor {
        Actor::Operator(name) => Some(name.as_str()),
        _ => None,
    };
    let person = record.person.as_ref();
    rusqlite::params_from_iter([
        record.enrollment.to_string().into(),
        text(record.state.word()),
        at_ms.into(),
        text(family_word(record.key.family)),
        i64::from(record.key.number).into(),
        i64::from(record.slot.0).into(),
        text(kind_word(record.kind)),
        text(record.remains.word()),
        text(record.token.as_str()),
        text(&record.profile),
        optional(person.map(|person| person.user.as_str())),
        optional(person.map(|person| person.realm.as_str())),
        optional(operator),
        text(&record.port),
        record.reason.map_or(ToSqlOutput::Borrowed(rusqlite::types::ValueRef::Null), |code| {
            i64::from(code.number()).into()
        }),
    ])
}

fn text(value: &str) -> ToSqlOutput<'_> {
    value.to_sql().unwrap_or(ToSqlOutput::Borrowed(rusqlite::types::ValueRef::Null))
}

fn optional(value: Option<&str>) -> ToSqlOutput<'_> {
    value.map_or(ToSqlOutput::Borrowed(rusqlite::types::ValueRef::Null), text)
}

/// Reads a row of [`SELECT`].
pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Record> {
    let person = match (row.get::<_, Option<String>>("user")?, row.get::<_, Option<String>>("realm")?) {
        (Some(user), Some(realm)) => Some(Person { user, realm }),
        _ => None,
    };
    Ok(Record {
        enrollment: word(row, "id", EnrollmentId::parse)?,
        state: word(row, "state", State::from_word)?,
        at: Duration::from_millis(u64::try_from(row.get::<_, i64>("at_ms")?).unwrap_or(0)),
        key: KeySerial { family: word(row, "family", family)?, number: row.get("key_number")? },
        slot: Slot(row.get("slot")?),
        kind: word(row, "kind", kind)?,
        remains: word(row, "remains", Remains::from_word)?,
        token: word(row, "token", |text| TokenSerial::new(text).ok())?,
        profile: row.get("profile")?,
        person,
        actor: row.get::<_, Option<String>>("operator")?.map_or(Actor::Armed, Actor::Operator),
        port: row.get("port")?,
        // A code that this version does not know was written by a newer one; the
        // reason is for people only, so the record is worth reading without it.
        reason: row.get::<_, Option<u16>>("reason")?.and_then(Code::from_number),
        given_up: row.get("given_up")?,
    })
}

fn word<T>(row: &Row<'_>, column: &'static str, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let value: String = row.get(column)?;
    parse(&value).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(NotARecord { column, value }))
    })
}

const FAMILIES: [(Family, &str); 3] = [
    (Family::YubiKeyOtp, "yubikey"),
    (Family::NitrokeyPro, "nitrokey-pro"),
    (Family::Nitrokey3, "nitrokey3"),
];

const KINDS: [(Kind, &str); 5] = [
    (Kind::Hotp, "hotp"),
    (Kind::Totp, "totp"),
    (Kind::YubicoOtp, "yubico-otp"),
    (Kind::StaticPassword, "static-password"),
    (Kind::ChallengeResponse, "challenge-response"),
];

/// The word for a family; every family has one (see the test below).
pub(crate) fn family_word(family: Family) -> &'static str {
    FAMILIES.iter().find(|(known, _)| *known == family).map_or("unknown", |(_, word)| word)
}

pub(crate) fn family(word: &str) -> Option<Family> {
    FAMILIES.iter().find(|(_, known)| *known == word).map(|(family, _)| *family)
}

fn kind_word(kind: Kind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("unknown", |(_, word)| word)
}

fn kind(word: &str) -> Option<Kind> {
    KINDS.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
}
