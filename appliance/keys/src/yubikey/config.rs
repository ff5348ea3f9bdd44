//! The 52 bytes that say what a slot does (`ykdef.h`, struct `config_st`).
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 16 | fixed part |
//! | 16 | 6 | private id; or the end of an OATH key and the counter |
//! | 22 | 16 | key |
//! | 38 | 6 | access code from now on |
//! | 44 | 1 | length of the fixed part |
//! | 45 | 3 | `extFlags`, `tktFlags`, `cfgFlags` |
//! | 48 | 2 | zero |
//! | 50 | 2 | complemented CRC-16 of the 50 bytes before, LE |
//!
//! [`build`](super::build) makes configurations, this module is their form.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::crc;
use super::firmware::Feature;
use super::flags::{CfgFlags, ExtFlags, TktFlags};
use super::modhex;
use crate::bytes::{padded, take};
use crate::device::{Digits, Firmware};
use crate::secret::{AccessCode, AesKey, PrivateId, Seed};

/// Bytes of a configuration.
pub const CONFIG: usize = 52;

/// What a slot does, decided by its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Types a Yubico OTP.
    YubicoOtp,
    /// Types the same modhex text each time.
    StaticTicket,
    /// Types the keys whose scan codes it holds.
    ScanCodes,
    /// Types an OATH-HOTP code.
    Hotp(Digits),
    /// Answers a 6-byte challenge with an encrypted Yubico OTP.
    ChallengeYubico,
    /// Answers a challenge of up to 64 bytes with its HMAC-SHA1.
    ChallengeHmac,
}

impl Mode {
    /// The mode of these flags. Challenge-response comes first: HOTP with eight
    /// digits is the same bit as one half of HMAC.
    pub const fn of(tkt: TktFlags, cfg: CfgFlags) -> Self {
        if tkt.contains(TktFlags::OATH) {
            if cfg.contains(CfgFlags::CHALLENGE_HMAC) {
                Self::ChallengeHmac
            } else if cfg.contains(CfgFlags::CHALLENGE_YUBICO) {
                Self::ChallengeYubico
            } else if cfg.contains(CfgFlags::HOTP_EIGHT_DIGITS) {
                Self::Hotp(Digits::Eight)
            } else {
                Self::Hotp(Digits::Six)
            }
        } else if cfg.contains(CfgFlags::STATIC_TICKET) {
            Self::StaticTicket
        } else if cfg.contains(CfgFlags::SHORT_TICKET) {
            Self::ScanCodes
        } else {
            Self::YubicoOtp
        }
    }

    /// Whether `firmware` can do it.
    pub fn is_known_to(self, firmware: Firmware) -> bool {
        match self {
            Self::YubicoOtp | Self::StaticTicket => true,
            Self::ScanCodes => Feature::ScanCodes.is_in(firmware),
            Self::Hotp(_) => Feature::Hotp.is_in(firmware),
            Self::ChallengeYubico | Self::ChallengeHmac => Feature::ChallengeResponse.is_in(firmware),
        }
    }
}

/// Why bytes are not a configuration, or values do not make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The CRC does not fit the rest.
    #[error("the configuration's CRC does not fit its content")]
    Crc,
    /// The fixed part is at most 16 bytes.
    #[error("a fixed part has at most 16 bytes, not {0}")]
    FixedTooLong(usize),
    /// The two reserved bytes are not zero.
    #[error("the reserved bytes of the configuration are not zero")]
    Reserved,
    /// An OATH key is at most 20 bytes.
    #[error("a YubiKey slot takes an OATH key of at most 20 bytes, not {0}")]
    KeyTooLong(usize),
    /// Counters are multiples of 16 up to 0xFFFF0.
    #[error("a YubiKey slot starts at a multiple of 16 up to 1048560, not at {0}")]
    Counter(u32),
    /// Only configurations of another mode have this.
    #[error("a configuration of this mode has no {0}")]
    WrongMode(&'static str),
    /// A typed password is at most 38 characters.
    #[error("a static password has 1 to 38 characters, not {0}")]
    PasswordLength(usize),
    /// A character that no key of the US layout types.
    #[error("the character at position {0} is on no key of the US layout")]
    NotTypable(usize),
}

