//! The part of a bundle that is signed.
//!
//! ```text
//! enrollment station update 1
//! product …              what the slot says of itself (`about`)
//! root 9f86d0…           the root hash of its hash tree
//! size 70254592          bytes of the slot
//! packed 37012345 60303… bytes and SHA-256 of the compressed slot
//! boot a0a0… boot.scr    each file of the FAT partition that goes with it
//! mib 2c26b4…            SHA-256 of each MiB of the slot, in order
//! ```

use std::fmt::Write as _;

use crate::about::About;
use crate::{CHUNK, SLOT, digest, hex, number};

/// The first line.
const FIRST: &str = "enrollment station update 1\n";

/// The most bytes of a head: that of a full slot has some 25,000.
pub const MOST: usize = 64 << 10;

/// The most bytes of a compressed slot: zstd adds less to what cannot be compressed.
pub const MOST_PACKED: u64 = SLOT + (4 << 20);

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What the slot is.
    pub about: About,
    /// The root hash of its hash tree.
    pub root: [u8; 32],
    /// Bytes of the slot, whole blocks of 4096.
    pub size: u64,
    /// Bytes of the compressed slot.
    pub packed: u64,
    /// SHA-256 of the compressed slot.
    pub packed_hash: [u8; 32],
    /// Files of the FAT partition that goes with it: name and SHA-256. For who looks at a whole card.
    pub boot: Vec<(String, [u8; 32])>,
    /// SHA-256 of each MiB of the slot; the last may be shorter.
    pub chunks: Vec<[u8; 32]>,
}

impl Head {
    /// Reads it; none when anything is in another form. What is read gives the same [text](Self::text) again.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MOST)?;
        let rest = text.strip_prefix(FIRST)?;
        let (about, rest) = rest.split_at_checked(rest.find("\nroot ")?.checked_add(1)?)?;
        let about = About::read(about)?;
        let mut lines = rest.strip_suffix('\n')?.split('\n').peekable();
        let root = digest(lines.next()?.strip_prefix("root ")?)?;
        let size = number(lines.next()?.strip_prefix("size ")?)?;
        let (packed, packed_hash) = lines.next()?.strip_prefix("packed ")?.split_once(' ')?;
        let (packed, packed_hash) = (number(packed)?, digest(packed_hash)?);
        let mut boot = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("boot ")) {
            let (hash, name) = line.strip_prefix("boot ")?.split_once(' ')?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return None;
            }
            boot.push((name.to_owned(), digest(hash)?));
        }
        let chunks: Option<Vec<[u8; 32]>> = lines.map(|line| digest(line.strip_prefix("mib ")?)).collect();
        let head = Self { about, root, size, packed, packed_hash, boot, chunks: chunks? };
        let good = (1..=SLOT).contains(&size)
            && size.is_multiple_of(4096)
            && (1..=MOST_PACKED).contains(&packed)
            && size.div_ceil(CHUNK as u64) == head.chunks.len() as u64;
        (good && head.text() == text).then_some(head)
    }

    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "{FIRST}{}root {}\nsize {}\npacked {} {}\n",
            self.about.text(),
            hex(&self.root),
            self.size,
            self.packed,
            hex(&self.packed_hash)
        );
        for (name, hash) in &self.boot {
            let _ = writeln!(text, "boot {} {name}", hex(hash));
        }
        for hash in &self.chunks {
            let _ = writeln!(text, "mib {}", hex(hash));
        }
        text
    }

    /// Bytes of a MiB of the slot, by its number: fewer for the last.
    #[must_use]
    pub fn length_of(&self, chunk: usize) -> usize {
        let before = (chunk as u64).saturating_mul(CHUNK as u64);
        usize::try_from(self.size.saturating_sub(before).min(CHUNK as u64)).unwrap_or(CHUNK)
    }
}
