use super::*;
use crate::opener::Handle;
use crate::sysfs::tests::{FIDO, KEYBOARD, Tree};
use keys::wire::{Wire, WireFault};
use std::fs;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Long enough for any machine; nothing waits for it to pass.
const LONG: Duration = Duration::from_secs(20);
const YUBIKEY: UsbIds = (0x1050, 0x0407);

/// What is written into the node is what a transfer brings.
struct FileDoor;

impl Opener for FileDoor {
    fn open(&self, path: &str) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(FileHandle(path.to_owned())))
    }
}

struct FileHandle(String);

impl Handle for FileHandle {
    fn set_feature(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn feature(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        let bytes = fs::read(&self.0).map_err(|error| error.to_string())?;
        buffer[1..1 + bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len() + 1)
    }

    fn output(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn input(&mut self, _: &mut [u8], _: Duration) -> Result<usize, String> {
        Ok(0)
    }
}

/// Fails as often as the test has reasons, then hands its signals to the test.
struct Told {
    failures: Receiver<String>,
    listening: Sender<Arc<Signals>>,
}

impl Source for Told {
    fn listen(&mut self, signals: &Arc<Signals>) -> Result<(), String> {
        if let Ok(why) = self.failures.try_recv() {
            return Err(why);
        }
        signals.listening();
        self.listening.send(Arc::clone(signals)).unwrap();
        while !signals.stopped() {
            signals.pause(LONG);
        }
        Ok(())
    }
}

struct Station {
    tree: Tree,
    dev: tempfile::TempDir,
    signals: Arc<Signals>,
    events: Receiver<Event>,
    _watcher: Watcher,
}

impl Station {
    fn start(tree: Tree, failures: &[&str]) -> Self {
        Self::patient(tree, failures, Limits::default())
    }

    fn patient(tree: Tree, failures: &[&str], limits: Limits) -> Self {
        let dev = tempfile::tempdir().unwrap();
        let (told, events) = channel();
        let (listening, heard) = channel();
        let (fail, reasons) = channel();
        for why in failures {
            fail.send((*why).to_owned()).unwrap();
        }
        let again = (Duration::from_millis(1), Duration::from_millis(2));
        let source = Box::new(Told { failures: reasons, listening });
        let parts = Parts { opener: Arc::new(FileDoor), source, again, limits };
        let places = Places { sysfs: tree.root().to_owned(), dev: dev.path().to_owned() };
        let told = Mutex::new(told);
        let on = Box::new(move |event| told.lock().unwrap().send(event).unwrap());
        let watcher = Watcher::with(Policy::default(), places, parts, on).unwrap();
        let signals = heard.recv_timeout(LONG).unwrap();
        Self { tree, dev, signals, events, _watcher: watcher }
    }

    fn plug(&self, port: &str, address: u8, ids: UsbIds) {
        self.tree.plug(port, address, ids, &[[3, 1, 1], [3, 0, 0]]);
        self.signals.port(port.parse().unwrap());
    }

    /// The kernel makes the nodes, and udev makes them ours.
    fn bind(&self, port: &str, hidraw: u8, status: [u8; 8]) {
        let (keyboard, fido) = (format!("hidraw{hidraw}"), format!("hidraw{}", hidraw + 1));
        self.tree.bind(port, 0, &keyboard, None, &KEYBOARD);
        self.tree.bind(port, 1, &fido, None, &FIDO);
        for (node, content) in [(fido, [0xff; 8]), (keyboard, status)] {
            // Whole from its first moment on, as a node is.
            let made = self.dev.path().join("made");
            fs::write(&made, content).unwrap();
            fs::hard_link(&made, self.dev.path().join(node)).unwrap();
            fs::remove_file(made).unwrap();
        }
    }

    fn pull(&self, port: &str) {
        self.tree.pull(port);
        self.signals.port(port.parse().unwrap());
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(LONG).unwrap()
    }

    fn arrival(&self) -> Arrived {
        match self.next() {
            Event::Arrived(arrived) => arrived,
            other => panic!("{}", name(&other)),
        }
    }
}

fn name(event: &Event) -> String {
    match event {
        Event::Arrived(arrived) => format!("arrived {} {:04x}", arrived.port, arrived.ids.1),
        Event::Left(port) => format!("left {port}"),
        Event::Stranger { port, what } => format!("stranger {port}: {what}"),
        Event::Lost(why) => format!("lost: {why}"),
        Event::Found => "found".to_owned(),
    }
}

#[test]
fn a_key_that_comes_can_be_spoken_to_when_its_node_is_there() {
    let station = Station::start(Tree::new(), &[]);
    station.plug("1-3", 5, YUBIKEY);
    let mut key = station.arrival();
    assert_eq!((key.port.to_string().as_str(), key.ids, key.bcd_device), ("1-3", YUBIKEY, 0x0543));
    assert!(!key.again);
    // The node is found by inotify alone.
    station.bind("1-3", 2, [0, 5, 4, 3, 1, 2, 3, 0]);
    assert_eq!(key.wire.feature(8).unwrap().bytes(), [0, 5, 4, 3, 1, 2, 3, 0]);
    station.pull("1-3");
    assert_eq!(name(&station.next()), "left 1-3");
    assert_eq!(key.wire.feature(8).err(), Some(WireFault::Gone));
}

#[test]
fn what_is_plugged_in_at_the_start_is_told() {
    let tree = Tree::new();
    tree.plug("1-1.3", 4, YUBIKEY, &[[3, 1, 1]]);
    tree.plug("1-4", 6, (0x0781, 0x5567), &[[8, 6, 0x50]]);
    let station = Station::start(tree, &[]);
    assert_eq!(name(&station.next()), "arrived 1-1.3 0407");
    assert_eq!(name(&station.next()), "stranger 1-4: a storage device (0781:5567)");
}

#[test]
fn each_wire_reaches_its_own_key_whatever_the_numbers_of_the_nodes() {
    let station = Station::start(Tree::new(), &[]);
    let mut keys: Vec<Arrived> = (0..8)
        .map(|number| {
            station.plug(&format!("1-{}", number + 1), number + 1, YUBIKEY);
            station.arrival()
        })
        .collect();
    for number in (0..8).rev() {
        station.bind(&format!("1-{}", number + 1), (7 - number) * 2, [number; 8]);
    }
    for (number, key) in (0..8).zip(&mut keys) {
        assert_eq!(key.wire.feature(8).unwrap().bytes(), [number; 8]);
    }
}

#[test]
fn a_key_that_changes_its_product_id_is_told_as_the_same() {
    let station = Station::start(Tree::new(), &[]);
    station.plug("1-3", 5, YUBIKEY);
    let mut before = station.arrival();
    station.plug("1-3", 6, (0x1050, 0x0402));
    let after = station.arrival();
    assert!(after.again);
    assert_eq!(after.ids, (0x1050, 0x0402));
    assert_eq!(before.wire.ready(), Err(WireFault::Gone));
}

#[test]
fn a_source_that_fails_is_told_and_begun_again() {
    let tree = Tree::new();
    let station = Station::start(tree, &["no bus", "still none"]);
    let told: Vec<String> = (0..3).map(|_| name(&station.next())).collect();
    assert_eq!(told, ["lost: no bus", "lost: still none", "found"]);
}

#[test]
fn a_key_whose_nodes_come_after_it_was_given_up_is_told_of_anew() {
    let limits = Limits { nodes: Duration::from_millis(20), ..Limits::default() };
    let station = Station::patient(Tree::new(), &[], limits);
    station.plug("1-3", 5, YUBIKEY);
    let mut silent = station.arrival();
    assert!(matches!(silent.wire.ready(), Err(WireFault::Failed(_))));
    station.bind("1-3", 2, [0, 5, 4, 3, 1, 2, 3, 0]);
    let mut key = station.arrival();
    assert!(key.again);
    assert_eq!(key.wire.feature(8).unwrap().bytes(), [0, 5, 4, 3, 1, 2, 3, 0]);
    // It is the same one, and leaves once.
    station.pull("1-3");
    assert_eq!(name(&station.next()), "left 1-3");
}

#[test]
fn what_the_source_missed_is_found_when_it_is_begun_again() {
    let station = Station::start(Tree::new(), &[]);
    // Plugged in without any signal.
    station.tree.plug("1-3", 5, YUBIKEY, &[[3, 1, 1]]);
    station.signals.listening();
    assert_eq!(name(&station.next()), "arrived 1-3 0407");
}

#[test]
fn many_cycles_lose_nothing_and_leave_no_thread() {
    let station = Station::start(Tree::new(), &[]);
    let threads = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim() == "key 1-9" || name.trim() == "hid 1-9").count()
    };
    for address in 1..=100 {
        station.plug("1-9", address, YUBIKEY);
        // On a slow machine the key of before has been told to have left.
        let mut key = loop {
            match station.next() {
                Event::Arrived(key) => break key,
                Event::Left(port) => assert_eq!(port.to_string(), "1-9"),
                other => panic!("{}", name(&other)),
            }
        };
        station.bind("1-9", 2, [address; 8]);
        assert_eq!(key.wire.feature(8).unwrap().bytes(), [address; 8]);
        for node in ["hidraw2", "hidraw3"] {
            fs::remove_file(station.dev.path().join(node)).unwrap();
        }
        // The next one is plugged in at once.
        station.pull("1-9");
    }
    assert_eq!(name(&station.next()), "left 1-9");
    let begun = Instant::now();
    while threads() > 0 {
        assert!(begun.elapsed() < LONG, "{} threads are left", threads());
        thread::yield_now();
    }
}
