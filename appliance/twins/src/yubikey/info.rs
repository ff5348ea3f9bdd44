//! Device information and settings (commands 13 and 15; yubikit/management.py).

use keys::device::Firmware;

use super::memory::{Memory, Settings};
use super::model::{FormFactor, Model, capability, interfaces_of};

mod tag {
    pub(super) const USB_SUPPORTED: u8 = 0x01;
    pub(super) const SERIAL: u8 = 0x02;
    pub(super) const USB_ENABLED: u8 = 0x03;
    pub(super) const FORM_FACTOR: u8 = 0x04;
    pub(super) const VERSION: u8 = 0x05;
    pub(super) const AUTO_EJECT: u8 = 0x06;
    pub(super) const CHALLENGE_TIMEOUT: u8 = 0x07;
    pub(super) const DEVICE_FLAGS: u8 = 0x08;
    pub(super) const CONFIG_LOCK: u8 = 0x0a;
    pub(super) const UNLOCK: u8 = 0x0b;
    pub(super) const REBOOT: u8 = 0x0c;
    pub(super) const NFC_SUPPORTED: u8 = 0x0d;
    pub(super) const NFC_ENABLED: u8 = 0x0e;
    pub(super) const MORE_DATA: u8 = 0x10;
    pub(super) const PART_NUMBER: u8 = 0x13;
    pub(super) const FIPS_CAPABLE: u8 = 0x14;
    pub(super) const FIPS_APPROVED: u8 = 0x15;
    pub(super) const PIN_COMPLEXITY: u8 = 0x16;
    pub(super) const NFC_RESTRICTED: u8 = 0x17;
    pub(super) const RESET_BLOCKED: u8 = 0x18;
    pub(super) const VERSION_QUALIFIER: u8 = 0x19;
}

/// One page of device information with its length in front; `None` when the
/// firmware has none.
pub(super) fn page(model: &Model, memory: &Memory, page: u8) -> Option<Vec<u8>> {
    let Firmware { major, minor, build } = model.firmware;
    if model.firmware < Firmware::new(4, 1, 0) {
        return None;
    }
    let pages = u8::from(model.firmware >= Firmware::new(5, 7, 0));
    // Firmware with one page does not look at the number.
    let body = match page {
        0 => first_page(model, memory, pages),
        _ if pages == 0 => first_page(model, memory, pages),
        1 => second_page(model, memory, [major, minor, build]),
        _ => return None,
    };
    let mut answer = vec![u8::try_from(body.len()).ok()?];
    answer.extend(body);
    Some(answer)
}

fn first_page(model: &Model, memory: &Memory, more: u8) -> Vec<u8> {
    let Firmware { major, minor, build } = model.firmware;
    let settings = &memory.settings;
    let serial = model.serial.to_be_bytes();
    let mut body = Vec::new();
    if major < 5 {
        // One byte is enough. 4.2.4 tells its applications wrongly, and no 4.x tells
        // what is enabled.
        let [_, mut supported] = model.supported().to_be_bytes();
        if model.firmware == Firmware::new(4, 2, 4) {
            supported = 0x07;
        }
        put(&mut body, tag::USB_SUPPORTED, &[supported]);
        put(&mut body, tag::SERIAL, &serial);
        put(&mut body, tag::USB_ENABLED, &[0x3f]);
        return body;
    }
    let form = model.form_factor as u8 | if model.fips { 0x80 } else { 0 };
    put(&mut body, tag::USB_SUPPORTED, &model.supported().to_be_bytes());
    put(&mut body, tag::USB_ENABLED, &settings.usb_enabled.to_be_bytes());
    put(&mut body, tag::SERIAL, &serial);
    put(&mut body, tag::FORM_FACTOR, &[form]);
    put(&mut body, tag::VERSION, &[major, minor, build]);
    put(&mut body, tag::AUTO_EJECT, &settings.auto_eject.to_be_bytes());
    put(&mut body, tag::CHALLENGE_TIMEOUT, &[settings.challenge_timeout]);
    put(&mut body, tag::DEVICE_FLAGS, &[settings.flags]);
    if model.has_nfc() {
        put(&mut body, tag::NFC_SUPPORTED, &model.supported().to_be_bytes());
        put(&mut body, tag::NFC_ENABLED, &settings.nfc_enabled.to_be_bytes());
    }
    put(&mut body, tag::CONFIG_LOCK, &[u8::from(settings.lock.is_some())]);
    if more > 0 {
        put(&mut body, tag::MORE_DATA, &[more]);
    }
    body
}

