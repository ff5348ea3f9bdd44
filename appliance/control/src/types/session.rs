//! Who speaks: operators, their sessions, and the door they come through.

use jiff::Timestamp;

words! {
    /// What an operator may do. Each may do what the one before may.
    pub enum Role {
        /// Look.
        Viewer = "viewer",
        /// Enroll keys and manage tokens.
        Operator = "operator",
        /// Change the station itself.
        Admin = "admin",
    }
}

requests! {
    /// Nothing.
    pub struct Nothing {}

    /// Announces whose calls follow on this connection.
    pub struct LogIn {
        /// The fingerprint of the SSH key that logged in, as OpenSSH writes it (`SHA256:…`).
        pub operator: String,
        /// The address it came from.
        pub address: String,
        /// A name for the session that several connections share, for the log.
        pub session: String,
    }

    /// Says that the door is open.
    pub struct DoorOpened {
        /// The fingerprint of the host key, as OpenSSH writes it (`SHA256:…`).
        pub host_key: String,
        /// The address and port it listens on.
        pub listen: String,
    }

    /// A command of a shell, for the audit.
    pub struct Audit {
        /// The command as typed, secrets left out.
        pub command: String,
        /// Its exit code.
        pub exit: i64,
        /// How long it took.
        pub took_ms: i64,
    }

    /// Which lines of the audit are wanted.
    pub struct AuditList {
        /// How many of the newest; 100 when missing, at most 1000.
        pub newest: Option<u32>,
    }
}

values! {
    /// It is done, and there is nothing to say.
    pub struct Done {}

    /// Who is logged in.
    pub struct Session {
        /// The operator's name.
        pub name: String,
        /// What the operator may do.
        pub role: Role,
        /// The station's name.
        pub station: String,
        /// When the operator last logged in before.
        pub last_login: Option<Timestamp>,
        /// From where that was.
        pub last_address: Option<String>,
        /// How long a session may be idle.
        pub idle_ms: i64,
    }

    /// A person with an SSH key.
    pub struct Operator {
        /// The name.
        pub name: String,
        /// What the operator may do.
        pub role: Role,
        /// The SSH keys, as lines of OpenSSH's `authorized_keys` without options.
        pub keys: Vec<String>,
        /// Their fingerprints, in the same order.
        pub fingerprints: Vec<String>,
        /// The addresses and networks (`192.0.2.0/24`) the operator may come from; empty for everywhere.
        pub from: Vec<String>,
        /// How many sessions are open.
        pub sessions: i64,
        /// When the operator last logged in.
        pub last_login: Option<Timestamp>,
    }

    /// Everyone who may log in.
    pub struct Operators {
        /// One after the other, by name.
        pub operators: Vec<Operator>,
    }

    /// What the SSH door has to know. It comes again whenever it changes.
    pub struct Door {
        /// The station's name, for the banner and the prompt.
        pub station: String,
        /// Where to listen: `address:port`, several are possible.
        pub listen: Vec<String>,
        /// How long a session may be idle.
        pub idle_ms: i64,
        /// Whether keys are exchanged in no way that a quantum computer could break.
        pub post_quantum: bool,
        /// Who may log in.
        pub operators: Vec<Operator>,
    }

    /// One line of the audit.
    pub struct AuditEntry {
        /// When it ended.
        pub at: Timestamp,
        /// The operator's name.
        pub operator: String,
        /// Where the operator came from.
        pub address: String,
        /// The session.
        pub session: String,
        /// What was asked: the name of a call with its arguments, or the command of a shell. Never a secret.
        pub what: String,
        /// What came of it: `ok`, or the code of the refusal.
        pub result: String,
        /// How long it took.
        pub took_ms: i64,
    }

    /// Lines of the audit.
    pub struct AuditEntries {
        /// Oldest first.
        pub entries: Vec<AuditEntry>,
    }
}
