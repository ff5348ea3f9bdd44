//! Unix time and the forms in which the server writes it.

use std::time::Duration;

/// `2026-11-21T18:36:10+00:00`.
pub(super) fn iso(now: Duration) -> String {
    let (year, month, day, hour, minute, second) = civil(now);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00")
}

/// `2026-11-21 18:36:11.823751+0000`, the form of `last_auth`.
pub(super) fn last_auth(now: Duration) -> String {
    let (year, month, day, hour, minute, second) = civil(now);
    let micros = now.subsec_micros();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}+0000")
}

/// `2026-11-21T18:36+0000`, the form of the validity period.
pub(super) fn minute(now: Duration) -> String {
    let (year, month, day, hour, minute, _) = civil(now);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}+0000")
}

/// Read `YYYY-MM-DDTHH:MM…` with an offset of `+HHMM`, `+HH:MM` or `Z`.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (date, time) = text.split_once(['T', ' '])?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let split = time.find(['+', '-', 'Z']).unwrap_or(time.len());
    let (clock, offset) = time.split_at_checked(split)?;
    let mut clock = clock.split(':').map(|part| part.parse::<f64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next().flatten().unwrap_or(0.0));
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = digits.split_at_checked(2).unwrap_or(("0", "0"));
    let shift = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().unwrap_or(0).min(59);
    let shift = if offset.starts_with('-') { -shift } else { shift };
    let seconds = days(year, month, day) as f64 * 86_400.0 + hour * 3600.0 + minute * 60.0 + second;
    Duration::try_from_secs_f64(seconds - shift as f64 * 60.0).ok()
}

/// Days since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let year_of_era = year.rem_euclid(400);
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days`], with the time of day.
fn civil(now: Duration) -> (i64, i64, i64, u64, u64, u64) {
    let seconds = now.as_secs();
    let z = i64::try_from(seconds / 86_400).unwrap_or(0) + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        let now = Duration::from_secs(1_795_286_171);
        assert_eq!(iso(now), "2026-11-21T18:36:11+00:00");
        assert_eq!(parse(&iso(now)), Some(now));
        assert_eq!(parse("2026-11-21T20:36+0200"), Some(Duration::from_secs(1_795_286_160)));
        assert_eq!(minute(now), "2026-11-21T18:36+0000");
        assert_eq!(iso(Duration::from_secs(951_782_400)), "2000-02-29T00:00:00+00:00");
        assert_eq!(parse("soon"), None);
    }
}
