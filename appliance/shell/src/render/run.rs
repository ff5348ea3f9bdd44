//! Runs and receipts.

use control::types::{Counts, ReceiptDetails, ReceiptVerdict, Receipts, Run, RunDetails, SetBack};

use super::{clean, clean_lines, facts, or_dash, table, time};

/// How enrollments ended, in words.
pub fn counts(counts: &Counts) -> String {
    let all = [
        (counts.enrolled, "enrolled"),
        (counts.refused, "refused"),
        (counts.undone, "undone"),
        (counts.quarantined, "quarantined"),
        (counts.postponed, "postponed"),
    ];
    let some: Vec<_> = all
        .iter()
        .enumerate()
        .filter(|(place, (count, _))| *place == 0 || *count > 0)
        .map(|(_, (count, what))| format!("{count} {what}"))
        .collect();
    some.join(", ")
}

/// How many lines of its list get no key for now.
fn aside(run: &Run) -> Option<String> {
    run.aside.filter(|count| *count > 0).map(|count| format!("{count} set aside"))
}

/// A run in one line.
pub fn run_line(run: &Run) -> String {
    let target = run.target.map(|target| format!(" of {target}")).unwrap_or_default();
    let next = run.next.as_deref().map(|next| format!("; next: {}", clean(next))).unwrap_or_default();
    let aside = aside(run).map(|aside| format!(", {aside}")).unwrap_or_default();
    format!(
        "{} \"{}\", {}: {}{target}{aside}{next}",
        run.run,
        clean(&run.name),
        run.state,
        counts(&run.counts)
    )
}

/// Whom the next key is for.
fn next(run: &Run) -> String {
    let line = run.next_line.map(|line| format!("line {line}"));
    match (run.next.as_deref().map(clean), line) {
        (Some(person), Some(line)) => format!("{person} ({line})"),
        (person, line) => person.or(line).unwrap_or_default(),
    }
}

/// A run, its list, and earlier runs.
pub fn run(details: &RunDetails) -> String {
    let Some(run) = &details.run else {
        return "There was no run yet. run start begins one.\n".to_owned();
    };
    let mut text = facts(&[
        ("run", format!("{} \"{}\"", run.run, clean(&run.name))),
        ("state", run.state.to_string()),
        (
            "profile",
            run.profile.as_deref().map_or_else(|| "for each key the one that fits".to_owned(), clean),
        ),
        (
            "target",
            run.target.map_or_else(|| "until it is stopped".to_owned(), |target| format!("{target} keys")),
        ),
        ("so far", counts(&run.counts)),
        (
            "set aside",
            run.aside.filter(|count| *count > 0).map(|count| count.to_string()).unwrap_or_default(),
        ),
        ("next", next(run)),
        ("trouble", run.trouble.as_deref().map(clean).unwrap_or_default()),
        ("an hour", run.per_hour.map(|number| format!("{number} keys")).unwrap_or_default()),
        ("started", format!("{} by {}", time(run.started), clean(&run.operator))),
        ("ended", run.ended.map(time).unwrap_or_default()),
    ]);
    if let Some(ignored) = details.ignored.as_ref().filter(|ignored| !ignored.is_empty()) {
        let names: Vec<String> = ignored.iter().map(|name| clean(name)).collect();
        text.push_str(&format!("Columns of the list that say nothing here: {}.\n", names.join(", ")));
    }
    if !details.entries.is_empty() {
        let rows = details.entries.iter().map(|entry| {
            [
                entry.line.to_string(),
                or_dash(entry.person.as_deref()),
                or_dash(entry.key.as_deref()),
                clean(&entry.state),
                or_dash(entry.token.as_deref()),
                or_dash(entry.code.as_deref()),
            ]
        });
        let rows: Vec<_> = rows.collect();
        text.push('\n');
        text.push_str(&table(["LINE", "USER", "KEY", "STATE", "TOKEN", "CODE"], &rows));
    }
    if run.aside.is_some_and(|count| count > 0) {
        text.push_str(
            "\nLines that are set aside get no key: run retry failed, or run retry LINE, lets them.\n",
        );
    }
    if !details.earlier.is_empty() {
        text.push_str("\nEarlier:\n");
        for earlier in &details.earlier {
            text.push_str(&format!("{}\n", run_line(earlier)));
        }
    }
    text
}

pub fn receipts(receipts: &Receipts) -> String {
    if receipts.receipts.is_empty() {
        return "There is no receipt.\n".to_owned();
    }
    let rows = receipts.receipts.iter().map(|one| {
        [
            one.number.to_string(),
            time(one.at),
            clean(&one.ending),
            or_dash(one.key.as_deref()),
            or_dash(one.token.as_deref()),
            or_dash(one.person.as_deref()),
            clean(&one.profile),
            clean(&one.operator),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let more = receipts.total - i64::try_from(rows.len()).unwrap_or(receipts.total);
    let mut text = table(["RECEIPT", "AT", "ENDING", "KEY", "TOKEN", "USER", "PROFILE", "OPERATOR"], &rows);
    if more > 0 {
        text.push_str(&format!("({more} more)\n"));
    }
    text
}

pub fn receipt(details: &ReceiptDetails) -> String {
    let document = serde_json::to_string_pretty(&details.document).unwrap_or_default();
    let verdict = if details.good {
        "Its signature and its place in the chain are right."
    } else {
        "IT IS WRONG: signature or place in the chain do not fit."
    };
    format!("{}\n{verdict}\n", clean_lines(&document))
}

/// What was found out about a chain: of `receipts`, or of `deeds`.
pub fn verdict(verdict: &ReceiptVerdict, what: &str) -> String {
    let text = clean(verdict.text.as_deref().unwrap_or_default());
    if !verdict.good {
        return match verdict.first_wrong {
            Some(number) => format!("NOT RIGHT from record {number} on: {text}\n"),
            None => format!("NOT RIGHT: {text}\n"),
        };
    }
    let mut out =
        format!("All {} {what} are right, and none that is known of is missing.\n", verdict.receipts);
    if !text.is_empty() {
        out.push_str(&format!("Of no account: {text}.\n"));
    }
    let mut rows = vec![
        ("last record", verdict.last.map(|last| last.to_string()).unwrap_or_default()),
        ("its hash", verdict.head.as_deref().map(clean).unwrap_or_default()),
    ];
    match verdict.keys.as_deref() {
        Some(keys) => {
            rows.extend(
                keys.iter()
                    .map(|one| ("public key", format!("{} (from record {} on)", clean(&one.key), one.since))),
            );
        }
        None => rows.push(("public key", verdict.public_key.as_deref().map(clean).unwrap_or_default())),
    }
    out.push_str(&facts(&rows));
    for one in verdict.set_backs.iter().flatten() {
        let SetBack { number, from, to } = one;
        out.push_str(&format!(
            "The clock was set back before record {number}: from {} to {}.\n",
            time(*from),
            time(*to)
        ));
    }
    let told = verdict.set_backs.as_ref().map_or(0, Vec::len);
    let more = verdict.set_back.unwrap_or(0) - i64::try_from(told).unwrap_or(0);
    if more > 0 {
        out.push_str(&format!("It was set back {more} times more.\n"));
    }
    for (title, sentences) in [("Checked", &verdict.checked), ("Cannot be known here", &verdict.unknown)] {
        let sentences = sentences.as_deref().unwrap_or_default();
        if !sentences.is_empty() {
            out.push_str(&format!("{title}:\n"));
        }
        sentences.iter().for_each(|sentence| out.push_str(&format!("  - {}\n", clean(sentence))));
    }
    out
}
