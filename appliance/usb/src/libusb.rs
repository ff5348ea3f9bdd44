//! libusb's hotplug events: a device came to, or left, a port.
//!
//! The callback takes only what libusb has in memory. Asking a device for its
//! configuration there would wait for the device's lock, and hold all other events up for
//! as long as a device hangs.

use std::sync::Arc;
use std::time::Duration;

use rusb::{Context, Device, Hotplug, HotplugBuilder, UsbContext};

use crate::port::PortPath;
use crate::signals::{Signals, Source};

/// libusb comes back from waiting by itself after this. Nothing needs it to: a long
/// time keeps an idle station asleep.
const WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Listens by libusb.
pub(crate) struct Libusb;

impl Source for Libusb {
    fn listen(&mut self, signals: &Arc<Signals>) -> Result<(), String> {
        let said = |error: rusb::Error| format!("libusb: {error}");
        // A context of our own: the global one panics when there is no USB.
        let context = Context::new().map_err(said)?;
        let interrupt = context.clone();
        signals.on_stop(Box::new(move || interrupt.interrupt_handle_events()));
        let callback = Box::new(Callback(Arc::clone(signals)));
        // Dropped before the context. What is there already is found in sysfs.
        let _registration = HotplugBuilder::new().register(&context, callback).map_err(said)?;
        signals.listening();
        while !signals.stopped() {
            match context.handle_events(Some(WAIT)) {
                Ok(()) | Err(rusb::Error::Interrupted) => {}
                Err(error) => return Err(said(error)),
            }
        }
        Ok(())
    }
}

struct Callback(Arc<Signals>);

impl Callback {
    fn tell(&self, device: &Device<Context>) {
        let ports = device.port_numbers().unwrap_or_default();
        // A root hub has no port.
        if let Some(port) = PortPath::new(device.bus_number(), &ports) {
            self.0.port(port);
        }
    }
}

impl Hotplug<Context> for Callback {
    fn device_arrived(&mut self, device: Device<Context>) {
        self.tell(&device);
    }

    fn device_left(&mut self, device: Device<Context>) {
        self.tell(&device);
    }
}
