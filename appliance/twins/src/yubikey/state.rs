//! A twin's memory as text, so that it outlives its program.
//!
//! One `name value…` per line. The secrets of the twin are in it in clear: it is
//! the memory of a toy, and whoever keeps the file keeps it as such.

use core::fmt::Write as _;

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::YubiKeyTwin;
use super::config::Config;
use super::memory::{Memory, Ndef, Slot};
use super::model::Model;

/// Why a text is not the memory of this twin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It does not begin as such a text does.
    #[error("this is not the memory of a YubiKey twin, version 1")]
    NotOurs,
    /// It belongs to another key.
    #[error("this is the memory of another key: {0}")]
    OtherKey(String),
    /// A line that cannot be understood.
    #[error("line {0} of the twin's memory cannot be understood")]
    Line(usize),
}

const HEAD: &str = "yubikey-twin 1";

impl YubiKeyTwin {
    /// Grows whenever the memory changes.
    pub const fn revision(&self) -> u64 {
        self.memory.revision
    }

    /// The memory as text.
    pub fn save(&self) -> Zeroizing<String> {
        let memory = &self.memory;
        let settings = &memory.settings;
        let mut text = Zeroizing::new(format!("{HEAD}\nkey {}\nsequence {}\n", self.name(), memory.sequence));
        let mut line = |words: core::fmt::Arguments<'_>| {
            // Writing to a String cannot fail.
            let _ = text.write_fmt(words);
            text.push('\n');
        };
        for (name, slot) in [("slot1", &memory.one), ("slot2", &memory.two)] {
            let Some(slot) = slot else { continue };
            let bytes = Zeroizing::new(HEXLOWER.encode(slot.config.bytes().as_slice()));
            let Slot { hotp_counter, use_counter, coded_updates, .. } = slot;
            line(format_args!("{name} {} {hotp_counter} {use_counter} {coded_updates}", *bytes));
        }
        for (name, record) in ["ndef1", "ndef2"].iter().zip(&memory.ndef) {
            let Some(record) = record else { continue };
            line(format_args!("{name} {} {}", record.kind, HEXLOWER.encode(&record.data)));
        }
        line(format_args!("scanmap {}", HEXLOWER.encode(&memory.scan_map)));
        line(format_args!("usb {}", settings.usb_enabled));
        line(format_args!("nfc {} {}", settings.nfc_enabled, u8::from(settings.nfc_restricted)));
        line(format_args!("eject {} {}", settings.auto_eject, settings.flags));
        line(format_args!("challenge-timeout {}", settings.challenge_timeout));
        if let Some(lock) = &settings.lock {
            line(format_args!("lock {}", HEXLOWER.encode(lock)));
        }
        text
    }

    /// The key of `model` with the memory of [`YubiKeyTwin::save`], freshly plugged
    /// in.
    pub fn restore(model: Model, text: &str, seed: u64) -> Result<Self, StateError> {
        let mut memory = Memory::empty(&model);
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, line)| line) != Some(HEAD) {
            return Err(StateError::NotOurs);
        }
        let twin = Self::new(model.clone(), seed);
        for (number, line) in lines {
            let (name, value) = line.split_once(' ').ok_or(StateError::Line(number + 1))?;
            if name == "key" {
                if value != twin.name() {
                    return Err(StateError::OtherKey(value.to_owned()));
                }
                continue;
            }
            let words: Vec<&str> = value.split(' ').collect();
            remember(&mut memory, name, &words).ok_or(StateError::Line(number + 1))?;
        }
        Ok(Self::with_memory(model, memory, seed))
    }

    fn name(&self) -> String {
        format!("{} {}", self.model.firmware, self.model.serial)
    }
}

fn remember(memory: &mut Memory, name: &str, words: &[&str]) -> Option<()> {
    match (name, words) {
        ("sequence", [number]) => memory.sequence = number.parse().ok()?,
        ("slot1", words) => memory.one = Some(slot(words)?),
        ("slot2", words) => memory.two = Some(slot(words)?),
        ("ndef1" | "ndef2", [kind, data]) => {
            let data = HEXLOWER.decode(data.as_bytes()).ok().filter(|data| data.len() <= 54)?;
            let record = Some(Ndef { kind: kind.parse().ok()?, data });
            let [one, two] = &mut memory.ndef;
            *(if name == "ndef1" { one } else { two }) = record;
        }
        ("scanmap", [map]) => memory.scan_map = bytes(map)?,
        ("usb", [enabled]) => memory.settings.usb_enabled = enabled.parse().ok()?,
        ("nfc", [enabled, restricted]) => {
            memory.settings.nfc_enabled = enabled.parse().ok()?;
            memory.settings.nfc_restricted = *restricted == "1";
        }
        ("eject", [seconds, flags]) => {
            memory.settings.auto_eject = seconds.parse().ok()?;
            memory.settings.flags = flags.parse().ok()?;
        }
        ("challenge-timeout", [seconds]) => memory.settings.challenge_timeout = seconds.parse().ok()?,
        ("lock", [code]) => memory.settings.lock = Some(bytes(code)?),
        _ => return None,
    }
    Some(())
}

fn slot(words: &[&str]) -> Option<Slot> {
    let [config, hotp_counter, use_counter, coded_updates] = words else { return None };
    Some(Slot {
        config: Config::parse(&bytes(config)?)?,
        hotp_counter: hotp_counter.parse().ok()?,
        use_counter: use_counter.parse().ok()?,
        coded_updates: coded_updates.parse().ok()?,
    })
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    Zeroizing::new(HEXLOWER.decode(hex.as_bytes()).ok()?).as_slice().try_into().ok()
}
