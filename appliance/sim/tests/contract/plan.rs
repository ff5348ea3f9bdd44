//! What a case is: how the world begins, what is ordered, and how it must end.

use std::time::Duration;

use keys::device::{Digits, Kind};
use keys::secret::{AccessCode, Pin};
use station::access::Codes;
use station::engine::enrollment::{Order, Replace};
use station::engine::key_order::KeyOrder;
use station::engine::record::Actor;
use station::engine::server::Person;
use station::profile::{Profile, TwoStep};
use station::refusal::Code;
use station::token::TokenSerial;
use station::welcome::Welcome;
use std::sync::Arc;
use twins::privacyidea::tls::Variant;
use twins::privacyidea::{ADMIN, Fault, HELPDESK, Lag, REALM, Version};
use zeroize::Zeroizing;

use crate::key::Blank;

/// Where every key is plugged in.
pub(crate) const PORT: &str = "1-1.2";

/// The station's name.
pub(crate) const STATION: &str = "contract";

/// Who the station says it is.
#[derive(Clone, Copy)]
pub(crate) enum Login {
    /// Name and password.
    Password(&'static str, &'static str),
    /// A long-lived key of a role.
    ApiKey(&'static str),
}

impl Login {
    pub(crate) const ADMIN: Self = Self::Password(ADMIN.0, ADMIN.1);
    pub(crate) const HELPDESK: Self = Self::Password(HELPDESK.0, HELPDESK.1);
}

/// What the station finds at the address in its configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// The server, and its authority is trusted.
    Good,
    /// The server, with a certificate that must not be trusted.
    Certificate(Variant),
    /// The server; its own key is pinned, and no authority is trusted.
    Pinned,
    /// The server; another key is pinned.
    PinnedOther,
    /// Nobody listens.
    Nobody,
    /// A web server that answers everything with a page.
    WebServer,
    /// The same web server, which speaks no TLS, where TLS is expected.
    NoTls,
}

/// How the station gets to the server.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) login: Login,
    /// Whether it has the API key for /validate/check.
    pub(crate) validate_key: bool,
    pub(crate) route: Route,
    /// How long it waits for an answer.
    pub(crate) patience: Duration,
    /// How far its clock is ahead of everybody else's, in seconds.
    pub(crate) ahead: i64,
    /// How long it takes for possible that a change does not show yet.
    pub(crate) lag: Duration,
    /// Whether its steady clock stands still, so that it never renews a login by itself.
    pub(crate) timeless: bool,
}

/// What the server has before the station comes.
#[derive(Clone, Copy)]
pub(crate) enum Before {
    /// A token of the very serial that this key's token gets.
    Serial,
    /// A token of this user.
    Owned(&'static str),
    /// A token in the realm, of nobody.
    InRealm,
}

/// What is tried after the first ending, with all faults over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing.
    Nothing,
    /// The same key is inserted again: it is enrolled now, or refused because it is already.
    Again,
}

/// What a recovery must bring after [`Expect::Postponed`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Later {
    /// There is no token.
    Gone,
    /// The token counts.
    Counts,
}

/// How an enrollment must end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// The token counts and the key answers.
    Enrolled,
    /// Refused before anything that changes something was sent.
    Refused(Code),
    /// Refused by the server when the token was to be made: nothing has changed.
    Declined(Code),
    /// Refused by the server when it was tried out what takes the place of a finished enrollment: nothing
    /// has changed, and nothing is left of the trial.
    Tried(Code),
    /// Taken back: no token, an empty slot.
    Undone(Code),
    /// No token; what the key holds is worth nothing, and its next insertion overwrites it.
    Quarantined(Code),
    /// To be finished by recovery, which is then run.
    Postponed(Code, Later),
}

impl std::fmt::Display for Expect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Enrolled => f.write_str("enrolled"),
            Self::Refused(code) => write!(f, "refused {code}"),
            Self::Declined(code) => write!(f, "refused {code} by the server"),
            Self::Tried(code) => write!(f, "refused {code} when it was tried out"),
            Self::Undone(code) => write!(f, "undone {code}"),
            Self::Quarantined(code) => write!(f, "quarantined {code}"),
            Self::Postponed(code, Later::Gone) => write!(f, "postponed {code}, then recovered: gone"),
            Self::Postponed(code, Later::Counts) => write!(f, "postponed {code}, then recovered: counts"),
        }
    }
}

