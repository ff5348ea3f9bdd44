//! What `enrollment.toml` says about the network, as files for systemd-networkd; and where log lines go.
//!
//! The daemon reads the same fields and says on the panel what is wrong with them. Here whatever cannot be
//! understood is as if it were not there: a station with a typing error in its address takes one from DHCP,
//! so that its operators reach it. Log lines are sent as they are meant to be, or not at all.

use std::fmt::Write as _;
use std::net::IpAddr;

use ::settings::{Files, OnCard};

use crate::log::Log;

/// What the interface of a VLAN is called.
const VLAN: &str = "lan";

/// The network and the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// `station.name`, when it is fit for a host name.
    pub name: Option<String>,
    /// `network.address`: an address with the length of its prefix, such as `192.0.2.7/24`.
    pub address: Option<(IpAddr, u8)>,
    /// `network.gateway`.
    pub gateway: Option<IpAddr>,
    /// `network.dns`.
    pub dns: Vec<IpAddr>,
    /// `network.ntp`: names or addresses.
    pub ntp: Vec<String>,
    /// `network.vlan`: 1 to 4094.
    pub vlan: Option<u16>,
    /// The section `log`.
    pub log: Option<Log>,
}

impl Network {
    /// Reads what is there, by the rules of the daemon's own reader ([`::settings::on_card`]).
    pub fn read(text: &str, files: &dyn Files) -> Self {
        let OnCard { name, network, log, update: _ } = ::settings::on_card(text, files);
        let ca = log.ca.map(|authorities| authorities.file);
        Self {
            name: name.map(|name| name.as_str().to_owned()),
            address: network.address.map(|address| (address.address(), address.bits())),
            gateway: network.gateway,
            dns: network.dns,
            ntp: network.ntp.iter().map(|server| server.as_str().to_owned()).collect(),
            vlan: network.vlan.and_then(|id| u16::try_from(id.number()).ok()),
            log: log.to.and_then(|to| Log::new(to.0, log.protocol, ca)),
        }
    }

    /// The files for networkd, each with its name. They are for every wired interface.
    pub fn files(&self) -> Vec<(&'static str, String)> {
        match self.vlan {
            None => vec![("10-station.network", self.addresses("Type=ether"))],
            Some(id) => vec![
                ("10-station.netdev", format!("[NetDev]\nName={VLAN}\nKind=vlan\n\n[VLAN]\nId={id}\n")),
                // A VLAN is no "ether" to networkd. Outside of it the station has no address.
                (
                    "10-station.network",
                    format!(
                        "[Match]\nType=ether\n\n[Link]\nRequiredForOnline=no\n\n[Network]\nVLAN={VLAN}\n\
                         DHCP=no\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nMulticastDNS=no\nLLMNR=no\n"
                    ),
                ),
                ("11-vlan.network", self.addresses(&format!("Name={VLAN}"))),
            ],
        }
    }

    fn addresses(&self, of: &str) -> String {
        let mut text = format!("[Match]\n{of}\n\n[Link]\nRequiredForOnline=no\n\n[Network]\n");
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name}={value}");
        };
        match self.address {
            Some((address, prefix)) => {
                line("DHCP", "no");
                line("Address", &format!("{address}/{prefix}"));
            }
            None => line("DHCP", "yes"),
        }
        if let Some(gateway) = self.gateway {
            line("Gateway", &gateway.to_string());
        }
        for address in &self.dns {
            line("DNS", &address.to_string());
        }
        for server in &self.ntp {
            line("NTP", server);
        }
        line("IPv6AcceptRA", "yes");
        line("LinkLocalAddressing", "ipv6");
        line("MulticastDNS", "yes");
        line("LLMNR", "no");
        // Where no identity outlives a start, the interface's address is the one a lease belongs to.
        text.push_str("\n[DHCPv4]\nClientIdentifier=mac\nUseDomains=no\n\n[DHCPv6]\nDUIDType=link-layer\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn only(network: &Network) -> String {
        let mut files = network.files();
        assert_eq!(files.len(), 1);
        files.remove(0).1
    }

    #[test]
    fn a_vlan_has_the_address_and_what_carries_it_has_none() {
        let network =
            Network::read("[network]\nvlan = 7\naddress = \"192.0.2.7/24\"\n", &::settings::NoFiles);
        let files = network.files();
        let lines = |name: &str| {
            let (_, text) = files.iter().find(|(there, _)| *there == name).unwrap();
            text.lines().collect::<Vec<_>>()
        };
        assert!(lines("10-station.netdev").contains(&"Id=7"));
        let carrier = lines("10-station.network");
        assert!(carrier.contains(&"VLAN=lan") && carrier.contains(&"LinkLocalAddressing=no"));
        assert!(!carrier.iter().any(|line| line.starts_with("Address=")));
        let inside = lines("11-vlan.network");
        assert!(inside.contains(&"Name=lan") && inside.contains(&"Address=192.0.2.7/24"));
        for wrong in ["0", "4095", "-1", "\"x\"", "70000"] {
            let network = Network::read(&format!("[network]\nvlan = {wrong}\n"), &::settings::NoFiles);
            assert_eq!(network.vlan, None, "{wrong}");
        }
    }

    #[test]
    fn a_fixed_address() {
        let network = Network::read(
            "[station]\nname = \"desk-3\"\n[network]\naddress = \"192.0.2.7/24\"\ngateway = \"192.0.2.1\"\ndns = [\"192.0.2.53\", \"2001:db8::1\"]\nntp = [\"time.example\"]\n",
            &::settings::NoFiles,
        );
        assert_eq!(network.name.as_deref(), Some("desk-3"));
        let file = only(&network);
        for line in
            ["DHCP=no", "Address=192.0.2.7/24", "Gateway=192.0.2.1", "DNS=2001:db8::1", "NTP=time.example"]
        {
            assert!(file.lines().any(|there| there == line), "{line} in {file}");
        }
    }

    #[test]
    fn nothing_said_means_dhcp() {
        assert_eq!(Network::read("", &::settings::NoFiles), Network::default());
        assert!(only(&Network::default()).contains("\nDHCP=yes\n"));
    }

    #[test]
    fn what_is_wrong_is_left_out_and_the_rest_counts() {
        let network = Network::read(
            "[station]\nname = \"no name\"\n[network]\naddress = \"192.0.2.7/33\"\ngateway = 3\ndns = [\"x\", \"192.0.2.53\"]\nntp = [\"a\\nDHCP=no\", \"b.example\"]\n",
            &::settings::NoFiles,
        );
        assert_eq!((network.name, network.address, network.gateway), (None, None, None));
        assert_eq!(network.dns.len(), 1);
        assert_eq!(network.ntp, ["b.example"]);
    }

    #[test]
    fn a_file_with_a_mistake_still_gives_its_address() {
        let network =
            Network::read("[network]\naddress = \"192.0.2.7/24\"\n[server\nurl = \n", &::settings::NoFiles);
        assert_eq!(network.address, Some(("192.0.2.7".parse().unwrap(), 24)));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_file_of_known_lines(text in "(\\[|\\]|network|address|ntp|=|\"|\n|[ -~]|ä){0,60}") {
            let known = ["[Match]", "[Link]", "[Network]", "[DHCPv4]", "[DHCPv6]", "[NetDev]", "[VLAN]", ""];
            for (_, file) in Network::read(&text, &::settings::NoFiles).files() {
                for line in file.lines() {
                    prop_assert!(known.contains(&line) || line.split_once('=').is_some());
                }
            }
        }
    }
}
