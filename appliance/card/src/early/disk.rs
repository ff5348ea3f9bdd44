//! Finding the card, and giving its last partition the room that is there.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use super::{Doing, Stopped, say};
use crate::device::Card;
use crate::layout::STATE_PARTITION;
use crate::sys;

/// How long a card may take to appear. The slowest seen, an emulated Pi on a busy machine, took 10 s.
const TIMEOUT: u64 = 60;

/// The kernel's announcements of devices.
pub(super) struct News(OwnedFd);

impl News {
    /// Listens from now on, so nothing that appears later is missed.
    pub(super) fn listen() -> Result<Self, Stopped> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT))
            .doing("listening for devices")?;
        // Group 1 is the kernel's own (linux/netlink.h and lib/kobject_uevent.c).
        bind(&socket, &SocketAddrNetlink::new(0, 1)).doing("listening for devices")?;
        Ok(Self(socket))
    }

    /// Waits until something was announced, at most until then. Whether something was.
    fn wait(&mut self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(time) = Timespec::try_from(left) else { return false };
        let mut sockets = [PollFd::new(&self.0, PollFlags::IN)];
        let came = matches!(poll(&mut sockets, Some(&time)), Ok(ready) if ready > 0);
        let mut text = [0; 4096];
        // What they say is not needed: whatever came, all is looked at again.
        while recv(&self.0, &mut text[..], RecvFlags::DONTWAIT).is_ok() {}
        came
    }
}

/// Waits for the card and the partitions of both slots.
pub(super) fn find(news: &mut News) -> Result<Card, Stopped> {
    let until = Instant::now() + Duration::from_secs(TIMEOUT);
    loop {
        if let Some(card) = Card::find() {
            return Ok(card);
        }
        if !news.wait(until) {
            return Err(Stopped::NoCard(TIMEOUT));
        }
    }
}

/// Gives the state partition all the room behind it, unless it has it. A failure is no reason not to
/// start: the partition then stays as it is.
pub(super) fn grow(card: Card, news: &mut News) -> Result<Card, Stopped> {
    let Some(table) = card.table().grown(STATE_PARTITION, card.sectors()) else { return Ok(card) };
    let written = File::options().read(true).write(true).open(card.path()).and_then(|mut disk| {
        disk.write_all(table.bytes())?;
        disk.sync_all()?;
        sys::reread(&disk)
    });
    match written {
        Ok(()) => {
            say(6, "the state partition has grown to the card's size");
            // The partitions were taken away and come back.
            find(news)
        }
        Err(error) => {
            say(4, &format!("the state partition keeps its size: {error}"));
            Ok(card)
        }
    }
}
