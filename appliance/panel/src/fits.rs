//! Whether a refusal can be read on the panel: for whoever writes one.

use crate::glass::Glass;
use crate::layout;
use crate::text::Text;
use crate::view::Notice;

/// The most pages of a refusal: what the longest texts that [`fits`] promises to
/// take can come to. A good one takes two.
pub const fn most_pages(glass: Glass) -> usize {
    match glass {
        Glass::Tall => 6,
        Glass::Flat => 10,
    }
}

/// What the panel shows of a refusal: lines of text, page by page.
pub fn pages(notice: &Notice, glass: Glass) -> Vec<Vec<String>> {
    layout::refusal_pages(notice, glass).0
}

/// Checks that a refusal written by us reads well on `glass`: code, title, cause
/// and remedy as the catalogue has them.
///
/// Texts of up to 32, 160 and 160 characters with words that fit a line do; mark
/// longer words with soft hyphens.
///
/// # Errors
/// The first thing that does not fit.
pub fn fits(code: &str, title: &str, cause: &str, remedy: &str, glass: Glass) -> Result<(), Misfit> {
    let drawable = |text: &str| {
        let shown = Text::new(text);
        if shown.is_empty() {
            return Err(Misfit::Nothing);
        }
        if shown.as_str() == text { Ok(shown) } else { Err(Misfit::Changed(text.to_owned())) }
    };
    let notice = Notice {
        code: drawable(code)?,
        title: drawable(title)?,
        cause: drawable(cause)?,
        remedy: drawable(remedy)?,
    };
    let (pages, broken) = layout::refusal_pages(&notice, glass);
    if broken {
        return Err(Misfit::LongWord);
    }
    if pages.len() > most_pages(glass) {
        return Err(Misfit::Pages { pages: pages.len(), most: most_pages(glass) });
    }
    Ok(())
}

/// Why a text does not fit the panel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It is empty.
    #[error("The panel would show nothing. Write a text.")]
    Nothing,
    /// It has characters that the fonts lack, or white space that would be dropped.
    #[error("The panel cannot show this as it is written: {0:?}. Use Latin letters and single spaces.")]
    Changed(String),
    /// A word is wider than a line.
    #[error("A word is wider than the panel. Mark with soft hyphens where it may be divided.")]
    LongWord,
    /// It takes too long to read.
    #[error("It takes {pages} pages; people wait for {most}. Shorten it.")]
    Pages {
        /// So many it takes.
        pages: usize,
        /// So many are bearable.
        most: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn misfits_are_named() {
        let check = |cause: &str| fits("E2041", "Slot 1 is taken", cause, "Use another key.", Glass::Flat);
        assert_eq!(check("It holds a credential that is not ours."), Ok(()));
        assert_eq!(check(""), Err(Misfit::Nothing));
        assert_eq!(check("two  spaces"), Err(Misfit::Changed("two  spaces".into())));
        assert_eq!(check("日本"), Err(Misfit::Changed("日本".into())));
        assert_eq!(check("Donaudampfschifffahrtsgesellschaft"), Err(Misfit::LongWord));
        assert_eq!(check("Donaudampf\u{ad}schifffahrts\u{ad}gesellschaft"), Ok(()));
        let most = most_pages(Glass::Flat);
        let long = "sentence ".repeat(40);
        let long = fits("E2041", "Slot 1 is taken", long.trim_end(), long.trim_end(), Glass::Flat);
        assert!(
            matches!(long, Err(Misfit::Pages { pages, most: m }) if pages > most && m == most),
            "{long:?}"
        );
    }

    #[test]
    fn pages_hold_every_line() {
        let notice = Notice {
            code: "E2041".into(),
            title: "Slot 1 is taken".into(),
            cause: "It holds a credential that is not ours.".into(),
            remedy: "Use another key.".into(),
        };
        let shown = |glass| pages(&notice, glass).concat().join(" ");
        assert_eq!(
            shown(Glass::Tall),
            "Slot 1 is taken It holds a credential that is not ours. Use another key."
        );
        assert!(shown(Glass::Flat).starts_with("E2041 Slot 1 is taken"));
    }

    /// Prose with the words that refusals are made of.
    fn prose(most: usize) -> impl Strategy<Value = String> {
        let words = "Der Schlüssel ist nicht leer; er enthält einen fremden Eintrag im Slot 2, und die Station \
            überschreibt nichts Fremdes. Bitte Operator rufen oder Zugriffscode eingeben. Übergabe prüfen, \
            Firmware zu alt, Zertifikat abgelaufen: Seriennummer 12345678 the server answered with an unknown \
            state of this token, registration refused because permission is missing for realm";
        let words: Vec<&'static str> = words.split_whitespace().collect();
        let word = prop::sample::select(words);
        prop::collection::vec(word, 1..60).prop_map(move |words| {
            let mut text = String::new();
            for word in words {
                if text.chars().count() + word.chars().count() + 1 > most {
                    break;
                }
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(word);
            }
            if text.is_empty() { "Wort".to_owned() } else { text }
        })
    }

    proptest! {
        #[test]
        fn texts_of_the_promised_lengths_fit(title in prose(32), cause in prose(160), remedy in prose(160)) {
            for glass in Glass::ALL {
                prop_assert_eq!(fits("E2041", &title, &cause, &remedy, glass), Ok(()), "{:?}", glass);
            }
        }
    }
}
