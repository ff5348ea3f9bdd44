//! A USB device that lies to the kernel.

use core::time::Duration;

use keys::device::Firmware;

use super::{Dice, Liar};
use crate::key::Press;
use crate::usbredir::proto::status;
use crate::usbredir::{Device, EndpointInfo, Identity, InterfaceInfo, KeyDevice, Outcome, Product, Setup};
use crate::yubikey::{Model, ModelError, YubiKeyTwin};

/// One thing in which it differs from a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vice {
    /// Descriptors with spoilt bytes.
    Descriptors,
    /// Descriptors that end early.
    Truncated,
    /// A total length that is not theirs.
    TotalLength,
    /// Interfaces of something else besides: storage, network, a second keyboard.
    OtherInterfaces,
    /// A report descriptor with spoilt bytes.
    ReportDescriptor,
    /// Reports that are too long or too short.
    ReportLength,
    /// It says less or more than is in the protocol.
    Reports,
    /// From some transfer on it answers nothing.
    Hangs,
    /// More data than was asked for.
    Babbles,
    /// Transfers refused at random.
    Stalls,
    /// It types by itself.
    Types,
    /// It pulls itself out after some transfers.
    Leaves,
    /// Another vendor or product.
    Names,
}

const VICES: [Vice; 13] = [
    Vice::Descriptors,
    Vice::Truncated,
    Vice::TotalLength,
    Vice::OtherInterfaces,
    Vice::ReportDescriptor,
    Vice::ReportLength,
    Vice::Reports,
    Vice::Hangs,
    Vice::Babbles,
    Vice::Stalls,
    Vice::Types,
    Vice::Leaves,
    Vice::Names,
];

/// A device of a seed.
pub struct HostileDevice {
    seed: u64,
    base: KeyDevice<Liar<YubiKeyTwin>>,
    dice: Dice,
    vices: Vec<Vice>,
    transfers: u64,
    /// After so many transfers it hangs or leaves.
    patience: u64,
    /// What it types by itself, and when next.
    next_stroke: Duration,
    now: Duration,
}

impl HostileDevice {
    /// The device of that seed: a YubiKey with one to three vices.
    ///
    /// # Errors
    ///
    /// Never in practice: there is such a YubiKey.
    pub fn new(seed: u64) -> Result<Self, ModelError> {
        let mut dice = Dice::new(seed);
        let count = 1 + dice.index(3);
        let vices: Vec<Vice> =
            (0..count).filter_map(|_| VICES.get(dice.index(VICES.len())).copied()).collect();
        let firmware = Firmware::new(5, 4, 3);
        let model = Model::new(firmware, 1_000_000 + u32::try_from(seed % 1_000_000).unwrap_or(0))?;
        let bcd = model.bcd_device();
        let twin = YubiKeyTwin::new(model, seed);
        let liar = if vices.contains(&Vice::Reports) { Liar::new(twin, seed) } else { Liar::honest(twin) };
        let base = KeyDevice::new(liar, Product::YubiKey(0x0407, bcd, None))
            .ok_or(ModelError::ProductId { firmware, product_id: 0x0407 })?;
        let patience = 5 + dice.below(60);
        let (now, next_stroke) = (Duration::ZERO, Duration::ZERO);
        Ok(Self { seed, base, dice, vices, transfers: 0, patience, next_stroke, now })
    }

    pub const fn seed(&self) -> u64 {
        self.seed
    }

    fn has(&self, vice: Vice) -> bool {
        self.vices.contains(&vice)
    }

    /// What it describes of itself, spoilt.
    fn describe(&mut self, setup: Setup, mut data: Vec<u8>) -> Vec<u8> {
        let [_, kind] = setup.value.to_le_bytes();
        if kind == 2 {
            if self.has(Vice::OtherInterfaces) {
                more_interfaces(&mut data, self.dice.byte(), setup.length);
            }
            if self.has(Vice::TotalLength) {
                let length = [self.dice.byte(), self.dice.byte()];
                data.iter_mut().skip(2).zip(length).for_each(|(byte, new)| *byte = new);
            }
        }
        if kind == 1 && self.has(Vice::Names) {
            let ids = self.dice.next().to_le_bytes();
            // Half of them stay Yubico's.
            let from = if self.dice.one_in(2) { 8 } else { 10 };
            data.iter_mut().skip(from).take(12 - from).zip(ids).for_each(|(byte, new)| *byte = new);
        }
        let spoilt = match kind {
            1 | 2 => self.has(Vice::Descriptors),
            0x22 => self.has(Vice::ReportDescriptor),
            _ => false,
        };
        if spoilt {
            self.dice.spoil(&mut data);
        }
        if kind < 4 && self.has(Vice::Truncated) {
            let length = self.dice.index(data.len() + 1);
            data.truncate(length);
        }
        data
    }
}

/// A mass storage, a network card and a keyboard, behind what is there.
fn more_interfaces(configuration: &mut Vec<u8>, which: u8, asked: u16) {
    let blocks: [&[u8]; 3] = [
        &[9, 4, 3, 0, 2, 8, 6, 0x50, 0, 7, 5, 0x05, 2, 64, 0, 0, 7, 5, 0x85, 2, 64, 0, 0],
        &[9, 4, 4, 0, 0, 2, 6, 0, 0],
        &[9, 4, 5, 0, 1, 3, 1, 1, 0, 9, 0x21, 0x10, 1, 0, 1, 0x22, 71, 0, 7, 5, 0x86, 3, 8, 0, 10],
    ];
    // Only when the whole is asked for: its length has to be right both times.
    let mut added = 0_u16;
    let mut count = 0;
    for (at, block) in blocks.iter().enumerate() {
        if which >> at & 1 == 1 {
            added += u16::try_from(block.len()).unwrap_or_default();
            count += 1;
            if configuration.len() > 9 {
                configuration.extend_from_slice(block);
            }
        }
    }
    if let [_, _, low, high, interfaces, ..] = configuration.as_mut_slice() {
        let total = u16::from_le_bytes([*low, *high]).wrapping_add(added);
        [*low, *high] = total.to_le_bytes();
        *interfaces = interfaces.wrapping_add(count);
    }
    configuration.truncate(asked.into());
}

