//! A key twin behind the transfers of its USB interfaces.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use super::ccid;
use super::descriptors::{self, Descriptors};
use super::device::{Device, EndpointInfo, Identity, InterfaceInfo, Outcome, Setup};
use super::proto::status;
use crate::key::{KeyTwin, Press, TwinError};

/// How often a keyboard's endpoint is asked (bInterval of the real one).
const POLL: Duration = Duration::from_millis(10);
/// How often a key is asked for a packet while a CTAPHID exchange goes on. Its own
/// keep-alives come every 80 to 100 ms.
const LOOK: Duration = Duration::from_millis(5);
/// After so long without packets, no exchange goes on.
const EXCHANGE: Duration = Duration::from_secs(30);

/// Which key it is, as USB sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Product {
    /// A YubiKey: product id, bcdDevice, and the serial that it shows on USB.
    YubiKey(u16, u16, Option<String>),
    /// A Nitrokey Pro, Storage or Librem Key: its ids and serial.
    NitrokeyPro((u16, u16), u32),
    /// A Nitrokey 3.
    Nitrokey3,
}

/// A twin as a USB device.
pub struct KeyDevice<K> {
    key: K,
    product: Product,
    described: Descriptors,
    /// Keystroke reports that were not asked for yet, and when the next may go.
    typed: VecDeque<[u8; 8]>,
    next_stroke: Duration,
    now: Duration,
    /// When the last packet of a CTAPHID exchange was seen.
    exchange: Option<Duration>,
    /// Answers that a bulk endpoint has, and messages that it has taken in part.
    answers: HashMap<u8, VecDeque<u8>>,
    message: Vec<u8>,
}

impl<K: KeyTwin> KeyDevice<K> {
    /// `None` when no such product exists.
    pub fn new(key: K, product: Product) -> Option<Self> {
        let described = describe(&product)?;
        let (typed, message) = (VecDeque::new(), Vec::new());
        let (now, next_stroke) = (Duration::ZERO, Duration::ZERO);
        let answers = HashMap::new();
        Some(Self { key, product, described, typed, next_stroke, now, exchange: None, answers, message })
    }

    fn standard(&self, setup: Setup) -> Outcome {
        let [index, kind] = setup.value.to_le_bytes();
        let described = &self.described;
        match (setup.kind, setup.request, kind) {
            // GET_STATUS of device, interface or endpoint.
            (0x80..=0x82, 0, _) => Outcome::data(vec![0, 0]),
            // CLEAR_FEATURE and SET_FEATURE: nothing here is ever halted or asleep.
            (0x00..=0x02, 1 | 3, _) => Outcome::done(),
            (0x80, 6, 1) => cut(&described.device, setup.length),
            (0x80, 6, 2) if index == 0 => cut(&described.configuration, setup.length),
            (0x80, 6, 3) => match string(&described.strings, index) {
                Some(string) => cut(&string, setup.length),
                None => Outcome::stall(),
            },
            (0x81, 6, 0x22) => {
                let [interface, _] = setup.index.to_le_bytes();
                let report = described.reports.iter().find(|(number, _)| *number == interface);
                report.map_or_else(Outcome::stall, |(_, report)| cut(report, setup.length))
            }
            // Qualifiers and capabilities: none of these keys has them.
            _ => Outcome::stall(),
        }
    }

    /// HID 1.11, 7.2.
    fn hid(&mut self, setup: Setup, data: &[u8]) -> Outcome {
        let [_, report_type] = setup.value.to_le_bytes();
        match (setup.kind, setup.request, report_type) {
            (0x21, 0x09, 3) => of(self.key.set_feature(data).map(|()| Vec::new())),
            (0xa1, 0x01, 3) => match self.key.get_feature() {
                Ok(report) => cut(&report, setup.length),
                Err(error) => of(Err(error)),
            },
            // LEDs, SET_IDLE, SET_PROTOCOL.
            (0x21, 0x09, 2) | (0x21, 0x0a | 0x0b, _) => Outcome::done(),
            (0xa1, 0x01, 1) => cut(&[0; 8], setup.length),
            (0xa1, 0x02, _) => Outcome::data(vec![0]),
            (0xa1, 0x03, _) => Outcome::data(vec![1]),
            _ => Outcome::stall(),
        }
    }

    fn class_of(&self, endpoint: u8) -> Option<[u8; 3]> {
        let number = self.described.endpoints.iter().find(|known| known.address == endpoint)?.interface;
        let interface = self.described.interfaces.iter().find(|[known, ..]| *known == number)?;
        let [_, class, subclass, protocol] = *interface;
        Some([class, subclass, protocol])
    }
}

fn describe(product: &Product) -> Option<Descriptors> {
    match product {
        Product::YubiKey(product, bcd, serial) => descriptors::yubikey(*product, *bcd, serial.clone()),
        Product::NitrokeyPro(ids, serial) => Some(descriptors::nitrokey_pro(*ids, *serial)),
        Product::Nitrokey3 => Some(descriptors::nitrokey3()),
    }
}

fn cut(bytes: &[u8], length: u16) -> Outcome {
    Outcome::data(bytes.iter().copied().take(length.into()).collect())
}

/// What the twin's answer is on the bus.
fn of(result: Result<Vec<u8>, TwinError>) -> Outcome {
    match result {
        Ok(data) => Outcome::data(data),
        Err(TwinError::Gone) => Outcome::Gone,
        Err(TwinError::NoInterface(_) | TwinError::Length { .. } | TwinError::Nack) => Outcome::stall(),
        Err(_) => Outcome::Ends(status::IO_ERROR, Vec::new()),
    }
}

