//! The program with sealed files: what it prints, what it refuses, and what it writes down.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use rand::SeedableRng;
use rand::rngs::StdRng;
use seal::Recipients;
use station_open::{Arguments, run};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../seal/tests/keys");

fn sealed(plain: &str, seed: u64) -> String {
    let public = fs::read_to_string(Path::new(KEYS).join("id_ed25519.pub")).unwrap();
    let recipients = Recipients::parse([public.as_str()]).unwrap();
    String::from_utf8(recipients.seal(plain.as_bytes(), &mut StdRng::seed_from_u64(seed)).unwrap()).unwrap()
}

fn pin(token: &str, key: &str, user: &str, pin: &str) -> String {
    format!(
        "token,key,slot,user,realm,access code,admin pin,pin\r\n{token},{key},1,{user},office,,,{pin}\r\n"
    )
}

/// A directory with the sealed file of a run of two people.
fn run_of_two() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let one = sealed(&pin("UBOM1_1", "1", "lcapek", "4711"), 1);
    let two = sealed(&pin("UBOM2_1", "2", "omega", "0815"), 2);
    let path = directory.path().join("hq.sealed");
    fs::write(&path, format!("# UBOM1_1.pin\n{one}\n# UBOM2_1.pin\n{two}")).unwrap();
    (directory, path)
}

fn asked(file: &Path, more: &[&str]) -> Result<String, String> {
    let directory = file.parent().unwrap().display().to_string();
    let (key, log) = (format!("{KEYS}/id_ed25519"), format!("{directory}/printed.log"));
    let file = file.display().to_string();
    let mut words = vec!["station-open", &file, "-i", &key, "--log", &log];
    words.extend(more);
    run(&Arguments::try_parse_from(words).unwrap()).map_err(|problem| problem.to_string())
}

#[test]
fn one_file_of_a_run_becomes_a_table_and_letters() {
    let (directory, file) = run_of_two();
    let said = asked(&file, &[]).unwrap();
    assert!(said.contains("table of 2 people") && said.contains("delete it"), "{said}");
    let text = fs::read_to_string(directory.path().join("hq-table.csv")).unwrap();
    assert!(text.contains("lcapek,office,lcapek,UBOM1_1,1,1,,\"\",\"\",\"4711\",\"\"\r\n"), "{text}");
    let people = directory.path().join("list.csv");
    fs::write(&people, "user;name\nlcapek;Łukasz Čapek\nomega;Ωμέγα\n").unwrap();
    for form in ["letters", "handout", "labels", "zpl"] {
        asked(&file, &["--form", form, "--people", people.to_str().unwrap(), "--language", "de"]).unwrap();
    }
    for form in ["letters", "handout", "labels"] {
        let pdf = fs::read(directory.path().join(format!("hq-{form}.pdf"))).unwrap();
        assert!(pdf.starts_with(b"%PDF-"), "{form}");
    }
    let zpl = fs::read_to_string(directory.path().join("hq-zpl.zpl")).unwrap();
    assert!(zpl.contains("^FDŁukasz Čapek^FS") && !zpl.contains("4711"), "{zpl}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(directory.path().join("hq-table.csv")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn printing_again_is_said_and_written_down_without_a_secret() {
    let (directory, file) = run_of_two();
    let first = asked(&file, &["--form", "letters"]).unwrap();
    assert!(!first.contains("again"), "{first}");
    let refused = asked(&file, &["--form", "letters"]).unwrap_err();
    assert!(refused.contains("hq-letters.pdf"), "{refused}");
    let again = asked(&file, &["--form", "letters", "--force"]).unwrap();
    assert!(again.contains("2 of them are printed again"), "{again}");
    let log = fs::read_to_string(directory.path().join("printed.log")).unwrap();
    assert!(
        log.contains(" letters UBOM1_1 lcapek@office first\n") && log.ends_with("omega@office again\n"),
        "{log}"
    );
    assert!(!log.contains("4711"));
}

#[test]
fn who_cannot_be_printed_is_named_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("one.age");
    fs::write(&file, sealed(&pin("UBOM1_1", "1", "محمد", "4711"), 3)).unwrap();
    let error = asked(&file, &["--form", "letters"]).unwrap_err();
    assert!(error.starts_with("محمد@office: ") && error.ends_with("nothing was written"), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    // A table has every letter there is.
    asked(&file, &["--form", "table"]).unwrap();
}

#[test]
fn other_keys_and_other_files_are_refused() {
    let (directory, file) = run_of_two();
    let other = format!("{KEYS}/age.key");
    let words = ["station-open", file.to_str().unwrap(), "-i", &other];
    let error = run(&Arguments::try_parse_from(words).unwrap()).unwrap_err().to_string();
    assert!(error.contains("sealed for other keys"), "{error}");
    let public = format!("{KEYS}/id_ed25519.pub");
    let words = ["station-open", file.to_str().unwrap(), "-i", &public];
    let error = run(&Arguments::try_parse_from(words).unwrap()).unwrap_err().to_string();
    assert!(error.contains("without .pub"), "{error}");
    let token = directory.path().join("token.age");
    fs::write(&token, sealed("UBOM1_1, 3131, hotp, 6, 0\n", 4)).unwrap();
    assert!(asked(&token, &[]).unwrap_err().contains("token to be imported"));
    let codes = directory.path().join("codes.age");
    fs::write(
        &codes,
        sealed("token,key,slot,user,realm,access code,admin pin,pin\r\nUBOM1_1,1,1,a,o,0a,,\r\n", 5),
    )
    .unwrap();
    assert!(asked(&codes, &["--form", "letters"]).unwrap_err().contains("there is no letter"));
}
