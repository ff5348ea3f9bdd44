//! What the kernel knows of the devices on its buses, read from sysfs.
//!
//! Plain functions over a directory, so that a test gives them another one. Only
//! attributes that come from the kernel's memory are read: the strings of a device
//! (`product`, `serial`) and its configuration wait for the device's lock, which a
//! device that hangs holds for seconds.

use std::fs;
use std::path::Path;

use keys::identify::UsbIds;

use crate::descriptors::{Function, functions};
use crate::port::PortPath;

/// A device on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub port: PortPath,
    /// The number on its bus. A device that comes back has another.
    pub address: u8,
    /// Vendor and product.
    pub ids: UsbIds,
    /// bcdDevice; the firmware, with YubiKeys.
    pub bcd_device: u16,
    /// bDeviceClass.
    pub class: u8,
    /// Whether the kernel lets drivers at it.
    pub authorized: bool,
    /// The interfaces that its descriptors name, authorized or not.
    pub functions: Vec<Function>,
    /// What can be opened of it.
    pub nodes: Nodes,
}

/// The nodes in `/dev` of a device's HID interfaces. Names without directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nodes {
    /// One per HID interface that has a driver, by number.
    pub interfaces: Vec<HidInterface>,
}

/// A HID interface with a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HidInterface {
    /// bInterfaceNumber.
    pub number: u8,
    /// What its report descriptor begins with.
    pub kind: HidKind,
    /// `hidraw3`.
    pub hidraw: Option<String>,
    /// `event5`; a keyboard has one, and may have more.
    pub events: Vec<String>,
}

/// What a HID interface is for, by the first usage of its report descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HidKind {
    /// Usage page 1, usage 6.
    Keyboard,
    /// Usage page F1D0.
    Fido,
    /// Anything else; the Nitrokey Pro has a page of its own.
    Other,
}

impl HidKind {
    /// By the first items of a report descriptor (HID 1.11, 6.2.2).
    pub fn of(report_descriptor: &[u8]) -> Self {
        match report_descriptor {
            [0x05, 0x01, 0x09, 0x06, ..] => Self::Keyboard,
            [0x06, 0xd0, 0xf1, ..] => Self::Fido,
            _ => Self::Other,
        }
    }
}

impl Nodes {
    /// The hidraw node of the first interface of a kind.
    pub fn hidraw(&self, fits: impl Fn(HidKind) -> bool) -> Option<&str> {
        self.interfaces.iter().filter(|interface| fits(interface.kind)).find_map(|i| i.hidraw.as_deref())
    }

    /// Every input node.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.interfaces.iter().flat_map(|interface| interface.events.iter().map(String::as_str))
    }
}

/// Every device below `sysfs` (`/sys`), root hubs left out. A device of which
/// something is not there yet, or no longer, is left out as well: an event follows.
pub fn devices(sysfs: &Path) -> Vec<Device> {
    ports(sysfs).iter().filter_map(|port| device(sysfs, port)).collect()
}

/// The ports that something is plugged into.
pub fn ports(sysfs: &Path) -> Vec<PortPath> {
    names(&sysfs.join("bus/usb/devices")).iter().filter_map(|name| name.parse().ok()).collect()
}

/// The device on one port.
pub fn device(sysfs: &Path, port: &PortPath) -> Option<Device> {
    let place = sysfs.join("bus/usb/devices").join(port.to_string());
    let authorized = number(&place, "authorized", 10).is_none_or(|value| value != 0);
    Some(Device {
        port: port.clone(),
        address: u8::try_from(number(&place, "devnum", 10)?).ok()?,
        ids: (number16(&place, "idVendor")?, number16(&place, "idProduct")?),
        bcd_device: number16(&place, "bcdDevice")?,
        class: u8::try_from(number(&place, "bDeviceClass", 16)?).ok()?,
        authorized,
        functions: functions(&fs::read(place.join("descriptors")).unwrap_or_default()),
        nodes: nodes(&place, port),
    })
}

/// Whether the device with that address is still on that port, as far as anybody
/// can tell without asking it.
pub fn is_there(sysfs: &Path, port: &PortPath, address: u8) -> bool {
    let place = sysfs.join("bus/usb/devices").join(port.to_string());
    number(&place, "devnum", 10) == Some(u32::from(address))
}

fn nodes(place: &Path, port: &PortPath) -> Nodes {
    let prefix = format!("{port}:");
    let mut interfaces: Vec<HidInterface> = Vec::new();
    for name in names(place).into_iter().filter(|name| name.starts_with(&prefix)) {
        let interface = place.join(&name);
        let Some(number) = number(&interface, "bInterfaceNumber", 16).and_then(|n| u8::try_from(n).ok())
        else {
            continue;
        };
        // The HID device below it: bus, vendor, product, a running number.
        for hid in names(&interface).into_iter().filter(|name| name.matches(':').count() == 2) {
            let hid = interface.join(hid);
            let Ok(report_descriptor) = fs::read(hid.join("report_descriptor")) else { continue };
            let mut events: Vec<String> = names(&hid.join("input"))
                .into_iter()
                .flat_map(|input| names(&hid.join("input").join(input)))
                .filter(|name| is_node(name, "event"))
                .collect();
            events.sort();
            interfaces.push(HidInterface {
                number,
                kind: HidKind::of(&report_descriptor),
                hidraw: names(&hid.join("hidraw")).into_iter().find(|name| is_node(name, "hidraw")),
                events,
            });
        }
    }
    interfaces.sort_by_key(|interface| interface.number);
    Nodes { interfaces }
}

