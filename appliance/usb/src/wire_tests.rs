use super::*;
use crate::signals::Signals;
use crate::sysfs::tests::Tree;
use std::sync::mpsc::{Receiver, Sender};

const LIMITS: Limits = Limits { transfer: Duration::from_secs(5), nodes: Duration::from_millis(40) };

type Said = Result<Vec<u8>, String>;
type Says = Arc<Mutex<Receiver<Said>>>;

/// A node whose every transfer waits for what the test says of it.
struct Scripted {
    asked: Sender<Vec<u8>>,
    says: Says,
}

impl Scripted {
    fn next(&self, asked: &[u8]) -> Result<Vec<u8>, String> {
        self.asked.send(asked.to_vec()).unwrap();
        self.says.lock().unwrap().recv().unwrap_or_else(|_| Err("nobody says".into()))
    }
}

impl Handle for Scripted {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), String> {
        self.next(report).map(|_| ())
    }

    fn feature(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        let bytes = self.next(buffer)?;
        for (to, from) in buffer.iter_mut().zip(&bytes) {
            *to = *from;
        }
        Ok(bytes.len())
    }

    fn output(&mut self, packet: &[u8]) -> Result<(), String> {
        self.next(packet).map(|_| ())
    }

    fn input(&mut self, buffer: &mut [u8], _: Duration) -> Result<usize, String> {
        self.feature(buffer)
    }
}

struct ScriptedDoor {
    asked: Mutex<Sender<Vec<u8>>>,
    says: Says,
}

impl Opener for ScriptedDoor {
    fn open(&self, path: &str) -> Result<Box<dyn Handle>, String> {
        assert_eq!(path, "/dev/hidraw7");
        let asked = self.asked.lock().unwrap().clone();
        Ok(Box::new(Scripted { asked, says: Arc::clone(&self.says) }))
    }
}

struct Bench {
    tree: Tree,
    session: Arc<Session>,
    wire: HidWire,
    asked: Receiver<Vec<u8>>,
    say: Sender<Said>,
}

fn bench(product: u16) -> Bench {
    let tree = Tree::new();
    tree.plug("1-3", 5, (0x1050, product), &[[3, 1, 1]]);
    let key = ("1-3".parse().unwrap(), 5, (0x1050, product));
    let signals = Signals::new().unwrap();
    let session = Session::new(key, Default::default(), tree.root().to_owned(), signals).unwrap();
    let (asked, heard) = mpsc::channel();
    let (say, says) = mpsc::channel();
    let opener = Arc::new(ScriptedDoor { asked: Mutex::new(asked), says: Arc::new(Mutex::new(says)) });
    let wire = HidWire::new(Arc::clone(&session), opener, "/dev".into(), LIMITS);
    Bench { tree, session, wire, asked: heard, say }
}

fn ready(product: u16) -> Bench {
    let bench = bench(product);
    bench.session.change(|state| state.ready = Some("hidraw7".into()));
    bench
}

