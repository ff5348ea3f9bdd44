//! Yubico's one-time password: an AES block with counters in it, typed in
//! modhex behind a public id (`ykdef.h`, struct `ticket_st`).

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

use super::crc;
use crate::bytes::{joined, take};
use crate::modhex::{self, ModhexError};
use crate::secret::{AesKey, PrivateId};

/// Letters of the encrypted part.
const CIPHER_LETTERS: usize = 32;
/// The longest public id, in bytes.
const LONGEST_PUBLIC_ID: usize = 16;

/// Why a text is not a one-time password of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OtpError {
    /// 32 to 64 letters, an even number.
    #[error("a Yubico OTP has 32 to 64 letters, not {0}")]
    Length(usize),
    /// A letter that is not modhex.
    #[error(transparent)]
    Modhex(#[from] ModhexError),
    /// The CRC inside is wrong: another key encrypted it.
    #[error("this one-time password was not made with that key")]
    OtherKey,
}

/// A one-time password as typed: public id in clear, token encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedOtp {
    public_id: Vec<u8>,
    cipher: [u8; 16],
}

impl TypedOtp {
    /// Reads the text, without ENTER. Caps lock does not matter.
    pub fn parse(text: &str) -> Result<Self, OtpError> {
        let wanted = CIPHER_LETTERS..=CIPHER_LETTERS + 2 * LONGEST_PUBLIC_ID;
        if !wanted.contains(&text.len()) || !text.len().is_multiple_of(2) {
            return Err(OtpError::Length(text.len()));
        }
        let bytes = modhex::decode(text)?;
        let (public_id, cipher) = bytes.split_last_chunk().ok_or(OtpError::Length(text.len()))?;
        Ok(Self { public_id: public_id.to_vec(), cipher: *cipher })
    }

    /// What identifies the key in clear: 0 to 16 bytes.
    pub fn public_id(&self) -> &[u8] {
        &self.public_id
    }

    /// The text as keys type it.
    pub fn text(&self) -> String {
        modhex::encode(&self.public_id) + &modhex::encode(&self.cipher)
    }

    /// Decrypts the token and checks the CRC in it.
    pub fn decrypt(&self, key: &AesKey) -> Result<Token, OtpError> {
        Token::decrypt(&self.cipher, key)
    }
}

/// What is inside a one-time password. The private id is secret, so there is no `Debug`.
pub struct Token {
    /// Identifies the slot; must be the one that was written.
    pub private_id: PrivateId,
    /// How often the key was powered up and used since it was written, from 1.
    /// 15 bits; the 16th meant "fired by keyboard" on firmware 1.
    pub use_counter: u16,
    /// About eight per second since power-up, from a random start; 24 bits.
    pub timestamp: u32,
    /// How many were made since power-up, from 0.
    pub session_use: u8,
    /// Noise.
    pub random: u16,
}

impl Token {
    /// The 16 bytes: private id, use counter, timestamp, session use, noise,
    /// and their CRC; numbers low byte first.
    pub fn encode(&self) -> Zeroizing<[u8; 16]> {
        let [time_low, time_middle, time_high, _] = self.timestamp.to_le_bytes();
        let time = [time_low, time_middle, time_high];
        let numbers = (self.use_counter.to_le_bytes(), time, self.session_use, self.random.to_le_bytes());
        let body: Zeroizing<[u8; 14]> = joined((self.private_id.expose(), numbers));
        joined((&*body, crc::seal(body.as_slice())))
    }

    /// Reads the 16 bytes; `None` when the CRC is wrong.
    pub fn parse(bytes: &[u8; 16]) -> Option<Self> {
        if !crc::is_intact(bytes) {
            return None;
        }
        let mut rest = bytes.as_slice();
        let private_id = PrivateId::from_array(&take(&mut rest)?);
        let use_counter = u16::from_le_bytes(take(&mut rest)?);
        let [low, middle, high] = take(&mut rest)?;
        let [session_use] = take(&mut rest)?;
        let random = u16::from_le_bytes(take(&mut rest)?);
        let timestamp = u32::from_le_bytes([low, middle, high, 0]);
        Some(Self { private_id, use_counter, timestamp, session_use, random })
    }

