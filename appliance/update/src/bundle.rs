//! A bundle as a stream: verified, judged, and taken apart.

use std::io::{self, Read};

use ruzstd::decoding::StreamingDecoder;
use sha2::{Digest as _, Sha256};

use crate::about::{About, Kind};
use crate::head::{self, Head};
use crate::keys::Keys;
use crate::refused::Refused;
use crate::{CHUNK, hash};

/// What a bundle begins with.
pub const MAGIC: &[u8; 8] = b"enrlupd1";

/// The most bytes of all signatures.
pub const MOST_SIGNATURES: usize = 8 << 10;

/// The largest window of zstd: as much is in memory while a slot is unpacked.
pub const WINDOW: u64 = 1 << 20;

/// What a bundle is judged by: the station that it came to.
#[derive(Debug, Clone)]
pub struct Station<'a> {
    /// The system that runs.
    pub running: &'a About,
    /// Whose signature counts: the keys of the system that runs, and those that the owner has added.
    pub keys: &'a Keys,
    /// The highest floor that was ever seen here.
    pub floor: u64,
    /// The form of the card's boot files.
    pub contract: u64,
    /// What the board is, in the words of its device tree.
    pub boards: &'a [String],
    /// Root hashes of slots that have failed here.
    pub failed: &'a [[u8; 32]],
    /// Somebody has ordered this very bundle: one that has failed is tried again.
    pub ordered: bool,
}

impl Station<'_> {
    fn judge(&self, head: &Head, signers: usize) -> Result<(), Refused> {
        let about = &head.about;
        if about.product != self.running.product {
            return Err(Refused::OtherProduct(about.product.clone()));
        }
        if self.running.kind == Kind::Release && about.kind != Kind::Release {
            return Err(Refused::Development);
        }
        if !about.boards.iter().any(|board| self.boards.contains(board)) {
            return Err(Refused::OtherBoard(self.boards.first().cloned().unwrap_or_default()));
        }
        let floor = self.floor.max(self.running.floor);
        if about.number < floor {
            return Err(Refused::BelowFloor { number: about.number, floor });
        }
        if about.number <= self.running.number {
            return Err(Refused::NotNewer { number: about.number, running: self.running.number });
        }
        if about.contract > self.contract {
            return Err(Refused::OldCard { needs: about.contract, has: self.contract });
        }
        if about.keys != self.running.keys && signers < 2 {
            return Err(Refused::OneSignature);
        }
        if !self.ordered && self.failed.contains(&head.root) {
            return Err(Refused::Failed(crate::hex(&head.root)));
        }
        Ok(())
    }
}

/// Where the slot's bytes go.
pub trait Sink {
    /// Takes a MiB whose hash is right; `at` is its number.
    ///
    /// # Errors
    /// When it cannot be written.
    fn chunk(&mut self, at: usize, bytes: &[u8]) -> io::Result<()>;
}

/// A bundle whose head is signed by who may, and is for this station.
#[derive(Debug)]
pub struct Opened<R> {
    head: Head,
    signers: Vec<String>,
    source: R,
}

/// Reads the head and its signatures, and verifies and judges them. Nothing behind them is read.
///
/// # Errors
/// The first reason for which it is refused.
pub fn open<R: Read>(mut source: R, station: &Station<'_>) -> Result<Opened<R>, Refused> {
    let (bytes, signatures) = signed_part(&mut source)?;
    let signers = station.keys.signers(&bytes, &signatures)?;
    let head = Head::read(&bytes).ok_or(Refused::NoBundle("its head has a form that is not known here"))?;
    station.judge(&head, signers.len())?;
    let signers = signers.into_iter().map(|key| key.name.clone()).collect();
    Ok(Opened { head, signers, source })
}

