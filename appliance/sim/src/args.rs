//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use keys::device::Firmware;
use twins::privacyidea::Version;

/// The enrollment station without hardware.
#[derive(Debug, Parser)]
#[command(name = "station-sim", version, about, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Enroll keys, one after the other, and show each step.
    ///
    /// Without options a twin of a YubiKey 5 is enrolled at a twin of privacyIDEA 3.14
    /// that listens on the loopback interface for as long as this program runs.
    ///
    /// Exit status: 0 when every key is proven, 1 when one is not, 2 when the
    /// command could not be carried out at all.
    Enroll(Box<Enroll>),

    /// Enroll a phone, with a QR code on this terminal.
    ///
    /// Exit status: 0 when it is enrolled, 1 when it is not, 2 when the command could not be
    /// carried out at all.
    Phone(Box<crate::phone::Phone>),

    /// Be the whole station: daemon, control socket and SSH server, with keys made of software.
    ///
    /// Prints the line to type. In that shell `plug`, `touch` and `pull` are hands for the keys. Without
    /// options the server is a twin of privacyIDEA 3.14 and the station is logged in there. Ctrl-C ends it.
    Station(Box<Station>),

    /// Enroll many keys, several ports at a time, as one run.
    ///
    /// Each port is a place where keys are plugged in one after the other. A run that was
    /// interrupted goes on when the command is given again with the same --state.
    ///
    /// Exit status: 0 when every key is enrolled, 1 when one is not, 2 when the
    /// command could not be carried out at all.
    Run(Box<Run>),

    /// Cut the power at every point of every flow, and play random worlds.
    ///
    /// Without options: one cut in every flow, then two cuts, then random worlds. Time is
    /// virtual; keys and server are twins in this process. A seed replays exactly.
    ///
    /// Exit status: 0 when every invariant held, 1 when one did not.
    Explore(Explore),
}

/// Options of `station`.
#[derive(Debug, ClapArgs)]
pub struct Station {
    /// Where the SSH server listens.
    #[arg(long, default_value = "127.0.0.1:2222", value_name = "ADDRESS")]
    pub listen: String,

    /// Where its files are put; a directory that goes with the station when this is left out.
    #[arg(long, value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,

    /// A public SSH key to log in with, instead of one that is made for the occasion.
    #[arg(long, value_name = "FILE")]
    pub operator_key: Option<PathBuf>,

    /// How many YubiKeys are plugged in at the beginning: 0 to 8.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=8))]
    pub keys: u32,

    /// Enroll whatever is plugged in, without an operator.
    #[arg(long)]
    pub armed: bool,

    /// A file with more of its configuration, in TOML: operators, profiles, sections.
    #[arg(long = "with", value_name = "FILE")]
    pub with: Option<PathBuf>,

    /// What else stands in its configuration; for programs.
    #[arg(skip)]
    pub more: String,

    #[command(flatten)]
    pub server: Server,
}

/// Options of `explore`.
#[derive(Debug, ClapArgs)]
pub struct Explore {
    /// Only this flow.
    #[arg(long, value_name = "NAME")]
    pub flow: Option<String>,

    /// Cut the power at most so often within a flow.
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub cuts: u8,

    /// The seed of the first random world; the others follow.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,

    /// How many random worlds to play.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub rounds: u64,

    /// Print each step in the random worlds, to see what went wrong in one of them.
    #[arg(long)]
    pub tell: bool,
}

/// Options of `run`.
#[derive(Debug, ClapArgs)]
pub struct Run {
    /// How many ports there are.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=99))]
    pub ports: u8,

    /// How many twin keys to enroll, beside those attached.
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub keys: u32,

    /// A key behind the line protocol, as TYPE@ADDRESS; see `enroll`. May be repeated.
    #[arg(long, value_name = "TYPE@ADDRESS")]
    pub attach: Vec<String>,

    /// Firmware of the twin keys.
    #[arg(long, default_value = "5.4.3", value_parser = firmware, value_name = "X.Y.Z")]
    pub firmware: Firmware,

    /// Serial of the first twin key; the others follow.
    #[arg(long, default_value_t = 12_345_678, value_name = "NUMBER")]
    pub serial: u32,

    /// How long each report to or from a key takes, in milliseconds.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pub report_ms: u64,

    /// How often a key is inserted again when it is not enrolled.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub again: u32,

    /// How many keys may be in work at once.
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub in_flight: usize,

    /// What the run is called.
    #[arg(long, default_value = "run", value_name = "NAME")]
    pub name: String,

    /// A list of people as CSV with the columns user and realm: each key is for the next of them, and
    /// the run is over when everybody has one.
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,

    /// The profile, as in `enroll`.
    #[arg(long, default_value = "hotp6", value_name = "NAME")]
    pub profile: String,

    /// A TOML file with `[profile.NAME]` tables.
    #[arg(long, value_name = "FILE")]
    pub profiles: Option<PathBuf>,

    /// Where journal and receipts are kept; without it, they are gone with this program.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Print one JSON object a key on standard output, and one for the run.
    #[arg(long)]
    pub json: bool,

    /// Say nothing on standard error but errors.
    #[arg(long, short)]
    pub quiet: bool,

    #[command(flatten)]
    pub server: Server,
}

