//! `enrollment.toml` as fields: what may stand there, and what is wrong, each with its place and a remedy.
//!
//! Everything that is wrong is found, not only the first thing, and what could be read is there all the same.
//! The daemon reads all sections, with types of its own for some of them (its `config`); the card's
//! own program reads those that it needs ([`on_card`]), by the same rules, so that both refuse the same
//! and say the same.
//!
//! It knows none of our crates and no TLS, reads no file but through [`Files`], and quotes no secret.

#[macro_use]
pub mod read;
#[macro_use]
pub mod values;
pub mod encoding;
pub mod problem;
pub mod quotes;
pub mod sections;

/// The TOML reader, for the macros.
#[doc(hidden)]
pub use toml;

pub use problem::Problem;
pub use read::{FieldInfo, Files};
pub use sections::*;

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use read::{Field, Reader, Value};
use values::Name;

/// The text of a configuration with plain quotes and spaces.
pub struct Document {
    plain: Zeroizing<String>,
    /// The first typographic quote or space: where, what it is, and what is meant.
    typographic: Option<(usize, char, char)>,
}

impl Document {
    /// Takes a text.
    pub fn new(text: &str) -> Self {
        let plain = quotes::straight(text);
        // Letter for letter the same, but for those.
        let typographic = plain
            .char_indices()
            .zip(text.chars())
            .find(|((_, plain), letter)| plain != letter)
            .map(|((at, plain), letter)| (at, letter, plain));
        Self { plain, typographic }
    }

    /// Reads it as TOML. What is no TOML is a problem of the reader, and left out of the table.
    pub fn open<'a>(&'a self, files: &'a dyn Files) -> (Spanned<DeTable<'a>>, Reader<'a>) {
        let mut reader = Reader::new(&self.plain, files);
        if let Some((at, letter, plain)) = self.typographic {
            let name = if plain == ' ' { "space".to_owned() } else { format!("quote {letter}") };
            reader.problem(
                &(at..at),
                format!("a typographic {name} stands where TOML wants a plain one"),
                format!(
                    "Write {} there. An editor for plain text does.",
                    if plain == ' ' { "a plain space".to_owned() } else { plain.to_string() }
                ),
            );
        }
        let (table, errors) = DeTable::parse_recoverable(&self.plain);
        for error in errors {
            let span: Range<usize> = error.span().unwrap_or(0..0);
            let said = error.message().trim().trim_end_matches('.').to_owned();
            reader.problem(&span, format!("this is not TOML: {said}"), "toml.io says how TOML is written.");
        }
        (table, reader)
    }
}

/// In the order of the lines. That something is not there at all is shown after what is there and wrong: it may be why.
pub fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| (problem.place == Some((1, 1)), problem.place));
    problems.dedup();
    problems
}

/// What stands under a name at the top, read by a function.
pub fn own<T>(
    table: &Spanned<DeTable<'_>>,
    name: &str,
    reader: &mut Reader<'_>,
    read: impl FnOnce(&Value<'_>, &mut Reader<'_>) -> Option<T>,
) -> Option<T> {
    let value = table.get_ref().get(name)?;
    reader.below(name, |reader| read(value, reader))
}

/// A section whose fields all have defaults.
pub fn section<T: Field + Default>(table: &Spanned<DeTable<'_>>, name: &str, reader: &mut Reader<'_>) -> T {
    own(table, name, reader, T::read).unwrap_or_default()
}

/// A table at the top, for checks that span sections.
pub fn table_of<'t, 'a>(table: &'t Spanned<DeTable<'a>>, name: &str) -> Option<&'t DeTable<'a>> {
    match table.get_ref().get(name)?.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// Nothing stands beside the configuration.
#[derive(Debug, Clone, Copy)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// The directory in which a configuration stands.
#[derive(Debug, Clone)]
pub struct Beside(pub PathBuf);

/// The longest file that is read from beside a configuration.
const LONGEST: u64 = 1 << 20;

impl Files for Beside {
    fn read(&self, name: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        let path = self.0.join(name);
        if std::fs::metadata(&path)?.len() > LONGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 1 MiB"));
        }
        std::fs::read(path).map(Zeroizing::new)
    }
}

/// What the card's own program needs of a configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OnCard {
    /// `station.name`, where it is given.
    pub name: Option<Name>,
    /// `[network]`.
    pub network: NetworkSection,
    /// `[log]`.
    pub log: LogSection,
    /// `[update]`.
    pub update: UpdateSection,
}

/// Reads what the card's own program needs. What is wrong becomes the default; the daemon reads
/// the same and says what and where.
pub fn on_card(text: &str, files: &dyn Files) -> OnCard {
    let document = Document::new(text);
    let (table, mut reader) = document.open(files);
    OnCard {
        name: table_of(&table, "station")
            .and_then(|station| station.get("name"))
            .and_then(|name| Name::read(name, &mut reader)),
        network: section(&table, "network", &mut reader),
        log: section(&table, "log", &mut reader),
        update: section(&table, "update", &mut reader),
    }
}
