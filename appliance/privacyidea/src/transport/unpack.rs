//! Answers that come compressed although nobody asked for it.

use std::io::Read;

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};

use crate::http::Lost;
use crate::secret::SecretBytes;

/// A body as it was before it was compressed. It grows to at most `longest` bytes, whatever it promises.
pub(super) fn unpacked(body: SecretBytes, packing: &str, longest: usize) -> Result<SecretBytes, Lost> {
    match packing {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => read(GzDecoder::new(body.reveal()), longest),
        // What is called so is wrapped by some and bare by others (RFC 9110, section 8.4.1.2).
        "deflate" => match read(ZlibDecoder::new(body.reveal()), longest) {
            Err(Lost::Truncated) => read(DeflateDecoder::new(body.reveal()), longest),
            read => read,
        },
        other => Err(Lost::Compressed(other.chars().filter(char::is_ascii_graphic).take(20).collect())),
    }
}

fn read(mut from: impl Read, longest: usize) -> Result<SecretBytes, Lost> {
    let mut body = SecretBytes::with_capacity(16 * 1024);
    let mut chunk = zeroize::Zeroizing::new([0; 4096]);
    loop {
        match from.read(chunk.as_mut_slice()) {
            Ok(0) => return Ok(body),
            Ok(read) if read > longest.saturating_sub(body.len()) => return Err(Lost::TooLong),
            Ok(read) => body.append(chunk.get(..read).unwrap_or_default()),
            Err(_) => return Err(Lost::Truncated),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    #[test]
    fn what_is_compressed_is_read_within_bounds() {
        let text = vec![b'a'; 100_000];
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&text).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(&text).unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::best());
        bare.write_all(&text).unwrap();
        let packed = [
            ("gzip", gzip.finish().unwrap()),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", bare.finish().unwrap()),
        ];
        for (how, bytes) in packed {
            let whole = unpacked(SecretBytes::copy_of(&bytes), how, 200_000).unwrap();
            assert_eq!(whole.reveal(), text, "{how}");
            assert_eq!(
                unpacked(SecretBytes::copy_of(&bytes), how, 50_000).err(),
                Some(Lost::TooLong),
                "{how}"
            );
            let cut = SecretBytes::copy_of(&bytes[..bytes.len() / 2]);
            assert!(unpacked(cut, how, 200_000).is_err(), "{how}");
        }
        let other = unpacked(SecretBytes::copy_of(b"x"), "br", 10).err();
        assert_eq!(other, Some(Lost::Compressed("br".to_owned())));
    }
}
