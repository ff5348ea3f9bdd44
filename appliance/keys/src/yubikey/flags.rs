//! The three flag bytes of a slot configuration (`ykdef.h`, struct `config_st`).
//!
//! Old firmware refuses a whole configuration for one bit that it does not
//! know (ykman could not program a 2.2.3: issue 368), so each set can be cut
//! down to what a firmware knows.

use core::fmt;
use core::ops::{BitAnd, BitOr};

use super::firmware::Feature;
use crate::device::Firmware;

macro_rules! flag_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$flag_doc:meta])* $flag:ident = $bits:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(u8);

        impl $name {
            /// No flag.
            pub const NONE: Self = Self(0);
            $($(#[$flag_doc])* pub const $flag: Self = Self($bits);)*

            /// The flags of that byte.
            pub const fn from_bits(bits: u8) -> Self {
                Self(bits)
            }

            /// The byte.
            pub const fn bits(self) -> u8 {
                self.0
            }

            /// Whether all of `flags` are set.
            pub const fn contains(self, flags: Self) -> bool {
                self.0 & flags.0 == flags.0
            }

            /// These flags and `flags`.
            #[must_use]
            pub const fn with(self, flags: Self) -> Self {
                Self(self.0 | flags.0)
            }

            /// These flags but for `flags`.
            #[must_use]
            pub const fn without(self, flags: Self) -> Self {
                Self(self.0 & !flags.0)
            }

            /// `new` where `mask` is set, these flags elsewhere: what an update does.
            #[must_use]
            pub const fn replaced(self, new: Self, mask: Self) -> Self {
                Self((self.0 & !mask.0) | (new.0 & mask.0))
            }
        }

        impl BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }

        impl BitAnd for $name {
            type Output = Self;
            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#04x})"), self.0)
            }
        }
    };
}

flag_set! {
    /// `extFlags`: how the key behaves around the slot.
    ExtFlags {
        /// The serial is typed when the key is touched while plugged in.
        SERIAL_AT_TOUCH = 0x01;
        /// The serial is in the USB string `iSerial`.
        SERIAL_IN_USB = 0x02;
        /// Programs may read the serial. A slot written without it makes the
        /// key nameless to them.
        SERIAL_BY_API = 0x04;
        /// Digits are typed on the numeric keypad (2.3).
        NUMERIC_KEYPAD = 0x08;
        /// A short touch fires sooner while only slot 1 is set (2.3).
        FAST_TRIGGER = 0x10;
        /// The update commands may change this slot (2.3).
        ALLOW_UPDATE = 0x20;
        /// The slot sleeps until an update wakes it (2.3).
        DORMANT = 0x40;
        /// The LED is on when it would be off (2.4, 3.1).
        LED_INVERTED = 0x80;
        /// What an update may change: everything.
        UPDATABLE = 0xff;
    }
}

flag_set! {
    /// `tktFlags`: what is typed around the code, and half of the mode.
    TktFlags {
        TAB_FIRST = 0x01;
        /// TAB after the fixed part.
        TAB_AFTER_FIXED = 0x02;
        /// TAB after the second part.
        TAB_AFTER_CODE = 0x04;
        /// Half a second of delay after the fixed part.
        DELAY_AFTER_FIXED = 0x08;
        /// Half a second of delay after the second part.
        DELAY_AFTER_CODE = 0x10;
        /// ENTER last.
        #[doc(alias = "APPEND_CR")]
        ENTER = 0x20;
        /// OATH-HOTP, or challenge-response when the configuration flags say so.
        OATH = 0x40;
        /// In slot 1: slot 2 cannot be written unless it has this flag too.
        PROTECT_SLOT_TWO = 0x80;
        /// What an update may change.
        UPDATABLE = 0x3f;
    }
}

flag_set! {
    /// `cfgFlags`: the other half of the mode, and details that mean different
    /// things in different modes (so several names share a bit).
    CfgFlags {
        /// The reference string `0..f` is typed first.
        SEND_REFERENCE = 0x01;
        /// Yubico OTP and static: half the length; alone it means scan codes.
        SHORT_TICKET = 0x02;
        /// HOTP: eight digits. The same bit as half of [`CHALLENGE_HMAC`](Self::CHALLENGE_HMAC).
        HOTP_EIGHT_DIGITS = 0x02;
        /// 10 ms between keystrokes.
        PACING_10MS = 0x04;
        /// HMAC: challenges are shorter than 64 bytes.
        HMAC_SHORT_CHALLENGE = 0x04;
        /// 20 ms between keystrokes.
        PACING_20MS = 0x08;
        /// Challenge-response: each answer needs a touch.
        CHALLENGE_TOUCH = 0x08;
        /// Static: upper and lower case.
        STRONG_PASSWORD_1 = 0x10;
        /// HOTP: the first byte of the token id is typed in modhex.
        TOKEN_ID_MODHEX_1 = 0x10;
        /// Static: the same text each time.
        STATIC_TICKET = 0x20;
        /// With [`TktFlags::OATH`]: Yubico OTP challenge-response.
        CHALLENGE_YUBICO = 0x20;
        /// With [`TktFlags::OATH`]: HMAC-SHA1 challenge-response.
        CHALLENGE_HMAC = 0x22;
        /// Static: digits in place of some letters.
        STRONG_PASSWORD_2 = 0x40;
        /// HOTP: the first two bytes of the token id are typed in modhex.
        TOKEN_ID_MODHEX_2 = 0x40;
        /// HOTP: the whole token id is typed in modhex.
        TOKEN_ID_MODHEX = 0x50;
        /// Static: the person may change it by a long touch.
        MANUAL_UPDATE = 0x80;
        /// What an update may change: the pacing.
        UPDATABLE = 0x0c;
    }
}

