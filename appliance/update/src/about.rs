//! What a slot says of itself.
//!
//! It is text in the page behind the slot's file system, next to the root hash, so a slot is one piece that describes itself:
//! who wants to know what is in the other slot reads one page. The same text stands in a bundle's head, and so is signed.
//!
//! ```text
//! product enrollment-station-arm64
//! version 0.1.0
//! number 7
//! floor 3
//! contract 1
//! kind release
//! boards raspberrypi,3-model-b raspberrypi,4-model-b
//! forms journal=2 run=1
//! key release-1 RWQ…
//! key release-2 RWQ…
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::keys::{Key, Keys};
use crate::number;

/// Where in the page behind the file system the text begins.
pub const AT: usize = 1024;

/// Bytes that are there for it.
pub const ROOM: usize = 3072;

/// The product of this repository.
pub const PRODUCT: &str = "enrollment-station-arm64";

/// What a system was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To be given out.
    Release,
    /// For tests: development's key may sign, and limits may be shortened.
    Development,
}

/// What a slot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What it is a version of.
    pub product: String,
    /// As people know it.
    pub version: String,
    /// Which release it is; a newer one has a higher number.
    pub number: u64,
    /// Once it has run, nothing below this number is installed any more.
    pub floor: u64,
    /// The form of the boot files (firmware, U-Boot, script) that it needs at least.
    pub contract: u64,
    /// What it was made for.
    pub kind: Kind,
    /// The boards that it runs on, as their device trees call them (`compatible`).
    pub boards: Vec<String>,
    /// Which forms of what is kept it can read, by their names: the highest of each.
    pub forms: BTreeMap<String, u64>,
    /// Who signs updates of it.
    pub keys: Keys,
}

impl About {
    /// Reads the text; none when anything of it is in another form. What is read gives the same [text](Self::text) again.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
        let product = field("product")?;
        let version = field("version")?;
        let number_ = number(&field("number")?)?;
        let floor = number(&field("floor")?)?;
        let contract = number(&field("contract")?)?;
        let kind = match field("kind")?.as_str() {
            "release" => Kind::Release,
            "development" => Kind::Development,
            _ => return None,
        };
        let boards: Vec<String> = field("boards")?.split(' ').map(str::to_owned).collect();
        let forms = field("forms")?;
        let forms: Option<BTreeMap<String, u64>> = forms
            .split(' ')
            .map(|form| form.split_once('=').and_then(|(name, form)| Some((name.to_owned(), number(form)?))))
            .collect();
        let keys: Option<Vec<Key>> = lines
            .map(|line| {
                line.strip_prefix("key ")?.split_once(' ').and_then(|(name, text)| Key::new(name, text))
            })
            .collect();
        let about = Self {
            product,
            version,
            number: number_,
            floor,
            contract,
            kind,
            boards,
            forms: forms?,
            keys: Keys::new(keys?)?,
        };
        let words =
            [&about.product, &about.version].into_iter().chain(&about.boards).chain(about.forms.keys());
        let good = words.into_iter().all(|word| is_word(word))
            && about.floor <= about.number
            && (about.kind == Kind::Development || !about.keys.has_development());
        (good && about.text() == text).then_some(about)
    }

    /// Reads it out of the page behind a slot's file system.
    #[must_use]
    pub fn in_page(page: &[u8]) -> Option<Self> {
        let room = page.get(AT..AT.checked_add(ROOM)?)?;
        let end = room.iter().position(|byte| *byte == 0).unwrap_or(room.len());
        let (text, rest) = room.split_at_checked(end)?;
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        Self::read(std::str::from_utf8(text).ok()?)
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let kind = match self.kind {
            Kind::Release => "release",
            Kind::Development => "development",
        };
        let forms: Vec<String> = self.forms.iter().map(|(name, form)| format!("{name}={form}")).collect();
        let mut text = format!(
            "product {}\nversion {}\nnumber {}\nfloor {}\ncontract {}\nkind {kind}\nboards {}\nforms {}\n",
            self.product,
            self.version,
            self.number,
            self.floor,
            self.contract,
            self.boards.join(" "),
            forms.join(" ")
        );
        for key in self.keys.iter() {
            let _ = writeln!(text, "key {} {}", key.name, key.text);
        }
        text
    }

    /// Whether it reads each of these forms.
    #[must_use]
    pub fn reads(&self, forms: &BTreeMap<String, u64>) -> bool {
        forms.iter().all(|(name, form)| self.forms.get(name).is_some_and(|reads| reads >= form))
    }
}

/// A word of a line: printable, without a space.
fn is_word(word: &str) -> bool {
    (1..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic())
}
