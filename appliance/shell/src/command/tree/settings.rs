//! The commands for the configuration, the operators and their sessions.

use clap::{Subcommand, ValueEnum};

/// `config …`
#[derive(Debug, Subcommand)]
pub enum Config {
    /// What is in force
    Show {
        /// A part of it, such as server or profile.desk
        #[arg(value_name = "PATH")]
        path: Option<String>,
        /// With the changes that are not committed
        #[arg(long)]
        pending: bool,
    },
    /// What a commit would change
    Diff {
        /// Print the text that an admin has to sign: each field, old and new. It is good once, for ten minutes
        #[arg(long)]
        to_sign: bool,
        /// The text for taking the last commit back
        #[arg(long, requires = "to_sign")]
        rollback: bool,
    },
    /// Change a field; nothing is in force before a commit
    Set {
        /// The field, such as server.url
        #[arg(value_name = "PATH")]
        path: String,
        /// Its value as TOML writes it; a bare word is text. Without, the field is removed; a secret is asked for
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: Option<String>,
    },
    /// Take a whole file as the changes; nothing is in force before a commit
    Load {
        /// Read it from standard input. What `config show` prints can be read back: the API key stays what it is
        #[arg(value_name = "-", value_parser = ["-"])]
        file: String,
    },
    /// What is wrong with the changes, or with a file
    Check {
        /// Read a file from standard input
        #[arg(value_name = "-", value_parser = ["-"])]
        file: Option<String>,
    },
    /// Bring the changes into force
    ///
    /// Sessions of operators who are removed or get another role end at once. With `config commit confirmed`, what
    /// nobody confirms is taken back by itself, also when whoever made the change has shut themselves out by it, and
    /// after a power cut. A commit that leaves no admin is refused.
    ///
    /// What changes where secrets go or who may come in has to be signed by an admin: the server's address, trust and API
    /// key, the operators, hand-over.to, access codes. The text to sign comes from `config diff --to-sign`.
    Commit {
        /// For good, or until it is confirmed
        #[command(subcommand)]
        how: Option<Commit>,
        /// Read an admin's signature of the changes from standard input, as ssh-keygen -Y sign writes it
        #[arg(long, value_name = "-", value_parser = ["-"], global = true)]
        signed: Option<String>,
    },
    /// Keep what was committed for some minutes
    Confirm,
    /// Drop changes that are not committed, or else take the last commit back
    Rollback {
        /// Read an admin's signature of taking the last commit back from standard input, as ssh-keygen -Y sign writes it
        #[arg(long, value_name = "-", value_parser = ["-"])]
        signed: Option<String>,
    },
}

/// `config commit …`
#[derive(Debug, Subcommand)]
pub enum Commit {
    /// Take it back by itself unless `config confirm` follows within so many minutes
    Confirmed {
        /// Minutes
        #[arg(value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1440))]
        minutes: u32,
    },
}

/// `operators …`
#[derive(Debug, Subcommand)]
pub enum Operators {
    /// Add an operator, whose public keys are read from standard input; in force after a commit
    Add {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        /// What the operator may do
        #[arg(long, value_enum, default_value_t = RoleWord::Operator)]
        role: RoleWord,
        /// An address or a network the operator may come from; several are possible, everywhere when missing
        #[arg(long, value_name = "FROM")]
        from: Vec<String>,
    },
    /// Change an operator; in force after a commit
    Set {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        /// What the operator may do
        #[arg(long, value_enum)]
        role: Option<RoleWord>,
        /// An address or a network the operator may come from, in place of those before
        #[arg(long, value_name = "FROM")]
        from: Vec<String>,
        /// Let the operator come from everywhere
        #[arg(long, conflicts_with = "from")]
        from_everywhere: bool,
        /// Read public keys from standard input, in place of those before
        #[arg(long)]
        keys: bool,
    },
    /// Remove an operator; in force after a commit, which ends the operator's sessions
    Remove {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// `sessions …`
#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// End a session, and all that it is being told
    End {
        /// Its number
        #[arg(value_name = "N")]
        number: u32,
    },
}

/// What an operator may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RoleWord {
    /// Look
    Viewer,
    /// Enroll keys and manage tokens
    Operator,
    /// Change the station itself
    Admin,
}
