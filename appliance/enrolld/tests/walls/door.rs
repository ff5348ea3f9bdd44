//! The SSH server, with real clients before it.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::process::Command;

use super::*;

/// The SSH server in this process, with the OpenSSH client before it.
pub(super) struct Door {
    pub(super) address: SocketAddr,
    directory: PathBuf,
}

impl Door {
    pub(super) async fn open(station: &Station) -> Self {
        let (opened, told) = tokio::sync::oneshot::channel();
        let mut opened = Some(opened);
        let state = station.directory.join("door");
        std::fs::create_dir_all(&state).unwrap();
        let settings = shell::ssh::Settings {
            control: station.control(),
            state,
            listen: vec!["127.0.0.1:0".to_owned()],
        };
        let door = shell::ssh::run(settings, move |addresses| {
            if let Some(opened) = opened.take() {
                opened.send(addresses[0]).unwrap();
            }
        });
        tokio::spawn(async move { door.await.unwrap() });
        Self { address: told.await.unwrap(), directory: station.directory.clone() }
    }

    pub(super) fn ssh(&self, key: &Path, from: &str, command: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "IdentitiesOnly=yes",
        ])
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", self.directory.join("known_hosts").display()))
        .args(["-o", "LogLevel=ERROR", "-b", from, "-p"])
        .arg(self.address.port().to_string())
        .arg("-i")
        .arg(key)
        .arg(self.address.ip().to_string())
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
        ssh
    }

    /// A session at a prompt.
    pub(super) fn prompt(&self, key: &Path, from: &str) -> Command {
        let plain = self.ssh(key, from, &[]);
        let mut ssh = Command::new("ssh");
        ssh.arg("-tt").args(plain.as_std().get_args());
        ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        ssh
    }
}
