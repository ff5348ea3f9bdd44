//! From bytes to text.

use core::fmt;

use encoding_rs::{
    UTF_16BE, UTF_16LE, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1257,
};

/// An encoding that a spreadsheet saves lists in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Unicode in bytes.
    Utf8,
    /// Unicode in words of two bytes, as "Unicode text" is saved; either order.
    Utf16,
    /// Central Europe, Latin letters.
    Windows1250,
    /// Cyrillic.
    Windows1251,
    /// Western Europe.
    Windows1252,
    /// Greek.
    Windows1253,
    /// Turkish.
    Windows1254,
    /// Baltic.
    Windows1257,
}

/// A list whose encoding cannot be known: every reading that its bytes allow, and a line in each to choose by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// The first line with a letter that the readings differ in, counted from 1.
    pub line: usize,
    /// That line as each encoding that fits reads it. None: the list is in no encoding that is known here.
    pub readings: Vec<(Encoding, String)>,
}

/// How much of a line is shown.
const SHOWN: usize = 60;

impl Encoding {
    /// Those that cannot be told apart by looking.
    const GUESSES: [Self; 6] = [
        Self::Windows1252,
        Self::Windows1250,
        Self::Windows1251,
        Self::Windows1253,
        Self::Windows1254,
        Self::Windows1257,
    ];

    /// Every encoding.
    pub const ALL: [Self; 8] = [
        Self::Utf8,
        Self::Utf16,
        Self::Windows1250,
        Self::Windows1251,
        Self::Windows1252,
        Self::Windows1253,
        Self::Windows1254,
        Self::Windows1257,
    ];

    /// Its name, as an option or a setting has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
            Self::Windows1250 => "windows-1250",
            Self::Windows1251 => "windows-1251",
            Self::Windows1252 => "windows-1252",
            Self::Windows1253 => "windows-1253",
            Self::Windows1254 => "windows-1254",
            Self::Windows1257 => "windows-1257",
        }
    }

    /// The encoding of that name; `1250` and `cp1250` are read, too.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let plain = |name: &str| -> String {
            let letters = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
            letters.collect::<String>().trim_start_matches("windows").trim_start_matches("cp").to_owned()
        };
        let wanted = plain(name);
        Self::ALL.into_iter().find(|encoding| plain(encoding.name()) == wanted)
    }

    /// The text, when every byte is one of this encoding.
    fn read(self, bytes: &[u8]) -> Option<String> {
        let codec = match self {
            Self::Utf8 => return core::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Utf16 => {
                // Text of Latin letters has a zero beside each; in other scripts, line ends and separators have.
                let zeros =
                    |parity: usize| bytes.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
                if zeros(0) > zeros(1) { UTF_16BE } else { UTF_16LE }
            }
            Self::Windows1250 => WINDOWS_1250,
            Self::Windows1251 => WINDOWS_1251,
            Self::Windows1252 => WINDOWS_1252,
            Self::Windows1253 => WINDOWS_1253,
            Self::Windows1254 => WINDOWS_1254,
            Self::Windows1257 => WINDOWS_1257,
        };
        let text = codec.decode_without_bom_handling_and_without_replacement(bytes)?;
        // Where an encoding has no letter, the standard has a control character that no text holds.
        (!text.chars().any(|c| matches!(c, '\0' | '\u{80}'..='\u{9f}'))).then(|| text.into_owned())
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text of a list. A byte order mark decides before all, and is taken away; then what `said` names; then UTF-8 and UTF-16 are
/// known by their form. Nothing else is guessed.
///
/// # Errors
/// What the choices are; or, where an encoding was named, that the bytes do not fit it (then `readings` has those that do).
pub fn decode(bytes: &[u8], said: Option<Encoding>) -> Result<String, Undecided> {
    let marked = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Some((Encoding::Utf8, rest, None)),
        [0xff, 0xfe, rest @ ..] => Some((Encoding::Utf16, rest, Some(UTF_16LE))),
        [0xfe, 0xff, rest @ ..] => Some((Encoding::Utf16, rest, Some(UTF_16BE))),
        _ => None,
    };
    if let Some((encoding, rest, codec)) = marked {
        let text = match codec {
            Some(codec) => {
                codec.decode_without_bom_handling_and_without_replacement(rest).map(|text| text.into_owned())
            }
            None => encoding.read(rest),
        };
        return text.ok_or_else(|| undecided(rest));
    }
    if let Some(text) = said.and_then(|encoding| encoding.read(bytes)) {
        return Ok(text);
    }
    if said.is_none() {
        if bytes.contains(&0)
            && let Some(text) = Encoding::Utf16.read(bytes)
        {
            return Ok(text);
        }
        if let Some(text) = Encoding::Utf8.read(bytes).filter(|text| !text.contains('\0')) {
            return Ok(text);
        }
    }
    Err(undecided(bytes))
}

