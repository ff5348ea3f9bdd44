//! `station-open`: opens what a station sealed, at the administrator's own machine, and prints it.
//!
//! ```text
//! ssh station sealed show --run hq > hq.sealed
//! station-open hq.sealed                                           a table of everything
//! station-open hq.sealed --form letters --language de              a letter with the PIN for each person
//! station-open hq.sealed --form handout --people report.csv        a sheet to sign on
//! ```
//!
//! A station cannot read what it sealed; whoever has the private half of a key in `hand-over.to` can. So a letter with a secret is made here
//! and nowhere else. The program runs on Linux and on Windows, asks nobody over a network, and writes into a log of its own who got what
//! printed, and when it is printed again. The log holds no secret.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use paper::{Label, Language, Letter, Sheet, Template};
use seal::{Identities, NoIdentity};
use zeroize::Zeroizing;

mod log;
mod people;
mod secrets;

pub use people::NoPeople;
pub use secrets::{Handed, NoSecrets};

/// What is asked for.
#[derive(Debug, Parser)]
#[command(name = "station-open", version, about = "Opens what a station sealed, and prints it")]
#[command(after_help = "Examples:\n  \
    ssh station sealed show --run hq > hq.sealed\n  \
    station-open hq.sealed -o hq.csv\n  \
    station-open hq.sealed --form letters --language de -o letters.pdf\n  \
    station-open hq.sealed --form labels --people report.csv -o labels.pdf\n\n\
    The passphrase of a key is asked for at the terminal; without one, it is the first line of standard input.")]
pub struct Arguments {
    /// What the station gave: one sealed file, or all of a run in one
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The private key: OpenSSH's, or age's; ~/.ssh/id_ed25519 when missing
    #[arg(short, long, value_name = "KEY")]
    pub identity: Vec<PathBuf>,
    /// What to make of it
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    pub form: Form,
    /// Where it goes; - is standard output. When missing, a file beside the first one
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
    /// A table with names and ports: the run's report as CSV, or a list of your own; may be given again
    #[arg(short, long, value_name = "FILE")]
    pub people: Vec<PathBuf>,
    /// The encoding of that table, where it is not Unicode, such as windows-1250
    #[arg(long, value_name = "ENCODING")]
    pub encoding: Option<String>,
    /// The language of what is printed
    #[arg(short, long, value_enum, default_value_t = Speech::En)]
    pub language: Speech,
    /// The letter's text, with {name}, {user}, {realm}, {token}, {key} and {pin} or {code} in it
    #[arg(long, value_name = "FILE")]
    pub letter: Option<PathBuf>,
    /// How many labels of the first sheet are gone already
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: usize,
    /// Where it is written down who got what; a file of this account when missing
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Everything, as CSV
    Table,
    /// A letter for each person, with the PIN or the registration code (PDF)
    Letters,
    /// A sheet on which people sign for their keys; no secret is on it (PDF)
    Handout,
    /// Labels on sheets of 3 x 7; no secret is on them (PDF)
    Labels,
    /// Labels for a label printer; no secret is on them (ZPL)
    Zpl,
}

impl Form {
    const fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Letters => "letters",
            Self::Handout => "handout",
            Self::Labels => "labels",
            Self::Zpl => "zpl",
        }
    }

    const fn ending(self) -> &'static str {
        match self {
            Self::Table => "csv",
            Self::Zpl => "zpl",
            Self::Letters | Self::Handout | Self::Labels => "pdf",
        }
    }

    const fn is_secret(self) -> bool {
        matches!(self, Self::Table | Self::Letters)
    }
}

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Speech {
    /// English
    En,
    /// German
    De,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// A key cannot be used.
    #[error("{0}: {1}")]
    Identity(PathBuf, NoIdentity),
    /// No key was named, and there is none at the usual place.
    #[error("there is no key at ~/.ssh/id_ed25519; name yours: --identity FILE")]
    NoKey,
    /// A sealed file was not opened, or holds something else.
    #[error("{0}: {1}")]
    Sealed(PathBuf, NoSecrets),
    /// The table with names.
    #[error("{0}: {1}")]
    People(PathBuf, NoPeople),
    /// The text of the letter.
    #[error("{0}: {1}")]
    Letter(PathBuf, paper::WrongTemplate),
    /// Something cannot be printed.
    #[error("{0}; nothing was written")]
    Print(#[from] paper::NotPrinted),
    /// There is nothing to print.
    #[error(
        "none of {0} sealed secrets is a PIN or a registration code, so there is no letter; --form table has them"
    )]
    NoLetters(usize),
    /// An encoding of that name is not known.
    #[error(
        "there is no encoding {0}; there are utf-8, utf-16 and windows-1250, -1251, -1252, -1253, -1254, -1257"
    )]
    Encoding(String),
}

