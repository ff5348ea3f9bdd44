//! Making slot configurations.
//!
//! Every builder starts from the same two `extFlags`:
//! [`SERIAL_BY_API`](ExtFlags::SERIAL_BY_API), because a slot written without
//! it makes the key nameless, and [`ALLOW_UPDATE`](ExtFlags::ALLOW_UPDATE),
//! because whoever may overwrite a slot may as well change how it types (an
//! access code guards both), and a helpdesk can then switch a key to the
//! numeric keypad without enrolling it anew. The vendor's tools also set
//! [`FAST_TRIGGER`](ExtFlags::FAST_TRIGGER); it is left out, because with it the
//! length of a "short" touch depends on whether slot 2 is set, and a key that
//! fires when brushed uses up HOTP counters.

use zeroize::Zeroizing;

use super::config::{ConfigError, Mode, SlotConfig};
use super::flags::{CfgFlags, ExtFlags, TktFlags};
use super::typed::usage;
use crate::bytes::{Cut, joined};
use crate::device::{Digits, Kind, TokenIdForm};
use crate::secret::{AccessCode, AesKey, Pin, PrivateId, Seed};

/// The flags that every builder starts from; see the module.
pub const USUAL_EXT: ExtFlags = ExtFlags::SERIAL_BY_API.with(ExtFlags::ALLOW_UPDATE);

/// Bytes of an OATH key in a slot.
pub const OATH_KEY: usize = 20;

/// Characters of a typed password, in a slot.
const LONGEST_PASSWORD: usize = 38;

impl SlotConfig {
    /// HOTP from counter 0 with SHA-1: no token id, ENTER behind the code.
    ///
    /// Keys shorter than 20 bytes are zero padded, which HMAC does anyway;
    /// longer ones do not fit (yubikit refuses them too).
    pub fn hotp(seed: &Seed, digits: Digits) -> Result<Self, ConfigError> {
        let cfg = match digits {
            Digits::Six => CfgFlags::NONE,
            // Never together with 0x20: that pair means HMAC challenge-response.
            Digits::Eight => CfgFlags::HOTP_EIGHT_DIGITS,
        };
        let mut config = Self::blank(USUAL_EXT, TktFlags::OATH | TktFlags::ENTER, cfg);
        config.set_oath_key(seed)?;
        Ok(config)
    }

    /// Yubico OTP with ENTER behind it. `public_id` is what is typed in front,
    /// 0 to 16 bytes, usually 6.
    pub fn yubico_otp(public_id: &[u8], private_id: &PrivateId, key: &AesKey) -> Result<Self, ConfigError> {
        let mut config = Self::blank(USUAL_EXT, TktFlags::ENTER, CfgFlags::NONE);
        config.set_fixed(public_id)?;
        config.uid = *private_id.expose();
        config.key = *key.expose();
        Ok(config)
    }

    /// A password that is typed with ENTER behind it, 1 to 38 characters of the
    /// US layout. It comes out as other characters under other layouts.
    pub fn static_password(password: &Pin) -> Result<Self, ConfigError> {
        let text = password.expose();
        let length = text.chars().count();
        let mut codes = Zeroizing::new(Vec::with_capacity(length));
        for (at, character) in text.chars().enumerate() {
            codes.push(usage::Stroke::of(character).ok_or(ConfigError::NotTypable(at))?.scan_code());
        }
        if length > LONGEST_PASSWORD {
            return Err(ConfigError::PasswordLength(length));
        }
        let mut config = Self::blank(USUAL_EXT, TktFlags::ENTER, CfgFlags::SHORT_TICKET);
        // The password runs through all three fields, so the first counts as full.
        config.fixed_length = 16;
        config.fixed = *joined(Cut::<16>(&codes));
        config.uid = *joined(Cut::<6>(codes.get(16..).unwrap_or_default()));
        config.key = *joined(Cut::<16>(codes.get(22..).unwrap_or_default()));
        Ok(config)
    }

