//! The commands, declared once. Parser, help, `?`, Tab and the reference come from here.
//!
//! What stands for a value in capitals is also its kind: a `KEY` is completed with keys.

use clap::{Args, Parser, Subcommand, ValueEnum};

mod people;
mod runs;
mod settings;
mod wait;

pub use people::*;
pub use runs::*;
pub use settings::*;
pub use wait::*;

/// A command line.
#[derive(Debug, Parser)]
#[command(
    name = "station",
    no_binary_name = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    override_usage = "COMMAND [--json] [--help]"
)]
pub struct Line {
    /// Print JSON instead of text; `schema COMMAND` says what it looks like
    #[arg(long, global = true)]
    pub json: bool,
    /// Do not ask
    #[arg(long, short = 'y', global = true)]
    pub yes: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// How the station is: keys, run, server, what needs attention
    Status,
    /// Ports, run and server, full screen, as it happens (q leaves)
    Watch,
    /// The keys that are plugged in
    Keys,
    /// One key: its slots and its history
    Key {
        /// A key's serial, or the port it is in
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// The ways of enrolling
    Profiles,
    /// One way of enrolling
    #[command(subcommand)]
    Profile(Profile),
    /// Who starts enrollments: each plug-in, an operator, or nobody
    Mode {
        /// The mode from now on; says the present one when missing
        #[arg(value_enum)]
        mode: Option<ModeWord>,
        /// In armed mode, the profile of keys that several fit equally well
        #[arg(long, value_name = "PROFILE")]
        profile: Option<String>,
    },
    /// Enroll a key
    Enroll(Enroll),
    /// Hand a key over: ask for password and registration code, then enroll it for that person
    HandOver(HandOver),
    /// Smartphones
    #[command(subcommand)]
    Phone(Phone),
    /// Codes by which people show who they are
    #[command(subcommand)]
    Registration(Registration),
    /// Call orders off, those that wait, too: what they have done is taken back
    Cancel {
        /// A key's serial, or its port; everything when missing
        #[arg(value_name = "KEY")]
        key: Option<String>,
    },
    /// Enroll many keys
    #[command(subcommand)]
    Run(Run),
    /// Which person got which key, when, and how it ended
    Report(Report),
    /// Ask a key for a code and let the server check it; changes nothing
    Verify {
        /// A key's serial, or the port it is in
        #[arg(value_name = "KEY")]
        key: String,
        /// Which token, when the key has several
        #[arg(long, value_name = "TOKEN")]
        token: Option<String>,
        /// Ask for the key's administrator PIN
        #[arg(long)]
        key_pin: bool,
        /// How it waits for its key
        #[command(flatten)]
        wait: Patience,
    },
    /// Take a finished enrollment back: delete the token, erase the slot
    Release {
        /// A key's serial, or the port it is in
        #[arg(value_name = "KEY")]
        key: String,
        /// Which token, when the key has several
        #[arg(long, value_name = "TOKEN")]
        token: Option<String>,
        /// Ask for the slot's access code
        #[arg(long)]
        unlock: bool,
        /// Ask for the key's administrator PIN
        #[arg(long)]
        key_pin: bool,
        /// How it waits for its key
        #[command(flatten)]
        wait: Patience,
    },
    /// Exchange what is in the slots 1 and 2 of a key
    Swap {
        /// A key's serial, or the port it is in
        #[arg(value_name = "KEY")]
        key: String,
        /// Ask for the slots' access code
        #[arg(long)]
        unlock: bool,
    },
    /// Erase a slot that no enrollment of this station is in
    Wipe {
        /// A key's serial, or the port it is in
        #[arg(value_name = "KEY")]
        key: String,
        /// The slot
        #[arg(long, value_name = "SLOT", value_parser = clap::value_parser!(u8).range(0..=15))]
        slot: u8,
        /// Ask for the slot's access code
        #[arg(long)]
        unlock: bool,
        /// Ask for the key's administrator PIN
        #[arg(long)]
        key_pin: bool,
    },
    /// Which keys may be enrolled here
    #[command(subcommand)]
    Welcome(Welcome),
    /// Secrets for people, encrypted: access codes, PINs, tokens without a server
    #[command(subcommand)]
    Sealed(Sealed),
    /// Tokens at the server
    #[command(subcommand)]
    Token(Token),
    /// People at the server
    #[command(subcommand)]
    User(User),
    /// The server and the station's credential for it
    #[command(subcommand)]
    Server(Server),
    /// The signed records of enrollments
    #[command(subcommand)]
    Receipts(Receipts),
    /// The configuration and its changes
    #[command(subcommand)]
    Config(Config),
    /// Who may log in, and changes of that
    Operators {
        /// What to change; lists them when missing.
        #[command(subcommand)]
        what: Option<Operators>,
    },
    /// Who is logged in, and ending that
    Sessions {
        /// What to do; lists them when missing.
        #[command(subcommand)]
        what: Option<Sessions>,
    },
    /// Who did what
    #[command(args_conflicts_with_subcommands = true)]
    Audit {
        /// How many of the newest lines
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        newest: u32,
        /// Something else than the newest lines
        #[command(subcommand)]
        what: Option<Audit>,
    },
    /// What the display shows
    Panel {
        /// Again whenever it changes
        #[arg(long)]
        follow: bool,
    },
    /// The daemon's log
    Logs {
        /// And what comes
        #[arg(long, short = 'f')]
        follow: bool,
        /// How many of the newest lines
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        newest: u32,
        /// At least so important
        #[arg(long, value_enum, default_value_t = LevelWord::Info)]
        level: LevelWord,
    },
    /// What a refusal means, and what to do
    Explain {
        /// Its code, such as E2041; all of them when missing
        #[arg(value_name = "CODE")]
        code: Option<String>,
    },
    /// What the JSON of a command looks like (JSON Schema)
    Schema {
        /// The command; all of them when missing
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Which program this is
    Version,
    /// Start the station anew
    ///
    /// The connection ends with it, and the command is done. Where the station is still up after 30 seconds, it says so (E5013) and fails.
    Reboot,
    /// Switch the station off
    ///
    /// The connection ends with it, and the command is done. Where the station is still up after 30 seconds, it says so (E5013) and fails.
    Poweroff,
    /// Software keys, in a simulated station: plug one in
    #[command(hide = true)]
    Plug {
        /// yubikey, nitrokey-pro, nitrokey-storage, librem-key, nitrokey3
        #[arg(value_name = "KIND", default_value = "yubikey", value_parser = ["yubikey", "nitrokey-pro", "nitrokey-storage", "librem-key", "nitrokey3"])]
        kind: String,
        /// Its serial; a key that was pulled comes back with all that is in it
        #[arg(long, value_name = "SERIAL")]
        serial: Option<u32>,
        /// Its firmware
        #[arg(long, value_name = "FIRMWARE")]
        firmware: Option<String>,
        /// Where
        #[arg(long, value_name = "PORT")]
        port: Option<String>,
    },
    /// Software keys, in a simulated station: touch one
    #[command(hide = true)]
    Touch {
        /// A key's serial, or the port it is in
        #[arg(value_name = "KEY")]
        key: Option<String>,
        /// For two seconds
        #[arg(long)]
        long: bool,
    },
    /// Software keys, in a simulated station: pull one out
    #[command(hide = true)]
    Pull {
        /// A key's serial, or the port it is in
        #[arg(value_name = "KEY")]
        key: Option<String>,
    },
    /// The lines entered before
    History,
    /// What can be said here
    Help {
        /// A command
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Leave
    #[command(alias = "quit", alias = "logout")]
    Exit,
}

/// `enroll`
#[derive(Debug, Args)]
pub struct Enroll {
    /// The way of enrolling; the one that fits when missing
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Whom the token is for: name or name@realm
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Do not look the person up at the server
    #[arg(long, requires = "user")]
    pub unchecked: bool,
    /// A key's serial or port; the only one plugged in, or else the next, when missing
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Write over what the slot holds, whosever it is
    #[arg(long)]
    pub overwrite: bool,
    /// Write over the Yubico OTP that the key was sold with; the key types once, and YubiCloud knows it no more
    #[arg(long)]
    pub factory: bool,
    /// Replace the finished enrollment of this token: it is deleted, and does not come back
    #[arg(long, value_name = "TOKEN")]
    pub replace: Option<String>,
    /// Ask for a PIN of the token
    #[arg(long)]
    pub pin: bool,
    /// Ask for the slot's access code
    #[arg(long)]
    pub unlock: bool,
    /// Ask for the key's administrator PIN
    #[arg(long)]
    pub key_pin: bool,
    /// How it waits for its key
    #[command(flatten)]
    pub wait: Wait,
    /// Print each event as a line of JSON, the last with the outcome
    #[arg(long, requires = "json")]
    pub events: bool,
}

/// `profile …`
#[derive(Debug, Subcommand)]
pub enum Profile {
    /// All of a profile
    Show {
        /// The profile
        #[arg(value_name = "PROFILE")]
        profile: String,
    },
    /// What it would do to the key that is plugged in; changes nothing
    Check {
        /// The profile
        #[arg(value_name = "PROFILE")]
        profile: String,
        /// A key's serial or port; the only one plugged in when missing
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// Make one of a parameter file of the old enrollment client, which is read from standard input
    Import {
        /// What it is to be called
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// `token …`
#[derive(Debug, Subcommand)]
pub enum Token {
    /// A token
    Show(OneToken),
    /// Tokens
    List {
        /// Only those of this person: name or name@realm
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// Only those whose serial has this form; * stands for anything
        #[arg(long, value_name = "PATTERN")]
        serial: Option<String>,
        /// Only those of this type, such as hotp
        #[arg(long, value_name = "TYPE")]
        kind: Option<String>,
        /// Which page
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        page: u32,
        /// How many a page has
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
        size: u32,
    },
    /// Let it count
    Enable(OneToken),
    /// Keep it from counting
    Disable(OneToken),
    /// Delete it; its key is left alone
    Delete {
        /// A token's serial
        #[arg(value_name = "TOKEN")]
        token: String,
        /// Also when the token keeps the only copy of a slot's access code: nobody can write that slot then
        #[arg(long)]
        lose_access_code: bool,
    },
    /// Give it to a person
    Assign {
        /// A token's serial
        #[arg(value_name = "TOKEN")]
        token: String,
        /// The person: name or name@realm
        #[arg(value_name = "USER")]
        user: String,
    },
    /// Take it from its person
    Unassign(OneToken),
    /// Set its PIN, which is asked for
    Pin(OneToken),
    /// Let the server find its counter again; asks for two codes in a row
    Resync(OneToken),
}

/// A token.
#[derive(Debug, Args)]
pub struct OneToken {
    /// A token's serial
    #[arg(value_name = "TOKEN")]
    pub token: String,
}

/// `user …`
#[derive(Debug, Subcommand)]
pub enum User {
    /// People with this in a name or in their mail address
    Find {
        /// Part of it
        #[arg(value_name = "TEXT")]
        text: String,
        /// Only in this realm
        #[arg(long, value_name = "REALM")]
        realm: Option<String>,
    },
}

/// `server …`
#[derive(Debug, Subcommand)]
pub enum Server {
    /// Ask it how it is, and what the station may do there
    Status,
    /// Give the station a credential, which it keeps until it is switched off; asks for the password
    Login {
        /// The administrator's name at the server
        #[arg(value_name = "NAME")]
        user: String,
        /// The administrator's realm, where there are several
        #[arg(long, value_name = "REALM")]
        realm: Option<String>,
    },
    /// Let the station forget its credential
    Logout,
}

/// `receipts …`
#[derive(Debug, Subcommand)]
pub enum Receipts {
    /// The newest
    List {
        /// How many
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        newest: u32,
        /// Only those about this key or token
        #[arg(long, value_name = "SERIAL")]
        about: Option<String>,
    },
    /// All of one
    Show {
        /// Its number
        #[arg(value_name = "RECEIPT")]
        number: i64,
    },
    /// Whether the chain is whole and every signature right
    Verify,
    /// The chain, a line each, as it is signed
    Export {
        /// From this number on
        #[arg(long, value_name = "RECEIPT")]
        from: Option<i64>,
    },
}

/// `audit …`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Whether the chain of deeds is whole and every signature right
    Verify,
    /// The chain of deeds, a line each, as it is signed
    Export {
        /// From this number on
        #[arg(long, value_name = "NUMBER")]
        from: Option<i64>,
    },
}

/// A mode.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ModeWord {
    /// Each key that is plugged in is enrolled
    Armed,
    /// An operator starts each enrollment
    Attended,
    /// Nothing is enrolled
    Locked,
}

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LevelWord {
    /// Something does not work
    Error,
    /// Something may not work
    Warn,
    /// What happens
    Info,
    /// In detail
    Debug,
    /// In every detail
    Trace,
}
