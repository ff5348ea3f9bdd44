//! CSV (RFC 4180) with the line and column of every field, and back.

/// A field of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its text, without quotes.
    pub(crate) text: String,
    /// The line it begins in, counted from 1.
    pub(crate) line: usize,
    /// The column it begins in, in characters, counted from 1.
    pub(crate) column: usize,
}

/// Where a text is no table, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoTable {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) problem: &'static str,
}

/// Reads lines of fields that are divided by `separator`. Empty lines are skipped. Lines end
/// with LF or CRLF; a quoted field may hold both, and quotes twice.
pub(crate) fn records(text: &str, separator: char) -> Result<Vec<Vec<Field>>, NoTable> {
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
                    let back = (self.line, self.column);
                    self.next();
                    if self.chars.peek() != Some(&'\n') {
                        let (line, column) = back;
                        let problem = "a line ends with a carriage return alone; save the list as UTF-8 CSV";
                        return Err(NoTable { line, column, problem });
                    }
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
pub(crate) fn write<'a>(to: &mut String, fields: impl IntoIterator<Item = &'a str>) {
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
        for (text, line, column) in [("a,\"b", 1, 3), ("a\n\"b\"c", 2, 4), ("ab\"c\"", 1, 3), ("a\rb", 1, 2)]
        {
            let error = records(text, ',').unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text}");
        }
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
