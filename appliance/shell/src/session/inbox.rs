//! What comes from the client, between the connection and the session.
//!
//! Whoever puts something in never waits: the connection has to go on reading, or an answer
//! that it waits for (room in the client's window) could never arrive. What is more than fits is dropped
//! and told.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, watch};
use zeroize::Zeroizing;

use crate::ssh::alive::Client;

/// The longest standard input, in bytes: the daemon takes no longer message.
pub(crate) const LONGEST: usize = 1 << 20;

/// Something that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// Bytes.
    Data(Zeroizing<Vec<u8>>),
    /// The terminal has another size: columns and rows.
    Size(usize, usize),
    /// Signal INT.
    Interrupt,
    /// No more bytes will come.
    End,
    /// The client is gone.
    Closed,
}

#[derive(Default)]
struct State {
    data: Zeroizing<Vec<u8>>,
    size: Option<(usize, usize)>,
    interrupt: bool,
    end: bool,
    overflow: bool,
}

pub(crate) struct Inbox {
    state: Mutex<State>,
    came: Notify,
    closed: watch::Sender<bool>,
    client: Option<Client>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { state: Mutex::default(), came: Notify::new(), closed: watch::Sender::new(false), client: None }
    }
}

impl Inbox {
    /// What comes from a client that can be asked whether it is there.
    pub(crate) fn of(client: Client) -> Self {
        Self { client: Some(client), ..Self::default() }
    }

    pub(crate) fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    pub(crate) fn data(&self, bytes: &[u8]) {
        self.change(|state| {
            let room = LONGEST.saturating_sub(state.data.len());
            state.overflow |= bytes.len() > room;
            state.data.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        });
    }

    pub(crate) fn size(&self, columns: usize, rows: usize) {
        self.change(|state| state.size = Some((columns, rows)));
    }

    pub(crate) fn interrupt(&self) {
        self.change(|state| state.interrupt = true);
    }

    pub(crate) fn end(&self) {
        self.change(|state| state.end = true);
    }

    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
        self.came.notify_one();
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.came.notify_one();
    }

    /// What came next; of bytes, sizes and the end only when they are wanted.
    pub(crate) async fn next(&self, bytes: bool) -> Came {
        loop {
            let came = self.came.notified();
            if *self.closed.borrow() {
                return Came::Closed;
            }
            if let Some(found) = self.take(bytes) {
                return found;
            }
            came.await;
        }
    }

    fn take(&self, bytes: bool) -> Option<Came> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut state.interrupt) {
            return Some(Came::Interrupt);
        }
        if let Some((columns, rows)) = state.size.take() {
            return Some(Came::Size(columns, rows));
        }
        if bytes && !state.data.is_empty() {
            return Some(Came::Data(std::mem::take(&mut state.data)));
        }
        (bytes && state.end).then_some(Came::End)
    }

    /// Whether bytes were dropped because there were too many.
    pub(crate) fn overflowed(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).overflow
    }

    /// Waits until the client is gone.
    pub(crate) async fn closed(&self) {
        // The sender lives as long as this does.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_is_taken_in_order_of_urgency() {
        let inbox = Inbox::default();
        inbox.data(b"ab");
        inbox.data(b"c");
        inbox.size(80, 24);
        inbox.size(81, 25);
        inbox.end();
        inbox.interrupt();
        assert_eq!(inbox.next(true).await, Came::Interrupt);
        assert_eq!(inbox.next(true).await, Came::Size(81, 25));
        assert_eq!(inbox.next(true).await, Came::Data(Zeroizing::new(b"abc".to_vec())));
        assert_eq!(inbox.next(true).await, Came::End);
        inbox.close();
        assert_eq!(inbox.next(true).await, Came::Closed);
        inbox.closed().await;
    }

    #[tokio::test]
    async fn too_much_is_dropped_and_told() {
        let inbox = Inbox::default();
        inbox.data(&vec![0; LONGEST]);
        assert!(!inbox.overflowed());
        inbox.data(&[0]);
        assert!(inbox.overflowed());
    }
}
