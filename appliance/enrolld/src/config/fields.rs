//! The kinds of values that fields have, where they are the daemon's own types.

use privacyidea::transport::SpkiPin;
use settings::texts;

/// USB ports: a path as the kernel writes it, bus then ports (`1-1.3`); `*` and `?` stand for more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(pub usb::PortPattern);

/// The SHA-256 of a server's public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub SpkiPin);

texts! {
    Ports, "a USB port path such as \"1-1.3\" or \"1-1.*\"", |text| text.parse().ok().map(Ports), |ports| ports.0.to_string();
    Pin, "the SHA-256 of the server's public key, in base64 or hexadecimal digits",
        |text| SpkiPin::parse(text).ok().map(Pin), |pin| pin.0.to_text();
}
