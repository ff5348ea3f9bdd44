//! A time with its zone, as ISO 8601 writes it: `2026-11-21T22:38:30.123+01:00`.
//!
//! Values only: what the time and the zone are, whoever drives the engine knows.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// The furthest that zones are from Greenwich, in minutes (RFC 3339, section 5.6 allows 23:59).
const FURTHEST: i16 = 23 * 60 + 59;

/// The last millisecond of the year 9999: four digits are all that ISO 8601 has without agreement.
const LAST: i64 = 253_402_300_799_999;

/// An instant and the zone in which it is told, to the millisecond; years 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Stamp {
    unix_ms: i64,
    zone_minutes: i16,
}

/// Text that is not a time as this station writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 2026-11-21T22:38:30.123+01:00")]
pub struct NotATime;

impl Stamp {
    /// An instant since 1970, told in a zone that is so many minutes ahead of Greenwich.
    /// What is beyond the calendar is told as its last or first instant.
    pub fn new(unix: Duration, zone_minutes: i16) -> Self {
        let zone_minutes = zone_minutes.clamp(-FURTHEST, FURTHEST);
        let offset = i64::from(zone_minutes) * 60_000;
        let unix_ms = i64::try_from(unix.as_millis()).unwrap_or(LAST);
        Self { unix_ms: unix_ms.clamp((-offset).max(0), LAST - offset.max(0)), zone_minutes }
    }

    /// Since 1970.
    pub fn unix(self) -> Duration {
        Duration::from_millis(self.unix_ms.unsigned_abs())
    }

    /// Reads what [`fmt::Display`] writes, and nothing else.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        Self::read(text).filter(|stamp| stamp.to_string() == text).ok_or(NotATime)
    }

    fn read(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T')?;
        let (time, sign, zone) = match (time.split_once('+'), time.split_once('-')) {
            (Some((time, zone)), None) => (time, 1, zone),
            (None, Some((time, zone))) => (time, -1, zone),
            _ => return None,
        };
        // No field needs more than 16 bits: what is longer is no time, and cannot overflow below.
        let number = |part: &str| part.parse::<u16>().ok().map(i64::from);
        let mut date = date.split('-').map(number);
        let (year, month, day) = (date.next()??, date.next()??, date.next()??);
        let mut time = time.split([':', '.']).map(number);
        let (hour, minute, second, ms) = (time.next()??, time.next()??, time.next()??, time.next()??);
        let (zone_hour, zone_minute) = zone.split_once(':')?;
        let zone = number(zone_hour)? * 60 + number(zone_minute)?;
        let inside = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..1000).contains(&ms)
            && (0..=i64::from(FURTHEST)).contains(&zone);
        if !inside {
            return None;
        }
        let zone = i16::try_from(zone * sign).ok()?;
        let local = days(year, month, day) * DAY + ((hour * 60 + minute) * 60 + second) * 1000 + ms;
        let unix_ms = local - i64::from(zone) * 60_000;
        (unix_ms >= 0).then_some(Self { unix_ms, zone_minutes: zone })
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.unix_ms + i64::from(self.zone_minutes) * 60_000;
        let (year, month, day) = date(local.div_euclid(DAY));
        let ms = local.rem_euclid(DAY);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        let (sign, zone) = (if self.zone_minutes < 0 { '-' } else { '+' }, self.zone_minutes.abs());
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}{sign}{:02}:{:02}",
            ms % 1000,
            zone / 60,
            zone % 60
        )
    }
}

impl TryFrom<String> for Stamp {
    type Error = NotATime;

    fn try_from(text: String) -> Result<Self, NotATime> {
        Self::parse(&text)
    }
}

impl From<Stamp> for String {
    fn from(stamp: Stamp) -> Self {
        stamp.to_string()
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar: whole years, then whole
/// months of a year that begins in March, so that the leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    365 * year + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The date so many days since 1970-01-01.
fn date(days_since: i64) -> (i64, i64, i64) {
    // The year is guessed, at most one too many, and corrected.
    let guess = 1970 + days_since.div_euclid(365);
    let year = (guess - guess / 1000 - 1..=guess).rev().find(|year| days(*year, 1, 1) <= days_since);
    let year = year.unwrap_or(1970);
    let month = (1..=12).rev().find(|month| days(year, *month, 1) <= days_since).unwrap_or(1);
    (year, month, days_since - days(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_instants() {
        for (unix_ms, zone, text) in [
            (0, 0, "1970-01-01T00:00:00.000+00:00"),
            (1_709_164_799_999, 0, "2024-02-28T23:59:59.999+00:00"),
            (1_709_164_800_000, 0, "2024-02-29T00:00:00.000+00:00"),
            (1_795_219_200_000, 60, "2026-11-21T01:00:00.000+01:00"),
            (1_795_219_200_000, -210, "2026-11-20T20:30:00.000-03:30"),
            (4_107_542_400_000, 0, "2100-03-01T00:00:00.000+00:00"),
            (LAST, 0, "9999-12-31T23:59:59.999+00:00"),
        ] {
            let stamp = Stamp::new(Duration::from_millis(unix_ms.unsigned_abs()), zone);
            assert_eq!(stamp.to_string(), text);
            assert_eq!(Stamp::parse(text), Ok(stamp));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "2026-11-21T22:38:30.123",
            "2026-11-21T22:38:30.123Z",
            "2026-11-21 22:38:30.123+01:00",
            "2026-02-29T22:38:30.123+01:00",
            "2026-11-21T24:00:00.000+01:00",
            "2026-11-21T22:38:60.000+01:00",
            "2026-11-21T22:38:30.123+24:00",
            "2026-11-21T22:38:30.123-00:00",
            "+2026-11-21T22:38:30.123+01:00",
            "1969-12-31T23:59:59.999+00:00",
            "2026-11-21T22:38:30.123+999999999999999999:00",
            "2026-11-21T22:38:30.123-00:9223372036854775807",
            "9223372036854775807-11-21T22:38:30.123+01:00",
        ] {
            assert_eq!(Stamp::parse(text), Err(NotATime), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_reads_back(ms in 0..u64::MAX, zone in any::<i16>()) {
            let stamp = Stamp::new(Duration::from_millis(ms), zone);
            prop_assert_eq!(Stamp::parse(&stamp.to_string()), Ok(stamp));
        }

        #[test]
        fn every_likely_time_reads_back(ms in 0..4_200_000_000_000_u64, zone in -720_i16..=840) {
            let stamp = Stamp::new(Duration::from_millis(ms), zone);
            prop_assert_eq!(Stamp::parse(&stamp.to_string()), Ok(stamp));
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,40}") {
            let _ = Stamp::parse(&text);
        }
    }
}
