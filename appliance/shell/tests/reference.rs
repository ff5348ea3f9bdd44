//! The reference in `docs/shell.md` is what the command table says. `BLESS=1` writes it.

#![cfg(test)]

use shell::command::reference::{BEGIN, reference};

#[test]
fn the_page_says_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/shell.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (head, _) = page.split_once(BEGIN).expect("the page has a place for the reference");
    let wanted = format!("{head}{}", reference());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, wanted).unwrap();
    } else {
        assert!(page == wanted, "docs/shell.md is out of date: run scripts/bless-shell");
    }
}
