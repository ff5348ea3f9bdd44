//! What is kept of what somebody typed: nothing that was not understood, and no secret.

use std::sync::{Arc, Mutex, OnceLock};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::door::Door;
use super::*;

/// Something that nobody should find again, as somebody may type it.
const SECRETS: [&str; 3] = ["47110815", "s3cr3t!x", "eyJhbGciOiJIUzI1.bbbbbbbb.cccccccc"];

/// A password that somebody typed where the name belongs, and what was asked for then.
const MEANT: &str = "Passwort-fuer-admin";
const ASKED: &str = "Antwort-4711";

/// All that this process logs, of every station and door in it.
fn log() -> &'static Lines {
    static LOG: OnceLock<Lines> = OnceLock::new();
    LOG.get_or_init(|| {
        let lines = Lines::default();
        let written = lines.clone();
        let format = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || written.clone());
        tracing_subscriber::registry().with(format).init();
        lines
    })
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lines that somebody meant for a command.
fn mistyped() -> Vec<String> {
    let mut lines = Vec::new();
    for secret in SECRETS {
        lines.extend([
            secret.to_owned(),
            format!("enroll --pin {secret}"),
            format!("enroll --unlock={secret}"),
            format!("enrol --user alice --pin {secret}"),
            format!("Enroll --pin{secret}"),
            format!("enroll --user '{secret}"),
            format!("token pin UBOM1 {secret}"),
            format!("tokenpin UBOM1 {secret}"),
            format!("server login admin {secret}"),
            format!("config set server.api_key {secret}"),
            format!("config set server.api-key {secret}"),
            format!("config set server.apikey={secret}"),
            format!("config set {secret}"),
            format!("config set {secret} server.api-key"),
        ]);
    }
    lines
}

/// Somebody at a prompt.
struct Typist {
    session: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    seen: String,
}

impl Typist {
    async fn sit(door: &Door, key: &Path) -> Self {
        let mut session = door.prompt(key, "127.0.0.1").spawn().unwrap();
        let (keys, screen) = (session.stdin.take().unwrap(), session.stdout.take().unwrap());
        let mut typist = Self { session, keys, screen, seen: String::new() };
        typist.wait("> ").await;
        typist
    }

    /// Waits until the last line of the screen, which is not the first, ends so.
    async fn wait(&mut self, end: &str) {
        let mut bytes = [0; 4096];
        while !self.seen.rsplit_once('\n').is_some_and(|(_, last)| last.ends_with(end)) {
            let read = tokio::time::timeout(TIMEOUT, self.screen.read(&mut bytes)).await;
            let count = read.unwrap_or_else(|_| panic!("no {end:?} after {:?}", self.seen)).unwrap();
            assert!(count > 0, "the session ended: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    }

    /// Types a line, and gives back what comes until the screen ends so.
    async fn types(&mut self, line: &str, end: &str) -> String {
        self.seen.clear();
        self.keys.write_all(line.as_bytes()).await.unwrap();
        self.keys.write_all(b"\r").await.unwrap();
        self.keys.flush().await.unwrap();
        self.wait(end).await;
        self.seen.clone()
    }

    async fn leaves(mut self) {
        self.keys.write_all(b"exit\r").await.unwrap();
        drop(self.keys);
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(TIMEOUT, self.screen.read_to_end(&mut rest)).await.unwrap();
        self.session.wait().await.unwrap();
    }
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files(&entry.path(), found),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_understood_is_in_no_history_audit_or_log() {
    let log = log();
    let directory = tempfile::tempdir().unwrap();
    let ada = Person::new("ada");
    let config = format!(
        "[station]\nname = \"desk-1\"\n[server]\nurl = \"http://127.0.0.1:9\"\n\
         insecure = \"send everything unencrypted, seeds and passwords included\"\n{PROFILE}{}",
        ada.table("admin")
    );
    let station = Station::start(directory.path(), &config).await;
    let door = Door::open(&station).await;
    let key = ada.file(directory.path());
    let run = async |command: &str| {
        let mut ssh = door.ssh(&key, "127.0.0.1", &[command]).spawn().unwrap();
        drop(ssh.stdin.take());
        ssh.wait_with_output().await.unwrap()
    };

    let mut typist = Typist::sit(&door, &key).await;
    typist.types("config set station.language de", "> ").await;
    for line in mistyped() {
        typist.types(&line, "> ").await;
    }
    // The name is a password, and the question is answered.
    typist.types(&format!("server login {MEANT}"), ": ").await;
    let told = typist.types(ASKED, "> ").await;
    assert!(told.contains("E2") && !told.contains(ASKED), "{told}");
    typist.types("config rollback --yes", "> ").await;
    typist.leaves().await;
    for line in mistyped().into_iter().filter(|line| !line.contains('\'')) {
        assert!(!run(&line).await.status.success(), "{line}");
    }

    // Whatever anybody can look at later.
    let mut later = Typist::sit(&door, &key).await;
    let history = later.types("history", "> ").await;
    assert!(history.contains("config set station.language de"), "{history}");
    // The newest line of the session before.
    later.keys.write_all(b"\x10\x10\x10").await.unwrap();
    later.types("", "> ").await;
    let mut kept = vec![("history", history.into_bytes()), ("lines before", later.seen.clone().into_bytes())];
    later.leaves().await;
    let commands = [
        "audit --newest 1000",
        "audit --newest 1000 --json",
        "audit export",
        "config show --pending",
        "config diff",
        "logs --newest 1000 --level trace",
        "status --json",
        "sessions --json",
    ];
    for command in commands {
        let output = run(command).await;
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        kept.push((command, output.stdout));
    }
    let audit = String::from_utf8_lossy(&kept[2].1).into_owned();
    for wanted in ["config set station.language de", "enroll (not understood)", "ServerLogIn user=(left out)"]
    {
        assert!(audit.contains(wanted), "{wanted} is missing in {audit}");
    }
    station.stop().await;
    let mut found = Vec::new();
    files(&directory.path().join("state"), &mut found);
    files(&directory.path().join("door"), &mut found);
    assert!(found.iter().any(|file| file.parent().unwrap().ends_with("audit")), "{found:?}");
    kept.extend(found.iter().map(|file| ("a file", std::fs::read(file).unwrap())));
    let logged = log.0.lock().unwrap().clone();
    assert!(logged.windows(5).any(|part| part == b"TRACE"), "nothing was logged at TRACE");
    kept.push(("the log", logged));
    for (place, bytes) in kept {
        let text = String::from_utf8_lossy(&bytes);
        for secret in SECRETS.into_iter().chain([MEANT, ASKED]) {
            let found = text.find(secret).map(|at| text.get(at.saturating_sub(200)..at + 60));
            assert_eq!(found, None, "{secret} is in {place}");
        }
    }
}
