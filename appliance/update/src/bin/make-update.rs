//! `make-update`: makes, signs and shows bundles. See its `--help`.

use std::fs;
use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};

use update::keys::Key;
use update::make::{self, Signing};
use update::{About, CHUNK, Head, Keys, bundle, hash};

const HELP: &str = "\
make-update bundle SLOT PACKED OUTPUT ROOTHASH [BOOT-FILE...] -- SIGNER...
    makes a bundle of a slot, and of the same compressed by zstd with a window of 1 MiB.
    A SIGNER is \"development\", or PUBLIC-KEY=PROGRAM: the program reads what is to be signed and
    writes the 64 bytes of an Ed25519 signature
make-update public PROGRAM-OR-development RAW-KEY-FILE
    the public key as minisign writes it, of 32 raw bytes
make-update show BUNDLE [KEYS]
    verifies the signatures by the keys (those in the head without), and prints the head
make-update card DEVICE BUNDLE
    which parts of a card are those of the bundle, MiB by MiB";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["bundle", slot, packed, output, root, rest @ ..] => make_bundle(slot, packed, output, root, rest),
        ["public", "development"] => Ok(make::public(&make::development())),
        ["public", raw] => public(raw),
        ["show", file] => show(file, None),
        ["show", file, keys] => show(file, Some(keys)),
        ["card", device, file] => card::compare(device, file),
        ["-h" | "--help"] => Ok(HELP.to_owned()),
        _ => Err(HELP.to_owned()),
    };
    match done {
        Ok(said) => {
            println!("{}", said.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("make-update: {error}");
            ExitCode::FAILURE
        }
    }
}

type Said = Result<String, String>;

fn read(path: &str) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{path}: {error}"))
}

fn make_bundle(slot: &str, packed: &str, output: &str, root: &str, rest: &[&str]) -> Said {
    let parts: Vec<&[&str]> = rest.splitn(2, |word| *word == "--").collect();
    let &[boot, signers] = parts.as_slice() else { return Err("who signs it? See --help".to_owned()) };
    let (slot, packed) = (read(slot)?, read(packed)?);
    let at = about_at(&slot, root)?;
    let page = slot.get(at..).unwrap_or_default();
    let about = About::in_page(page).ok_or("the slot says nothing of itself behind its file system")?;
    let mut files = Vec::new();
    for path in boot {
        let name = path.rsplit('/').next().unwrap_or(path);
        files.push((name.to_owned(), hash(&read(path)?)));
    }
    files.sort();
    let head = Head {
        about,
        root: update::digest(root).ok_or("the root hash is none")?,
        size: slot.len() as u64,
        packed: packed.len() as u64,
        packed_hash: hash(&packed),
        boot: files,
        chunks: slot.chunks(CHUNK).map(hash).collect(),
    };
    let text = head.text();
    if Head::read(text.as_bytes()).as_ref() != Some(&head) {
        return Err("the head cannot be read back: see what the slot says of itself".to_owned());
    }
    let comment = format!("{} {} number {}", head.about.product, head.about.version, head.about.number);
    let mut signatures = String::new();
    for signer in signers {
        signatures += &match signer.split_once('=') {
            None if *signer == "development" => make::sign(text.as_bytes(), &make::development(), &comment)?,
            Some((key, program)) => make::sign(text.as_bytes(), &Program::new(key, program)?, &comment)?,
            None => return Err(format!("who is {signer}? See --help")),
        };
    }
    // Whoever signs finds out here, and not at the first station.
    let signers = head.about.keys.signers(text.as_bytes(), &signatures).map_err(|error| error.to_string())?;
    let names: Vec<&str> = signers.iter().map(|key| key.name.as_str()).collect();
    fs::write(output, make::bundle(&head, &signatures, &packed))
        .map_err(|error| format!("{output}: {error}"))?;
    Ok(format!("{comment}, signed by {}", names.join(", ")))
}

/// Where the page is in which the root hash stands.
fn about_at(slot: &[u8], root: &str) -> Result<usize, String> {
    let text = format!("roothash={root}");
    let mut pages = slot.chunks(4096).enumerate();
    let page = pages.find(|(_, page)| page.get(512..).is_some_and(|rest| rest.starts_with(text.as_bytes())));
    page.map(|(at, _)| at * 4096).ok_or_else(|| "the slot has no page with that root hash".to_owned())
}

/// A key in hardware, behind a program.
struct Program {
    public: [u8; 32],
    program: String,
}

impl Program {
    fn new(key: &str, program: &str) -> Result<Self, String> {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.decode(key).unwrap_or_default();
        let public = bytes.get(10..).and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            public: public.ok_or_else(|| format!("{key} is no public key of minisign"))?,
            program: program.to_owned(),
        })
    }
}

impl Signing for Program {
    fn public(&self) -> [u8; 32] {
        self.public
    }

