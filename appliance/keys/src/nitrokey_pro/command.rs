//! The commands as reports (`stick10_commands.h`, `stick10_commands_0.8.h` of
//! libnitrokey for the order of their fields).

use zeroize::Zeroizing;

use super::report::{Command, Query};
use super::slot::{OtpSlot, SlotConfig, SlotName};
use crate::bytes::{Cut, joined, padded};
use crate::secret::{Pin, Seed};

/// How many bytes a PIN or a password has in a report.
const PASSWORD: usize = 25;
/// How many bytes of data one [`Command::SendOtpData`] carries.
const PART: usize = 30;

/// The password that stands in for a PIN until the key is locked or pulled out.
/// It must have no zero byte inside, and does not leave the conversation.
pub struct TemporaryPassword(Zeroizing<[u8; PASSWORD]>);

impl TemporaryPassword {
    /// Makes one of random bytes.
    pub fn from_random(random: &[u8; 24]) -> Self {
        // 0 would end it.
        Self(joined((&*Zeroizing::new(random.map(|byte| byte.max(1))), 0_u8)))
    }

    /// Takes up to 25 bytes.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        padded(bytes).map(Zeroizing::new).map(Self)
    }

    fn bytes(&self) -> &[u8; PASSWORD] {
        &self.0
    }
}

/// A temporary password where older firmware has zeros.
fn or_zeros(password: Option<&TemporaryPassword>) -> &[u8; PASSWORD] {
    password.map_or(&[0; PASSWORD], TemporaryPassword::bytes)
}

/// A PIN that fits a report: up to 25 bytes.
#[derive(Clone, Copy)]
pub struct FittingPin<'a>(&'a [u8]);

impl<'a> FittingPin<'a> {
    /// `None` when it is too long.
    pub fn new(pin: &'a Pin) -> Option<Self> {
        let bytes = pin.expose().as_bytes();
        (bytes.len() <= PASSWORD).then_some(Self(bytes))
    }

    const fn field(self) -> Cut<'a, PASSWORD> {
        Cut(self.0)
    }

    /// How many bytes it has.
    pub const fn length(self) -> usize {
        self.0.len()
    }
}

/// Asks for [`Status`](super::answer::Status).
pub fn get_status() -> Query {
    Query::new(Command::GetStatus, [])
}

/// Asks a Storage for [`DeviceStatus`](super::answer::DeviceStatus).
pub fn get_device_status() -> Query {
    Query::new(Command::GetDeviceStatus, [])
}

/// Asks what a slot is called.
pub fn read_slot_name(slot: OtpSlot) -> Query {
    Query::new(Command::ReadSlotName, slot.wire())
}

/// How a Storage writes the counter of a HOTP slot that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterForm {
    /// As decimal digits: all it can before 0.54. A Pro does not look at this.
    Digits,
    Number,
}

/// Asks for [`SlotContent`](super::answer::SlotContent).
pub fn read_slot(slot: OtpSlot, form: CounterForm) -> Query {
    let form = match form {
        CounterForm::Digits => 0,
        CounterForm::Number => 1,
    };
    Query::new(Command::ReadSlot, [slot.wire(), form])
}

/// Asks for a code. A key that wants its user's PIN for that gets the temporary
/// password (newer firmware). Time and interval are looked at by some firmware
/// of the Storage only; it divides by the interval.
pub fn get_code(slot: OtpSlot, time: u64, interval: u8, user: Option<&TemporaryPassword>) -> Query {
    let challenge = time.checked_div(interval.into()).unwrap_or_default();
    Query::new(
        Command::GetCode,
        (slot.wire(), challenge.to_le_bytes(), time.to_le_bytes(), interval, or_zeros(user)),
    )
}

/// Sets the clock to seconds since 1970. Without `force` the key does not let it
/// go back.
pub fn set_time(unix: u64, force: bool) -> Query {
    Query::new(Command::SetTime, (u8::from(force), unix.to_le_bytes()))
}

/// Asks how often the administrator's PIN may still be wrong.
pub fn admin_retries() -> Query {
    Query::new(Command::AdminRetries, [])
}

/// Asks how often the user's PIN may still be wrong.
pub fn user_retries() -> Query {
    Query::new(Command::UserRetries, [])
}

/// Presents the administrator's PIN and agrees on a temporary password.
pub fn first_authenticate(pin: FittingPin<'_>, password: &TemporaryPassword) -> Query {
    Query::new(Command::FirstAuthenticate, (pin.field(), password.bytes()))
}

/// Presents the user's PIN and agrees on a temporary password.
pub fn user_authenticate(pin: FittingPin<'_>, password: &TemporaryPassword) -> Query {
    Query::new(Command::UserAuthenticate, (pin.field(), password.bytes()))
}

/// Authorizes `next`, which must be the next but one report (older firmware).
pub fn authorize(next: &Query, password: &TemporaryPassword) -> Query {
    Query::new(Command::Authorize, (next.crc().to_le_bytes(), password.bytes()))
}

/// The same for [`get_code`] (older firmware).
pub fn user_authorize(next: &Query, password: &TemporaryPassword) -> Query {
    Query::new(Command::UserAuthorize, (next.crc().to_le_bytes(), password.bytes()))
}

/// Forgets what was unlocked.
pub fn lock() -> Query {
    Query::new(Command::Lock, [])
}

/// Replaces the administrator's PIN.
pub fn change_admin_pin(old: FittingPin<'_>, new: FittingPin<'_>) -> Query {
    Query::new(Command::ChangeAdminPin, (old.field(), new.field()))
}

/// How long a PIN may be where a Storage changes it.
pub const LONGEST_PIN_OF_STORAGE: usize = 20;