    /// HMAC-SHA1 challenge-response for challenges shorter than 64 bytes; each
    /// answer waits for a touch when `touch` is set. Keys as in [`hotp`](Self::hotp).
    pub fn challenge_hmac(seed: &Seed, touch: bool) -> Result<Self, ConfigError> {
        let mut cfg = CfgFlags::CHALLENGE_HMAC | CfgFlags::HMAC_SHORT_CHALLENGE;
        if touch {
            cfg = cfg | CfgFlags::CHALLENGE_TOUCH;
        }
        let mut config = Self::blank(USUAL_EXT, TktFlags::OATH, cfg);
        config.set_oath_key(seed)?;
        Ok(config)
    }

    /// What goes with an update command: flags, without a secret. Only the bits
    /// under each set's `UPDATABLE` have an effect. The access code of the slot
    /// becomes that of the update: give the old one again by
    /// [`with_new_code`](Self::with_new_code) to keep it.
    pub fn update(ext: ExtFlags, tkt: TktFlags, cfg: CfgFlags) -> Self {
        let mut config = Self::blank(ext, tkt & TktFlags::UPDATABLE, cfg & CfgFlags::UPDATABLE);
        // yubikit says 16 here, and updates are compared with its bytes.
        config.fixed_length = 16;
        config
    }

    /// An update that gives a slot the access code `code` and leaves it otherwise as
    /// the builder of that kind made it. `touch` as for
    /// [`challenge_hmac`](Self::challenge_hmac).
    pub fn new_code_update(kind: Kind, touch: bool, code: &AccessCode) -> Self {
        let (tkt, cfg) = match kind {
            Kind::ChallengeResponse if touch => {
                (TktFlags::NONE, CfgFlags::HMAC_SHORT_CHALLENGE | CfgFlags::CHALLENGE_TOUCH)
            }
            Kind::ChallengeResponse => (TktFlags::NONE, CfgFlags::HMAC_SHORT_CHALLENGE),
            Kind::Hotp | Kind::Totp | Kind::YubicoOtp | Kind::StaticPassword => {
                (TktFlags::ENTER, CfgFlags::NONE)
            }
        };
        Self::update(USUAL_EXT, tkt, cfg).with_new_code(code)
    }

    /// Starts an HOTP slot at `counter`, a multiple of 16 up to 0xFFFF0.
    pub fn with_initial_counter(mut self, counter: u32) -> Result<Self, ConfigError> {
        if !matches!(self.mode(), Mode::Hotp(_)) {
            return Err(ConfigError::WrongMode("counter"));
        }
        let sixteenth = u16::try_from(counter / 16).map_err(|_| ConfigError::Counter(counter))?;
        if !counter.is_multiple_of(16) {
            return Err(ConfigError::Counter(counter));
        }
        let [_, _, _, _, high, low] = &mut self.uid;
        [*high, *low] = sixteenth.to_be_bytes();
        Ok(self)
    }

    /// Types an OATH token id (up to 16 bytes) before the code.
    pub fn with_token_id(mut self, id: &[u8], form: TokenIdForm) -> Result<Self, ConfigError> {
        if !matches!(self.mode(), Mode::Hotp(_)) {
            return Err(ConfigError::WrongMode("token id"));
        }
        self.set_fixed(id)?;
        let flags = match form {
            TokenIdForm::Digits => CfgFlags::NONE,
            TokenIdForm::Modhex1 => CfgFlags::TOKEN_ID_MODHEX_1,
            TokenIdForm::Modhex2 => CfgFlags::TOKEN_ID_MODHEX_2,
            TokenIdForm::Modhex => CfgFlags::TOKEN_ID_MODHEX,
        };
        self.cfg = self.cfg.replaced(flags, CfgFlags::TOKEN_ID_MODHEX);
        Ok(self)
    }

    /// Guards the slot by `code` from now on.
    #[must_use]
    pub fn with_new_code(mut self, code: &AccessCode) -> Self {
        self.new_code = *code.expose();
        self
    }