/// Does what is asked for, and says what was done.
///
/// # Errors
/// See [`Problem`]. Then no file was written.
pub fn run(arguments: &Arguments) -> Result<String, Problem> {
    let identities = identities(arguments)?;
    let mut handed = Vec::new();
    for path in &arguments.files {
        let bytes = read(path)?;
        secrets::open(&identities, &bytes, &mut handed).map_err(|why| Problem::Sealed(path.clone(), why))?;
    }
    for path in &arguments.people {
        let encoding = match &arguments.encoding {
            Some(name) => Some(table::Encoding::named(name).ok_or_else(|| Problem::Encoding(name.clone()))?),
            None => None,
        };
        let bytes = read(path)?;
        people::name(&mut handed, &bytes, encoding).map_err(|why| Problem::People(path.clone(), why))?;
    }
    let bytes = made(arguments, &handed)?;
    let target = match &arguments.output {
        Some(path) => path.clone(),
        None => {
            let first = arguments.files.first().cloned().unwrap_or_default();
            let stem = first
                .file_stem()
                .map_or_else(|| "station".into(), |stem| stem.to_string_lossy().into_owned());
            first.with_file_name(format!("{stem}-{}.{}", arguments.form.word(), arguments.form.ending()))
        }
    };
    if !arguments.force && target != Path::new("-") && target.exists() {
        let there =
            io::Error::new(io::ErrorKind::AlreadyExists, "it is there already; --force writes over it");
        return Err(Problem::File(target, there));
    }
    // What is not written down is not printed.
    let log = arguments.log.clone().or_else(log::usual);
    let again = match &log {
        Some(path) => {
            log::written(path, arguments.form, &handed).map_err(|error| Problem::File(path.clone(), error))?
        }
        None => 0,
    };
    write(&target, &bytes, arguments.force).map_err(|error| Problem::File(target.clone(), error))?;
    let mut said = format!("{} of {} people: {}", arguments.form.word(), handed.len(), target.display());
    if again > 0 {
        said.push_str(&format!("; {again} of them are printed again"));
    }
    if arguments.form.is_secret() && target != Path::new("-") {
        said.push_str("; it holds secrets in the clear: delete it once it is printed");
    }
    Ok(said)
}

fn made(arguments: &Arguments, handed: &[Handed]) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let language = match arguments.language {
        Speech::En => Language::English,
        Speech::De => Language::German,
    };
    let labels = || -> Vec<Label> {
        let label = |one: &Handed| Label {
            key: one.key.clone(),
            person: one.name.clone(),
            login: one.login(),
            port: one.port.clone(),
        };
        handed.iter().filter(|one| !one.key.is_empty()).map(label).collect()
    };
    Ok(match arguments.form {
        Form::Table => secrets::table(handed),
        Form::Letters => letters(arguments, handed, language)?,
        Form::Handout => paper::sheet(&handout(handed, language), language)?,
        Form::Labels => paper::labels(&labels(), arguments.skip, language)?,
        Form::Zpl => Zeroizing::new(paper::zpl(&labels(), language)?.into_bytes()),
    })
}

fn letters(
    arguments: &Arguments,
    handed: &[Handed],
    language: Language,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    // A run has PINs, a realm has registration codes.
    let codes = handed.iter().any(|one| one.code.is_some());
    let secret = |one: &Handed| if codes { one.code.clone() } else { one.pin.clone() };
    let letter = |one: &Handed| {
        Some(Letter {
            user: one.user.clone(),
            realm: one.realm.clone(),
            name: one.name.clone(),
            token: one.token.clone(),
            key: one.key.clone(),
            secret: secret(one)?,
        })
    };
    let letters: Vec<Letter> = handed.iter().filter_map(letter).collect();
    if letters.is_empty() {
        return Err(Problem::NoLetters(handed.len()));
    }
    let template = match &arguments.letter {
        Some(path) => {
            let text = String::from_utf8_lossy(&read(path)?).trim_start_matches('\u{feff}').to_owned();
            let secret = if codes { "code" } else { "pin" };
            Template::parse(&text, secret).map_err(|wrong| Problem::Letter(path.clone(), wrong))?
        }
        None if codes => Template::registration(language),
        None => Template::pin(language),
    };
    Ok(paper::letters(&template, &letters, language)?)
}

fn handout(handed: &[Handed], language: Language) -> Sheet {
    let (title, columns, by_hand) = match language {
        Language::English => {
            ("Keys handed out", ["person", "login", "key", "token", "port"], "received: date, signature")
        }
        Language::German => (
            "Ausgegebene Schlüssel",
            ["Person", "Anmeldung", "Schlüssel", "Token", "Anschluss"],
            "erhalten: Datum, Unterschrift",
        ),
    };
    let row = |one: &Handed| {
        vec![one.name.clone(), one.login(), one.key.clone(), one.token.clone(), one.port.clone()]
    };
    Sheet {
        title: title.to_owned(),
        lines: Vec::new(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: handed.iter().map(row).collect(),
        by_hand: Some(by_hand.to_owned()),
    }
}

fn identities(arguments: &Arguments) -> Result<Identities, Problem> {
    let mut paths = arguments.identity.clone();
    if paths.is_empty() {
        let usual = std::env::home_dir().map(|home| home.join(".ssh").join("id_ed25519"));
        paths.push(usual.filter(|path| path.exists()).ok_or(Problem::NoKey)?);
    }
    let mut identities = Identities::default();
    for path in paths {
        let bytes = read(&path)?;
        let added = match identities.add(&bytes, None) {
            Err(NoIdentity::Locked) => {
                let words = passphrase(&path).map_err(|error| Problem::File(path.clone(), error))?;
                identities.add(&bytes, Some(&words))
            }
            other => other,
        };
        added.map_err(|why| Problem::Identity(path, why))?;
    }
    Ok(identities)
}

fn passphrase(path: &Path) -> io::Result<Zeroizing<String>> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password(format!("Passphrase of {}: ", path.display())).map(Zeroizing::new);
    }
    let mut line = Zeroizing::new(String::with_capacity(256));
    io::stdin().read_line(&mut line)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let read = if path == Path::new("-") {
        let mut bytes = Zeroizing::new(Vec::new());
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path).map(Zeroizing::new)
    };
    read.map_err(|error| Problem::File(path.to_owned(), error))
}

/// Writes a file for its owner alone, whole or not at all.
fn write(path: &Path, bytes: &[u8], over: bool) -> io::Result<()> {
    if path == Path::new("-") {
        return io::stdout().write_all(bytes);
    }
    if over {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a file with secrets helps nobody.
        let _ = std::fs::remove_file(path);
    }
    written
}
