//! Hash trees, against the definition and against veritysetup.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use update::tree::{self, BLOCK, Shape};

fn slot(blocks: usize, salt: &[u8]) -> (Vec<u8>, [u8; 32]) {
    let data: Vec<u8> = (0..blocks * BLOCK).map(|at| (at / 7 % 251) as u8).collect();
    let (hashes, root) = tree::make(&data, salt);
    ([data, vec![0; BLOCK], hashes].concat(), root)
}

fn check(slot: &[u8], blocks: usize, salt: &[u8], root: [u8; 32]) -> Result<(), update::Refused> {
    tree::check(&Shape { blocks: blocks as u64, salt, root }, |at, to| {
        let from = usize::try_from(at).unwrap() * BLOCK;
        to.copy_from_slice(slot.get(from..from + BLOCK).ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    })
}

#[test]
fn trees_of_each_height_are_right_and_as_long_as_they_say() {
    for blocks in [1, 2, 127, 128, 129, 128 * 128, 128 * 128 + 1] {
        let (slot, root) = slot(blocks, b"salt");
        assert_eq!(slot.len() as u64, tree::length(blocks as u64), "{blocks}");
        assert!(check(&slot, blocks, b"salt", root).is_ok(), "{blocks}");
        assert!(check(&slot, blocks, b"tlas", root).is_err(), "{blocks}");
        assert!(check(&slot[..slot.len() - BLOCK], blocks, b"salt", root).is_err(), "{blocks}");
    }
}

/// `veritysetup format` (cryptsetup 2.7.5) of 300 blocks as above, with the salt 0123.
#[test]
fn the_root_hash_is_veritysetups() {
    let (_, root) = slot(300, &[0x01, 0x23]);
    assert_eq!(update::hex(&root), ROOT);
}

const ROOT: &str = "490f57437df272fd08b9a6f8498e7fff5a8d02f263992dd62618b1f2a8dea14b";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn each_bit_matters_but_for_the_trees_own_page(bit in 0_usize..300 * BLOCK * 8 + BLOCK * 8 * 4) {
        static SLOT: std::sync::LazyLock<(Vec<u8>, [u8; 32])> = std::sync::LazyLock::new(|| slot(300, b"salt"));
        let (mut slot, root) = SLOT.clone();
        let bit = bit % (slot.len() * 8);
        slot[bit / 8] ^= 1 << (bit % 8);
        let page = (300 * BLOCK..301 * BLOCK).contains(&(bit / 8));
        prop_assert_eq!(check(&slot, 300, b"salt", root).is_ok(), page);
    }
}
