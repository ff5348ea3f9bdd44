//! What is wrong although each field by itself is right.

use std::collections::BTreeMap;
use std::ops::Range;

use station::engine::mode::Fits;
use station::profile::{CodeTo, KeyPin, NewCode, Overwrite};
use toml::Spanned;
use toml::de::DeTable;

use super::desk::zone_named;
use super::{Config, DisplayKind, HandOverReader, Insecure, LogProtocol, StartMode};
use settings::read::Reader;
use settings::table_of;

pub(super) fn find<'c>(config: &'c Config, table: &'c Spanned<DeTable<'c>>, reader: &'c mut Reader<'_>) {
    let mut check = Check { config, table, reader };
    check.server();
    check.operators();
    check.profiles();
    check.hand_over();
    check.armed();
    check.panel();
    check.network();
    check.log();
    check.update();
    let unknown = config.station.time_zone.as_ref().filter(|name| zone_named(name.as_str()).is_none());
    if let Some(name) = unknown {
        check.say(
            "station",
            "time-zone",
            format!("this machine knows no time zone \"{}\"", name.as_str()),
            "Write a name such as \"Europe/Berlin\", or leave it out.",
        );
    }
    if config.shell.listen.is_empty() {
        check.say(
            "shell",
            "listen",
            "nobody can log in when the SSH server listens nowhere",
            "Write [\"[::]:22\"].",
        );
    }
}

struct Check<'c, 'r> {
    config: &'c Config,
    table: &'c Spanned<DeTable<'c>>,
    reader: &'c mut Reader<'r>,
}

impl Check<'_, '_> {
    /// Where a field stands, or its section, or the beginning.
    fn span(&self, section: &str, field: &str) -> Range<usize> {
        let section_span = || self.table.get_ref().get_key_value(section).map(|(key, _)| key.span());
        let own = table_of(self.table, section).and_then(|table| table.get_key_value(field));
        own.map(|(key, _)| key.span()).or_else(section_span).unwrap_or(0..0)
    }

    fn say(&mut self, section: &str, field: &str, text: impl Into<String>, remedy: &str) {
        let span = self.span(section, field);
        self.reader.below(section, |reader| reader.problem_in(field, &span, text, remedy));
    }

    fn server(&mut self) {
        let server = &self.config.server;
        let trusts = [("ca", server.ca.is_some()), ("pin", !server.pin.is_empty())];
        let accepts_any = server.insecure == Some(Insecure::AnyCertificate);
        if server.ca.is_some() && !server.pin.is_empty() {
            self.say("server", "pin", "pin and ca exclude each other", "Keep one of the two.");
        }
        if accepts_any && let Some((field, _)) = trusts.iter().find(|(_, given)| *given) {
            let said = format!("{field} means nothing when any certificate is accepted");
            self.say("server", "insecure", said, "Remove insecure.");
        }
        if server.api_key.is_some() && server.api_key_file.is_some() {
            self.say(
                "server",
                "api-key",
                "api-key and api-key-file exclude each other",
                "Keep api-key-file.",
            );
        }
        if server.output.is_some() && server.url.is_some() {
            self.say(
                "server",
                "output",
                "output and url exclude each other",
                "Keep url, or output to enroll without a server.",
            );
        }
        let Some(url) = &server.url else {
            let others = [
                ("ca", server.ca.is_some()),
                ("pin", !server.pin.is_empty()),
                ("insecure", server.insecure.is_some()),
                ("api-key", server.api_key.is_some()),
                ("api-key-file", server.api_key_file.is_some()),
            ];
            for (field, _) in others.iter().filter(|(_, given)| *given) {
                self.say(
                    "server",
                    field,
                    "it is about a server, and there is no url",
                    "Add url = \"https://…\".",
                );
            }
            return;
        };
        match (url.is_https(), server.insecure) {
            (false, Some(Insecure::PlainHttp)) | (true, None | Some(Insecure::AnyCertificate)) => {}
            (false, _) => {
                self.say(
                    "server",
                    "url",
                    "http:// sends seeds and passwords so that everybody on the way can read them",
                    "Write https://, or say in server.insecure that this is wanted.",
                );
            }
            (true, Some(Insecure::PlainHttp)) => {
                self.say("server", "insecure", "the url says https://", "Remove insecure.");
            }
        }
        if !url.is_https()
            && let Some((field, _)) = trusts.iter().find(|(_, given)| *given)
        {
            self.say(
                "server",
                field,
                "without https there is no certificate",
                "Remove it, or write https://.",
            );
        }
    }