/// The head's bytes and the signatures' text, of which nothing is believed yet.
///
/// # Errors
/// When it is no bundle, or ends too early.
pub fn signed_part(source: &mut impl Read) -> Result<(Vec<u8>, String), Refused> {
    let mut front = [0; 16];
    source.read_exact(&mut front).map_err(|_| Refused::CutOff)?;
    let (magic, lengths) = front.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(Refused::NoBundle("it does not begin as one"));
    }
    let mut lengths = lengths
        .chunks_exact(4)
        .map(|bytes| bytes.try_into().map_or(usize::MAX, |bytes| u32::from_le_bytes(bytes) as usize));
    let (head, signatures) = (lengths.next().unwrap_or_default(), lengths.next().unwrap_or_default());
    if head > head::MOST || signatures > MOST_SIGNATURES {
        return Err(Refused::NoBundle("its head is too long"));
    }
    let mut bytes = vec![0; head];
    source.read_exact(&mut bytes).map_err(|_| Refused::CutOff)?;
    let mut text = vec![0; signatures];
    source.read_exact(&mut text).map_err(|_| Refused::CutOff)?;
    let text = String::from_utf8(text).map_err(|_| Refused::Unsigned("a signature is no text".to_owned()))?;
    Ok((bytes, text))
}

impl<R: Read> Opened<R> {
    /// What is signed.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The names of the keys that have signed it.
    pub fn signers(&self) -> &[String] {
        &self.signers
    }

    /// Unpacks the slot, and gives each MiB to `sink` once its hash is right.
    ///
    /// # Errors
    /// When anything is not as the head says. What the sink has by then is a part of a slot, and no slot.
    pub fn pour(self, sink: &mut impl Sink) -> Result<Head, Refused> {
        let Self { head, source, .. } = self;
        let mut packed = Packed { source, left: head.packed, hash: Sha256::new(), cut_off: false };
        let poured = unpack(&head, &mut packed, sink);
        if packed.cut_off {
            return Err(Refused::CutOff);
        }
        poured?;
        if packed.left > 0 || <[u8; 32]>::from(packed.hash.finalize()) != head.packed_hash {
            return Err(Refused::Damaged("the compressed part is not the one that was signed".to_owned()));
        }
        match read_some(&mut packed.source, &mut [0]) {
            Ok(0) => Ok(head),
            Ok(_) => Err(Refused::Damaged("more follows its end".to_owned())),
            Err(_) => Err(Refused::CutOff),
        }
    }
}

fn unpack<R: Read>(head: &Head, packed: &mut Packed<R>, sink: &mut impl Sink) -> Result<(), Refused> {
    let damaged = |what: &dyn std::fmt::Display| Refused::Damaged(what.to_string());
    let mut frame =
        StreamingDecoder::new_with_max_window_size(packed, WINDOW).map_err(|error| damaged(&error))?;
    let mut bytes = vec![0; CHUNK];
    for (at, signed) in head.chunks.iter().enumerate() {
        let chunk = bytes.get_mut(..head.length_of(at)).unwrap_or_default();
        frame.read_exact(chunk).map_err(|error| damaged(&error))?;
        if hash(chunk) != *signed {
            return Err(damaged(&format_args!("MiB {at} has another hash")));
        }
        sink.chunk(at, chunk)?;
    }
    match read_some(&mut frame, &mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(damaged(&"it holds more than its head says")),
        Err(error) => Err(damaged(&error)),
    }
}

/// Reads once, whatever interrupts it.
fn read_some(source: &mut impl Read, to: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(to) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// The compressed bytes: as many as the head says, and their hash.
struct Packed<R> {
    source: R,
    left: u64,
    hash: Sha256,
    /// The source ended, or failed, before all of it came.
    cut_off: bool,
}

impl<R: Read> Read for &mut Packed<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(to.len());
        if most == 0 {
            return Ok(0);
        }
        let to = to.get_mut(..most).unwrap_or_default();
        match read_some(&mut self.source, to) {
            Ok(0) => {
                self.cut_off = true;
                Ok(0)
            }
            Ok(got) => {
                self.left = self.left.saturating_sub(got as u64);
                self.hash.update(to.get(..got).unwrap_or_default());
                Ok(got)
            }
            Err(error) => {
                self.cut_off = true;
                Err(error)
            }
        }
    }
}
