//! The texts of all refusals, in every language of the panel.
//!
//! A title names the refusal in at most 24 characters; the cause says what is the
//! matter, the remedy what to do about it, each in at most 100 characters, so that
//! they fit the display. Texts may be reworded; the codes stay.

use crate::refusal::Code;

mod english;
mod german;

/// A language of the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// German.
    #[serde(rename = "de")]
    German,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::German];
}

/// What is said about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// At most 24 characters.
    pub title: &'static str,
    /// What is the matter: a sentence of at most 100 characters.
    pub cause: &'static str,
    /// What to do: a sentence of at most 100 characters.
    pub remedy: &'static str,
}

/// The text for a code.
pub(crate) const fn text(code: Code, language: Language) -> Text {
    match language {
        Language::English => english::english(code),
        Language::German => german::german(code),
    }
}

const fn say(title: &'static str, cause: &'static str, remedy: &'static str) -> Text {
    Text { title, cause, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_fits_the_display_and_is_a_sentence() {
        for language in Language::ALL {
            for code in Code::ALL {
                let text = code.text(language);
                assert!((3..=24).contains(&text.title.chars().count()), "{code} {}", text.title);
                for sentence in [text.cause, text.remedy] {
                    assert!((10..=100).contains(&sentence.chars().count()), "{code} {sentence}");
                    assert!(sentence.ends_with('.'), "{code} {sentence}");
                    assert!(sentence.chars().all(|c| (' '..='ÿ').contains(&c)), "{code} {sentence}");
                }
            }
        }
    }

    #[test]
    fn titles_are_told_apart() {
        for language in Language::ALL {
            let mut titles: Vec<_> = Code::ALL.iter().map(|code| code.text(language).title).collect();
            titles.sort_unstable();
            titles.dedup();
            assert_eq!(titles.len(), Code::ALL.len());
        }
    }

    #[test]
    fn codes_read_back_as_written() {
        for code in Code::ALL {
            assert_eq!(Code::parse(&code.to_string()), Some(*code));
        }
        assert_eq!(Code::parse("E0000"), None);
        assert_eq!(Code::parse("2041"), None);
        assert_eq!(Code::parse("E+204"), None);
    }
}
