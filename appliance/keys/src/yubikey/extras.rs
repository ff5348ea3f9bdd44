//! Payloads of the commands that the station itself does not need, so that a
//! twin understands them and a key can be put back in order: NDEF, USB mode and
//! the scan-code map.

use zeroize::Zeroizing;

use super::frame::{PAYLOAD, Payload};
use super::typed::usage::Stroke;
use crate::bytes::{padded, take, take_slice};
use crate::secret::AccessCode;

/// The most bytes of an NDEF record (`ykdef.h`, `NDEF_DATA_SIZE`).
const NDEF_DATA: usize = 54;

/// The abbreviations of a URI record, from 1 (NFC Forum, URI RTD 1.0, table 3).
const URI_PREFIXES: [&str; 35] = [
    "http://www.",
    "https://www.",
    "http://",
    "https://",
    "tel:",
    "mailto:",
    "ftp://anonymous:anonymous@",
    "ftp://ftp.",
    "ftps://",
    "sftp://",
    "smb://",
    "nfs://",
    "ftp://",
    "dav://",
    "news:",
    "telnet://",
    "imap:",
    "rtsp://",
    "urn:",
    "pop:",
    "sip:",
    "sips:",
    "tftp:",
    "btspp://",
    "btl2cap://",
    "btgoep://",
    "tcpobex://",
    "irdaobex://",
    "file://",
    "urn:epc:id:",
    "urn:epc:tag:",
    "urn:epc:pat:",
    "urn:epc:raw:",
    "urn:epc:",
    "urn:nfc:",
];

/// What a phone reads from the key by radio, before the one-time password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ndef {
    /// `U` for a URI, `T` for a text.
    kind: u8,
    /// Never more than [`NDEF_DATA`].
    data: Vec<u8>,
}

impl Ndef {
    /// A URI, shortened by the first abbreviation that fits. `None` when more
    /// than 53 bytes remain.
    pub fn uri(uri: &str) -> Option<Self> {
        let (code, rest) = URI_PREFIXES
            .iter()
            .zip(1..)
            .find_map(|(prefix, code)| uri.strip_prefix(prefix).map(|rest| (code, rest)))
            .unwrap_or((0, uri));
        Self::checked(b'U', [&[code], rest.as_bytes()].concat())
    }

    /// A text in a language such as `en`. `None` when both have more than 53 bytes.
    pub fn text(language: &str, text: &str) -> Option<Self> {
        // The top two bits of the length say UTF-16 and "reserved".
        let length = u8::try_from(language.len()).ok().filter(|&length| length < 0x40)?;
        Self::checked(b'T', [&[length], language.as_bytes(), text.as_bytes()].concat())
    }

    /// The record as data: kind `U` or `T`, and its bytes.
    pub fn record(&self) -> (char, &[u8]) {
        (char::from(self.kind), &self.data)
    }

    /// Length, kind, 54 bytes of data, access code of the slot.
    pub fn payload(&self, current: &AccessCode) -> Payload {
        let data: [u8; NDEF_DATA] = padded(&self.data).unwrap_or([0; NDEF_DATA]);
        let head = [self.data.len() as u8, self.kind];
        let mut bytes = Zeroizing::new([0; PAYLOAD]);
        for (to, from) in bytes.iter_mut().zip(head.iter().chain(&data).chain(current.expose())) {
            *to = *from;
        }
        Payload::from_array(&bytes)
    }

    /// Reads a payload: the record, and the access code that came with it.
    pub fn parse(payload: &[u8; PAYLOAD]) -> Option<(Self, AccessCode)> {
        let mut rest = payload.as_slice();
        let [length, kind] = take(&mut rest)?;
        let data: [u8; NDEF_DATA] = take(&mut rest)?;
        let code = AccessCode::from_array(&take(&mut rest)?);
        let known = matches!(kind, b'U' | b'T');
        let data = take_slice(&mut data.as_slice(), length.into())?.to_vec();
        known.then_some((Self { kind, data }, code))
    }

    fn checked(kind: u8, data: Vec<u8>) -> Option<Self> {
        (data.len() <= NDEF_DATA).then_some(Self { kind, data })
    }
}

/// Which interfaces a NEO or a 4 shows over USB, and when it lets go of a card.
///
/// The product id changes with it. Slot access codes also guard this command
/// (ykman issues 12, 273).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsbMode {
    /// 0 OTP, 1 CCID, 2 OTP+CCID, 3 FIDO, 4 OTP+FIDO, 5 FIDO+CCID, 6 all;
    /// +0x80 lets a touch eject the card (modes with CCID).
    pub mode: u8,
    /// Seconds to wait for a touch in challenge-response; 0 for the key's own.
    pub challenge_timeout: u8,
    /// After so many tens of seconds the card is ejected; 0 for never.
    pub auto_eject: u16,
}

impl UsbMode {
    /// The payload.
    pub fn payload(self) -> Payload {
        let mut bytes = [0; PAYLOAD];
        let [low, high] = self.auto_eject.to_le_bytes();
        let [a, b, c, d, ..] = &mut bytes;
        (*a, *b, *c, *d) = (self.mode, self.challenge_timeout, low, high);
        Payload::from_array(&bytes)
    }