impl Device for HostileDevice {
    fn identity(&self) -> Identity {
        self.base.identity()
    }

    fn interfaces(&self) -> Vec<InterfaceInfo> {
        self.base.interfaces()
    }

    fn endpoints(&self) -> Vec<EndpointInfo> {
        self.base.endpoints()
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Outcome {
        self.transfers += 1;
        let over = self.transfers > self.patience;
        if over && self.has(Vice::Hangs) {
            return Outcome::Hangs;
        }
        if over && self.has(Vice::Leaves) {
            return Outcome::Gone;
        }
        if self.has(Vice::Stalls) && self.dice.one_in(4) {
            return Outcome::stall();
        }
        let outcome = self.base.control(setup, data);
        let Outcome::Ends(status::OK, mut answer) = outcome else { return outcome };
        if setup.kind & 0x80 == 0 {
            return Outcome::Ends(status::OK, answer);
        }
        if setup.request == 6 {
            answer = self.describe(setup, answer);
        } else if self.has(Vice::ReportLength) && self.dice.one_in(3) {
            let length = self.dice.index(usize::from(setup.length) + 1);
            answer.resize(length, 0xa5);
        }
        if self.has(Vice::Babbles) && self.dice.one_in(4) {
            return Outcome::Ends(status::BABBLE, Vec::new());
        }
        // Longer than asked for cannot be said on the wire.
        answer.truncate(setup.length.into());
        Outcome::Ends(status::OK, answer)
    }

    fn bulk_out(&mut self, endpoint: u8, data: &[u8]) -> Outcome {
        self.base.bulk_out(endpoint, data)
    }

    fn bulk_in(&mut self, endpoint: u8, length: usize) -> Option<Outcome> {
        self.base.bulk_in(endpoint, length)
    }

    fn interrupt_out(&mut self, endpoint: u8, data: &[u8]) -> Outcome {
        self.base.interrupt_out(endpoint, data)
    }

    fn interrupt_in(&mut self, endpoint: u8) -> Option<Outcome> {
        if self.has(Vice::Types) && endpoint == 0x81 && self.now >= self.next_stroke {
            self.next_stroke = self.now + Duration::from_millis(10);
            let length = if self.has(Vice::ReportLength) { self.dice.index(9) } else { 8 };
            let mut report = self.dice.bytes(length);
            // Half of it is modifiers and digits, as an attack types.
            if self.dice.one_in(2) {
                report.iter_mut().skip(1).for_each(|byte| *byte = 0x1e + *byte % 12);
            }
            return Some(Outcome::data(report));
        }
        self.base.interrupt_in(endpoint)
    }

    fn advance(&mut self, by: Duration) {
        self.now += by;
        self.base.advance(by);
    }

    fn due(&self) -> Option<Duration> {
        let typing = self.has(Vice::Types).then(|| self.next_stroke.saturating_sub(self.now));
        typing.into_iter().chain(self.base.due()).min()
    }

    fn touch(&mut self, press: Press) -> Result<usize, String> {
        self.base.touch(press)
    }

    fn power(&mut self) -> Result<(), String> {
        self.transfers = 0;
        self.base.power()
    }

    fn set_product(&mut self, product: u16) -> Result<(), String> {
        self.base.set_product(product)
    }

    fn set_seed(&mut self, seed: u64) -> Result<(), String> {
        let (now, next_stroke) = (self.now, self.now);
        let other = Self::new(seed).map_err(|error| error.to_string())?;
        *self = Self { now, next_stroke, ..other };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: Setup = Setup { kind: 0x80, request: 6, value: 0x0200, index: 0, length: 4096 };
    const STATUS: Setup = Setup { kind: 0xa1, request: 1, value: 0x0300, index: 0, length: 8 };

    #[test]
    fn a_seed_makes_the_same_device_each_time_and_others_make_others() {
        let story = |seed| {
            let mut device = HostileDevice::new(seed).unwrap();
            let setups = [CONFIGURATION, STATUS].into_iter().cycle().take(40);
            let told: Vec<Outcome> = setups.map(|setup| device.control(setup, &[])).collect();
            told
        };
        let mut stories: Vec<Vec<Outcome>> = (0..200).map(story).collect();
        assert_eq!(story(77), stories[77]);
        stories.dedup();
        assert!(stories.len() > 150);
    }

    #[test]
    fn every_vice_is_some_seeds() {
        for vice in VICES {
            assert!((0..200).any(|seed| HostileDevice::new(seed).unwrap().has(vice)), "{vice:?}");
        }
    }

    #[test]
    fn no_answer_is_longer_than_asked_for() {
        for seed in 0..300 {
            let mut device = HostileDevice::new(seed).unwrap();
            for length in [8, 9, 64, 255] {
                if let Outcome::Ends(_, data) = device.control(Setup { length, ..CONFIGURATION }, &[]) {
                    assert!(data.len() <= length.into());
                }
            }
        }
    }
}
