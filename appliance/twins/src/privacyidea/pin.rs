//! Rules for PINs, and random texts that follow such rules.

use super::ServerTwin;
use super::answer::Refusal;
use super::policy::About;
use super::rng::Rng;

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const SPECIAL: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// The groups that a rule names, as (letter, alphabet).
fn groups(rule: &str) -> impl Iterator<Item = &'static str> {
    [('c', LETTERS), ('n', DIGITS), ('s', SPECIAL)]
        .into_iter()
        .filter(move |(letter, _)| rule.contains(*letter))
        .map(|(_, alphabet)| alphabet)
}

/// A random text. `cn` wants one of each group, `+cn` any of them together,
/// `-cs` the groups that are *not* named.
pub(super) fn random(rule: &str, length: usize, rng: &mut Rng) -> String {
    let excluded = rule.starts_with('-');
    let alphabet: String = if excluded {
        [('c', LETTERS), ('n', DIGITS), ('s', SPECIAL)]
            .into_iter()
            .filter(|(letter, _)| !rule.contains(*letter))
            .map(|(_, alphabet)| alphabet)
            .collect()
    } else {
        groups(rule).collect()
    };
    rng.text(&alphabet, length)
}

impl ServerTwin {
    /// Whether a PIN keeps the rules that the administrator's policies set.
    pub(super) fn check_pin_rules(&self, kind: &str, pin: &str, about: About<'_>) -> Result<(), Refusal> {
        let rule = |name: &str| {
            let own = self.policies.value("admin", &format!("{kind}_{name}"), about);
            own.or_else(|| self.policies.value("admin", name, about))
        };
        let length = pin.chars().count();
        let number = |name: &str| rule(name).and_then(|text| text.parse::<usize>().ok());
        if number("otp_pin_minlength").is_some_and(|least| length < least) {
            return Err(Refusal::policy("The minimum OTP PIN length is not reached"));
        }
        if number("otp_pin_maxlength").is_some_and(|most| length > most) {
            return Err(Refusal::policy("The maximum OTP PIN length is exceeded"));
        }
        let Some(contents) = rule("otp_pin_contents") else { return Ok(()) };
        let uses = |alphabet: &str| pin.chars().any(|c| alphabet.contains(c));
        let kept = if contents.starts_with('+') {
            groups(contents).any(uses)
        } else if contents.starts_with('-') {
            let allowed: String = groups(contents).collect();
            pin.chars().all(|c| allowed.contains(c))
        } else {
            groups(contents).all(uses)
        };
        if kept { Ok(()) } else { Err(Refusal::policy("Missing character in PIN")) }
    }
}
