//! Whatever a server, a key, a directory or another operator has written somewhere: no answer prints it so that it
//! could deceive, and no JSON loses it. Every answer is filled with hostile text wherever it has text.

#![cfg(test)]

use control::clean::{hidden, json};
use control::shape::{Body, Described, Shape};
use control::types::*;
use shell::render;

/// Controls of both ranges, marks of direction, line separators, what has no width, a tag, a long tail.
const HOSTILE: &str = "x\u{1b}[2J\u{9b}31m\r\u{7}\u{61c}\u{200b}\u{200e}\u{2028}\u{202e}\u{2066}\u{feff}\u{e0041}\u{ad}\n\\u{200b}";

fn text(long: bool) -> String {
    HOSTILE.to_owned() + &"y".repeat(if long { 158_000 } else { 0 })
}

/// A value of that form, with hostile text wherever there is text.
fn value(shape: &Shape, long: bool) -> serde_json::Value {
    match shape {
        Shape::Bool => true.into(),
        Shape::Int => 3.into(),
        Shape::Text => text(long).into(),
        Shape::Time => "2026-11-21T22:38:30Z".into(),
        Shape::Secret => "eA==".into(),
        Shape::Any => serde_json::json!({ text(false): text(false) }),
        Shape::Optional(inner) => value(inner, long),
        Shape::List(inner) => vec![value(inner, long), value(inner, false)].into(),
        Shape::Map(inner) => serde_json::json!({ text(false): value(inner, false) }),
        Shape::Named(_, definition) => match definition().body {
            Body::Struct(members) => {
                members.iter().map(|member| (member.name.to_owned(), value(&member.shape, long))).collect()
            }
            Body::Enum(words) => words.first().unwrap().name.into(),
        },
    }
}

/// How an answer looks, once with short text and once with a name of 158 kB in it.
fn look<T: Described + serde::Serialize + for<'a> serde::Deserialize<'a>>(
    name: &str,
    render: impl Fn(&T) -> String,
) {
    for long in [false, true] {
        let value: T =
            serde_json::from_value(value(&T::shape(), long)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let shown = render(&value);
        let bad: Vec<char> = shown.chars().filter(|c| *c != '\n' && hidden(*c)).collect();
        assert!(bad.is_empty(), "{name}: {bad:?} in {shown:.2000}");
        assert!(shown.len() < 200_000, "{name} is {} long", shown.len());
        let plain = serde_json::to_string(&value).unwrap();
        let escaped = json(&plain);
        assert!(escaped.chars().all(|c| !hidden(c)), "{name}");
        let same: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(same, serde_json::from_str::<serde_json::Value>(&plain).unwrap(), "{name}");
    }
}

#[test]
fn no_answer_deceives_and_none_is_endless() {
    look("keys", render::keys);
    look("order", render::order);
    look("sessions", render::sessions);
    look("replacing", |finished: &Finished| {
        let outcome = serde_json::from_value(value(&Outcome::shape(), true)).unwrap();
        render::before_replacing(&outcome, finished, Some(&text(true)))
    });
    look("software key", render::sim_key);
    look("touched", render::touched);
    look("key", render::key);
    look("profiles", render::profiles);
    look("profile", render::profile);
    look("profile check", render::profile_fit);
    look("outcome", render::outcome);
    look("verification", render::verification);
    look("event", |event: &Event| render::progress(event).unwrap_or_default());
    look("port", |port: &Port| render::port(port).join(" "));
    look("refusal", render::refusal);
    look("phone", render::phone);
    look("registration", render::registration);
    look("sealed", render::sealed);
    look("welcome", render::welcome);
    look("handled", |handled: &KeyHandled| render::handled(handled, "done"));
    look("counts", render::counts);
    look("run line", render::run_line);
    look("run", render::run);
    look("receipts", render::receipts);
    look("receipt", render::receipt);
    look("verdict", |verdict: &ReceiptVerdict| render::verdict(verdict, "receipts"));
    look("server", render::server);
    look("people", render::people);
    look("status", render::status);
    look("configuration", render::configuration);
    look("problems", render::problems);
    look("operators", render::operators);
    look("sessions", render::sessions);
    look("audit", render::audit);
    look("log line", render::log_line);
    look("explanations", render::explanations);
    look("version", render::version);
    look("panel", render::panel_words);
    look("token", render::token);
    look("tokens", render::tokens);
}

/// Whoever adds a way to print an answer adds it above.
#[test]
fn every_way_to_print_an_answer_is_looked_at() {
    let tried = include_str!("deceive.rs");
    let rooms = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render");
    let mut seen = 0;
    for room in std::fs::read_dir(rooms).unwrap() {
        let source = std::fs::read_to_string(room.unwrap().path()).unwrap();
        for name in source.lines().filter_map(|line| line.strip_prefix("pub fn ")?.split('(').next()) {
            // Two draw pixels, and what they say in words is looked at as well.
            if !["half_blocks", "panel"].contains(&name) {
                assert!(tried.contains(&format!("render::{name}")), "{name} is not looked at");
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen}");
}
