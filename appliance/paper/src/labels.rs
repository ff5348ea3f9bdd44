//! Labels for keys: serial, person, port. On sheets (PDF) and for label printers (ZPL).

use zeroize::Zeroizing;

use crate::document::{A4, Document};
use crate::drawable::check;
use crate::letter::{NotPrinted, wrapped};
use crate::words::Language;

/// What one label says. Nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The key's serial.
    pub key: String,
    /// Whose it is, as people call them.
    pub person: String,
    /// The login and realm.
    pub login: String,
    /// The USB port at which it was enrolled; empty where it is not known.
    pub port: String,
}

/// Sheets with 3 × 7 labels of 63.5 × 38.1 mm on A4, as several makers sell them (Avery L7160, HERMA 4677). In points.
const COLUMNS: usize = 3;
const ROWS: usize = 7;
const LEFT: f32 = 20.4;
const TOP: f32 = 42.9;
const ACROSS: f32 = 187.1;
const DOWN: f32 = 108.0;
const WIDTH: f32 = 180.0;

/// Labels on sheets. The first `skipped` places are left empty, where a sheet was begun before.
///
/// # Errors
/// The person whose label cannot be drawn; then there is no file.
pub fn labels(what: &[Label], skipped: usize, language: Language) -> Result<Zeroizing<Vec<u8>>, NotPrinted> {
    let mut document = Document::new(A4)?;
    let skipped = skipped % (COLUMNS * ROWS);
    for (at, label) in (skipped..).zip(what) {
        let (page, place) = (at / (COLUMNS * ROWS), at % (COLUMNS * ROWS));
        while document.pages() <= page {
            document.page();
        }
        let number = |n: usize| f32::from(u16::try_from(n).unwrap_or(u16::MAX));
        let x = LEFT + number(place % COLUMNS) * ACROSS + 10.0;
        let mut y = A4[1] - TOP - number(place / COLUMNS) * DOWN - 24.0;
        for (size, text) in label.lines(language)? {
            // A label has room for two lines of a long name, and what is longer is in the report.
            for line in wrapped(&document, &text, size, WIDTH - 20.0).iter().take(2) {
                document.text(page, [x, y], size, line);
                y -= size * 1.4;
            }
        }
    }
    if what.is_empty() {
        document.page();
    }
    let title = match language {
        Language::English => "Labels",
        Language::German => "Etiketten",
    };
    Ok(document.finish(title, language)?)
}

/// Labels of 57 × 32 mm for printers that understand ZPL II, at 8 dots a millimetre. The text is UTF-8 (`^CI28`); which letters
/// a printer has is for the printer to say.
///
/// # Errors
/// The person whose label cannot be drawn; then there is nothing.
pub fn zpl(what: &[Label], language: Language) -> Result<String, NotPrinted> {
    let mut text = String::new();
    for label in what {
        text.push_str("^XA\n^CI28\n^PW456\n^LL256\n");
        let mut y = 20;
        for (size, line) in label.lines(language)? {
            let height = if size > 12.0 { 44 } else { 30 };
            text.push_str(&format!(
                "^FO20,{y}^A0N,{height},{height}^FB416,2,0,L^FH_^FD{}^FS\n",
                escaped(&line)
            ));
            y += 2 * height;
        }
        text.push_str("^XZ\n");
    }
    Ok(text)
}

/// A text as it stands in a field: what would be a command is written as the number of its byte.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '^' | '~' | '_' | '\\' => out.push_str(&format!("_{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

impl Label {
    /// Its lines, each with its size in points.
    fn lines(&self, language: Language) -> Result<Vec<(f32, String)>, NotPrinted> {
        let drawn =
            |text: &str| check(text).map_err(|why| NotPrinted::Person { person: self.login.clone(), why });
        let mut lines = vec![(15.0, drawn(&self.key)?), (10.0, drawn(&self.person)?)];
        if self.login != self.person {
            lines.push((8.0, drawn(&self.login)?));
        }
        if !self.port.is_empty() {
            let word = match language {
                Language::English => "port",
                Language::German => "Anschluss",
            };
            lines.push((8.0, drawn(&format!("{word} {}", self.port))?));
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(person: &str) -> Label {
        Label {
            key: "12345678".to_owned(),
            person: person.to_owned(),
            login: "lucapek@office".to_owned(),
            port: "1-1.2".to_owned(),
        }
    }

    #[test]
    fn sheets_have_twenty_one_labels() {
        let pages = |count: usize, skipped: usize| {
            let file = labels(&vec![label("Łukasz Čapek"); count], skipped, Language::English).unwrap();
            file.windows(11).filter(|part| *part == b"/Type /Page").count() - 1
        };
        assert_eq!([pages(0, 0), pages(21, 0), pages(22, 0), pages(21, 1), pages(1, 43)], [1, 1, 2, 2, 1]);
    }

    #[test]
    fn a_printer_is_told_nothing_by_a_name() {
        let text = zpl(&[label("^XZ~JR_Ł\\")], Language::German).unwrap();
        assert!(text.contains("^FD_5EXZ_7EJR_5FŁ_5C^FS") && text.contains("^FDAnschluss 1-1.2^FS"), "{text}");
        assert_eq!(text.matches("^XZ").count(), 1);
        let error = labels(&[label("名")], 0, Language::German).unwrap_err().to_string();
        assert!(error.starts_with("lucapek@office: '名'"), "{error}");
    }
}
