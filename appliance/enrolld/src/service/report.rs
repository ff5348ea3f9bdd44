//! The report: which person got which key, when, and how it ended.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use control::types::{ReportForm, ReportMake, ReportPart};
use control::wire::Reply;
use control::{Refusal, Replies};
use futures_util::stream;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use station::engine::record::Record;
use station::engine::run::{Assignment, Standing, Target};
use station::papers::report::{self, COLUMNS, ReportLine};
use station::refusal::Code;

use super::Service;
use super::refuse::no;
use super::translate::whole;
use crate::config::zone;
use dispatch::scheduler::RunView;

/// Bytes of a piece, and pieces of a message.
const PIECE: usize = 600;
const PIECES: usize = 256;

/// A stretch of time, since 1970.
#[derive(Debug)]
struct Stretch {
    from: Duration,
    to: Duration,
    /// What it is called.
    words: String,
}

impl Service {
    /// Makes a report.
    pub(super) async fn report(&self, request: &ReportMake) -> Result<Replies<ReportPart>, Refusal> {
        let zone = zone(&self.config().station);
        let (title, lines) = match (&request.run, &request.from, &request.to) {
            (Some(run), None, None) => {
                let view = self.run_named(run).await?;
                (view.plan.name.clone(), self.lines_of(&view).await?)
            }
            (None, from, to) => {
                let stretch = stretch(from.as_deref(), to.as_deref(), &zone)?;
                (stretch.words, report::between(&self.every_record().await?, stretch.from, stretch.to))
            }
            (Some(_), ..) => {
                return Err(no(Code::InputInvalid, "a report is of a run or of a time, and not of both"));
            }
        };
        let time = |at: Duration| written(at, &zone);
        let bytes = match request.form.unwrap_or(ReportForm::Csv) {
            ReportForm::Csv => report::csv(&lines, time).into_bytes(),
            ReportForm::Json => json(&lines, time).into_bytes(),
            ReportForm::Pdf => self.paper(&title, &lines, &zone)?,
        };
        let pieces: Vec<String> = bytes.chunks(PIECE).map(|piece| STANDARD.encode(piece)).collect();
        let mut parts: Vec<ReportPart> =
            pieces.chunks(PIECES).map(|some| ReportPart { pieces: some.to_vec(), lines: None }).collect();
        let count = Some(whole(lines.len()));
        match parts.last_mut() {
            Some(last) => last.lines = count,
            None => parts.push(ReportPart { pieces: Vec::new(), lines: count }),
        }
        Ok(in_parts(parts))
    }

    /// Once a day, has the journal forget whom finished enrollments were for, as long as the configuration says so.
    pub async fn forget_people(&self) {
        let config = self.config();
        let Some(days) = config.station.forget_people_after else { return };
        // A clock that is a guess would forget too early or too late.
        if !dispatch::clock::is_known() {
            return;
        }
        let now = Timestamp::now();
        let today = now.to_zoned(zone(&config.station)).date();
        if super::lock(&self.forgot).replace(today) == Some(today) {
            return;
        }
        let age = Duration::from_secs(u64::from(days.number()) * 86_400);
        let now = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
        match self.store.with(move |journal| journal.forget_people(now.saturating_sub(age))).await {
            Ok(0) => {}
            Ok(count) => tracing::info!("whom {count} enrollments were for is forgotten"),
            Err(error) => tracing::error!("people are not forgotten: {error}"),
        }
    }

    async fn every_record(&self) -> Result<Vec<Record>, Refusal> {
        let read = self.store.with(|journal| journal.all()).await;
        read.map_err(|error| no(Code::JournalFailed, error.to_string()))
    }

