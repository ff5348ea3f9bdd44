//! Who is logged in: sessions, the places that there are for them, and their ends.
//!
//! A session has one connection or several, each with its calls or a stream. Time is an argument.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use control::types::OpenSession;
use control::{Method, Role};
use jiff::Timestamp;
use station::refusal::Code;
use tokio::sync::watch;

use super::call_handler::known;
use super::credential::now;
use super::refuse::no;
use crate::config::Config;

/// Places for everybody.
const PLACES: usize = 32;

/// Places that are kept for admins beside them.
const ADMINS: usize = 4;

/// As many of the places one operator can have.
const SHARE: usize = 16;

/// Who wants to log in.
#[derive(Clone, Debug)]
pub(super) struct LoginRequest {
    pub(super) fingerprint: String,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) address: String,
    /// The session's name, which its connections share.
    pub(super) session: String,
}

/// A session that was entered.
pub(super) struct Entered {
    pub(super) number: u64,
    /// Whether this is its first connection.
    pub(super) fresh: bool,
    /// The operator's last login before it.
    pub(super) last: Option<(Timestamp, String)>,
    /// Turns true when the session is over.
    pub(super) over: watch::Receiver<bool>,
}

/// Sessions and logins since the start.
#[derive(Default)]
pub(super) struct Sessions {
    open: BTreeMap<u64, Open>,
    /// When each operator last logged in, and from where.
    last: BTreeMap<String, (Timestamp, String)>,
    count: u64,
    /// Keys that were offered to the SSH server, and those among them that nobody knows.
    offered: i64,
    unknown: i64,
}

struct Open {
    who: LoginRequest,
    connections: usize,
    since: Timestamp,
    /// When the last call came.
    used: Instant,
    streams: BTreeMap<&'static str, usize>,
    over: watch::Sender<bool>,
}

impl Open {
    /// Whether something is done for it right now that should not break off.
    fn works(&self) -> bool {
        let orders = [
            Method::Enroll,
            Method::Verify,
            Method::Release,
            Method::KeyHandOver,
            Method::PhoneEnroll,
            Method::RegistrationCreate,
            Method::ReceiptsExport,
        ];
        orders.iter().any(|order| self.streams.contains_key(order.name()))
    }

    fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    fn end(&self) {
        self.over.send_replace(true);
    }
}

impl Sessions {
    /// How many sessions an operator has.
    pub(super) fn count(&self, operator: &str) -> usize {
        self.going().filter(|(_, open)| open.who.name == operator).count()
    }

    /// When an operator last logged in.
    pub(super) fn last(&self, operator: &str) -> Option<&(Timestamp, String)> {
        self.last.get(operator)
    }

    /// Counts a key that was offered.
    pub(super) fn offered(&mut self, known: bool) {
        self.offered = self.offered.saturating_add(1);
        if !known {
            self.unknown = self.unknown.saturating_add(1);
            if u64::try_from(self.unknown).is_ok_and(u64::is_power_of_two) {
                tracing::warn!("{} keys that no operator has were offered since the start", self.unknown);
            }
        }
    }

    /// How many keys were offered, and how many of them nobody knew.
    pub(super) const fn offers(&self) -> (i64, i64) {
        (self.offered, self.unknown)
    }

    fn going(&self) -> impl Iterator<Item = (&u64, &Open)> {
        self.open.iter().filter(|(_, open)| !open.is_over())
    }

    /// Another connection of a session, or a new session, which needs a place. One that has been idle for
    /// longer than `idle` gives way where none is free.
    pub(super) fn enter(
        &mut self,
        who: LoginRequest,
        idle: Duration,
        at: Instant,
    ) -> Result<Entered, control::Refusal> {
        let same = |open: &Open| open.who.name == who.name && open.who.session == who.session;
        if let Some((number, open)) = self.open.iter_mut().find(|(_, open)| same(open)) {
            if open.is_over() {
                return Err(no(Code::SessionEnded, ""));
            }
            open.connections += 1;
            let last = self.last.get(&who.name).cloned();
            return Ok(Entered { number: *number, fresh: false, last, over: open.over.subscribe() });
        }
        if let Some(gives_way) = self.place(&who.name, who.role, idle, at)?
            && let Some(open) = self.open.get(&gives_way)
        {
            tracing::info!("session {gives_way} of {} gives its place to {}", open.who.name, who.name);
            open.end();
        }
        self.count += 1;
        let (over, ended) = watch::channel(false);
        let last = self.last.insert(who.name.clone(), (now(), who.address.clone()));
        let streams = BTreeMap::new();
        let open = Open { who, connections: 1, since: now(), used: at, streams, over };
        self.open.insert(self.count, open);
        Ok(Entered { number: self.count, fresh: true, last, over: ended })
    }

