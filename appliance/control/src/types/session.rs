//! Who speaks: operators, their sessions, and the SSH server they come through.

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

    /// An SSH key that somebody offers.
    pub struct DoorKnows {
        /// Its fingerprint, as OpenSSH writes it (`SHA256:…`).
        pub fingerprint: String,
        /// The address that it is offered from.
        pub address: String,
    }

    /// Says that the SSH server is open.
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

    /// A new operator.
    pub struct OperatorAdd {
        /// The name.
        pub name: String,
        /// What the operator may do; `operator` when missing.
        pub role: Option<Role>,
        /// The SSH keys: lines as OpenSSH writes them, or in the form of RFC 4716.
        pub keys: String,
        /// The addresses and networks the operator may come from; everywhere when empty.
        pub from: Vec<String>,
    }

    /// What is to be another about an operator. What is missing stays.
    pub struct OperatorSet {
        /// The name.
        pub name: String,
        /// What the operator may do.
        pub role: Option<Role>,
        /// The SSH keys in place of those before.
        pub keys: Option<String>,
        /// Where the operator may come from; everywhere when empty.
        pub from: Option<Vec<String>>,
    }

    /// An operator who is to go.
    pub struct OperatorRemove {
        /// The name.
        pub name: String,
    }

    /// A session that is to end.
    pub struct SessionEnd {
        /// Its number.
        pub number: u32,
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

    /// What the SSH server has to know. It comes again whenever it changes.
    pub struct Door {
        /// The station's name, for the banner and the prompt.
        pub station: String,
        /// Where to listen: `address:port`, several are possible.
        pub listen: Vec<String>,
        /// How long a session may be idle.
        pub idle_ms: i64,
        /// Whether keys are exchanged in no way that a quantum computer could break.
        pub post_quantum: bool,
    }

    /// Yes or no, and nothing else.
    pub struct DoorAnswer {
        /// Whether this key may log in from there.
        pub known: bool,
    }

    /// The session of whoever asks.
    pub struct Stay {
        /// Its number; 0 for calls that no operator makes.
        pub number: i64,
    }

    /// A session.
    pub struct OpenSession {
        /// Its number, from 1 since the station's start.
        pub number: i64,
        /// The operator's name.
        pub operator: String,
        /// What the operator may do.
        pub role: Role,
        /// Where the operator comes from.
        pub address: String,
        /// Since when it is open.
        pub since: Timestamp,
        /// How long ago its last call was.
        pub idle_ms: i64,
        /// What comes to it by and by, such as `Watch`.
        pub streams: Vec<String>,
    }

    /// The sessions.
    pub struct OpenSessions {
        /// Oldest first.
        pub sessions: Vec<OpenSession>,
        /// How many SSH keys were offered to the SSH server since the station's start.
        pub offered: i64,
        /// How many of these were no operator's, or came from elsewhere than they may.
        pub unknown: i64,
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
        /// The number of its line in the chain of deeds; missing for what only looked.
        pub number: Option<i64>,
    }

    /// Lines of the audit.
    pub struct AuditEntries {
        /// Oldest first.
        pub entries: Vec<AuditEntry>,
    }
}
