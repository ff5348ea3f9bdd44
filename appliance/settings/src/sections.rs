//! The sections of `enrollment.toml`, field by field. The reference in
//! `docs/configuration.md` is made from this file.

use std::net::IpAddr;

use crate::values::{Authorities, InterfaceAddress, Line, Listen, LogServer, Name, TimeServer, Whole};

sections! {
    /// What this station is.
    pub struct StationSection {
        /// The station's name, and its host name.
        pub name: Name = Name::fixed("enrollment-station"),
        /// The language of the display.
        pub language: Speech = Speech::English,
        /// Who starts enrollments when the station is switched on.
        pub mode: StartMode = StartMode::Attended,
        /// The time zone of reports, such as "Europe/Berlin"; the machine's when it is left out.
        pub time_zone: Option<Line<64>> = None,
        /// The encoding of lists of people that are not Unicode. When it is left out, whoever gives such a list is asked.
        pub lists_encoding: Option<ListsEncoding> = None,
        /// After how many days the journal forgets whom a finished enrollment was for; never when it is left out.
        pub forget_people_after: Option<Whole<1, 3650>> = None,
    }

    /// How the station is reached. Read by the image when it starts; it does nothing elsewhere.
    pub struct NetworkSection {
        /// The station's own address. When it is left out, a DHCP server gives one.
        pub address: Option<InterfaceAddress> = None,
        /// The way out, with an address of its own.
        pub gateway: Option<IpAddr> = None,
        /// Name servers, with an address of its own.
        pub dns: Vec<IpAddr> = Vec::new(),
        /// Time servers; the network's own or Debian's when there are none.
        pub ntp: Vec<TimeServer> = Vec::new(),
        /// The VLAN (IEEE 802.1Q) that it is in, where the socket carries several. Then it has no address outside of it.
        pub vlan: Option<Whole<1, 4094>> = None,
    }

    /// Where log lines go besides the station's own memory. Read by the image when it starts; it does nothing elsewhere.
    pub struct LogSection {
        /// A syslog server (RFC 5424). Its address, since lines are sent before names can be looked up.
        pub to: Option<LogServer> = None,
        /// How they get there. Only "tls" keeps them from being read and changed on their way.
        pub protocol: LogProtocol = LogProtocol::Udp,
        /// The authority that has signed the certificate of the syslog server, for "tls". Its own, and not one that signs
        /// for others as well: the name in the certificate is not compared.
        pub ca: Option<Authorities> = None,
    }

    /// New versions of the card's system. Read by the image when it starts; it does nothing elsewhere.
    pub struct UpdateSection {
        /// Your own keys that may sign updates, beside those of the release: each a name, a space, and the public key as minisign writes
        /// it ("own RWQ…").
        pub keys: Vec<Line<100>> = Vec::new(),
    }

    /// Display, lamp, buzzer and button. Pins have the numbers of the SoC (BCM).
    pub struct PanelSection {
        /// The display.
        pub display: DisplayKind = DisplayKind::Tall,
        /// The I2C bus it is wired to.
        pub i2c_bus: Whole<0, 255> = Whole::new(1),
        /// Its address on the bus, 60 (0x3c) or 61 (0x3d).
        pub i2c_address: Whole<0x3c, 0x3d> = Whole::new(0x3c),
        /// Whether it is mounted upside down.
        pub upside_down: bool = false,
        /// Its contrast.
        pub contrast: Whole<0, 255> = Whole::new(0x9f),
        /// The pin of a lamp of one colour, or the three pins (red, green, blue) of one of three.
        pub lamp: Vec<Whole<0, 27>> = Vec::new(),
        /// Whether a low pin lights the lamp.
        pub lamp_active_low: bool = false,
        /// The pin of a buzzer.
        pub buzzer: Option<Whole<0, 27>> = None,
        /// The pin of a button to ground.
        pub button: Option<Whole<0, 27>> = None,
    }

    /// The SSH server.
    pub struct ShellSection {
        /// Where it listens.
        pub listen: Vec<Listen> = default_listen(),
        /// How long a session may be idle, in minutes.
        pub idle_minutes: Whole<1, 240> = Whole::new(15),
        /// How keys are exchanged. "post-quantum" is ML-KEM with X25519 and nothing else: it keeps out OpenSSH
        /// before 9.9, dropbear before 2025.87 and PuTTY before 0.83.
        pub key_exchange: KeyExchange = KeyExchange::Any,
        /// Whether an admin has to sign what changes where secrets go or who may come in, so that the SSH server cannot
        /// make it up. It counts in the file on the card alone.
        pub signed_changes: bool = true,
    }

    /// The signed records of enrollments.
    pub struct ReceiptsSection {
        /// Whether the token at the server names its receipt.
        pub on_server: bool = true,
    }

    /// What enrollments have in common.
    pub struct RunSection {
        /// The profile of enrollments that name none; the one that fits the key when it is left out.
        pub profile: Option<Name> = None,
        /// How many keys are worked on at the same time.
        pub in_flight: Whole<1, 16> = Whole::new(8),
    }
}

choices! {
    /// What tokens become without a server.
    pub enum Output {
        /// OATH CSV, with the ids of a Yubico OTP.
        Csv = "csv",
        /// PSKC (RFC 6030).
        Pskc = "pskc",
    }

    /// How log lines travel.
    pub enum LogProtocol {
        /// A packet for each.
        Udp = "udp",
        /// One after the other.
        Tcp = "tcp",
        /// The same, encrypted.
        Tls = "tls",
    }

    /// A language of the display.
    pub enum Speech {
        /// English.
        English = "en",
        /// German.
        German = "de",
    }

    /// An encoding of lists.
    pub enum ListsEncoding {
        /// Central Europe, Latin letters.
        Windows1250 = "windows-1250",
        /// Cyrillic.
        Windows1251 = "windows-1251",
        /// Western Europe.
        Windows1252 = "windows-1252",
        /// Greek.
        Windows1253 = "windows-1253",
        /// Turkish.
        Windows1254 = "windows-1254",
        /// Baltic.
        Windows1257 = "windows-1257",
        /// Unicode, and nothing else.
        Utf8 = "utf-8",
    }

    /// Who starts enrollments.
    pub enum StartMode {
        /// Each key that is plugged in is enrolled by the profile that fits it.
        Armed = "armed",
        /// An operator starts each enrollment or run.
        Attended = "attended",
        /// Nothing is enrolled.
        Locked = "locked",
    }

    /// How an SSH client and the SSH server agree on keys.
    pub enum KeyExchange {
        /// As well as the client can.
        Any = "any",
        /// In no way that a quantum computer could break.
        PostQuantum = "post-quantum",
    }

    /// A display.
    pub enum DisplayKind {
        /// SSD1306, 128 by 64 pixels.
        Tall = "128x64",
        /// SSD1306, 128 by 32 pixels.
        Flat = "128x32",
        /// None.
        None = "none",
    }

    /// What protection is given up, in as many words.
    pub enum Insecure {
        /// Whoever answers at the address is taken for the server.
        AnyCertificate = "accept any certificate, so that anybody in between gets the seeds",
        /// Nothing is encrypted.
        PlainHttp = "send everything unencrypted, seeds and passwords included",
    }
}

fn default_listen() -> Vec<Listen> {
    vec![Listen((std::net::Ipv6Addr::UNSPECIFIED, 22).into())]
}