/// A slot configuration. It holds the seed, so it is wiped and has no `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SlotConfig {
    pub(super) fixed: [u8; 16],
    /// Never more than 16.
    pub(super) fixed_length: u8,
    pub(super) uid: [u8; 6],
    pub(super) key: [u8; 16],
    pub(super) new_code: [u8; 6],
    #[zeroize(skip)]
    pub(super) ext: ExtFlags,
    #[zeroize(skip)]
    pub(super) tkt: TktFlags,
    #[zeroize(skip)]
    pub(super) cfg: CfgFlags,
}

impl SlotConfig {
    /// Reads 52 bytes. All zeros are no configuration but the wish to delete
    /// one: see [`SlotWrite`](super::slot_write::SlotWrite).
    pub fn parse(bytes: &[u8; CONFIG]) -> Result<Self, ConfigError> {
        if !crc::is_intact(bytes) {
            return Err(ConfigError::Crc);
        }
        let mut config = Self::blank(ExtFlags::NONE, TktFlags::NONE, CfgFlags::NONE);
        let mut rest = bytes.as_slice();
        let input = &mut rest;
        // 52 bytes hold all fields, so no `take` comes back empty.
        config.fixed = take(input).unwrap_or_default();
        config.uid = take(input).unwrap_or_default();
        config.key = take(input).unwrap_or_default();
        config.new_code = take(input).unwrap_or_default();
        let [length, ext, tkt, cfg, reserved @ ..] = take::<6>(input).unwrap_or_default();
        if length > 16 {
            return Err(ConfigError::FixedTooLong(length.into()));
        }
        if reserved != [0, 0] {
            return Err(ConfigError::Reserved);
        }
        config.fixed_length = length;
        config.ext = ExtFlags::from_bits(ext);
        config.tkt = TktFlags::from_bits(tkt);
        config.cfg = CfgFlags::from_bits(cfg);
        Ok(config)
    }

    /// The 52 bytes.
    pub fn encode(&self) -> Zeroizing<[u8; CONFIG]> {
        let mut body = Zeroizing::new([0; CONFIG - 2]);
        let flags = [self.fixed_length, self.ext.bits(), self.tkt.bits(), self.cfg.bits()];
        let fields = self.fixed.iter().chain(&self.uid).chain(&self.key).chain(&self.new_code).chain(&flags);
        for (to, from) in body.iter_mut().zip(fields) {
            *to = *from;
        }
        let mut whole = Zeroizing::new([0; CONFIG]);
        for (to, from) in whole.iter_mut().zip(body.iter().chain(&crc::seal(body.as_slice()))) {
            *to = *from;
        }
        whole
    }

    /// What the slot does.
    pub fn mode(&self) -> Mode {
        Mode::of(self.tkt, self.cfg)
    }

    /// Flags around the slot.
    pub fn ext(&self) -> ExtFlags {
        self.ext
    }

    /// Flags around the code.
    pub fn tkt(&self) -> TktFlags {
        self.tkt
    }

    /// Flags that depend on the mode.
    pub fn cfg(&self) -> CfgFlags {
        self.cfg
    }

    /// The fixed part: public id, OATH token id, or the begin of a password.
    pub fn fixed(&self) -> &[u8] {
        self.fixed.get(..usize::from(self.fixed_length)).unwrap_or_default()
    }

    /// What guards the slot from now on; all zero for nothing.
    pub fn new_code(&self) -> AccessCode {
        AccessCode::from_array(&self.new_code)
    }

    /// The 20-byte key of an HOTP or HMAC slot (shorter ones were zero padded).
    pub fn oath_key(&self) -> Option<Seed> {
        if !matches!(self.mode(), Mode::Hotp(_) | Mode::ChallengeHmac) {
            return None;
        }
        let [a, b, c, d, _, _] = self.uid;
        let mut joined = Zeroizing::new([0; 20]);
        for (to, from) in joined.iter_mut().zip(self.key.iter().chain(&[a, b, c, d])) {
            *to = *from;
        }
        Seed::new(joined.as_slice()).ok()
    }

    /// The counter that an HOTP slot starts at.
    pub fn initial_counter(&self) -> Option<u32> {
        let [_, _, _, _, high, low] = self.uid;
        matches!(self.mode(), Mode::Hotp(_)).then(|| u32::from(u16::from_be_bytes([high, low])) * 16)
    }

