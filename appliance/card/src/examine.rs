//! For the fuzz targets: every reader of this crate, on the same bytes, with what must hold of the answers.

use toml::Table;

use crate::checksums;
use crate::ext4::Superblock;
use crate::layout::STATE_PARTITION;
use crate::mbr::Mbr;
use crate::name;
use crate::network::Network;
use crate::record::{Copies, Record};
use crate::secrets::{self, Found};
use crate::verity::{Tree, page_of};

/// Bytes of a card: a sector, a superblock, a tree's page, a boot record.
///
/// # Panics
/// When a reader's answer contradicts itself.
pub fn card(bytes: &[u8]) {
    if let Some(grown) = Mbr::read(bytes).and_then(|table| table.grown(STATE_PARTITION, u64::MAX)) {
        assert!(grown.partition(STATE_PARTITION).is_some(), "a grown partition is there");
    }
    if let Some(data) = Superblock::read(bytes)
        && page_of(&data).is_ok()
        && let Ok(tree) = Tree::read(bytes, &data)
    {
        assert_eq!(tree.table("/dev/x").split(' ').count(), 12, "a table has twelve words");
    }
    if let Some(length) = checksums::table_length(bytes) {
        assert!(length <= 64 << 20, "no superblock makes us read more than this");
    }
    let copies = Copies::read(bytes, bytes.get(512..).unwrap_or_default());
    if let Some(record) = copies.newest() {
        assert_eq!(Record::read(&record.bytes()).as_ref(), Some(record), "what was read can be written");
    }
    assert!(name::of(bytes).starts_with("enroll-"), "a name is a name");
}

/// The settings.
///
/// # Panics
/// When a secret stays, a line moves, or the network's file has a line of its own making.
pub fn settings(file: &[u8]) {
    let text = &*secrets::text_of(file);
    assert_eq!(text.len(), file.len(), "each byte is where it was");
    let card = secrets::blanked(file);
    let breaks = |file: &[u8]| file.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!((card.len(), breaks(&card)), (file.len(), breaks(file)), "blanking moves nothing");
    // Where the text is broken, what stands in a secret's place may show the parser another.
    if text.parse::<Table>().is_ok() {
        assert_eq!(secrets::blanked(&card), card, "blanking twice is blanking once");
        if matches!(secrets::find(text), Some(Found::Value(_) | Found::File(_))) {
            let found = secrets::find(&secrets::text_of(&card));
            assert!(matches!(found, Some(Found::Kept)), "what was blanked is kept");
        }
        assert!(secrets::text_of(&card).parse::<Table>().is_ok(), "what is blanked can be read");
    }
    assert_eq!(breaks(&secrets::completed(file)), breaks(file), "no line moves for the daemon, either");
    let network = Network::read(text, &::settings::NoFiles);
    let log = network.log.iter().map(|log| log.file("/run/authority"));
    for file in network.files().into_iter().map(|(_, file)| file).chain(log) {
        assert!(
            file.lines().all(|line| line.is_empty() || line.starts_with('[') || line.contains('=')),
            "a file for networkd or netlogd has sections and settings"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_of_the_fuzz_targets_are_read() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");
        let seeds = |target: &str| {
            let files = std::fs::read_dir(format!("{corpus}/{target}")).unwrap();
            files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect::<Vec<_>>()
        };
        assert!(seeds("card_layout").iter().any(|seed| Record::read(seed).is_some()));
        seeds("card_layout").iter().for_each(|seed| card(seed));
        seeds("card_settings").iter().for_each(|seed| settings(seed));
    }
}