impl ExtFlags {
    /// Those of these flags that `firmware` knows.
    #[must_use]
    pub fn known_to(self, firmware: Firmware) -> Self {
        let mut known = Self::NONE;
        if Feature::SerialElsewhere.is_in(firmware) {
            known = known | Self::SERIAL_AT_TOUCH | Self::SERIAL_IN_USB;
        }
        if Feature::SerialByApi.is_in(firmware) {
            known = known | Self::SERIAL_BY_API;
        }
        if Feature::Update.is_in(firmware) {
            known = known | Self::NUMERIC_KEYPAD | Self::FAST_TRIGGER | Self::ALLOW_UPDATE | Self::DORMANT;
        }
        if Feature::LedInversion.is_in(firmware) {
            known = known | Self::LED_INVERTED;
        }
        self & known
    }
}

impl TktFlags {
    /// Those of these flags that `firmware` knows.
    #[must_use]
    pub fn known_to(self, firmware: Firmware) -> Self {
        let mut known = Self::UPDATABLE;
        if Feature::Hotp.is_in(firmware) {
            known = known | Self::OATH;
        }
        if Feature::SlotTwo.is_in(firmware) {
            known = known | Self::PROTECT_SLOT_TWO;
        }
        self & known
    }
}

impl CfgFlags {
    /// Those of these flags that `firmware` knows. Firmware 1.x has other
    /// meanings for 0x02 and 0x10 ("ticket first", "trigger by keyboard"), so
    /// they are cut there.
    #[must_use]
    pub fn known_to(self, firmware: Firmware) -> Self {
        if firmware.major < 2 {
            self & (Self::SEND_REFERENCE | Self::PACING_10MS | Self::PACING_20MS | Self::STATIC_TICKET)
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: ExtFlags = ExtFlags::UPDATABLE;

    #[test]
    fn ext_flags_are_cut_to_what_each_firmware_knows() {
        let known = |major, minor, build| ALL.known_to(Firmware::new(major, minor, build)).bits();
        assert_eq!(known(1, 3, 0), 0x00);
        assert_eq!(known(2, 0, 2), 0x00);
        assert_eq!(known(2, 1, 4), 0x04, "the NEO beta");
        assert_eq!(known(2, 2, 3), 0x07, "ykman issue 368");
        assert_eq!(known(2, 3, 1), 0x7f);
        assert_eq!(known(2, 4, 2), 0xff);
        assert_eq!(known(3, 0, 1), 0x7f);
        assert_eq!(known(3, 4, 9), 0xff);
        assert_eq!(known(5, 7, 1), 0xff);
    }

    #[test]
    fn old_keys_know_neither_oath_nor_a_second_slot() {
        let all = TktFlags::from_bits(0xff);
        assert_eq!(all.known_to(Firmware::new(1, 3, 0)).bits(), 0x3f);
        assert_eq!(all.known_to(Firmware::new(2, 0, 2)).bits(), 0xbf);
        assert_eq!(all.known_to(Firmware::new(2, 1, 2)).bits(), 0xff);
        assert_eq!(all.known_to(Firmware::new(2, 1, 5)).bits(), 0x7f, "the NEO beta");
        assert_eq!(CfgFlags::from_bits(0xff).known_to(Firmware::new(1, 3, 0)).bits(), 0x2d);
    }

    #[test]
    fn an_update_replaces_only_what_its_mask_allows() {
        let old = TktFlags::from_bits(0xc1);
        assert_eq!(old.replaced(TktFlags::from_bits(0xff), TktFlags::UPDATABLE).bits(), 0xff);
        assert_eq!(old.replaced(TktFlags::NONE, TktFlags::UPDATABLE).bits(), 0xc0);
        assert_eq!(
            CfgFlags::from_bits(0x40).replaced(CfgFlags::from_bits(0xff), CfgFlags::UPDATABLE).bits(),
            0x4c
        );
    }
}
