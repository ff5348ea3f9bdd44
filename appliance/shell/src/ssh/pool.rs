//! Places for sessions, by the SSH keys that hold them.
//!
//! Who an operator is and what places are kept for admins is the daemon's business; here it is only
//! that the SSH server's memory is bounded and that no key can hold all of it. Pure.

use std::collections::BTreeMap;

/// Places. More than the daemon has, so that it is the daemon that says who has to wait.
const MOST: usize = 64;

/// Places of one key.
const SHARE: usize = 24;

/// The places. `H` ends the session that has one.
pub(super) struct Pool<H> {
    taken: BTreeMap<u64, (String, H)>,
    next: u64,
}

/// A place, and what has to go for it.
pub(super) struct Taken<H> {
    pub(super) place: u64,
    pub(super) gives_way: Option<H>,
}

impl<H> Default for Pool<H> {
    fn default() -> Self {
        Self { taken: BTreeMap::new(), next: 0 }
    }
}

impl<H> Pool<H> {
    /// A place for a session of this key. When all are taken, the oldest session of the key that has most gives
    /// way, unless that is this one.
    pub(super) fn take(&mut self, key: &str, handle: H) -> Option<Taken<H>> {
        let mut held: BTreeMap<&str, usize> = BTreeMap::new();
        self.taken.values().for_each(|(key, _)| *held.entry(key).or_default() += 1);
        let mine = held.get(key).copied().unwrap_or(0);
        if mine >= SHARE {
            return None;
        }
        let mut gives_way = None;
        if self.taken.len() >= MOST {
            let (most, count) = held.into_iter().max_by_key(|(_, count)| *count)?;
            if count <= mine + 1 {
                return None;
            }
            let oldest = self.taken.iter().find(|(_, (key, _))| key == most).map(|(place, _)| *place)?;
            gives_way = self.taken.remove(&oldest).map(|(_, handle)| handle);
        }
        self.next += 1;
        self.taken.insert(self.next, (key.to_owned(), handle));
        Some(Taken { place: self.next, gives_way })
    }

    pub(super) fn leave(&mut self, place: u64) {
        self.taken.remove(&place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_holds_all_places_and_a_newcomer_gets_one() {
        let mut pool = Pool::default();
        for key in ["a", "b", "c"] {
            let got = (0..100)
                .filter(|n| pool.take(key, (key, *n)).is_some_and(|it| it.gives_way.is_none()))
                .count();
            assert_eq!(got, if key == "c" { MOST - 2 * SHARE } else { SHARE });
        }
        let taken = pool.take("d", ("d", 0)).unwrap();
        assert!(taken.gives_way.is_some());
        pool.leave(taken.place);
        assert!(pool.take("d", ("d", 1)).unwrap().gives_way.is_none());
    }

    #[test]
    fn places_are_free_again() {
        let mut pool = Pool::default();
        for _ in 0..1000 {
            let taken = pool.take("a", ()).unwrap();
            pool.leave(taken.place);
        }
        assert!(pool.taken.is_empty());
    }

    #[test]
    fn whoever_has_as_many_as_the_others_takes_none_away() {
        let mut pool = Pool::default();
        for n in 0..MOST {
            pool.take(&(n % 8).to_string(), ()).unwrap();
        }
        assert!(pool.take("0", ()).is_none());
        assert!(pool.take("8", ()).unwrap().gives_way.is_some());
    }
}
