//! The texts of all refusals, in every language of the panel.
//!
//! A title names the refusal in at most 24 characters; the cause says what is the
//! matter, the remedy what to do about it, each in at most 100 characters, so that
//! they fit the display. Texts may be reworded; the codes stay. They are data: a file for each language
//! in `refusals/`, which somebody who translates can edit without any Rust.

use core::fmt;

use crate::refusal::{Code, Refusal};

// `english` and `german`, made from `refusals/en.toml` and `refusals/de.toml` by `build.rs`.
include!(concat!(env!("OUT_DIR"), "/refusals.rs"));

/// A language of the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Language {
    #[serde(rename = "en")]
    English,
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
        Language::English => english(code),
        Language::German => german(code),
    }
}

impl Code {
    /// Title, cause and remedy in a language.
    pub fn text(self, language: Language) -> Text {
        text(self, language)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.code.text(Language::English);
        write!(f, "{} {}: {}", self.code, text.title, text.cause)?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        write!(f, " {}", text.remedy)
    }
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

    /// The page of all refusals, as `docs/refusals.md` has it.
    fn page() -> String {
        let mut page = [
            "# All refusals\n",
            "Every \"no\" of the station, by its code. `explain CODE` says the same at the station, and the display shows the",
            "title. E1… is about the key, E2… the server, E3… configuration and rules, E4… the proof and the person at the desk,",
            "E5… the station itself, E6… updates. A code keeps its meaning for ever.\n",
            "Made from [en.toml](../appliance/station/refusals/en.toml) and [de.toml](../appliance/station/refusals/de.toml) by",
            "`UPDATE_DOCS=1 cargo test -p station --lib catalogue`. Somebody who translates needs one of the two files and no Rust.\n",
            "| code | what is the matter | what to do | in German |",
            "|---|---|---|---|\n",
        ]
        .join("\n");
        for code in Code::ALL {
            let [en, de] = Language::ALL.map(|language| code.text(language));
            page += &format!("| {code} | **{}** {} | {} | {} |\n", en.title, en.cause, en.remedy, de.title);
        }
        page
    }

    #[test]
    fn the_page_of_all_refusals_is_made_from_the_texts() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/refusals.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let there = std::fs::read_to_string(path).unwrap();
        assert!(
            there == page(),
            "docs/refusals.md is stale: UPDATE_DOCS=1 cargo test -p station --lib catalogue"
        );
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
