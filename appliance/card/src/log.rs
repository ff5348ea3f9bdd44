//! Where log lines go, as a file for systemd-netlogd.
//!
//! Source: its manual page and netlog-gperf.gperf, version 1.4.4.

use std::net::SocketAddr;

use ::settings::LogProtocol;

/// A syslog server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    to: SocketAddr,
    protocol: LogProtocol,
    /// The authority's file, which stands beside the settings.
    ca: Option<String>,
}

impl Log {
    /// Where it is, how lines get there, and for TLS the file of the authority. None when that does not fit together.
    pub fn new(to: SocketAddr, protocol: LogProtocol, ca: Option<String>) -> Option<Self> {
        let ca = if protocol == LogProtocol::Tls { Some(ca?) } else { None };
        Some(Self { to, protocol, ca })
    }

    /// The authority's file, beside the settings.
    pub fn authority(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// The part of its unit that lets it send to that server, and to no other.
    pub fn unit(&self) -> String {
        format!("[Service]\nIPAddressAllow={}\n", self.to.ip())
    }

    /// What netlogd reads; `authority` is where it finds that file.
    pub fn file(&self, authority: &str) -> String {
        let Self { to, protocol, ca } = self;
        let trust = if ca.is_some() { format!("TLSServerCertificate={authority}\n") } else { String::new() };
        format!(
            "[Network]\nAddress={to}\nProtocol={}\nLogFormat=rfc5424\nConnectionRetrySec=10s\n\
             TLSCertificateAuthMode=deny\n{trust}",
            protocol.word()
        )
    }
}

/// The certificates of a PEM file (RFC 7468), without anything else that stands there, such as a private key.
pub fn certificates(text: &str) -> String {
    let mut inside = false;
    let mut all = String::new();
    for line in text.lines().map(str::trim) {
        inside |= line == "-----BEGIN CERTIFICATE-----";
        if inside {
            all.extend([line, "\n"]);
        }
        inside &= line != "-----END CERTIFICATE-----";
    }
    if inside { String::new() } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every file is there.
    struct Everything;

    impl ::settings::Files for Everything {
        fn read(&self, _: &str) -> std::io::Result<zeroize::Zeroizing<Vec<u8>>> {
            Ok(zeroize::Zeroizing::new(b"-----BEGIN CERTIFICATE-----\n".to_vec()))
        }
    }

    #[test]
    fn it_is_sent_as_it_is_meant_or_not_at_all() {
        let to = "192.0.2.5:6514".parse().unwrap();
        let ca = |name: &str| Some(name.to_owned());
        assert!(
            Log::new(to, LogProtocol::Udp, None)
                .unwrap()
                .file("")
                .contains("Address=192.0.2.5:6514\nProtocol=udp\n")
        );
        let tls = Log::new(to, LogProtocol::Tls, ca("logs.pem")).unwrap();
        assert_eq!(tls.authority(), Some("logs.pem"));
        assert!(tls.file("/run/ca").ends_with("TLSCertificateAuthMode=deny\nTLSServerCertificate=/run/ca\n"));
        assert_eq!(Log::new(to, LogProtocol::Tls, None), None);
        // Such a name is none of a file beside the settings, and `settings` leaves it out.
        for wrong in ["", "../logs.pem", ".hidden", "a\\nProtocol=udp"] {
            let text = format!("[log]\nto = \"{to}\"\nprotocol = \"tls\"\nca = \"{wrong}\"\n");
            assert_eq!(crate::network::Network::read(&text, &Everything).log, None, "{wrong}");
        }
        let text = format!("[log]\nto = \"{to}\"\nprotocol = \"tls\"\nca = \"logs.pem\"\n");
        assert!(crate::network::Network::read(&text, &Everything).log.is_some());
    }

    #[test]
    fn of_the_authoritys_file_only_certificates_are_taken() {
        let one = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n";
        assert_eq!(certificates(&format!("logs\r\n{key}{one}{key}{one}")), one.repeat(2));
        assert_eq!(certificates(key), "");
        assert_eq!(certificates("aaa.bbb.ccc\n"), "");
        assert_eq!(certificates(&format!("-----BEGIN CERTIFICATE-----\n{key}")), "");
    }

    #[test]
    fn it_stands_in_the_settings() {
        let read = |text: &str| crate::network::Network::read(text, &::settings::NoFiles).log;
        let six = read("[log]\nto = \"[2001:db8::5]:514\"\nprotocol = \"tcp\"\n").unwrap();
        assert!(six.file("").contains("Address=[2001:db8::5]:514\nProtocol=tcp\n"));
        assert_eq!(six.unit(), "[Service]\nIPAddressAllow=2001:db8::5\n");
        assert_eq!(read("[log]\nto = \"logs.example:514\"\n"), None);
        assert_eq!(read("[log]\nto = \"192.0.2.5:6514\"\nprotocol = \"tls\"\n"), None);
        assert_eq!(read("[station]\n"), None);
    }
}
