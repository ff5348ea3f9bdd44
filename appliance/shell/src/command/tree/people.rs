//! The commands for people and their secrets: keys handed over, phones, registration codes, sealed files,
//! and which keys are welcome.

use clap::{Args, Subcommand, ValueEnum};

/// `hand-over`
#[derive(Debug, Args)]
pub struct HandOver {
    /// Who gets it: name or name@realm
    #[arg(long, value_name = "USER")]
    pub user: String,
    /// Do not look the person up at the server
    #[arg(long)]
    pub unchecked: bool,
    /// The way of enrolling; the one that fits when missing
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// A key's serial or port; the only one plugged in, or else the next, when missing
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Write over what the slot holds, whosever it is
    #[arg(long)]
    pub overwrite: bool,
    /// Replace the finished enrollment of this token: it is deleted, and does not come back
    #[arg(long, value_name = "TOKEN")]
    pub replace: Option<String>,
    /// Ask for a PIN of the token
    #[arg(long)]
    pub pin: bool,
    /// How it waits for its key
    #[command(flatten)]
    pub wait: super::Wait,
}

/// `phone …`
#[derive(Debug, Subcommand)]
pub enum Phone {
    /// Enroll a smartphone: it reads a QR code from this terminal, and proves itself by a code
    Enroll(PhoneEnroll),
}

/// `phone enroll`
#[derive(Debug, Args)]
pub struct PhoneEnroll {
    /// Whose it is: name or name@realm
    #[arg(long, value_name = "USER")]
    pub user: String,
    /// Do not look the person up at the server
    #[arg(long)]
    pub unchecked: bool,
    /// The way of enrolling; when missing, six digits each 30 seconds, which every app knows
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Let app and server make the secret together; asks for the app's part
    #[arg(long)]
    pub two_step: bool,
    /// Ask for a PIN of the token
    #[arg(long)]
    pub pin: bool,
    /// For terminals that write dark on light
    #[arg(long)]
    pub inverted: bool,
    /// Show the address as text, for apps without a camera
    #[arg(long)]
    pub text: bool,
}

/// `registration …`
#[derive(Debug, Subcommand)]
pub enum Registration {
    /// Make a code for each person of a realm; each works once, with that person's password
    Create {
        /// The realm
        #[arg(long, value_name = "REALM")]
        realm: String,
        /// Only for people who have no token of any kind
        #[arg(long)]
        without_token: bool,
        /// A table (CSV), letters to be printed (PDF), or a sealed file of the station
        #[arg(long, value_enum, default_value_t = FormWord::Table)]
        form: FormWord,
        /// The letter's text: `-` reads it, with {name}, {user}, {realm} and {code} in it
        #[arg(long, value_name = "-", value_parser = ["-"])]
        letter: Option<String>,
    },
}

/// `welcome …`
#[derive(Debug, Subcommand)]
pub enum Welcome {
    /// The rules in force; a key is welcome when one of them fits
    List,
    /// Add a rule; nothing is in force before config commit
    Add(WelcomeAdd),
    /// Take a rule away; nothing is in force before config commit
    Remove {
        /// Its number
        #[arg(value_name = "N")]
        number: u32,
    },
}

/// `welcome add`
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("said").required(true).multiple(true).args(["vendor", "model", "firmware", "form_factor", "serials", "fips", "config_locked"])))]
pub struct WelcomeAdd {
    /// What people call it
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Who made the key
    #[arg(long, value_name = "VENDOR", value_parser = ["yubico", "nitrokey"])]
    pub vendor: Option<String>,
    /// What its model's name begins with
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Its firmware, such as 5.4-5.7, 5.4- or -5.7
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub firmware: Option<String>,
    /// What its form is called, such as USB-C keychain
    #[arg(long, value_name = "FORM")]
    pub form_factor: Option<String>,
    /// Its serial: numbers and ranges with commas between, such as 12345678,20000000-20000499
    #[arg(long, value_name = "SERIALS", value_delimiter = ',')]
    pub serials: Vec<String>,
    /// Whether it must, or must not, be a FIPS edition
    #[arg(long, value_name = "true|false")]
    pub fips: Option<bool>,
    /// Whether its configuration must, or must not, be locked by a code
    #[arg(long, value_name = "true|false")]
    pub config_locked: Option<bool>,
}

/// `sealed …`
#[derive(Debug, Subcommand)]
pub enum Sealed {
    /// What there is
    List,
    /// One of them, or all of a run in one; station-open reads it, and age -d -i ~/.ssh/id_ed25519 one of them
    #[command(group(clap::ArgGroup::new("which").required(true).args(["name", "run"])))]
    Show {
        /// Its name
        #[arg(value_name = "SEALED")]
        name: Option<String>,
        /// All of this run, by its number or name
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
    },
    /// Take one away for ever
    Remove {
        /// Its name
        #[arg(value_name = "SEALED")]
        name: String,
    },
}

/// In which form registration codes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormWord {
    /// CSV
    Table,
    /// PDF, a page for each person
    Letters,
    /// Encrypted for those in hand-over.to, and kept by the station
    Sealed,
}
