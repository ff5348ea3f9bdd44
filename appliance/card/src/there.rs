//! Which files of the FAT partition are meant, where their names and contents are not quite what they should be; and notes for the
//! daemon about that.
//!
//! Computers hide an ending and add one (`enrollment.toml.txt`), and two names may differ in case. Then there is one that is
//! nearest, and it is taken. A private SSH key is never taken: whoever has had the card has it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::log::certificates;
use crate::settings::{Bytes, FILE};
use ::settings::quotes::{DOUBLE, SINGLE};

/// The file, beside the daemon's settings, with notes: a line each, with the file's name, what is wrong, and what to do, between tabs.
pub const NOTES: &str = "card.notes";

/// The settings as they are delivered, which say nothing yet.
const DELIVERED: &[u8] = include_bytes!("../../../docs/enrollment.toml");

/// The longest file that is taken over, in bytes.
const LONGEST: u64 = 1 << 20;

/// The longest file in which a private key is looked for. The longest ones known have 13 KB (RSA, 16384 bits).
const LONGEST_KEY: u64 = 64 << 10;

/// Endings of the files that are taken over. What else is on the partition belongs to the firmware and U-Boot.
const ENDINGS: [&str; 8] = ["toml", "pem", "crt", "cer", "pub", "key", "keys", "token"];

/// What no line of the settings may have overwritten: without these, the board does not start.
const FIRMWARE: [&str; 7] = ["elf", "dat", "bin", "dtb", "dtbo", "env", "scr"];

/// The most notes that are kept.
const MOST_NOTES: usize = 20;

/// A file that is taken over, by the name under which it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct One {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
}

/// The files of the partition.
pub(crate) struct There {
    /// By the name they have there.
    all: BTreeMap<String, (PathBuf, u64)>,
    notes: Vec<String>,
}

