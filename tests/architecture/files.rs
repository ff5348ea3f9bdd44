//! How the files of the repository are kept.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

/// The longest source file. One that grows beyond is usually two.
const LONGEST: usize = 500;

/// What pure crates may not name. The compiler for wasm32 accepts these, since the
/// standard library has stand-ins there that fail when called.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "println!",
];

/// Starts of paths that exist on one machine only. Written in two parts, or this
/// file would be the first to break its rule.
const MACHINES: &[(&str, &str)] = &[("/wo", "rk/"), ("/fa", "rm/"), ("/ro", "ot/"), ("/tm", "p/t-")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// Every file below `directory`, without what builds leave behind.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the directory can be read") {
        let entry = entry.expect("the directory can be read");
        let path = entry.path();
        let name = entry.file_name();
        // A build or an editor may be at work beside this test, so a file may vanish.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            let skipped = ["target", ".git", "artifacts", "corpus", "node_modules", "__pycache__", ".venv"];
            if !skipped.iter().any(|skip| name == *skip) {
                files(&path, found);
            }
        // In a second work tree `.git` is a file that names the first.
        } else if kind.is_file() && name != ".git" {
            found.push(path);
        }
    }
}

fn all_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&root(), &mut found);
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    let rust = all_files().into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let read: Vec<_> =
        rust.filter_map(|path| fs::read_to_string(&path).ok().map(|text| (path, text))).collect();
    assert!(!read.is_empty(), "no source file was found");
    read
}

/// The code of a line: what stands before a comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// A path as seen from the root of the repository.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn refuse(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_source_file_is_too_long() {
    let long: Vec<String> = sources()
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| format!("{} has {lines} lines; {LONGEST} are enough", shown(path)))
        .collect();
    refuse(&long);
}

#[test]
fn unsafe_code_stays_in_sys_modules() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let sys = path.components().any(|part| part.as_os_str() == "sys" || part.as_os_str() == "sys.rs");
        if sys || path.ends_with("tests/architecture/files.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let found =
                ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe(", "allow(unsafe_code"]
                    .iter()
                    .any(|form| code(line).contains(form));
            if found {
                wrong.push(format!("{}:{}: unsafe code belongs in a module `sys`", shown(&path), number + 1));
            }
        }
    }
    refuse(&wrong);
}

#[test]
fn the_pure_crates_name_nothing_that_does_io() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let pure = ["appliance/keys/src", "appliance/station/src"]
            .iter()
            .any(|room| path.starts_with(root().join(room)));
        if !pure || path.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        // Tests inside a file stand at its end.
        for (number, line) in text.lines().take_while(|line| *line != "#[cfg(test)]").enumerate() {
            for name in IMPURE.iter().filter(|name| code(line).contains(**name)) {
                wrong.push(format!("{}:{}: {name} is not for a crate without I/O", shown(&path), number + 1));
            }
        }
    }
    refuse(&wrong);
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    let mut wrong = Vec::new();
    for path in all_files() {
        // Pictures and other binary files are not text.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            for (one, two) in MACHINES {
                let place = format!("{one}{two}");
                // A path such as "$there/and/on" only looks like it.
                let mut before: Vec<&str> = line.split(&place).collect();
                before.pop();
                let absolute = before.iter().any(|text| {
                    !text.ends_with(|last: char| last.is_alphanumeric() || "_-.~$}>)".contains(last))
                });
                if absolute {
                    wrong.push(format!("{}:{}: names {place}", shown(&path), number + 1));
                }
            }
        }
    }
    refuse(&wrong);
}

/// docs/forms.md says which test holds each form. A test that was renamed or dropped holds nothing.
#[test]
fn every_form_that_outlives_a_release_is_held_by_a_test_that_there_is() {
    let page = root().join("docs/forms.md");
    let text = fs::read_to_string(&page).expect("the page is there");
    let mut held = 0;
    for row in text.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let by = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap_or_default();
        let mut names = Vec::new();
        for (number, part) in by.split('`').enumerate() {
            // Between backquotes is a name; behind some names, the file that has them.
            if number % 2 == 1 {
                names.push(part);
            } else if let Some((_, link)) = part.split_once("](../") {
                let file = link.split(')').next().unwrap_or_default();
                let source = fs::read_to_string(root().join(file)).expect(file);
                for name in names.drain(..).filter(|name| name.contains('_')) {
                    assert!(source.contains(&format!("fn {name}(")), "{file} has no test {name}");
                    held += 1;
                }
            }
        }
    }
    assert!(held >= 18, "{held} forms are held");
}

/// Promises of docs/hardening.md that no test holds, and why none does.
const UNTESTED: &[(&str, &str)] = &[
    (
        "no module or kernel from elsewhere",
        "what lockdown does is the kernel's; the card has nothing to try it with",
    ),
    ("a hanging system starts again", "an emulated watchdog restarts at once when it is set"),
];

