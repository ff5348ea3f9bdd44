//! What is refused, and that nothing of a slot goes anywhere before.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

mod made;

use made::{Collect, Made, STATION};
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use update::keys::Key;
use update::{About, CHUNK, Keys, Refused, Station, open};

/// What a bundle comes to at a station: the refusal's code, and how many MiB were given away before.
fn comes_to(bundle: &[u8], station: &Station<'_>) -> (Option<u16>, usize) {
    let mut sink = Collect::default();
    let done = open(bundle, station).and_then(|opened| opened.pour(&mut sink));
    (done.err().map(|refused| refused.code()), sink.chunks)
}

#[test]
fn a_right_one_arrives_whole() {
    let made = Made::new();
    let mut sink = Collect::default();
    let bundle = made.bundle();
    let opened = open(bundle.as_slice(), &made.station()).unwrap();
    assert_eq!(opened.signers(), ["first"]);
    let head = opened.pour(&mut sink).unwrap();
    assert_eq!((sink.bytes == made.slot, head.about.version.as_str()), (true, "0.2.0"));
    assert_eq!(sink.chunks, 4);
}

#[test]
fn every_bit_of_head_and_signatures_matters() {
    let mut made = Made::new();
    made.signed_by = vec![0, 1];
    let bundle = made.bundle();
    let front = bundle.len() - made.packed.len();
    for bit in 0..front * 8 {
        let mut other = bundle.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        let (code, chunks) = comes_to(&other, &made.station());
        assert!(code.is_some() && chunks == 0, "bit {bit}: {code:?} after {chunks} MiB");
        if (128..).contains(&bit) {
            assert!(matches!(code, Some(6003)), "bit {bit}: {code:?}");
        }
    }
}

#[test]
fn twenty_thousand_bits_of_the_stream_matter() {
    let made = Made::new();
    let bundle = made.bundle();
    let front = bundle.len() - made.packed.len();
    // xorshift64 (Marsaglia 2003): the same bits each time. Some of them in each part of the stream.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let all = made.packed.len() * 8;
    for number in 0..made::bits() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let part = all / 16;
        let bit = (number % 16) * part + usize::try_from(state).unwrap_or_default() % part;
        let mut other = bundle.clone();
        other[front + bit / 8] ^= 1 << (bit % 8);
        let mut sink = Collect::default();
        let refused = open(other.as_slice(), &made.station()).unwrap().pour(&mut sink).unwrap_err();
        assert_eq!(refused.code(), 6012, "bit {bit}: {refused}");
        // What was given away before is as it was signed.
        assert!(made.slot.starts_with(&sink.bytes), "bit {bit}");
    }
}

#[test]
fn every_truncation_is_noticed() {
    let made = Made::new();
    let bundle = made.bundle();
    let front = bundle.len() - made.packed.len();
    let mebibytes = (0..=bundle.len() / CHUNK)
        .flat_map(|mib| [mib * CHUNK - usize::from(mib > 0), mib * CHUNK, mib * CHUNK + 1]);
    let ends = [0, 1, 7, 8, 15, 16, 17, front - 1, front, front + 1, bundle.len() - 5, bundle.len() - 1];
    for end in mebibytes.chain(ends).filter(|end| *end < bundle.len()) {
        let (code, _) = comes_to(&bundle[..end], &made.station());
        assert_eq!(code, Some(6002), "cut off after {end} of {}", bundle.len());
    }
}

#[test]
fn what_follows_its_end_is_noticed() {
    let made = Made::new();
    for more in [&b"\0"[..], b"enrlupd1", &made.packed] {
        let longer = [made.bundle().as_slice(), more].concat();
        assert_eq!(comes_to(&longer, &made.station()).0, Some(6012));
    }
    // Inside of what is signed: another frame behind the first.
    let mut other = Made::new();
    other.packed =
        [other.packed.as_slice(), &compress_to_vec(&b"more"[..], CompressionLevel::Fastest)].concat();
    assert_eq!(comes_to(&other.bundle(), &other.station()).0, Some(6012));
}

#[test]
fn a_bomb_ends_where_its_head_ends() {
    let mut made = Made::new();
    // Rightly signed, and unpacks to 64 times of what it says.
    made.packed = compress_to_vec(vec![0; made.slot.len() * 64].as_slice(), CompressionLevel::Fastest);
    let (code, chunks) = comes_to(&made.bundle(), &made.station());
    assert_eq!((code, chunks), (Some(6012), 0), "its MiB are others");
    made.slot = vec![0; 4 * CHUNK];
    let (code, chunks) = comes_to(&made.bundle(), &made.station());
    assert_eq!((code, chunks), (Some(6012), 4), "and where they are not, nothing is taken beyond the last");
}

#[test]
fn a_window_of_more_than_a_mebibyte_is_refused() {
    let mut made = Made::new();
    // RFC 8878, 3.1.1.1: magic, a descriptor without single segment and content size, a window of 2 MiB, one empty last block.
    made.packed = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x01, 0x00, 0x00];
    assert_eq!(comes_to(&made.bundle(), &made.station()), (Some(6012), 0));
}

