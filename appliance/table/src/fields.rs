//! Fields of a table (RFC 4180) with their line and column, and back.

/// A field of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its text, without quotes.
    pub text: String,
    /// The line it begins in, counted from 1.
    pub line: usize,
    /// The column it begins in, in characters, counted from 1.
    pub column: usize,
}

/// Where a text is no table, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct NoTable {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// What divides fields, as spreadsheets of different countries write it.
pub const SEPARATORS: [char; 3] = ['\t', ';', ','];

/// The separator that the first line declares (`sep=;`, which spreadsheets read and some write), and the text from the next
/// line on. The lines of the rest are counted from 2 then.
#[must_use]
pub fn declared(text: &str) -> Option<(char, &str)> {
    let rest = text
        .strip_prefix("sep=")
        .or_else(|| text.strip_prefix("SEP="))
        .or_else(|| text.strip_prefix("\"sep="))?;
    let mut chars = rest.chars();
    let separator = chars.next().filter(|c| SEPARATORS.contains(c))?;
    let rest = chars.as_str().trim_start_matches('"');
    let rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix(['\n', '\r']))?;
    Some((separator, rest))
}

/// Whether a spreadsheet would take a text for a formula: a list that names people has none.
#[must_use]
pub fn is_formula(text: &str) -> bool {
    let plain = text.trim_start().trim_start_matches('\'');
    plain.starts_with('=') || (plain.starts_with(['+', '-', '@']) && plain.contains('('))
}

/// What a spreadsheet did to a text on the way, such as a serial that became `1.23E+07`, or a formula that has no result.
#[must_use]
pub fn damage(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let power = text.split_once(['E', 'e']).is_some_and(|(front, back)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let front = front.replace([',', '.'], "");
        digits(&front) && back.strip_prefix('+').is_some_and(digits)
    });
    if power {
        return Some(
            "the spreadsheet has rounded the number; give the column the format Text before the numbers are put in",
        );
    }
    let broken = text.starts_with('#')
        && text.len() > 2
        && (text.ends_with(['!', '?', '#']) || matches!(text, "#N/A" | "#NV" | "#N/D" | "#N/V"));
    broken.then_some("this is a formula without a result; mend it in the spreadsheet")
}

/// Reads lines of fields that are divided by `separator`. Empty lines are skipped. Lines end
/// with LF, CRLF or CR; a quoted field may hold both, and quotes twice.
///
/// # Errors
/// The first place at which the text is no table.
pub fn records(text: &str, separator: char) -> Result<Vec<Vec<Field>>, NoTable> {
    let mut reader = Reader { chars: text.chars().peekable(), line: 1, column: 1 };
    let mut records = Vec::new();
    while reader.chars.peek().is_some() {
        let mut record = Vec::new();
        let last = loop {
            let (field, end) = reader.field(separator)?;
            record.push(field);
            if end != End::Field {
                break end;
            }
        };
        if !matches!(record.as_slice(), [only] if only.text.is_empty()) {
            records.push(record);
        }
        if last == End::Text {
            break;
        }
    }
    Ok(records)
}

#[derive(PartialEq, Eq)]
enum End {
    Field,
    Line,
    Text,
}

struct Reader<'a> {
    chars: core::iter::Peekable<core::str::Chars<'a>>,
    line: usize,
    column: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn wrong<T>(&self, problem: &'static str) -> Result<T, NoTable> {
        Err(NoTable { line: self.line, column: self.column, problem })
    }

    fn field(&mut self, separator: char) -> Result<(Field, End), NoTable> {
        let mut field = Field { text: String::new(), line: self.line, column: self.column };
        let quoted = self.chars.peek() == Some(&'"');
        if quoted {
            self.next();
            loop {
                match self.next() {
                    Some('"') if self.chars.peek() == Some(&'"') => {
                        self.next();
                        field.text.push('"');
                    }
                    Some('"') => break,
                    Some(c) => field.text.push(c),
                    None => {
                        let Field { line, column, .. } = field;
                        return Err(NoTable { line, column, problem: "its quotes are not closed" });
                    }
                }
            }
        }
        loop {
            match self.chars.peek().copied() {
                None => return Ok((field, End::Text)),
                Some(c) if c == separator => {
                    self.next();
                    return Ok((field, End::Field));
                }
                Some('\n') => {
                    self.next();
                    return Ok((field, End::Line));
                }
                Some('\r') => {
                    self.next();
                    if self.chars.peek() == Some(&'\n') {
                        self.next();
                    } else {
                        (self.line, self.column) = (self.line + 1, 1);
                    }
                    return Ok((field, End::Line));
                }
                Some(_) if quoted => return self.wrong("something follows the closing quotes"),
                Some('"') => return self.wrong("a field with quotes in it must be quoted whole"),
                Some(c) => {
                    self.next();
                    field.text.push(c);
                }
            }
        }
    }
}

