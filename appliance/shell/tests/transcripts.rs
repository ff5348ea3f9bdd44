//! Every command through the real OpenSSH client, against golden transcripts: as text, as JSON
//! (checked against its schema), and its refusals. `BLESS=1` writes the transcripts anew.

#![cfg(test)]

mod recorded;
mod schema;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use recorded::Shared;
use serde_json::Value;

/// A house with its door open, on a runtime of its own.
struct Open {
    shared: Shared,
    port: u16,
    runtime: tokio::runtime::Runtime,
}

impl Open {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (shared, port) = runtime.block_on(async {
            let shared = Shared::new(Duration::from_secs(600));
            let (opened, port) = tokio::sync::oneshot::channel();
            let mut opened = Some(opened);
            let door = shell::ssh::run(shared.settings(), move |addresses| {
                if let Some(opened) = opened.take() {
                    opened.send(addresses[0].port()).unwrap();
                }
            });
            tokio::spawn(async move { door.await.unwrap() });
            (shared, port.await.unwrap())
        });
        Self { shared, port, runtime }
    }

    fn ssh(&self, operator: &str, log: &str) -> Command {
        let directory = self.shared.directory.path();
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-p", &self.port.to_string(), "-i"]).arg(directory.join(operator));
        for option in [
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "StrictHostKeyChecking=accept-new",
            "ControlMaster=auto",
            "ControlPersist=20",
        ] {
            ssh.args(["-o", option]);
        }
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", directory.join("known").display()));
        ssh.arg("-o").arg(format!("LogLevel={log}"));
        // One connection carries many commands: that is quicker, and must work anyway.
        ssh.arg("-o").arg(format!("ControlPath={}", directory.join(format!("{operator}.mux")).display()));
        ssh
    }

    fn run(&self, operator: &str, line: &str, input: &str) -> (String, String, i32) {
        let mut ssh = self.ssh(operator, "ERROR");
        ssh.args(["127.0.0.1", line]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = ssh.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr), output.status.code().unwrap())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        for operator in ["ada", "oscar", "vera"] {
            if self.shared.directory.path().join(format!("{operator}.mux")).exists() {
                let _ = self
                    .ssh(operator, "ERROR")
                    .args(["-O", "exit", "127.0.0.1"])
                    .stderr(Stdio::null())
                    .status();
            }
        }
        let _ = &self.runtime;
    }
}

/// Compares with what stands in a file, or writes it.
fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (one, other)) in expected.lines().zip(text.lines()).enumerate() {
        assert_eq!(one, other, "{name}, line {}; scripts/bless-shell writes it anew", number + 1);
    }
    assert_eq!(expected.len(), text.len(), "{name} has another length; scripts/bless-shell writes it anew");
}

/// What the record takes for a signature.
const SIGNATURE: &str = "-----BEGIN SSH SIGNATURE-----\r\nAAAA\r\n-----END SSH SIGNATURE-----\r\n";

