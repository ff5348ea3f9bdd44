//! Writes a signed bundle into the slot that does not run: `card install`, a process of its own without a network.
//!
//! The bundle comes over its standard input, and what becomes of it goes to its standard output, a line each: `mib 3 67` while it is
//! written, and at the end `written 0.2.0 8` or `refused 6003 …`, with the number of the refusal's code. It knows who may order that as little as the bundle's
//! sender knows the device. The boot record is not touched here.
//!
//! The first MiB goes to the card last, so a slot that was cut off has no file system and is not started. In the end all of it is read back past the
//! kernel's cache, and compared with the signed hashes, with its own hash tree and the signed root hash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use update::tree::{self, Shape};
use update::{CHUNK, Head, Refused, Sink, Station, open};

use crate::layout::Slot;
use crate::slots;
use crate::trial::{Kept, Stage, Trial};
use crate::update_facts::Facts;

/// MiB that are written before the card is waited for: the kernel would collect all of them, and others' writes would wait.
const AT_ONCE: usize = 8;

/// Bytes in front of a slot that are zeros while it is written: its superblock is among them (Linux, Documentation/filesystems/ext4).
const FRONT: usize = 4096;

/// The longest line that says what is ordered.
const ORDER: usize = 16;

/// Does one order by what [`crate::begin`] has found out about this start: the line `install` and a bundle behind it, `back`, or `cancel`.
///
/// # Errors
/// When the lines that say what becomes of it cannot be written. A refusal is a line.
pub fn order(mut source: impl Read, mut told: impl Write) -> Result<String, String> {
    let facts = Facts::read().map_err(|error| format!("nothing is known about this start: {error}"))?;
    let kept = Kept::at(crate::trial::PLACE);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let line = first_line(&mut source).map_err(|error| error.to_string())?;
    let done = match line.as_str() {
        "install" => install(source, told, &facts, &kept, now),
        "back" | "cancel" => {
            let done = if line == "back" { back(&facts, &kept, now) } else { cancel(&kept) };
            match done {
                Ok(said) => writeln!(told, "done {said}"),
                Err(why) => writeln!(told, "refused {} {why}", CANNOT),
            }
        }
        _ => writeln!(told, "refused {CANNOT} nobody knows what is to be done"),
    };
    done.map_err(|error| error.to_string())?;
    Ok(String::new())
}

/// The code of what is not about a bundle (`E6015`).
pub const CANNOT: u16 = 6015;

fn first_line(source: &mut impl Read) -> io::Result<String> {
    let mut line = String::new();
    let mut byte = [0];
    while line.len() < ORDER {
        source.read_exact(&mut byte)?;
        match byte {
            [b'\n'] => break,
            [byte] => line.push(char::from(byte)),
        }
    }
    Ok(line)
}

/// Installs a bundle, with everything given.
///
/// # Errors
/// When the lines cannot be written.
pub fn install(
    source: impl Read,
    mut told: impl Write,
    facts: &Facts,
    kept: &Kept,
    now: u64,
) -> io::Result<()> {
    match installed(source, &mut told, facts, kept, now) {
        Ok(head) => writeln!(told, "written {} {}", head.about.version, head.about.number),
        Err(refused) => writeln!(told, "refused {} {refused}", refused.code()),
    }
}

/// The same without a line at the end.
///
/// # Errors
/// The reason for which it is refused. Nothing waits to be tried then.
pub fn installed(
    source: impl Read,
    told: &mut impl Write,
    facts: &Facts,
    kept: &Kept,
    now: u64,
) -> Result<Head, Refused> {
    let failed: Vec<[u8; 32]> = kept.failed().iter().filter_map(|text| update::digest(text)).collect();
    let keys = facts.keys();
    let station = Station {
        running: &facts.running,
        keys: &keys,
        floor: kept.floor(),
        contract: facts.contract,
        boards: &facts.boards,
        failed: &failed,
        ordered: facts.ordered,
    };
    let opened = open(source, &station)?;
    let device = OpenOptions::new().read(true).write(true).open(&facts.node)?;
    let chunks = opened.head().chunks.len();
    let mut writer = Writer { device: &device, first: Vec::new(), told, chunks };
    let head = opened.pour(&mut writer)?;
    writer.finish()?;
    read_back(&facts.node, &head)?;
    let trial = Trial {
        slot: facts.slot.other(),
        version: head.about.version.clone(),
        number: head.about.number,
        root: update::hex(&head.root),
        written: now,
        stage: Stage::Waiting,
        tries: 0,
        unexplained: 0,
        open: false,
        why: String::new(),
    };
    kept.keep(&trial)?;
    Ok(head)
}