/// Presents the administrator's PIN to a Storage, in order to replace it. Its
/// outcome is told by [`job`](super::answer::job).
pub fn send_admin_pin(pin: FittingPin<'_>) -> Query {
    Query::new(Command::SendPassword, (b'A', Cut::<LONGEST_PIN_OF_STORAGE>(pin.0)))
}

/// Replaces the administrator's PIN that was presented to a Storage.
pub fn send_new_admin_pin(pin: FittingPin<'_>) -> Query {
    Query::new(Command::SendNewPassword, (b'A', Cut::<LONGEST_PIN_OF_STORAGE>(pin.0)))
}

/// Sends the name of the slot to be written (newer firmware).
pub fn send_name(name: &SlotName, password: &TemporaryPassword) -> Query {
    Query::new(Command::SendOtpData, (password.bytes(), [b'N', 0], name.wire()))
}

/// Sends a part of the secret of the slot to be written (newer firmware): the
/// first 30 bytes, or what is behind them. Bytes that the secret lacks are zeros.
pub fn send_secret(seed: &Seed, part: u8, password: &TemporaryPassword) -> Query {
    let bytes = seed.expose().get(usize::from(part) * PART..).unwrap_or_default();
    Query::new(Command::SendOtpData, (password.bytes(), [b'S', part], Cut::<PART>(bytes)))
}

/// What the moving factor of a slot begins as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// The first counter of HOTP.
    Counter(u64),
    /// The seconds per step of TOTP.
    Interval(u16),
}

/// Writes the slot whose name and secret were sent (newer firmware).
pub fn write_slot(
    slot: OtpSlot,
    factor: Factor,
    config: SlotConfig,
    token_id: &[u8; 13],
    password: &TemporaryPassword,
) -> Query {
    let factor = match factor {
        Factor::Counter(counter) => counter,
        Factor::Interval(seconds) => seconds.into(),
    };
    Query::new(
        Command::WriteToSlot,
        (password.bytes(), slot.wire(), factor.to_le_bytes(), config.byte(), token_id),
    )
}

/// Writes a slot (older firmware), after it was authorized. Only the first 20
/// bytes of the secret fit. A Storage wants the counter as decimal digits, of
/// which seven fit.
pub fn write_slot_authorized(
    slot: OtpSlot,
    name: &SlotName,
    seed: &Seed,
    factor: Factor,
    form: CounterForm,
    config: SlotConfig,
    token_id: &[u8; 13],
) -> Query {
    let factor = match (factor, form) {
        (Factor::Counter(counter), CounterForm::Number) => counter.to_le_bytes().to_vec(),
        (Factor::Counter(counter), CounterForm::Digits) => counter.min(9_999_999).to_string().into_bytes(),
        (Factor::Interval(seconds), _) => seconds.to_le_bytes().to_vec(),
    };
    Query::new(
        Command::WriteToSlot,
        (slot.wire(), name.wire(), Cut::<20>(seed.expose()), config.byte(), token_id, Cut::<8>(&factor)),
    )
}

/// Empties a slot. Newer firmware wants the temporary password, older an
/// authorization before.
pub fn erase_slot(slot: OtpSlot, password: Option<&TemporaryPassword>) -> Query {
    Query::new(Command::EraseSlot, (slot.wire(), or_zeros(password)))
}

/// Which HOTP slots the lock keys of a keyboard call up (0xFF for none), and
/// whether codes want the user's PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneralConfig {
    pub num_lock: u8,
    pub caps_lock: u8,
    pub scroll_lock: u8,
    /// Whether a code is given only after the user's PIN.
    pub user_pin_for_codes: bool,
}

/// Sets the general configuration (newer firmware with the temporary password).
pub fn write_config(config: GeneralConfig, password: Option<&TemporaryPassword>) -> Query {
    let GeneralConfig { num_lock, caps_lock, scroll_lock, user_pin_for_codes } = config;
    let bytes = [num_lock, caps_lock, scroll_lock, user_pin_for_codes.into(), 0];
    Query::new(Command::WriteConfig, (bytes, or_zeros(password)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Digits, Kind, Slot};

    #[test]
    fn an_older_storage_gets_its_counter_in_digits() {
        let slot = OtpSlot::new(Kind::Hotp, Slot(1)).unwrap();
        let seed = Seed::new(&[7; 20]).unwrap();
        let write = |factor, form| {
            let config = SlotConfig::plain(Digits::Eight);
            write_slot_authorized(slot, &SlotName::cut("x"), &seed, factor, form, config, &[0; 13])
        };
        let digits = write(Factor::Counter(1234), CounterForm::Digits);
        assert_eq!(digits.bytes()[51..60], *b"1234\0\0\0\0\0");
        let number = write(Factor::Counter(0x1234), CounterForm::Number);
        assert_eq!(number.bytes()[51..59], 0x1234_u64.to_le_bytes());
        let most = write(Factor::Counter(u64::MAX), CounterForm::Digits);
        assert_eq!(most.bytes()[51..60], *b"9999999\0\0");
        assert_eq!(number.bytes()[..4], [0x01, 0x11, b'x', 0]);
        assert_eq!(number.bytes()[17..37], [7; 20]);
        assert_eq!(number.bytes()[37], 1);
    }

    #[test]
    fn temporary_passwords_have_no_zero_inside() {
        let password = TemporaryPassword::from_random(&[0; 24]);
        assert_eq!(password.bytes()[..24], [1; 24]);
        assert_eq!(password.bytes()[24], 0);
        assert!(TemporaryPassword::new(&[1; 26]).is_none());
    }

    #[test]
    fn long_pins_do_not_fit() {
        let pin = |length| Pin::new("1".repeat(length).into()).unwrap();
        assert!(FittingPin::new(&pin(25)).is_some());
        assert!(FittingPin::new(&pin(26)).is_none());
    }
}
