//! What an app is shown: an `otpauth://` address, and the QR code of it.

use core::fmt::Write;

use keys::device::{HashAlgorithm, Kind};
use keys::secret::Seed;
use qrcodegen::{QrCode, QrCodeEcc};
use zeroize::Zeroizing;

use crate::engine::server::TwoStepTerms;
use crate::profile::Profile;
use crate::token::TokenSerial;

/// A token's secret as an app reads it. It is for a screen and nothing else: no log, no file.
pub struct PhoneCode {
    uri: Zeroizing<String>,
    code: QrCode,
}

/// Light modules that have to be around a QR code (ISO/IEC 18004, 9.1).
const QUIET: i32 = 4;

impl PhoneCode {
    /// What an app has to know (the "Key URI Format" of Google Authenticator; the `2step_` fields
    /// of privacyIDEA Authenticator). `None` when it does not fit a QR code.
    pub(super) fn new(
        server: &str,
        token: &TokenSerial,
        profile: &Profile,
        seed: &Seed,
        terms: Option<TwoStepTerms>,
    ) -> Option<Self> {
        let mut uri = Zeroizing::new(String::with_capacity(512));
        let hotp = profile.kind == Kind::Hotp;
        let issuer = escaped(server);
        let kind = if hotp { "hotp" } else { "totp" };
        write!(uri, "otpauth://{kind}/{issuer}:{token}?secret=").ok()?;
        base32(seed.expose(), &mut uri);
        let (digits, hash) = (profile.digits.count(), hash_word(profile.hash));
        write!(uri, "&issuer={issuer}&digits={digits}&algorithm={hash}").ok()?;
        if hotp {
            uri.push_str("&counter=0");
        } else {
            write!(uri, "&period={}", profile.period).ok()?;
        }
        if let Some(terms) = terms {
            let TwoStepTerms { part, seed, rounds } = terms;
            write!(uri, "&2step_salt={part}&2step_output={seed}&2step_difficulty={rounds}").ok()?;
        }
        let code = QrCode::encode_text(&uri, QrCodeEcc::Low).ok()?;
        Some(Self { uri, code })
    }

    /// The address, for people who type it in, and for tests.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Modules on each side, without the light ones around it.
    pub fn size(&self) -> usize {
        usize::try_from(self.code.size()).unwrap_or(0)
    }

    /// Whether the module in that column and row is dark; those outside are light.
    pub fn dark(&self, column: usize, row: usize) -> bool {
        let place = |at| i32::try_from(at).unwrap_or(-1);
        self.code.get_module(place(column), place(row))
    }

    /// The code as lines of half blocks, two rows of modules a line. Terminals write light on dark;
    /// for those that write dark on light, `inverted`.
    pub fn half_blocks(&self, inverted: bool) -> Zeroizing<String> {
        let size = self.code.size();
        let mut text = Zeroizing::new(String::with_capacity(16 * 1024));
        let lit = |column, row| self.code.get_module(column, row) == inverted;
        let mut row = -QUIET;
        while row < size + QUIET {
            for column in -QUIET..size + QUIET {
                // A last row without a second one is followed by what surrounds the code.
                text.push(match (lit(column, row), lit(column, row + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            text.push('\n');
            row += 2;
        }
        text
    }
}

pub(super) const fn hash_word(hash: HashAlgorithm) -> &'static str {
    match hash {
        HashAlgorithm::Sha1 => "SHA1",
        HashAlgorithm::Sha256 => "SHA256",
        HashAlgorithm::Sha512 => "SHA512",
    }
}

/// RFC 4648, section 6, without padding, as apps want it.
fn base32(bytes: &[u8], to: &mut Zeroizing<String>) {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut letter = |value: u32| {
        let value = usize::try_from(value & 31).unwrap_or(0);
        to.push(LETTERS.get(value).copied().map_or('A', char::from));
    };
    let (mut bits, mut held) = (0_u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            letter(bits >> held);
        }
    }
    if held > 0 {
        letter(bits << (5 - held));
    }
}

/// RFC 3986, section 2.1; a colon would end the issuer.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> PhoneCode {
        let profile = Profile::new(Kind::Totp);
        let seed = Seed::new(b"12345678901234567890").unwrap();
        PhoneCode::new("Büro 1", &TokenSerial::new("PHON1").unwrap(), &profile, &seed, None).unwrap()
    }

    #[test]
    fn the_address_says_everything_that_apps_ask_for() {
        assert_eq!(
            code().uri(),
            "otpauth://totp/B%C3%BCro%201:PHON1?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=B%C3%BCro%201&digits=6&algorithm=SHA1&period=30"
        );
    }

    #[test]
    fn the_terminal_shows_a_square_with_light_around_it() {
        let code = code();
        for inverted in [false, true] {
            let text = code.half_blocks(inverted);
            let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
            let wide = code.size() + 8;
            assert_eq!(lines.len(), wide.div_ceil(2));
            assert!(lines.iter().all(|line| line.len() == wide));
            let light = if inverted { ' ' } else { '█' };
            assert!(lines[0].iter().chain(&lines[1]).all(|c| *c == light));
            assert!(lines.iter().all(|line| line[..4].iter().all(|c| *c == light)));
        }
    }
}