    fn operators(&mut self) {
        if self.config.operators.is_empty() {
            self.reader.problem_in(
                "operators",
                &(0..0),
                "nobody may log in",
                "Add [[operators]] with name, role and keys.",
            );
            return;
        }
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        let mut keys: BTreeMap<&str, &str> = BTreeMap::new();
        let mut found = Vec::new();
        for operator in &self.config.operators {
            let name = operator.name.as_str();
            *names.entry(name).or_default() += 1;
            if operator.keys.is_empty() {
                found.push((format!("{name} has no key"), "Add keys = [\"ssh-ed25519 …\"]."));
            }
            for key in operator.ssh_keys() {
                if let Some(other) = keys.insert(&key.fingerprint, name).filter(|other| *other != name) {
                    let said = format!("{other} and {name} have the same key {}", key.fingerprint);
                    found.push((said, "Give each operator a key of their own."));
                }
            }
        }
        for (name, _) in names.iter().filter(|(_, count)| **count > 1) {
            found.push((
                format!("there are several operators {name}"),
                "Put all keys of one person into one table.",
            ));
        }
        let span = self.span("operators", "");
        for (text, remedy) in found {
            self.reader.problem_in("operators", &span, text, remedy);
        }
    }

    fn profiles(&mut self) {
        if self.config.profiles.is_empty() {
            // One that could not be read has been reported already.
            if self.table.get_ref().get("profile").is_none() {
                let remedy = "Add [profile.desk] with kind = \"hotp\".";
                self.reader.problem_in("profile", &(0..0), "there is no profile", remedy);
            }
        } else if let Some(name) = &self.config.run.profile
            && !self.config.profiles.contains_key(name.as_str())
        {
            self.say(
                "run",
                "profile",
                format!("there is no profile {name}"),
                "Name one of those below [profile…].",
            );
        }
    }

    /// Notes a problem with a profile's field.
    fn say_of_profile(&mut self, name: &str, field: &str, text: &str, remedy: &str) {
        let span = table_of(self.table, "profile")
            .and_then(|profiles| profiles.get(name))
            .and_then(|profile| profile.get_ref().as_table())
            .and_then(|profile| profile.get_key_value(field))
            .map_or_else(|| self.span("profile", ""), |(key, _)| key.span());
        self.reader.problem_in(&format!("profile.{name}.{field}"), &span, text, remedy);
    }

    /// Secrets that profiles want made need somebody to read them, and codes need a file.
    fn hand_over(&mut self) {
        let config = self.config;
        for reader in &config.hand_over.to {
            let HandOverReader::Operator(name) = reader else { continue };
            if !config.operators.iter().any(|operator| operator.name == *name) {
                self.say(
                    "hand-over",
                    "to",
                    format!("there is no operator {name}"),
                    "Name one of [[operators]], or write the public key itself.",
                );
            } else if config.sealing_keys(name).next().is_none() {
                self.say(
                    "hand-over",
                    "to",
                    format!("{name} has no ssh-ed25519 key, and nothing can be encrypted to others"),
                    "Give the operator such a key, or write a recipient of age (age-keygen) here.",
                );
            }
        }
        const NOBODY: &str = "Add [hand-over] with to = [\"NAME\"], an operator who has an ssh-ed25519 key.";
        let nobody = config.hand_over.to.is_empty();
        if nobody && config.server.output.is_some() {
            self.say("server", "output", "nobody is named who could read the files", NOBODY);
        }
        for (name, section) in &config.profiles {
            let profile = &section.profile;
            let random = profile.new_access_code == NewCode::Random;
            if nobody && random && profile.access_code_to == CodeTo::HandOver {
                self.say_of_profile(name, "access-code-to", "nobody is named who could read it", NOBODY);
            }
            if nobody && profile.key_pin == KeyPin::Random {
                self.say_of_profile(
                    name,
                    "key-pin",
                    "nobody is named who could read the random PINs",
                    NOBODY,
                );
            }
            if random && profile.access_code_to == CodeTo::Server && config.server.output.is_some() {
                self.say_of_profile(
                    name,
                    "new-access-code",
                    "there is no server that could keep it",
                    "Add access-code-to = \"hand-over\".",
                );
            }
            let codes = &config.access_codes;
            if profile.new_access_code == NewCode::Fixed && codes.fixed_file.is_none() {
                self.say_of_profile(
                    name,
                    "new-access-code",
                    "there is no fixed code",
                    "Add [access-codes] with fixed-file = \"FILE\".",
                );
            }
            if profile.new_access_code == NewCode::Derived && codes.secret_file.is_none() {
                self.say_of_profile(
                    name,
                    "new-access-code",
                    "there is no secret that codes could be derived from",
                    "Add [access-codes] with secret-file = \"FILE\".",
                );
            }
        }
    }

