//! The display controller as the bus sees it: bytes in, picture out.
//!
//! Numbers of sections and tables are those of the SSD1306 datasheet, revision 1.1.

use crate::frame::Frame;
use crate::glass::Glass;

/// An SSD1306 on a module with this glass, mounted as modules are: upright with
/// the segments remapped and the commons scanned backwards (`A1`, `C8`).
///
/// It takes any bytes: what a real one ignores is kept in [`strange`](Self::strange).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssd1306 {
    glass: Glass,
    /// By page and segment: remapping happens when data arrives (section 10.1.8).
    ram: Vec<u8>,
    mode: Mode,
    column: u8,
    page: u8,
    columns: (u8, u8),
    pages: (u8, u8),
    /// Where a row starts in page addressing.
    page_mode_column: u8,
    segments_remapped: bool,
    commons_reversed: bool,
    start_line: u8,
    offset: u8,
    /// Rows driven, 16 to 64.
    multiplex: u8,
    com_pins: u8,
    contrast: u8,
    charge_pump: bool,
    on: bool,
    all_on: bool,
    inverted: bool,
    /// A command whose arguments are still to come.
    open: Option<Open>,
    strange: Vec<Strange>,
}

/// Something that our driver should never send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strange {
    /// A transfer without a control byte.
    Nothing,
    /// A control byte with bits that must be zero.
    Control(u8),
    /// A command that the datasheet does not have.
    Command(u8),
    /// A command whose arguments had not come when its transfer ended.
    Unfinished(u8),
    /// Hardware scrolling, which this twin does not show.
    Scroll(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Horizontal,
    Vertical,
    Page,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    command: u8,
    arguments: [u8; 6],
    have: usize,
    need: usize,
}

/// How many strange things are kept; a foreign byte stream must not fill the memory.
const MOST_STRANGE: usize = 32;