impl There {
    pub(crate) fn look(fat: &Path) -> io::Result<Self> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(fat)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let about = entry.metadata()?;
            if about.is_file() && about.len() <= LONGEST {
                all.insert(name, (entry.path(), about.len()));
            }
        }
        let mut there = Self { all, notes: Vec::new() };
        there.private_keys();
        Ok(there)
    }

    /// The settings; taken out of what else is there.
    pub(crate) fn settings(&mut self) -> Option<One> {
        let named = |wanted: &str| self.spelled(wanted);
        let (plain, hidden) =
            (named(FILE), [named(&format!("{FILE}.txt")), named("enrollment.txt")].concat());
        let delivered = |name: &String| {
            let read = |(path, _): &(PathBuf, u64)| fs::read(path).map(Zeroizing::new);
            self.all.get(name).is_some_and(|file| read(file).is_ok_and(|bytes| *bytes == DELIVERED))
        };
        // Who has saved it under another name has left the delivered one as it was.
        let chosen = match plain.first() {
            Some(name) if hidden.is_empty() || !delivered(name) => name.clone(),
            first => hidden.first().or(first)?.clone(),
        };
        let others =
            plain.iter().filter(|name| !delivered(name)).chain(&hidden).filter(|name| **name != chosen);
        let others: Vec<String> = others.cloned().collect();
        if hidden.contains(&chosen) {
            self.note(
                &chosen,
                &format!("it is read as {FILE}"),
                &format!("Give it the name {FILE}, without .txt."),
            );
        }
        for other in others {
            self.note(
                &other,
                &format!("it is not read, since {chosen} is there, too"),
                "Keep one of the two.",
            );
        }
        let (path, length) = self.all.get(&chosen).cloned()?;
        for taken in plain.iter().chain(&hidden) {
            self.all.remove(taken);
        }
        Some(One { name: FILE.to_owned(), path, length })
    }

    /// The other files that are meant, under the names that the settings give them.
    pub(crate) fn files(&mut self, text: &str) -> Vec<One> {
        let quoted = |c: char| c == '"' || c == '\'' || DOUBLE.contains(&c) || SINGLE.contains(&c);
        let words: Vec<&str> =
            text.split(quoted).filter(|word| !word.is_empty() && word.len() < 256).collect();
        let mut files: Vec<One> = Vec::new();
        // By their names in small letters: those that differ in case only are one.
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in self.all.keys() {
            groups.entry(name.to_lowercase()).or_default().push(name.clone());
        }
        for (small, names) in &groups {
            let named = words.iter().find(|word| word.to_lowercase() == *small);
            if named.is_none() && !is_usual(small) {
                continue;
            }
            let exact = |wanted: &str| names.iter().find(|name| name.as_str() == wanted);
            let Some(chosen) =
                named.and_then(|named| exact(named)).or_else(|| exact(small)).or(names.first())
            else {
                continue;
            };
            for other in names.iter().filter(|other| *other != chosen) {
                let text =
                    format!("it is not read, since {chosen} is there, too, and capitals do not matter");
                self.note(other, &text, "Keep one of the two.");
            }
            files.extend(self.one(chosen, named.map_or(chosen.as_str(), |named| *named)));
        }
        // Named, and not there, but with an ending that a computer hides.
        for word in words {
            let small = word.to_lowercase();
            if groups.contains_key(&small) || files.iter().any(|one| one.name == word) || is_firmware(word) {
                continue;
            }
            let Some(name) = groups.get(&format!("{small}.txt")).and_then(|names| names.first()) else {
                continue;
            };
            self.note(
                name,
                &format!("it is read as {word}"),
                &format!("Give it the name {word}, without .txt."),
            );
            files.extend(self.one(name, word));
        }
        files
    }

    /// What is taken of a file: of certificates with a private key the certificates, of a private key nothing.
    #[allow(clippy::unused_self)] // It reads as what is done with what is there.
    pub(crate) fn without_private_keys(&self, one: &One, bytes: Bytes) -> Option<Bytes> {
        if one.name == FILE || !is_private_key(&bytes) {
            return Some(bytes);
        }
        let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        let certificates = certificates(&text);
        (!certificates.is_empty()).then(|| Zeroizing::new(certificates.into_bytes()))
    }

    /// What the daemon has to say.
    pub(crate) fn notes(&self) -> Option<Bytes> {
        let lines: Vec<&str> = self.notes.iter().take(MOST_NOTES).map(String::as_str).collect();
        (!lines.is_empty()).then(|| Zeroizing::new(format!("{}\n", lines.join("\n")).into_bytes()))
    }

    /// Every private key on the partition is named, whatever its file is called.
    fn private_keys(&mut self) {
        let keys: Vec<String> = self
            .all
            .iter()
            .filter(|(name, (_, length))| {
                *length <= LONGEST_KEY
                    && !is_firmware(name)
                    && !name.to_lowercase().starts_with("enrollment.")
            })
            .filter(|(_, (path, _))| fs::read(path).is_ok_and(|bytes| is_private_key(&Zeroizing::new(bytes))))
            .map(|(name, _)| name.clone())
            .collect();
        for name in keys {
            let text = "this is a private key, and whoever has had the card in hand has it: it is compromised. It is not taken over";
            self.note(
                &name,
                text,
                "Make a new pair of keys, put its public half onto the card, and delete this file.",
            );
        }
    }

    /// The names there that are this one when capitals do not matter, the same one first.
    fn spelled(&self, wanted: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.all.keys().filter(|name| name.eq_ignore_ascii_case(wanted)).cloned().collect();
        names.sort_by_key(|name| name != wanted);
        names
    }

    fn one(&self, name: &str, kept: &str) -> Option<One> {
        let (path, length) = self.all.get(name).cloned()?;
        Some(One { name: kept.to_owned(), path, length })
    }

    fn note(&mut self, file: &str, text: &str, remedy: &str) {
        let clean = |part: &str| part.replace(|c: char| c.is_control(), " ");
        let note = format!("{}\t{}\t{}", clean(file), clean(text), clean(remedy));
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

pub(crate) fn is_firmware(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    name.eq_ignore_ascii_case("config.txt")
        || ending.is_some_and(|ending| FIRMWARE.contains(&ending.as_str()))
}

/// Whether it is one of the files that are taken over unasked. Beside each of these, macOS puts one of its own.
fn is_usual(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let known = ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()));
    (known || name == "authorized_keys") && !name.starts_with("._")
}

