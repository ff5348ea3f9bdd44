//! The program `key-twin`, and the client that talks to it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use twins::key::{Interface, KeyTwin, Press, TwinError};
use twins::line::{LineKey, MAX_LINE};

use crate::host::{Config, Outcome, SERIAL, change, send, serial, status, text};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_key-twin"))
}

/// A program that serves a socket; ended with the test.
struct Served {
    child: Child,
    folder: TempDir,
}

impl Served {
    fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let mut command = program();
        command.arg("yubikey").args(arguments).arg("--listen").arg(folder.path().join("socket"));
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        let served = Self { child, folder };
        for _ in 0..500 {
            if served.path().exists() {
                return served;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no socket");
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("socket")
    }

    fn key(&self) -> LineKey {
        LineKey::connect(&self.path()).unwrap()
    }

    fn end(mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        assert!(!self.path().exists() || code.is_none());
        code
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_answers_lines_and_ends_with_its_input() {
    let mut child = program()
        .args(["yubikey", "--firmware", "5.4.3", "--serial", "12345678", "--slot1", "empty"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = b"GET_FEATURE\nTOUCH 1\nADVANCE 5\nIN\nnonsense\nPOWER\nSET_FEATURE 00\n";
    child.stdin.take().unwrap().write_all(lines).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<_> = answers.lines().collect();
    assert_eq!(answers[..3], ["0005040300000500", "REPORTS", "OK"]);
    assert!(answers[3].starts_with("ERR no-fido ") && answers[4].starts_with("ERR request "));
    assert_eq!(answers[5], "OK");
    assert!(answers[6].starts_with("ERR length 8 1 "));
}

#[test]
fn a_child_process_is_a_key() {
    let arguments = ["yubikey", "--clock", "manual", "--firmware", "4.3.4"];
    let mut key = LineKey::spawn(program().args(arguments)).unwrap();
    assert_eq!(serial(&mut key), Some(SERIAL));
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "755224\n");
    key.power().unwrap();
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "287082\n");
    assert_eq!(key.out(&[0; 64]), Err(TwinError::NoInterface(Interface::Fido)));
    assert_eq!(key.set_feature(&[1]), Err(TwinError::Length { wanted: 8, got: 1 }));
    assert_eq!(key.apdu(&[0x00, 0x03, 0x00, 0x00]).unwrap(), [0x6d, 0x00]);
}

#[test]
fn the_address_says_how_it_is_reached() {
    let command = format!("cmd:{} yubikey --clock manual", env!("CARGO_BIN_EXE_key-twin"));
    assert_eq!(status(&mut LineKey::open(&command).unwrap())[..3], [5, 4, 3]);
    let served = Served::start(&["--firmware", "2.3.0"]);
    let address = format!("unix:{}", served.path().display());
    assert_eq!(status(&mut LineKey::open(&address).unwrap())[..3], [2, 3, 0]);
    for wrong in ["", "unix", "tcp:1", "cmd:", "cmd:/nowhere/at/all", "unix:/nowhere/at/all"] {
        assert!(LineKey::open(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn clients_share_the_key_and_signals_end_it_cleanly() {
    for signal in ["-TERM", "-INT"] {
        let served = Served::start(&["--clock", "manual", "--slot1", "empty"]);
        let mode = fs::metadata(served.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (mut one, mut two) = (served.key(), served.key());
        assert!(change(&mut one, 0x01, &Config::hotp().payload()));
        assert_eq!(status(&mut two)[3], 1);
        assert_eq!(served.end(signal), Some(0));
        assert!(matches!(one.get_feature(), Err(TwinError::Line(_))));
    }
}

#[test]
fn a_socket_that_nobody_serves_is_replaced_and_anything_else_is_not() {
    let served = Served::start(&[]);
    let path = served.path();
    let second = |path: &Path| program().arg("yubikey").arg("--listen").arg(path).output().unwrap();
    let output = second(&path);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("key-twin: "));
    let file = served.folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    assert_eq!(second(&file).status.code(), Some(1));
    assert_eq!(fs::read(&file).unwrap(), b"mine");

    let left = served.folder.path().join("left");
    drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
    let mut child = program().arg("yubikey").arg("--listen").arg(&left).spawn().unwrap();
    let key = (0..500).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        LineKey::connect(&left).ok()
    });
    assert_eq!(status(&mut key.unwrap())[..3], [5, 4, 3]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn memory_outlives_a_kill() {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("key");
    let state = state.to_str().unwrap();
    let arguments = ["--clock", "manual", "--state", state, "--slot1", "empty", "--slot2", "occupied"];
    let served = Served::start(&arguments);
    let mut key = served.key();
    assert!(change(&mut key, 0x01, &Config::hotp().payload()));
    key.touch(Press::Short).unwrap();
    assert_eq!(served.end("-KILL"), None);
    assert_eq!(fs::metadata(state).unwrap().permissions().mode() & 0o777, 0o600);

    let served = Served::start(&arguments);
    let mut key = served.key();
    assert_eq!(status(&mut key)[3..5], [2, 0x0f]);
    assert_eq!(text(&key.touch(Press::Short).unwrap()), "287082\n");
    drop(served);

    let other = program().args(["yubikey", "--state", state, "--serial", "1"]).output().unwrap();
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8(other.stderr).unwrap().contains("another key"));
}

#[test]
fn arguments_make_the_key() {
    let folder = TempDir::new().unwrap();
    let code = folder.path().join("code");
    fs::write(&code, "010203040506\n").unwrap();
    let mut command = program();
    command.args([
        "yubikey",
        "--clock",
        "manual",
        "--product-id",
        "0401",
        "--no-serial",
        "--fault",
        "refuse-writes=1",
    ]);
    command.arg("--access-code-slot1").arg(&code);
    let mut key = LineKey::spawn(&mut command).unwrap();
    assert_eq!(serial(&mut key), None);
    assert_eq!(key.apdu(&[0, 3, 0, 0]), Err(TwinError::NoInterface(Interface::Ccid)));
    assert!(!change(&mut key, 0x01, &Config::hotp().payload()));
    let open = Config { code: [1, 2, 3, 4, 5, 6], ..Config::hotp() }.payload();
    assert!(!change(&mut key, 0x01, &open));
    assert!(change(&mut key, 0x01, &open));

    fs::write(&code, "0102").unwrap();
    for (wrong, status) in [
        (vec!["--firmware", "6.0.0"], 1),
        (vec!["--firmware", "5"], 2),
        (vec!["--firmware", "5.4.x.3"], 2),
        (vec!["--product-id", "0110"], 1),
        (vec!["--fault", "fire"], 1),
        (vec!["--access-code-slot1", code.to_str().unwrap()], 1),
        (vec!["--access-code-slot2", "/nowhere/at/all"], 1),
        (vec!["--state", "/nowhere/at/all"], 1),
    ] {
        let output = program().arg("yubikey").args(&wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{wrong:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}

#[test]
fn a_key_is_as_it_is_sold_unless_told_otherwise() {
    let typed = |slot1: Option<&str>| {
        let mut command = program();
        command.args(["yubikey", "--clock", "manual"]);
        command.args(slot1.map(|content| ["--slot1", content]).into_iter().flatten());
        let mut key = LineKey::spawn(&mut command).unwrap();
        text(&key.touch(Press::Short).unwrap()).trim_end().to_owned()
    };
    for sold in [None, Some("factory"), Some("occupied")] {
        let otp = typed(sold);
        assert!(otp.len() == 44 && otp.starts_with("cc"), "{sold:?}: {otp}");
    }
    let own = typed(Some("own"));
    assert!(own.len() == 44 && own.starts_with("vv"), "{own}");
    let hotp = typed(Some("hotp"));
    assert!(hotp.len() == 6 && hotp.bytes().all(|digit| digit.is_ascii_digit()), "{hotp}");
    assert!(!typed(Some("password")).is_empty());
    assert_eq!([typed(Some("challenge")), typed(Some("empty"))], ["", ""]);
}

#[test]
fn help_is_a_manual() {
    let output = program().args(["yubikey", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for word in ["REQUESTS AND REPLIES", "EXIT STATUS", "--access-code-slot1", "pull-out-after-reports=N"] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn a_line_without_an_end_ends_the_conversation() {
    let served = Served::start(&[]);
    let mut raw = UnixStream::connect(served.path()).unwrap();
    raw.write_all(&vec![b'A'; MAX_LINE + 1]).unwrap();
    let mut answer = String::new();
    raw.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "ERR request line too long\n");
    // Others are served on.
    assert_eq!(status(&mut served.key())[..3], [5, 4, 3]);
}

#[test]
fn time_passes_by_the_clock_unless_told_otherwise() {
    let served = Served::start(&[]);
    let mut key = served.key();
    let done = || {
        std::thread::sleep(Duration::from_millis(5));
        None::<()>
    };
    for report in crate::host::reports(0x01, &Config::hotp().payload()) {
        key.set_feature(&report).unwrap();
    }
    let ready = (0..200).find(|_| done().is_none() && key.get_feature().unwrap()[7] == 0);
    assert!(ready.is_some());
    assert!(matches!(send(&mut key, 0x10, &[]).unwrap(), Outcome::Data(_)));
}
