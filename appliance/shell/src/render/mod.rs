//! Answers as people read them: plain text, in columns. What comes from elsewhere (a key, the
//! server, a person) may hold nothing that moves a cursor.

mod key;
mod people;
mod run;
mod server;
mod station;
mod token;

use control::Refusal;
use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

pub use key::*;
pub use people::*;
pub use run::*;
pub use server::*;
pub use station::*;
pub use token::*;

/// A refusal: what, why, what to do.
pub fn refusal(refusal: &Refusal) -> String {
    let mut text = format!("{} {}\n{}", clean(&refusal.code), clean(&refusal.title), clean(&refusal.cause));
    if !refusal.detail.is_empty() {
        // Its lines are the station's own: what to type. Others may quote somebody.
        let detail = match refusal.code.as_str() {
            "E3021" => clean_lines(&refusal.detail),
            _ => control::clean::shown_long(&refusal.detail),
        };
        text.push_str(&format!("\n({detail})"));
    }
    if !refusal.remedy.is_empty() {
        text.push_str(&format!("\n{}", clean(&refusal.remedy)));
    }
    text.push('\n');
    text
}

/// Foreign text, in one line: what could deceive is shown as what it is.
pub(crate) fn clean(text: &str) -> String {
    control::clean::shown(text)
}

/// Foreign text of several lines.
pub(crate) fn clean_lines(text: &str) -> String {
    control::clean::shown_lines(text)
}

/// A moment, to the second.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A duration, roughly.
pub(crate) fn span(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        ..10 => format!("{}.{} s", seconds, milliseconds % 1000 / 100),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

pub(crate) fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).map_or_else(|| "-".to_owned(), clean)
}

pub(crate) fn number(number: Option<i64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// Rows in columns as wide as they need. The first row is the head.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(str::width);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let head = head.map(str::to_owned);
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Names and values, a line each; empty values are left out.
pub(crate) fn facts(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let indent = "\n".to_owned() + &" ".repeat(width + 2);
        text.push_str(&format!("{name:width$}  {}\n", value.trim_end().replace('\n', &indent)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_moves_no_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\u{9b}c\u{202e}d\n"), "a\\u{1b}[2Jb\\u{9b}c\\u{202e}d\\u{a}");
        assert_eq!(clean_lines("a\tb\n\u{7}"), "a    b\n\\u{7}");
    }

    #[test]
    fn columns_are_as_wide_as_they_look() {
        let rows = [["鍵".to_owned(), "x".to_owned()], ["a".to_owned(), String::new()]];
        assert_eq!(table(["K", "V"], &rows), "K   V\n鍵  x\na\n");
        assert_eq!(
            facts(&[("a", "1\n2".into()), ("bcd", String::new()), ("ef", "3".into())]),
            "a    1\n     2\nef   3\n"
        );
    }

    #[test]
    fn spans_are_rough() {
        let cases = [
            (1234, "1.2 s"),
            (61_000, "61 s"),
            (600_000, "10 min"),
            (8_000_000, "2 h 13 min"),
            (400_000_000, "4 days"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(span(milliseconds), text);
        }
    }
}