/// A case with one enrollment in its middle.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) policies: Vec<&'static str>,
    pub(crate) way: Way,
    pub(crate) key: Blank,
    pub(crate) before: Vec<Before>,
    pub(crate) profile_name: &'static str,
    pub(crate) profile: Profile,
    pub(crate) person: Option<&'static str>,
    pub(crate) realm_of_person: &'static str,
    pub(crate) pin: Option<&'static str>,
    pub(crate) unlock: Option<[u8; 6]>,
    pub(crate) overwrite_confirmed: bool,
    /// Whether the order lets the Yubico OTP go that the key was sold with.
    pub(crate) factory: bool,
    /// What the order names of what is finished on the key.
    pub(crate) replace: Replace,
    /// What the station can make access codes of.
    pub(crate) codes: Codes,
    pub(crate) welcome: Option<Arc<Welcome>>,
    pub(crate) faults: Vec<Fault>,
    /// By how much what the server shows is behind while the key is enrolled.
    pub(crate) behind: Lag,
    pub(crate) expect: Expect,
    pub(crate) then: Then,
    /// Whether it is tried at real servers, too.
    pub(crate) real: bool,
}

/// A list of welcome keys as it stands in a configuration.
#[derive(serde::Deserialize)]
struct Rules {
    welcome: Welcome,
}

/// Policies that set an action of the scope `admin`.
const ADMIN_SCOPE: [&str; 10] = [
    "admin-rights",
    "twostep-allow",
    "twostep-force",
    "twostep-defaults",
    "server-generates",
    "hotp-defaults",
    "pin-quality",
    "pin-forbidden",
    "no-enroll",
    "helpdesk-readonly",
];

impl Plan {
    /// A YubiKey 5, six digits, slot 1, a server without policies, nobody's token.
    pub(crate) fn new(name: impl Into<String>, expect: Expect) -> Self {
        Self {
            name: name.into(),
            policies: Vec::new(),
            way: Way {
                login: Login::ADMIN,
                validate_key: false,
                route: Route::Good,
                patience: Duration::from_secs(20),
                ahead: 0,
                // What the server shows here is what it has.
                lag: Duration::from_secs(2),
                timeless: false,
            },
            key: Blank::new(),
            before: Vec::new(),
            profile_name: "hotp6",
            profile: Profile::new(Kind::Hotp),
            person: None,
            realm_of_person: REALM,
            pin: None,
            unlock: None,
            overwrite_confirmed: false,
            factory: false,
            replace: Replace::Unnamed,
            codes: Codes::default(),
            welcome: None,
            faults: Vec::new(),
            behind: Lag::default(),
            expect,
            then: Then::Nothing,
            real: true,
        }
    }

    pub(crate) fn policies(mut self, presets: &[&'static str]) -> Self {
        self.policies.extend(presets);
        self
    }

    /// 3.13.4 throws the client's secret away unless an admin policy exists; this
    /// adds one where the case has none.
    pub(crate) fn keeping_secrets(mut self, version: Version) -> Self {
        let guarded = self.policies.iter().any(|preset| ADMIN_SCOPE.contains(preset));
        if version.replaces_keys_without_policies() && !guarded {
            self.policies.push("admin-rights");
        }
        self
    }

    pub(crate) fn login(mut self, login: Login) -> Self {
        self.way.login = login;
        self
    }

    pub(crate) fn route(mut self, route: Route) -> Self {
        self.way.route = route;
        self
    }

    pub(crate) fn validate_key(mut self) -> Self {
        self.way.validate_key = true;
        self
    }

    pub(crate) fn ahead(mut self, seconds: i64) -> Self {
        self.way.ahead = seconds;
        self
    }

    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.way.patience = patience;
        self
    }

    /// Another kind of credential, with every default.
    pub(crate) fn kind(mut self, kind: Kind) -> Self {
        self.profile_name = "other";
        self.profile = Profile::new(kind);
        self
    }

