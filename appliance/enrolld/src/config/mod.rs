//! `enrollment.toml`: what a station is told before it starts.
//!
//! [`parse`] finds everything that is wrong, not only the first thing, and says of each
//! where it is and what to do. What could be read is there all the same, so that a station
//! with a mistake in its configuration can still be reached by its operators and show
//! the mistake; it just enrolls nothing.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use privacyidea::transport::Trust;
use settings::read::{Field, Reader};
use settings::{Document, NoFiles, encoding, in_order, own, section, table_of};
use station::catalogue::Language;
use station::profile::Warning;
use station::welcome::Welcome;
use toml::Spanned;
use toml::de::DeTable;
use zeroize::Zeroizing;

mod contradictions;
mod desk;
mod fields;
mod handed;
mod operators;
mod profiles;
pub mod reference;
mod sections;
mod ssh2;

pub use desk::{lists_encoding, zone};
pub use fields::*;
pub use handed::{CodeFile, CodesFile, Reader as HandOverReader, SecretFile};
pub use operators::{Keys, Operator, OperatorRole, SshKey};
pub use profiles::ProfileSection;
pub use sections::*;
pub use settings::values::*;
pub use settings::{
    Beside, DisplayKind, FieldInfo, Files, Insecure, KeyExchange, LogProtocol, LogSection, NetworkSection,
    Output, PanelSection, Problem, ReceiptsSection, RunSection, ShellSection, Speech, StartMode,
    StationSection, UpdateSection,
};

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What this station is.
    pub station: StationSection,
    /// How it is reached.
    pub network: NetworkSection,
    /// Where log lines go.
    pub log: LogSection,
    /// New versions of the card's system.
    pub update: UpdateSection,
    pub server: ServerSection,
    /// Display, lamp, buzzer and button.
    pub panel: PanelSection,
    /// Where keys may be plugged in.
    pub usb: UsbSection,
    /// The SSH server.
    pub shell: ShellSection,
    pub receipts: ReceiptsSection,
    /// What enrollments have in common.
    pub run: RunSection,
    /// Who may log in.
    pub operators: Vec<Operator>,
    /// The profiles by their names.
    pub profiles: BTreeMap<String, ProfileSection>,
    /// Which keys may be enrolled.
    pub welcome: Welcome,
    /// What opens slots, and what shall guard them.
    pub access_codes: AccessCodesSection,
    /// Who can read what is handed over.
    pub hand_over: HandOverSection,
}

/// The catalogue's word for a language.
pub const fn language(speech: Speech) -> Language {
    match speech {
        Speech::English => Language::English,
        Speech::German => Language::German,
    }
}

/// A configuration as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What could be read; defaults for the rest.
    pub config: Config,
    /// What is wrong: first what keeps the rest from being understood, then the fields, then what does not fit together; in the
    /// order of the lines each.
    pub problems: Vec<Problem>,
}

/// Reads the configuration in a file.
pub fn load(file: &Path) -> io::Result<(Zeroizing<String>, Parsed)> {
    let beside = Beside(file.parent().map(Path::to_owned).unwrap_or_default());
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = beside.read(&name)?;
    Ok(read_bytes(&bytes, &beside))
}

/// Reads the configuration that stands in a file of these bytes.
pub fn read_bytes(file: &[u8], files: &dyn Files) -> (Zeroizing<String>, Parsed) {
    let (text, wrong) = encoding::decode(file);
    let mut parsed = parse(&text, files);
    if let Some(wrong) = wrong {
        // Before what may follow from it, which is what stands in its line or nowhere; a letter of another
        // encoding farther down is no cause of what stands above it.
        let line = |problem: &Problem| problem.place.filter(|place| *place != (1, 1)).map(|(line, _)| line);
        let own = line(&wrong).unwrap_or(1);
        let before = parsed.problems.iter().position(|other| line(other).is_none_or(|other| other >= own));
        parsed.problems.insert(before.unwrap_or(parsed.problems.len()), wrong);
    }
    parsed.problems.splice(0..0, notes(files));
    (text, parsed)
}

/// The file, beside the configuration, with what `card begin` has found wrong with the files on the card
/// (appliance/card/src/there.rs): a line each, with name, text and remedy between tabs.
const NOTES: &str = "card.notes";

/// What is noted there.
pub(crate) fn notes(files: &dyn Files) -> Vec<Problem> {
    let bytes = files.read(NOTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let note = |line: &str| {
        let mut parts = line.split('\t').map(str::to_owned);
        let (field, text, remedy) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Problem { place: None, field, text, remedy })
    };
    text.lines().filter_map(note).collect()
}

const SECTIONS: [&str; 15] = [
    "station",
    "network",
    "log",
    "update",
    "server",
    "panel",
    "usb",
    "shell",
    "receipts",
    "run",
    "operators",
    "profile",
    "welcome",
    "access-codes",
    "hand-over",
];

