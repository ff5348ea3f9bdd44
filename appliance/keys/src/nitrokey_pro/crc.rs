//! The CRC-32 of the STM32's hardware: polynomial 04C11DB7, initial value
//! FFFFFFFF, not reflected, no final xor, fed with little-endian 32-bit words
//! (nitrokey-pro-firmware `report_protocol.c`; the Storage computes the same).

use crate::bytes::padded;

/// The CRC of `bytes`. A last word that is not whole counts with zeros behind it;
/// reports have 60 bytes, so that does not happen.
pub fn crc32(bytes: &[u8]) -> u32 {
    bytes.chunks(4).fold(u32::MAX, |crc, chunk| {
        (0..32).fold(crc ^ u32::from_le_bytes(padded(chunk).unwrap_or_default()), |crc, _| {
            let carry = if crc & 0x8000_0000 == 0 { 0 } else { 0x04c1_1db7 };
            crc << 1 ^ carry
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_empty_status_request() {
        // The first report of libnitrokey's transcript.
        assert_eq!(crc32(&[0; 60]).to_le_bytes(), [0xdf, 0xb7, 0x6e, 0xef]);
    }

    #[test]
    fn every_bit_counts() {
        let good = crc32(&[0x5a; 60]);
        for bit in 0..480 {
            let mut bytes = [0x5a; 60];
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(crc32(&bytes), good, "{bit}");
        }
    }
}
