//! What can be made to go wrong.

use core::time::Duration;

twins::faults! {
    pull_out_after_reports: Option<u32> = "pull-out-after-reports=N    gone once it has taken N packets; N=0 takes none",
    pull_out_after_transfers: Option<u32> = "pull-out-after-transfers=N  the same, counting packets that it sends too",
    dead_after: Option<Duration> = "dead-after=MS               after MS every transfer fails, until POWER",
    nack: u32 = "nack=N                      the next N transfers fail",
    ignore_touches: u32 = "ignore-touches=N            the next N touches do nothing",
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
