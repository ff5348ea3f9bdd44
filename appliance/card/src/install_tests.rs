use std::sync::LazyLock;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use update::{About, make, tree};

use super::*;
use crate::verity::BLOCK;

const ABOUT: &str = "product enrollment-station-arm64\nversion 0.2.0\nnumber 8\nfloor 3\ncontract 1\nkind development\nboards b\nforms journal=2\n";

fn about() -> About {
    let key = update::keys::Key::new("development", &make::public(&make::development())).unwrap();
    About { keys: update::Keys::new(vec![key]).unwrap(), ..About::read(ABOUT).unwrap() }
}

/// A slot: a superblock that says how many blocks follow, some bytes, the page, the tree.
fn slot(about: &About) -> (Vec<u8>, [u8; 32]) {
    let blocks = 600;
    let mut data: Vec<u8> = (0..blocks * BLOCK as usize).map(|at| (at / 4096 % 251) as u8).collect();
    data[1024..2048].fill(0);
    data[1024 + 4..1024 + 8].copy_from_slice(&u32::try_from(blocks).unwrap().to_le_bytes());
    data[1024 + 0x18] = 2;
    data[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
    let salt = [0xab, 0x01];
    let (hashes, root) = tree::make(&data, &salt);
    let mut page = vec![0; BLOCK as usize];
    page[..6].copy_from_slice(b"verity");
    (page[8], page[12], page[80]) = (1, 1, 2);
    page[32..38].copy_from_slice(b"sha256");
    page[64..68].copy_from_slice(&4096_u32.to_le_bytes());
    page[68..72].copy_from_slice(&4096_u32.to_le_bytes());
    page[72..80].copy_from_slice(&(blocks as u64).to_le_bytes());
    page[88..90].copy_from_slice(&salt);
    page[512..521].copy_from_slice(b"roothash=");
    page[521..585].copy_from_slice(update::hex(&root).as_bytes());
    let text = about.text();
    page[1024..1024 + text.len()].copy_from_slice(text.as_bytes());
    ([data, page, hashes].concat(), root)
}

struct Made {
    slot: Vec<u8>,
    bundle: Vec<u8>,
}

fn bundle_of(slot: Vec<u8>, root: [u8; 32]) -> Made {
    let packed = compress_to_vec(slot.as_slice(), CompressionLevel::Fastest);
    let head = Head {
        about: about(),
        root,
        size: slot.len() as u64,
        packed: packed.len() as u64,
        packed_hash: update::hash(&packed),
        boot: vec![],
        chunks: slot.chunks(CHUNK).map(update::hash).collect(),
    };
    let signature = make::sign(head.text().as_bytes(), &make::development(), "a test").unwrap();
    Made { bundle: make::bundle(&head, &signature, &packed), slot }
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let (slot, root) = slot(&about());
    bundle_of(slot, root)
});

struct Station {
    place: tempfile::TempDir,
    facts: Facts,
    kept: Kept,
}

/// A station whose other slot holds an earlier system.
fn station() -> Station {
    let place = tempfile::tempdir().unwrap();
    let node = place.path().join("slot-b").to_str().unwrap().to_owned();
    fs::write(&node, vec![0xee; 4 << 20]).unwrap();
    let facts = Facts {
        slot: Slot::A,
        running: About { version: "0.1.0".to_owned(), number: 7, ..about() },
        other: None,
        node,
        contract: 1,
        boards: vec!["b".to_owned()],
        on_trial: false,
        limit: 300,
        owner: vec![],
        ordered: true,
    };
    let kept = Kept::at(place.path().join("kept"));
    Station { place, facts, kept }
}

impl Station {
    fn install(&self, bundle: &[u8]) -> String {
        let mut told = Vec::new();
        install(bundle, &mut told, &self.facts, &self.kept, 1_800_000_000).unwrap();
        String::from_utf8(told).unwrap()
    }

    fn written(&self) -> Vec<u8> {
        fs::read(&self.facts.node).unwrap()
    }
}

#[test]
fn a_bundle_is_written_read_back_and_waits() {
    let station = station();
    let told = station.install(&MADE.bundle);
    assert!(told.starts_with("mib 1 3\nmib 2 3\nmib 3 3\n") && told.ends_with("written 0.2.0 8\n"), "{told}");
    assert!(station.written().starts_with(&MADE.slot));
    let trial = station.kept.trial().unwrap();
    assert_eq!((trial.stage, trial.slot, trial.number, trial.tries), (Stage::Waiting, Slot::B, 8, 0));
    assert_eq!(cancel(&station.kept).unwrap(), "0.2.0 is not tried");
    assert!(cancel(&station.kept).is_err());
}