/// Every command of the table, with arguments that the record answers.
const COMMANDS: &[(&str, &str)] = &[
    ("status", ""),
    ("keys", ""),
    ("key 12345678", ""),
    ("profiles", ""),
    ("profile show desk", ""),
    ("profile check desk --key 12345678", ""),
    ("profile import desk", "--url=https://pi.example.org\n--password=secret word\nyubikey_mass_enroll\n"),
    ("mode armed", ""),
    ("enroll --profile desk --user alice@example --key 12345678", ""),
    ("enroll --pin --unlock", "1234\n0123456789ab\n"),
    ("hand-over --user alice@example", "secret word\n466108201283\n"),
    ("phone enroll --user alice@example", "123456\n234567\n"),
    ("phone enroll --user alice@example --inverted", "123456\n234567\n"),
    ("phone enroll --user alice@example --text", "123456\n234567\n"),
    ("registration create --realm example --without-token", ""),
    ("cancel", ""),
    ("run start --list - --name autumn --realm example", "user,key\nalice,12345678\nbob,\n"),
    ("run start --list - --user-column Kennung --encoding windows-1250", "Kennung;Name\nalice;Alice A\n"),
    ("run status", ""),
    ("run pause", ""),
    ("run skip 2 3", ""),
    ("run retry failed", ""),
    ("run add --list -", "user,realm\ncarol,example\n"),
    ("run report autumn", ""),
    ("run report autumn --format json", ""),
    ("report --from 2026-11-01 --to 2026-11-30", ""),
    ("run resume", ""),
    ("run stop --yes", ""),
    ("verify 12345678", ""),
    ("release 12345678 --yes", ""),
    ("swap 12345678 --yes", ""),
    ("wipe 12345678 --slot 2 --yes", ""),
    ("welcome list", ""),
    ("welcome add --vendor yubico", ""),
    ("welcome remove 1", ""),
    ("sealed list", ""),
    ("sealed show UBOM12345678_1.4f0a8c1d2e3b4a5968778695.code", ""),
    ("sealed show --run autumn", ""),
    ("sealed remove UBOM12345678_1.4f0a8c1d2e3b4a5968778695.code --yes", ""),
    ("token show UBOM12345678_1", ""),
    ("token list --user alice@example", ""),
    ("token enable UBOM12345678_1", ""),
    ("token disable UBOM12345678_1 --yes", ""),
    ("token delete UBOM12345678_1 --yes", ""),
    ("token assign UBOM12345678_1 alice@example", ""),
    ("token unassign UBOM12345678_1 --yes", ""),
    ("token pin UBOM12345678_1", "4711\n"),
    ("token resync UBOM12345678_1", "123456\n234567\n"),
    ("user find 'van der'", ""),
    ("server status", ""),
    ("server login admin", "secret word\n"),
    ("server logout --yes", ""),
    ("receipts list", ""),
    ("receipts show 17", ""),
    ("receipts verify", ""),
    ("receipts export", ""),
    ("config show server", ""),
    ("config diff", ""),
    ("config diff --to-sign", ""),
    ("config load -", "[server]\n"),
    ("config set shell.idle 300", ""),
    ("config check -", "[server]\n"),
    ("config commit confirmed 10", ""),
    ("config commit --yes", ""),
    ("config confirm", ""),
    ("config rollback --yes", ""),
    ("config commit --signed -", SIGNATURE),
    ("config commit confirmed 5 --signed -", SIGNATURE),
    ("config diff --to-sign --rollback", ""),
    ("config rollback --signed -", SIGNATURE),
    ("operators add eve --role viewer --from 192.0.2.0/24", "ssh-ed25519 AAAA eve\n"),
    ("operators set eve --role admin", ""),
    ("operators set eve --keys --from-everywhere", "ssh-ed25519 AAAA eve\n"),
    ("operators remove eve", ""),
    ("sessions", ""),
    ("sessions end 5", ""),
    ("audit", ""),
    ("audit verify", ""),
    ("audit export --from 1", ""),
    ("panel", ""),
    ("panel --follow", ""),
    ("logs", ""),
    ("explain e2041", ""),
    ("version", ""),
    ("reboot --yes", ""),
    ("poweroff --yes", ""),
    ("help", ""),
    ("help token", ""),
    ("token pin --help", ""),
    ("exit", ""),
];

#[test]
fn every_command_says_what_it_said() {
    let open = Open::new();
    let mut text = String::new();
    for (line, input) in COMMANDS {
        let (out, err, exit) = open.run("ada", line, input);
        text.push_str(&format!("$ ssh station {line}\n{out}"));
        if !err.is_empty() {
            text.push_str(&format!("[stderr]\n{err}"));
        }
        text.push_str(&format!("[exit {exit}]\n\n"));
        assert!(!out.contains('\r') && !err.contains('\r'), "{line}: only a terminal gets carriage returns");
        assert!(!out.contains('\u{1b}'), "{line}: foreign text moved the cursor");
    }
    golden("commands.txt", &text);
    // Fingerprints are new each time, and so are not in a transcript.
    let (out, _, exit) = open.run("ada", "operators", "");
    assert!(exit == 0 && out.contains("ada") && out.contains("SHA256:"), "{out}");
    // What is secret went to the daemon and is in no record of the calls.
    let calls = format!("{:?}", open.shared.recorded.calls.lock().unwrap());
    assert!(calls.contains("password=(secret)") && !calls.contains("secret word") && !calls.contains("4711"));
}

#[test]
fn json_is_as_its_schema_says() {
    let open = Open::new();
    let mut text = String::new();
    let plain = ["help", "help token", "token pin --help", "exit"];
    for (line, input) in COMMANDS.iter().filter(|(line, _)| !plain.contains(line)).chain([&("operators", "")])
    {
        let (out, _, exit) = open.run("ada", &format!("{line} --json"), input);
        let path = words(line);
        let (schema, err, status) = open.run("ada", &format!("schema {path}"), "");
        assert_eq!((err.as_str(), status), ("", 0), "schema {path}");
        let schema: Value = serde_json::from_str(&schema).unwrap();
        for object in out.lines() {
            let value: Value =
                serde_json::from_str(object).unwrap_or_else(|error| panic!("{line}: {error}: {out}"));
            schema::check(&schema, &value).unwrap_or_else(|why| panic!("{line}: {why}"));
        }
        assert!(!out.is_empty(), "{line}");
        if path != "operators" && path != "panel" {
            text.push_str(&format!("$ ssh station {line} --json\n{out}[exit {exit}]\n\n"));
        }
    }
    golden("json.txt", &text);
}

