//! Public SSH keys in the form of RFC 4716, as PuTTY and other programs save them, as the lines that OpenSSH writes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "---- BEGIN SSH2 PUBLIC KEY ----";
const END: &str = "---- END SSH2 PUBLIC KEY ----";

/// The text with each key of that form in one line: type, base64, comment. All else stays as it is.
pub(super) fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == BEGIN {
            let inside: Vec<&str> = lines.by_ref().map(str::trim).take_while(|line| *line != END).collect();
            out.push_str(&one(&inside));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// Headers first, of which one that ends in a backslash goes on in the next line; then base64.
fn one(inside: &[&str]) -> String {
    let (mut comment, mut body, mut header) = (String::new(), String::new(), String::new());
    for line in inside {
        let goes_on = !header.is_empty();
        if goes_on || (line.contains(": ") && body.is_empty()) {
            header.push_str(line.trim_end_matches('\\'));
            if line.ends_with('\\') {
                continue;
            }
            if let Some((name, value)) = header.split_once(": ")
                && name.eq_ignore_ascii_case("comment")
            {
                value.trim().trim_matches('"').clone_into(&mut comment);
            }
            header.clear();
        } else {
            body.push_str(line);
        }
    }
    let kind = kind(&body).unwrap_or_default();
    format!("{kind} {body} {comment}").trim_end().to_owned()
}

/// RFC 4253, section 6.6: the key begins with its type, a length of four bytes before it.
fn kind(base64: &str) -> Option<String> {
    let blob = STANDARD.decode(base64).ok()?;
    let length = u32::from_be_bytes(*blob.first_chunk::<4>()?);
    let name = blob.get(4..)?.get(..usize::try_from(length).ok()?)?;
    String::from_utf8(name.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_line_with_its_comment() {
        // Made by OpenSSH 9.2: ssh-keygen -e.
        let text = "---- BEGIN SSH2 PUBLIC KEY ----\r\nComment: \"256-bit ED25519, converted by \\\r\nada from OpenSSH\"\r\n\
                    AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1Zo\r\nwypC9EiRPMhEt8Ch7FQlXAJQ\r\n---- END SSH2 PUBLIC KEY ----\r\n";
        let expected = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ 256-bit ED25519, converted by ada from OpenSSH\n";
        assert_eq!(lines(text), expected);
        assert_eq!(lines(&format!("# two\n{text}{text}")), format!("# two\n{expected}{expected}"));
    }

    #[test]
    fn what_is_none_stays_for_the_reader_of_lines_to_refuse() {
        assert_eq!(lines("ssh-ed25519 AAAA\n"), "ssh-ed25519 AAAA\n");
        assert_eq!(lines(&format!("{BEGIN}\n%%%\n")), " %%%\n");
        assert_eq!(lines(BEGIN), "\n");
    }
}
