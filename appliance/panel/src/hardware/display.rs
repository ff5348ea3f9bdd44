//! The display, driven by time as an argument.

use std::time::Duration;

use display_interface::DisplayError;
use ssd1306::command::{AddrMode, Command, VcomhLevel};
use ssd1306::size::{DisplaySize, DisplaySize128x32, DisplaySize128x64};

use super::bus::{Bus, BusError, OpenBus};
use super::delta::{Window, changes};
use super::status::{DisplayStatus, Trouble, is_sh1106};
use super::wire::Wire;
use crate::frame::Frame;
use crate::glass::Glass;
use crate::scene::Brightness;

/// Where the display is and how it is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisplayConfig {
    /// The number in `/dev/i2c-<bus>`.
    pub bus: u8,
    /// 0x3c, or 0x3d on modules that say so.
    pub address: u8,
    /// Its size.
    pub glass: Glass,
    /// Mounted upside down.
    pub upside_down: bool,
    /// 0 to 255. Half the contrast doubles the life of the glass and is hardly seen.
    pub contrast: u8,
}

impl Default for DisplayConfig {
    fn default() -> Self {
        Self { bus: 1, address: 0x3c, glass: Glass::Tall, upside_down: false, contrast: 0x9f }
    }
}

/// A display on a bus that may fail at any byte.
///
/// Whoever drives it calls [`refresh`](Self::refresh) when the picture changes
/// and when [`wake_at`](Self::wake_at) has come. It sends only what differs from
/// what the display has, asks every second whether the display is still there,
/// and writes everything anew now and then: a display that was off for a moment
/// between two questions acknowledges every byte and shows nothing.
pub struct Display {
    config: DisplayConfig,
    open: OpenBus,
    bus: Option<Box<dyn Bus>>,
    /// What the display's memory holds and how bright it is; `None` if unknown.
    shown: Option<(Frame, Brightness)>,
    /// Whether it is an SH1106, as far as it says.
    other: bool,
    status: DisplayStatus,
    failures: u32,
    /// When to try again after a failure.
    retry_at: Duration,
    /// When something was last acknowledged.
    heard_at: Duration,
    /// When everything was last written.
    written_at: Duration,
}

/// How often to ask whether the display is still there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How often everything is written anew: 24 ms of a bus at 400 kHz.
const REWRITE: Duration = Duration::from_secs(4);

/// The first and the longest wait after a failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// The contrast of a glass that rests, whatever the configured one.
const DIM_CONTRAST: u8 = 0x04;

impl Display {
    /// A display that is not connected yet.
    pub fn new(config: DisplayConfig, open: OpenBus) -> Self {
        Self {
            config,
            open,
            bus: None,
            shown: None,
            other: false,
            status: DisplayStatus::Starting,
            failures: 0,
            retry_at: Duration::ZERO,
            heard_at: Duration::ZERO,
            written_at: Duration::ZERO,
        }
    }

    pub fn status(&self) -> &DisplayStatus {
        &self.status
    }

    /// Makes the display show `frame`, or tries again, or asks whether it is
    /// still there: whatever is due at `now`. Failures end up in [`status`](Self::status).
    pub fn refresh(&mut self, now: Duration, frame: &Frame, brightness: Brightness) {
        if self.bus.is_none() && now < self.retry_at {
            return;
        }
        match self.try_refresh(now, frame, brightness) {
            Ok(()) => {
                self.failures = 0;
                let DisplayConfig { bus, address, .. } = self.config;
                let trouble = self.other.then_some(Trouble::Sh1106 { bus, address });
                self.status = trouble.map_or(DisplayStatus::Working, |trouble| DisplayStatus::Troubled {
                    trouble,
                    failures: 0,
                    retry_in: Duration::ZERO,
                });
            }
            Err(error) => self.failed(now, error),
        }
    }

    /// When [`refresh`](Self::refresh) has something to do although the picture stays.
    pub fn wake_at(&self) -> Duration {
        if self.bus.is_none() {
            self.retry_at
        } else {
            self.heard_at.saturating_add(HEARTBEAT).min(self.written_at.saturating_add(REWRITE))
        }
    }

    /// Turns the glass dark, for a station that goes off.
    pub fn switch_off(&mut self) {
        if let Some(mut bus) = self.bus.take() {
            let mut wire = Wire::new(bus.as_mut());
            // If it fails now, nobody looks at it any more.
            let _ = Command::DisplayOn(false).send(&mut wire);
            let _ = wire.finish();
        }
        self.shown = None;
        self.status = DisplayStatus::Starting;
    }

    fn try_refresh(&mut self, now: Duration, frame: &Frame, brightness: Brightness) -> Result<(), BusError> {
        let config = self.config;
        let bus = match &mut self.bus {
            Some(bus) => bus,
            None => {
                let bus = self.bus.insert((self.open)()?);
                self.other = bus.read(config.address).is_some_and(is_sh1106);
                bus
            }
        };
        // Unknown until the bytes are through.
        let shown = self.shown.take();
        let due = now >= self.written_at.saturating_add(REWRITE);
        match shown {
            Some((before, level)) => {
                let windows = changes(&before, frame);
                let dimmed = (level != brightness).then_some(brightness);
                if !windows.is_empty() || dimmed.is_some() {
                    // A change does not wait for upkeep, which is due right after it.
                    update(bus.as_mut(), &config, frame, &windows, dimmed)?;
                    self.heard_at = now;
                } else if due {
                    write_all(bus.as_mut(), &config, frame, brightness, false)?;
                    (self.heard_at, self.written_at) = (now, now);
                } else if now >= self.heard_at.saturating_add(HEARTBEAT) {
                    ask(bus.as_mut())?;
                    self.heard_at = now;
                }
            }
            None => {
                write_all(bus.as_mut(), &config, frame, brightness, true)?;
                (self.heard_at, self.written_at) = (now, now);
            }
        }
        self.shown = Some((frame.clone(), brightness));
        Ok(())
    }