/// Reads a configuration.
pub fn parse(text: &str, files: &dyn Files) -> Parsed {
    let document = Document::new(text);
    let (table, mut reader) = document.open(files);
    let mut problems = in_order(std::mem::take(&mut reader.problems));
    let known: Vec<String> = SECTIONS.iter().map(|name| (*name).to_owned()).collect();
    reader.unknown(table.get_ref(), &known);
    let mut config = Config {
        station: section(&table, "station", &mut reader),
        network: section(&table, "network", &mut reader),
        log: section(&table, "log", &mut reader),
        update: section(&table, "update", &mut reader),
        server: section(&table, "server", &mut reader),
        panel: section(&table, "panel", &mut reader),
        usb: section(&table, "usb", &mut reader),
        shell: section(&table, "shell", &mut reader),
        receipts: section(&table, "receipts", &mut reader),
        run: section(&table, "run", &mut reader),
        operators: own(&table, "operators", &mut reader, <Vec<Operator> as Field>::read).unwrap_or_default(),
        profiles: own(&table, "profile", &mut reader, |value, reader| {
            Some(profiles::profiles(value, reader))
        })
        .unwrap_or_default(),
        welcome: own(&table, "welcome", &mut reader, profiles::welcome).unwrap_or_default(),
        access_codes: section(&table, "access-codes", &mut reader),
        hand_over: section(&table, "hand-over", &mut reader),
    };
    certificates(&table, "server", &mut config.server.ca, &mut reader);
    certificates(&table, "log", &mut config.log.ca, &mut reader);
    problems.extend(in_order(std::mem::take(&mut reader.problems)));
    contradictions::find(&config, &table, &mut reader);
    problems.extend(in_order(reader.problems));
    Parsed { config, problems }
}

/// Sees whether a section's file of authorities holds certificates, and forgets it when it does not.
fn certificates(
    table: &Spanned<DeTable<'_>>,
    section: &str,
    authorities: &mut Option<Authorities>,
    reader: &mut Reader<'_>,
) {
    let Some(given) = authorities else {
        return;
    };
    let Err(error) = Trust::pem(&given.pem) else {
        return;
    };
    let span = table_of(table, section).and_then(|table| table.get("ca")).map_or(0..0, Spanned::span);
    let remedy =
        "It has to hold the certificate of the authority between BEGIN CERTIFICATE and END CERTIFICATE.";
    let text = format!("{} does not do: {error}", given.file);
    reader.below(section, |reader| reader.problem_in("ca", &span, text, remedy));
    *authorities = None;
}

/// A configuration in which nothing is said.
impl Default for Config {
    fn default() -> Self {
        parse("", &NoFiles).config
    }
}

/// What may stand in a field, for those who show what was typed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Something that may be shown.
    Plain,
    /// A secret: it is asked for, and shown nowhere.
    Secret,
}

/// What the field of that path holds; `None` when there is no such field.
pub fn holds(path: &str) -> Option<Holds> {
    if control::SECRET_FIELDS.contains(&path) {
        return Some(Holds::Secret);
    }
    let mut parts = path.split('.');
    let section = parts.next()?;
    let (name, list, fields) = outline()
        .into_iter()
        .map(|(name, list, _, fields)| (name, list, fields))
        .find(|(name, ..)| name.split('.').next() == Some(section))?;
    // A list's part says which, and so does the name of a table that may be there several times.
    if list || name.contains('.') {
        let which = parts.next()?;
        if list && which.parse::<u16>().is_err() {
            return None;
        }
    }
    let mut fields = fields;
    let mut known = false;
    for part in parts {
        let field = fields.into_iter().find(|field| field.name == part)?;
        known = true;
        fields = field.fields;
    }
    known.then_some(Holds::Plain)
}

/// Whether a path begins with the name of a section.
pub fn in_section(path: &str) -> bool {
    let first = path.split('.').next();
    outline().iter().any(|(name, ..)| name.split('.').next() == first)
}

impl Config {
    /// What is no mistake and should be known all the same, a line each.
    pub fn notices(&self) -> Vec<String> {
        let notice = |(name, section): (&String, &ProfileSection)| {
            let ours = section.profile.warnings().contains(&Warning::OursIsNever);
            ours.then(|| format!("profile.{name}.{}", Warning::OursIsNever))
        };
        self.profiles.iter().filter_map(notice).collect()
    }
}

/// The reference's part of each section.
fn outline() -> Vec<(&'static str, bool, &'static str, Vec<FieldInfo>)> {
    vec![
        ("station", false, "What this station is.", StationSection::fields()),
        ("server", false, "The server that tokens are registered at.", ServerSection::fields()),
        ("operators", true, "The people who may log in: one [[operators]] table each.", Operator::fields()),
        (
            "profile.NAME",
            false,
            "A named way of enrolling. There may be as many as are wanted.",
            profiles::profile_fields(),
        ),
        (
            "welcome",
            true,
            "The keys that may be enrolled here. Without any rule every key is welcome; else one rule has to fit, and within it everything that it says.",
            profiles::rule_fields(),
        ),
        (
            "access-codes",
            false,
            "What opens slots of YubiKeys, and what shall guard them, each in a file beside the configuration.",
            AccessCodesSection::fields(),
        ),
        (
            "hand-over",
            false,
            "Secrets for people: random access codes and PINs, and tokens without a server. They become files that the station itself cannot read; `sealed` in the shell lists and shows them.",
            HandOverSection::fields(),
        ),
        ("run", false, "What enrollments have in common.", RunSection::fields()),
        ("receipts", false, "The signed records of enrollments.", ReceiptsSection::fields()),
        (
            "panel",
            false,
            "Display, lamp, buzzer and button. Pins have the numbers of the SoC (BCM).",
            PanelSection::fields(),
        ),
        ("usb", false, "Where keys may be plugged in.", UsbSection::fields()),
        ("shell", false, "The SSH server.", ShellSection::fields()),
        (
            "network",
            false,
            "How the station is reached. Read by the image when it starts; it does nothing elsewhere.",
            NetworkSection::fields(),
        ),
        (
            "log",
            false,
            "Where log lines go besides the station's own memory. Read by the image when it starts; it does nothing elsewhere.",
            LogSection::fields(),
        ),
        (
            "update",
            false,
            "New versions of the card's system. Read by the image when it starts; it does nothing elsewhere.",
            UpdateSection::fields(),
        ),
    ]
}

#[cfg(test)]
mod tests;