    /// A place for a session of that operator: the session that has to go for it, if one has to.
    fn place(
        &self,
        operator: &str,
        role: Role,
        idle: Duration,
        at: Instant,
    ) -> Result<Option<u64>, control::Refusal> {
        let unused = |open: &Open| at.saturating_duration_since(open.used);
        let longest = |of: &dyn Fn(&Open) -> bool| {
            let those = self.going().filter(|(_, open)| of(open));
            those
                .max_by_key(|(number, open)| (unused(open), std::cmp::Reverse(**number)))
                .map(|(number, _)| *number)
        };
        let rests = |open: &Open| unused(open) >= idle && !open.works();
        let mine = |open: &Open| open.who.name == operator;
        let admin = role == Role::Admin;
        if self.count(operator) >= SHARE {
            let resting = longest(&|open| mine(open) && rests(open));
            let own = resting.or_else(|| longest(&|open| admin && mine(open)));
            let detail = format!("{operator} has {SHARE} sessions, as many as one operator can have");
            return own.map(Some).ok_or_else(|| no(Code::SessionsFull, detail));
        }
        let taken = self.going().count();
        if taken < PLACES || (admin && taken < PLACES + ADMINS) {
            return Ok(None);
        }
        let resting = longest(&rests);
        // An admin always gets in: whoever has most gives way.
        let most = || {
            let most = self.going().map(|(_, open)| &open.who.name).max_by_key(|name| self.count(name))?;
            longest(&|open| open.who.name == *most && !open.works())
                .or_else(|| longest(&|open| open.who.name == *most))
        };
        let goes = resting.or_else(|| if admin { most() } else { None });
        goes.map(Some).ok_or_else(|| no(Code::SessionsFull, format!("{taken} sessions are open")))
    }

    /// A connection of a session ends.
    pub(super) fn leave(&mut self, number: u64) {
        let Some(open) = self.open.get_mut(&number) else { return };
        open.connections = open.connections.saturating_sub(1);
        if open.connections == 0 {
            self.open.remove(&number);
        }
    }

    /// A call of a session.
    pub(super) fn used(&mut self, number: u64, at: Instant) {
        if let Some(open) = self.open.get_mut(&number) {
            open.used = at;
        }
    }

    /// A stream of a session begins.
    pub(super) fn begin(&mut self, number: u64, stream: &'static str) {
        if let Some(open) = self.open.get_mut(&number) {
            *open.streams.entry(stream).or_default() += 1;
        }
    }

    /// A stream of a session is over.
    pub(super) fn finish(&mut self, number: u64, stream: &'static str) {
        let Some(open) = self.open.get_mut(&number) else { return };
        if let Some(count) = open.streams.get_mut(stream) {
            *count -= 1;
            if *count == 0 {
                open.streams.remove(stream);
            }
        }
    }

    /// Ends a session; whose it was.
    pub(super) fn end(&mut self, number: u64) -> Option<String> {
        let open = self.open.get(&number).filter(|open| !open.is_over())?;
        open.end();
        Some(open.who.name.clone())
    }

    /// Ends the sessions of those who may not come any more as what they came.
    pub(super) fn follow(&mut self, config: &Config) {
        for (number, open) in self.going() {
            let now = known(config, &open.who.fingerprint, &open.who.address);
            let same =
                now.is_some_and(|now| now.name.as_str() == open.who.name && now.role.role() == open.who.role);
            if !same {
                tracing::info!("session {number} of {} ends: the operator's rights changed", open.who.name);
                open.end();
            }
        }
    }

