//! What can be made to go wrong.
//!
//! All but the slow ones and `garble-every` wear off by happening; a replug ends what a replug ends on a real key.
//!
//! `pull-out-after-reports` counts SET_REPORTs: when the last report of a write is the last one that the key takes, the write has
//! happened, but nobody can read the status. `lose-writes` are counted in the status all the same. `starting` and
//! `stale-status` are the NEO's (`ykdef.h`).

use core::num::NonZeroU32;
use core::time::Duration;

crate::faults! {
    pull_out_after_reports: Option<u32> = "pull-out-after-reports=N    gone once it has taken N reports; N=0 takes none",
    pull_out_after_transfers: Option<u32> = "pull-out-after-transfers=N  the same, counting reads too",
    commit_late: bool = "commit-late                 a write happens at the end of its time, not at the beginning",
    dead_after: Option<Duration> = "dead-after=MS               after MS every transfer fails, until POWER",
    nack: u32 = "nack=N                      the next N transfers fail",
    stuck_busy: bool = "stuck-busy                  busy for ever after the next command, until POWER",
    starting: Duration = "starting=MS                 takes no writes for MS after power-up",
    slow: Duration = "slow=MS                     every command takes MS longer",
    slow_reports: Duration = "slow-reports=MS             every report takes MS, and one that comes sooner is lost",
    refuse_writes: u32 = "refuse-writes=N             the next N changes are refused in silence",
    lose_writes: u32 = "lose-writes=N               the next N changes are counted and not made",
    stale_status: bool = "stale-status                a NEO shows an empty status until a command goes through",
    garble_every: Option<NonZeroU32> = "garble-every=N              a bit is flipped in every Nth report that is read",
    ignore_touches: u32 = "ignore-touches=N            the next N touches do nothing",
    tear: u32 = "tear=N                      of what the next N touches type, a stroke is lost or comes twice",
    exchange: u32 = "exchange=N                  of what the next N touches type, two strokes come in the wrong order",
    late: Duration = "late=MS                     every report is answered MS late",
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