    fn sign(&self, bytes: &[u8]) -> Result<[u8; 64], String> {
        let said = |error: std::io::Error| format!("{}: {error}", self.program);
        let mut child =
            Command::new(&self.program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(said)?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(bytes).map_err(said)?;
        }
        let ended = child.wait_with_output().map_err(said)?;
        let signature = ended.stdout.as_slice().try_into();
        signature.ok().filter(|_| ended.status.success()).ok_or_else(|| {
            format!(
                "{} ended with {} and {} bytes instead of a signature's 64",
                self.program,
                ended.status,
                ended.stdout.len()
            )
        })
    }
}

fn public(raw: &str) -> Said {
    let bytes: [u8; 32] =
        read(raw)?.try_into().map_err(|_| format!("{raw} has not the 32 bytes of an Ed25519 key"))?;
    Ok(make::public(&Program { public: bytes, program: String::new() }))
}

/// The head of a bundle, verified by these keys, or by those that it names itself.
fn verified(file: &str, keys: Option<&str>) -> Result<(Head, String), String> {
    let bytes = read(file)?;
    let (text, signatures) = bundle::signed_part(&mut bytes.as_slice()).map_err(|error| error.to_string())?;
    let head = Head::read(&text).ok_or("its head has a form that is not known here")?;
    let keys = match keys {
        None => head.about.keys.clone(),
        Some(path) => keys_of(&String::from_utf8_lossy(&read(path)?))
            .ok_or_else(|| format!("{path} is no list of keys"))?,
    };
    let signers = keys.signers(&text, &signatures).map_err(|error| error.to_string())?;
    let names: Vec<&str> = signers.iter().map(|key| key.name.as_str()).collect();
    Ok((head, names.join(", ")))
}

/// Lines of a name and a key.
fn keys_of(text: &str) -> Option<Keys> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let keys: Option<Vec<Key>> =
        lines.map(|line| line.split_once(' ').and_then(|(name, key)| Key::new(name, key))).collect();
    keys.and_then(Keys::new)
}

fn show(file: &str, keys: Option<&str>) -> Said {
    let (head, signers) = verified(file, keys)?;
    let by = if keys.is_some() { "signed by" } else { "signed, as it says itself, by" };
    Ok(format!("{}{by} {signers}\n", head.text()))
}

/// A card against a bundle.
mod card {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    use super::{CHUNK, Said, hash, verified};

    /// Where slots begin (`image/card.cfg`).
    const SLOTS: [(&str, u64); 2] = [("A", 68 << 20), ("B", 324 << 20)];

    /// Whether all of a slot is zeros, and whether all is behind its first bytes.
    fn behind(card: &File, begin: u64, size: u64) -> std::io::Result<(bool, bool)> {
        let mut bytes = vec![0; CHUNK];
        let (mut empty, mut rest) = (true, true);
        for at in 0..update::SLOT / CHUNK as u64 {
            let from = at * CHUNK as u64;
            card.read_exact_at(&mut bytes, begin + from)?;
            if bytes.iter().any(|byte| *byte != 0) {
                empty = false;
                let behind = usize::try_from(size.saturating_sub(from)).unwrap_or(CHUNK).min(CHUNK);
                rest &= bytes.get(behind..).unwrap_or_default().iter().all(|byte| *byte == 0);
            }
        }
        Ok((empty, rest))
    }

    pub(super) fn compare(device: &str, file: &str) -> Said {
        let (head, signers) = verified(file, None)?;
        let card = File::open(device).map_err(|error| format!("{device}: {error}"))?;
        let mut said =
            format!("compared with {} {}, signed by {signers}\n", head.about.product, head.about.version);
        for (name, begin) in SLOTS {
            let mut other = Vec::new();
            let mut bytes = vec![0; CHUNK];
            for (at, signed) in head.chunks.iter().enumerate() {
                let part = bytes.get_mut(..head.length_of(at)).unwrap_or_default();
                card.read_exact_at(part, begin + (at * CHUNK) as u64)
                    .map_err(|error| format!("{device}: {error}"))?;
                if hash(part) != *signed {
                    other.push(at);
                }
            }
            let (empty, rest) =
                behind(&card, begin, head.size).map_err(|error| format!("{device}: {error}"))?;
            said += &match other.as_slice() {
                [] if rest => format!(
                    "slot {name}: each of its {} bytes is this release's, and zeros follow\n",
                    head.size
                ),
                [] => format!("WRONG: slot {name} is this release's, and something else lies behind it\n"),
                _ if empty => format!("slot {name}: empty\n"),
                all if all.len() == head.chunks.len() => format!("slot {name}: not of this release\n"),
                some => format!(
                    "WRONG: slot {name}: {} of {} MiB differ, the first is MiB {}\n",
                    some.len(),
                    head.chunks.len(),
                    some.first().unwrap_or(&0)
                ),
            };
        }
        for (name, signed) in &head.boot {
            said += &format!("boot {} {name}\n", update::hex(signed));
        }
        Ok(said)
    }
}