impl Ssd1306 {
    /// As it is after power-on: dark, with noise in its memory.
    pub fn new(glass: Glass) -> Self {
        // Real memory holds anything; this pattern has every bit both ways.
        let noise = (0..1024_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]);
        Self {
            glass,
            ram: noise.collect(),
            mode: Mode::Page,
            column: 0,
            page: 0,
            columns: (0, 127),
            pages: (0, 7),
            page_mode_column: 0,
            segments_remapped: false,
            commons_reversed: false,
            start_line: 0,
            offset: 0,
            multiplex: 64,
            com_pins: 0x12,
            contrast: 0x7f,
            charge_pump: false,
            on: false,
            all_on: false,
            inverted: false,
            open: None,
            strange: Vec::new(),
        }
    }

    /// Takes the bytes of one I2C write, without the address (section 8.1.5.2).
    pub fn transfer(&mut self, bytes: &[u8]) {
        let mut rest = bytes.iter().copied();
        let mut control = rest.next();
        if control.is_none() {
            self.note(Strange::Nothing);
        }
        while let Some(byte) = control {
            if byte & 0b0011_1111 != 0 {
                self.note(Strange::Control(byte));
            }
            let data = byte & 0x40 != 0;
            if byte & 0x80 == 0 {
                // The last control byte: all that follows is of one kind.
                for byte in rest.by_ref() {
                    self.take(byte, data);
                }
                break;
            }
            if let Some(byte) = rest.next() {
                self.take(byte, data);
            }
            control = rest.next();
        }
        if let Some(open) = self.open.take() {
            self.note(Strange::Unfinished(open.command));
        }
    }

    /// What a person sees on the glass. Nothing while the display is off or its
    /// charge pump does not run.
    pub fn picture(&self) -> Frame {
        let mut frame = Frame::new(self.glass);
        if !self.on || !self.charge_pump {
            return frame;
        }
        let height = self.glass.height();
        for y in 0..height {
            let Some(row) = self.row_at(y, height) else { continue };
            for x in 0..Glass::WIDTH {
                let segment = Glass::WIDTH - 1 - x;
                let byte = self.ram.get(place(row / 8, segment)).copied().unwrap_or(0);
                let lit = (byte >> (row % 8)) & 1 == 1;
                frame.set(x.into(), y.into(), self.all_on || lit != self.inverted);
            }
        }
        frame
    }

    /// The memory row that glass row `y` shows (tables 10-1 and 10-2); `None` if
    /// nothing drives that row.
    fn row_at(&self, y: u8, height: u8) -> Option<u8> {
        // Upright modules have common 0 at the bottom.
        let common = height - 1 - y;
        // Modules of 32 rows wire their commons in sequence (DA 02), those of 64
        // alternately (DA 12). Wired otherwise, rows come out interleaved.
        let wired = if self.glass == Glass::Flat { 0x02 } else { 0x12 };
        let common = if self.com_pins == wired { common } else { common / 2 + common % 2 * (height / 2) };
        let scanned = if self.commons_reversed { (self.multiplex + 63 - common % 64) % 64 } else { common };
        let line = (scanned + self.offset) % 64;
        (line < self.multiplex).then(|| (line + self.start_line) % 64)
    }

    /// Whether the display is on, whatever it shows.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// The contrast, 0 to 255.
    pub fn contrast(&self) -> u8 {
        self.contrast
    }

    /// What came that our driver should never send, at most the first 32 things.
    pub fn strange(&self) -> &[Strange] {
        &self.strange
    }

    fn note(&mut self, strange: Strange) {
        if self.strange.len() < MOST_STRANGE {
            self.strange.push(strange);
        }
    }

    fn take(&mut self, byte: u8, data: bool) {
        if data {
            self.store(byte);
            return;
        }
        match self.open.take() {
            Some(mut open) => {
                if let Some(argument) = open.arguments.get_mut(open.have) {
                    *argument = byte;
                }
                open.have += 1;
                if open.have < open.need {
                    self.open = Some(open);
                } else {
                    self.long(open.command, open.arguments);
                }
            }
            None => match arguments(byte) {
                0 => self.short(byte),
                need => self.open = Some(Open { command: byte, arguments: [0; 6], have: 0, need }),
            },
        }
    }

    fn store(&mut self, byte: u8) {
        let segment = if self.segments_remapped { 127 - self.column % 128 } else { self.column % 128 };
        if let Some(cell) = self.ram.get_mut(place(self.page, segment)) {
            *cell = byte;
        }
        // Section 10.1.3 and figures 10-1 to 10-4.
        match self.mode {
            Mode::Page => {
                self.column = if self.column >= 127 { self.page_mode_column } else { self.column + 1 };
            }
            Mode::Horizontal => {
                if step(&mut self.column, self.columns, 127) {
                    step(&mut self.page, self.pages, 7);
                }
            }
            Mode::Vertical => {
                if step(&mut self.page, self.pages, 7) {
                    step(&mut self.column, self.columns, 127);
                }
            }
        }
    }

    fn short(&mut self, command: u8) {
        let low = command & 0x0f;
        match command {
            0x00..=0x0f => self.page_mode_start(self.page_mode_column & 0xf0 | low),
            0x10..=0x1f => self.page_mode_start(self.page_mode_column & 0x0f | (low & 0x07) << 4),
            0x2e => {}
            0x2f => self.note(Strange::Scroll(command)),
            0x40..=0x7f => self.start_line = command & 0x3f,
            0xa0 | 0xa1 => self.segments_remapped = command & 1 == 1,
            0xa4 | 0xa5 => self.all_on = command & 1 == 1,
            0xa6 | 0xa7 => self.inverted = command & 1 == 1,
            0xae | 0xaf => self.on = command & 1 == 1,
            0xb0..=0xb7 => self.page = command & 0x07,
            0xc0..=0xcf => self.commons_reversed = command & 0x08 != 0,
            0xe3 => {}
            _ => self.note(Strange::Command(command)),
        }
    }

    fn page_mode_start(&mut self, column: u8) {
        self.page_mode_column = column & 0x7f;
        self.column = self.page_mode_column;
    }

    fn long(&mut self, command: u8, [first, second, ..]: [u8; 6]) {
        match command {
            0x20 => match first & 0x03 {
                0b00 => self.mode = Mode::Horizontal,
                0b01 => self.mode = Mode::Vertical,
                0b10 => self.mode = Mode::Page,
                _ => self.note(Strange::Command(command)),
            },
            0x21 => {
                self.columns = (first & 0x7f, second & 0x7f);
                self.column = self.columns.0;
            }
            0x22 => {
                self.pages = (first & 0x07, second & 0x07);
                self.page = self.pages.0;
            }
            0x26 | 0x27 | 0x29 | 0x2a | 0xa3 => self.note(Strange::Scroll(command)),
            0x81 => self.contrast = first,
            0x8d => self.charge_pump = first & 0x04 != 0,
            0xa8 => match first & 0x3f {
                rows @ 15..=63 => self.multiplex = rows + 1,
                _ => self.note(Strange::Command(command)),
            },
            0xd3 => self.offset = first & 0x3f,
            0xda => self.com_pins = first & 0x32,
            // Clock, pre-charge, deselect level: how fast and how bright, not what.
            _ => {}
        }
    }
}

