//! The files of a simulated station: its configuration, its state, an SSH key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, bail};
use shell::ssh::Settings;

use super::place::{Place, Trusted};
use crate::args::Station;

/// A directory with everything in it. The last copy takes it away, unless it was named.
#[derive(Clone)]
pub(super) struct House {
    directory: Arc<Kept>,
    own_key: bool,
}

struct Kept {
    path: PathBuf,
    remove: bool,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.remove {
            // What is left over is in the temporary directory, and the next start does not mind.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl House {
    /// Makes the directory and what has to be in it.
    pub(super) fn build(args: &Station, place: &Place) -> anyhow::Result<Self> {
        let (path, remove) = match &args.directory {
            Some(directory) => (directory.clone(), false),
            None => (std::env::temp_dir().join(format!("station-sim-{}", std::process::id())), true),
        };
        let house = Self { directory: Arc::new(Kept { path, remove }), own_key: args.operator_key.is_none() };
        for directory in [house.path(), &house.card(), &house.state(), &house.door_state()] {
            private_directory(directory)?;
        }
        let key = match &args.operator_key {
            Some(file) => {
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
            }
            None => house.make_key()?,
        };
        std::fs::write(house.card().join("operator.pub"), key)?;
        let trust = match &place.trust {
            Trusted::Pem(pem) => {
                std::fs::write(house.card().join("ca.pem"), pem)?;
                "ca = \"ca.pem\"\n".to_owned()
            }
            Trusted::Pins(pins) => format!("pin = {pins:?}\n"),
            Trusted::System => String::new(),
            Trusted::Nothing => {
                "insecure = \"send everything unencrypted, seeds and passwords included\"\n".to_owned()
            }
        };
        let trust = match &place.api_key {
            Some(key) => {
                let file = house.card().join("api.key");
                private_file(&file, key.reveal())?;
                format!("{trust}api-key-file = \"api.key\"\n")
            }
            None => trust,
        };
        let mode = if args.armed { "armed" } else { "attended" };
        let url = &place.address;
        let text = format!(
            "[station]\nname = \"station-sim\"\nmode = \"{mode}\"\n\n[server]\nurl = \"{url}\"\n{trust}\n\
             [[operators]]\nname = \"operator\"\nrole = \"admin\"\nkeys = [\"operator.pub\"]\n\n\
             [profile.hotp6]\nkind = \"hotp\"\noverwrite = \"confirmed\"\n\n\
             [profile.hotp8]\nkind = \"hotp\"\ndigits = 8\nslot = 2\n\n\
             [run]\nprofile = \"hotp6\"\n"
        );
        // Nobody confirms anything to an armed station.
        let text = if args.armed { text.replace("overwrite = \"confirmed\"\n", "") } else { text };
        let with = match &args.with {
            Some(file) => {
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
            }
            None => String::new(),
        };
        std::fs::write(house.config(), format!("{text}{}\n{with}", args.more))?;
        Ok(house)
    }

    fn path(&self) -> &Path {
        &self.directory.path
    }

    fn card(&self) -> PathBuf {
        self.path().join("card")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.card().join("enrollment.toml")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    fn door_state(&self) -> PathBuf {
        self.path().join("door")
    }

    pub(super) fn control(&self) -> PathBuf {
        self.path().join("control.sock")
    }

    pub(super) fn door(&self, listen: &str) -> Settings {
        Settings { control: self.control(), state: self.door_state(), listen: vec![listen.to_owned()] }
    }

    /// Makes an SSH key for the occasion; its public half.
    fn make_key(&self) -> anyhow::Result<String> {
        let file = self.path().join("id_ed25519");
        if !file.exists() {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "station-sim", "-f"])
                .arg(&file)
                .status()
                .context("ssh-keygen is not there; install the OpenSSH client, or give --operator-key")?;
            if !made.success() {
                bail!("ssh-keygen: {made}");
            }
        }
        Ok(std::fs::read_to_string(file.with_extension("pub"))?)
    }

    /// What a person has to know.
    pub(super) fn greeting(&self, listens: SocketAddr, server: &str) -> String {
        let identity =
            if self.own_key { format!("-i {}/id_ed25519 ", self.path().display()) } else { String::new() };
        let known = format!("-o UserKnownHostsFile={}/known_hosts", self.path().display());
        format!(
            "\nThe station is ready; its server is {server}.\n\n  \
             ssh {identity}{known} -o StrictHostKeyChecking=accept-new -p {} operator@{}\n\n\
             There, 'plug' plugs a software key in, 'enroll' enrolls it, 'touch' touches it, 'pull' pulls it out.\n\
             Ctrl-C ends the station.\n",
            listens.port(),
            listens.ip(),
        )
    }
}

fn private_directory(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make {}", path.display()))
}

fn private_file(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file =
        std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// The user whom this process runs as.
pub(super) fn own_user() -> anyhow::Result<u32> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata("/proc/self").context("/proc is not there")?.uid())
}
