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
use super::modhex;
use super::typed::usage;
use crate::bytes::padded;
use crate::device::{Digits, Kind};
use crate::secret::{AccessCode, AesKey, Pin, PrivateId, Seed};

/// The flags that every builder starts from; see the module.
pub const USUAL_EXT: ExtFlags = ExtFlags::SERIAL_BY_API.with(ExtFlags::ALLOW_UPDATE);

/// Bytes of an OATH key in a slot.
pub const OATH_KEY: usize = 20;

/// How an OATH token id is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenIdForm {
    /// All as digits.
    Digits,
    /// The first byte (manufacturer) in modhex.
    Modhex1,
    /// The first two bytes (manufacturer and type) in modhex.
    Modhex2,
    /// All in modhex.
    Modhex,
}

/// What an HOTP slot types in front of each code: up to 16 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OathId {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How they are typed.
    pub form: TokenIdForm,
}

impl OathId {
    /// A text in modhex; `None` for other text, and for more than 32 letters.
    pub fn modhex(text: &str) -> Option<Self> {
        let bytes = modhex::decode(text).ok().filter(|bytes| (1..=16).contains(&bytes.len()))?;
        Some(Self { bytes: bytes.to_vec(), form: TokenIdForm::Modhex })
    }

    /// `ubhe` (Yubico, YubiKey) and eight decimal digits (OATH token identifier
    /// specification, class A): the text that a key of this serial types.
    pub fn of_serial(serial: u32) -> Self {
        let digits = serial % 100_000_000;
        let pair = |position: u32| {
            let two = digits / 100_u32.pow(position) % 100;
            (two / 10 * 16 + two % 10) as u8
        };
        let bytes = vec![0xe1, 0x63, pair(3), pair(2), pair(1), pair(0)];
        Self { bytes, form: TokenIdForm::Modhex2 }
    }

