//! What can be made to go wrong.
//!
//! Faults are parameters of a twin: set before or between calls, in a test as in
//! the program. All but the slow ones and [`Faults::garble_every`] wear off by
//! happening; a replug ([`KeyTwin::power`](crate::key::KeyTwin::power)) ends what
//! a replug ends on a real key.

use core::str::FromStr;
use core::time::Duration;

/// Everything that can be made to go wrong; nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// The key is pulled out once it has taken so many SET_REPORTs from now; with
    /// 0 the next one does not reach it. When the last report of a write is the
    /// last one it takes, the write has happened, but nobody can read the status.
    pub pull_out_after_reports: Option<u32>,
    /// The same, counting reads as well as writes.
    pub pull_out_after_transfers: Option<u32>,
    /// A write happens at the end of the time that it takes, not at its beginning:
    /// pulled out meanwhile, the key is as before.
    pub commit_late: bool,
    /// After so much of the key's time every transfer fails, until a replug.
    pub dead_after: Option<Duration>,
    /// So many transfers fail from now on.
    pub nack: u32,
    /// After the next whole frame the key stays busy, until a replug.
    pub stuck_busy: bool,
    /// After power-up the key starts for so long: its status is 0x9F, and it takes
    /// no writes (ykdef.h says so of the NEO).
    pub starting: Duration,
    /// Every frame takes so much longer.
    pub slow: Duration,
    /// Every report takes so long to be consumed; one that comes sooner is lost.
    pub slow_reports: Duration,
    /// So many changes that the key would make are refused in silence.
    pub refuse_writes: u32,
    /// So many changes are counted in the status, but not made.
    pub lose_writes: u32,
    /// A NEO shows an empty status from power-up until a command goes through.
    pub stale_status: bool,
    /// Every so-manieth report that is read has a bit flipped.
    pub garble_every: Option<u32>,
    /// So many presses from now on do nothing.
    pub ignore_touches: u32,
    /// What is typed does not arrive whole so many times: a stroke is lost, or comes twice.
    pub tear: u32,
    /// So many times two strokes of what is typed arrive in the wrong order.
    pub exchange: u32,
    /// Every report is answered so late.
    pub late: Duration,
}

/// Why a fault cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fault that this key knows, or not written as it should be")]
pub struct UnknownFault(String);

impl Faults {
    /// How faults are written, `name` or `name=number`, and what each does: a line
    /// each.
    pub const KNOWN: &str = "\
pull-out-after-reports=N    gone once it has taken N reports; N=0 takes none
pull-out-after-transfers=N  the same, counting reads too
commit-late                 a write happens at the end of its time, not at the beginning
dead-after=MS               after MS every transfer fails, until POWER
nack=N                      the next N transfers fail
stuck-busy                  busy for ever after the next command, until POWER
starting=MS                 takes no writes for MS after power-up
slow=MS                     every command takes MS longer
slow-reports=MS             every report takes MS, and one that comes sooner is lost
refuse-writes=N             the next N changes are refused in silence
lose-writes=N               the next N changes are counted and not made
stale-status                a NEO shows an empty status until a command goes through
garble-every=N              a bit is flipped in every Nth report that is read
ignore-touches=N            the next N touches do nothing
tear=N                      of what the next N touches type, a stroke is lost or comes twice
exchange=N                  of what the next N touches type, two strokes come in the wrong order
late=MS                     every report is answered MS late";

    /// Sets one fault, written as in [`Faults::KNOWN`].
    pub fn set(&mut self, text: &str) -> Result<(), UnknownFault> {
        let (name, number) = match text.split_once('=') {
            Some((name, number)) => {
                let number = u32::from_str(number).map_err(|_| UnknownFault(text.to_owned()))?;
                (name, Some(number))
            }
            None => (text, None),
        };
        match (name, number) {
            ("pull-out-after-reports", Some(n)) => self.pull_out_after_reports = Some(n),
            ("pull-out-after-transfers", Some(n)) => self.pull_out_after_transfers = Some(n),
            ("commit-late", None) => self.commit_late = true,
            ("dead-after", Some(n)) => self.dead_after = Some(Duration::from_millis(n.into())),
            ("nack", Some(n)) => self.nack = n,
            ("stuck-busy", None) => self.stuck_busy = true,
            ("starting", Some(n)) => self.starting = Duration::from_millis(n.into()),
            ("slow", Some(n)) => self.slow = Duration::from_millis(n.into()),
            ("slow-reports", Some(n)) => self.slow_reports = Duration::from_millis(n.into()),
            ("refuse-writes", Some(n)) => self.refuse_writes = n,
            ("lose-writes", Some(n)) => self.lose_writes = n,
            ("stale-status", None) => self.stale_status = true,
            ("garble-every", Some(n)) if n > 0 => self.garble_every = Some(n),
            ("ignore-touches", Some(n)) => self.ignore_touches = n,
            ("tear", Some(n)) => self.tear = n,
            ("exchange", Some(n)) => self.exchange = n,
            ("late", Some(n)) => self.late = Duration::from_millis(n.into()),
            _ => return Err(UnknownFault(text.to_owned())),
        }
        Ok(())
    }
}

/// Counts down; true when it was not 0 yet.
pub(super) const fn one_of(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_fault_can_be_written() {
        let mut faults = Faults::default();
        for known in Faults::KNOWN.lines() {
            let text = known.split(' ').next().unwrap().replace("=N", "=3").replace("=MS", "=250");
            faults.set(&text).unwrap_or_else(|error| panic!("{error}"));
        }
        assert_eq!(Faults::KNOWN.lines().count(), 17);
        assert_eq!(faults.pull_out_after_reports, Some(3));
        assert_eq!(faults.dead_after, Some(Duration::from_millis(250)));
        assert!(faults.stuck_busy && faults.commit_late);
        for wrong in ["", "nack", "stuck-busy=1", "slow=-1", "garble-every=0", "fire"] {
            assert!(faults.set(wrong).is_err(), "{wrong}");
        }
    }
}