    /// The report of a run.
    async fn lines_of(&self, view: &RunView) -> Result<Vec<ReportLine>, Refusal> {
        let list: &[Assignment] = match &view.plan.target {
            Target::List(list) => list,
            _ => &[],
        };
        let keys: Vec<(String, Option<u32>, Standing)> = view
            .results
            .iter()
            .map(|(key, result)| (key.to_string(), result.line, result.standing))
            .collect();
        let standing = |at: u32| {
            let aside = view.aside.iter().find(|(line, _)| *line == at).map(|(_, aside)| aside);
            let mut mine = view.results.iter().filter(|(_, result)| result.line == Some(at));
            let last = mine.by_ref().max_by_key(|(_, result)| result.at);
            let (word, code) = match (aside, last) {
                (Some(aside), _) => (aside.word(), aside.code),
                (None, Some((_, result))) => (result.standing.word(), result.code),
                (None, None) => ("open", None),
            };
            let outcome = code.map_or_else(|| word.to_owned(), |code| format!("{word} {code}"));
            (last.map(|(key, _)| key.to_string()), outcome)
        };
        Ok(report::of_run(&self.every_record().await?, view.begun, list, standing, &keys))
    }

    /// The names of the enrollments of a run's keys.
    pub(super) async fn enrollments_of(&self, view: &RunView) -> Result<BTreeSet<String>, Refusal> {
        let records = self.every_record().await?;
        let mine = |record: &&Record| {
            record.at >= view.begun && view.results.iter().any(|(key, _)| *key == record.key)
        };
        Ok(records.iter().filter(mine).map(|record| record.enrollment.to_string()).collect())
    }

    fn paper(&self, title: &str, lines: &[ReportLine], zone: &TimeZone) -> Result<Vec<u8>, Refusal> {
        let config = self.config();
        let language = super::print::language(crate::config::language(config.station.language));
        let enrolled = lines.iter().filter(|line| line.outcome == "enrolled").count();
        let now = written_now(zone);
        let (heading, said, columns) = match language {
            paper::Language::English => (
                format!("Report: {title}"),
                format!(
                    "{enrolled} of {} enrolled. Station {}, {now}.",
                    lines.len(),
                    config.station.name.as_str()
                ),
                ["person", "key", "token", "port", "time", "outcome", "proof"],
            ),
            paper::Language::German => (
                format!("Bericht: {title}"),
                format!(
                    "{enrolled} von {} eingerichtet. Station {}, {now}.",
                    lines.len(),
                    config.station.name.as_str()
                ),
                ["Person", "Schlüssel", "Token", "Anschluss", "Zeit", "Ergebnis", "Nachweis"],
            ),
        };
        let row = |line: &ReportLine| {
            let person = match (line.user.is_empty(), line.realm.is_empty()) {
                (true, _) => String::new(),
                (_, true) => line.user.clone(),
                _ => format!("{}@{}", line.user, line.realm),
            };
            let time = line.at.map(|at| written(at, zone)).unwrap_or_default();
            let (outcome, proof) = (said_in(&line.outcome, language), said_in(&line.proof, language));
            vec![person, line.key.clone(), line.token.clone(), line.port.clone(), time, outcome, proof]
        };
        let sheet = paper::Sheet {
            title: heading,
            lines: vec![said],
            columns: columns.map(str::to_owned).to_vec(),
            rows: lines.iter().map(row).collect(),
            by_hand: None,
        };
        let pdf = paper::sheet(&sheet, language);
        pdf.map(|pdf| pdf.to_vec())
            .map_err(|why| no(Code::InputInvalid, format!("{why}; --format csv has every letter")))
    }

    /// The run of that number or name; of several with one name, the last.
    pub(super) async fn run_named(&self, text: &str) -> Result<RunView, Refusal> {
        let runs = self.runs_known().await?;
        let number: Option<i64> = text.trim().parse().ok();
        let is = |view: &&RunView| number == Some(view.id.0) || view.plan.name == text.trim();
        let found = runs.iter().rev().find(is).cloned();
        found.ok_or_else(|| no(Code::RunUnknown, control::clean::shown(text)))
    }
}