#[test]
fn what_is_cut_off_leaves_no_slot_that_starts() {
    let front = MADE.bundle.len() * 9 / 10;
    for end in [front, MADE.bundle.len() - 1] {
        let station = station();
        let told = station.install(&MADE.bundle[..end]);
        assert!(told.lines().last().unwrap().starts_with("refused 6002 "), "{told}");
        assert!(station.kept.trial().is_none());
        let slot = File::open(&station.facts.node).unwrap();
        assert!(slots::page(&slot).is_err(), "its first MiB was written");
    }
}

#[test]
fn what_is_refused_writes_nothing() {
    let station = station();
    let before = station.written();
    let mut bundle = MADE.bundle.clone();
    bundle[40] ^= 1;
    assert!(station.install(&bundle).starts_with("refused 6003 "));
    assert!(station.install(b"").starts_with("refused 6002 "));
    station.kept.raise_floor(9).unwrap();
    assert!(station.install(&MADE.bundle).starts_with("refused 6007 "));
    assert!(station.written() == before && station.kept.trial().is_none());
}

#[test]
fn a_slot_that_is_not_what_its_head_says_is_not_tried() {
    // Rightly signed, each MiB right, and the tree is not that of the data.
    let (mut bytes, root) = slot(&about());
    bytes[1 << 20] ^= 1;
    let told = station().install(&bundle_of(bytes, root).bundle);
    assert!(told.lines().last().unwrap().starts_with("refused 6014 "), "{told}");
    // Another list of keys in the slot than in the head.
    let (bytes, root) = slot(&About { keys: update::Keys::default(), ..about() });
    let told = station().install(&bundle_of(bytes, root).bundle);
    assert!(told.lines().last().unwrap().starts_with("refused 6014 "), "{told}");
    let (bytes, _) = slot(&about());
    let told = station().install(&bundle_of(bytes, [7; 32]).bundle);
    assert!(told.lines().last().unwrap().starts_with("refused 6014 "), "{told}");
}

#[test]
fn back_is_the_other_slot_where_it_may_be() {
    let station = station();
    assert!(back(&station.facts, &station.kept, 0).is_err(), "there is no slot");
    station.install(&MADE.bundle);
    assert!(back(&station.facts, &station.kept, 0).unwrap().contains("0.2.0"));
    let newer = Facts {
        running: About { forms: [("journal".to_owned(), 3)].into(), ..about() },
        ..station.facts.clone()
    };
    assert!(back(&newer, &station.kept, 0).unwrap_err().contains("does not read"));
    station.kept.raise_floor(9).unwrap();
    assert!(back(&station.facts, &station.kept, 0).unwrap_err().contains("below 9"));
    drop(station.place);
}

#[test]
fn the_facts_read_back() {
    let mut facts = station().facts;
    facts.other = Some(("0.0.9".to_owned(), 5));
    facts.owner = vec![update::keys::Key::new("own", &make::public(&make::development())).unwrap()];
    assert_eq!(Facts::of(&facts.text()), Some(facts.clone()));
    assert_eq!(facts.keys(), facts.running.keys, "a key that is known already counts once");
}

#[test]
fn a_bundle_on_the_card_is_taken_once() {
    use crate::from_card::{Found, take};

    let station = station();
    let fat = station.place.path().join("fat");
    fs::create_dir(&fat).unwrap();
    let taken = |facts: &Facts| take(&fat, facts, &station.kept, 0);
    assert_eq!(taken(&station.facts), Found::Nothing);
    fs::write(fat.join("README.txt"), "").unwrap();
    fs::write(fat.join("STATION.UPDATE"), &MADE.bundle).unwrap();
    assert_eq!(taken(&station.facts), Found::Written("STATION.UPDATE".to_owned()));
    // It runs now.
    let newer = Facts { running: about(), ..station.facts.clone() };
    assert!(matches!(taken(&newer), Found::PassedOver(_, why) if why.starts_with("E6008")));
    // It was left, and is not tried again by itself; by order it is.
    station.kept.starts(Slot::B, Some(Slot::B)).unwrap();
    station.kept.starts(Slot::A, Some(Slot::B)).unwrap();
    assert!(matches!(taken(&station.facts), Found::PassedOver(_, why) if why.starts_with("E6010")));
    assert!(station.install(&MADE.bundle).ends_with("written 0.2.0 8\n"));
}
