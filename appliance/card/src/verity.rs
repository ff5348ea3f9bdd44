//! What the kernel has to know to verify a slot.
//!
//! A slot is a file system, then a hash tree as veritysetup makes it. The tree's root hash stands as
//! text in the unused rest of the tree's own superblock page, so a slot is one piece that describes
//! itself, and nothing outside has to change with it. That guards against a card that decays and
//! against stray writes; who can write the card can write a new root hash, too.
//!
//! Source: cryptsetup, "DMVerity" page of its wiki (superblock); Linux,
//! Documentation/admin-guide/device-mapper/verity.rst (table).

use std::fmt::Write as _;

use crate::ext4::Superblock;
use crate::{le16, le32, le64};

/// Bytes in a block, of data and of hashes.
pub const BLOCK: u64 = 4096;

/// Where the root hash's text begins in the superblock's page.
const HASH_TEXT: usize = 512;
const HASH_NAME: &[u8] = b"roothash=";

/// A slot's hash tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    blocks: u64,
    root: String,
    salt: String,
}

/// Why a slot is not started.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unverified {
    /// The partition does not begin with a file system of ours.
    #[error("the slot holds no file system: it was never written, or is damaged")]
    NoFileSystem,
    /// What follows the file system is no hash tree.
    #[error(
        "the slot has no hash tree behind its file system: it is damaged, or was not made by this project's build"
    )]
    NoTree,
    /// The tree is for other data than the file system.
    #[error("the slot's hash tree covers {tree} blocks, and its file system has {data}")]
    OtherSize {
        /// Blocks that the tree covers.
        tree: u64,
        /// Blocks of the file system.
        data: u64,
    },
}

/// Where in a slot its hash tree's superblock page is, in bytes.
///
/// # Errors
/// When the slot holds no file system.
pub fn page_of(data: &Superblock) -> Result<u64, Unverified> {
    if data.block != BLOCK || data.blocks == 0 {
        return Err(Unverified::NoFileSystem);
    }
    data.blocks.checked_mul(BLOCK).ok_or(Unverified::NoFileSystem)
}

impl Tree {
    /// Reads the page that follows the file system.
    ///
    /// # Errors
    /// When it is no hash tree for that file system.
    pub fn read(page: &[u8], data: &Superblock) -> Result<Self, Unverified> {
        Self::fields(page).ok_or(Unverified::NoTree).and_then(|tree| {
            if tree.blocks == data.blocks {
                Ok(tree)
            } else {
                Err(Unverified::OtherSize { tree: tree.blocks, data: data.blocks })
            }
        })
    }

    fn fields(page: &[u8]) -> Option<Self> {
        let known = page.get(..8)? == b"verity\0\0"
            && le32(page, 8)? == 1
            && le32(page, 12)? == 1
            && page.get(32..40)? == b"sha256\0\0"
            && u64::from(le32(page, 64)?) == BLOCK
            && u64::from(le32(page, 68)?) == BLOCK;
        let salt = page.get(88..344)?.get(..usize::from(le16(page, 80)?))?;
        let text = page.get(HASH_TEXT..)?.strip_prefix(HASH_NAME)?.get(..64)?;
        let root =
            std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|c| c.is_ascii_hexdigit()))?;
        known.then(|| Self {
            blocks: le64(page, 72).unwrap_or_default(),
            root: root.to_owned(),
            salt: hex(salt),
        })
    }

    /// Blocks of data that it covers.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Its root hash, in hexadecimal digits.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Its salt.
    #[must_use]
    pub fn salt(&self) -> Vec<u8> {
        let digit = |at: usize| {
            self.salt.get(at..at.checked_add(2)?).and_then(|two| u8::from_str_radix(two, 16).ok())
        };
        (0..self.salt.len()).step_by(2).filter_map(digit).collect()
    }

    /// Sectors of the verified device.
    pub fn sectors(&self) -> u64 {
        self.blocks.saturating_mul(BLOCK / crate::layout::SECTOR)
    }

    /// The kernel's table line for a slot that lies on this device. A block that does not fit its
    /// hash restarts the machine, so that U-Boot counts the attempt.
    pub fn table(&self, device: &str) -> String {
        format!(
            "1 {device} {device} {BLOCK} {BLOCK} {} {} sha256 {} {} 1 restart_on_corruption",
            self.blocks,
            self.blocks.saturating_add(1),
            self.root,
            self.salt
        )
    }
}

/// The table writes no salt as a dash.
fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(blocks: u64) -> Superblock {
        Superblock { blocks, block: BLOCK, label: "root".to_owned() }
    }

    fn page(blocks: u64) -> Vec<u8> {
        let mut page = vec![0; 4096];
        page[..6].copy_from_slice(b"verity");
        page[8] = 1;
        page[12] = 1;
        page[32..38].copy_from_slice(b"sha256");
        page[64..68].copy_from_slice(&4096_u32.to_le_bytes());
        page[68..72].copy_from_slice(&4096_u32.to_le_bytes());
        page[72..80].copy_from_slice(&blocks.to_le_bytes());
        page[80] = 2;
        page[88..90].copy_from_slice(&[0xab, 0x01]);
        page[512..521].copy_from_slice(HASH_NAME);
        page[521..585].copy_from_slice(&[b'a'; 64]);
        page
    }

    #[test]
    fn the_table_is_what_the_kernel_takes() {
        let tree = Tree::read(&page(1000), &data(1000)).unwrap();
        let root = "a".repeat(64);
        assert_eq!(
            tree.table("/dev/vda2"),
            format!("1 /dev/vda2 /dev/vda2 4096 4096 1000 1001 sha256 {root} ab01 1 restart_on_corruption")
        );
        assert_eq!(tree.sectors(), 8000);
        assert_eq!(page_of(&data(1000)), Ok(4_096_000));
    }

    #[test]
    fn a_tree_for_other_data_is_refused() {
        assert_eq!(Tree::read(&page(999), &data(1000)), Err(Unverified::OtherSize { tree: 999, data: 1000 }));
        assert_eq!(Tree::read(&[0; 4096], &data(1000)), Err(Unverified::NoTree));
        assert_eq!(page_of(&Superblock { block: 1024, ..data(1) }), Err(Unverified::NoFileSystem));
    }

    #[test]
    fn a_hash_that_is_none_is_refused() {
        let mut page = page(1000);
        page[530] = b' ';
        assert_eq!(Tree::read(&page, &data(1000)), Err(Unverified::NoTree));
    }

    proptest! {
        #[test]
        fn any_page_is_read_without_a_fault(at in 0_usize..600, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut page = page(1000);
            let end = (at + bytes.len()).min(page.len());
            page[at..end].copy_from_slice(&bytes[..end - at]);
            if let Ok(tree) = Tree::read(&page, &data(1000)) {
                prop_assert!(tree.table("/dev/x").split(' ').count() == 12);
            }
        }
    }
}
