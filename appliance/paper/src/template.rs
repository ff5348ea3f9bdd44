//! The text of a letter, with places that are filled in for each person.

use zeroize::Zeroizing;

use crate::words::Language;

/// A text with places such as `{name}`.
///
/// A line that begins with four blanks is drawn larger: that is where the code goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Text, and what is filled in behind it.
    parts: Vec<(String, Option<Place>)>,
}

/// What can be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Name,
    User,
    Realm,
    Token,
    Key,
    Secret,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongTemplate {
    /// The secret has no place in it.
    #[error("the letter has no {{{0}}}")]
    NoSecret(&'static str),
    /// Something else is to be filled in.
    #[error("the letter has {{{0}}}; there are name, user, realm, token, key and {1}")]
    Unknown(String, &'static str),
    /// A brace is not closed.
    #[error("the letter has a {{ without }}")]
    Open,
}

/// The longest name of a place that is repeated in an error.
const LONGEST: usize = 20;

impl Template {
    /// Reads a text. `secret` is what the secret is called in it: `code` or `pin`.
    ///
    /// # Errors
    /// See [`WrongTemplate`].
    pub fn parse(text: &str, secret: &'static str) -> Result<Self, WrongTemplate> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(WrongTemplate::Open)?;
            let place = match name {
                "name" => Place::Name,
                "user" => Place::User,
                "realm" => Place::Realm,
                "token" => Place::Token,
                "key" => Place::Key,
                _ if name == secret => Place::Secret,
                other => return Err(WrongTemplate::Unknown(other.chars().take(LONGEST).collect(), secret)),
            };
            parts.push((before.to_owned(), Some(place)));
            rest = after;
        }
        parts.push((rest.to_owned(), None));
        if !parts.iter().any(|(_, place)| *place == Some(Place::Secret)) {
            return Err(WrongTemplate::NoSecret(secret));
        }
        Ok(Self { parts })
    }

    /// The letter that brings a registration code, when nobody wrote another one.
    #[must_use]
    pub fn registration(language: Language) -> Self {
        Self::built_in(
            match language {
                Language::English => include_str!("../templates/registration.en.txt"),
                Language::German => include_str!("../templates/registration.de.txt"),
            },
            "code",
        )
    }

    /// The letter that brings the PIN of a token.
    #[must_use]
    pub fn pin(language: Language) -> Self {
        Self::built_in(
            match language {
                Language::English => include_str!("../templates/pin.en.txt"),
                Language::German => include_str!("../templates/pin.de.txt"),
            },
            "pin",
        )
    }

    /// A test reads all of them.
    fn built_in(text: &str, secret: &'static str) -> Self {
        Self::parse(text, secret)
            .unwrap_or_else(|_| Self { parts: vec![(String::new(), Some(Place::Secret))] })
    }

    /// Its text, with what `value` has for each place.
    pub(crate) fn fill<'a>(&self, value: impl Fn(Place) -> &'a str) -> Zeroizing<String> {
        let value = |place: &Option<Place>| place.map_or("", &value);
        let length = self.parts.iter().map(|(text, place)| text.len() + value(place).len()).sum();
        // It never grows: a text that moves leaves a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(length));
        for (before, place) in &self.parts {
            text.push_str(before);
            text.push_str(value(place));
        }
        text
    }

    /// What is printed in every letter.
    pub(crate) fn fixed(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|(text, _)| text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_read_or_refused() {
        for (text, wrong) in [
            ("x", WrongTemplate::NoSecret("code")),
            ("{code} {pin}", WrongTemplate::Unknown("pin".to_owned(), "code")),
            ("{code} {", WrongTemplate::Open),
        ] {
            assert_eq!(Template::parse(text, "code"), Err(wrong));
        }
        let template = Template::parse("{name}: {code}@{realm}", "code").unwrap();
        // What stands in a name is not filled in again.
        let filled = template.fill(|place| match place {
            Place::Name => "Zoë {code}",
            Place::Secret => "1234",
            _ => "büro",
        });
        assert_eq!(filled.as_str(), "Zoë {code}: 1234@büro");
    }

    #[test]
    fn what_comes_with_the_program_is_in_order() {
        for language in Language::ALL {
            for template in [Template::registration(language), Template::pin(language)] {
                assert!(template.parts.len() > 3, "{language:?}");
                assert!(template.fixed().all(|text| crate::check(text).is_ok()));
            }
        }
    }
}
