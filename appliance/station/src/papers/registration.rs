//! Registration codes: how a person who has no token yet shows who they are, once.
//!
//! The server makes a code for each; it comes to the person on paper, and later at the desk
//! it is checked together with their password. Here is what is pure about that: whether a code can
//! be read off paper at all, the table, and the letters. Codes are secrets: whoever calls
//! this seals tables at once, or prints.

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str};
use zeroize::Zeroizing;

use crate::engine::server::Person;
use crate::papers::people::csv;
use crate::refusal::{Code, Refusal};

/// A code and whose it is.
pub struct Letter {
    pub person: Person,
    /// What people call them; the login where the server knows no name.
    pub name: String,
    /// The token's serial.
    pub token: String,
    pub code: Zeroizing<String>,
}

/// Whether people can read a code off paper and type it.
///
/// # Errors
/// Why not, with the policy of the server that makes better ones.
pub fn readable(code: &str) -> Result<(), &'static str> {
    if code.chars().any(|c| !c.is_ascii_alphanumeric()) {
        return Err(
            "codes have punctuation that people misread and shells change; set the policy registration.length=12, registration.contents=-cs",
        );
    }
    // Digits alone cannot be taken for letters.
    let letters = code.bytes().any(|b| b.is_ascii_alphabetic());
    if letters && code.contains(['0', 'O', '1', 'l', 'I']) {
        return Err(
            "codes have letters and digits that look alike; set the policy registration.contents=-n or =-c",
        );
    }
    Ok(())
}

/// All codes as a table for whoever sends them.
pub fn table(letters: &[Letter]) -> Zeroizing<String> {
    // Enough that it never grows: a text that moves leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(1024 * (letters.len() + 1)));
    csv::write(&mut text, ["user", "realm", "name", "token", "code"]);
    for letter in letters {
        let Person { user, realm } = &letter.person;
        let mut line = Zeroizing::new(String::with_capacity(1024));
        csv::write(&mut line, [user.as_str(), realm, &letter.name, &letter.token]);
        text.push_str(line.trim_end());
        // The code as it is, quoted: an apostrophe against formulas would be part of it.
        text.push_str(",\"");
        text.push_str(&Zeroizing::new(letter.code.replace('"', "\"\"")));
        text.push_str("\"\r\n");
    }
    text
}

/// What a letter says when nobody wrote another one.
pub const TEMPLATE: &str = "\
{name}\n\
\n\
\n\
Your registration code is\n\
\n\
    {code}\n\
\n\
Bring it with you to fetch your security key. You will be asked for your password\n\
({user}) and this code. It works once. Tell it to nobody, and destroy this letter afterwards.\n";

/// The most lines on a page, and letters in a line: A4 in Courier of 11 points with margins of 25 mm.
const LINES: usize = 46;
const WIDTH: usize = 68;

/// A letter's text: `{name}`, `{user}`, `{realm}` and `{code}` are filled in.
///
/// # Errors
/// A template without a place for the code, or with a place for something else.
pub fn text(template: &str, letter: &Letter) -> Result<Zeroizing<String>, Refusal> {
    let wrong = |what: String| Err(Refusal::new(Code::InputInvalid, what));
    if !template.contains("{code}") {
        return wrong("the letter has no {code}".to_owned());
    }
    let mut text = Zeroizing::new(String::with_capacity(template.len() + 2048));
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            return wrong("the letter has a { without }".to_owned());
        };
        text.push_str(match name {
            "name" => &letter.name,
            "user" => &letter.person.user,
            "realm" => &letter.person.realm,
            "code" => &letter.code,
            other => {
                let other: String = other.chars().take(20).collect();
                return wrong(format!("the letter has {{{other}}}; there are name, user, realm and code"));
            }
        });
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// All letters as a PDF, one page each, in Courier, in which 0 and O, 1 and l differ.
///
/// # Errors
/// A letter that does not fit its page, or has letters that the standard fonts of PDF lack.
pub fn pdf(template: &str, letters: &[Letter]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut next = 1;
    let mut fresh = || {
        let id = Ref::new(next);
        next += 1;
        id
    };
    let (catalog, tree, font) = (fresh(), fresh(), fresh());
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    let mut pages = Vec::with_capacity(letters.len());
    for letter in letters {
        let lines = lines(&text(template, letter)?)?;
        let (page_id, content_id) = (fresh(), fresh());
        pages.push(page_id);
        let mut page = pdf.page(page_id);
        // A4 in points.
        page.media_box(Rect::new(0.0, 0.0, 595.0, 842.0)).parent(tree).contents(content_id);
        page.resources().fonts().pair(Name(b"F"), font);
        page.finish();
        let mut content = Content::new();
        content.begin_text().set_font(Name(b"F"), 11.0).set_leading(16.0).next_line(71.0, 755.0);
        for line in &lines {
            content.show(Str(line)).next_line_using_leading();
        }
        content.end_text();
        pdf.stream(content_id, &content.finish());
    }
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(pages).count(count);
    pdf.type1_font(font).base_font(Name(b"Courier")).encoding_predefined(Name(b"WinAnsiEncoding"));
    Ok(Zeroizing::new(pdf.finish()))
}

