//! The recorded station as a process of its own, and clients that log in to it.

#![allow(dead_code)] // Each test needs only part.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// A station that ends with this value.
pub(crate) struct Station {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) port: u16,
    pub(crate) directory: PathBuf,
}

impl Station {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(program())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo builds examples together with tests");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (port, directory) = line.trim().split_once(' ').expect("a port and a directory");
        Self {
            stdin: child.stdin.take(),
            port: port.parse().unwrap(),
            directory: PathBuf::from(directory),
            child,
        }
    }

    /// The OpenSSH client, without anything of this machine's user.
    pub(crate) fn ssh(&self, operator: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-p", &self.port.to_string(), "-i"]).arg(self.directory.join(operator));
        for option in
            ["IdentitiesOnly=yes", "IdentityAgent=none", "StrictHostKeyChecking=no", "LogLevel=ERROR"]
        {
            ssh.args(["-o", option]);
        }
        ssh.args(["-o", "UserKnownHostsFile=/dev/null", "127.0.0.1"]);
        ssh
    }

    /// Memory that the process holds, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Processor time that it used, in ticks (1/100 s).
    pub(crate) fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Its open files.
    pub(crate) fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// Where cargo puts the example, beside the directory of the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().find(|path| path.join("examples").is_dir()).map(Path::to_owned);
    profile.expect("a directory of examples").join("examples/recorded-station")
}
