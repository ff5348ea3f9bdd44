//! What lies in a slot: its file system's size, its hash tree, and what it says of itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use update::About;

use crate::ext4::{self, Superblock};
use crate::verity::{self, Tree, Unverified};

/// What the page behind a slot's file system says.
#[derive(Clone, Debug)]
pub struct Page {
    /// The hash tree.
    pub tree: Tree,
    /// What the slot is; none for one that was made before slots said so.
    pub about: Option<About>,
}

/// Why nothing is known of a slot.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is no slot.
    #[error(transparent)]
    Unverified(#[from] Unverified),
}

/// Reads the page of a slot.
///
/// # Errors
/// When it cannot be read, or there is none.
pub fn page(slot: &File) -> Result<Page, Unknown> {
    let mut first = [0; ext4::LENGTH];
    slot.read_exact_at(&mut first, ext4::START)?;
    let data = Superblock::read(&first).ok_or(Unverified::NoFileSystem)?;
    let mut page = [0; verity::BLOCK as usize];
    slot.read_exact_at(&mut page, verity::page_of(&data)?)?;
    Ok(Page { tree: Tree::read(&page, &data)?, about: About::in_page(&page) })
}
