use super::*;
use crate::signals::Signals;
use crate::sysfs::HidInterface;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Long enough for any machine; nothing waits for it to pass.
const LONG: Duration = Duration::from_secs(20);

struct Desk {
    dev: tempfile::TempDir,
    session: Arc<Session>,
    signals: Arc<Signals>,
}

impl Desk {
    fn new(product: u16) -> Self {
        let dev = tempfile::tempdir().unwrap();
        let key = ("1-3".parse().unwrap(), 5, (0x1050, product));
        let signals = Signals::new().unwrap();
        let session =
            Session::new(key, Nodes::default(), dev.path().to_owned(), Arc::clone(&signals)).unwrap();
        Self { dev, session, signals }
    }

    /// A keyboard's node: a pipe, whose other end is the keyboard.
    fn node(&self, name: &str) -> File {
        let path = self.dev.path().join(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        File::options().read(true).write(true).open(path).unwrap()
    }

    fn show(&self, name: &str) {
        let interface =
            HidInterface { number: 0, kind: HidKind::Keyboard, hidraw: Some(name.into()), events: vec![] };
        self.session.change(|state| state.nodes = Nodes { interfaces: vec![interface] });
    }

    fn start(&self) -> thread::JoinHandle<()> {
        let (session, dev) = (Arc::clone(&self.session), self.dev.path().to_str().unwrap().to_owned());
        thread::spawn(move || attend(&session, &dev))
    }

    fn ready(&self) -> Option<String> {
        self.session.wait(Instant::now() + LONG, |state| state.ready.clone())
    }
}

#[test]
fn what_is_typed_is_handed_on_while_somebody_listens() {
    let desk = Desk::new(0x0407);
    let thread = desk.start();
    let mut keyboard = desk.node("hidraw1");
    desk.show("hidraw1");
    assert_eq!(desk.ready().as_deref(), Some("hidraw1"));
    let (sender, typed) = mpsc::channel();
    Typing { session: Arc::clone(&desk.session) }.deliver_to(move |report| {
        sender.send(report).unwrap();
        report[2] != 0x28
    });
    for usage in [0x1e, 0x1f, 0x28] {
        keyboard.write_all(&[0, 0, usage, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(typed.recv_timeout(LONG).unwrap(), [0, 0, usage, 0, 0, 0, 0, 0]);
    }
    // It said that it wants no more.
    assert!(typed.recv_timeout(LONG).is_err());
    desk.session.end();
    thread.join().unwrap();
}

#[test]
fn a_node_that_is_not_ours_yet_is_opened_when_it_is() {
    let desk = Desk::new(0x0407);
    let thread = desk.start();
    desk.show("hidraw1");
    let refused = |state: &mut crate::session::State| state.obstacle.clone();
    let why = desk.session.wait(Instant::now() + LONG, refused);
    assert!(why.unwrap().contains("hidraw1 of port 1-3 cannot be opened"));
    let _keyboard = desk.node("hidraw1");
    desk.session.wake.wake();
    assert_eq!(desk.ready().as_deref(), Some("hidraw1"));
    desk.session.end();
    thread.join().unwrap();
}

#[test]
fn a_keyboard_that_ends_makes_the_watch_look() {
    let desk = Desk::new(0x0407);
    let thread = desk.start();
    let keyboard = desk.node("hidraw1");
    desk.show("hidraw1");
    desk.ready();
    let (sender, typed) = mpsc::channel();
    Typing { session: Arc::clone(&desk.session) }.deliver_to(move |report| sender.send(report).is_ok());
    // Read once, so that the thread is known to have the node open.
    (&keyboard).write_all(&[0; 8]).unwrap();
    typed.recv_timeout(LONG).unwrap();
    drop(keyboard);
    let mut fds = [PollFd::new(&desk.signals.wake, PollFlags::IN)];
    poll(&mut fds, Some(&LONG.try_into().unwrap())).unwrap();
    assert!(desk.signals.take().ports.contains(&"1-3".parse().unwrap()));
    // It waits for the watch's word and does not spin; the word ends it.
    desk.session.end();
    thread.join().unwrap();
    assert!(typed.recv_timeout(LONG).is_err());
}

#[test]
fn nothing_but_a_node_is_opened() {
    let desk = Desk::new(0x0407);
    for name in ["../hidraw1", "hidraw", "hidraw1/x", "sda", ""] {
        assert!(open_node(desk.dev.path(), name, OFlags::RDONLY).is_err());
    }
}

#[test]
fn a_grab_of_what_is_no_input_device_fails_and_harms_nothing() {
    let desk = Desk::new(0x0407);
    assert!(sys::grab(desk.node("event0")).is_err());
}