    /// The sessions, oldest first.
    pub(super) fn told(&self, at: Instant) -> Vec<OpenSession> {
        let told = |(number, open): (&u64, &Open)| OpenSession {
            number: i64::try_from(*number).unwrap_or(i64::MAX),
            operator: open.who.name.clone(),
            role: open.who.role,
            address: open.who.address.clone(),
            since: open.since,
            idle_ms: i64::try_from(at.saturating_duration_since(open.used).as_millis()).unwrap_or(i64::MAX),
            streams: open
                .streams
                .keys()
                .filter(|name| **name != "Stay")
                .map(|name| (*name).to_owned())
                .collect(),
        };
        self.going().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(900);

    fn who(name: &str, role: Role, session: usize) -> LoginRequest {
        LoginRequest {
            fingerprint: format!("SHA256:{name}"),
            name: name.to_owned(),
            role,
            address: "192.0.2.1:5".to_owned(),
            session: session.to_string(),
        }
    }

    /// Fills every place with viewers that watch.
    fn full(sessions: &mut Sessions, at: Instant) {
        for n in 0..PLACES {
            let name = if n < SHARE { "vera" } else { "victor" };
            let entered = sessions.enter(who(name, Role::Viewer, n), IDLE, at).unwrap();
            sessions.begin(entered.number, "Watch");
        }
    }

    #[test]
    fn one_operator_has_a_share() {
        let (mut sessions, at) = (Sessions::default(), Instant::now());
        let got = (0..64).filter(|n| sessions.enter(who("vera", Role::Viewer, *n), IDLE, at).is_ok()).count();
        assert_eq!(got, SHARE);
        assert!(sessions.enter(who("otto", Role::Operator, 0), IDLE, at).is_ok());
        // What nobody has touched for long gives way to the same operator's next session.
        assert!(sessions.enter(who("vera", Role::Viewer, 99), IDLE, at + IDLE).is_ok());
        assert_eq!(sessions.count("vera"), SHARE);
    }

    #[test]
    fn an_admin_always_gets_in() {
        let (mut sessions, at) = (Sessions::default(), Instant::now());
        full(&mut sessions, at);
        assert_eq!(
            sessions.enter(who("otto", Role::Operator, 0), IDLE, at).map(|_| ()).unwrap_err().code,
            "E3025"
        );
        for n in 0..200 {
            let name = if n % 2 == 0 { "ada" } else { "grace" };
            sessions.enter(who(name, Role::Admin, n), IDLE, at + Duration::from_millis(1)).unwrap();
            assert!(sessions.going().count() <= PLACES + ADMINS);
        }
    }

    #[test]
    fn what_rests_gives_way_and_what_works_does_not() {
        let (mut sessions, at) = (Sessions::default(), Instant::now());
        full(&mut sessions, at);
        let later = at + IDLE;
        for number in 2..=u64::try_from(PLACES).unwrap() {
            sessions.used(number, later);
        }
        sessions.begin(1, Method::Enroll.name());
        assert!(sessions.enter(who("otto", Role::Operator, 0), IDLE, later).is_err());
        sessions.finish(1, Method::Enroll.name());
        assert!(sessions.enter(who("otto", Role::Operator, 0), IDLE, later).is_ok());
        assert!(sessions.open[&1].is_over() && !sessions.open[&2].is_over());
        assert!(sessions.told(later).iter().all(|session| session.number != 1));
    }

    #[test]
    fn a_session_that_is_over_is_not_entered_again() {
        let (mut sessions, at) = (Sessions::default(), Instant::now());
        let first = sessions.enter(who("vera", Role::Viewer, 1), IDLE, at).unwrap();
        let second = sessions.enter(who("vera", Role::Viewer, 1), IDLE, at).unwrap();
        assert!(first.fresh && !second.fresh && first.number == second.number);
        assert_eq!(sessions.end(first.number).as_deref(), Some("vera"));
        assert!(*second.over.borrow() && sessions.end(first.number).is_none());
        assert_eq!(
            sessions.enter(who("vera", Role::Viewer, 1), IDLE, at).map(|_| ()).unwrap_err().code,
            "E3026"
        );
        sessions.leave(first.number);
        sessions.leave(first.number);
        assert!(sessions.open.is_empty());
        assert!(sessions.enter(who("vera", Role::Viewer, 1), IDLE, at).is_ok());
    }
}
