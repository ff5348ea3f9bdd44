//! What the USB tells, as the station wants it: keys with a wire and their keystrokes.
//!
//! ```no_run
//! # async fn example() -> Result<(), usb::StartError> {
//! let (sender, mut rim) = tokio::sync::mpsc::channel(dispatch::hotplug::BACKLOG);
//! let watcher = dispatch::hotplug::watch(usb::Policy::default(), usb::Places::default(), sender)?;
//! while let Some(told) = rim.recv().await {
//!     // …
//! }
//! # drop(watcher);
//! # Ok(())
//! # }
//! ```

use tokio::sync::mpsc;
use usb::{Arrived, Event, Places, Policy, StartError, Watcher};

use crate::key_thread::{KEYSTROKES, Plugged};
use crate::scheduler::Hotplug;

/// How much may wait to be heard. The watch waits when more does.
pub const BACKLOG: usize = 64;

/// Watches the ports until the watcher is dropped, or nobody hears it any more.
///
/// # Errors
///
/// When the kernel has no thread or descriptor left.
pub fn watch(policy: Policy, places: Places, to: mpsc::Sender<Hotplug>) -> Result<Watcher, StartError> {
    Watcher::start(policy, places, move |event| {
        for told in translate(event) {
            // Nobody hears it any more when the station stops.
            let _ = to.blocking_send(told);
        }
    })
}

fn translate(event: Event) -> Vec<Hotplug> {
    match event {
        Event::Arrived(arrived) => {
            let port = arrived.port.to_string();
            let again = arrived.again.then(|| {
                tracing::info!(port, "the key came back under its own or another name");
                Hotplug::Left { port }
            });
            again.into_iter().chain([Hotplug::Arrived(plugged(arrived))]).collect()
        }
        Event::Left(port) => vec![Hotplug::Left { port: port.to_string() }],
        Event::Stranger { port, what } => vec![Hotplug::Stranger { port: port.to_string(), what }],
        Event::Lost(why) => vec![Hotplug::Lost(why)],
        Event::Found => {
            tracing::info!("the USB ports are watched again");
            Vec::new()
        }
    }
}

fn plugged(arrived: Arrived) -> Plugged {
    let Arrived { port, ids: (vendor, product), wire, typing, .. } = arrived;
    let (sender, keystrokes) = mpsc::channel(KEYSTROKES);
    typing.deliver_to(move |keystroke| match sender.try_send(keystroke) {
        Ok(()) => true,
        // A code with strokes missing is told as such when it is read.
        Err(mpsc::error::TrySendError::Full(_)) => true,
        Err(mpsc::error::TrySendError::Closed(_)) => false,
    });
    Plugged { port: port.to_string(), vendor, product, wire: Box::new(wire), keystrokes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn what_is_plugged_in_comes_as_a_key_or_as_a_stranger() {
        let (sysfs, dev) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let plug = |port: &str, vendor: &str, product: &str, class: u8| {
            let place = sysfs.path().join("bus/usb/devices").join(port);
            fs::create_dir_all(&place).unwrap();
            for (attribute, text) in [
                ("devnum", "4"),
                ("idVendor", vendor),
                ("idProduct", product),
                ("bcdDevice", "0543"),
                ("bDeviceClass", "00"),
            ] {
                fs::write(place.join(attribute), text).unwrap();
            }
            fs::write(place.join("descriptors"), [9, 4, 0, 0, 1, class, 1, 1, 0]).unwrap();
        };
        plug("1-1.3", "1050", "0407", 3);
        plug("1-1.4", "0781", "5567", 8);
        let (sender, mut hotplug) = mpsc::channel(BACKLOG);
        let places = Places { sysfs: sysfs.path().to_owned(), dev: dev.path().to_owned() };
        let watcher = watch(Policy::default(), places, sender).unwrap();
        let mut keystrokes = match hotplug.recv().await {
            Some(Hotplug::Arrived(plugged)) => {
                assert_eq!(
                    (plugged.port.as_str(), plugged.vendor, plugged.product),
                    ("1-1.3", 0x1050, 0x0407)
                );
                plugged.keystrokes
            }
            _ => panic!("no key"),
        };
        match hotplug.recv().await {
            Some(Hotplug::Stranger { port, what }) => {
                assert_eq!((port.as_str(), what.as_str()), ("1-1.4", "a storage device (0781:5567)"));
            }
            _ => panic!("no stranger"),
        }
        // The keystrokes end with the key.
        tokio::task::spawn_blocking(move || drop(watcher)).await.unwrap();
        assert!(keystrokes.recv().await.is_none());
    }
}
