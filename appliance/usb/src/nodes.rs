//! Changes of nodes in `/dev`, by inotify: a node was made, became ours, or went.
//!
//! udev gives a node its group a good while after the kernel made it, and tells that on
//! no channel that a sandboxed daemon hears in every case; the change of the file itself
//! is always seen.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use crate::sysfs::is_node;

/// Watches the directories in which nodes of keys appear.
pub(crate) struct NodeWatch {
    inotify: OwnedFd,
    dev: PathBuf,
}

/// What happened since the last time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The nodes that were made, changed or taken away.
    pub(crate) nodes: Vec<String>,
    /// More happened than is known.
    pub(crate) unknown: bool,
}

impl NodeWatch {
    pub(crate) fn new(dev: &Path) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let watch = Self { inotify, dev: dev.to_owned() };
        inotify::add_watch(&watch.inotify, &watch.dev, flags())?;
        watch.watch_input();
        Ok(watch)
    }

    /// The directory of input nodes is made with the first of them, and may go with the last.
    fn watch_input(&self) {
        // It is not there yet, then; its making is an event of /dev.
        let _ = inotify::add_watch(&self.inotify, self.dev.join("input"), flags());
    }

    /// All that happened; empty when nothing did.
    pub(crate) fn read(&self) -> io::Result<Changes> {
        let mut changes = Changes::default();
        let mut buffer = [const { MaybeUninit::uninit() }; 4096];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(changes),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                changes.unknown = true;
            }
            let Some(name) = event.file_name().and_then(|name| name.to_str().ok()) else { continue };
            if name == "input" {
                self.watch_input();
                changes.unknown = true;
            }
            if is_node(name, "hidraw") || is_node(name, "event") {
                changes.nodes.push(name.to_owned());
            }
        }
    }
}

impl AsFd for NodeWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

fn flags() -> WatchFlags {
    WatchFlags::CREATE | WatchFlags::ATTRIB | WatchFlags::DELETE
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn nodes_are_seen_to_be_made_changed_and_taken_away() {
        let dev = tempfile::tempdir().unwrap();
        let watch = NodeWatch::new(dev.path()).unwrap();
        assert_eq!(watch.read().unwrap(), Changes::default());
        fs::write(dev.path().join("hidraw0"), "").unwrap();
        fs::write(dev.path().join("ttyS0"), "").unwrap();
        assert_eq!(watch.read().unwrap().nodes, ["hidraw0"]);
        let mut permissions = fs::metadata(dev.path().join("hidraw0")).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(dev.path().join("hidraw0"), permissions).unwrap();
        assert_eq!(watch.read().unwrap().nodes, ["hidraw0"]);
        fs::remove_file(dev.path().join("hidraw0")).unwrap();
        assert_eq!(watch.read().unwrap().nodes, ["hidraw0"]);
        assert_eq!(watch.read().unwrap(), Changes::default());
    }

    #[test]
    fn the_directory_of_input_nodes_may_come_and_go() {
        let dev = tempfile::tempdir().unwrap();
        let watch = NodeWatch::new(dev.path()).unwrap();
        for _ in 0..2 {
            fs::create_dir(dev.path().join("input")).unwrap();
            assert!(watch.read().unwrap().unknown);
            fs::write(dev.path().join("input/event3"), "").unwrap();
            assert_eq!(watch.read().unwrap().nodes, ["event3"]);
            fs::remove_dir_all(dev.path().join("input")).unwrap();
            assert_eq!(watch.read().unwrap().nodes, ["event3"]);
        }
    }
}