fn place(page: u8, segment: u8) -> usize {
    usize::from(page % 8) * 128 + usize::from(segment)
}

/// Moves on within a window; says whether it started over.
fn step(at: &mut u8, (first, last): (u8, u8), end: u8) -> bool {
    let over = *at == last || *at >= end;
    *at = if over { first } else { *at + 1 };
    over
}

/// Bytes that follow a command (table 9-1).
const fn arguments(command: u8) -> usize {
    match command {
        0x20 | 0x81 | 0x8d | 0xa8 | 0xd3 | 0xd5 | 0xd9 | 0xda | 0xdb => 1,
        0x21 | 0x22 | 0xa3 => 2,
        0x29 | 0x2a => 5,
        0x26 | 0x27 => 6,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Off, as modules want it, then on; horizontal addressing.
    const SETUP: [u8; 16] =
        [0xae, 0xa8, 63, 0xd3, 0, 0x40, 0xa1, 0xc8, 0xda, 0x12, 0x8d, 0x14, 0x20, 0x00, 0xa4, 0xaf];

    fn command(chip: &mut Ssd1306, bytes: &[u8]) {
        chip.transfer(&[&[0x00], bytes].concat());
    }

    fn data(chip: &mut Ssd1306, bytes: &[u8]) {
        chip.transfer(&[&[0x40], bytes].concat());
    }

    fn ready() -> Ssd1306 {
        let mut chip = Ssd1306::new(Glass::Tall);
        command(&mut chip, &SETUP);
        data(&mut chip, &[0; 1024]);
        chip
    }

    #[test]
    fn it_is_dark_and_noisy_after_power_on() {
        let mut chip = Ssd1306::new(Glass::Tall);
        assert_eq!(chip.picture(), Frame::new(Glass::Tall));
        command(&mut chip, &SETUP);
        assert_ne!(chip.picture(), Frame::new(Glass::Tall));
        assert_eq!(ready().picture(), Frame::new(Glass::Tall));
        assert!(ready().strange().is_empty());
    }

    #[test]
    fn windows_wrap_in_both_directions() {
        for (mode, expect) in
            [(0x00, [(10, 8), (11, 8), (10, 16), (11, 16)]), (0x01, [(10, 8), (10, 16), (11, 8), (11, 16)])]
        {
            let mut chip = ready();
            command(&mut chip, &[0x20, mode, 0x21, 10, 11, 0x22, 1, 2]);
            for (x, y) in expect {
                data(&mut chip, &[1]);
                assert!(chip.picture().lit(x, y), "mode {mode}, {x},{y}");
            }
            data(&mut chip, &[2]);
            assert!(chip.picture().lit(10, 9) && !chip.picture().lit(10, 8), "back at the start");
        }
    }

    #[test]
    fn page_addressing_stays_in_its_page() {
        let mut chip = ready();
        command(&mut chip, &[0x20, 0x02, 0xb3, 0x0e, 0x17]);
        data(&mut chip, &[0x80, 0x80, 0x80]);
        let picture = chip.picture();
        assert!(picture.lit(126, 31) && picture.lit(127, 31));
        assert_eq!(
            picture.rows().flatten().filter(|lit| *lit).count(),
            2,
            "the third went over the second round"
        );
    }

    #[test]
    fn rows_move_invert_and_go_dark() {
        let mut chip = ready();
        data(&mut chip, &[1]);
        assert!(chip.picture().lit(0, 0));
        command(&mut chip, &[0x40 | 63]);
        assert!(chip.picture().lit(0, 1), "start line 63 shows the last row first");
        command(&mut chip, &[0x40, 0xd3, 1]);
        assert!(chip.picture().lit(0, 63), "an offset of one moves everything up");
        command(&mut chip, &[0xd3, 0, 0xa7]);
        assert!(!chip.picture().lit(0, 0) && chip.picture().lit(5, 5));
        command(&mut chip, &[0xa6, 0xa5]);
        assert!(chip.picture().lit(5, 5));
        command(&mut chip, &[0xa4, 0xc0]);
        assert!(chip.picture().lit(0, 63), "commons the other way round");
        command(&mut chip, &[0xc8, 0x81, 9]);
        assert_eq!(chip.contrast(), 9);
        command(&mut chip, &[0xa0]);
        assert!(chip.picture().lit(0, 0), "remapping moves only data that comes later");
        command(&mut chip, &[0x21, 0, 127, 0x22, 0, 7]);
        data(&mut chip, &[1]);
        assert!(chip.picture().lit(127, 0));
        command(&mut chip, &[0x8d, 0x10]);
        assert_eq!(chip.picture(), Frame::new(Glass::Tall), "no charge pump, no light");
        command(&mut chip, &[0x8d, 0x14, 0xae]);
        assert!(!chip.is_on());
    }

    #[test]
    fn a_flat_module_set_up_as_a_tall_one_is_scrambled() {
        let mut tall = Ssd1306::new(Glass::Flat);
        command(&mut tall, &SETUP);
        data(&mut tall, &[1; 1024]);
        let mut flat = Ssd1306::new(Glass::Flat);
        command(&mut flat, &[&SETUP[..], &[0xa8, 31, 0xda, 0x02]].concat());
        data(&mut flat, &[1; 1024]);
        assert!(flat.picture().lit(0, 0) && flat.picture().lit(0, 8));
        assert_ne!(tall.picture(), flat.picture());
    }

    #[test]
    fn single_bytes_with_their_own_control_byte() {
        let mut chip = ready();
        chip.transfer(&[0x80, 0x81, 0x80, 0x33, 0xc0, 0xff, 0x40, 0xff]);
        assert_eq!(chip.contrast(), 0x33);
        assert!(chip.picture().lit(0, 7) && chip.picture().lit(1, 7));
    }

    #[test]
    fn strange_bytes_are_noted_and_survived() {
        let mut chip = Ssd1306::new(Glass::Tall);
        for transfer in [&[][..], &[0x01], &[0x00, 0xff], &[0x00, 0x81], &[0x00, 0x2f]] {
            chip.transfer(transfer);
        }
        let expected = [
            Strange::Nothing,
            Strange::Control(1),
            Strange::Command(0xff),
            Strange::Unfinished(0x81),
            Strange::Scroll(0x2f),
        ];
        assert_eq!(chip.strange(), expected);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(transfers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..60)) {
            let mut chip = Ssd1306::new(Glass::Flat);
            for transfer in &transfers {
                chip.transfer(transfer);
                chip.picture();
            }
            prop_assert!(chip.strange().len() <= MOST_STRANGE);
        }
    }
}
