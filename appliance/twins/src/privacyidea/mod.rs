//! A privacyIDEA server in memory, for tests and for the simulation.
//!
//! [`ServerTwin`] answers the calls of an enrollment client as privacyIDEA 3.14,
//! 3.13.4, 3.9.3 or eduMFA 2.9.5 would, with their traps: seeds silently replaced,
//! parameters silently dropped, 200 for things that did not happen. It does no
//! I/O, reads no clock and takes every random number from its seed; [`front`]
//! puts it behind HTTP, and [`tls`] behind good and bad certificates. What it
//! claims about the real servers is held against recordings of them by the test
//! `privacyidea_equal`; `scripts/record-server` makes the recordings anew.
//!
//! It never talks to a network by itself, hashes no password (an account's
//! password is compared as text) and signs no answer (the field is there, its
//! value is zeros). Of token types it knows `hotp`, `totp`, `yubikey`,
//! `registration` and `pw`; self-service users can log in, and then do nothing.
//!
//! ```
//! use std::time::Duration;
//! use serde_json::json;
//! use twins::privacyidea::{Options, Request, ServerTwin};
//!
//! let mut twin = ServerTwin::new(Options::default());
//! let now = Duration::from_secs(1_800_000_000);
//! let login = Request::new("POST", "/auth").json(&json!({"username": "admin", "password": "admin-password"}));
//! let answer = twin.handle(&login, now).json().unwrap();
//! let jwt = answer["result"]["value"]["token"].as_str().unwrap().to_owned();
//!
//! let body = json!({"type": "hotp", "serial": "UBOM1_1", "otpkey": "3132333435363738393031323334353637383930"});
//! let init = Request::new("POST", "/token/init").token(&jwt).json(&body);
//! assert_eq!(twin.handle(&init, now).status, 200);
//! assert!(twin.counts("UBOM1_1", now));
//! ```

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

mod answer;
mod audit;
mod check;
mod clock;
mod directory;
mod fault;
pub mod front;
mod init;
mod lag;
mod manage;
mod otp;
mod params;
mod people;
mod pin;
mod policy;
mod presets;
mod rng;
mod routes;
mod session;
pub mod tls;
mod token;
mod version;
mod wire;

pub use fault::{Fault, Mode, UnknownMode};
pub use lag::Lag;
pub use people::{ADMIN, HELPDESK, REALM, RESOLVER, USERS, User};
pub use policy::Policy;
pub use presets::names as preset_names;
pub use token::Token;
pub use version::{UnknownVersion, Version};
pub use wire::{Outcome, Request, Response};

use check::Attempt;
use directory::Container;
use policy::{About, Policies};
use rng::Rng;
use session::Session;
use token::Tokens;

/// What a twin is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which server.
    pub version: Version,
    /// All random numbers follow from it: server-made seeds, serials, JWTs.
    pub seed: u64,
    /// The length of each image in an answer to `/token/init`, in characters of
    /// base64. The real server sends three of 1000 to 2500; a test rarely wants them.
    pub image_chars: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { version: Version::V3_14, seed: 0, image_chars: 16 }
    }
}

/// The server. `Clone` makes a second one in the same state, so that a test can
/// try two futures.
#[derive(Clone, Debug)]
pub struct ServerTwin {
    options: Options,
    rng: Rng,
    jwt_key: Vec<u8>,
    sessions: HashMap<String, Session>,
    tokens: Tokens,
    next_id: u64,
    containers: BTreeMap<String, Container>,
    policies: Policies,
    attempts: Vec<Attempt>,
    audit: audit::Log,
    faults: Vec<Fault>,
    behind: lag::Behind,
    /// How many people more there are.
    crowd: usize,
    /// People of realms beside the usual one.
    guests: Vec<&'static User>,
    /// These realms.
    realms: Vec<&'static str>,
    /// At how many people a list is cut.
    most_listed: Option<usize>,
    /// Whether the directories do not answer.
    away: bool,
}

