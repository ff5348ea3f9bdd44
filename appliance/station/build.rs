//! Makes the texts of refusals from `refusals/*.toml`. A text that is missing, or one for a code that there is not,
//! is a compile error that names file and code.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::{env, fs};

use serde::Deserialize;

/// What stands in a file for each code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    title: String,
    cause: String,
    remedy: String,
}

/// The codes of `refusal.rs`, by their number: `    KeyUnknown = 1001,`.
fn codes(source: &str) -> BTreeMap<String, String> {
    let code = |line: &str| {
        let (name, number) = line.trim().strip_suffix(',')?.split_once(" = ")?;
        let is_code = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| (format!("E{number}"), name.to_owned()))
    };
    source.lines().filter_map(code).collect()
}

fn main() {
    println!("cargo::rerun-if-changed=refusals");
    println!("cargo::rerun-if-changed=src/refusal.rs");
    let source = fs::read_to_string("src/refusal.rs").unwrap_or_default();
    let mut rust = String::new();
    let mut wrong = Vec::new();
    for (language, file) in [("english", "refusals/en.toml"), ("german", "refusals/de.toml")] {
        let text = fs::read_to_string(file).unwrap_or_default();
        let mut texts: BTreeMap<String, Text> = match toml::from_str(&text) {
            Ok(texts) => texts,
            Err(error) => {
                wrong.push(format!("{file}: {error}"));
                continue;
            }
        };
        let _ = writeln!(rust, "const fn {language}(code: Code) -> Text {{ match code {{");
        for (code, name) in codes(&source) {
            match texts.remove(&code) {
                Some(Text { title, cause, remedy }) => {
                    let _ = writeln!(
                        rust,
                        "Code::{name} => Text {{ title: {title:?}, cause: {cause:?}, remedy: {remedy:?} }},"
                    );
                }
                None => wrong.push(format!("{file} has no text for {code}")),
            }
        }
        rust.push_str("}}\n");
        wrong.extend(texts.keys().map(|code| format!("{file}: there is no {code}")));
    }
    for line in &wrong {
        println!("cargo::error={line}");
    }
    let written = env::var("OUT_DIR").map(|out| fs::write(format!("{out}/refusals.rs"), rust));
    if !matches!(written, Ok(Ok(()))) {
        println!("cargo::error=the texts of refusals cannot be written");
    }
}
