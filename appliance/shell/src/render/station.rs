//! The station as a whole.

use control::sim::{SimKey, Touched};
use control::types::{
    AuditEntries, Configuration, Explanations, Health, LogLine, OpenSessions, Operators, Panel, Part,
    Problems, Status, Version,
};
use data_encoding::BASE64;

use super::{clean, counts, facts, or_dash, orders, port, run_line, span, table, time};

fn part(part: &Part) -> String {
    let health = match part.health {
        Health::Good => "",
        Health::Absent => "absent: ",
        Health::Bad => "BAD: ",
    };
    let remedy = part.remedy.as_deref().map(|remedy| format!("\n{}", clean(remedy))).unwrap_or_default();
    format!("{health}{}{remedy}", clean(&part.text))
}

/// All there is to know at a glance.
pub fn status(status: &Status) -> String {
    let answered = status.server.answered;
    let answered = answered.map(|at| format!("\nlast answer {}", time(at))).unwrap_or_default();
    let server = match (&status.server.url, &status.server.trouble) {
        (Some(url), None) => format!("{}, {}{answered}", clean(url), credential(status)),
        (Some(url), Some(trouble)) => {
            format!("{}: {} {}{answered}", clean(url), clean(&trouble.code), clean(&trouble.title))
        }
        (None, _) => "none is configured".to_owned(),
    };
    let ready = status.not_ready.as_ref().map_or_else(
        || "yes".to_owned(),
        |refusal| {
            format!("NO: {} {}\n{}", clean(&refusal.code), clean(&refusal.cause), clean(&refusal.remedy))
        },
    );
    let mut text = facts(&[
        (
            "station",
            format!("{} {}, since {}", clean(&status.station), clean(&status.version), time(status.started)),
        ),
        ("mode", status.mode.to_string()),
        ("ready", ready),
        ("server", server),
        ("run", status.run.as_ref().map_or_else(|| "none".to_owned(), run_line)),
        ("so far", counts(&status.counts)),
        ("display", part(&status.display)),
        ("usb", part(&status.usb)),
        ("door", part(&status.door)),
        ("records", part(&status.records)),
        ("clock", part(&status.clock)),
        ("board", part(&status.board)),
        ("config", configuration(&status.configuration).trim_end().to_owned()),
        ("addresses", status.addresses.iter().map(|one| clean(one)).collect::<Vec<_>>().join(", ")),
        ("host key", status.host_key.as_deref().map(clean).unwrap_or_default()),
    ]);
    if !status.ports.is_empty() {
        let rows: Vec<_> = status.ports.iter().map(port).collect();
        text.push('\n');
        text.push_str(&table(["PORT", "KEY", "STATE", ""], &rows));
    }
    text.push_str(&orders(&status.orders));
    if !status.unsettled.is_empty() {
        let rows = status.unsettled.iter().map(|one| {
            [clean(&one.key), clean(&one.token), clean(&one.state), time(one.since), clean(&one.remedy)]
        });
        let rows: Vec<_> = rows.collect();
        text.push_str("\nKeys that an enrollment left in no final state:\n");
        text.push_str(&table(["KEY", "TOKEN", "STATE", "SINCE", "REMEDY"], &rows));
    }
    text
}

fn credential(status: &Status) -> String {
    use control::types::Credential;
    let server = &status.server;
    let missing = server.rights_missing.len();
    let rights = if missing > 0 { format!(", {missing} rights missing") } else { String::new() };
    let until = server.until.map(|at| format!(" until {}", time(at))).unwrap_or_default();
    match server.credential {
        Credential::None => "no credential (server login)".to_owned(),
        Credential::Login => format!("login of {}{until}{rights}", or_dash(server.user.as_deref())),
        Credential::ApiKey => format!("API key{rights}"),
        Credential::Files => "no server; tokens become sealed files".to_owned(),
    }
}

/// Which configuration is in force.
pub fn configuration(configuration: &Configuration) -> String {
    let mut text = clean(&configuration.file);
    if configuration.changed {
        text.push_str(", with changes");
    }
    if configuration.pending {
        text.push_str(", CHANGES NOT COMMITTED");
    }
    if let Some(by) = configuration.confirm_by {
        text.push_str(&format!(", TAKEN BACK AT {} UNLESS CONFIRMED", time(by)));
    }
    text.push('\n');
    for note in configuration.notes.iter().flatten() {
        text.push_str(&format!("{}\n", clean(note)));
    }
    text
}

/// What is wrong with a configuration.
pub fn problems(problems: &Problems) -> String {
    let notices = problems.notices.iter().flatten();
    let notices: String = notices.map(|notice| format!("Notice: {}\n", clean(notice))).collect();
    if problems.problems.is_empty() {
        return format!("It is right.\n{notices}");
    }
    let one = |problem: &control::types::Problem| {
        let place = match (problem.line, problem.column) {
            (Some(line), Some(column)) => format!("line {line}, column {column}: "),
            (Some(line), None) => format!("line {line}: "),
            _ => String::new(),
        };
        let field = problem.field.as_deref().map(|field| format!("{}: ", clean(field))).unwrap_or_default();
        format!("{place}{field}{}\n    {}\n", clean(&problem.text), clean(&problem.remedy))
    };
    problems.problems.iter().map(one).chain([notices]).collect()
}