/// Options of `enroll`.
#[derive(Debug, ClapArgs)]
pub struct Enroll {
    /// A key to use instead of a twin, spoken to in the line protocol, as TYPE@ADDRESS: `yubikey@/run/key.sock`
    /// (a unix socket), or `yubikey@cmd:PROGRAM ARGS` (its standard input and output). May be repeated.
    ///
    /// Types: yubikey, nitrokey-pro, nitrokey-storage, librem-key, nitrokey3.
    #[arg(long, value_name = "TYPE@ADDRESS")]
    pub attach: Vec<String>,

    /// How many twin keys to enroll, or how often to insert each attached key.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub count: u32,

    /// Firmware of the twin keys.
    #[arg(long, default_value = "5.4.3", value_parser = firmware, value_name = "X.Y.Z")]
    pub firmware: Firmware,

    /// Serial of the first twin key; the others follow.
    #[arg(long, default_value_t = 12_345_678, value_name = "NUMBER")]
    pub serial: u32,

    /// Who touches the key: `auto`, the simulation; `ask`, you, by pressing Enter.
    #[arg(long, value_enum, default_value_t = Touch::Auto)]
    pub touch: Touch,

    /// The profile: `hotp6`, `hotp8`, `totp6`, `totp8`, or one of those in the file given by --profiles.
    #[arg(long, default_value = "hotp6", value_name = "NAME")]
    pub profile: String,

    /// A TOML file with `[profile.NAME]` tables.
    #[arg(long, value_name = "FILE")]
    pub profiles: Option<PathBuf>,

    /// The person whom the tokens are for.
    #[arg(long = "for", value_name = "USER@REALM")]
    pub person: Option<String>,

    /// Let the station overwrite a credential that it did not write, if the profile allows to confirm that.
    #[arg(long)]
    pub overwrite: bool,

    /// Let the station overwrite the Yubico OTP that the key was sold with: the key types once.
    #[arg(long)]
    pub factory: bool,

    /// The token whose finished enrollment may be replaced; without it, none is.
    #[arg(long, value_name = "TOKEN")]
    pub replace: Option<String>,

    /// A file with the slot's access code as 12 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    pub access_code_file: Option<PathBuf>,

    /// A file with the PIN of the keys' administrator in its first line, when it is not the one
    /// with which keys are sold.
    #[arg(long, value_name = "FILE")]
    pub key_pin_file: Option<PathBuf>,

    /// Write what is to be handed over to whoever owns a key, such as its random PIN, into this
    /// file, in clear: the keys are software here.
    #[arg(long, value_name = "FILE")]
    pub hand_over: Option<PathBuf>,

    /// What people call the server, for the names of credentials on keys that keep names.
    #[arg(long, default_value = "privacyIDEA", value_name = "NAME")]
    pub server_name: String,

    /// Where the journal is kept; without it, it is gone with this program.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    /// Draw what the display of the station shows, each time that it changes.
    #[arg(long, conflicts_with = "quiet")]
    pub panel: bool,

    /// Print one JSON object a key on standard output.
    #[arg(long)]
    pub json: bool,

    /// Say nothing on standard error but errors.
    #[arg(long, short)]
    pub quiet: bool,

    #[command(flatten)]
    pub server: Server,
}

/// Which server.
#[derive(Debug, ClapArgs)]
pub struct Server {
    /// A real privacyIDEA, instead of the embedded twin.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,

    /// The certificate authorities to trust, as a PEM file; without it, the system's.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub ca: Option<PathBuf>,

    /// The SHA-256 of the server's public key, as base64, instead of a certificate authority.
    #[arg(long, value_name = "BASE64", requires = "server", conflicts_with = "ca")]
    pub pin: Vec<String>,

    /// Speak plain HTTP if the URL says so. For a server on this very machine.
    #[arg(long, requires = "server")]
    pub allow_plain_http: bool,

    /// The administrator's name.
    #[arg(long, value_name = "NAME", requires = "server", requires = "password_file")]
    pub user: Option<String>,

    /// A file with the administrator's password in its first line.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,

    /// A file with an API key, instead of name and password.
    #[arg(long, value_name = "FILE", requires = "server", conflicts_with = "user")]
    pub api_key_file: Option<PathBuf>,

    /// How long to wait for an answer, in seconds.
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,

    /// Which server the embedded twin is to be: 3.14, 3.13.4, 3.12.3, 3.11.4, 3.10.2, 3.9.3, edumfa-2.9.5 or
    /// edumfa-2.8.0.
    #[arg(long, default_value = "3.14", value_name = "VERSION", conflicts_with = "server")]
    pub twin_version: Version,

    /// A policy preset for the embedded twin. May be repeated.
    #[arg(long, value_name = "PRESET", conflicts_with = "server")]
    pub policy: Vec<String>,

    /// How long the embedded twin waits before each answer, in milliseconds.
    #[arg(long, default_value_t = 0, value_name = "MS", conflicts_with = "server")]
    pub latency: u64,
}

/// Who touches the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Touch {
    /// The simulation.
    Auto,
    /// The person at the terminal.
    Ask,
}

pub(crate) fn firmware(text: &str) -> Result<Firmware, String> {
    let numbers: Vec<u8> = text
        .split('.')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| format!("'{text}' is not a firmware version such as 5.4.3"))?;
    match numbers[..] {
        [major, minor] => Ok(Firmware::new(major, minor, 0)),
        [major, minor, build] => Ok(Firmware::new(major, minor, build)),
        _ => Err(format!("'{text}' is not a firmware version such as 5.4.3")),
    }
}
