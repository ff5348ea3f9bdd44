//! Whether a slot on trial does its job: `card trial`, beside the services.
//!
//! Looked at is what is the slot's own: the daemon is ready and watches USB, the controllers and the driver for keys are there, there is a network
//! interface, and an address where its link is up, and the SSH server listens. What is others' (the server, DHCP, DNS, the clock) says nothing
//! against a slot. Where that is not so within the time, the reason is kept, and the unit restarts the board.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::trial::Kept;
use crate::update_facts::Facts;

/// Seconds in which a slot on trial shows its job. Boards take half a minute for a start; this leaves room for a slow card.
pub const LIMIT: u64 = 300;

/// Where things are looked for.
#[derive(Clone, Debug)]
pub struct Places {
    /// What the daemon says of itself.
    pub daemon: PathBuf,
    /// The kernel's network interfaces.
    pub network: PathBuf,
    /// Their addresses: IPv6, and IPv4 as the table of routes has them (`Documentation/networking/proc_net_*`).
    pub addresses: [PathBuf; 2],
    /// The kernel's USB.
    pub usb: PathBuf,
    /// The kernel's TCP sockets, IPv4 and IPv6 (`Documentation/networking/proc_net_tcp.rst`).
    pub sockets: [PathBuf; 2],
}

impl Default for Places {
    fn default() -> Self {
        Self {
            daemon: "/run/enrolld/job".into(),
            network: "/sys/class/net".into(),
            addresses: ["/proc/net/if_inet6".into(), "/proc/net/fib_trie".into()],
            usb: "/sys/bus/usb".into(),
            sockets: ["/proc/net/tcp".into(), "/proc/net/tcp6".into()],
        }
    }
}

impl Places {
    /// What is missing; nothing when the slot does its job.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        self.daemon().or_else(|| self.usb()).or_else(|| self.interfaces()).or_else(|| self.ssh())
    }

    fn daemon(&self) -> Option<String> {
        let told = fs::read_to_string(&self.daemon).unwrap_or_default();
        if !told.lines().any(|line| line == "ready yes") {
            return Some("the daemon is not ready".to_owned());
        }
        let usb = told.lines().find_map(|line| line.strip_prefix("usb "));
        usb.filter(|usb| *usb != "good").map(|why| format!("the daemon does not watch USB: {why}"))
    }

    fn usb(&self) -> Option<String> {
        let names = fs::read_dir(self.usb.join("devices")).into_iter().flatten().flatten();
        // Root hubs are usb1, usb2 …
        if !names.filter_map(|entry| entry.file_name().into_string().ok()).any(|name| name.starts_with("usb"))
        {
            return Some("there is no USB controller".to_owned());
        }
        (!self.usb.join("drivers/usbhid").exists()).then(|| "there is no driver for keys".to_owned())
    }

    fn interfaces(&self) -> Option<String> {
        let entries = fs::read_dir(&self.network).into_iter().flatten().flatten();
        // One of hardware has a device; loopback and VLANs have none.
        let real: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.join("device").exists()).collect();
        if real.is_empty() {
            return Some("there is no network interface".to_owned());
        }
        let up = |path: &Path| fs::read_to_string(path.join("carrier")).is_ok_and(|text| text.trim() == "1");
        if !real.iter().any(|path| up(path)) || self.has_address() {
            return None;
        }
        Some("the link is up, and there is no address".to_owned())
    }

    fn has_address(&self) -> bool {
        let [six, four] = &self.addresses;
        let six = fs::read_to_string(six).unwrap_or_default();
        let four = fs::read_to_string(four).unwrap_or_default();
        let local =
            four.lines().zip(four.lines().skip(1)).filter(|(_, kind)| kind.trim() == "/32 host LOCAL");
        let mut local = local.filter_map(|(line, _)| line.trim().strip_prefix("|-- "));
        six.lines().any(|line| !line.trim_end().ends_with(" lo"))
            || local.any(|address| address.parse::<Ipv4Addr>().is_ok_and(|address| !address.is_loopback()))
    }

    fn ssh(&self) -> Option<String> {
        // Port 22, and 0A is "listen". The door takes as long as the daemon to open, so a socket there is a door that is open.
        let listens = |line: &str| {
            let mut words = line.split_ascii_whitespace().skip(1);
            words.next().is_some_and(|local| local.ends_with(":0016")) && words.nth(1) == Some("0A")
        };
        let all = self.sockets.iter().map(|path| fs::read_to_string(path).unwrap_or_default());
        (!all.into_iter().any(|text| text.lines().any(listens)))
            .then(|| "the SSH server does not listen".to_owned())
    }
}

/// Waits until the slot does its job, at most for the time that it has.
///
/// # Errors
/// With what is missing. That is kept, as the reason for which the slot was left.
pub fn run(facts: &Facts, kept: &Kept, places: &Places) -> Result<String, String> {
    let until = Instant::now().checked_add(Duration::from_secs(facts.limit));
    loop {
        let Some(missing) = places.missing() else {
            return Ok(format!("slot {} does its job", facts.slot));
        };
        if until.is_none_or(|until| Instant::now() >= until) {
            let why = format!("after {} s {missing}", facts.limit);
            kept.ended(&why).map_err(|error| format!("{why}; and that is not kept: {error}"))?;
            return Err(why);
        }
        // Nobody tells when an SSH server opens, nor all of the others at one place; this goes on for minutes, once in an update.
        thread::sleep(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_job_is_missed_by_name() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let make = |name: &str, text: &str| {
            let path = at(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let places = Places {
            daemon: at("job"),
            network: at("net"),
            addresses: [at("if_inet6"), at("fib_trie")],
            usb: at("usb"),
            sockets: [at("tcp"), at("tcp6")],
        };
        let missing = || places.missing().unwrap_or_default();
        assert_eq!(missing(), "the daemon is not ready");
        make("job", "ready yes\nusb the watch failed\n");
        assert_eq!(missing(), "the daemon does not watch USB: the watch failed");
        make("job", "ready yes\nusb good\n");
        assert_eq!(missing(), "there is no USB controller");
        make("usb/devices/usb1/id", "");
        assert_eq!(missing(), "there is no driver for keys");
        make("usb/drivers/usbhid/x", "");
        make("net/lo/carrier", "1\n");
        assert_eq!(missing(), "there is no network interface");
        make("net/eth0/device/x", "");
        make("net/eth0/carrier", "1\n");
        make("if_inet6", "00000000000000000000000000000001 01 80 10 80       lo\n");
        make("fib_trie", "Local:\n     |-- 127.0.0.1\n        /32 host LOCAL\n");
        assert_eq!(missing(), "the link is up, and there is no address");
        make(
            "fib_trie",
            "Local:\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.0.2.7\n        /32 host LOCAL\n",
        );
        make("tcp", "  sl  local_address rem_address   st\n   0: 0100007F:0016 0100007F:1234 01\n");
        make(
            "tcp6",
            "  sl  local_address\n   0: 00000000000000000000000000000000:0017 00000000000000000000000000000000:0000 0A\n",
        );
        assert_eq!(missing(), "the SSH server does not listen");
        make(
            "tcp6",
            "  sl  local_address\n   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A\n",
        );
        assert_eq!(missing(), "");
        make("net/eth0/carrier", "0\n");
        fs::write(at("fib_trie"), "").unwrap();
        assert_eq!(missing(), "", "without a link an address is not the slot's to have");
    }
}