/// Writes a line of fields. A text that a spreadsheet would take for a formula gets an
/// apostrophe in front (OWASP, "CSV Injection"): whoever opens the list shall run nothing.
pub fn write<'a>(to: &mut String, fields: impl IntoIterator<Item = &'a str>) {
    for (at, field) in fields.into_iter().enumerate() {
        if at > 0 {
            to.push(',');
        }
        let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        let quoted = formula || field.contains([',', ';', '"', '\r', '\n']) || field.trim() != field;
        if quoted {
            to.push('"');
        }
        if formula {
            to.push('\'');
        }
        for c in field.chars() {
            if c == '"' {
                to.push('"');
            }
            to.push(c);
        }
        if quoted {
            to.push('"');
        }
    }
    to.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let records = records(text, ',').unwrap();
        records.into_iter().map(|r| r.into_iter().map(|field| field.text).collect()).collect()
    }

    #[test]
    fn quotes_line_ends_and_places() {
        assert_eq!(texts("a,\"b \"\"c\"\"\nd\"\r\n\n,e"), [["a", "b \"c\"\nd"], ["", "e"]]);
        assert_eq!(texts("a,"), [["a", ""]]);
        let last = records("ä,\"x\ny\",z", ',').unwrap()[0][2].clone();
        assert_eq!((last.line, last.column), (2, 4));
        for (text, line, column) in
            [("a,\"b", 1, 3), ("a\n\"b\"c", 2, 4), ("ab\"c\"", 1, 3), ("a\r\"b\"c", 2, 4)]
        {
            let error = records(text, ',').unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text}");
        }
    }

    #[test]
    fn what_a_spreadsheet_declares_and_does_to_texts_is_seen() {
        assert_eq!(declared("sep=;\r\nuser;realm"), Some((';', "user;realm")));
        assert_eq!(declared("sep=\t\nuser"), Some(('\t', "user")));
        assert_eq!(declared("\"sep=,\"\nuser"), Some((',', "user")));
        assert_eq!(
            (declared("sep=x\nuser"), declared("separator\n"), declared("user\n")),
            (None, None, None)
        );
        for formula in ["=A1", " =HYPERLINK(\"x\")", "'=A1", "@SUM(A1)", "+SUM(1)"] {
            assert!(is_formula(formula), "{formula}");
        }
        for plain in ["ada", "-", "+49", "@ada", "a=b", ""] {
            assert!(!is_formula(plain), "{plain}");
        }
        for broken in ["1,23457E+07", "2.5E+3", "1E+15", "#N/A", "#NV", "#REF!", "#NAME?", "######"] {
            assert!(damage(broken).is_some(), "{broken}");
        }
        for fine in ["12345678", "E+7", "1E7", "#1", "anne", "1e+"] {
            assert!(damage(fine).is_none(), "{fine}");
        }
        let lines: Vec<usize> = records("a\rb\r\rc", ',').unwrap().iter().map(|r| r[0].line).collect();
        assert_eq!(lines, [1, 2, 4]);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_but_for_formulas(rows in prop::collection::vec(prop::collection::vec("\\PC{0,8}|[\"',;\r\n=+@-]{0,4}", 2..4), 0..5)) {
            let mut text = String::new();
            for row in &rows {
                write(&mut text, row.iter().map(String::as_str));
            }
            for (row, read) in rows.iter().zip(texts(&text)) {
                for (field, read) in row.iter().zip(read) {
                    prop_assert!(!read.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{:?}", read);
                    let defused = format!("'{field}");
                    prop_assert!(read == *field || read == defused);
                }
            }
        }
    }
}
