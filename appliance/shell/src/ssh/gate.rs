//! Who may knock: how many connections there may be before a login, in all and from one
//! address, and how fast new ones may come.
//!
//! Pure: time is an argument. When a place is wanted and none is free, the newcomer gets that of
//! the one who has come least far, so that silent connections cannot keep an operator out. An address
//! from which somebody has logged in before gives way to no stranger.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a login may take.
pub const GRACE: Duration = Duration::from_secs(10);

/// Connections that are not logged in.
const MOST: usize = 8;

/// The same, from one address.
const MOST_OF_ONE: usize = 4;

/// Connections that one address may make at once, and how many a second after that.
const BURST: f64 = 30.0;
const PER_SECOND: f64 = 10.0;

/// Addresses that are remembered.
const ADDRESSES: usize = 1024;

/// An address from which somebody logged in is known for so long.
const KNOWN: Duration = Duration::from_secs(7 * 24 * 3600);

/// A login that has come so far is left alone for a while, or nobody would finish one in a flood.
const UNDISTURBED: Duration = Duration::from_secs(3);

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Nothing was said.
    Silent,
    /// It said something.
    Talking,
    /// It said who it is (its version), as SSH clients do.
    Greeted,
    /// Keys are exchanged.
    Exchanged,
}

/// What becomes of a new connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may try, by this number; the one named has to go for it.
    Admitted {
        /// Its number.
        entrant: u64,
        /// Who has to go.
        evicted: Option<u64>,
    },
    /// It is closed at once.
    Refused,
}

struct Entrant {
    address: IpAddr,
    since: Instant,
    progress: Progress,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

/// The gate. See the [module](self).
#[derive(Default)]
pub struct Gate {
    entrants: HashMap<u64, Entrant>,
    buckets: HashMap<IpAddr, Bucket>,
    /// When somebody last logged in from there.
    known: HashMap<IpAddr, Instant>,
    next: u64,
}

impl Gate {
    /// Somebody knocks.
    pub fn knock(&mut self, from: IpAddr, now: Instant) -> Verdict {
        let address = network(from);
        if !self.take(address, now) {
            return Verdict::Refused;
        }
        let of_one = self.entrants.values().filter(|entrant| entrant.address == address).count();
        let known = |address: &IpAddr| {
            self.known.get(address).is_some_and(|at| now.saturating_duration_since(*at) < KNOWN)
        };
        let welcome = known(&address);
        let evicted = if of_one >= MOST_OF_ONE {
            self.least(|entrant| entrant.address == address, now)
        } else if self.entrants.len() >= MOST {
            let stranger = self.least(|entrant| !known(&entrant.address), now);
            stranger.or_else(|| self.least(|_| welcome, now))
        } else {
            None
        };
        match evicted {
            None if of_one >= MOST_OF_ONE || self.entrants.len() >= MOST => Verdict::Refused,
            evicted => {
                evicted.map(|entrant| self.entrants.remove(&entrant));
                self.next += 1;
                let entrant = Entrant { address, since: now, progress: Progress::Silent };
                self.entrants.insert(self.next, entrant);
                Verdict::Admitted { entrant: self.next, evicted }
            }
        }
    }

    /// An entrant has come so far.
    pub fn progress(&mut self, entrant: u64, progress: Progress) {
        if let Some(entrant) = self.entrants.get_mut(&entrant) {
            entrant.progress = entrant.progress.max(progress);
        }
    }

    /// An entrant is logged in. Its knock costs nothing: a script may run many commands.
    pub fn enter(&mut self, entrant: u64, now: Instant) {
        let Some(entrant) = self.entrants.remove(&entrant) else { return };
        if let Some(bucket) = self.buckets.get_mut(&entrant.address) {
            bucket.tokens = (bucket.tokens + 1.0).min(BURST);
        }
        if self.known.len() >= ADDRESSES {
            let oldest = self.known.iter().min_by_key(|(_, at)| **at).map(|(address, _)| *address);
            oldest.map(|oldest| self.known.remove(&oldest));
        }
        self.known.insert(entrant.address, now);
    }

    /// An entrant is gone.
    pub fn leave(&mut self, entrant: u64) {
        self.entrants.remove(&entrant);
    }