    /// Reads a payload; `None` for a mode that does not exist.
    pub fn parse(payload: &[u8; PAYLOAD]) -> Option<Self> {
        let [mode, challenge_timeout, low, high, ..] = *payload;
        (mode & 0x7f <= 6).then_some(Self {
            mode,
            challenge_timeout,
            auto_eject: u16::from_le_bytes([low, high]),
        })
    }
}

/// The characters that the scan-code map gives codes for, in order.
pub const MAPPED: &str = "cbdefghijklnrtuvCBDEFGHIJKLNRTUV0123456789!\t\r";

/// Which scan code types which character, for keyboards of another layout:
/// 45 codes in the order of [`MAPPED`], bit 7 meaning shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanMap(pub [u8; 45]);

impl Default for ScanMap {
    /// The US layout, as keys have it from the factory.
    fn default() -> Self {
        let mut codes = [0; 45];
        for (code, character) in codes.iter_mut().zip(MAPPED.chars()) {
            *code = Stroke::of(character).map_or(0, Stroke::scan_code);
        }
        Self(codes)
    }
}

impl ScanMap {
    /// The codes and, behind them, the access code.
    pub fn payload(&self, current: &AccessCode) -> Payload {
        let mut bytes = Zeroizing::new([0; PAYLOAD]);
        for (to, from) in bytes.iter_mut().zip(self.0.iter().chain(current.expose())) {
            *to = *from;
        }
        Payload::from_array(&bytes)
    }

    /// Reads a payload: the map, and the access code that came with it.
    pub fn parse(payload: &[u8; PAYLOAD]) -> Option<(Self, AccessCode)> {
        let mut rest = payload.as_slice();
        let codes = take(&mut rest)?;
        let code = AccessCode::from_array(&take(&mut rest)?);
        Some((Self(codes), code))
    }

    /// The stroke for `character` under this map; digits and modhex only.
    pub fn stroke(&self, character: char) -> Option<Stroke> {
        let wanted = if character == '\n' { '\r' } else { character };
        let at = MAPPED.chars().position(|mapped| mapped == wanted)?;
        self.0.get(at).copied().map(Stroke::from_scan_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_wakeup_probe_carries_an_access_code_that_no_key_has() {
        let probe = crate::yubikey::command::neo_wakeup_probe();
        let (map, code) = ScanMap::parse(probe.payload()).unwrap();
        assert_eq!(map, ScanMap([b'c'; 45]));
        assert_eq!(code.expose(), b"cccccc");
    }

    #[test]
    fn a_scan_map_comes_back_with_its_access_code() {
        let code = AccessCode::from_array(b"secret");
        let payload = ScanMap::default().payload(&code);
        assert_eq!(payload.bytes()[45..51], *b"secret");
        let (map, again) = ScanMap::parse(payload.bytes()).unwrap();
        assert_eq!(map, ScanMap::default());
        assert!(again.same_as(&code));
    }

    #[test]
    fn the_factory_map_types_the_us_layout() {
        let map = ScanMap::default();
        for character in MAPPED.chars() {
            assert!(map.stroke(character) == Stroke::of(character));
        }
        assert!(map.stroke('a').is_none());
    }

    #[test]
    fn a_uri_is_shortened_and_a_long_one_refused() {
        assert_eq!(
            Ndef::uri("https://example.org/").unwrap().record(),
            ('U', b"\x04example.org/".as_slice())
        );
        assert_eq!(Ndef::uri("gopher://x").unwrap().record(), ('U', b"\0gopher://x".as_slice()));
        assert!(Ndef::uri(&"x".repeat(53)).is_some());
        assert!(Ndef::uri(&"x".repeat(54)).is_none());
        assert_eq!(Ndef::text("en", "hi").unwrap().record(), ('T', b"\x02enhi".as_slice()));
        assert!(Ndef::text(&"e".repeat(64), "").is_none());
    }

    #[test]
    fn usb_mode_has_the_eject_time_low_byte_first() {
        let mode = UsbMode { mode: 0x86, challenge_timeout: 15, auto_eject: 0x0102 };
        assert_eq!(mode.payload().bytes()[..5], [0x86, 15, 2, 1, 0]);
        assert_eq!(UsbMode::parse(mode.payload().bytes()), Some(mode));
        assert_eq!(UsbMode::parse(&[7; 64]), None);
    }

    proptest! {
        #[test]
        fn any_payload_is_read_or_refused(payload in prop::collection::vec(any::<u8>(), 64)) {
            let payload: [u8; 64] = payload.try_into().unwrap();
            if let Some((ndef, code)) = Ndef::parse(&payload) {
                let (again, _) = Ndef::parse(ndef.payload(&code).bytes()).unwrap();
                prop_assert_eq!(again, ndef);
            }
            let _ = UsbMode::parse(&payload);
            let (map, code) = ScanMap::parse(&payload).unwrap();
            prop_assert!(map.payload(&code).bytes()[..51] == payload[..51]);
        }
    }
}