    /// The private id and key of a Yubico OTP slot, static ticket or challenge slot.
    pub fn yubico_key(&self) -> Option<(PrivateId, AesKey)> {
        matches!(self.mode(), Mode::YubicoOtp | Mode::StaticTicket | Mode::ChallengeYubico)
            .then(|| (PrivateId::from_array(&self.uid), AesKey::from_array(&self.key)))
    }

    /// The scan codes of a static password up to the zero that ends it, bit 7 meaning shift.
    pub fn scan_codes(&self) -> Option<Zeroizing<Vec<u8>>> {
        (self.mode() == Mode::ScanCodes).then(|| {
            let all = self.fixed.iter().chain(&self.uid).chain(&self.key);
            let mut codes = Zeroizing::new(Vec::with_capacity(38));
            codes.extend(all.copied().take_while(|&code| code != 0));
            codes
        })
    }

    /// The text that an HOTP slot types before the code: its token id, in part
    /// or whole in modhex, the rest as hexadecimal digits.
    pub fn token_id_text(&self) -> Option<String> {
        if !matches!(self.mode(), Mode::Hotp(_)) {
            return None;
        }
        let modhex_bytes = if self.cfg.contains(CfgFlags::TOKEN_ID_MODHEX) {
            16
        } else if self.cfg.contains(CfgFlags::TOKEN_ID_MODHEX_2) {
            2
        } else if self.cfg.contains(CfgFlags::TOKEN_ID_MODHEX_1) {
            1
        } else {
            0
        };
        let fixed = self.fixed();
        let (letters, digits) = fixed.split_at_checked(modhex_bytes).unwrap_or((fixed, &[]));
        let mut text = modhex::encode(letters);
        text.extend(digits.iter().map(|byte| format!("{byte:02x}")));
        Some(text)
    }

    /// Cuts the flags down to what `firmware` knows, because it refuses a
    /// configuration for one it does not (ykman issue 368).
    ///
    /// Cutting may never turn one mode into another: when `firmware` does not
    /// know the mode, nothing is cut, and the caller asks
    /// [`Mode::is_known_to`] first.
    #[must_use]
    pub fn fitted_to(mut self, firmware: Firmware) -> Self {
        if self.mode().is_known_to(firmware) {
            self.ext = self.ext.known_to(firmware);
            self.tkt = self.tkt.known_to(firmware);
            self.cfg = self.cfg.known_to(firmware);
        }
        self
    }

    /// Cuts the flags of an update down to what `firmware` knows. An update has no
    /// mode of its own, so nothing can turn into another.
    #[must_use]
    pub(super) fn known_to(mut self, firmware: Firmware) -> Self {
        self.ext = self.ext.known_to(firmware);
        self.tkt = self.tkt.known_to(firmware);
        self.cfg = self.cfg.known_to(firmware);
        self
    }

    /// Applies an update as the key does: flags under their masks, and the
    /// access code. False, and nothing changed, when this configuration does
    /// not allow updates.
    #[must_use]
    pub fn update_with(&mut self, update: &Self) -> bool {
        if !self.ext.contains(ExtFlags::ALLOW_UPDATE) {
            return false;
        }
        self.ext = self.ext.replaced(update.ext, ExtFlags::UPDATABLE);
        self.tkt = self.tkt.replaced(update.tkt, TktFlags::UPDATABLE);
        self.cfg = self.cfg.replaced(update.cfg, CfgFlags::UPDATABLE);
        self.new_code = update.new_code;
        true
    }

    pub(super) fn blank(ext: ExtFlags, tkt: TktFlags, cfg: CfgFlags) -> Self {
        Self { fixed: [0; 16], fixed_length: 0, uid: [0; 6], key: [0; 16], new_code: [0; 6], ext, tkt, cfg }
    }

    /// Takes it out and leaves a blank in its place: what is only moved leaves its bytes behind.
    pub(super) fn taken(from: &mut Option<Self>) -> Option<Self> {
        let blank = Self::blank(ExtFlags::NONE, TktFlags::NONE, CfgFlags::NONE);
        let taken = from.as_mut().map(|config| core::mem::replace(config, blank));
        *from = None;
        taken
    }

    pub(super) fn set_fixed(&mut self, fixed: &[u8]) -> Result<(), ConfigError> {
        self.fixed = padded(fixed).ok_or(ConfigError::FixedTooLong(fixed.len()))?;
        self.fixed_length = fixed.len() as u8;
        Ok(())
    }
}
