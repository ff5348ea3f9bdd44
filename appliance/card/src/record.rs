//! The boot record: which slot U-Boot starts, and how many attempts each has left.
//!
//! U-Boot takes one attempt from a slot before it starts it; the running system gives them back
//! once the daemon has shown "ready". A slot without attempts is passed over, so one that never
//! becomes ready gives way to the other after three starts, by itself.
//!
//! There are two copies, each in the form in which U-Boot exports and imports variables: four bytes
//! CRC-32, then `name=value` ended by NUL, and a NUL at the end of all. A change writes the older
//! copy, with a generation one higher. A copy that a power cut left half-written fails its CRC, and
//! the other one is still there.
//!
//! Source: U-Boot 2025.01, `env export -c`, `env import -c` (include/env_internal.h, `environment_s`);
//! CRC-32 as in zlib.

use std::collections::BTreeMap;

use crate::layout::{RECORD, Slot};
use crate::{le, le32};

/// Attempts that a slot has: at a card's first start, when it is marked good, when it is to be tried.
pub const ATTEMPTS: u8 = 3;

/// What a copy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `BOOT_GEN`, in hexadecimal. The higher of two copies counts.
    pub generation: u32,
    /// `BOOT_ORDER`: the slots in the order in which they are considered.
    pub order: Vec<Slot>,
    /// `BOOT_A_LEFT`: attempts that A has.
    pub a: u8,
    /// `BOOT_B_LEFT`: attempts that B has.
    pub b: u8,
    /// `BOOT_TRIAL`: the slot that is on trial; a dash, and in the records of earlier cards nothing, where none is.
    pub trial: Option<Slot>,
}

impl Record {
    /// A new card: slot A is filled, B is empty.
    pub fn new_card() -> Self {
        Self { generation: 1, order: vec![Slot::A, Slot::B], a: ATTEMPTS, b: 0, trial: None }
    }

    /// Attempts that a slot has.
    pub fn attempts(&self, slot: Slot) -> u8 {
        match slot {
            Slot::A => self.a,
            Slot::B => self.b,
        }
    }

    fn set(&mut self, slot: Slot, attempts: u8) {
        match slot {
            Slot::A => self.a = attempts,
            Slot::B => self.b = attempts,
        }
    }

    /// The record after this slot was found good: it is the first, with all its attempts, and nothing is on trial any more.
    #[must_use]
    pub fn good(&self, slot: Slot) -> Self {
        let mut next = self.following();
        next.set(slot, ATTEMPTS);
        next.first(slot);
        next.trial = None;
        next
    }

    /// The record that has a freshly written slot tried next, and the other one after that.
    #[must_use]
    pub fn try_next(&self, slot: Slot) -> Self {
        Self { trial: Some(slot), ..self.good(slot) }
    }

    /// The record after a try of the slot on trial that says nothing about it, such as one that the power ended: it has one more.
    #[must_use]
    pub fn again(&self, slot: Slot) -> Self {
        let mut next = self.following();
        next.set(slot, self.attempts(slot).saturating_add(1).min(ATTEMPTS));
        next
    }

    /// The record that has a slot never started again, until it is tried anew.
    #[must_use]
    pub fn bad(&self, slot: Slot) -> Self {
        let mut next = self.following();
        next.set(slot, 0);
        next
    }

    fn following(&self) -> Self {
        Self { generation: self.generation.wrapping_add(1), ..self.clone() }
    }

    fn first(&mut self, slot: Slot) {
        self.order.retain(|other| *other != slot);
        self.order.insert(0, slot);
    }