    /// Encrypts it as a key does, and puts `public_id` in front (cut to 16 bytes).
    pub fn encrypt(&self, public_id: &[u8], key: &AesKey) -> TypedOtp {
        let mut block = aes::Block::from(*self.encode());
        Aes128::new(&aes::cipher::Key::<Aes128>::from(*key.expose())).encrypt_block(&mut block);
        let public_id = public_id.iter().copied().take(LONGEST_PUBLIC_ID).collect();
        TypedOtp { public_id, cipher: block.into() }
    }

    /// Decrypts 16 bytes and checks the CRC: also the answer to a Yubico challenge.
    pub fn decrypt(cipher: &[u8; 16], key: &AesKey) -> Result<Self, OtpError> {
        let mut block = aes::Block::from(*cipher);
        Aes128::new(&aes::cipher::Key::<Aes128>::from(*key.expose())).decrypt_block(&mut block);
        let plain = Zeroizing::new(<[u8; 16]>::from(block));
        Self::parse(&plain).ok_or(OtpError::OtherKey)
    }

    /// The use counter without the bit that firmware 1 added to it.
    pub const fn powered_up(&self) -> u16 {
        self.use_counter & 0x7fff
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> AesKey {
        // The key and password of libyubikey's README.
        AesKey::new(&[
            0xec, 0xde, 0x18, 0xdb, 0xe7, 0x6f, 0xbd, 0x0c, 0x33, 0x33, 0x0f, 0x1c, 0x35, 0x48, 0x71, 0xdb,
        ])
        .unwrap()
    }

    #[test]
    fn the_example_of_libyubikey_is_read() {
        let typed = TypedOtp::parse("dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh").unwrap();
        assert_eq!(typed.public_id(), [0x2d, 0x34, 0x4e, 0x83]);
        let token = typed.decrypt(&key()).unwrap();
        assert_eq!(token.private_id.expose(), &[0x87, 0x92, 0xeb, 0xfe, 0x26, 0xcc]);
        assert_eq!((token.powered_up(), token.session_use), (19, 17));
        assert_eq!(token.timestamp, 49712);
        assert_eq!(token.random, 40904);
        assert_eq!(token.encrypt(typed.public_id(), &key()), typed);
    }

    #[test]
    fn another_key_is_noticed() {
        let typed = TypedOtp::parse("dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh").unwrap();
        let other = AesKey::new(&[0; 16]).unwrap();
        assert_eq!(typed.decrypt(&other).map(drop), Err(OtpError::OtherKey));
    }

    #[test]
    fn lengths_are_checked() {
        assert_eq!(TypedOtp::parse(&"c".repeat(30)), Err(OtpError::Length(30)));
        assert_eq!(TypedOtp::parse(&"c".repeat(33)), Err(OtpError::Length(33)));
        assert_eq!(TypedOtp::parse(&"c".repeat(66)), Err(OtpError::Length(66)));
        assert!(TypedOtp::parse(&"c".repeat(32)).is_ok());
        assert!(matches!(TypedOtp::parse(&"a".repeat(32)), Err(OtpError::Modhex(_))));
    }

    proptest! {
        #[test]
        fn reading_undoes_typing(
            id: [u8; 6], use_counter: u16, timestamp in 0u32..1 << 24, session_use: u8, random: u16,
            public_id in prop::collection::vec(any::<u8>(), 0..=16),
            key: [u8; 16],
        ) {
            let key = AesKey::from_array(&key);
            let token = Token { private_id: PrivateId::from_array(&id), use_counter, timestamp, session_use, random };
            let typed = TypedOtp::parse(&token.encrypt(&public_id, &key).text()).unwrap();
            prop_assert_eq!(typed.public_id(), public_id.as_slice());
            let again = typed.decrypt(&key).unwrap();
            prop_assert_eq!(again.private_id.expose(), &id);
            prop_assert_eq!(
                (again.use_counter, again.timestamp, again.session_use, again.random),
                (use_counter, timestamp, session_use, random)
            );
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = TypedOtp::parse(&text);
        }
    }
}
