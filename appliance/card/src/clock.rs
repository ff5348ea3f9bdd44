//! The time of day at a start: no Pi that the station runs on has a clock.
//!
//! What lies on the state partition was written at some time, so it is at least as late now. systemd-timesyncd keeps a file for
//! that, too, but writes it minutes after a time server has answered; journal, receipts and audit are written with whatever happens.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_settime};

/// As many files are looked at.
const MOST: usize = 4096;

/// A time behind this, in seconds since 1970, is none (2100-01-01): it would spoil the clock for good.
const LATEST: u64 = 4_102_444_800;

/// When something below `place` was last written; nothing when that is no time.
pub fn newest(place: &Path) -> Option<Duration> {
    let mut left = MOST;
    below(place, &mut left).filter(|time| time.as_secs() < LATEST)
}

fn below(place: &Path, left: &mut usize) -> Option<Duration> {
    let mut newest = None;
    for entry in fs::read_dir(place).ok()?.flatten() {
        *left = left.checked_sub(1)?;
        let Ok(about) = fs::symlink_metadata(entry.path()) else { continue };
        let time = if about.is_dir() {
            below(&entry.path(), left)
        } else {
            about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        };
        newest = newest.max(time.filter(|time| time.as_secs() < LATEST));
    }
    newest
}

/// Sets the clock forward to when something was last written; whether it was behind.
///
/// # Errors
/// In the kernel's words.
pub fn forward(newest: Duration) -> Result<bool, rustix::io::Errno> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if now >= newest {
        return Ok(false);
    }
    let seconds = i64::try_from(newest.as_secs()).unwrap_or(i64::MAX);
    clock_settime(ClockId::Realtime, Timespec { tv_sec: seconds, tv_nsec: newest.subsec_nanos().into() })?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_file_counts_and_none_from_the_far_future() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(newest(place.path()), None);
        fs::create_dir_all(place.path().join("enrolld/receipts")).unwrap();
        for (name, seconds) in
            [("a", 1_000_000), ("enrolld/receipts/b", 3_000_000), ("enrolld/c", 2_000_000), ("d", LATEST)]
        {
            let file = fs::File::create(place.path().join(name)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        }
        assert_eq!(newest(place.path()), Some(Duration::from_secs(3_000_000)));
        assert_eq!(newest(Path::new("/nowhere/at/all")), None);
    }

    #[test]
    fn the_clock_is_not_set_back() {
        assert_eq!(forward(Duration::from_secs(1)), Ok(false));
    }
}