/// The words of a command line that name the command.
fn words(line: &str) -> String {
    let paths: Vec<&str> = shell::command::table::ENTRIES.iter().map(|entry| entry.path).collect();
    let given: Vec<&str> = line.split(' ').collect();
    let longest = (1..=given.len())
        .rev()
        .map(|count| given[..count].join(" "))
        .find(|path| paths.contains(&path.as_str()));
    longest.unwrap()
}

#[test]
fn every_command_of_the_table_is_tried() {
    let tried: Vec<String> = COMMANDS.iter().map(|(line, _)| words(line)).collect();
    // Elsewhere: at a terminal, in their own tests, or only in a simulation.
    let elsewhere = ["watch", "operators", "schema", "history", "plug", "touch", "pull"];
    for entry in shell::command::table::ENTRIES {
        assert!(
            tried.iter().any(|tried| tried == entry.path) || elsewhere.contains(&entry.path),
            "{}",
            entry.path
        );
    }
}

#[test]
fn refusals_are_clear_and_change_nothing() {
    let open = Open::new();
    let refused: &[(&str, &str, &str)] = &[
        ("ada", "statsu", ""),
        ("ada", "", "frobnicate\n"),
        ("ada", "token", ""),
        ("ada", "token show", ""),
        ("ada", "token show A B", ""),
        ("ada", "enroll --profil desk", ""),
        ("ada", "user find 'unclosed", ""),
        ("ada", "run start", ""),
        ("ada", "run start --count 5 --endless", ""),
        ("ada", "run start --count 5 --realm example", ""),
        ("ada", "swap 12345678", ""),
        ("ada", "wipe 12345678 --slot 1", ""),
        ("ada", "wipe 12345678 --slot 16 --yes", ""),
        ("ada", "sealed remove X", ""),
        ("ada", "welcome add --name x", ""),
        ("ada", "hand-over --user alice@example", ""),
        ("ada", "registration create --realm example --letter -", ""),
        ("vera", "sealed list", ""),
        ("oscar", "sealed remove X --yes", ""),
        ("ada", "run report", ""),
        ("vera", "phone enroll --user alice@example", ""),
        ("ada", "logs --newest 100000", ""),
        ("ada", "token pin UBOM1", ""),
        ("ada", "token delete UBOM1", ""),
        ("ada", "poweroff", ""),
        ("ada", "enroll --overwrite", ""),
        ("ada", "profile show none", ""),
        ("ada", "token show MISSING", ""),
        ("ada", "token show MISSING --json", ""),
        ("ada", "help tokn", ""),
        ("ada", "schema exit", ""),
        ("ada", "plug", ""),
        ("vera", "enroll", ""),
        ("vera", "config set server.url x", ""),
        ("oscar", "reboot --yes", ""),
        ("oscar", "reboot --yes --json", ""),
        ("vera", "token delete UBOM1 --yes", ""),
    ];
    let mut text = String::new();
    for (operator, line, input) in refused {
        let (out, err, exit) = open.run(operator, line, input);
        assert!(exit != 0 && !err.is_empty() && out.is_empty(), "{line}: {exit} {out} {err}");
        text.push_str(&format!("{operator}$ ssh station {line}\n{err}[exit {exit}]\n\n"));
    }
    golden("refusals.txt", &text);
    for call in [
        "Enroll",
        "KeySwap",
        "KeyWipe",
        "KeyHandOver",
        "PhoneEnroll",
        "SealedRemove",
        "RunStartList",
        "RunStart",
        "TokenDelete",
        "TokenSetPin",
        "PowerOff",
        "Reboot",
        "ConfigSet",
    ] {
        assert!(open.shared.recorded.arguments(call).is_empty(), "{call} was made");
    }
}

#[test]
fn strangers_stay_outside() {
    let open = Open::new();
    let (out, err, exit) = open.run("mallory", "status", "");
    assert_eq!((out.as_str(), exit), ("", 255));
    assert!(err.contains("Permission denied (publickey)"), "{err}");
}

#[test]
fn what_is_no_session_is_refused() {
    let open = Open::new();
    let attempt = |arguments: &[&str]| {
        let mut ssh = open.ssh("ada", "INFO");
        let output = ssh.args(["-S", "none"]).args(arguments).stdin(Stdio::null()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (exit, err) = attempt(&["-s", "127.0.0.1", "sftp"]);
    assert!(exit != 0 && err.contains("subsystem request failed"), "{exit} {err}");
    let (exit, err) = attempt(&["-W", "127.0.0.1:1", "127.0.0.1"]);
    assert!(exit != 0 && err.contains("administratively prohibited"), "{exit} {err}");
    let (exit, err) =
        attempt(&["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "127.0.0.1", "version"]);
    assert!(exit != 0 && err.contains("remote port forwarding failed"), "{exit} {err}");
    // An agent is not taken, and the command runs.
    let (exit, err) = attempt(&["-A", "127.0.0.1", "version"]);
    assert!(exit == 0 && !err.contains("failed"), "{exit} {err}");
}
