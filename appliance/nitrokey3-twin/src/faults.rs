//! What can be made to go wrong.

use core::str::FromStr;
use core::time::Duration;

/// Everything that can be made to go wrong; nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// The key is pulled out once it has taken so many packets from now; with 0
    /// the next one does not reach it.
    pub pull_out_after_reports: Option<u32>,
    /// The same, counting packets that it sends as well.
    pub pull_out_after_transfers: Option<u32>,
    /// After so much of the key's time every transfer fails, until a replug.
    pub dead_after: Option<Duration>,
    /// So many transfers fail from now on.
    pub nack: u32,
    /// So many touches from now on do nothing.
    pub ignore_touches: u32,
}

/// Why a fault cannot be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFault(String);

impl core::fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?} is not a fault that this key knows, or not written as it should be", self.0)
    }
}

impl core::error::Error for UnknownFault {}

impl Faults {
    /// How faults are written, and what each does: a line each.
    pub const KNOWN: &str = "\
pull-out-after-reports=N    gone once it has taken N packets; N=0 takes none
pull-out-after-transfers=N  the same, counting packets that it sends too
dead-after=MS               after MS every transfer fails, until POWER
nack=N                      the next N transfers fail
ignore-touches=N            the next N touches do nothing";

    /// Sets one fault, written as in [`Faults::KNOWN`].
    pub fn set(&mut self, text: &str) -> Result<(), UnknownFault> {
        let unknown = || UnknownFault(text.to_owned());
        let (name, number) = text.split_once('=').ok_or_else(unknown)?;
        let number = u32::from_str(number).map_err(|_| unknown())?;
        match name {
            "pull-out-after-reports" => self.pull_out_after_reports = Some(number),
            "pull-out-after-transfers" => self.pull_out_after_transfers = Some(number),
            "dead-after" => self.dead_after = Some(Duration::from_millis(number.into())),
            "nack" => self.nack = number,
            "ignore-touches" => self.ignore_touches = number,
            _ => return Err(unknown()),
        }
        Ok(())
    }
}

/// Counts down; true when it was not 0 yet.
pub(crate) const fn one_of(left: &mut u32) -> bool {
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
            let text = known.split(' ').next().unwrap_or_default().replace("=N", "=3").replace("=MS", "=250");
            assert_eq!(faults.set(&text), Ok(()), "{text}");
        }
        assert_eq!(faults.dead_after, Some(Duration::from_millis(250)));
        assert_eq!((faults.nack, faults.ignore_touches), (3, 3));
        for wrong in ["", "nack", "nack=-1", "fire=1"] {
            assert!(faults.set(wrong).is_err(), "{wrong}");
        }
    }
}