fn undecided(bytes: &[u8]) -> Undecided {
    let plain = |byte: &u8| matches!(*byte, b'\t' | b'\r' | b'\n' | 0x20..=0x7e);
    let at = bytes.iter().position(|byte| !plain(byte)).unwrap_or(0);
    let before = bytes.get(..at).unwrap_or_default();
    let from = before.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
    let line = bytes.get(from..).unwrap_or_default();
    let to = line.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(line.len());
    let line = line.get(..to).unwrap_or_default();
    let reading = |encoding: &Encoding| {
        encoding.read(bytes)?;
        let shown: String = encoding.read(line)?.chars().take(SHOWN).filter(|c| !c.is_control()).collect();
        Some((*encoding, shown))
    };
    let breaks = before.iter().filter(|byte| **byte == b'\n').count();
    let old = before.iter().filter(|byte| **byte == b'\r').count();
    Undecided { line: 1 + breaks.max(old), readings: Encoding::GUESSES.iter().filter_map(reading).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: &str = "user;name\r\nlcapek;Łukasz Čapek\r\nomega;Ωμέγα Жуков\r\n";

    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn unicode_is_known_by_its_mark_and_by_its_form() {
        let (low, high) = (utf16(NAMES, u16::to_le_bytes), utf16(NAMES, u16::to_be_bytes));
        let with = |mark: &[u8], text: &[u8]| [mark, text].concat();
        for bytes in [
            NAMES.as_bytes().to_vec(),
            with(b"\xef\xbb\xbf", NAMES.as_bytes()),
            low.clone(),
            high.clone(),
            with(b"\xff\xfe", &low),
            with(b"\xfe\xff", &high),
        ] {
            assert_eq!(decode(&bytes, None).as_deref(), Ok(NAMES), "{:x?}", &bytes[..4]);
            // What a mark says is believed more than an option.
            if bytes[0] > 0x7f {
                assert_eq!(decode(&bytes, Some(Encoding::Windows1252)).as_deref(), Ok(NAMES));
            }
        }
        assert_eq!(decode(&low, Some(Encoding::Utf16)).as_deref(), Ok(NAMES));
        assert_eq!(decode(b"", None).as_deref(), Ok(""));
    }

    #[test]
    fn what_cannot_be_known_is_shown_in_each_encoding_that_fits() {
        let bytes = b"user;name\r\nx;y\r\nlukasz;\xa3ukasz\r\n";
        let undecided = decode(bytes, None).unwrap_err();
        assert_eq!(undecided.line, 3);
        let shown: Vec<&str> = undecided.readings.iter().map(|(_, line)| line.as_str()).collect();
        assert!(shown.contains(&"lukasz;Łukasz") && shown.contains(&"lukasz;£ukasz"), "{shown:?}");
        assert!(decode(bytes, Some(Encoding::Windows1250)).unwrap().contains("Łukasz"));
        // 0x81 is no letter anywhere but in Cyrillic.
        let fits: Vec<Encoding> =
            decode(b"a\x81", None).unwrap_err().readings.iter().map(|(e, _)| *e).collect();
        assert_eq!(fits, [Encoding::Windows1251]);
        let wrong = decode(bytes, Some(Encoding::Utf8)).unwrap_err();
        assert!(!wrong.readings.is_empty());
        let old = decode(b"user\rx\r\xa3", None).unwrap_err();
        assert_eq!(old.line, 3);
    }

    #[test]
    fn encodings_have_names() {
        for encoding in Encoding::ALL {
            assert_eq!(Encoding::named(encoding.name()), Some(encoding));
        }
        for name in ["1250", "cp1250", "CP-1250", "Windows1250", "windows_1250"] {
            assert_eq!(Encoding::named(name), Some(Encoding::Windows1250), "{name}");
        }
        assert_eq!(Encoding::named("UTF8"), Some(Encoding::Utf8));
        assert_eq!((Encoding::named("latin1"), Encoding::named("")), (None, None));
    }

    proptest! {
        #[test]
        fn no_bytes_are_refused_without_a_line(bytes in prop::collection::vec(any::<u8>(), 0..200), said in prop::option::of(prop::sample::select(&Encoding::ALL[..]))) {
            match decode(&bytes, said) {
                Ok(text) => prop_assert!(text.len() <= 3 * bytes.len()),
                Err(undecided) => prop_assert!(undecided.line >= 1 && !bytes.is_empty()),
            }
        }
    }
}