    fn failed(&mut self, now: Duration, error: BusError) {
        let DisplayConfig { bus, address, .. } = self.config;
        let mut open = self.bus.take();
        let answers = |other| open.as_mut().is_some_and(|bus| bus.read(other).is_some());
        let trouble = Trouble::from_bus(error, bus, address, answers);
        self.shown = None;
        let (first, longest) = RETRY;
        let retry_in = first.saturating_mul(1 << self.failures.min(8)).min(longest);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now.saturating_add(retry_in);
        self.status = DisplayStatus::Troubled { trouble, failures: self.failures, retry_in };
    }
}

/// Sets everything up and writes the whole picture. A `fresh` display gets its
/// light last, so that nobody sees the noise in its memory; one that may be on
/// already is not darkened for it.
fn write_all(
    bus: &mut dyn Bus,
    config: &DisplayConfig,
    frame: &Frame,
    brightness: Brightness,
    fresh: bool,
) -> Result<(), BusError> {
    let mut wire = Wire::new(bus);
    let sent = (|| {
        if fresh {
            Command::DisplayOn(false).send(&mut wire)?;
        }
        set_up(&mut wire, config, brightness)?;
        send_window(&mut wire, frame, &Window::whole(config.glass))?;
        Command::DisplayOn(true).send(&mut wire)
    })();
    finish(wire, sent)
}

/// Whether the display is still there: a command that does nothing.
fn ask(bus: &mut dyn Bus) -> Result<(), BusError> {
    let mut wire = Wire::new(bus);
    let sent = Command::Noop.send(&mut wire);
    finish(wire, sent)
}

fn update(
    bus: &mut dyn Bus,
    config: &DisplayConfig,
    frame: &Frame,
    windows: &[Window],
    dimmed: Option<Brightness>,
) -> Result<(), BusError> {
    let mut wire = Wire::new(bus);
    let sent = (|| {
        if let Some(brightness) = dimmed {
            Command::Contrast(contrast(config, brightness)).send(&mut wire)?;
        }
        windows.iter().try_for_each(|window| send_window(&mut wire, frame, window))
    })();
    finish(wire, sent)
}

fn finish(wire: Wire<'_>, sent: Result<(), DisplayError>) -> Result<(), BusError> {
    // The wire knows the bus's error; the driver's own says less.
    let finished = wire.finish();
    finished.and(sent.map_err(|error| BusError::Other(format!("{error:?}"))))
}

/// Every register but the one that turns the light on (the order of the
/// datasheet's software initialisation chart, figure 2 of its application note).
fn set_up(wire: &mut Wire<'_>, config: &DisplayConfig, brightness: Brightness) -> Result<(), DisplayError> {
    let upright = !config.upside_down;
    for command in [
        Command::DisplayClockDiv(0x8, 0x0),
        Command::Multiplex(config.glass.height() - 1),
        Command::DisplayOffset(0),
        Command::StartLine(0),
        Command::ChargePump(true),
        Command::AddressMode(AddrMode::Horizontal),
        Command::SegmentRemap(upright),
        Command::ReverseComDir(upright),
    ] {
        command.send(wire)?;
    }
    match config.glass {
        Glass::Tall => DisplaySize128x64.configure(wire)?,
        Glass::Flat => DisplaySize128x32.configure(wire)?,
    }
    for command in [
        Command::Contrast(contrast(config, brightness)),
        Command::PreChargePeriod(1, 0xf),
        Command::VcomhDeselect(VcomhLevel::Auto),
        Command::AllOn(false),
        Command::Invert(false),
        Command::EnableScroll(false),
    ] {
        command.send(wire)?;
    }
    Ok(())
}

fn send_window(wire: &mut Wire<'_>, frame: &Frame, window: &Window) -> Result<(), DisplayError> {
    use display_interface::{DataFormat, WriteOnlyDataCommand};

    let (first, last) = window.pages;
    Command::ColumnAddress(window.columns.0, window.columns.1).send(wire)?;
    // The driver counts pages in rows.
    Command::PageAddress((first * 8).into(), (last * 8).into()).send(wire)?;
    let columns = usize::from(window.columns.0)..=usize::from(window.columns.1);
    let data: Vec<u8> = (first..=last)
        .flat_map(|page| frame.page(page).get(columns.clone()).unwrap_or_default())
        .copied()
        .collect();
    wire.send_data(DataFormat::U8(&data))
}

fn contrast(config: &DisplayConfig, brightness: Brightness) -> u8 {
    match brightness {
        Brightness::Full => config.contrast,
        Brightness::Dim => config.contrast.min(DIM_CONTRAST),
    }
}
