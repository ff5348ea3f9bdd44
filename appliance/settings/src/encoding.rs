//! The text of a file that a person wrote with whatever editor was there.

use zeroize::Zeroizing;

use crate::problem::{Problem, place};

/// The text, and what is wrong when it is not written in UTF-8. Then it is what can be made of it, so that one
/// letter, or an editor's habit, shuts out no operator.
pub fn decode(file: &[u8]) -> (Zeroizing<String>, Option<Problem>) {
    let wrong = |place, text: &str| Problem {
        place: Some(place),
        field: String::new(),
        text: text.to_owned(),
        remedy: "Save the file anew, with the encoding UTF-8.".to_owned(),
    };
    let order: Option<fn([u8; 2]) -> u16> = match file {
        [0xff, 0xfe, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] => Some(u16::from_be_bytes),
        _ => None,
    };
    // Not grown later, which would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(file.len() * char::REPLACEMENT_CHARACTER.len_utf8()));
    if let Some(order) = order {
        let (pairs, _) = file.as_chunks::<2>();
        let letters = char::decode_utf16(pairs.iter().skip(1).map(|pair| order(*pair)));
        text.extend(letters.map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)));
        return (text, Some(wrong((1, 1), "this is UTF-16 text")));
    }
    let mut first = None;
    for chunk in file.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            first = first.or(Some(text.len()));
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    let problem = first.map(|at| wrong(place(&text, &(at..at)), "this letter is not in UTF-8"));
    (text, problem)
}

/// The bytes of a file beside the configuration without the byte order mark that editors put in front; UTF-16, which they write
/// with a mark, becomes UTF-8.
pub(super) fn unmarked(file: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    match file.as_slice() {
        [0xef, 0xbb, 0xbf, rest @ ..] => Zeroizing::new(rest.to_vec()),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Zeroizing::new(decode(&file).0.as_bytes().to_vec()),
        _ => file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(file: &[u8]) -> (String, Option<String>) {
        let (text, problem) = decode(file);
        (text.to_string(), problem.map(|problem| problem.line("x")))
    }

    #[test]
    fn a_mark_in_front_of_a_file_does_no_harm() {
        let text = "-----BEGIN CERTIFICATE-----\n";
        let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("\u{feff}{text}").encode_utf16().flat_map(order).collect()
        };
        for file in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
        ] {
            assert_eq!(unmarked(Zeroizing::new(file)).as_slice(), text.as_bytes());
        }
    }

    #[test]
    fn utf8_is_right() {
        assert_eq!(said("name = \"Büro\"".as_bytes()), ("name = \"Büro\"".to_owned(), None));
        assert_eq!(said(b""), (String::new(), None));
    }

    #[test]
    fn a_letter_of_another_encoding_is_named_with_its_place() {
        let (text, problem) = said(b"a = 1\nname = \"B\xfcro\"\n# gr\xfc\xdfe\n");
        assert_eq!(text, "a = 1\nname = \"B\u{fffd}ro\"\n# gr\u{fffd}\u{fffd}e\n");
        let expected = "x:2:10: this letter is not in UTF-8. Save the file anew, with the encoding UTF-8.";
        assert_eq!(problem.as_deref(), Some(expected));
    }

    #[test]
    fn utf16_is_read_and_named() {
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let file: Vec<u8> = "\u{feff}a = \"ü🔑\"".encode_utf16().flat_map(order).collect();
            let (text, problem) = said(&file);
            assert_eq!(text, "a = \"ü🔑\"");
            let expected = "x:1:1: this is UTF-16 text. Save the file anew, with the encoding UTF-8.";
            assert_eq!(problem.as_deref(), Some(expected));
        }
        assert_eq!(said(b"\xff\xfe\x00\xd8x").0, "\u{fffd}");
    }
}
