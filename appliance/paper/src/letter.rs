//! Letters: a page for each person, with what only they may know.

use zeroize::Zeroizing;

use crate::document::{A4, Document, NoFont};
use crate::drawable::{Undrawable, check};
use crate::template::{Place, Template};
use crate::words::Language;

/// What one letter says.
pub struct Letter {
    /// The login.
    pub user: String,
    /// The realm.
    pub realm: String,
    /// What people call them; the login where nobody knows a name.
    pub name: String,
    /// The token's serial.
    pub token: String,
    /// The key's serial; empty where there is none yet.
    pub key: String,
    /// The code or PIN.
    pub secret: Zeroizing<String>,
}

/// Why nothing is printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPrinted {
    /// Something about a person cannot be drawn.
    #[error("{person}: {why}")]
    Person {
        /// Whose letter, label or line.
        person: String,
        /// What cannot be drawn.
        why: Undrawable,
    },
    /// The text of every letter, or a heading, has something that cannot be drawn.
    #[error("the text has {0}")]
    Text(Undrawable),
    /// A letter does not fit its page.
    #[error("{person}: the letter has {lines} lines too many for its page")]
    TooLong {
        /// Whose.
        person: String,
        /// By how many.
        lines: usize,
    },
    /// The program carries a font that it cannot read.
    #[error("the font of this program cannot be read")]
    Font,
}

impl From<NoFont> for NotPrinted {
    fn from(NoFont: NoFont) -> Self {
        Self::Font
    }
}

const MARGIN: f32 = 71.0;
const TOP: f32 = 755.0;
const TEXT: f32 = 11.0;
const LEADING: f32 = 16.0;
/// The size of a line that begins with four blanks, and what it takes of the page in lines.
const LARGE: f32 = 18.0;
const LARGE_LINES: usize = 2;
/// How many lines a page has room for.
const LINES: usize = 43;

impl Letter {
    /// Whether everything about this person can be drawn. It may be asked before there is any secret.
    ///
    /// # Errors
    /// The person, and what cannot be drawn.
    pub fn check(&self) -> Result<(), NotPrinted> {
        let texts = [&self.user, &self.realm, &self.name, &self.token, &self.key, &*self.secret];
        match texts.into_iter().find_map(|text| check(text).err()) {
            Some(why) => Err(NotPrinted::Person { person: self.person(), why }),
            None => Ok(()),
        }
    }

    fn person(&self) -> String {
        format!("{}@{}", self.user, self.realm)
    }

    fn value(&self, place: Place) -> &str {
        match place {
            Place::Name => &self.name,
            Place::User => &self.user,
            Place::Realm => &self.realm,
            Place::Token => &self.token,
            Place::Key => &self.key,
            Place::Secret => &self.secret,
        }
    }
}

/// All letters as a PDF, a page each.
///
/// # Errors
/// The first letter that cannot be printed whole; then there is no file.
pub fn letters(
    template: &Template,
    letters: &[Letter],
    language: Language,
) -> Result<Zeroizing<Vec<u8>>, NotPrinted> {
    template.fixed().try_for_each(|text| check(text).map(drop)).map_err(NotPrinted::Text)?;
    letters.iter().try_for_each(Letter::check)?;
    let mut document = Document::new(A4)?;
    for (page, letter) in letters.iter().enumerate() {
        document.page();
        let text = template.fill(|place| letter.value(place));
        let mut used = 0;
        for line in lines(&document, &text) {
            let (size, takes) = if line.large { (LARGE, LARGE_LINES) } else { (TEXT, 1) };
            used += takes;
            let down = f32::from(u16::try_from(used).unwrap_or(u16::MAX)) * LEADING;
            document.text(page, [MARGIN, TOP - down], size, &line.text);
        }
        if used > LINES {
            return Err(NotPrinted::TooLong { person: letter.person(), lines: used - LINES });
        }
    }
    let title = match language {
        Language::English => "Letters",
        Language::German => "Briefe",
    };
    Ok(document.finish(title, language)?)
}

struct Line {
    text: Zeroizing<String>,
    large: bool,
}

