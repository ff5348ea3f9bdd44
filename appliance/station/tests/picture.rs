#![cfg(test)]
//! The picture of the states in docs/engine.md is made of the code's own table.
//!
//! `UPDATE_DOCS=1 cargo test -p station --test picture` draws it anew.

use std::fmt::Write;
use std::path::Path;

use station::engine::record::State;

const BEGIN: &str = "<!-- states: drawn by appliance/station/tests/picture.rs -->\n";
const END: &str = "<!-- end of states -->\n";

fn picture() -> String {
    let mut text = String::from("```mermaid\nstateDiagram-v2\n    [*] --> planned\n");
    for from in State::ALL {
        for to in from.successors() {
            writeln!(text, "    {} --> {}", from.word(), to.word()).unwrap();
        }
        if from.is_final() {
            writeln!(text, "    {} --> [*]", from.word()).unwrap();
        }
    }
    text + "```\n"
}

#[test]
fn the_picture_of_the_states_is_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/engine.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the picture");
    let (_, after) = rest.split_once(END).expect("the place for the picture ends");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", picture());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert!(page == wanted, "docs/engine.md is stale: UPDATE_DOCS=1 cargo test -p station --test picture");
}