/// A text in the bytes of WinAnsiEncoding, broken into lines.
fn lines(text: &str) -> Result<Vec<Zeroizing<Vec<u8>>>, Refusal> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = Zeroizing::new(Vec::with_capacity(WIDTH));
        let mut fresh = true;
        for word in paragraph.split(' ') {
            let word: Zeroizing<Vec<u8>> =
                Zeroizing::new(word.chars().map(win_ansi).collect::<Result<_, _>>()?);
            if !fresh && line.len() + 1 + word.len() > WIDTH {
                lines.push(core::mem::replace(&mut line, Zeroizing::new(Vec::with_capacity(WIDTH))));
                fresh = true;
            }
            if !fresh {
                line.push(b' ');
            }
            fresh = false;
            // A name may be longer than a line, a code is not.
            line.extend(word.iter().take(WIDTH));
        }
        lines.push(line);
    }
    if lines.len() > LINES {
        let why = format!("the letter has {} lines, and a page {LINES}", lines.len());
        return Err(Refusal::new(Code::InputInvalid, why));
    }
    Ok(lines)
}

/// ISO 32000-1, annex D.2: Latin-1 is where it is in Unicode, and some signs are in its gap.
fn win_ansi(c: char) -> Result<u8, Refusal> {
    const GAP: [(char, u8); 27] = [
        ('€', 0x80),
        ('‚', 0x82),
        ('ƒ', 0x83),
        ('„', 0x84),
        ('…', 0x85),
        ('†', 0x86),
        ('‡', 0x87),
        ('ˆ', 0x88),
        ('‰', 0x89),
        ('Š', 0x8a),
        ('‹', 0x8b),
        ('Œ', 0x8c),
        ('Ž', 0x8e),
        ('‘', 0x91),
        ('’', 0x92),
        ('“', 0x93),
        ('”', 0x94),
        ('•', 0x95),
        ('–', 0x96),
        ('—', 0x97),
        ('˜', 0x98),
        ('™', 0x99),
        ('š', 0x9a),
        ('›', 0x9b),
        ('œ', 0x9c),
        ('ž', 0x9e),
        ('Ÿ', 0x9f),
    ];
    let plain = u8::try_from(c).ok().filter(|byte| matches!(byte, 0x20..=0x7e | 0xa0..=0xff));
    let gap = || GAP.iter().find(|(known, _)| *known == c).map(|(_, byte)| *byte);
    plain.or_else(gap).ok_or_else(|| {
        let why = format!("the standard fonts of PDF have no '{}'; take the table", c.escape_default());
        Refusal::new(Code::InputInvalid, why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(name: &str, code: &str) -> Letter {
        Letter {
            person: Person { user: "zoe".into(), realm: "büro".into() },
            name: name.to_owned(),
            token: "REG0001".to_owned(),
            code: Zeroizing::new(code.to_owned()),
        }
    }

    #[test]
    fn codes_that_people_misread_are_told() {
        assert_eq!(readable("466108201283"), Ok(()));
        assert_eq!(readable("kXmhTwRb"), Ok(()));
        // A default code of a real server.
        assert!(readable("|YSvY]#db64h,t\\Ic^fJs/lo").is_err());
        assert!(readable("kX0hTwRb").is_err());
    }

    #[test]
    fn the_table_keeps_codes_as_they_are() {
        let table = table(&[letter("O'Hara, Zoë", "=\"x,")]);
        let lines: Vec<&str> = table.split("\r\n").collect();
        assert_eq!(lines[1], "zoe,büro,\"O'Hara, Zoë\",REG0001,\"=\"\"x,\"");
    }

    #[test]
    fn templates_are_filled_or_refused() {
        let letter = letter("Zoë {code} O'Hara", "1234");
        // What stands in a name is not filled in again.
        assert_eq!(text("{name}: {code}@{realm}", &letter).unwrap().as_str(), "Zoë {code} O'Hara: 1234@büro");
        for (template, words) in [("x", "no {code}"), ("{code} {pin}", "{pin}"), ("{code} {", "without }")] {
            assert!(text(template, &letter).unwrap_err().detail.contains(words), "{template}");
        }
    }

    #[test]
    fn letters_have_a_page_each_with_umlauts() {
        let file = pdf(TEMPLATE, &[letter("Zoë Größe", "466108201283"), letter("Bob", "1")]).unwrap();
        assert!(file.starts_with(b"%PDF-1."));
        let has = |wanted: &[u8]| file.windows(wanted.len()).filter(|part| *part == wanted).count();
        assert_eq!(has(b"/Type /Page\n"), 2);
        assert_eq!(has(b"466108201283"), 1);
        assert!(pdf(TEMPLATE, &[letter("名前", "1")]).unwrap_err().detail.contains("u{540d}"));
        assert!(pdf(&format!("{{code}}{}", "\n".repeat(60)), &[letter("x", "1")]).is_err());
    }
}