    fn take(&mut self, address: IpAddr, now: Instant) -> bool {
        if self.buckets.len() >= ADDRESSES && !self.buckets.contains_key(&address) {
            let full = |bucket: &Bucket| {
                let filled = now.saturating_duration_since(bucket.at).as_secs_f64() * PER_SECOND;
                bucket.tokens + filled >= BURST
            };
            self.buckets.retain(|_, bucket| !full(bucket));
            if self.buckets.len() >= ADDRESSES {
                let oldest =
                    self.buckets.iter().min_by_key(|(_, bucket)| bucket.at).map(|(address, _)| *address);
                oldest.map(|oldest| self.buckets.remove(&oldest));
            }
        }
        let bucket = self.buckets.entry(address).or_insert(Bucket { tokens: BURST, at: now });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * PER_SECOND).min(BURST);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    /// Who has come least far, and among these is the oldest.
    fn least(&self, of: impl Fn(&Entrant) -> bool, now: Instant) -> Option<u64> {
        let disturbable = |entrant: &Entrant| {
            entrant.progress < Progress::Exchanged
                || now.saturating_duration_since(entrant.since) > UNDISTURBED
        };
        let found = self.entrants.iter().filter(|(_, entrant)| of(entrant) && disturbable(entrant));
        found
            .min_by_key(|(number, entrant)| (entrant.progress, entrant.since, **number))
            .map(|(number, _)| *number)
    }
}

/// What counts as one address: IPv6 hosts have a whole /64 to themselves.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn admitted(verdict: Verdict) -> (u64, Option<u64>) {
        match verdict {
            Verdict::Admitted { entrant, evicted } => (entrant, evicted),
            Verdict::Refused => panic!("refused"),
        }
    }

    #[test]
    fn silent_connections_make_room() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        let silent: Vec<u64> = (0..8).map(|n| admitted(gate.knock(address(n), now)).0).collect();
        gate.progress(silent[0], Progress::Talking);
        let (operator, evicted) = admitted(gate.knock(address(100), now));
        assert_eq!(evicted, Some(silent[1]), "the oldest that said nothing");
        gate.progress(operator, Progress::Exchanged);
        for n in 0..60 {
            let (_, evicted) = admitted(gate.knock(address(101 + n), now));
            assert!(evicted.is_some() && evicted != Some(operator));
        }
        gate.enter(operator, now);
        assert_eq!(gate.entrants.len(), 7);
    }

    #[test]
    fn one_address_has_four_places() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        let first = admitted(gate.knock(address(1), now)).0;
        for _ in 0..3 {
            assert_eq!(admitted(gate.knock(address(1), now)).1, None);
        }
        assert_eq!(admitted(gate.knock(address(1), now)).1, Some(first));
        assert_eq!(admitted(gate.knock(address(2), now)).1, None);
    }

    #[test]
    fn a_known_address_gives_way_to_no_stranger() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        let (operator, _) = admitted(gate.knock(address(1), now));
        gate.enter(operator, now);
        let (operator, _) = admitted(gate.knock(address(1), now));
        for n in 0..100 {
            if let Verdict::Admitted { evicted, .. } = gate.knock(address(2 + n), now) {
                assert_ne!(evicted, Some(operator));
            }
        }
        // Not even a crowd that has exchanged keys keeps it out.
        let crowd: Vec<u64> = gate.entrants.keys().copied().filter(|entrant| *entrant != operator).collect();
        crowd.iter().for_each(|entrant| gate.progress(*entrant, Progress::Exchanged));
        let later = now + UNDISTURBED * 2;
        assert!(admitted(gate.knock(address(1), later)).1.is_some_and(|evicted| evicted != operator));
    }

    #[test]
    fn whoever_has_exchanged_keys_is_left_alone_for_a_while() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        for _ in 0..4 {
            let (entrant, _) = admitted(gate.knock(address(1), now));
            gate.progress(entrant, Progress::Exchanged);
        }
        assert_eq!(gate.knock(address(1), now), Verdict::Refused);
        assert!(admitted(gate.knock(address(1), now + UNDISTURBED * 2)).1.is_some());
    }

    #[test]
    fn an_address_knocks_only_so_fast() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        let count = |gate: &mut Gate, now, from| {
            (0..200).filter(|_| gate.knock(from, now) != Verdict::Refused).count()
        };
        assert_eq!(count(&mut gate, now, address(1)), 30);
        assert_eq!(count(&mut gate, now + Duration::from_secs(1), address(1)), 10);
        // The whole /64 counts as one.
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let other: IpAddr = "2001:db8::2".parse().unwrap();
        assert_eq!(count(&mut gate, now, one), 30);
        assert_eq!(count(&mut gate, now, other), 0);
        // Whoever logs in has not knocked.
        let (entrant, _) = admitted(gate.knock(address(2), now));
        gate.enter(entrant, now);
        assert_eq!(count(&mut gate, now, address(2)), 30);
    }

    #[test]
    fn it_remembers_only_so_many() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        for n in 0..5000_u32 {
            gate.knock(IpAddr::from(n.to_be_bytes()), now);
        }
        assert!(gate.buckets.len() <= ADDRESSES && gate.entrants.len() <= MOST);
    }
}
