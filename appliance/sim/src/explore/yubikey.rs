//! Whether a YubiKey would answer for a token of any kind.

use keys::device::Slot;
use keys::secret::Pin;
use keys::yubikey::config::SlotConfig;
use twins::privacyidea::Token;
use twins::yubikey::{Mode, YubiKeyTwin};

/// Whether a key would answer for a token: it holds the secret, and what moves its codes on is
/// where the server looks for it.
pub(super) fn answers(key: &YubiKeyTwin, token: &Token) -> bool {
    let secret = token.secret_for_tests();
    let slots = key.snapshot().slots;
    [Slot(1), Slot(2)].into_iter().zip(slots).any(|(slot, view)| {
        let Some(view) = view else { return false };
        let holds = || key.slot_holds(slot, &secret);
        match (token.kind.as_str(), view.mode) {
            ("hotp", Mode::Hotp) => {
                let counter = i64::try_from(view.hotp_counter).unwrap_or(i64::MAX);
                holds() && (token.count..token.count + token.count_window).contains(&counter)
            }
            ("totp", Mode::HmacChallenge) => holds(),
            ("yubikey", Mode::YubicoOtp) => {
                // The server keeps the first private id that it saw.
                let learned = token.info.get("yubikey.tokenid").is_none_or(|id| holds_id(key, slot, id));
                holds() && learned && token.count <= (i64::from(view.use_counter) + 1) * 256
            }
            ("pw", Mode::ScanCodes) => holds_password(key, slot, token.secret_text_for_tests()),
            _ => false,
        }
    })
}

/// The private id stands behind the sixteen bytes of the fixed part (`ykdef.h`, struct `config_st`).
fn holds_id(key: &YubiKeyTwin, slot: Slot, id: &str) -> bool {
    key.config52(slot).as_ref().and_then(|config| config.get(16..22)).is_some_and(|held| {
        let hex: String = held.iter().map(|byte| format!("{byte:02x}")).collect();
        hex.eq_ignore_ascii_case(id)
    })
}

/// A password's scan codes run through the first 38 bytes.
fn holds_password(key: &YubiKeyTwin, slot: Slot, password: &str) -> bool {
    let wanted = Pin::new(password.to_owned().into())
        .ok()
        .and_then(|password| SlotConfig::static_password(&password).ok())
        .map(|config| config.encode());
    let held = key.config52(slot);
    wanted.is_some()
        && wanted.as_ref().and_then(|config| config.get(..38))
            == held.as_ref().and_then(|config| config.get(..38))
}
