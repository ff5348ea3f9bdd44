//! Keys, profiles, enrollments.

use control::types::{
    Ending, Event, EventKind, Finger, Finished, Key, KeyDetails, Keys, Order, Outcome, Port, Profile,
    ProfileFit, Profiles, Verification,
};

use super::{clean, clean_lines, facts, number, or_dash, span, table, time};

fn name(key: &Key) -> String {
    format!(
        "{} {}",
        clean(&key.model),
        key.serial.as_deref().map_or_else(|| "(serial hidden)".to_owned(), clean)
    )
}

fn slots(key: &Key) -> String {
    let slots = key.slots.iter().map(|slot| {
        let kind = slot.kind.as_deref().map(|kind| format!("{} ", clean(kind))).unwrap_or_default();
        let token = slot.token.as_deref().map(|token| format!(" {}", clean(token))).unwrap_or_default();
        format!("{kind}{}: {}{token}", slot.slot, slot.content)
    });
    slots.collect::<Vec<_>>().join(", ")
}

/// An order that waits.
pub fn order(order: &Order) -> String {
    let key =
        order.key.as_deref().map_or_else(|| "the next key".to_owned(), |key| format!("key {}", clean(key)));
    let until = order.until.map(|until| format!(" until {}", time(until))).unwrap_or_default();
    format!("Order {} is for {key} and waits{until}. status shows it, cancel ends it.\n", order.ticket)
}

/// An order in a few words.
pub(crate) fn order_words(order: &Order) -> String {
    let key =
        order.key.as_deref().map_or_else(|| "the next key".to_owned(), |key| format!("key {}", clean(key)));
    let person = order.person.as_deref().map(|person| format!(" for {}", clean(person))).unwrap_or_default();
    format!("{} {key}{person}", clean(&order.what))
}

