//! The words of the kernel's command line that are meant for us.

use crate::layout::Slot;

/// What U-Boot asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootRequest {
    /// `card.slot=A`: the slot to start.
    pub slot: Slot,
    /// `card.contract=1`: what the boot files do for a slot; 0 where they do not say.
    pub contract: u64,
    /// `card.trial=30`: seconds in which a slot on trial has to show its job. A release does not heed it.
    pub trial: Option<u64>,
    /// Bytes of names to give to the first program, in order: what stands after `--`.
    pub arguments: Vec<String>,
}

/// The command line names no slot.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the kernel's command line says neither card.slot=A nor card.slot=B")]
pub struct NoSlot;

/// Reads `/proc/cmdline`. The last word of a kind counts, as for the kernel.
///
/// # Errors
/// When no slot is named.
pub fn read(line: &str) -> Result<BootRequest, NoSlot> {
    let mut words = line.split_ascii_whitespace();
    let ours: Vec<&str> = words
        .by_ref()
        .take_while(|word| *word != "--")
        .filter_map(|word| word.strip_prefix("card."))
        .collect();
    let last = |name: &str| ours.iter().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let slot = ours.iter().rev().find_map(|word| Slot::named(word.strip_prefix("slot=")?));
    Ok(BootRequest {
        slot: slot.ok_or(NoSlot)?,
        contract: last("contract").and_then(|text| text.parse().ok()).unwrap_or_default(),
        trial: last("trial").and_then(|text| text.parse().ok()),
        arguments: words.map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_slot_named_counts() {
        let request = read("console=ttyS1 card.slot=A quiet card.slot=B\n").unwrap();
        assert_eq!(request, BootRequest { slot: Slot::B, contract: 0, trial: None, arguments: vec![] });
        let request = read("card.slot=A card.contract=1 card.trial=30").unwrap();
        assert_eq!((request.contract, request.trial), (1, Some(30)));
    }

    #[test]
    fn what_follows_two_dashes_is_for_the_first_program() {
        let request = read("card.slot=A -- --log-level=debug card.slot=B").unwrap();
        assert_eq!(request.slot, Slot::A);
        assert_eq!(request.arguments, ["--log-level=debug", "card.slot=B"]);
    }

    #[test]
    fn no_slot_is_an_error() {
        assert_eq!(read("quiet card.slot=C card.slot="), Err(NoSlot));
    }
}
