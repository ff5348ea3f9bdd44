//! What can be made to go wrong.

use core::str::FromStr;
use core::time::Duration;

/// Everything that can be made to go wrong; nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// The key is pulled out once it has taken so many SET_REPORTs from now; with
    /// 0 the next one does not reach it.
    pub pull_out_after_reports: Option<u32>,
    /// The same, counting reads as well as writes.
    pub pull_out_after_transfers: Option<u32>,
    /// A command happens at the end of the time that it takes, not at its beginning.
    pub commit_late: bool,
    /// After so much of the key's time every transfer fails, until a replug.
    pub dead_after: Option<Duration>,
    /// So many transfers fail from now on.
    pub nack: u32,
    /// So many reports are dropped in silence, as if the key were busy.
    pub drop_reports: u32,
    /// After the next command the key stays busy, until a replug.
    pub stuck_busy: bool,
    /// Every command takes so much longer.
    pub slow: Duration,
    /// Every so-manieth report that is read has a bit flipped.
    pub garble_every: Option<u32>,
    /// So many reports that come in have a bit flipped.
    pub garble_incoming: u32,
    /// So many answers have a wrong CRC, each for as long as it is shown.
    pub wrong_crc: u32,
    /// So many writes and erasures are answered by "ok" and do nothing.
    pub lose_writes: u32,
    /// The smart card does not answer.
    pub card_silent: bool,
    /// Locking the key does not forget temporary passwords: what the published
    /// firmware of the Pro does.
    pub lock_keeps_passwords: bool,
}

/// Why a fault cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a fault that this key knows, or not written as it should be")]
pub struct UnknownFault(String);

impl Faults {
    /// How faults are written, `name` or `name=number`, and what each does: a line each.
    pub const KNOWN: &str = "\
pull-out-after-reports=N    gone once it has taken N reports; N=0 takes none
pull-out-after-transfers=N  the same, counting reads too
commit-late                 a command happens at the end of its time, not at the beginning
dead-after=MS               after MS every transfer fails, until POWER
nack=N                      the next N transfers fail
drop-reports=N              the next N reports are dropped in silence
stuck-busy                  busy for ever after the next command, until POWER
slow=MS                     every command takes MS longer
garble-every=N              a bit is flipped in every Nth report that is read
garble-incoming=N           a bit is flipped in the next N reports that come in
wrong-crc=N                 the next N answers have a wrong CRC
lose-writes=N               the next N writes and erasures are not made
card-silent                 the smart card does not answer
lock-keeps-passwords        locking does not forget temporary passwords";

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
            ("drop-reports", Some(n)) => self.drop_reports = n,
            ("stuck-busy", None) => self.stuck_busy = true,
            ("slow", Some(n)) => self.slow = Duration::from_millis(n.into()),
            ("garble-every", Some(n)) if n > 0 => self.garble_every = Some(n),
            ("garble-incoming", Some(n)) => self.garble_incoming = n,
            ("wrong-crc", Some(n)) => self.wrong_crc = n,
            ("lose-writes", Some(n)) => self.lose_writes = n,
            ("card-silent", None) => self.card_silent = true,
            ("lock-keeps-passwords", None) => self.lock_keeps_passwords = true,
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
        assert_eq!(Faults::KNOWN.lines().count(), 14);
        assert_eq!(faults.drop_reports, 3);
        assert!(faults.stuck_busy && faults.commit_late && faults.card_silent);
        for wrong in ["", "nack", "stuck-busy=1", "slow=-1", "garble-every=0", "fire"] {
            assert!(faults.set(wrong).is_err(), "{wrong}");
        }
    }
}