/// An outcome or a proof in the language of the paper.
fn said_in(word: &str, language: paper::Language) -> String {
    if language == paper::Language::English {
        return word.to_owned();
    }
    let (word, code) = word.split_once(' ').map_or((word, None), |(word, code)| (word, Some(code)));
    let german = match word {
        "enrolled" => "eingerichtet",
        "unfinished" => "unfertig",
        "undone" => "zurückgenommen",
        "open" => "offen",
        "skipped" => "ausgelassen",
        "set-aside" => "zurückgestellt",
        "refused" => "abgelehnt",
        "quarantined" => "in Quarantäne",
        "proven" => "bewiesen",
        other => other,
    };
    code.map_or_else(|| german.to_owned(), |code| format!("{german} {code}"))
}

/// The report as JSON: an object for each line, with the columns as fields.
fn json(lines: &[ReportLine], time: impl Fn(Duration) -> String) -> String {
    let object = |line: &ReportLine| {
        let fields = COLUMNS.iter().zip(line.texts(&time));
        serde_json::Value::Object(fields.map(|(name, text)| ((*name).to_owned(), text.into())).collect())
    };
    let mut text = serde_json::Value::Array(lines.iter().map(object).collect()).to_string();
    text.push('\n');
    text
}

/// A time as the station's wall has it, with its offset.
fn written(at: Duration, zone: &TimeZone) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string()
}

fn written_now(zone: &TimeZone) -> String {
    Timestamp::now().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string()
}

/// From the first day's first moment to the last day's last, in the station's time zone.
fn stretch(from: Option<&str>, to: Option<&str>, zone: &TimeZone) -> Result<Stretch, Refusal> {
    let day = |text: &str| {
        text.trim().parse::<Date>().map_err(|_| {
            let shown = control::clean::shown(text);
            no(Code::InputInvalid, format!("{shown} is no day; write it as 2026-12-31"))
        })
    };
    let today = Timestamp::now().to_zoned(zone.clone()).date();
    let first = from.map(day).transpose()?;
    let last = to.map(day).transpose()?.unwrap_or(today);
    if first.is_some_and(|first| first > last) {
        return Err(no(Code::InputInvalid, "the last day is before the first"));
    }
    let begin = |date: Date| {
        let zoned = date.to_zoned(zone.clone());
        zoned.map_or(Duration::ZERO, |zoned| {
            Duration::from_secs(u64::try_from(zoned.timestamp().as_second()).unwrap_or(0))
        })
    };
    let after = last.checked_add(1.day()).map_or(Duration::MAX, begin);
    let words = match first {
        Some(first) => format!("{first} – {last}"),
        None => format!("– {last}"),
    };
    Ok(Stretch { from: first.map_or(Duration::ZERO, begin), to: after, words })
}

/// Answers, one a part.
pub(super) fn in_parts<T: Send + 'static>(parts: Vec<T>) -> Replies<T> {
    let count = parts.len();
    let replies = parts.into_iter().enumerate();
    Box::pin(stream::iter(
        replies.map(move |(at, parameters)| Ok(Reply { parameters, continues: at + 1 < count })),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_stations_wall() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let day = stretch(Some("2026-03-29"), Some("2026-03-29"), &berlin).unwrap();
        // The day on which summer begins has 23 hours.
        assert_eq!(day.to - day.from, Duration::from_secs(23 * 3600));
        assert_eq!(written(day.from, &berlin), "2026-03-29 00:00:00+01:00");
        assert_eq!(written(day.to, &berlin), "2026-03-30 00:00:00+02:00");
        assert!(stretch(Some("29.3.2026"), None, &berlin).unwrap_err().detail.contains("2026-12-31"));
        assert!(stretch(Some("2026-03-30"), Some("2026-03-29"), &berlin).is_err());
        assert_eq!(stretch(None, Some("2026-03-29"), &berlin).unwrap().from, Duration::ZERO);
    }

    #[test]
    fn paper_has_the_words_of_its_language() {
        assert_eq!(said_in("undone E3001", paper::Language::German), "zurückgenommen E3001");
        assert_eq!(said_in("proven", paper::Language::English), "proven");
    }
}
