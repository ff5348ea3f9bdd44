//! What can be made to go wrong.
//!
//! `lock-keeps-passwords` is what the published firmware of the Pro does.

use core::num::NonZeroU32;
use core::time::Duration;

crate::faults! {
    pull_out_after_reports: Option<u32> = "pull-out-after-reports=N    gone once it has taken N reports; N=0 takes none",
    pull_out_after_transfers: Option<u32> = "pull-out-after-transfers=N  the same, counting reads too",
    commit_late: bool = "commit-late                 a command happens at the end of its time, not at the beginning",
    dead_after: Option<Duration> = "dead-after=MS               after MS every transfer fails, until POWER",
    nack: u32 = "nack=N                      the next N transfers fail",
    drop_reports: u32 = "drop-reports=N              the next N reports are dropped in silence",
    stuck_busy: bool = "stuck-busy                  busy for ever after the next command, until POWER",
    slow: Duration = "slow=MS                     every command takes MS longer",
    garble_every: Option<NonZeroU32> = "garble-every=N              a bit is flipped in every Nth report that is read",
    garble_incoming: u32 = "garble-incoming=N           a bit is flipped in the next N reports that come in",
    wrong_crc: u32 = "wrong-crc=N                 the next N answers have a wrong CRC",
    lose_writes: u32 = "lose-writes=N               the next N writes and erasures are not made",
    card_silent: bool = "card-silent                 the smart card does not answer",
    lock_keeps_passwords: bool = "lock-keeps-passwords        locking does not forget temporary passwords",
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
        assert_eq!(Faults::KNOWN.lines().count(), 14);
        assert_eq!(faults.drop_reports, 3);
        assert!(faults.stuck_busy && faults.commit_late && faults.card_silent);
        for wrong in ["", "nack", "stuck-busy=1", "slow=-1", "garble-every=0", "fire"] {
            assert!(faults.set(wrong).is_err(), "{wrong}");
        }
    }
}