#[test]
fn reports_go_with_an_id_and_come_without() {
    let mut bench = ready(0x0407);
    bench.say.send(Ok(vec![])).unwrap();
    bench.wire.set_feature(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    assert_eq!(bench.asked.recv().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    bench.say.send(Ok(vec![0, 0, 5, 4, 3, 1, 2, 3, 0])).unwrap();
    assert_eq!(bench.wire.feature(8).unwrap().bytes(), [0, 5, 4, 3, 1, 2, 3, 0]);
    assert_eq!(bench.asked.recv().unwrap(), [0; 9]);
    bench.say.send(Ok(vec![])).unwrap();
    bench.wire.output(&[7; 64]).unwrap();
    assert_eq!(bench.asked.recv().unwrap().len(), 65);
    bench.say.send(Ok(vec![9; 64])).unwrap();
    let packet = bench.wire.input(Duration::from_secs(1)).unwrap().unwrap();
    assert_eq!(packet.bytes(), [9; 64]);
    bench.say.send(Ok(vec![])).unwrap();
    assert!(bench.wire.input(Duration::from_secs(1)).unwrap().is_none());
}

#[test]
fn a_report_of_another_length_is_none() {
    for lie in [vec![], vec![0], vec![0; 8], vec![0; 10], vec![0; 65]] {
        let mut bench = ready(0x0407);
        bench.say.send(Ok(lie)).unwrap();
        assert!(matches!(bench.wire.feature(8), Err(WireFault::Failed(_))));
    }
    let mut bench = ready(0x0407);
    assert!(matches!(bench.wire.feature(65), Err(WireFault::Failed(_))));
    bench.say.send(Ok(vec![1; 65])).unwrap();
    assert!(matches!(bench.wire.input(Duration::ZERO), Err(WireFault::Failed(_))));
}

#[test]
fn a_failed_transfer_is_a_pull_out_only_when_the_key_is_not_there() {
    let mut bench = ready(0x0407);
    bench.say.send(Err("EPIPE".into())).unwrap();
    assert_eq!(bench.wire.feature(8).err(), Some(WireFault::Failed("EPIPE".into())));
    // Another device on the same port is not the same key.
    bench.tree.plug("1-3", 6, (0x1050, 0x0407), &[]);
    bench.say.send(Err("unexpected poll error".into())).unwrap();
    assert_eq!(bench.wire.feature(8).err(), Some(WireFault::Gone));
}

#[test]
fn whoever_waits_for_a_transfer_that_hangs_hears_of_the_pull_out_at_once() {
    let mut bench = ready(0x0407);
    let session = Arc::clone(&bench.session);
    let asked = bench.asked;
    let puller = thread::spawn(move || {
        asked.recv().unwrap();
        session.end();
    });
    let begun = Instant::now();
    assert_eq!(bench.wire.feature(8).err(), Some(WireFault::Gone));
    assert!(begun.elapsed() < LIMITS.transfer);
    puller.join().unwrap();
    // And so does everybody who comes later, without a transfer.
    assert_eq!(bench.wire.set_feature(&[0; 8]), Err(WireFault::Gone));
}

#[test]
fn an_answer_that_comes_too_late_is_not_taken_for_the_next() {
    let mut bench = ready(0x0407);
    bench.wire.limits.transfer = Duration::from_millis(30);
    assert!(matches!(bench.wire.feature(8), Err(WireFault::Failed(why)) if why.contains("no end")));
    bench.wire.limits.transfer = LIMITS.transfer;
    bench.say.send(Ok(vec![1; 9])).unwrap();
    bench.say.send(Ok(vec![2; 9])).unwrap();
    assert_eq!(bench.wire.feature(8).unwrap().bytes(), [2; 8]);
}

#[test]
fn a_wire_waits_for_its_node() {
    let mut bench = bench(0x0407);
    bench.wire.limits.nodes = LIMITS.transfer;
    let session = Arc::clone(&bench.session);
    let udev = thread::spawn(move || session.change(|state| state.ready = Some("hidraw7".into())));
    bench.wire.ready().unwrap();
    udev.join().unwrap();
}

#[test]
fn a_key_without_a_node_says_why() {
    let mut bench = bench(0x0407);
    assert!(matches!(bench.wire.ready(), Err(WireFault::Failed(why)) if why.contains("rules of udev")));
    bench.session.lock().obstacle = Some("hidraw7 cannot be opened".into());
    assert_eq!(bench.wire.ready(), Err(WireFault::Failed("hidraw7 cannot be opened".into())));
    bench.session.end();
    assert_eq!(bench.wire.ready(), Err(WireFault::Gone));
}

#[test]
fn a_key_without_protocol_has_no_wire() {
    let mut bench = ready(0x0402);
    assert!(matches!(bench.wire.ready(), Err(WireFault::Failed(why)) if why.contains("no protocol")));
}
