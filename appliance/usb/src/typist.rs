//! The thread of a plugged-in key: opens its nodes when udev has made them ours, keeps
//! its keyboard from every console, and hands on what it types.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::session::{Keystroke, Session};
use crate::sys;
use crate::sysfs::{HidKind, Nodes, is_node};

/// What one key types.
pub struct Typing {
    pub(crate) session: Arc<Session>,
}

impl Typing {
    /// Hands every keystroke from now on to `sink`, on the key's thread, until it
    /// returns false or the key is gone; then `sink` is dropped. It must not block.
    ///
    /// What is typed while nobody listens is thrown away.
    pub fn deliver_to(self, sink: impl FnMut(Keystroke) -> bool + Send + 'static) {
        self.session.change(|state| {
            if !state.gone {
                state.sink = Some(Box::new(sink));
            }
        });
    }
}

/// Starts the key's thread. It ends when the key is gone.
pub(crate) fn start(session: Arc<Session>, dev: String) -> io::Result<()> {
    thread::Builder::new().name(format!("key {}", session.port)).spawn(move || attend(&session, &dev))?;
    Ok(())
}

#[derive(Default)]
struct Open {
    /// What is open, by its name, so that it is opened once.
    keyboard: Option<(String, File)>,
    grabbed: Vec<(String, File)>,
}

fn attend(session: &Session, dev: &str) {
    let mut open = Open::default();
    loop {
        let (nodes, ready) = {
            let state = session.lock();
            if state.gone {
                return;
            }
            (state.nodes.clone(), state.ready.is_some())
        };
        open.grab(&nodes, Path::new(dev));
        if !ready {
            open_for_trial(session, &nodes, dev);
        }
        open.listen(&nodes, Path::new(dev));
        match open.wait(session) {
            Ok(Heard::News) => session.wake.heard(),
            Ok(Heard::Reports) => hand_on(session, &mut open),
            // A node that fails is one of a key that is being pulled out: the watch
            // sees to the rest, and wakes this thread.
            Ok(Heard::End) | Err(_) => {
                session.suspect();
                if !rest(session) {
                    return;
                }
                open = Open::default();
            }
        }
    }
}

/// Waits for news without looking at nodes that have failed; whether there are any.
fn rest(session: &Session) -> bool {
    let mut fds = [PollFd::new(&session.wake, PollFlags::IN)];
    let waited = retry(|| poll(&mut fds, None));
    session.wake.heard();
    waited.is_ok() && !session.is_gone()
}

/// Finds out whether the node for reports may be opened. udev hands a node over a good
/// while after the kernel made it, and the watch tells of every change to it.
fn open_for_trial(session: &Session, nodes: &Nodes, dev: &str) {
    let Some(node) = nodes.hidraw(|kind| session.speaks_through(kind)) else { return };
    match open_node(Path::new(dev), node, OFlags::RDWR) {
        Ok(_) => session.opens(node),
        Err(error) => {
            let why = format!("{node} of port {} cannot be opened: {error}", session.port);
            session.lock().obstacle = Some(why);
            session.notify();
        }
    }
}

enum Heard {
    News,
    Reports,
    End,
}

impl Open {
    /// Takes every input node of the key for ourselves. It is never read: what a node
    /// does when nobody reads it is to forget.
    fn grab(&mut self, nodes: &Nodes, dev: &Path) {
        self.grabbed.retain(|(name, _)| nodes.events().any(|event| event == name));
        for event in nodes.events() {
            if self.grabbed.iter().any(|(name, _)| name == event) {
                continue;
            }
            if let Ok(node) = open_node(&dev.join("input"), event, OFlags::RDONLY) {
                match sys::grab(&node) {
                    Ok(()) => self.grabbed.push((event.to_owned(), node)),
                    Err(error) => tracing::warn!(event, %error, "what this key types may reach a console"),
                }
            }
        }
    }

    /// Opens the keyboard for its reports, by a handle of its own: a transfer that
    /// hangs on another one does not keep this from being read.
    fn listen(&mut self, nodes: &Nodes, dev: &Path) {
        let node = nodes.hidraw(|kind| kind == HidKind::Keyboard);
        if self.keyboard.as_ref().is_some_and(|(name, _)| Some(name.as_str()) != node) {
            self.keyboard = None;
        }
        if let (None, Some(node)) = (&self.keyboard, node)
            && let Ok(file) = open_node(dev, node, OFlags::RDONLY)
        {
            self.keyboard = Some((node.to_owned(), file));
        }
    }

    fn wait(&self, session: &Session) -> io::Result<Heard> {
        let mut fds = vec![PollFd::new(&session.wake, PollFlags::IN)];
        if let Some((_, keyboard)) = &self.keyboard {
            fds.push(PollFd::new(keyboard, PollFlags::IN));
        }
        // No flags: only its end is heard, which comes first when a key is pulled out.
        fds.extend(
            self.grabbed.iter().map(|(_, node)| PollFd::from_borrowed_fd(node.as_fd(), PollFlags::empty())),
        );
        retry(|| poll(&mut fds, None))?;
        let ended = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        let mut heard = fds.iter().map(PollFd::revents);
        let news = heard.next().is_some_and(|events| events.contains(PollFlags::IN));
        if news {
            return Ok(Heard::News);
        }
        let rest: Vec<PollFlags> = heard.collect();
        Ok(if rest.iter().any(|events| events.intersects(ended)) { Heard::End } else { Heard::Reports })
    }
}

/// Reads what the keyboard has and hands it on.
fn hand_on(session: &Session, open: &mut Open) {
    let Some((_, keyboard)) = &mut open.keyboard else { return };
    let mut report = Zeroizing::new([0_u8; 64]);
    loop {
        match keyboard.read(report.as_mut_slice()) {
            // Other lengths are no boot keyboard's.
            Ok(8) => {
                let [a, b, c, d, e, f, g, h, ..] = *report;
                let mut state = session.lock();
                if let Some(sink) = &mut state.sink
                    && !sink([a, b, c, d, e, f, g, h])
                {
                    state.sink = None;
                }
            }
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Nothing more, or the end, which the next wait hears.
            Err(_) => return,
        }
    }
}

fn open_node(directory: &Path, node: &str, access: OFlags) -> io::Result<File> {
    if !is_node(node, "hidraw") && !is_node(node, "event") {
        return Err(ErrorKind::InvalidInput.into());
    }
    let flags = OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let write = access.contains(OFlags::RDWR);
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    File::options().read(true).write(write).custom_flags(flags).open(directory.join(node))
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
#[path = "typist_tests.rs"]
mod tests;