    /// What the key types in front of a code.
    pub fn text(&self) -> String {
        let modhex_bytes = match self.form {
            TokenIdForm::Digits => 0,
            TokenIdForm::Modhex1 => 1,
            TokenIdForm::Modhex2 => 2,
            TokenIdForm::Modhex => 16,
        };
        let (letters, digits) = self.bytes.split_at_checked(modhex_bytes).unwrap_or((&self.bytes, &[]));
        let mut text = modhex::encode(letters);
        text.extend(digits.iter().map(|byte| format!("{byte:02x}")));
        text
    }
}

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
        let all: Zeroizing<[u8; 38]> =
            Zeroizing::new(padded(&codes).ok_or(ConfigError::PasswordLength(length))?);
        let mut config = Self::blank(USUAL_EXT, TktFlags::ENTER, CfgFlags::SHORT_TICKET);
        // The password runs through all three fields, so the first counts as full.
        config.fixed_length = 16;
        let places = config.fixed.iter_mut().chain(&mut config.uid).chain(&mut config.key);
        for (to, from) in places.zip(all.iter()) {
            *to = *from;
        }
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

    /// Yubico OTP challenge-response.
    pub fn challenge_yubico(private_id: &PrivateId, key: &AesKey, touch: bool) -> Self {
        let mut cfg = CfgFlags::CHALLENGE_YUBICO;
        if touch {
            cfg = cfg | CfgFlags::CHALLENGE_TOUCH;
        }
        let mut config = Self::blank(USUAL_EXT, TktFlags::OATH, cfg);
        config.uid = *private_id.expose();
        config.key = *key.expose();
        config
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
            _ => (TktFlags::ENTER, CfgFlags::NONE),
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
        let length = seed.expose().len();
        let whole: Zeroizing<[u8; OATH_KEY]> =
            Zeroizing::new(padded(seed.expose()).ok_or(ConfigError::KeyTooLong(length))?);
        for (to, from) in self.key.iter_mut().chain(self.uid.iter_mut().take(4)).zip(whole.iter()) {
            *to = *from;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Firmware;
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    fn seed(bytes: &[u8]) -> Seed {
        Seed::new(bytes).unwrap()
    }

    #[test]
    fn eight_digits_are_never_taken_for_hmac() {
        let config = SlotConfig::hotp(&seed(&[1; 20]), Digits::Eight).unwrap();
        assert_eq!(config.mode(), Mode::Hotp(Digits::Eight));
        assert_eq!(config.cfg().bits(), 0x02);
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
    fn every_builder_keeps_the_serial_readable() {
        let id = PrivateId::new(&[1; 6]).unwrap();
        let key = AesKey::new(&[2; 16]).unwrap();
        let configs = [
            SlotConfig::hotp(&seed(&[1]), Digits::Six).unwrap(),
            SlotConfig::yubico_otp(&[], &id, &key).unwrap(),
            SlotConfig::static_password(&Pin::new(Zeroizing::new("x".into())).unwrap()).unwrap(),
            SlotConfig::challenge_hmac(&seed(&[1]), true).unwrap(),
            SlotConfig::challenge_yubico(&id, &key, false),
        ];
        for config in configs {
            assert!(config.ext().contains(ExtFlags::SERIAL_BY_API));
            let old = config.fitted_to(Firmware::new(2, 2, 3));
            assert_eq!(old.ext().bits(), 0x04, "2.2.3 refuses bits of 2.3 (ykman issue 368)");
        }
    }

    #[test]
    fn counters_are_multiples_of_sixteen_up_to_0xffff0() {
        let start = |counter| {
            SlotConfig::hotp(&seed(&[1; 20]), Digits::Six)
                .unwrap()
                .with_initial_counter(counter)
                .map(|config| config.initial_counter().unwrap())
        };
        assert_eq!(start(0), Ok(0));
        assert_eq!(start(0x120), Ok(0x120));
        assert_eq!(start(0xffff0), Ok(0xffff0));
        assert_eq!(start(0x100000), Err(ConfigError::Counter(0x100000)));
        assert_eq!(start(17), Err(ConfigError::Counter(17)));
        let config =
            SlotConfig::hotp(&seed(&[1; 20]), Digits::Six).unwrap().with_initial_counter(0x12340).unwrap();
        assert_eq!(config.encode()[20..22], [0x12, 0x34], "big-endian, unlike everything else");
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
    fn what_an_id_says_it_is_typed_as_is_what_the_slot_types() {
        assert_eq!(OathId::of_serial(12_345).text(), "ubhe00012345");
        assert_eq!(OathId::of_serial(4_294_967_295).text(), "ubhe94967295");
        assert_eq!(OathId::modhex("vvcbcdce").unwrap().text(), "vvcbcdce");
        assert!(OathId::modhex("ab").is_none() && OathId::modhex("").is_none());
        for id in [OathId::of_serial(12_345_678), OathId::modhex("vvcb").unwrap()] {
            let config = SlotConfig::hotp(&seed(&[1; 20]), Digits::Six).unwrap();
            let config = config.with_token_id(&id.bytes, id.form).unwrap();
            assert_eq!(config.token_id_text(), Some(id.text()));
        }
    }

    #[test]
    fn an_update_of_the_code_changes_nothing_else() {
        let code = AccessCode::new(b"newnew").unwrap();
        let mut hotp = SlotConfig::hotp(&seed(&[1; 20]), Digits::Eight).unwrap();
        let mut hmac = SlotConfig::challenge_hmac(&seed(&[1; 20]), true).unwrap();
        for (config, kind) in [(&mut hotp, Kind::Hotp), (&mut hmac, Kind::ChallengeResponse)] {
            let before = (config.ext(), config.tkt(), config.cfg(), config.oath_key().unwrap());
            assert!(config.update_with(&SlotConfig::new_code_update(kind, true, &code)));
            assert!(config.new_code().same_as(&code));
            assert_eq!((config.ext(), config.tkt(), config.cfg()), (before.0, before.1, before.2));
            assert!(config.oath_key().unwrap().same_as(&before.3));
        }
    }

    #[test]
    fn the_token_id_is_typed_in_the_form_chosen() {
        let typed = |form| {
            SlotConfig::hotp(&seed(&[1; 20]), Digits::Six)
                .unwrap()
                .with_token_id(&[0xe1, 0xe2, 0x00, 0x11], form)
                .unwrap()
                .token_id_text()
                .unwrap()
        };
        assert_eq!(typed(TokenIdForm::Digits), "e1e20011");
        assert_eq!(typed(TokenIdForm::Modhex1), "ube20011");
        assert_eq!(typed(TokenIdForm::Modhex2), "ubud0011");
        assert_eq!(typed(TokenIdForm::Modhex), "ubudccbb");
    }

    #[test]
    fn an_update_needs_the_allow_update_flag_and_changes_only_its_bits() {
        let update = SlotConfig::update(
            ExtFlags::NUMERIC_KEYPAD,
            TktFlags::from_bits(0xff),
            CfgFlags::from_bits(0xff),
        );
        let mut config = SlotConfig::hotp(&seed(&[1; 20]), Digits::Six).unwrap();
        assert!(config.update_with(&update));
        assert_eq!((config.ext().bits(), config.tkt().bits(), config.cfg().bits()), (0x08, 0x7f, 0x0c));
        assert_eq!(config.mode(), Mode::Hotp(Digits::Six));
        assert!(!config.update_with(&update), "the update took the flag away");
    }

    #[test]
    fn fitting_never_changes_the_mode() {
        let config =
            SlotConfig::hotp(&seed(&[1; 20]), Digits::Six).unwrap().fitted_to(Firmware::new(2, 0, 2));
        assert_eq!(config.mode(), Mode::Hotp(Digits::Six));
        assert!(!config.mode().is_known_to(Firmware::new(2, 0, 2)));
    }

    proptest! {
        #[test]
        fn parse_undoes_encode(
            key in prop::collection::vec(any::<u8>(), 1..=20),
            sixteenth: u16,
            id in prop::collection::vec(any::<u8>(), 0..=16),
            code: [u8; 6],
        ) {
            let counter = u32::from(sixteenth) * 16;
            let config = SlotConfig::hotp(&seed(&key), Digits::Eight).unwrap()
                .with_initial_counter(counter).unwrap()
                .with_token_id(&id, TokenIdForm::Modhex1).unwrap()
                .with_new_code(&AccessCode::new(&code).unwrap());
            let again = SlotConfig::parse(&config.encode()).unwrap();
            prop_assert_eq!(again.encode(), config.encode());
            prop_assert_eq!(again.initial_counter(), Some(counter));
            prop_assert_eq!(again.fixed(), id.as_slice());
            prop_assert!(again.new_code().expose() == &code);
            let mut padded = key.clone();
            padded.resize(20, 0);
            prop_assert!(again.oath_key().unwrap().expose() == padded.as_slice());
        }

        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 50)) {
            let mut bytes = [0; 52];
            bytes[..50].copy_from_slice(&body);
            prop_assume!(SlotConfig::parse(&bytes).is_err() || crate::yubikey::crc::is_intact(&bytes));
            bytes[50..].copy_from_slice(&crate::yubikey::crc::seal(&body));
            if let Ok(config) = SlotConfig::parse(&bytes) {
                prop_assert!(config.encode().as_slice() == bytes.as_slice());
                let _ = (config.oath_key(), config.scan_codes(), config.token_id_text(), config.yubico_key());
            }
        }
    }
}