    /// Nobody is there to be asked anything when the station is armed.
    fn armed(&mut self) {
        if self.config.station.mode != StartMode::Armed {
            return;
        }
        let mut everywhere: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut found = Vec::new();
        for (name, section) in &self.config.profiles {
            if section.fits == Fits::default() {
                let way = format!("{:?} {}", section.profile.kind, section.profile.slot);
                everywhere.entry(way).or_default().push(name);
            }
            if section.profile.overwrite == Overwrite::Confirmed {
                found.push((
                    name,
                    "overwrite",
                    "nobody confirms it when the station is armed",
                    "Write \"never\" or \"factory\", or station.mode = \"attended\".",
                ));
            }
            if section.profile.key_pin == KeyPin::Asked {
                found.push((
                    name,
                    "key-pin",
                    "nobody gives it when the station is armed",
                    "Write \"factory\", or station.mode = \"attended\".",
                ));
            }
        }
        for (name, field, text, remedy) in found {
            self.say_of_profile(name, field, text, remedy);
        }
        let tie = everywhere.values().find(|names| names.len() > 1);
        if let Some(names) = tie.filter(|_| self.config.run.profile.is_none()) {
            let said =
                format!("{} fit the same keys, so an armed station could not choose", names.join(" and "));
            self.say("station", "mode", said, "Give all but one a match rule, or name one in run.profile.");
        }
    }

    fn panel(&mut self) {
        let panel = &self.config.panel;
        if !matches!(panel.lamp.len(), 0 | 1 | 3) {
            self.say("panel", "lamp", "a lamp has one pin or three", "Write [17] or [17, 27, 22].");
        }
        let mut users: BTreeMap<u32, &str> = BTreeMap::new();
        let lamp = panel.lamp.iter().map(|pin| ("lamp", *pin));
        let others = [("buzzer", panel.buzzer), ("button", panel.button)];
        let others = others.into_iter().filter_map(|(name, pin)| Some((name, pin?)));
        let mut found = Vec::new();
        for (name, pin) in lamp.chain(others) {
            if let Some(other) = users.insert(pin.number(), name) {
                found.push((name, format!("pin {} is the {other}'s already", pin.number())));
            }
            // GPIO 2 and 3 carry I2C bus 1.
            if panel.display != DisplayKind::None
                && panel.i2c_bus.number() == 1
                && matches!(pin.number(), 2 | 3)
            {
                found.push((name, format!("pin {} is the display's I2C bus", pin.number())));
            }
        }
        for (name, text) in found {
            self.say("panel", name, text, "Choose another pin.");
        }
    }

    fn network(&mut self) {
        let network = &self.config.network;
        if network.address.is_some() {
            return;
        }
        for (field, given) in [("gateway", network.gateway.is_some()), ("dns", !network.dns.is_empty())] {
            if given {
                self.say(
                    "network",
                    field,
                    "it comes from the DHCP server when there is no address",
                    "Add address, or remove it.",
                );
            }
        }
    }

    fn update(&mut self) {
        let wrong = |key: &&crate::config::Line<100>| card::update_facts::own_key(key.as_str()).is_none();
        if let Some(key) = self.config.update.keys.iter().find(wrong) {
            let text = format!("\"{}\" is no name with a public key behind it", key.as_str());
            self.say(
                "update",
                "keys",
                text,
                "Write a word, a space, and the second line of minisign's .pub file.",
            );
        }
    }

    fn log(&mut self) {
        let log = &self.config.log;
        let Some(server) = log.to else {
            if log.protocol != LogProtocol::Udp || log.ca.is_some() {
                self.say("log", "to", "it is not said where log lines go", "Add to, or remove the section.");
            }
            return;
        };
        match (log.protocol, log.ca.is_some()) {
            (LogProtocol::Tls, false) => {
                self.say(
                    "log",
                    "protocol",
                    "there is no authority that the syslog server's certificate could be checked with",
                    "Add ca, or choose another protocol.",
                );
            }
            (LogProtocol::Udp | LogProtocol::Tcp, true) => {
                self.say(
                    "log",
                    "ca",
                    "nothing is checked with it",
                    "Write protocol = \"tls\", or remove it.",
                );
            }
            _ => {}
        }
        // systemd-netlogd 1.4.4 opens an IPv4 socket for TLS, whatever the address (netlog-tls.c, tls_connect).
        if log.protocol == LogProtocol::Tls && server.0.is_ipv6() {
            self.say("log", "to", "\"tls\" does not reach IPv6 addresses", "Write an IPv4 address.");
        }
    }
}