    /// Reads a copy; `None` when its CRC or its form is wrong.
    pub fn read(copy: &[u8]) -> Option<Self> {
        let copy = copy.get(..RECORD)?;
        let said = le32(copy, 0)?;
        let data = copy.get(4..)?;
        if crc32fast::hash(data) != said {
            return None;
        }
        let mut names = BTreeMap::new();
        for pair in data.split(|byte| *byte == 0).take_while(|pair| !pair.is_empty()) {
            let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
            names.insert(name, value);
        }
        let attempts = |name| names.get(name)?.parse().ok().filter(|left: &u8| *left < 10);
        let order: Option<Vec<Slot>> =
            names.get("BOOT_ORDER")?.split_ascii_whitespace().map(Slot::named).collect();
        let order = order.filter(|order| !order.is_empty() && order.len() <= Slot::ALL.len())?;
        let trial = match names.get("BOOT_TRIAL") {
            None | Some(&"-") => None,
            Some(slot) => Some(Slot::named(slot)?),
        };
        Some(Self {
            generation: u32::from_str_radix(names.get("BOOT_GEN")?, 16).ok()?,
            order,
            a: attempts("BOOT_A_LEFT")?,
            b: attempts("BOOT_B_LEFT")?,
            trial,
        })
    }

    /// The bytes of a copy.
    pub fn bytes(&self) -> Vec<u8> {
        let order: Vec<String> = self.order.iter().map(Slot::to_string).collect();
        let text = format!(
            "BOOT_A_LEFT={}\0BOOT_B_LEFT={}\0BOOT_GEN={:x}\0BOOT_ORDER={}\0BOOT_TRIAL={}\0\0",
            self.a,
            self.b,
            self.generation,
            order.join(" "),
            self.trial.map_or_else(|| "-".to_owned(), |slot| slot.to_string())
        );
        let mut data = text.into_bytes();
        data.resize(RECORD - 4, 0);
        let mut copy = crc32fast::hash(&data).to_le_bytes().to_vec();
        copy.append(&mut data);
        copy
    }
}

/// Both copies, as they were read.
#[derive(Clone, Debug)]
pub struct Copies([Option<Record>; 2]);

impl Copies {
    /// Reads both.
    pub fn read(first: &[u8], second: &[u8]) -> Self {
        Self([Record::read(first), Record::read(second)])
    }

    /// The one that counts; none when neither can be read.
    pub fn newest(&self) -> Option<&Record> {
        let [first, second] = &self.0;
        match (first, second) {
            (Some(a), Some(b)) => Some(if b.generation > a.generation { b } else { a }),
            (a, b) => a.as_ref().or(b.as_ref()),
        }
    }

    /// Which copy (0 or 1) to write next: the one that does not count.
    pub fn older(&self) -> usize {
        let [first, second] = &self.0;
        match (first, second) {
            (Some(a), Some(b)) => usize::from(b.generation <= a.generation),
            (Some(_), None) => 1,
            (None, _) => 0,
        }
    }
}

