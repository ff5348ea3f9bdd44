//! A receipt log, and an audit, line by line, from its first to wherever it breaks.
#![no_main]

use station::papers::receipt::{Book, Chain};

libfuzzer_sys::fuzz_target!(|log: &[u8]| {
    let log = String::from_utf8_lossy(log);
    for book in [Book::Receipts, Book::Audit] {
        let mut chain = Chain::of(book);
        let _ = log.lines().try_for_each(|line| chain.push(line, |_, _| true, |_, _, _| true).map(drop));
    }
});