    /// Replaces all `extFlags`. Leave [`ExtFlags::SERIAL_BY_API`] in.
    #[must_use]
    pub fn with_ext(mut self, ext: ExtFlags) -> Self {
        self.ext = ext;
        self
    }

    /// Replaces the `tktFlags` that do not decide the mode.
    #[must_use]
    pub fn with_tkt(mut self, tkt: TktFlags) -> Self {
        self.tkt = tkt.replaced(self.tkt, TktFlags::OATH);
        self
    }

    /// Replaces the pacing.
    #[must_use]
    pub fn with_pacing(mut self, pacing: CfgFlags) -> Self {
        // In challenge-response the pacing bits mean something else.
        if !matches!(self.mode(), Mode::ChallengeHmac | Mode::ChallengeYubico) {
            self.cfg = self.cfg.replaced(pacing, CfgFlags::UPDATABLE);
        }
        self
    }

    fn set_oath_key(&mut self, seed: &Seed) -> Result<(), ConfigError> {
        let key = seed.expose();
        if key.len() > OATH_KEY {
            return Err(ConfigError::KeyTooLong(key.len()));
        }
        self.key = *joined(Cut::<16>(key));
        self.uid = *joined((Cut::<4>(key.get(16..).unwrap_or_default()), [0; 2]));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Firmware;
    use zeroize::Zeroizing;

    fn seed(bytes: &[u8]) -> Seed {
        Seed::new(bytes).unwrap()
    }

    #[test]
    fn eight_digits_are_never_taken_for_hmac() {
        let config = SlotConfig::hotp(&seed(&[1; 20]), Digits::Eight).unwrap();
        assert_eq!(config.mode(), Mode::Hotp(Digits::Eight));
        assert_eq!(config.cfg.bits(), 0x02);
        assert_eq!(Mode::of(TktFlags::OATH, CfgFlags::from_bits(0x22)), Mode::ChallengeHmac);
        assert_eq!(Mode::of(TktFlags::OATH, CfgFlags::from_bits(0x20)), Mode::ChallengeYubico);
    }

    #[test]
    fn the_other_modes_are_decided_by_their_flags() {
        assert_eq!(Mode::of(TktFlags::ENTER, CfgFlags::from_bits(0x22)), Mode::StaticTicket);
        assert_eq!(Mode::of(TktFlags::ENTER, CfgFlags::from_bits(0x02)), Mode::ScanCodes);
        assert_eq!(Mode::of(TktFlags::ENTER, CfgFlags::from_bits(0x00)), Mode::YubicoOtp);
    }

    #[test]
    fn keys_beyond_twenty_bytes_do_not_fit() {
        assert!(matches!(SlotConfig::hotp(&seed(&[1; 21]), Digits::Six), Err(ConfigError::KeyTooLong(21))));
        assert!(matches!(
            SlotConfig::challenge_hmac(&seed(&[1; 64]), false),
            Err(ConfigError::KeyTooLong(64))
        ));
    }

    #[test]
    fn passwords_of_39_characters_or_off_layout_do_not_fit() {
        let password = |text: &str| {
            SlotConfig::static_password(&Pin::new(Zeroizing::new(text.into())).unwrap()).map(drop)
        };
        assert_eq!(password(&"a".repeat(38)), Ok(()));
        assert_eq!(password(&"a".repeat(39)), Err(ConfigError::PasswordLength(39)));
        assert_eq!(password("aä"), Err(ConfigError::NotTypable(1)));
    }

    #[test]
    fn fitting_never_changes_the_mode() {
        let config =
            SlotConfig::hotp(&seed(&[1; 20]), Digits::Six).unwrap().fitted_to(Firmware::new(2, 0, 2));
        assert_eq!(config.mode(), Mode::Hotp(Digits::Six));
        assert!(!config.mode().is_known_to(Firmware::new(2, 0, 2)));
    }
}
