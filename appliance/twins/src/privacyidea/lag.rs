//! A server that is several machines behind one name, and shows late what it has done.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ServerTwin;
use super::answer::{Answer, Refusal};
use super::params;
use super::token::{Token, Tokens};
use super::wire::Request;

/// By how much what is shown is behind what was done. Nothing of it is what most servers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Tokens are listed as they were so long ago; changes are made to what is there now.
    pub reads: Duration,
    /// Two machines take turns, a request each. One sees at once what came through it, and so much later
    /// what came through the other; a token that it has not heard of does not exist for it.
    pub machines: Duration,
    /// A deletion is acknowledged, and happens so much later. Until then the token is there, and counts.
    pub deletions: Duration,
}

/// What became of a token, and through which machine.
#[derive(Clone, Debug)]
struct Change {
    at: Duration,
    machine: bool,
    serial: String,
    token: Option<Token>,
}

/// What was done and does not show everywhere yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Behind {
    lag: Lag,
    /// What every machine shows.
    base: BTreeMap<String, Token>,
    changes: Vec<Change>,
    /// Tokens whose deletion was acknowledged, and when it happens.
    doomed: BTreeMap<String, Duration>,
    /// Whose turn it is.
    machine: bool,
}

impl Behind {
    fn is_on(&self) -> bool {
        self.lag != Lag::default() || !self.doomed.is_empty()
    }

    /// Whether the time of a deletion has come that nobody has looked at yet.
    pub(super) fn is_gone(&self, serial: &str, now: Duration) -> bool {
        self.doomed.get(serial).is_some_and(|at| *at <= now)
    }

    /// The tokens as the machine whose turn it is shows them.
    fn shown(&self, now: Duration) -> BTreeMap<String, Token> {
        let mut shown = self.base.clone();
        for change in &self.changes {
            let age = now.saturating_sub(change.at);
            let others = change.machine != self.machine && age < self.lag.machines;
            if !others && age >= self.lag.reads {
                match &change.token {
                    Some(token) => drop(shown.insert(change.serial.clone(), token.clone())),
                    None => drop(shown.remove(&change.serial)),
                }
            }
        }
        shown
    }

    /// Forgets what shows everywhere by now.
    fn settle(&mut self, now: Duration) {
        let longest = self.lag.reads.max(self.lag.machines);
        let old = |change: &Change| now.saturating_sub(change.at) >= longest;
        let many = self.changes.iter().take_while(|change| old(change)).count();
        for change in self.changes.drain(..many) {
            match change.token {
                Some(token) => drop(self.base.insert(change.serial, token)),
                None => drop(self.base.remove(&change.serial)),
            }
        }
    }

    /// Notes what has become of tokens that were `before`.
    fn note(&mut self, before: &BTreeMap<String, Token>, tokens: &Tokens, now: Duration) {
        let gone = before.keys().filter(|serial| !tokens.contains_key(serial));
        let mut changes: Vec<(String, Option<Token>)> = gone.map(|serial| (serial.clone(), None)).collect();
        for token in tokens.values() {
            let same =
                before.get(&token.serial).is_some_and(|old| format!("{old:?}") == format!("{token:?}"));
            if !same {
                changes.push((token.serial.clone(), Some(token.clone())));
            }
        }
        let (at, machine) = (now, self.machine);
        let changes = changes.into_iter().map(|(serial, token)| Change { at, machine, serial, token });
        self.changes.extend(changes);
    }
}

fn by_serial(tokens: &Tokens) -> BTreeMap<String, Token> {
    tokens.values().map(|token| (token.serial.clone(), token.clone())).collect()
}

impl ServerTwin {
    /// Lets what is shown be behind from now on, or catch up at once. A deletion that was
    /// acknowledged and has not happened yet still happens when it was to.
    pub fn set_lag(&mut self, lag: Lag) {
        if lag != self.behind.lag {
            self.behind.lag = lag;
            self.behind.changes.clear();
            self.behind.base = by_serial(&self.tokens);
        }
    }

    /// What is behind, in words: a part of this server's state.
    pub fn behind_in_words(&self) -> String {
        if self.behind.is_on() { format!("{:?}", self.behind) } else { String::new() }
    }

    /// Carries a request out at one of several machines.
    pub(super) fn dispatch_at_a_machine(&mut self, request: &Request, now: Duration) -> (Answer, bool) {
        if !self.behind.is_on() {
            return self.dispatch(request, now);
        }
        self.happen(now);
        self.behind.settle(now);
        if self.behind.lag.machines > Duration::ZERO {
            self.behind.machine = !self.behind.machine;
        }
        let shown = self.behind.shown(now);
        let path = params::decode(&request.path);
        if request.method == "GET" && path == "/token/" {
            let there = std::mem::replace(&mut self.tokens, Tokens::of(shown));
            let answer = self.dispatch(request, now);
            self.tokens = there;
            return answer;
        }
        let before = by_serial(&self.tokens);
        let unheard: Vec<Token> = match self.behind.lag.machines {
            Duration::ZERO => Vec::new(),
            _ => before.values().filter(|token| !shown.contains_key(&token.serial)).cloned().collect(),
        };
        unheard.iter().for_each(|token| self.tokens.remove(&token.serial));
        let mut answer = self.dispatch(request, now);
        for token in unheard {
            if self.tokens.contains_key(&token.serial) {
                // Two machines that make the same token: the database lets one of them do it.
                answer = (Err(Refusal::fault()), answer.1);
            }
            self.tokens.insert(token);
        }
        if self.behind.lag.deletions > Duration::ZERO && request.method == "DELETE" {
            for (serial, token) in &before {
                if !self.tokens.contains_key(serial) {
                    self.tokens.insert(token.clone());
                    self.behind.doomed.entry(serial.clone()).or_insert(now + self.behind.lag.deletions);
                }
            }
        }
        // What is gone already needs no deletion any more: it must not hit a later token of the same serial.
        let tokens = &self.tokens;
        self.behind.doomed.retain(|serial, _| tokens.contains_key(serial));
        self.behind.note(&before, &self.tokens, now);
        answer
    }

    /// Carries out the deletions whose time has come.
    fn happen(&mut self, now: Duration) {
        let before = by_serial(&self.tokens);
        let due: Vec<String> = {
            let doomed = self.behind.doomed.iter().filter(|(_, at)| **at <= now);
            doomed.map(|(serial, _)| serial.clone()).collect()
        };
        if due.is_empty() {
            return;
        }
        for serial in due {
            self.behind.doomed.remove(&serial);
            self.tokens.remove(&serial);
        }
        self.behind.note(&before, &self.tokens, now);
    }
}
