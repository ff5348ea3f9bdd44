//! Frames as PNG files, still and moving.

use std::time::Duration;

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

use crate::frame::Frame;
use crate::glass::Glass;

/// A frame as a PNG of one bit a pixel, each pixel of the glass `scale` by `scale` (1 to 16).
///
/// # Errors
/// Those of the PNG encoder; none is expected.
pub fn png(frame: &Frame, scale: u8) -> Result<Vec<u8>, EncodingError> {
    let scale = scale.clamp(1, MOST);
    let mut file = Vec::new();
    let mut writer = encoder(&mut file, frame.glass(), scale).write_header()?;
    writer.write_image_data(&pixels(frame, scale))?;
    writer.finish()?;
    Ok(file)
}

/// Frames and how long each stays.
pub type Film = Vec<(Frame, Duration)>;

/// A sequence as an animated PNG that repeats for ever. A viewer without
/// animation shows the first frame. Frames of another glass than the first one's are left out.
///
/// # Errors
/// Those of the PNG encoder, and its "no frames" for an empty film.
pub fn film(film: &[(Frame, Duration)], scale: u8) -> Result<Vec<u8>, EncodingError> {
    let scale = scale.clamp(1, MOST);
    let glass = film.first().map(|(frame, _)| frame.glass()).unwrap_or_default();
    let frames: Vec<_> = film.iter().filter(|(frame, _)| frame.glass() == glass).collect();
    let mut file = Vec::new();
    let mut encoder = encoder(&mut file, glass, scale);
    encoder.set_animated(u32::try_from(frames.len()).unwrap_or(u32::MAX), 0)?;
    let mut writer = encoder.write_header()?;
    for (frame, stays) in frames {
        let ms = u16::try_from(stays.as_millis()).unwrap_or(u16::MAX);
        writer.set_frame_delay(ms, 1000)?;
        writer.write_image_data(&pixels(frame, scale))?;
    }
    writer.finish()?;
    Ok(file)
}

const MOST: u8 = 16;

fn encoder(file: &mut Vec<u8>, glass: Glass, scale: u8) -> Encoder<'_, &mut Vec<u8>> {
    let size = glass.size() * u32::from(scale);
    let mut encoder = Encoder::new(file, size.width, size.height);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    encoder.set_compression(Compression::High);
    encoder
}

/// Rows of bits, the left pixel in the top bit; 128 times any scale is whole bytes.
fn pixels(frame: &Frame, scale: u8) -> Vec<u8> {
    let scale = usize::from(scale);
    let mut data = Vec::with_capacity(frame.bytes().len() * scale * scale);
    for row in frame.rows() {
        let bits: Vec<bool> = row.flat_map(|lit| std::iter::repeat_n(lit, scale)).collect();
        let bytes: Vec<u8> = bits
            .chunks(8)
            .map(|eight| eight.iter().fold(0, |byte, &lit| byte << 1 | u8::from(lit)))
            .collect();
        for _ in 0..scale {
            data.extend_from_slice(&bytes);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(file: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut data = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut data).unwrap();
        data.truncate(info.buffer_size());
        (info.width, info.height, data)
    }

    #[test]
    fn a_png_is_the_frame() {
        let mut frame = Frame::new(Glass::Flat);
        frame.set(0, 0, true);
        frame.set(127, 31, true);
        let (width, height, data) = decode(&png(&frame, 1).unwrap());
        assert_eq!((width, height), (128, 32));
        assert_eq!((data[0], data[1]), (0x80, 0));
        assert_eq!(data.last(), Some(&0x01));
        let (width, height, data) = decode(&png(&frame, 3).unwrap());
        assert_eq!((width, height), (384, 96));
        assert_eq!((data[0], data[48 * 2], data[48 * 3]), (0xe0, 0xe0, 0));
    }

    #[test]
    fn a_film_has_its_frames() {
        let dark = Frame::new(Glass::Tall);
        let mut lit = dark.clone();
        lit.set(5, 5, true);
        let other = Frame::new(Glass::Flat);
        let ms = Duration::from_millis;
        let file = film(&[(dark, ms(100)), (lit, ms(70_000)), (other, ms(1))], 2).unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        assert_eq!(reader.info().animation_control().unwrap().num_frames, 2);
        assert!(film(&[], 1).is_err());
    }
}
