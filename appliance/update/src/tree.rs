//! Checks a slot against its hash tree and root hash, as the kernel does block by block later.
//!
//! Source: Linux, Documentation/admin-guide/device-mapper/verity.rst ("Hash tree"), and cryptsetup's DMVerity page: version 1,
//! a hash is that of salt and block, each hash block holds 128 of them, and the level nearest to the root stands first.

use std::io;

use sha2::{Digest as _, Sha256};

use crate::refused::Refused;

/// Bytes of a block, of data and of hashes.
pub const BLOCK: usize = 4096;

const HASH: usize = 32;
const EACH: u64 = (BLOCK / HASH) as u64;

/// What the tree is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape<'a> {
    /// Blocks of data; the tree's own page follows them, then the hash blocks.
    pub blocks: u64,
    /// The salt.
    pub salt: &'a [u8],
    /// The hash of the tree's first block.
    pub root: [u8; 32],
}

/// A level of the tree, while the blocks below it are read in their order.
struct Level {
    /// The block in which it begins.
    first: u64,
    /// Hash blocks that were compared.
    done: u64,
    /// Hashes of the blocks below, for the hash block that is being filled.
    hashes: Vec<u8>,
}

/// Bytes of a slot with so many blocks of data: data, the tree's page, the tree.
#[must_use]
pub fn length(blocks: u64) -> u64 {
    let hashes: u64 = levels(blocks).iter().sum();
    blocks.saturating_add(1).saturating_add(hashes).saturating_mul(BLOCK as u64)
}

/// Hash blocks of each level, the lowest first.
fn levels(blocks: u64) -> Vec<u64> {
    let mut counts = Vec::new();
    let mut below = blocks;
    while below > 1 || counts.is_empty() {
        below = below.div_ceil(EACH);
        counts.push(below);
    }
    counts
}

/// Reads every block of data, computes the tree anew, and compares it with the one that is there and with the root hash. `read` gives the
/// block of that number.
///
/// # Errors
/// When a block cannot be read, or a hash is another.
pub fn check(
    shape: &Shape<'_>,
    mut read: impl FnMut(u64, &mut [u8]) -> io::Result<()>,
) -> Result<(), Refused> {
    let counts = levels(shape.blocks);
    // The level nearest to the root stands first.
    let mut first = shape.blocks.saturating_add(1);
    let mut tree: Vec<Level> = Vec::new();
    for count in counts.iter().rev() {
        tree.push(Level { first, done: 0, hashes: Vec::with_capacity(BLOCK) });
        first = first.saturating_add(*count);
    }
    tree.reverse();
    let mut block = vec![0; BLOCK];
    let mut there = vec![0; BLOCK];
    let mut root = None;
    for at in 0..shape.blocks {
        read(at, &mut block)?;
        let hash = hash(shape.salt, &block);
        root =
            rise(&mut tree, hash, shape.salt, at.saturating_add(1) == shape.blocks, &mut there, &mut read)?;
    }
    match root {
        Some(root) if root == shape.root => Ok(()),
        _ => Err(Refused::ReadBack("the root hash is another".to_owned())),
    }
}

/// Gives a hash to the lowest level; each hash block that is full, or the last, is compared and gives its own hash to the next level. The root's hash
/// at the end.
fn rise(
    tree: &mut [Level],
    mut hash_: [u8; HASH],
    salt: &[u8],
    last: bool,
    there: &mut [u8],
    read: &mut impl FnMut(u64, &mut [u8]) -> io::Result<()>,
) -> Result<Option<[u8; HASH]>, Refused> {
    for level in tree {
        level.hashes.extend(hash_);
        if level.hashes.len() < BLOCK && !last {
            return Ok(None);
        }
        level.hashes.resize(BLOCK, 0);
        let at = level.first.saturating_add(level.done);
        read(at, there)?;
        if there != level.hashes {
            return Err(Refused::ReadBack(format!("a block under block {at} of its hash tree")));
        }
        hash_ = hash(salt, there);
        level.hashes.clear();
        level.done = level.done.saturating_add(1);
    }
    Ok(last.then_some(hash_))
}

fn hash(salt: &[u8], block: &[u8]) -> [u8; HASH] {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(block);
    hash.finalize().into()
}

/// Makes the tree of some blocks, as `veritysetup format` does: its hash blocks in their order, and the root hash.
#[cfg(any(test, feature = "make"))]
#[must_use]
pub fn make(data: &[u8], salt: &[u8]) -> (Vec<u8>, [u8; 32]) {
    let mut below: Vec<[u8; HASH]> = data.chunks_exact(BLOCK).map(|block| hash(salt, block)).collect();
    let mut levels = Vec::new();
    loop {
        let mut level: Vec<u8> = Vec::new();
        for hashes in below.chunks(EACH as usize) {
            let mut block = hashes.concat();
            block.resize(BLOCK, 0);
            level.extend(block);
        }
        below = level.chunks_exact(BLOCK).map(|block| hash(salt, block)).collect();
        levels.push(level);
        if below.len() <= 1 {
            break;
        }
    }
    levels.reverse();
    (levels.concat(), below.first().copied().unwrap_or_default())
}