/// A text in lines that fit the page.
fn lines(document: &Document, text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    // What was checked is drawn as it was checked.
    let text = Zeroizing::new(check(text).unwrap_or_default());
    for paragraph in text.lines() {
        let large = paragraph.starts_with("    ");
        let size = if large { LARGE } else { TEXT };
        let fitted = wrapped(document, paragraph.trim(), size, A4[0] - 2.0 * MARGIN);
        lines.extend(fitted.into_iter().map(|text| Line { text, large }));
    }
    lines
}

/// A text in lines of at most `width` points, divided at blanks; a word that is longer is divided where it has to be.
pub(crate) fn wrapped(document: &Document, text: &str, size: f32, width: f32) -> Vec<Zeroizing<String>> {
    // Sums of widths differ in their last digits by how they are added up.
    let width = width + 0.05;
    let fresh = || Zeroizing::new(String::with_capacity(text.len()));
    let (mut lines, mut line) = (Vec::new(), fresh());
    for word in text.split(' ') {
        let blank = if line.is_empty() { 0.0 } else { document.face.width(" ", size) };
        if !line.is_empty()
            && document.face.width(&line, size) + blank + document.face.width(word, size) > width
        {
            lines.push(core::mem::replace(&mut line, fresh()));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            let mut letter = [0; 4];
            let letter = c.encode_utf8(&mut letter);
            if !line.is_empty()
                && document.face.width(&line, size) + document.face.width(letter, size) > width
            {
                lines.push(core::mem::replace(&mut line, fresh()));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letter(name: &str, secret: &str) -> Letter {
        Letter {
            user: "zoe".to_owned(),
            realm: "büro".to_owned(),
            name: name.to_owned(),
            token: "REG0001".to_owned(),
            key: String::new(),
            secret: Zeroizing::new(secret.to_owned()),
        }
    }

    fn pages(file: &[u8]) -> usize {
        file.windows(11).filter(|part| *part == b"/Type /Page").count() - 1
    }

    #[test]
    fn letters_have_a_page_each_in_every_alphabet_of_europe() {
        let people = [letter("Łukasz Čapek", "466108201283"), letter("Ωμέγα Жуков", "kXmh")];
        let template = Template::registration(Language::German);
        let file = letters(&template, &people, Language::German).unwrap();
        assert!(file.starts_with(b"%PDF-1.") && file.ends_with(b"%%EOF"));
        assert_eq!(pages(&file), 2);
        // What only a font knows is not in the file as it is typed.
        assert!(!file.windows(12).any(|part| part == b"466108201283"));
        assert!(file.len() < 60_000, "{}", file.len());
    }

    #[test]
    fn who_cannot_be_printed_is_named_and_nothing_is_written() {
        let people = [letter("Łukasz", "1234"), letter("名前", "1234")];
        let template = Template::pin(Language::English);
        let error = letters(&template, &people, Language::English).unwrap_err().to_string();
        assert_eq!(error, "zoe@büro: '名' (U+540D): the font has no such letter");
        let long = Template::parse(&format!("{{pin}}{}x", "\n".repeat(60)), "pin").unwrap();
        let error = letters(&long, &people[..1], Language::English).unwrap_err().to_string();
        assert_eq!(error, "zoe@büro: the letter has 18 lines too many for its page");
        let text = Template::parse("{pin} 前", "pin").unwrap();
        assert!(matches!(letters(&text, &people[..1], Language::English), Err(NotPrinted::Text(_))));
    }

    proptest! {
        #[test]
        fn no_letter_is_lost_at_the_end_of_a_line(text in "[a-zäłЖ ]{0,300}") {
            let document = Document::new(A4).unwrap();
            let lines = wrapped(&document, &text, 11.0, 80.0);
            for line in &lines {
                prop_assert!(document.face.width(line, 11.0) <= 80.1 || line.chars().count() == 1);
            }
            let all: String = lines.iter().map(|line| line.as_str()).collect();
            let without = |text: &str| text.replace(' ', "");
            prop_assert_eq!(without(&all), without(&text));
        }
    }
}
