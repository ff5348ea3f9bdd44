//! Orders that wait.

use jiff::Timestamp;

values! {
    /// An order that waits: for its key, or for a person.
    pub struct Order {
        /// Its number, for `cancel`; phones are counted apart.
        pub ticket: i64,
        /// What is to be done: `enroll`, `verify`, `release`, `swap`, `wipe`, `check`, `phone enroll`.
        pub what: String,
        /// Which key it waits for, as a serial or a port; `null` when the next that is plugged in will do.
        pub key: Option<String>,
        /// By which profile; `null` for the one that fits.
        pub profile: Option<String>,
        /// For whom.
        pub person: Option<String>,
        /// Who ordered it.
        pub operator: String,
        /// Since when it waits.
        pub since: Timestamp,
        /// When it ends by itself; `null` when that is not limited.
        pub until: Option<Timestamp>,
        /// Whether it goes on when its client has gone.
        pub detached: bool,
    }
}
