//! Text that somebody else wrote and that may end up before a person's eyes.

use std::fmt;

/// No message of a server is kept beyond this many characters.
const LONGEST: usize = 300;

/// Foreign text made fit to show: at most 300 characters, no control
/// characters, nothing that turns the direction of writing.
///
/// It is for showing only. The server translates its messages and changes them
/// between versions, so no decision may rest on one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DisplayText(String);

impl DisplayText {
    /// Cleans and shortens.
    pub fn from_foreign(text: &str) -> Self {
        let mut clean = String::new();
        let mut kept = 0;
        for c in text.chars() {
            let c = if c.is_whitespace() { ' ' } else { c };
            if c.is_control() || invisible(c) || (c == ' ' && (clean.is_empty() || clean.ends_with(' '))) {
                continue;
            }
            if kept == LONGEST {
                clean.push('…');
                break;
            }
            clean.push(c);
            kept += 1;
        }
        clean.truncate(clean.trim_end().len());
        Self(clean)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing was left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same text, or none at all if it repeats `secret`, in whatever case.
    pub(crate) fn without(self, secret: &str) -> Self {
        // Anything shorter would match by chance and give nothing away.
        if secret.len() >= 4
            && self.0.to_lowercase().contains(&*zeroize::Zeroizing::new(secret.to_lowercase()))
        {
            return Self("(the message repeated a secret and was dropped)".to_owned());
        }
        self
    }
}

/// Zero-width and bidirectional format characters (Unicode category Cf).
fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl fmt::Display for DisplayText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_lose_their_escape() {
        assert_eq!(DisplayText::from_foreign("a\u{1b}[2Jb\r\n\tc\u{202e}d ").as_str(), "a[2Jb cd");
    }

    #[test]
    fn long_text_is_cut_at_characters() {
        let text = DisplayText::from_foreign(&"ä".repeat(1_000));
        assert_eq!(text.as_str().chars().count(), LONGEST + 1);
        assert!(text.as_str().ends_with('…'));
    }

    #[test]
    fn a_repeated_secret_drops_the_message() {
        let text = DisplayText::from_foreign("bad key 3A89FF4E given");
        assert!(!text.clone().without("3a89ff4e").as_str().contains("3A89"));
        assert_eq!(text.clone().without("3a89ff4f"), text);
        assert_eq!(text.clone().without(""), text);
    }
}
