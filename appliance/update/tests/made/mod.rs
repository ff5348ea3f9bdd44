//! Bundles made for tests.

use std::io;

use ed25519_dalek::SigningKey;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use sha2::{Digest as _, Sha256};
use update::keys::Key;
use update::{About, CHUNK, Head, Keys, Sink, Station, make};

/// What runs at the station that the bundles come to.
pub(crate) const STATION: &str = "product enrollment-station-arm64\nversion 0.1.9\nnumber 7\nfloor 5\ncontract 1\nkind release\nboards raspberrypi,3-model-b\nforms journal=2\nkey first RWSRM2xr8mXtnmgVuczFh1ClsROjVXeLXFrBZV3+tp2KbPoQQhzBp2py\n";

/// As many bits of the stream are turned; 20,000 by name.
pub(crate) fn bits() -> usize {
    std::env::var("UPDATE_BITS").ok().and_then(|text| text.parse().ok()).unwrap_or(400)
}

/// A bundle that can be made wrong in its parts.
pub(crate) struct Made {
    /// The slot.
    pub(crate) slot: Vec<u8>,
    /// The slot, compressed.
    pub(crate) packed: Vec<u8>,
    /// Its head; hashes and lengths are computed at the end.
    pub(crate) head: Head,
    /// Which of the keys sign it.
    pub(crate) signed_by: Vec<u8>,
    /// What runs at the station.
    pub(crate) running: About,
}

/// The secret key of that number.
pub(crate) fn secret(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number + 1; 32])
}

/// The public key of that number.
pub(crate) fn key(number: u8, name: &str) -> Key {
    Key::new(name, &make::public(&secret(number))).unwrap()
}

impl Made {
    /// One that is right: three MiB and a half, some of it compressible, signed by the first of two keys.
    pub(crate) fn new() -> Self {
        let mut state = 1_u64;
        let slot: Vec<u8> = (0..CHUNK * 7 / 2)
            .map(|at| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if at / 4096 % 16 == 0 { (state >> 56) as u8 } else { (at / 512) as u8 }
            })
            .collect();
        let keys = Keys::new(vec![key(0, "first"), key(1, "second")]).unwrap();
        let running = About { keys: keys.clone(), ..About::read(STATION).unwrap() };
        let about = About { version: "0.2.0".to_owned(), number: 8, ..running.clone() };
        let head = Head {
            about,
            root: [7; 32],
            size: 0,
            packed: 0,
            packed_hash: [0; 32],
            boot: vec![("boot.scr".to_owned(), [3; 32])],
            chunks: vec![],
        };
        let packed = compress_to_vec(slot.as_slice(), CompressionLevel::Fastest);
        Self { slot, packed, head, signed_by: vec![0], running }
    }

    /// The head, with the hashes of what there is.
    pub(crate) fn finished(&self) -> Head {
        let hash = |bytes: &[u8]| <[u8; 32]>::from(Sha256::digest(bytes));
        Head {
            size: self.slot.len() as u64,
            packed: self.packed.len() as u64,
            packed_hash: hash(&self.packed),
            chunks: self.slot.chunks(CHUNK).map(hash).collect(),
            ..self.head.clone()
        }
    }

    /// The file.
    pub(crate) fn bundle(&self) -> Vec<u8> {
        let head = self.finished();
        let signatures: Vec<String> = self
            .signed_by
            .iter()
            .map(|number| make::sign(head.text().as_bytes(), &secret(*number), "a test").unwrap())
            .collect();
        make::bundle(&head, &signatures.concat(), &self.packed)
    }

    /// The station that it comes to.
    pub(crate) fn station(&self) -> Station<'_> {
        static BOARD: std::sync::LazyLock<Vec<String>> =
            std::sync::LazyLock::new(|| vec!["raspberrypi,3-model-b".to_owned(), "brcm,bcm2837".to_owned()]);
        Station {
            running: &self.running,
            keys: &self.running.keys,
            floor: 0,
            contract: 1,
            boards: &BOARD,
            failed: &[],
            ordered: false,
        }
    }
}

/// Keeps what comes.
#[derive(Default)]
pub(crate) struct Collect {
    /// All of it.
    pub(crate) bytes: Vec<u8>,
    /// In so many parts.
    pub(crate) chunks: usize,
}

impl Sink for Collect {
    fn chunk(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        assert_eq!(at, self.chunks);
        self.bytes.extend(bytes);
        self.chunks += 1;
        Ok(())
    }
}