/// Who may log in.
pub fn operators(operators: &Operators) -> String {
    let mut rows = Vec::new();
    for one in &operators.operators {
        let from = if one.from.is_empty() {
            "everywhere".to_owned()
        } else {
            one.from.iter().map(|from| clean(from)).collect::<Vec<_>>().join(" ")
        };
        for (number, fingerprint) in one.fingerprints.iter().enumerate() {
            let first = number == 0;
            let only = |text: String| if first { text } else { String::new() };
            rows.push([
                only(clean(&one.name)),
                only(one.role.to_string()),
                only(from.clone()),
                only(one.sessions.to_string()),
                only(one.last_login.map_or_else(|| "never".to_owned(), time)),
                clean(fingerprint),
            ]);
        }
    }
    table(["OPERATOR", "ROLE", "FROM", "SESSIONS", "LAST LOGIN", "KEY"], &rows)
}

/// Who is logged in.
pub fn sessions(sessions: &OpenSessions) -> String {
    let rows = sessions.sessions.iter().map(|one| {
        [
            one.number.to_string(),
            clean(&one.operator),
            one.role.to_string(),
            clean(&one.address),
            time(one.since),
            span(one.idle_ms),
            one.streams.iter().map(|name| clean(name)).collect::<Vec<_>>().join(" "),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let mut text = table(["N", "OPERATOR", "ROLE", "FROM", "SINCE", "LAST CALL", "IS TOLD"], &rows);
    text.push_str(&format!(
        "{} keys were offered since the start, {} of them nobody's.\n",
        sessions.offered, sessions.unknown
    ));
    text
}

/// Who did what.
pub fn audit(audit: &AuditEntries) -> String {
    let rows = audit.entries.iter().map(|one| {
        [
            time(one.at),
            clean(&one.operator),
            clean(&one.address),
            clean(&one.result),
            span(one.took_ms),
            clean(&one.what),
        ]
    });
    let rows: Vec<_> = rows.collect();
    table(["AT", "OPERATOR", "FROM", "RESULT", "TOOK", "WHAT"], &rows)
}

/// A line of the log.
pub fn log_line(line: &LogLine) -> String {
    format!(
        "{} {:5} {}: {}\n",
        time(line.at),
        line.level.word().to_uppercase(),
        clean(&line.target),
        control::clean::shown_long(&line.text)
    )
}

/// What refusals mean.
pub fn explanations(all: &Explanations) -> String {
    if let [one] = all.refusals.as_slice() {
        return format!(
            "{} {}\n{}\n{}\n",
            clean(&one.code),
            clean(&one.title),
            clean(&one.cause),
            clean(&one.remedy)
        );
    }
    let rows: Vec<_> = all.refusals.iter().map(|one| [clean(&one.code), clean(&one.title)]).collect();
    table(["CODE", ""], &rows)
}

/// Which program this is.
pub fn version(version: &Version) -> String {
    facts(&[
        ("station", clean(&version.station)),
        ("enrolld", clean(&version.version)),
        ("enroll-shell", env!("CARGO_PKG_VERSION").to_owned()),
        ("kernel", clean(&version.kernel)),
        ("machine", clean(&version.machine)),
    ])
}

/// What the display shows, two pixels a character.
pub fn panel(panel: &Panel) -> String {
    let (width, height) = (pixels(panel.width), pixels(panel.height));
    let bytes = BASE64.decode(panel.pixels.as_bytes()).unwrap_or_default();
    let lit = |x: usize, y: usize| {
        let byte = bytes.get(y * width.div_ceil(8) + x / 8).copied().unwrap_or(0);
        y < height && byte & (0x80 >> (x % 8)) != 0
    };
    let edge: String = std::iter::repeat_n('\u{2500}', width).collect();
    let mut text = format!("\u{250c}{edge}\u{2510}\n");
    for y in (0..height).step_by(2) {
        text.push('\u{2502}');
        for x in 0..width {
            text.push(match (lit(x, y), lit(x, y + 1)) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            });
        }
        text.push_str("\u{2502}\n");
    }
    text.push_str(&format!("\u{2514}{edge}\u{2518}\n"));
    text.push_str(&format!("lamp: {}\n", clean(&panel.lamp)));
    text
}

/// The words on the display, where there is no room for its picture.
pub fn panel_words(panel: &Panel) -> String {
    let mut text: String = panel.words.iter().map(|line| format!("| {}\n", clean(line))).collect();
    text.push_str(&format!("lamp: {}\n", clean(&panel.lamp)));
    text
}

fn pixels(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0).min(256)
}

/// A software key.
pub fn sim_key(key: &SimKey) -> String {
    let place = key
        .port
        .as_deref()
        .map_or_else(|| "not plugged in".to_owned(), |port| format!("in port {}", clean(port)));
    format!("{} {} (firmware {}), {place}\n", clean(&key.kind), clean(&key.serial), clean(&key.firmware))
}

/// What a touch did.
pub fn touched(touched: &Touched) -> String {
    touched
        .typed
        .as_deref()
        .map_or_else(|| "Touched.\n".to_owned(), |typed| format!("Touched: it typed {}\n", clean(typed)))
}
