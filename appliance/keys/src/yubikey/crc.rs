//! The CRC-16 of everything that a YubiKey says and hears.
//!
//! ISO 13239: polynomial 0x1021 reflected to 0x8408, start 0xFFFF, no final
//! xor. A *block* (configuration, response, one-time password) carries the
//! complement of its CRC behind it, low byte first; a *frame* carries the CRC
//! of its payload as it is.

/// What [`crc16`] gives over a block followed by its own complemented CRC.
#[doc(alias = "YK_CRC_OK_RESIDUAL")]
pub const RESIDUE: u16 = 0xf0b8;

/// The CRC of `bytes`.
#[doc(alias = "yubikey_crc16")]
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte), |crc, _| if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ 0x8408 })
    })
}

/// The two bytes that close a block: its CRC complemented, low byte first.
pub fn seal(block: &[u8]) -> [u8; 2] {
    (!crc16(block)).to_le_bytes()
}

/// Whether `sealed` is a block with its right [`seal`] behind it.
#[must_use]
pub fn is_intact(sealed: &[u8]) -> bool {
    crc16(sealed) == RESIDUE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_value_of_the_standard() {
        // CRC-16/MCRF4XX is this CRC without the complement; its check value is 0x6F91.
        assert_eq!(crc16(b"123456789"), 0x6f91);
        assert_eq!(crc16(&[]), 0xffff);
    }

    #[test]
    fn a_sealed_block_leaves_the_residue_and_a_changed_one_does_not() {
        for length in 0..70 {
            let mut block: Vec<u8> = (0..length).map(|n| (n * 37) as u8).collect();
            let seal = seal(&block);
            block.extend(seal);
            assert!(is_intact(&block));
            block[0] ^= 0x10;
            assert!(!is_intact(&block));
        }
    }

    #[test]
    fn the_frame_crc_says_nothing_about_a_valid_configuration() {
        // Any sealed 52 bytes and 12 zeros leave the same register.
        let mut payload = [0; 64];
        payload[..50].copy_from_slice(&[0x5a; 50]);
        let sealed = seal(&payload[..50]);
        payload[50..52].copy_from_slice(&sealed);
        assert_eq!(crc16(&payload), 0x5695);
        assert_eq!(crc16(&[0; 64]), 0x5b6b);
    }
}
