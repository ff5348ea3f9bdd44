//! How an order waits for its key.

use clap::Args;

/// The options of orders that wait.
#[derive(Debug, Args)]
pub struct Wait {
    /// Give the order and leave: it goes on without this session; status shows it, cancel ends it
    #[arg(long)]
    pub detach: bool,
    /// How long it waits for its key: seconds, or 90s, 15m, 2h; ten minutes when missing
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    pub timeout: Option<i64>,
}

/// The option of orders for a key that is enrolled.
#[derive(Debug, Args)]
pub struct Patience {
    /// Wait for the key, so long at most: seconds, or 90s, 15m, 2h; it has to be plugged in when missing
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    pub timeout: Option<i64>,
}

/// A time, as it is typed, in milliseconds.
fn milliseconds(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let (digits, unit) = match text.chars().last() {
        Some('s') => (text.strip_suffix('s'), 1),
        Some('m') => (text.strip_suffix('m'), 60),
        Some('h') => (text.strip_suffix('h'), 3600),
        _ => (Some(text), 1),
    };
    let digits = digits.unwrap_or_default();
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds =
        digits.parse::<i64>().ok().filter(|_| only_digits).and_then(|number| number.checked_mul(unit));
    seconds
        .filter(|seconds| (1..=7 * 24 * 3600).contains(seconds))
        .map(|seconds| seconds * 1000)
        .ok_or_else(|| "a time is written as seconds, 90s, 15m or 2h, and is at most seven days".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let read =
            [("5", 5_000), ("90s", 90_000), ("15m", 900_000), (" 2h ", 7_200_000), ("168h", 604_800_000)];
        for (text, expected) in read {
            assert_eq!(milliseconds(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "s", "-5", "+5", "1.5h", "5 m", "169h", "9999999999999999999h", "ü", "5d"] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }
}
