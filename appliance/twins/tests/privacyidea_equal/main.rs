//! The server twin against the real servers.
//!
//! Every scenario is a list of requests that steps on one or more traps of the
//! API. It runs against the twin, and what the twin answers must equal what the
//! real server answered when it was recorded: status, error code, and every
//! field that is not a clock, a signature or a picture. Texts of errors are the
//! exception: they are translated and change between versions, so no client may
//! read them.
//!
//! The recordings are `recorded/<version>.json`. `scripts/record-server` makes
//! them anew from real servers. With `ENROLLMENT_REAL_SERVERS="3.14 3.9.3"` the
//! scenarios run against real servers of these versions as well, and what those
//! answer must equal the recordings too.

#![cfg(test)]
#![allow(clippy::string_slice)]

mod logins;
mod normal;
mod otp;
mod real;
mod scenarios;
mod script;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use twins::privacyidea::Version;

use script::{Exchange, Script, Server, TwinServer};

type Recording = BTreeMap<String, Vec<Exchange>>;

fn play(server: &mut dyn Server, version: Version, after_each: impl Fn(&Recording)) -> Recording {
    let mut recording = Recording::new();
    let only = std::env::var("ENROLLMENT_SCENARIO").ok();
    for part in scenarios::all(version) {
        if only.as_deref().is_some_and(|only| !part.name.contains(only)) {
            continue;
        }
        println!("{}", part.name);
        let mut script = Script::new(server, version);
        if part.with_rights {
            script.policy("admin-rights");
        }
        (part.play)(&mut script);
        recording.insert(part.name, script.finish());
        after_each(&recording);
    }
    recording
}

fn file(version: Version) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/privacyidea_equal/recorded");
    folder.join(format!("{}.json", version.name()))
}

/// One exchange a line, so that a change of behaviour is a readable diff.
/// Scenarios that were not played keep what was recorded before.
fn write(recording: &Recording, version: Version) {
    let mut all = if file(version).exists() { read(version) } else { Recording::new() };
    let known: Vec<String> = scenarios::all(version).into_iter().map(|part| part.name).collect();
    all.retain(|name, _| known.contains(name) && !recording.contains_key(name));
    let mut every: BTreeMap<&String, &Vec<Exchange>> = all.iter().collect();
    every.extend(recording);
    let scenarios = every.into_iter().map(|(name, exchanges)| {
        let lines = exchanges.iter().map(|e| serde_json::to_string(&e.to_json()).unwrap());
        format!("{}: [\n{}\n]", Value::from(name.as_str()), lines.collect::<Vec<_>>().join(",\n"))
    });
    let text = format!("{{\n{}\n}}\n", scenarios.collect::<Vec<_>>().join(",\n"));
    std::fs::write(file(version), text).unwrap();
}

fn read(version: Version) -> Recording {
    let text = std::fs::read_to_string(file(version)).unwrap_or_else(|error| {
        panic!("{}: {error}; scripts/record-server makes it", file(version).display())
    });
    let all: BTreeMap<String, Vec<Value>> = serde_json::from_str(&text).unwrap();
    all.into_iter().map(|(name, list)| (name, list.iter().map(Exchange::from_json).collect())).collect()
}

/// What differs, one paragraph a difference.
fn differences(expected: &Recording, found: &Recording) -> Vec<String> {
    let mut all = Vec::new();
    for (name, answers) in found {
        let Some(wanted) = expected.get(name) else {
            all.push(format!("{name}: not in the recording"));
            continue;
        };
        for (step, (want, have)) in wanted.iter().zip(answers).enumerate() {
            if want.request != have.request {
                all.push(format!(
                    "{name}[{step}]: recorded another request:\n  {}\n  {}",
                    want.request, have.request
                ));
                break;
            }
            if want.status != have.status {
                all.push(format!(
                    "{name}[{step}] {}\n  status {} instead of {}\n  want {}\n  have {}",
                    have.request, have.status, want.status, want.body, have.body
                ));
                continue;
            }
            let mut paths = Vec::new();
            normal::compare("", &want.body, &have.body, &mut paths);
            if !paths.is_empty() {
                all.push(format!("{name}[{step}] {}\n  {}", have.request, paths.join("\n  ")));
            }
        }
        if wanted.len() != answers.len() {
            all.push(format!("{name}: {} steps instead of {}", answers.len(), wanted.len()));
        }
    }
    all
}

fn equal(version: Version) {
    let twin = play(&mut TwinServer::new(version), version, |_| {});
    let expected = read(version);
    let found = differences(&expected, &twin);
    assert!(found.is_empty(), "{} differs from the real server:\n{}", version.text(), found.join("\n"));
}

#[test]
fn twin_is_privacyidea_3_14() {
    equal(Version::V3_14);
}

#[test]
fn twin_is_privacyidea_3_13_4() {
    equal(Version::V3_13_4);
}

#[test]
fn twin_is_privacyidea_3_9_3() {
    equal(Version::V3_9_3);
}

#[test]
fn twin_is_edumfa_2_9_5() {
    equal(Version::EduMfa2_9_5);
}

/// Does nothing unless `ENROLLMENT_REAL_SERVERS` names versions, since a real
/// server has to be installed first.
#[test]
fn recordings_are_the_real_servers() {
    let versions = std::env::var("ENROLLMENT_REAL_SERVERS").unwrap_or_default();
    for name in versions.split_whitespace() {
        let version: Version = name.parse().unwrap();
        let record = std::env::var_os("ENROLLMENT_RECORD").is_some();
        let real = play(&mut real::RealServer::start(version), version, |so_far| {
            if record {
                write(so_far, version);
            }
        });
        let found = differences(&read(version), &real);
        assert!(found.is_empty(), "{name} is not what was recorded:\n{}", found.join("\n"));
    }
}
