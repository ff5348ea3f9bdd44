//! What `enrollment.toml` says about the network, as a file for systemd-networkd.
//!
//! The daemon reads the same fields and says on the panel what is wrong with them. Here whatever cannot be
//! understood is as if it were not there: a station with a typing error in its address takes one from DHCP,
//! so that its operators reach it.

use std::fmt::Write as _;
use std::net::IpAddr;

use toml::de::{DeTable, DeValue};

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
}

impl Network {
    /// Reads what is there.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let (table, _) = DeTable::parse_recoverable(text);
        let table = table.get_ref();
        let field = |section: &str, name: &str| match table.get(section)?.get_ref() {
            DeValue::Table(fields) => fields.get(name).map(|value| strings(value.get_ref())),
            _ => None,
        };
        let one = |section: &str, name: &str| field(section, name).and_then(|all| all.into_iter().next());
        let addresses = |texts: Vec<String>| texts.iter().filter_map(|text| text.parse().ok()).collect();
        Self {
            name: one("station", "name").filter(|name| is_host(name)),
            address: one("network", "address").and_then(|text| address(&text)),
            gateway: one("network", "gateway").and_then(|text| text.parse().ok()),
            dns: field("network", "dns").map(addresses).unwrap_or_default(),
            ntp: field("network", "ntp")
                .unwrap_or_default()
                .into_iter()
                .filter(|name| is_server(name))
                .collect(),
        }
    }

    /// The file for networkd, for every wired interface.
    #[must_use]
    pub fn file(&self) -> String {
        let mut text = "[Match]\nType=ether\n\n[Link]\nRequiredForOnline=no\n\n[Network]\n".to_owned();
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

fn strings(value: &DeValue<'_>) -> Vec<String> {
    match value {
        DeValue::String(text) => vec![text.to_string()],
        DeValue::Array(values) => values.iter().flat_map(|value| strings(value.get_ref())).collect(),
        _ => Vec::new(),
    }
}

fn address(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let prefix = prefix.parse().ok().filter(|bits| *bits <= if address.is_ipv4() { 32 } else { 128 })?;
    Some((address, prefix))
}

/// A label of a host name (RFC 1123, section 2.1).
fn is_host(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A name or an address, and nothing that would be another line of the file.
fn is_server(name: &str) -> bool {
    (1..=253).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fixed_address() {
        let network = Network::read(
            "[station]\nname = \"desk-3\"\n[network]\naddress = \"192.0.2.7/24\"\ngateway = \"192.0.2.1\"\ndns = [\"192.0.2.53\", \"2001:db8::1\"]\nntp = [\"time.example\"]\n",
        );
        assert_eq!(network.name.as_deref(), Some("desk-3"));
        let file = network.file();
        for line in
            ["DHCP=no", "Address=192.0.2.7/24", "Gateway=192.0.2.1", "DNS=2001:db8::1", "NTP=time.example"]
        {
            assert!(file.lines().any(|there| there == line), "{line} in {file}");
        }
    }

    #[test]
    fn nothing_said_means_dhcp() {
        assert_eq!(Network::read(""), Network::default());
        assert!(Network::default().file().contains("\nDHCP=yes\n"));
    }

    #[test]
    fn what_is_wrong_is_left_out_and_the_rest_counts() {
        let network = Network::read(
            "[station]\nname = \"no name\"\n[network]\naddress = \"192.0.2.7/33\"\ngateway = 3\ndns = [\"x\", \"192.0.2.53\"]\nntp = [\"a\\nDHCP=no\", \"b.example\"]\n",
        );
        assert_eq!((network.name, network.address, network.gateway), (None, None, None));
        assert_eq!(network.dns.len(), 1);
        assert_eq!(network.ntp, ["b.example"]);
    }

    #[test]
    fn a_file_with_a_mistake_still_gives_its_address() {
        let network = Network::read("[network]\naddress = \"192.0.2.7/24\"\n[server\nurl = \n");
        assert_eq!(network.address, Some(("192.0.2.7".parse().unwrap(), 24)));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_file_of_known_lines(text in "(\\[|\\]|network|address|ntp|=|\"|\n|[ -~]|ä){0,60}") {
            let known = ["[Match]", "[Link]", "[Network]", "[DHCPv4]", "[DHCPv6]", ""];
            for line in Network::read(&text).file().lines() {
                prop_assert!(known.contains(&line) || line.split_once('=').is_some());
            }
        }
    }
}
