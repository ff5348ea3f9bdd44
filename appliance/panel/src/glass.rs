//! The two glasses that the panel is drawn for.

use embedded_graphics::geometry::Size;

/// A display's size. Both are 128 pixels wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Glass {
    /// 128x64, as on 0.96" and 1.3" modules. On two-coloured ones the upper 16
    /// rows are the yellow ones: the layouts keep their header there.
    #[default]
    Tall,
    /// 128x32, as on 0.91" modules.
    Flat,
}

impl Glass {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Tall, Self::Flat];

    /// Columns.
    pub const WIDTH: u8 = 128;

    /// Rows.
    pub const fn height(self) -> u8 {
        match self {
            Self::Tall => 64,
            Self::Flat => 32,
        }
    }

    /// Bands of eight rows, as the SSD1306 counts them.
    pub const fn pages(self) -> u8 {
        self.height() / 8
    }

    /// Width and height in pixels.
    pub const fn size(self) -> Size {
        Size::new(Self::WIDTH as u32, self.height() as u32)
    }

    /// The glass that a target of this size is drawn as.
    pub const fn of(size: Size) -> Self {
        if size.height < 64 { Self::Flat } else { Self::Tall }
    }

    /// `128x64` or `128x32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tall => "128x64",
            Self::Flat => "128x32",
        }
    }
}
