//! Opening HID nodes for reports. hidapi does it in the appliance, a fake in tests.

use std::ffi::CString;
use std::sync::OnceLock;
use std::time::Duration;

use hidapi::{HidApi, HidDevice};

/// An opened HID node. Errors are texts for a person: what they mean is asked of sysfs.
pub(crate) trait Handle: Send {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), String>;
    fn feature(&mut self, buffer: &mut [u8]) -> Result<usize, String>;
    fn output(&mut self, packet: &[u8]) -> Result<(), String>;
    /// 0 when nothing came in time.
    fn input(&mut self, buffer: &mut [u8], within: Duration) -> Result<usize, String>;
}

/// Opens nodes.
pub(crate) trait Opener: Send + Sync {
    /// `path` is that of a node of `/dev`.
    fn open(&self, path: &str) -> Result<Box<dyn Handle>, String>;
}

/// hidapi's door.
///
/// hidapi lists all HID devices when it begins, which takes a fifth of a second for
/// each, cannot be called off, and tells nothing that is wanted here. So it begins
/// once, on a thread of its own, before keys matter.
#[derive(Default)]
pub(crate) struct HidOpener {
    api: OnceLock<Result<HidApi, String>>,
}

impl HidOpener {
    pub(crate) fn begin(&self) -> &Result<HidApi, String> {
        self.api.get_or_init(|| HidApi::new().map_err(|error| error.to_string()))
    }
}

impl Opener for HidOpener {
    fn open(&self, path: &str) -> Result<Box<dyn Handle>, String> {
        let api = self.begin().as_ref().map_err(Clone::clone)?;
        let path = CString::new(path).map_err(|error| error.to_string())?;
        let device = api.open_path(&path).map_err(|error| error.to_string())?;
        Ok(Box::new(Hid(device)))
    }
}

struct Hid(HidDevice);

impl Handle for Hid {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), String> {
        self.0.send_feature_report(report).map_err(|error| error.to_string())
    }

    fn feature(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        self.0.get_feature_report(buffer).map_err(|error| error.to_string())
    }

    fn output(&mut self, packet: &[u8]) -> Result<(), String> {
        let sent = self.0.write(packet).map_err(|error| error.to_string())?;
        if sent == packet.len() {
            Ok(())
        } else {
            Err(format!("{sent} of {} bytes were taken", packet.len()))
        }
    }

    fn input(&mut self, buffer: &mut [u8], within: Duration) -> Result<usize, String> {
        let milliseconds = i32::try_from(within.as_millis()).unwrap_or(i32::MAX);
        self.0.read_timeout(buffer, milliseconds).map_err(|error| error.to_string())
    }
}
