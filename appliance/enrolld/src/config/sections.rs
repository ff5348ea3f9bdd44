//! The sections of `enrollment.toml`, field by field. The reference in
//! `docs/configuration.md` is made from this file.

use std::fmt;
use std::net::IpAddr;

use station::catalogue::Language;
use toml::de::DeValue;
use zeroize::Zeroizing;

use super::fields::{
    Authorities, InterfaceAddress, Line, Listen, LogServer, Name, Pin, Ports, Url, Whole, read_beside,
    text_of,
};
use super::handed::{CodeFile, CodesFile, Reader as Recipient, SecretFile};
use super::read::{Field, Reader, Value};

sections! {
    /// What this station is.
    pub struct StationSection {
        /// The station's name, and its host name.
        pub name: Name = Name::fixed("enrollment-station"),
        /// The language of the display.
        pub language: Speech = Speech::English,
        /// Who starts enrollments when the station is switched on.
        pub mode: StartMode = StartMode::Attended,
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
        pub ntp: Vec<Line<253>> = Vec::new(),
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

    /// The server that tokens are registered at.
    pub struct ServerSection {
        /// Its address.
        pub url: Option<Url> = None,
        /// What people call it, for the names of credentials on keys that keep names.
        pub name: Line<40> = Line::new("privacyIDEA"),
        /// The authorities that may have signed its certificate; the system's when it is left out.
        pub ca: Option<Authorities> = None,
        /// Its public key, instead of an authority. Several while the key changes.
        pub pin: Vec<Pin> = Vec::new(),
        /// Gives up what protects seeds on their way. For trying things out only.
        pub insecure: Option<Insecure> = None,
        /// An API key of the server. Whoever has the card has it.
        pub api_key: Option<ApiKey> = None,
        /// The file with an API key in its first line.
        pub api_key_file: Option<ApiKeyFile> = None,
        /// How long an answer may take, in seconds.
        pub timeout_seconds: Whole<5, 120> = Whole::new(30),
        /// How long a change may take to show, in seconds, where the server is several machines behind one
        /// name. That a token is gone, which the server did not say it deleted, is believed after that.
        pub lag_seconds: Whole<0, 600> = Whole::new(90),
        /// Enrolls without a server: tokens become files that one imports, encrypted for those whom
        /// hand-over.to names.
        pub output: Option<Output> = None,
    }

    /// What opens slots of YubiKeys, and what shall guard them. Each in a file beside the configuration, so that
    /// no code stands in it.
    pub struct AccessCodesSection {
        /// What opens the slots of each key now.
        pub table_file: Option<CodesFile> = None,
        /// What every slot gets, where a profile says new-access-code = "fixed".
        pub fixed_file: Option<CodeFile> = None,
        /// What codes are derived from, where a profile says new-access-code = "derived". Whoever loses
        /// it cannot change those slots any more.
        pub secret_file: Option<SecretFile> = None,
    }

    /// Secrets for people: access codes, PINs, tokens without a server. They become files that the station itself cannot read.
    pub struct HandOverSection {
        /// Who can read them.
        pub to: Vec<Recipient> = Vec::new(),
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

    /// Where keys may be plugged in.
    pub struct UsbSection {
        /// The ports; all of them when there are none.
        pub ports: Vec<Ports> = Vec::new(),
    }

    /// The SSH door.
    pub struct ShellSection {
        /// Where it listens.
        pub listen: Vec<Listen> = default_listen(),
        /// How long a session may be idle, in minutes.
        pub idle_minutes: Whole<1, 240> = Whole::new(15),
        /// How keys are exchanged. "post-quantum" is ML-KEM with X25519 and nothing else: it keeps out OpenSSH
        /// before 9.9, dropbear before 2025.87 and PuTTY before 0.83.
        pub key_exchange: KeyExchange = KeyExchange::Any,
        /// Whether an admin has to sign what changes where secrets go or who may come in, so that the SSH door cannot
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

    /// Who starts enrollments.
    pub enum StartMode {
        /// Each key that is plugged in is enrolled by the profile that fits it.
        Armed = "armed",
        /// An operator starts each enrollment or run.
        Attended = "attended",
        /// Nothing is enrolled.
        Locked = "locked",
    }

    /// How an SSH client and the door agree on keys.
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

impl Speech {
    /// The catalogue's word for it.
    #[must_use]
    pub const fn language(self) -> Language {
        match self {
            Self::English => Language::English,
            Self::German => Language::German,
        }
    }
}

fn default_listen() -> Vec<Listen> {
    vec![Listen((std::net::Ipv6Addr::UNSPECIFIED, 22).into())]
}

/// An API key. It is wiped when it is dropped and cannot be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// A JSON web token, which is what privacyIDEA calls an API key: three parts of base64url.
    fn parse(text: &str) -> Option<Self> {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b))
        };
        let parts: Vec<&str> = text.split('.').collect();
        (parts.len() == 3 && parts.into_iter().all(part) && text.len() <= 8192)
            .then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// It. Where it goes from here is the caller's responsibility.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

const NO_API_KEY: &str = "this is no API key of privacyIDEA";

const API_KEY_REMEDY: &str =
    "An API key has three parts with dots between them; make one with pi-manage api createtoken -r admin.";

impl Field for ApiKey {
    fn form() -> String {
        "an API key of privacyIDEA".to_owned()
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::String(text) = value.get_ref() else {
            reader.problem(&value.span(), NO_API_KEY, API_KEY_REMEDY);
            return None;
        };
        let key = Self::parse(text);
        if key.is_none() {
            reader.problem(&value.span(), NO_API_KEY, API_KEY_REMEDY);
        }
        key
    }

    fn show(&self) -> Option<String> {
        None
    }
}

/// The API key in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyFile {
    /// The file's name.
    pub file: String,
    /// What it contains.
    pub key: ApiKey,
}

impl Field for ApiKeyFile {
    fn form() -> String {
        "the name of a file beside the configuration".to_owned()
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        text_of::<Self>(value, reader)?;
        let (file, bytes) = read_beside::<Self>(value, reader)?;
        let first = std::str::from_utf8(&bytes).ok().and_then(|text| text.lines().next());
        let key = first.and_then(|line| ApiKey::parse(line.trim()));
        if key.is_none() {
            reader.problem(&value.span(), format!("the first line of {file} is no API key"), API_KEY_REMEDY);
        }
        Some(Self { file, key: key? })
    }

    fn show(&self) -> Option<String> {
        None
    }
}

impl ServerSection {
    /// The API key, wherever it stands.
    #[must_use]
    pub fn key(&self) -> Option<&ApiKey> {
        self.api_key.as_ref().or(self.api_key_file.as_ref().map(|file| &file.key))
    }
}
