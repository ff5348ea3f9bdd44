//! Tokens.

use control::types::{Token, Tokens};

use super::{clean, facts, number, or_dash, table};

fn state(token: &Token) -> String {
    let mut words = vec![if token.active { "enabled" } else { "disabled" }];
    words.extend(token.revoked.then_some("revoked"));
    words.extend(token.locked.then_some("locked"));
    words.extend(token.unverified.then_some("unverified"));
    words.join(", ")
}

pub fn token(token: &Token) -> String {
    let failures = match (token.failures, token.most_failures) {
        (Some(failures), Some(most)) => format!("{failures} of {most}"),
        (failures, _) => failures.map(|failures| failures.to_string()).unwrap_or_default(),
    };
    let mut text = facts(&[
        ("token", clean(&token.serial)),
        ("type", clean(&token.kind)),
        ("state", state(token)),
        ("user", or_dash(token.person.as_deref())),
        ("realms", token.realms.iter().map(|realm| clean(realm)).collect::<Vec<_>>().join(", ")),
        ("description", clean(&token.description)),
        ("digits", token.digits.map(|digits| digits.to_string()).unwrap_or_default()),
        ("counter", token.counter.map(|counter| counter.to_string()).unwrap_or_default()),
        ("failures", failures),
    ]);
    for (name, value) in &token.info {
        text.push_str(&format!("  {} = {}\n", clean(name), clean(value)));
    }
    text
}

pub fn tokens(tokens: &Tokens) -> String {
    if tokens.tokens.is_empty() {
        return "There is no such token.\n".to_owned();
    }
    let rows = tokens.tokens.iter().map(|one| {
        [
            clean(&one.serial),
            clean(&one.kind),
            state(one),
            or_dash(one.person.as_deref()),
            number(one.failures),
            clean(&one.description),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let more = tokens.total - i64::try_from(rows.len()).unwrap_or(tokens.total);
    let mut text = table(["TOKEN", "TYPE", "STATE", "USER", "FAILURES", "DESCRIPTION"], &rows);
    if more > 0 {
        text.push_str(&format!("({} in all; --page shows others)\n", tokens.total));
    }
    text
}