/// Whether a name is a prefix and a number, and so a node and nothing else.
pub(crate) fn is_node(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

fn number(place: &Path, attribute: &str, radix: u32) -> Option<u32> {
    u32::from_str_radix(fs::read_to_string(place.join(attribute)).ok()?.trim(), radix).ok()
}

fn number16(place: &Path, attribute: &str) -> Option<u16> {
    u16::try_from(number(place, attribute, 16)?).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A sysfs of our own.
    pub(crate) struct Tree(pub(crate) tempfile::TempDir);

    impl Tree {
        pub(crate) fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        pub(crate) fn root(&self) -> &Path {
            self.0.path()
        }

        pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
            let path = self.root().join("bus/usb/devices").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        pub(crate) fn place(&self, port: &str) -> PathBuf {
            self.root().join("bus/usb/devices").join(port)
        }

        /// A device as it is just after `add usb_device`: whole, and without interfaces.
        pub(crate) fn plug(&self, port: &str, address: u8, (vendor, product): UsbIds, functions: &[[u8; 3]]) {
            for (attribute, text) in [
                ("devnum", address.to_string()),
                ("idVendor", format!("{vendor:04x}\n")),
                ("idProduct", format!("{product:04x}\n")),
                ("bcdDevice", "0543\n".to_owned()),
                ("bDeviceClass", "00\n".to_owned()),
                ("authorized", "1\n".to_owned()),
            ] {
                self.write(&format!("new/{attribute}"), text);
            }
            let described = functions.iter().zip(0..).flat_map(|([class, sub, protocol], number)| {
                [9, 4, number, 0, 1, *class, *sub, *protocol, 0]
            });
            self.write("new/descriptors", described.collect::<Vec<u8>>());
            if self.place(port).exists() {
                self.pull(port);
            }
            fs::rename(self.place("new"), self.place(port)).unwrap();
        }

        /// A driver at an interface.
        pub(crate) fn bind(
            &self,
            port: &str,
            interface: u8,
            hidraw: &str,
            event: Option<&str>,
            report: &[u8],
        ) {
            let at = format!("{port}/{port}:1.{interface}");
            self.write(&format!("{at}/bInterfaceNumber"), format!("{interface:02x}\n"));
            let hid = format!("{at}/0003:1050:0407.{interface:04}");
            self.write(&format!("{hid}/report_descriptor"), report);
            self.write(&format!("{hid}/hidraw/{hidraw}/dev"), "");
            if let Some(event) = event {
                self.write(&format!("{hid}/input/input{interface}/{event}/dev"), "");
                self.write(&format!("{hid}/input/input{interface}/name"), "");
            }
        }

        pub(crate) fn pull(&self, port: &str) {
            fs::remove_dir_all(self.place(port)).unwrap();
        }
    }

    pub(crate) const KEYBOARD: [u8; 4] = [0x05, 0x01, 0x09, 0x06];
    pub(crate) const FIDO: [u8; 3] = [0x06, 0xd0, 0xf1];

    #[test]
    fn the_nodes_of_a_key_are_found_below_its_own_port() {
        let tree = Tree::new();
        tree.write("usb1/devnum", "1");
        tree.write("1-0:1.0/bInterfaceNumber", "00");
        tree.plug("1-14.3", 7, (0x1050, 0x0407), &[[3, 1, 1], [3, 0, 0], [11, 0, 0]]);
        // Numbers do not follow the interfaces.
        tree.bind("1-14.3", 0, "hidraw1", Some("event4"), &KEYBOARD);
        tree.bind("1-14.3", 1, "hidraw0", None, &FIDO);
        tree.write("1-14.3/1-14.3:1.2/bInterfaceNumber", "02\n");
        tree.plug("1-2", 8, (0x1050, 0x0407), &[]);
        let found = devices(tree.root());
        assert_eq!(found.len(), 2);
        let key = device(tree.root(), &"1-14.3".parse().unwrap()).unwrap();
        assert_eq!((key.address, key.ids, key.bcd_device), (7, (0x1050, 0x0407), 0x0543));
        assert_eq!(key.functions.len(), 3);
        assert_eq!(key.nodes.hidraw(|kind| kind == HidKind::Keyboard), Some("hidraw1"));
        assert_eq!(key.nodes.hidraw(|kind| kind == HidKind::Fido), Some("hidraw0"));
        assert_eq!(key.nodes.events().collect::<Vec<_>>(), ["event4"]);
        assert!(device(tree.root(), &"1-2".parse().unwrap()).unwrap().nodes.interfaces.is_empty());
        assert!(is_there(tree.root(), &key.port, 7) && !is_there(tree.root(), &key.port, 8));
    }

    #[test]
    fn half_a_device_is_none_yet() {
        let tree = Tree::new();
        tree.plug("1-1", 2, (0x1050, 0x0407), &[]);
        fs::remove_file(tree.place("1-1").join("devnum")).unwrap();
        assert!(devices(tree.root()).is_empty());
        assert!(devices(Path::new("/nowhere/at/all")).is_empty());
    }

    #[test]
    fn a_device_that_is_not_authorized_says_so() {
        let tree = Tree::new();
        tree.plug("1-1", 2, (0x1050, 0x0407), &[[3, 1, 1]]);
        tree.write("1-1/authorized", "0\n");
        assert!(!devices(tree.root())[0].authorized);
    }

    #[test]
    fn only_nodes_are_taken_for_nodes() {
        assert!(is_node("hidraw12", "hidraw") && is_node("event0", "event"));
        assert!(
            !is_node("hidraw", "hidraw")
                && !is_node("hidraw1/../../sda", "hidraw")
                && !is_node("mouse0", "event")
        );
    }
}