/// Whether somebody's private key stands there: as OpenSSH and OpenSSL write it (RFC 7468, RFC 5958), as PuTTY does, or as
/// `ssh-keygen -e` of other vendors does.
fn is_private_key(bytes: &[u8]) -> bool {
    // As Windows PowerShell saves text, too.
    let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let letters = bytes.get(if wide { 2 } else { 0 }..).unwrap_or_default();
    let narrow: Bytes = Zeroizing::new(letters.iter().copied().filter(|byte| !wide || *byte != 0).collect());
    let text = Zeroizing::new(String::from_utf8_lossy(&narrow).into_owned());
    text.lines().map(str::trim).any(|line| {
        let line = line.trim_start_matches('\u{feff}');
        let pem = line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY");
        pem || line.starts_with("PuTTY-User-Key-File-")
            || line.starts_with("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Kept, Settings};

    const PRIVATE: &str =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE=\n-----END OPENSSH PRIVATE KEY-----\n";
    const TEXT: &str = "[[operators]]\nkeys = [\"alice.pub\"]\n[server]\nca = \"ca.pem\"\n";

    /// What is kept of these files, and the notes.
    fn kept(files: &[(&str, &str)]) -> (BTreeMap<String, String>, String) {
        let (fat, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (name, text) in files {
            fs::write(fat.path().join(name), text).unwrap();
        }
        let place = state.path().join("kept");
        let settings = Settings::read(fat.path(), &Kept::new(&place)).unwrap();
        settings.keep(&place, rustix::process::getgid().as_raw()).unwrap();
        let mut kept: BTreeMap<String, String> = fs::read_dir(&place)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        let notes = kept.remove(NOTES).unwrap_or_default();
        (kept, notes)
    }

    #[test]
    fn an_ending_that_a_computer_adds_is_overlooked_and_named() {
        for name in ["enrollment.toml.txt", "Enrollment.TOML.TXT", "enrollment.txt"] {
            let (kept, notes) = kept(&[(name, TEXT), (FILE, str::from_utf8(DELIVERED).unwrap())]);
            assert_eq!(kept[FILE], TEXT);
            assert!(notes.starts_with(&format!("{name}\tit is read as {FILE}\t")), "{notes}");
            assert_eq!(notes.lines().count(), 1, "{notes}");
        }
        let (kept_, notes) = kept(&[("enrollment.toml.txt", "[station]\n"), (FILE, TEXT)]);
        assert_eq!(kept_[FILE], TEXT);
        assert!(notes.contains("enrollment.toml.txt\tit is not read"), "{notes}");
        let (kept, notes) =
            kept(&[(FILE, TEXT), ("ALICE.pub.txt", "key"), ("ca.pem", "PEM"), ("other.pub.txt", "x")]);
        assert_eq!((kept["alice.pub"].as_str(), kept["ca.pem"].as_str()), ("key", "PEM"));
        assert!(
            notes.contains("ALICE.pub.txt\tit is read as alice.pub") && notes.lines().count() == 1,
            "{notes}"
        );
    }

    #[test]
    fn of_two_that_differ_in_case_the_one_that_is_named_is_taken() {
        let files = [
            (FILE, TEXT),
            ("Enrollment.toml", "[x]\n"),
            ("ALICE.pub", "wrong"),
            ("alice.pub", "right"),
            ("Alice.pub", "wrong"),
        ];
        let (kept, notes) = kept(&files);
        assert_eq!((kept[FILE].as_str(), kept["alice.pub"].as_str()), (TEXT, "right"));
        assert_eq!(notes.lines().count(), 3, "{notes}");
        assert!(
            notes.contains("Enrollment.toml\t")
                && notes.contains("ALICE.pub\t")
                && notes.contains("Alice.pub\t")
        );
    }

    #[test]
    fn names_in_typographic_quotes_are_names() {
        let (kept, _) = kept(&[(FILE, "[[operators]]\nkeys = [“Alice.pub”]\n"), ("alice.pub", "key")]);
        assert_eq!(kept["Alice.pub"], "key");
    }

    #[test]
    fn a_private_key_is_named_and_not_copied_whatever_it_is_called() {
        let wide: Vec<u8> =
            std::iter::once(0xfeff).chain(PRIVATE.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        for name in ["alice.pub", "id_ed25519", "alice.key", "alice.txt", "notes"] {
            let (kept, notes) = kept(&[(FILE, TEXT), (name, PRIVATE)]);
            assert!(!kept.values().any(|text| text.contains("PRIVATE")), "{name}");
            assert!(notes.starts_with(&format!("{name}\t")) && notes.contains("compromised"), "{notes}");
        }
        let putty = "PuTTY-User-Key-File-3: ssh-ed25519\n";
        let (kept_, notes) = kept(&[(FILE, TEXT), ("alice.ppk", putty)]);
        assert!(!kept_.contains_key("alice.ppk") && notes.contains("alice.ppk"));
        assert!(is_private_key(&wide) && is_private_key(format!("\u{feff}{PRIVATE}").as_bytes()));
        let certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        let (kept_, notes) = kept(&[(FILE, TEXT), ("ca.pem", &format!("{certificate}{PRIVATE}"))]);
        assert_eq!(kept_["ca.pem"], certificate);
        assert!(notes.contains("ca.pem\t"));
        let (_, notes) = kept(&[(FILE, TEXT), ("ca.pem", certificate), ("alice.pub", "ssh-ed25519 AAAA")]);
        assert_eq!(notes, "");
    }
}
