//! `enrollment.toml`, with whatever an editor made of it.
#![no_main]

use std::io;

use enrolld::config::{Files, read_bytes};
use zeroize::Zeroizing;

struct Nothing;

impl Files for Nothing {
    fn read(&self, _: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let (text, parsed) = read_bytes(file, &Nothing);
    for problem in parsed.problems {
        let line = problem.place.map_or(1, |(line, _)| line);
        assert!((1..=text.matches('\n').count() + 1).contains(&line), "it is in the file");
        assert!(problem.line("x").len() > "x: ".len() && !problem.remedy.is_empty(), "it says what to do");
    }
});