/// The slot that is written.
struct Writer<'a, W> {
    device: &'a File,
    /// The first MiB, until all others are on the card.
    first: Vec<u8>,
    told: &'a mut W,
    chunks: usize,
}

impl<W: Write> Sink for Writer<'_, W> {
    fn chunk(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        if at == 0 {
            self.device.write_all_at(&[0; FRONT], 0)?;
            self.device.sync_all()?;
            self.first = bytes.to_vec();
        } else {
            self.device.write_all_at(bytes, (at as u64).saturating_mul(CHUNK as u64))?;
        }
        if at % AT_ONCE == AT_ONCE - 1 {
            self.device.sync_data()?;
        }
        // Whoever ordered it may have gone; the slot is written all the same.
        let _ = writeln!(self.told, "mib {} {}", at.saturating_add(1), self.chunks);
        Ok(())
    }
}

impl<W> Writer<'_, W> {
    fn finish(self) -> io::Result<()> {
        self.device.sync_all()?;
        self.device.write_all_at(&self.first, 0)?;
        self.device.sync_all()
    }
}

/// Compares what is on the card with what was signed.
fn read_back(node: &str, head: &Head) -> Result<(), Refused> {
    let device = Uncached::open(node)?;
    for (at, hash) in head.chunks.iter().enumerate() {
        let mut found = Vec::new();
        device.read((at as u64).saturating_mul(CHUNK as u64), head.length_of(at), |bytes| {
            found = bytes.to_vec()
        })?;
        if update::hash(&found) != *hash {
            return Err(Refused::ReadBack(format!("MiB {at}")));
        }
    }
    let page = slots::page(&File::open(node)?).map_err(|error| Refused::ReadBack(error.to_string()))?;
    if page.about.as_ref() != Some(&head.about) {
        return Err(Refused::ReadBack("what the slot says of itself".to_owned()));
    }
    if page.tree.root() != update::hex(&head.root) || tree::length(page.tree.blocks()) != head.size {
        return Err(Refused::ReadBack("the page behind its file system".to_owned()));
    }
    let salt = page.tree.salt();
    let shape = Shape { blocks: page.tree.blocks(), salt: &salt, root: head.root };
    let mut mib = None;
    let mut bytes = Vec::new();
    tree::check(&shape, |block, to| {
        let begin = block.saturating_mul(tree::BLOCK as u64);
        // The tree's own blocks are between those of the data, so that MiB is read once more now and then.
        let number = begin / CHUNK as u64;
        if mib != Some(number) {
            let at = number.saturating_mul(CHUNK as u64);
            let length = usize::try_from(head.size.saturating_sub(at).min(CHUNK as u64)).unwrap_or_default();
            device.read(at, length, |found| {
                bytes.clear();
                bytes.extend_from_slice(found);
            })?;
            mib = Some(number);
        }
        let from = usize::try_from(begin % CHUNK as u64).unwrap_or_default();
        let found = bytes.get(from..from.saturating_add(to.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        to.copy_from_slice(found);
        Ok(())
    })
}

/// A device that is read past the kernel's cache, where that can be.
struct Uncached {
    file: File,
    buffer: std::cell::RefCell<Vec<u8>>,
}

impl Uncached {
    fn open(path: &str) -> io::Result<Self> {
        let direct = i32::try_from(OFlags::DIRECT.bits()).unwrap_or_default();
        // A file of a test may lie where there is no such thing.
        let file =
            OpenOptions::new().read(true).custom_flags(direct).open(path).or_else(|_| File::open(path))?;
        Ok(Self { file, buffer: std::cell::RefCell::new(vec![0; CHUNK + tree::BLOCK]) })
    }

    fn read(&self, at: u64, length: usize, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let mut buffer = self.buffer.borrow_mut();
        // Such reads go to whole blocks of memory.
        let begin = buffer.as_ptr().align_offset(tree::BLOCK).min(tree::BLOCK);
        let to = buffer.get_mut(begin..begin.saturating_add(length)).ok_or(io::ErrorKind::InvalidInput)?;
        self.file.read_exact_at(to, at)?;
        take(to);
        Ok(())
    }
}

/// The next start is that of the slot that waits to be tried: `card switch`. The boot record says so when this returns.
///
/// # Errors
/// When nothing waits, the slot is not what was written, or the record cannot be changed.
pub fn switch(card: &crate::device::Card, running: Slot) -> Result<String, String> {
    let kept = Kept::at(crate::trial::PLACE);
    let trial =
        kept.trial().filter(|trial| trial.stage == Stage::Waiting).ok_or("no update waits to be tried")?;
    if trial.slot == running {
        return Err(format!("slot {running} is running, and is said to be the one to be tried"));
    }
    let node = card.partition(trial.slot.partition());
    let page = File::open(&node)
        .map_err(slots::Unknown::from)
        .and_then(|slot| slots::page(&slot))
        .map_err(|error| format!("{node}: {error}"))?;
    if page.tree.root() != trial.root {
        return Err(format!("{node} is not what was written there"));
    }
    let path = card.path();
    let disk =
        File::options().read(true).write(true).open(&path).map_err(|error| format!("{path}: {error}"))?;
    crate::device::change(&disk, |record| record.try_next(trial.slot))
        .map_err(|error| format!("{path}: {error}"))?;
    kept.keep(&Trial { stage: Stage::Trying, ..trial.clone() }).map_err(|error| error.to_string())?;
    Ok(format!("slot {} with {} is tried at the next start", trial.slot, trial.version))
}

/// The other slot waits to be tried, as it is: `card back`, by order.
///
/// # Errors
/// When it is no slot, is below the floor, or does not read what is kept.
pub fn back(facts: &Facts, kept: &Kept, now: u64) -> Result<String, String> {
    let other = facts.slot.other();
    let page = File::open(&facts.node)
        .map_err(slots::Unknown::from)
        .and_then(|slot| slots::page(&slot))
        .map_err(|error| format!("slot {other}: {error}"))?;
    let about = page.about.ok_or_else(|| format!("slot {other} does not say what it is"))?;
    let floor = kept.floor().max(facts.running.floor);
    if about.number < floor {
        return Err(format!(
            "slot {other} has number {}, and below {floor} nothing is started by order",
            about.number
        ));
    }
    if !about.reads(&facts.running.forms) {
        return Err(format!("slot {other} with {} does not read what is kept now", about.version));
    }
    let trial = Trial {
        slot: other,
        version: about.version.clone(),
        number: about.number,
        root: page.tree.root().to_owned(),
        written: now,
        stage: Stage::Waiting,
        tries: 0,
        unexplained: 0,
        open: false,
        why: String::new(),
    };
    kept.keep(&trial).map_err(|error| error.to_string())?;
    Ok(format!("slot {other} with {} waits to be tried", about.version))
}

/// Nothing waits to be tried any more: `card cancel`.
///
/// # Errors
/// When nothing does.
pub fn cancel(kept: &Kept) -> Result<String, String> {
    let trial =
        kept.trial().filter(|trial| trial.stage == Stage::Waiting).ok_or("no update waits to be tried")?;
    let version = trial.version.clone();
    kept.keep(&Trial { stage: Stage::Left, why: "an operator has called it off".to_owned(), ..trial })
        .map_err(|error| error.to_string())?;
    Ok(format!("{version} is not tried"))
}

/// Reads `/proc/device-tree/compatible`: what the board is.
#[must_use]
pub fn boards() -> Vec<String> {
    let text = fs::read("/proc/device-tree/compatible").unwrap_or_default();
    text.split(|byte| *byte == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

#[cfg(test)]
#[path = "install_tests.rs"]
mod tests;