#[test]
fn what_is_for_others_is_refused_by_name() {
    type Change = fn(&mut About);
    let cases: [(u16, Change); 7] = [
        (6005, |about| about.product = "toaster".to_owned()),
        (6006, |about| about.boards = vec!["raspberrypi,5-model-b".to_owned()]),
        (6007, |about| (about.number, about.floor) = (4, 1)),
        (6008, |about| about.number = 7),
        (6008, |about| about.number = 6),
        (6009, |about| about.contract = 2),
        (6011, |about| about.kind = update::about::Kind::Development),
    ];
    for (code, change) in cases {
        let mut made = Made::new();
        change(&mut made.head.about);
        assert_eq!(comes_to(&made.bundle(), &made.station()), (Some(code), 0));
    }
}

#[test]
fn the_highest_floor_that_was_seen_counts() {
    let made = Made::new();
    assert_eq!(comes_to(&made.bundle(), &Station { floor: 9, ..made.station() }), (Some(6007), 0));
    assert_eq!(comes_to(&made.bundle(), &Station { floor: 8, ..made.station() }).0, None);
}

#[test]
fn one_that_failed_is_tried_again_by_order_only() {
    let made = Made::new();
    let failed = [made.finished().root];
    let station = Station { failed: &failed, ..made.station() };
    assert_eq!(comes_to(&made.bundle(), &station), (Some(6010), 0));
    assert_eq!(comes_to(&made.bundle(), &Station { ordered: true, ..station }).0, None);
}

#[test]
fn keys_are_changed_by_two() {
    let mut made = Made::new();
    let third = made::key(2, "third");
    made.head.about.keys =
        Keys::new(made.running.keys.iter().cloned().chain([third.clone()]).collect()).unwrap();
    assert_eq!(comes_to(&made.bundle(), &made.station()), (Some(6004), 0));
    made.signed_by = vec![0, 0];
    assert_eq!(comes_to(&made.bundle(), &made.station()), (Some(6003), 0), "the same key twice is one key");
    made.signed_by = vec![0, 2];
    assert_eq!(comes_to(&made.bundle(), &made.station()), (Some(6003), 0), "a key does not bring itself in");
    made.signed_by = vec![0, 1];
    assert_eq!(comes_to(&made.bundle(), &made.station()).0, None);
    // An owner's own key counts as any other.
    made.signed_by = vec![0, 2];
    let keys = made.running.keys.with([third]);
    assert_eq!(comes_to(&made.bundle(), &Station { keys: &keys, ..made.station() }).0, None);
}

#[test]
fn a_foreign_key_signs_nothing() {
    let mut made = Made::new();
    made.signed_by = vec![3];
    assert_eq!(comes_to(&made.bundle(), &made.station()), (Some(6003), 0));
    made.signed_by = vec![];
    assert_eq!(comes_to(&made.bundle(), &made.station()), (Some(6003), 0));
    let none = Keys::default();
    made.signed_by = vec![0];
    assert_eq!(comes_to(&made.bundle(), &Station { keys: &none, ..made.station() }), (Some(6003), 0));
}

#[test]
fn a_release_lists_no_development_key() {
    let mut about = Made::new().running;
    about.keys =
        about.keys.with(Key::new("development", &update::make::public(&update::make::development())));
    assert_eq!(About::read(&about.text()), None);
    about.kind = update::about::Kind::Development;
    assert!(About::read(&about.text()).is_some());
}

#[test]
fn a_sink_that_fails_says_so() {
    struct Full;
    impl update::Sink for Full {
        fn chunk(&mut self, _: usize, _: &[u8]) -> std::io::Result<()> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
    }
    let made = Made::new();
    let refused = open(made.bundle().as_slice(), &made.station()).unwrap().pour(&mut Full).unwrap_err();
    assert!(matches!(refused, Refused::NotWritten(_)), "{refused}");
}

/// A key and a signature that the tool made (README of rust-minisign-verify 0.3). Its comment has a tab, which a bundle's has not.
#[test]
fn the_form_of_keys_and_signatures_is_minisigns() {
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    let theirs = "untrusted comment: signature from minisign secret key\nRUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\ntrusted comment: timestamp:1556193335\tfile:test\ny/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==\n";
    assert_eq!(Key::new("first", KEY).map(|key| key.text).as_deref(), Some(KEY));
    let verifies = |key: &str, bytes: &[u8], signature: &str| {
        let signature = minisign_verify::Signature::decode(signature).unwrap();
        minisign_verify::PublicKey::from_base64(key).unwrap().verify(bytes, &signature, false).is_ok()
    };
    assert!(verifies(KEY, b"test", theirs));
    let secret = made::secret(0);
    let ours = update::make::sign(b"test", &secret, "a test").unwrap();
    assert!(verifies(&update::make::public(&secret), b"test", &ours));
    assert!(!verifies(&update::make::public(&secret), b"tesu", &ours));
    // What precedes the signature is the same, but for the number of the key.
    assert_eq!(ours.lines().nth(1).map(|line| &line[..2]), theirs.lines().nth(1).map(|line| &line[..2]));
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000), magic: bool) {
        static MADE: std::sync::LazyLock<Made> = std::sync::LazyLock::new(Made::new);
        let made = &MADE;
        let bytes = if magic { [&b"enrlupd1\x10\0\0\0\x10\0\0\0"[..], &bytes].concat() } else { bytes };
        prop_assert!(open(bytes.as_slice(), &made.station()).is_err());
    }
}

#[test]
fn the_station_of_these_tests_runs_a_release() {
    assert_eq!(About::read(STATION).map(|about| about.text()).as_deref(), Some(STATION));
}
