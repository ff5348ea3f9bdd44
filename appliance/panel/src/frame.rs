//! A picture in memory, in the SSD1306's own order.

use std::convert::Infallible;

use embedded_graphics::{Pixel, pixelcolor::BinaryColor, prelude::*};

use crate::glass::Glass;

/// One picture: a byte is eight pixels of a column, the top one in bit 0, and
/// 128 bytes make a page of eight rows (SSD1306 datasheet, section 8.7).
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    glass: Glass,
    // 128 * glass.pages() bytes
    bytes: Vec<u8>,
}

impl Frame {
    /// A dark picture.
    pub fn new(glass: Glass) -> Self {
        Self { glass, bytes: vec![0; usize::from(Glass::WIDTH) * usize::from(glass.pages())] }
    }

    /// The glass it is for.
    pub fn glass(&self) -> Glass {
        self.glass
    }

    /// 512 or 1024 bytes, page after page.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The 128 bytes of page `page`; empty past the last page.
    pub fn page(&self, page: u8) -> &[u8] {
        let start = usize::from(page) * usize::from(Glass::WIDTH);
        self.bytes.get(start..start + usize::from(Glass::WIDTH)).unwrap_or_default()
    }

    /// Whether the pixel is lit; outside the glass none is.
    pub fn lit(&self, x: i32, y: i32) -> bool {
        Self::place(self.glass, x, y)
            .is_some_and(|(at, bit)| self.bytes.get(at).is_some_and(|byte| byte & bit != 0))
    }

    /// Lights or darkens a pixel; outside the glass nothing happens.
    pub fn set(&mut self, x: i32, y: i32, lit: bool) {
        if let Some((at, bit)) = Self::place(self.glass, x, y)
            && let Some(byte) = self.bytes.get_mut(at)
        {
            *byte = if lit { *byte | bit } else { *byte & !bit };
        }
    }

    /// Rows from the top, each 128 pixels from the left.
    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = bool>> {
        (0..i32::from(self.glass.height()))
            .map(move |y| (0..i32::from(Glass::WIDTH)).map(move |x| self.lit(x, y)))
    }

    fn place(glass: Glass, x: i32, y: i32) -> Option<(usize, u8)> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        let inside = x < usize::from(Glass::WIDTH) && y < usize::from(glass.height());
        inside.then(|| (y / 8 * usize::from(Glass::WIDTH) + x, 1 << (y % 8)))
    }
}

impl OriginDimensions for Frame {
    fn size(&self) -> Size {
        self.glass.size()
    }
}

impl DrawTarget for Frame {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(at, color) in pixels {
            self.set(at.x, at.y, color.is_on());
        }
        Ok(())
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "Frame {}", self.glass.name())?;
        for row in self.rows() {
            let row: String = row.map(|lit| if lit { '#' } else { '.' }).collect();
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_where_the_controller_has_them() {
        let mut frame = Frame::new(Glass::Tall);
        frame.set(3, 10, true);
        assert_eq!(frame.bytes().get(128 + 3), Some(&0b100));
        assert!(frame.lit(3, 10));
        frame.set(3, 10, false);
        assert_eq!(frame, Frame::new(Glass::Tall));
        for outside in [(-1, 0), (0, -1), (128, 0), (0, 64)] {
            frame.set(outside.0, outside.1, true);
        }
        assert_eq!(frame, Frame::new(Glass::Tall));
        assert_eq!(Frame::new(Glass::Flat).bytes().len(), 512);
        assert_eq!(frame.page(8), &[] as &[u8]);
    }
}