/// USB 2.0, 9.6.7; string 0 is the list of languages.
fn string(strings: &[String], index: u8) -> Option<Vec<u8>> {
    let text: Vec<u8> = match index.checked_sub(1) {
        None => vec![0x09, 0x04],
        Some(at) => strings.get(usize::from(at))?.encode_utf16().flat_map(u16::to_le_bytes).collect(),
    };
    let mut bytes = vec![u8::try_from(text.len() + 2).ok()?, 3];
    bytes.extend(text);
    Some(bytes)
}

impl<K: KeyTwin> Device for KeyDevice<K> {
    fn identity(&self) -> Identity {
        let word = |at: usize| match self.described.device.get(at..at + 2) {
            Some(&[low, high]) => u16::from_le_bytes([low, high]),
            _ => 0,
        };
        // Every one of these keys is a full-speed device.
        Identity { speed: 1, class: [0; 3], vendor: word(8), product: word(10), version: word(12) }
    }

    fn interfaces(&self) -> Vec<InterfaceInfo> {
        self.described.interfaces.clone()
    }

    fn endpoints(&self) -> Vec<EndpointInfo> {
        self.described.endpoints.clone()
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Outcome {
        match setup.kind & 0x60 {
            0x00 => self.standard(setup),
            0x20 => self.hid(setup, data),
            _ => Outcome::stall(),
        }
    }

    fn bulk_out(&mut self, endpoint: u8, data: &[u8]) -> Outcome {
        if self.class_of(endpoint).is_none_or(|[class, ..]| class != 0x0b) {
            return Outcome::stall();
        }
        self.message.extend(data);
        let wanted = match *self.message {
            [_, a, b, c, d, ..] => u32::from_le_bytes([a, b, c, d]).saturating_add(10),
            _ => u32::MAX,
        };
        // Longer than dwMaxCCIDMessageLength; a message of several packets is waited for.
        if self.message.len() < wanted as usize && self.message.len() <= 3072 && data.len() == 64 {
            return Outcome::done();
        }
        let message = core::mem::take(&mut self.message);
        let key = &mut self.key;
        // Of the Nitrokey 3; that of a YubiKey differs in its historical bytes only.
        let atr = [
            0x3b, 0x8f, 0x01, 0x80, 0x5d, 0x4e, 0x69, 0x74, 0x72, 0x6f, 0x6b, 0x65, 0x79, 0, 0, 0, 0, 0, 0x6a,
        ];
        let answer = ccid::answer(&message, &atr, |apdu| key.apdu(apdu).ok());
        self.answers.entry(0x80 | endpoint).or_default().extend(answer);
        Outcome::done()
    }

    fn bulk_in(&mut self, endpoint: u8, length: usize) -> Option<Outcome> {
        let waiting = self.answers.get_mut(&endpoint).filter(|bytes| !bytes.is_empty())?;
        let count = length.min(waiting.len());
        Some(Outcome::data(waiting.drain(..count).collect()))
    }

    fn interrupt_out(&mut self, endpoint: u8, data: &[u8]) -> Outcome {
        if self.class_of(endpoint) != Some([3, 0, 0]) {
            return Outcome::stall();
        }
        self.exchange = Some(self.now);
        match self.key.out(data) {
            // A YubiKey twin has no FIDO application behind its interface.
            Ok(()) | Err(TwinError::NoInterface(_)) => Outcome::done(),
            Err(error) => of(Err(error)),
        }
    }

    fn interrupt_in(&mut self, endpoint: u8) -> Option<Outcome> {
        match self.class_of(endpoint)? {
            [3, 1, 1] if self.now >= self.next_stroke => {
                let stroke = self.typed.pop_front()?;
                self.next_stroke = self.now + POLL;
                Some(Outcome::data(stroke.to_vec()))
            }
            [3, 0, 0] if self.exchange.is_some() => match self.key.input() {
                Ok(Some(packet)) => {
                    self.exchange = Some(self.now);
                    Some(Outcome::data(packet))
                }
                Err(TwinError::Gone) => Some(Outcome::Gone),
                _ => None,
            },
            _ => None,
        }
    }

    fn advance(&mut self, by: Duration) {
        self.now += by;
        if self.exchange.is_some_and(|since| self.now > since + EXCHANGE) {
            self.exchange = None;
        }
        // Time passes for a key that was pulled out, too.
        let _ = self.key.advance(by);
    }

    fn due(&self) -> Option<Duration> {
        let stroke = (!self.typed.is_empty()).then(|| self.next_stroke.saturating_sub(self.now));
        let packet = self.exchange.map(|_| LOOK);
        stroke.into_iter().chain(packet).min()
    }

    fn lateness(&self) -> Duration {
        self.key.lateness()
    }

    fn touch(&mut self, press: Press) -> Result<usize, String> {
        let strokes = self.key.touch(press).map_err(|error| error.to_string())?;
        let count = strokes.len();
        self.typed.extend(strokes);
        self.next_stroke = self.next_stroke.max(self.now);
        Ok(count)
    }

    fn power(&mut self) -> Result<(), String> {
        self.typed.clear();
        self.answers.clear();
        self.message.clear();
        self.exchange = None;
        self.key.power().map_err(|error| error.to_string())
    }

    fn set_product(&mut self, product: u16) -> Result<(), String> {
        let Product::YubiKey(_, bcd, serial) = &self.product else {
            return Err("only a YubiKey changes its product id".to_owned());
        };
        let product = Product::YubiKey(product, *bcd, serial.clone());
        self.described = describe(&product).ok_or("no YubiKey has that product id")?;
        self.product = product;
        Ok(())
    }

    fn set_seed(&mut self, _: u64) -> Result<(), String> {
        Err("this key is not made from a seed".to_owned())
    }
}