    /// What a key is asked that is enrolled by this plan.
    pub(crate) fn key_order(&self) -> KeyOrder {
        KeyOrder {
            profiles: Arc::new([(self.profile_name.to_owned(), self.profile.clone())].into()),
            codes: self.codes.clone(),
            ..KeyOrder::new(PORT, Actor::Operator("tester".to_owned()))
        }
    }

    /// Whether the token's secret is made in two steps.
    pub(crate) fn in_two_steps(&self) -> bool {
        let offered = self.policies.iter().any(|preset| preset.starts_with("twostep"));
        self.profile.two_step != TwoStep::Never && offered
    }

    /// Whether the server itself keeps the token from counting.
    pub(crate) fn held_back(&self) -> bool {
        let coded = matches!(self.profile.kind, Kind::Hotp | Kind::Totp | Kind::ChallengeResponse);
        coded && self.policies.contains(&"verify-enrollment")
    }

    pub(crate) fn codes(mut self, codes: Codes) -> Self {
        self.codes = codes;
        self
    }

    pub(crate) fn welcome(mut self, rules: &str) -> Self {
        self.welcome = toml::from_str::<Rules>(rules).ok().map(|rules| Arc::new(rules.welcome));
        self
    }

    pub(crate) fn key(mut self, change: impl FnOnce(&mut Blank)) -> Self {
        change(&mut self.key);
        self
    }

    pub(crate) fn before(mut self, before: Before) -> Self {
        self.before.push(before);
        self
    }

    pub(crate) fn eight_digits(mut self) -> Self {
        self.profile_name = "hotp8";
        self.profile.digits = Digits::Eight;
        self
    }

    pub(crate) fn profile(mut self, change: impl FnOnce(&mut Profile)) -> Self {
        change(&mut self.profile);
        self
    }

    pub(crate) fn person(mut self, user: &'static str) -> Self {
        self.person = Some(user);
        self
    }

    pub(crate) fn person_in(mut self, user: &'static str, realm: &'static str) -> Self {
        self.person = Some(user);
        self.realm_of_person = realm;
        self
    }

    pub(crate) fn pin(mut self, pin: &'static str) -> Self {
        self.pin = Some(pin);
        self
    }

    pub(crate) fn unlock(mut self, code: [u8; 6]) -> Self {
        self.unlock = Some(code);
        self
    }

    pub(crate) fn confirmed(mut self) -> Self {
        self.overwrite_confirmed = true;
        self
    }

    /// Names the enrollment of that token.
    pub(crate) fn replacing(mut self, token: &TokenSerial) -> Self {
        self.replace = Replace::Token(token.to_string());
        self
    }

    pub(crate) fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// By how much what the server shows is behind; the station takes 20 seconds for possible.
    pub(crate) fn behind(mut self, lag: Lag) -> Self {
        self.behind = lag;
        self.way.lag = Duration::from_secs(20);
        self.real = false;
        self
    }

    pub(crate) fn again(mut self) -> Self {
        self.then = Then::Again;
        self
    }

    pub(crate) fn twin_only(mut self) -> Self {
        self.real = false;
        self
    }

    /// The order that the station gets.
    pub(crate) fn order(&self) -> Result<Order, crate::Broken> {
        let pin = self.pin.map(|pin| Pin::new(Zeroizing::new(pin.to_owned()))).transpose();
        let unlock = self.unlock.map(|code| AccessCode::new(&code)).transpose();
        Ok(Order {
            station: STATION.to_owned(),
            port: PORT.to_owned(),
            actor: Actor::Operator("tester".to_owned()),
            profile_name: self.profile_name.to_owned(),
            profile: self.profile.clone(),
            person: self
                .person
                .map(|user| Person { user: user.to_owned(), realm: self.realm_of_person.to_owned() }),
            pin: pin.map_err(|error| error.to_string())?.map(Arc::new),
            random_pin: false,
            unlock: unlock.map_err(|error| error.to_string())?.map(Arc::new),
            key_pin: None,
            server_name: "privacyIDEA".to_owned(),
            overwrite_confirmed: self.overwrite_confirmed,
            factory: self.factory,
            replace: self.replace.clone(),
            codes: self.codes.clone(),
            welcome: self.welcome.clone(),
        })
    }
}