/// There is no preset of this name.
#[derive(Debug, thiserror::Error)]
#[error("no policy preset is called {0:?}")]
pub struct UnknownPreset(String);

impl ServerTwin {
    /// A fresh server: accounts, a realm, no token and no policy.
    pub fn new(options: Options) -> Self {
        let mut rng = Rng::new(options.seed);
        let jwt_key = rng.bytes(32);
        Self {
            options,
            rng,
            jwt_key,
            sessions: HashMap::new(),
            tokens: Tokens::default(),
            next_id: 0,
            containers: BTreeMap::new(),
            policies: Policies::default(),
            attempts: Vec::new(),
            audit: audit::Log::default(),
            faults: Vec::new(),
            behind: lag::Behind::default(),
            crowd: 0,
            guests: Vec::new(),
            realms: Vec::new(),
            most_listed: None,
            away: false,
        }
    }

    /// Which server this is.
    pub fn version(&self) -> Version {
        self.options.version
    }

    /// Answer a request. `now` is Unix time. Faults are not looked at.
    pub fn handle(&mut self, request: &Request, now: Duration) -> Response {
        let (answer, known) = self.dispatch_at_a_machine(request, now);
        let hidden = !known
            && self.version().is_3_14()
            && self.policies.has("hardening", "hide_version", About::default());
        answer::seal(self.version(), now, answer, hidden)
    }

    /// Answer a request, or let a fault that waits for it happen instead.
    pub fn receive(&mut self, request: &Request, now: Duration) -> Outcome {
        let path = params::decode(&request.path);
        let Some(fault) = fault::take(&mut self.faults, &request.method, &path) else {
            return Outcome::Answer(self.handle(request, now));
        };
        match fault.mode {
            Mode::Slow => Outcome::Delay(fault.delay),
            Mode::Cut => Outcome::CutBefore,
            Mode::Lost => {
                self.handle(request, now);
                Outcome::ActThenCut
            }
            Mode::Truncate => {
                let response = self.handle(request, now);
                let sent = response.body.len() / 2;
                Outcome::Truncate { response, sent }
            }
            Mode::Status | Mode::Html => Outcome::Answer(fault.answer()),
        }
    }

    /// Switch on a preset of policies, as `privacyidea-fixture policy set NAME`.
    ///
    /// # Errors
    /// [`UnknownPreset`].
    pub fn policy_set(&mut self, name: &str) -> Result<(), UnknownPreset> {
        let policies = presets::preset(self.version(), name).ok_or_else(|| UnknownPreset(name.into()))?;
        for (name, policy) in policies {
            self.policies.insert(&name, policy);
        }
        Ok(())
    }

    /// Remove every policy.
    pub fn policy_clear(&mut self) {
        self.policies.0.clear();
    }

    /// Let a fault wait for its request. Of several, the first that matches counts.
    pub fn fault_add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Forget the faults that have not happened yet.
    pub fn fault_clear(&mut self) {
        self.faults.clear();
    }

    /// The faults that have not happened yet.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// All tokens, by serial.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// One token. Upper and lower case differ.
    pub fn token(&self, serial: &str) -> Option<&Token> {
        self.tokens.get(serial)
    }

    /// Change a token behind the server's back, as another administrator would.
    pub fn token_mut(&mut self, serial: &str) -> Option<&mut Token> {
        self.tokens.get_mut(serial)
    }

    /// Whether a right OTP of this token, behind its PIN, would be accepted now.
    /// That is the question behind every invariant: a token that counts must
    /// have a key that answers.
    ///
    /// A check with `otponly` is another question: it looks at the OTP alone, of
    /// a disabled token too, and moves its counter.
    pub fn counts(&self, serial: &str, now: Duration) -> bool {
        !self.behind.is_gone(serial, now) && self.tokens.get(serial).is_some_and(|token| token.counts(now))
    }
}