/// 5.7 and later.
fn second_page(model: &Model, memory: &Memory, version: [u8; 3]) -> Vec<u8> {
    let part: &[u8] = match (model.form_factor, model.has_nfc()) {
        (FormFactor::AKeychain, _) => b"5NFC",
        (FormFactor::CKeychain, _) => b"5CNFC",
        (FormFactor::ANano, _) => b"5NANO",
        (FormFactor::CNano, _) => b"5CNANO",
    };
    let [major, minor, build] = version;
    let mut body = Vec::new();
    put(&mut body, tag::PART_NUMBER, part);
    put(&mut body, tag::FIPS_CAPABLE, &[0, if model.fips { 0x1f } else { 0 }]);
    put(&mut body, tag::FIPS_APPROVED, &[0, 0]);
    put(&mut body, tag::PIN_COMPLEXITY, &[0]);
    put(&mut body, tag::NFC_RESTRICTED, &[u8::from(memory.settings.nfc_restricted)]);
    put(&mut body, tag::RESET_BLOCKED, &[0, 0]);
    // Version, release type 2 = final, iteration 0.
    put(&mut body, tag::VERSION_QUALIFIER, &[1, 3, major, minor, build, 2, 1, 2, 3, 4, 0, 0, 0, 0]);
    body
}

/// Every value here is shorter than 128 bytes, so its length is one byte.
fn put(body: &mut Vec<u8>, tag: u8, value: &[u8]) {
    body.push(tag);
    body.push(u8::try_from(value.len()).unwrap_or(0));
    body.extend_from_slice(value);
}

/// What came of command 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing changed.
    Refused,
    /// Done.
    Kept,
    /// Done, and the key restarts with the new settings.
    Restart,
}

/// Command 15, firmware 5: a length, then values by tag. A locked key takes
/// nothing without its 16-byte code. All or nothing.
pub(super) fn write(model: &Model, memory: &mut Memory, payload: &[u8]) -> Written {
    if model.firmware < Firmware::new(5, 0, 0) {
        return Written::Refused;
    }
    let Some((length, rest)) = payload.split_first() else { return Written::Refused };
    let Some(values) = rest.get(..usize::from(*length)).and_then(values) else { return Written::Refused };
    let unlock = values.iter().find(|(tag, _)| *tag == tag::UNLOCK).map(|(_, value)| *value);
    if memory.settings.lock.is_some_and(|lock| unlock != Some(&lock)) {
        return Written::Refused;
    }
    let mut restart = false;
    let mut new = memory.settings.clone();
    for (tag, value) in values {
        if tag == tag::REBOOT {
            restart = true;
        } else if apply(model, &mut new, tag, value).is_none() {
            return Written::Refused;
        }
    }
    memory.settings = new;
    memory.count_always();
    if restart { Written::Restart } else { Written::Kept }
}

fn apply(model: &Model, settings: &mut Settings, tag: u8, value: &[u8]) -> Option<()> {
    match tag {
        tag::USB_ENABLED => {
            // CCID itself and "management over CCID" (0x400) may be named or not.
            let wanted = number(value)? & !0x400;
            let supported = model.supported();
            let possible = wanted & !(supported | capability::CCID) == 0;
            // Without any interface the key could never be reached again.
            let reachable = interfaces_of(wanted) != 0;
            settings.usb_enabled = (possible && reachable).then_some(wanted)?;
        }
        tag::NFC_ENABLED => {
            let wanted = number(value)? & !0x400;
            let possible = model.has_nfc() && wanted & !model.supported() == 0;
            settings.nfc_enabled = possible.then_some(wanted)?;
        }
        tag::AUTO_EJECT => settings.auto_eject = number(value)?,
        tag::CHALLENGE_TIMEOUT => settings.challenge_timeout = u8::try_from(number(value)?).ok()?,
        tag::DEVICE_FLAGS => settings.flags = u8::try_from(number(value)?).ok()?,
        tag::CONFIG_LOCK => {
            let code = <[u8; 16]>::try_from(value).ok()?;
            settings.lock = (code != [0; 16]).then_some(code);
        }
        tag::UNLOCK => {}
        tag::NFC_RESTRICTED if model.firmware >= Firmware::new(5, 7, 0) => {
            settings.nfc_restricted = number(value)? == 1;
        }
        _ => return None,
    }
    Some(())
}

fn number(value: &[u8]) -> Option<u16> {
    match value {
        [low] => Some(u16::from(*low)),
        [high, low] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

/// Tags and values; `None` when they do not fill their room exactly.
fn values(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut found = Vec::new();
    while let [tag, length, rest @ ..] = bytes {
        // Longer lengths than 127 need more bytes; no setting is that long.
        let (value, rest) = rest.split_at_checked(usize::from(*length)).filter(|_| *length < 0x80)?;
        found.push((*tag, value));
        bytes = rest;
    }
    bytes.is_empty().then_some(found)
}