/// The first four bytes of a copy, for whoever wants to see whether a read one is ours.
pub fn checksum(copy: &[u8]) -> Option<[u8; 4]> {
    le(copy, 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_new_card_reads_back() {
        let record = Record::new_card();
        assert_eq!(record.bytes().len(), RECORD);
        assert_eq!(Record::read(&record.bytes()), Some(record));
    }

    #[test]
    fn the_form_is_u_boots() {
        // mkenvimage -s 0x1000 -p 0 of the lines below gives the first checksum, and Python's zlib both.
        let mut earlier =
            b"\x8d\xcb\xe6\x1eBOOT_A_LEFT=3\0BOOT_B_LEFT=0\0BOOT_GEN=1\0BOOT_ORDER=A B\0\0".to_vec();
        earlier.resize(RECORD, 0);
        assert_eq!(Record::read(&earlier), Some(Record::new_card()), "of a card that knew no trial");
        let copy = Record::new_card().bytes();
        assert!(
            copy[4..]
                .starts_with(b"BOOT_A_LEFT=3\0BOOT_B_LEFT=0\0BOOT_GEN=1\0BOOT_ORDER=A B\0BOOT_TRIAL=-\0\0")
        );
        assert_eq!(checksum(&copy).map(u32::from_le_bytes), Some(0x6173_14c5));
        // And of one that has been through something; computed by Python's zlib.
        let tried =
            Record { generation: 0x1f, order: vec![Slot::B, Slot::A], a: 2, b: 3, trial: Some(Slot::B) };
        let copy = tried.bytes();
        assert!(
            copy[4..]
                .starts_with(b"BOOT_A_LEFT=2\0BOOT_B_LEFT=3\0BOOT_GEN=1f\0BOOT_ORDER=B A\0BOOT_TRIAL=B\0\0")
        );
        assert_eq!(checksum(&copy).map(u32::from_le_bytes), Some(0x8e2a_362f));
        assert_eq!(Record::read(&copy), Some(tried));
    }

    #[test]
    fn a_slot_found_good_is_first_with_all_its_attempts() {
        let tried =
            Record { generation: 0x1f, order: vec![Slot::A, Slot::B], a: 3, b: 1, trial: Some(Slot::B) };
        let good = tried.good(Slot::B);
        assert_eq!(good, Record { generation: 0x20, order: vec![Slot::B, Slot::A], a: 3, b: 3, trial: None });
        assert_eq!(good.bad(Slot::B).attempts(Slot::B), 0);
    }

    #[test]
    fn a_slot_on_trial_comes_first_and_loses_its_trial_when_either_is_good() {
        let on_trial = Record::new_card().try_next(Slot::B);
        assert_eq!(
            (on_trial.trial, on_trial.order.as_slice(), on_trial.b),
            (Some(Slot::B), &[Slot::B, Slot::A][..], ATTEMPTS)
        );
        assert_eq!(on_trial.good(Slot::B).trial, None);
        assert_eq!(
            on_trial.good(Slot::A),
            Record { generation: 3, order: vec![Slot::A, Slot::B], a: 3, b: 3, trial: None }
        );
        let tried = Record { b: 1, ..on_trial };
        assert_eq!((tried.again(Slot::B).b, tried.again(Slot::B).trial), (2, Some(Slot::B)));
        assert_eq!(tried.again(Slot::B).again(Slot::B).again(Slot::B).b, ATTEMPTS);
    }

    #[test]
    fn a_torn_write_leaves_the_other_copy() {
        let old = Record::new_card();
        let new = old.good(Slot::A);
        for cut in (0..RECORD).step_by(512).skip(1) {
            let mut torn = new.bytes();
            torn[cut..].copy_from_slice(&Record::new_card().bad(Slot::A).bytes()[cut..]);
            torn[8] ^= 1;
            let copies = Copies::read(&old.bytes(), &torn);
            assert_eq!(copies.newest(), Some(&old));
            assert_eq!(copies.older(), 1);
        }
    }

    #[test]
    fn the_copies_take_turns() {
        let first = Record::new_card();
        let second = first.good(Slot::A);
        assert_eq!(Copies::read(&first.bytes(), &first.bytes()).older(), 1);
        let copies = Copies::read(&first.bytes(), &second.bytes());
        assert_eq!((copies.newest(), copies.older()), (Some(&second), 0));
        let third = second.good(Slot::A);
        let copies = Copies::read(&third.bytes(), &second.bytes());
        assert_eq!((copies.newest(), copies.older()), (Some(&third), 1));
    }

    #[test]
    fn nothing_readable_is_no_record() {
        assert!(Copies::read(&[0; RECORD], &[]).newest().is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_fault(mut bytes in proptest::collection::vec(any::<u8>(), RECORD), sealed: bool) {
            if sealed {
                let sum = crc32fast::hash(&bytes[4..]).to_le_bytes();
                bytes[..4].copy_from_slice(&sum);
            }
            let _ = Record::read(&bytes);
        }

        #[test]
        fn every_record_reads_back(generation: u32, a in 0_u8..10, b in 0_u8..10, swapped: bool, trial in 0_usize..3) {
            let order = if swapped { vec![Slot::B, Slot::A] } else { vec![Slot::A, Slot::B] };
            let record = Record { generation, order, a, b, trial: Slot::ALL.get(trial).copied() };
            prop_assert_eq!(Record::read(&record.bytes()), Some(record));
        }
    }
}
