//! The table of the old client's faults: every test that it names is there, and no case is left out.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

const TABLE: &str = "docs/old-client.md";
const CASES: &str = "appliance/sim/tests/contract/cases/old_client.rs";

fn read(path: &str) -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Number, fault, and the tests with their files.
type Row<'a> = (usize, &'a str, Vec<(&'a str, &'a str)>);

fn rows(table: &str) -> Vec<Row<'_>> {
    table.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row<'_>> {
    let cells: Vec<&str> = line.trim().strip_prefix('|')?.strip_suffix('|')?.split('|').collect();
    let [number, fault, tests] = cells[..] else { return None };
    let number = number.trim().parse().ok()?;
    let tests = tests.split("<br>").map(|test| {
        let parts = test.trim().strip_prefix('`').and_then(|test| test.split_once("`: "));
        parts.unwrap_or_else(|| panic!("{test}: no file, or no test"))
    });
    Some((number, fault.trim(), tests.collect()))
}

#[test]
fn every_fault_has_a_test_that_exists() {
    let table = read(TABLE);
    let rows = rows(&table);
    assert!(rows.len() > 30, "the table has {} rows", rows.len());
    for (at, (number, fault, tests)) in rows.iter().enumerate() {
        assert_eq!(*number, at + 1, "{fault}");
        assert!(!tests.is_empty(), "{fault}");
        for (file, name) in tests {
            let text = read(file);
            let there = match name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) {
                // A test of Rust's own.
                Some(function) => text.contains(&format!("fn {function}()")),
                // A case of the contract, which has the name of its room before it; or a word of a script.
                None if file.ends_with(".rs") => {
                    text.contains(&format!("\"{name}\"")) || text.contains(&format!(" / {name}\""))
                }
                None => text.contains(name),
            };
            assert!(there, "{number}: {file} has no test named {name}");
        }
    }
}

#[test]
fn every_case_that_is_made_for_a_fault_is_in_the_table() {
    let (table, cases) = (read(TABLE), read(CASES));
    let named = |mark: &str| -> Vec<String> {
        let after = cases.split(mark).skip(1);
        after.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
    };
    let names = [named("plan(\""), named("\"old client / ")].concat();
    assert!(names.len() > 12, "{names:?}");
    for name in names.iter().filter(|name| !name.contains('{')) {
        assert!(table.contains(&format!("`{CASES}`: {name}")), "{name} is not in {TABLE}");
    }
}
