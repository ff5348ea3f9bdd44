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
use crate::bytes::{joined, padded};
use crate::device::{Digits, Firmware};

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
pub enum ConfigError {
    /// The fixed part is at most 16 bytes.
    #[error("a fixed part has at most 16 bytes, not {0}")]
    FixedTooLong(usize),
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
    /// The 52 bytes.
    pub fn encode(&self) -> Zeroizing<[u8; CONFIG]> {
        let flags = [self.fixed_length, self.ext.bits(), self.tkt.bits(), self.cfg.bits()];
        let fields = (&self.fixed, &self.uid, &self.key, &self.new_code, flags, [0; 2]);
        let body: Zeroizing<[u8; CONFIG - 2]> = joined(fields);
        joined((&*body, crc::seal(body.as_slice())))
    }

    /// What the slot does.
    pub fn mode(&self) -> Mode {
        Mode::of(self.tkt, self.cfg)
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
