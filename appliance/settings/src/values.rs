//! The kinds of values that fields have, as far as they need none of our types.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use toml::de::DeValue;
use zeroize::Zeroizing;

use crate::read::{Field, Reader, Value};

/// Text of a value, or a problem.
pub fn text_of<'a, T: Field>(value: &'a Value<'_>, reader: &mut Reader<'_>) -> Option<&'a str> {
    let text = value.get_ref().as_str();
    if text.is_none() {
        reader.misfit::<T>(value);
    }
    text
}

/// Text as TOML and problems quote it.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Whole<MIN, MAX> {
    /// A number, brought into the range.
    pub const fn new(number: u32) -> Self {
        Self(if number < MIN {
            MIN
        } else if number > MAX {
            MAX
        } else {
            number
        })
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> Field for Whole<MIN, MAX> {
    fn form() -> String {
        format!("a number from {MIN} to {MAX}")
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Integer(written) = value.get_ref() else {
            reader.misfit::<Self>(value);
            return None;
        };
        let digits = written.as_str().replace('_', "");
        match i64::from_str_radix(digits.trim_start_matches('+'), written.radix())
            .ok()
            .and_then(|n| u32::try_from(n).ok())
        {
            Some(number) if (MIN..=MAX).contains(&number) => Some(Self(number)),
            _ => {
                reader.problem(&value.span(), "this number does not do", format!("Write {}.", Self::form()));
                None
            }
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// Text of 1 to `MAX` characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<const MAX: usize>(String);

impl<const MAX: usize> Line<MAX> {
    /// A text that is known to do.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Field for Line<MAX> {
    fn form() -> String {
        format!("text of 1 to {MAX} characters")
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = text_of::<Self>(value, reader)?;
        if !(1..=MAX).contains(&text.chars().count()) || text.chars().any(char::is_control) {
            reader.problem(&value.span(), "this text does not do", format!("Write {}.", Self::form()));
            return None;
        }
        Some(Self(text.to_owned()))
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

/// A name: 1 to 63 of `a-z`, `0-9` and `-`, as host names are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Takes text as a name.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = (1..=63).contains(&text.len())
            && text.chars().all(fits)
            && !text.starts_with('-')
            && !text.ends_with('-');
        good.then(|| Self(text.to_owned()))
    }

    /// A name that is known to do.
    pub fn fixed(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Field for Name {
    fn form() -> String {
        "a name of 1 to 63 of a-z, 0-9 and -".to_owned()
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = text_of::<Self>(value, reader)?;
        let name = Self::parse(text);
        if name.is_none() {
            reader.problem(
                &value.span(),
                format!("{} is no name", quoted(text)),
                format!("Write {}.", Self::form()),
            );
        }
        name
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

/// Declares what is one of some words.
#[macro_export]
macro_rules! choices {
    ($(
        $(#[doc = $doc:literal])*
        pub enum $name:ident { $( $(#[doc = $word_doc:literal])* $variant:ident = $word:literal, )* }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $word_doc])* $variant, )* }

        impl $name {
            /// The word for it in the configuration.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl $crate::read::Field for $name {
            fn form() -> String {
                [$(concat!("\"", $word, "\"")),*].join(" or ")
            }

            fn read(
                value: &$crate::read::Value<'_>,
                reader: &mut $crate::read::Reader<'_>,
            ) -> Option<Self> {
                let text = $crate::values::text_of::<Self>(value, reader)?;
                match text {
                    $($word => Some(Self::$variant),)*
                    _ => {
                        let said = format!("\"{}\" is none of the words here", text.escape_debug());
                        reader.problem(&value.span(), said, format!("Write {}.", Self::form()));
                        None
                    }
                }
            }

            fn show(&self) -> Option<String> {
                Some(format!("\"{}\"", self.word()))
            }
        }
    )*};
}

/// A simple kind: text that one function reads.
#[macro_export]
macro_rules! texts {
    ($( $name:ty, $form:literal, $read:expr, $show:expr; )*) => {$(
        impl $crate::read::Field for $name {
            fn form() -> String {
                $form.to_owned()
            }

            fn read(value: &$crate::read::Value<'_>, reader: &mut $crate::read::Reader<'_>) -> Option<Self> {
                let text = $crate::values::text_of::<Self>(value, reader)?;
                let read: fn(&str) -> Option<Self> = $read;
                let read = read(text);
                if read.is_none() {
                    let said = format!("{} does not do", $crate::values::quoted(text));
                    reader.problem(&value.span(), said, format!("Write {}.", Self::form()));
                }
                read
            }

            fn show(&self) -> Option<String> {
                let show: fn(&Self) -> String = $show;
                Some($crate::values::quoted(&show(self)))
            }
        }
    )*};
}

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        // A host may have letters of every language, and capitals.
        let named = host.chars().all(|c| c.is_ascii() || c.is_alphanumeric());
        let good = matches!(scheme.as_str(), "https" | "http")
            && !host.is_empty()
            && named
            && path.is_ascii()
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "@?#\\".contains(c));
        good.then(|| Self(format!("{scheme}://{rest}")))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it asks for TLS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The host's name or address, without the port.
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        match authority.strip_prefix('[') {
            Some(six) => six.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        }
    }
}

/// A time server: an address, or a name as it is asked for in the DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeServer(String);

impl TimeServer {
    /// A name and nothing that would be another line of a file that it is written into.
    fn parse(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let name = (1..=253).contains(&text.len()) && text.bytes().all(fits);
        (name || text.parse::<IpAddr>().is_ok()).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the SSH server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogServer(pub SocketAddr);

/// An address or a network that operators may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    address: IpAddr,
    bits: u8,
}

impl Origin {
    /// Reads `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    /// Whether an address lies in it.
    pub fn contains(&self, other: IpAddr) -> bool {
        let number = |address: IpAddr| match address.to_canonical() {
            IpAddr::V4(four) => (u128::from(four.to_bits()) << 96, 32),
            IpAddr::V6(six) => (six.to_bits(), 128),
        };
        let ((mine, width), (theirs, others)) = (number(self.address), number(other));
        let mask = if self.bits == 0 { 0 } else { u128::MAX << (128 - u32::from(self.bits)) };
        width == others && mine & mask == theirs & mask
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The address of a network interface with its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceAddress(Origin);

impl InterfaceAddress {
    /// How many bits of it name the network.
    pub const fn bits(&self) -> u8 {
        self.0.bits
    }

    /// The address.
    pub const fn address(&self) -> IpAddr {
        self.0.address
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

texts! {
    Url, "an address such as \"https://pi.example.org\", without a user, '?' or '#'", Url::parse, |url| url.0.clone();
    Listen, "an address and a port such as \"[::]:22\"", |text| text.parse().ok().map(Listen), |listen| listen.0.to_string();
    TimeServer, "a name such as \"time.example.org\" (one with other letters as the DNS has it, \"xn--…\") or an address",
        TimeServer::parse, |server| server.0.clone();
    LogServer, "an address and a port such as \"192.0.2.5:514\"", |text| text.parse().ok().map(LogServer), |server| server.0.to_string();
    Origin, "an address or a network such as \"192.0.2.0/24\"", Origin::parse, ToString::to_string;
    IpAddr, "an address such as \"192.0.2.1\"", |text| text.parse().ok(), ToString::to_string;
    InterfaceAddress, "an address with its network such as \"192.0.2.10/24\"",
        |text| text.contains('/').then(|| Origin::parse(text)).flatten().map(InterfaceAddress), ToString::to_string;
}

/// A file beside the configuration, read. Its name has no directory.
pub fn read_beside<T: Field>(
    value: &Value<'_>,
    reader: &mut Reader<'_>,
) -> Option<(String, Zeroizing<Vec<u8>>)> {
    let name = text_of::<T>(value, reader)?;
    if name.is_empty()
        || name.contains(['/', '\\'])
        || name.contains(char::is_control)
        || name.starts_with('.')
    {
        let remedy = "Put it beside the configuration and write its name without directories.";
        reader.problem(&value.span(), format!("{} is not a file beside this one", quoted(name)), remedy);
        return None;
    }
    match reader.files.read(name) {
        Ok(bytes) => Some((name.to_owned(), crate::encoding::unmarked(bytes))),
        Err(error) => {
            let said = format!("the file {} cannot be read: {error}", quoted(name));
            reader.problem(&value.span(), said, "Put it beside the configuration.");
            None
        }
    }
}

/// The file with certificate authorities, which the daemon reads as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    /// The file's name.
    pub file: String,
    /// What it contains.
    pub pem: Vec<u8>,
}

impl Field for Authorities {
    fn form() -> String {
        "the name of a PEM file beside the configuration".to_owned()
    }

    fn read(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let (file, pem) = read_beside::<Self>(value, reader)?;
        Some(Self { file, pem: pem.to_vec() })
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.file))
    }
}