/// The orders that wait, as a table; nothing when there are none.
pub(crate) fn orders(orders: &[Order]) -> String {
    if orders.is_empty() {
        return String::new();
    }
    let rows = orders.iter().map(|one| {
        [
            clean(&one.what),
            one.key.as_deref().map_or_else(|| "the next".to_owned(), clean),
            or_dash(one.person.as_deref()),
            or_dash(one.profile.as_deref()),
            clean(&one.operator) + if one.detached { ", detached" } else { "" },
            time(one.since),
            one.until.map_or_else(|| "-".to_owned(), time),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let head = ["ORDER", "KEY", "USER", "PROFILE", "BY", "SINCE", "UNTIL"];
    format!("\nOrders that wait (cancel ends them):\n{}", table(head, &rows))
}

/// The keys that are plugged in.
pub fn keys(keys: &Keys) -> String {
    if keys.keys.is_empty() {
        return format!("No key is plugged in.\n{}", orders(&keys.orders));
    }
    let rows = keys.keys.iter().map(|key| {
        [
            or_dash(key.port.as_deref()),
            or_dash(key.serial.as_deref()),
            clean(&key.model),
            clean(&key.firmware),
            slots(key),
        ]
    });
    let rows: Vec<_> = rows.collect();
    table(["PORT", "SERIAL", "MODEL", "FIRMWARE", "SLOTS"], &rows) + &orders(&keys.orders)
}

/// A key and its history.
pub fn key(details: &KeyDetails) -> String {
    let mut text = match &details.key {
        Some(key) => facts(&[
            ("key", name(key)),
            ("firmware", clean(&key.firmware)),
            ("port", or_dash(key.port.as_deref())),
            ("slots", slots(key).replace(", ", "\n")),
            ("profiles", details.profiles.iter().map(|name| clean(name)).collect::<Vec<_>>().join(", ")),
        ]),
        None => "It is not plugged in.\n".to_owned(),
    };
    if details.enrollments.is_empty() {
        text.push_str("This station has not enrolled it.\n");
        return text;
    }
    let rows = details.enrollments.iter().map(|one| {
        [
            time(one.at),
            clean(&one.state),
            clean(&one.token),
            one.slot.to_string(),
            clean(&one.profile),
            or_dash(one.person.as_deref()),
            clean(&one.operator),
            or_dash(one.reason.as_deref()),
        ]
    });
    let rows: Vec<_> = rows.collect();
    text.push('\n');
    text + &table(["SINCE", "STATE", "TOKEN", "SLOT", "PROFILE", "USER", "OPERATOR", "REASON"], &rows)
}

pub fn profiles(profiles: &Profiles) -> String {
    if profiles.profiles.is_empty() {
        return "There is no profile. The configuration names them, as [profile.NAME].\n".to_owned();
    }
    let rows = profiles.profiles.iter().map(|one| {
        [
            clean(&one.name),
            clean(&one.kind),
            one.slot.to_string(),
            one.digits.to_string(),
            or_dash(one.realm.as_deref()),
            clean(&one.overwrite),
            clean(&one.matches),
        ]
    });
    let rows: Vec<_> = rows.collect();
    table(["PROFILE", "TYPE", "SLOT", "DIGITS", "REALM", "OVERWRITES", "FOR"], &rows)
}

/// One profile.
pub fn profile(profile: &Profile) -> String {
    format!("{}\n", clean_lines(&profile.toml))
}

/// Whether a profile fits.
pub fn profile_fit(fit: &ProfileFit) -> String {
    let mut text = match (&fit.refusal, &fit.key) {
        (Some(refusal), _) => super::refusal(refusal),
        (None, Some(key)) => {
            format!("{} fits key {}: it would be enrolled.\n", clean(&fit.profile), clean(key))
        }
        (None, None) => format!("{} is sound. No key is plugged in to try it on.\n", clean(&fit.profile)),
    };
    text.push_str(&facts(&[
        ("token", fit.token.as_deref().map(clean).unwrap_or_default()),
        ("slot", fit.slot.as_deref().map(clean).unwrap_or_default()),
        ("proof", fit.proof.as_deref().map(clean).unwrap_or_default()),
        ("server", fit.server.as_deref().map(clean).unwrap_or_default()),
        (
            "before",
            fit.unsettled
                .iter()
                .map(|token| format!("{} is put right", clean(token)))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        ("note", fit.warnings.iter().map(|warning| clean(warning)).collect::<Vec<_>>().join("\n")),
    ]));
    if !fit.rights_missing.is_empty() {
        let rights: Vec<_> = fit.rights_missing.iter().map(|right| clean(right)).collect();
        text.push_str(&format!("At the server these rights are missing: {}\n", rights.join(", ")));
    }
    text
}

/// How an enrollment ended.
pub fn outcome(outcome: &Outcome) -> String {
    let key =
        outcome.key.as_deref().map_or_else(|| "The key".to_owned(), |key| format!("Key {}", clean(key)));
    let token = outcome.token.as_deref().map(|token| format!(" as {}", clean(token))).unwrap_or_default();
    let person =
        outcome.person.as_deref().map(|person| format!(" for {}", clean(person))).unwrap_or_default();
    let mut text = match outcome.ending {
        Ending::Enrolled => format!("{key} is enrolled{token}{person} ({}).\n", span(outcome.took_ms)),
        Ending::Released => format!("{key} is released: its token is deleted and its slot erased.\n"),
        Ending::Refused => format!("{key} was refused; nothing was changed.\n"),
        Ending::Undone => {
            "The enrollment was undone: there is no token, and what was written is erased.\n".to_owned()
        }
        Ending::Quarantined => {
            format!("{key} is quarantined: there is no token, but its slot may hold a worthless secret.\n")
        }
        Ending::Postponed => {
            "Something is left to be done, and the station does it by itself as soon as it can.\n".to_owned()
        }
    };
    let enrolled = outcome.ending == Ending::Enrolled;
    if let Some(gone) = &outcome.gone {
        let what = if enrolled { "It took the place of" } else { "Gone for good, and not to be had back:" };
        text.push_str(&format!("{what} {}.\n", finished(gone)));
    }
    if let Some(public_id) = &outcome.given_up {
        let what = if enrolled { "Given up:" } else { "Gone for good, and not to be had back:" };
        let public_id = clean(public_id);
        text.push_str(&format!("{what} the Yubico OTP {public_id} with which the key was sold.\n"));
    }
    if let Some(refusal) = &outcome.refusal {
        text.push_str(&super::refusal(refusal));
    }
    text
}

/// A finished enrollment, by its token, whose it is, and since when.
fn finished(finished: &Finished) -> String {
    let of = finished.person.as_deref().map(|person| format!(" of {}", clean(person))).unwrap_or_default();
    format!("token {}{of}, proven {}", clean(&finished.token), time(finished.proven))
}

/// What an operator has to know before a finished enrollment is replaced; `person` is whom the new one is for.
pub fn before_replacing(outcome: &Outcome, earlier: &Finished, person: Option<&str>) -> String {
    let key =
        outcome.key.as_deref().map_or_else(|| "This key".to_owned(), |key| format!("Key {}", clean(key)));
    let whose =
        earlier.person.as_deref().map_or_else(|| "its".to_owned(), |whose| format!("{}'s", clean(whose)));
    let wanted = person.map_or_else(|| "the new token".to_owned(), clean);
    format!(
        "{key} is enrolled: {}.\n\
         If it is replaced, that token is deleted, and does not come back. Before, the station tries with a token that\n\
         never counts whether the server takes the new one. That does not show a limit that {whose} own token fills\n\
         as long as it is there, nor what changes meanwhile, and the key has still to be touched:\n\
         if the server refuses {wanted} then, or nobody touches the key, {whose} token is gone all the same.\n",
        finished(earlier)
    )
}

/// What came of verifying.
pub fn verification(verification: &Verification) -> String {
    let mut text = if verification.accepted {
        format!(
            "Key {} answers, and the server accepts it as {}.\n",
            clean(&verification.key),
            clean(&verification.token)
        )
    } else {
        format!("Key {} is not accepted as {}.\n", clean(&verification.key), clean(&verification.token))
    };
    if let Some(words) = &verification.text {
        text.push_str(&format!("{}\n", clean(words)));
    }
    if let Some(refusal) = &verification.refusal {
        text.push_str(&super::refusal(refusal));
    }
    text
}

/// What an operator is told while something is done; nothing for what only machines care for.
pub fn progress(event: &Event) -> Option<String> {
    let port = event.port.as_deref().map(|port| format!("[{}] ", clean(port))).unwrap_or_default();
    let text = match event.kind {
        EventKind::Accepted if event.port.is_none() => {
            let order = event.orders.as_ref().and_then(|orders| orders.first());
            match order.and_then(|order| order.key.as_deref()) {
                Some(key) => format!("Waiting for key {}: plug it in.", clean(key)),
                None => "Waiting for a key: plug it in.".to_owned(),
            }
        }
        EventKind::Orders => match event.orders.as_deref()? {
            [] => "No order waits any more.".to_owned(),
            orders => {
                let orders: Vec<_> = orders.iter().map(order_words).collect();
                format!("Waiting: {}.", orders.join("; "))
            }
        },
        EventKind::Arrived => {
            format!("{} is plugged in.", event.key.as_ref().map_or_else(|| "A key".to_owned(), name))
        }
        EventKind::Left => "The key is gone.".to_owned(),
        EventKind::Stranger => format!("Something else is plugged in: {}", or_dash(event.text.as_deref())),
        EventKind::Phase => format!("{} ...", or_dash(event.phase.as_deref())),
        EventKind::Touch => {
            let touch = event.touch.as_ref()?;
            let how = match touch.finger {
                Finger::Short => "Touch the key shortly.",
                Finger::Long => "Touch the key for two seconds.",
                Finger::Confirm => "Touch the key: it blinks.",
            };
            let again = if touch.attempt > 1 {
                format!(" (attempt {} of {})", touch.attempt, touch.attempts)
            } else {
                String::new()
            };
            let torn = if touch.torn.is_some() {
                " The last code did not arrive whole; if that goes on, use another port, or a Pi 4."
            } else {
                ""
            };
            format!("{how}{again}{torn}")
        }
        EventKind::Step => format!(
            "{}: {}",
            clean(&event.step.as_ref()?.step),
            clean(event.step.as_ref()?.trouble.as_deref()?)
        ),
        EventKind::Note => clean(event.text.as_deref()?),
        EventKind::Missed => format!("{} events were missed.", number(event.missed)),
        _ => return None,
    };
    Some(format!("{port}{text}\n"))
}

/// A port on one line.
pub fn port(port: &Port) -> [String; 4] {
    let place =
        port.number.map_or_else(|| clean(&port.port), |number| format!("{number} ({})", clean(&port.port)));
    let what = match (&port.outcome, &port.phase, &port.text) {
        (Some(outcome), None, _) => {
            let code = outcome
                .refusal
                .as_ref()
                .map(|refusal| format!(" {}", clean(&refusal.code)))
                .unwrap_or_default();
            format!("{}{code} {}", outcome.ending, or_dash(outcome.token.as_deref()))
        }
        (_, Some(phase), _) => clean(phase),
        (None, None, Some(text)) => clean(text),
        (None, None, None) => String::new(),
    };
    [place, port.key.as_ref().map_or_else(|| "-".to_owned(), name), port.activity.to_string(), what]
}