/// What a name in the column of tests is the name of.
#[derive(Clone, Copy, PartialEq)]
enum Named {
    Test,
    Stage,
    Trial,
    Fuzz,
    Scenario,
}

impl Named {
    /// By the words before the name; a semicolon begins anew.
    fn by(self, words: &str) -> Self {
        let (begun, words) = match words.rsplit_once(';') {
            Some((_, words)) => (Self::Test, words),
            None => (self, words),
        };
        let kinds = [
            ("stage", Self::Stage),
            ("trial", Self::Trial),
            ("fuzz target", Self::Fuzz),
            ("scenario", Self::Scenario),
        ];
        let named = kinds.iter().filter_map(|(word, kind)| Some((words.rfind(word)?, *kind)));
        named.max_by_key(|(place, _)| *place).map_or(begun, |(_, kind)| kind)
    }
}

/// Whether a source has a test of that name.
fn has_test(source: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    let Some(place) = source.find(&head) else { return false };
    let before = source.get(..place).unwrap_or_default();
    before.lines().rev().take(4).any(|line| line.contains("#[test]") || line.contains("::test"))
}

/// What is wrong with a cell that names tests.
fn wrong_in(cell: &str, sources: &[(PathBuf, String)]) -> Vec<String> {
    let (mut wrong, mut names, mut kind) = (Vec::new(), Vec::new(), Named::Test);
    let found =
        |path: &str, text: &str| fs::read_to_string(root().join(path)).is_ok_and(|file| file.contains(text));
    for (number, part) in cell.split('`').enumerate() {
        if number % 2 == 0 {
            kind = kind.by(part);
            for link in part.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let file = root().join("docs").join(link);
                if !link.starts_with('#') && !file.exists() {
                    wrong.push(format!("{link} is not there"));
                }
                let source = fs::read_to_string(file).unwrap_or_default();
                for name in names.drain(..) {
                    if !has_test(&source, name) {
                        wrong.push(format!("{link} has no test {name}"));
                    }
                }
            }
            continue;
        }
        let fine = match kind {
            _ if part.starts_with("scripts/") => root().join(part.split(' ').next().unwrap_or(part)).exists(),
            Named::Stage => root().join("scripts/stage").join(part).exists(),
            Named::Trial => found("image/trial.py", &format!("\ndef {part}(")),
            Named::Scenario => found("scripts/guest.d/scenarios.py", &format!("\ndef {part}(")),
            Named::Fuzz => root().join("fuzz/src/bin").join(format!("{part}.rs")).exists(),
            Named::Test => {
                names.push(part);
                true
            }
        };
        if !fine {
            wrong.push(format!("{part} is not there"));
        }
    }
    // Named once more, without the file.
    for name in names {
        if !sources.iter().any(|(_, source)| has_test(source, name)) {
            wrong.push(format!("no file has a test {name}"));
        }
    }
    wrong
}

#[test]
fn every_promise_is_held_by_a_test_that_there_is() {
    let page = fs::read_to_string(root().join("docs/hardening.md")).expect("the page is there");
    let table = page.split("\n## ").find(|part| part.starts_with("Promises")).expect("it has a table");
    let (mut wrong, mut held, mut untested, sources) = (Vec::new(), 0, Vec::new(), sources());
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").map(str::trim).collect();
        let [promise, mechanism, tests] = cells.as_slice() else { panic!("three columns: {row}") };
        assert!(!mechanism.is_empty(), "{promise}: what keeps it?");
        if tests.starts_with("none") {
            untested.push(*promise);
            continue;
        }
        if !tests.contains('`') && !tests.contains("](") {
            wrong.push(format!("{promise}: no test is named"));
        }
        wrong.extend(wrong_in(tests, &sources).into_iter().map(|what| format!("{promise}: {what}")));
        held += 1;
    }
    refuse(&wrong);
    assert!(held >= 25, "{held} promises are held");
    assert_eq!(untested, UNTESTED.iter().map(|(promise, _)| *promise).collect::<Vec<_>>());

    // Names that there are not are found to be missing.
    for cell in [
        "`no_such_test`",
        "`no_such_test` ([enrolld](../appliance/enrolld/tests/walls/stolen.rs))",
        "`it_moves_no_secret_and_nobodys_rights` ([enrolld](../appliance/enrolld/tests/peers.rs))",
        "`it_moves_no_secret_and_nobodys_rights` ([enrolld](../appliance/enrolld/tests/walls/gone.rs))",
        "stage `gone`",
        "trials `decay`, `gone`",
        "fuzz target `gone`",
        "scenario `gone`",
        "`scripts/gone --now`",
    ] {
        assert!(!wrong_in(cell, &sources).is_empty(), "{cell}");
    }
}
