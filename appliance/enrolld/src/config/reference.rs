//! The reference of every field, made from the code.

use super::{FieldInfo, outline};

/// What goes before the tables.
const HEAD: &str = "\
# The configuration

A station reads one file, `enrollment.toml`. It stands on the card's FAT partition, and beside it the
files it names: the operators' SSH keys, the certificate authority, the API key. So a card can be
prepared on any computer. `enrolld check enrollment.toml` says what is wrong with one, with line, column
and remedy; a station that is started with a wrong one shows the same on its display and enrolls nothing.

An example is [enrollment.toml](enrollment.toml). What operators change by `config set` and
`config commit` lives on the state partition and wins, until the file on the card is changed: then that wins.

This page is made from the code: `enrolld reference > docs/configuration.md`.
";

/// `docs/configuration.md`.
pub fn markdown() -> String {
    let mut out = HEAD.to_owned();
    for (name, list, doc, fields) in outline() {
        let title = if list { format!("[[{name}]]") } else { format!("[{name}]") };
        out.push_str(&format!(
            "\n## `{title}`\n\n{doc}\n\n| field | meaning | value | default |\n|---|---|---|---|\n"
        ));
        for field in fields {
            let row = [format!("`{}`", field.name), field.doc.clone(), field.form.clone(), default(&field)];
            let row: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            out.push_str(&format!("| {} |\n", row.join(" | ")));
        }
    }
    out
}

fn default(field: &FieldInfo) -> String {
    match field.default.as_deref() {
        None => "has to be there".to_owned(),
        Some("") => String::new(),
        Some(default) => format!("`{default}`"),
    }
}

/// The manual page enrollment.toml(5), as troff.
pub fn manual() -> String {
    let mut out = String::from(
        ".TH ENROLLMENT.TOML 5 \"\" \"Enrollment Station\"\n.SH NAME\nenrollment.toml \\- configuration of the enrollment station\n\
         .SH DESCRIPTION\nTOML. Files that it names stand beside it.\n",
    );
    for (name, list, doc, fields) in outline() {
        let title = if list { format!("[[{name}]]") } else { format!("[{name}]") };
        out.push_str(&format!(".SH \"{title}\"\n{}\n", troff(doc)));
        for field in fields {
            let default = match field.default.as_deref() {
                None => " It has to be there.".to_owned(),
                Some("") => String::new(),
                Some(default) => format!(" Default: {default}."),
            };
            out.push_str(&format!(
                ".TP\n.B {}\n{}\nWrite {}.{}\n",
                troff(&field.name),
                troff(&field.doc),
                troff(&field.form),
                troff(&default),
            ));
        }
    }
    out.push_str(".SH \"SEE ALSO\"\n.BR enrolld (8)\n");
    out
}

fn troff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
