//! A key that answers with whatever the fuzzer says, for targets that hold a
//! whole conversation.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use keys::conversation::{Conversation, Report};
use keys::device::{Credential, Digits, Guard, HashAlgorithm, Kind, Operation, Slot, Unlock};
use keys::secret::{Entropy, Pin, Seed};
use keys::wire::{Clock, Wire, WireFault, run};

/// No conversation needs so many transfers: at a millisecond each it is beyond
/// every time limit of every protocol.
const MOST_TRANSFERS: u32 = 200_000;

struct Key<'a> {
    answers: &'a [u8],
    now: Rc<Cell<Duration>>,
    transfers: u32,
}

impl Key<'_> {
    fn transfer(&mut self) {
        self.now.set(self.now.get() + Duration::from_millis(1));
        self.transfers += 1;
        assert!(self.transfers < MOST_TRANSFERS, "the conversation does not end");
    }

    /// The next bytes, with zeros for those that are missing.
    fn answer(&mut self, length: usize) -> Result<Report, WireFault> {
        let (next, rest) = self.answers.split_at(length.min(self.answers.len()));
        self.answers = rest;
        let mut bytes = next.to_vec();
        bytes.resize(length, 0);
        Report::new(&bytes).ok_or(WireFault::Gone)
    }
}

impl Wire for Key<'_> {
    fn set_feature(&mut self, _: &[u8]) -> Result<(), WireFault> {
        self.transfer();
        Ok(())
    }

    fn feature(&mut self, length: usize) -> Result<Report, WireFault> {
        self.transfer();
        self.answer(length)
    }

    fn output(&mut self, _: &[u8]) -> Result<(), WireFault> {
        self.transfer();
        Ok(())
    }

    fn input(&mut self, timeout: Duration) -> Result<Option<Report>, WireFault> {
        self.transfer();
        if self.answers.is_empty() {
            self.now.set(self.now.get() + timeout);
            return Ok(None);
        }
        self.answer(64).map(Some)
    }
}

struct Time(Rc<Cell<Duration>>);

impl Clock for Time {
    fn now(&self) -> Duration {
        self.0.get()
    }

    fn wait_until(&mut self, until: Duration) {
        self.0.set(self.0.get().max(until));
    }
}

/// Holds a conversation with a key that answers with `answers` and then with
/// zeros. It has to come to an end, whichever.
pub fn converse<T>(conversation: &mut (impl Conversation<Output = T> + ?Sized), answers: &[u8]) {
    let now = Rc::new(Cell::new(Duration::ZERO));
    let mut key = Key { answers, now: now.clone(), transfers: 0 };
    let _ = run(conversation, &mut key, &mut Time(now), |_| ());
}

/// Does the operation that the first byte chooses with a key of these ids, which answers with
/// the other bytes. What is random is not, so that recorded answers fit.
pub fn operate(ids: (u16, u16), data: &[u8]) {
    let Some((choice, answers)) = data.split_first() else { return };
    let operation = operation(*choice);
    if let Ok(mut conversation) = keys::identify::start(ids, None, operation, &Entropy::from_array(&[7; 32]))
    {
        converse(conversation.as_mut(), answers);
    }
}

/// Every operation, HOTP and TOTP, with the PIN of keys as they are sold.
#[must_use]
pub fn operation(choice: u8) -> Operation {
    let pin = || Pin::new("12345678".to_owned().into()).unwrap();
    let kind = if choice & 0x80 == 0 { Kind::Hotp } else { Kind::Totp };
    let (slot, digits, label) = (Slot(1), Digits::Six, "NK1_1".to_owned());
    let seed = Seed::new(&[0x5a; 20]).unwrap();
    match choice % 5 {
        0 => Operation::Inspect,
        1 => Operation::Erase { slot, kind, unlock: Unlock::AdminPin(pin()), label },
        2 => Operation::AskCode { slot, kind, challenge: vec![0; 8], digits, label, unlock: Unlock::None },
        3 => Operation::ChangePin { old: Some(pin()), new: pin() },
        _ => Operation::Program {
            slot,
            credential: match kind {
                Kind::Hotp => Credential::Hotp { seed, digits },
                _ => Credential::Totp { seed, digits, hash: HashAlgorithm::Sha1, period: 30 },
            },
            unlock: Unlock::AdminPin(pin()),
            new_code: None,
            guard: Guard::Nothing,
            label,
        },
    }
}

/// A bundle of these bytes: as they are, as a head, as a slot's words about itself, and as the compressed slot behind a head that is signed.
pub fn bundle(bytes: &[u8]) {
    use update::{About, CHUNK, Head, Keys, Sink, Station, make, open};

    struct Count(usize);
    impl Sink for Count {
        fn chunk(&mut self, at: usize, bytes: &[u8]) -> std::io::Result<()> {
            assert!(at == self.0 && bytes.len() == CHUNK);
            self.0 += 1;
            Ok(())
        }
    }

    let development = make::development();
    let key = update::keys::Key::new("development", &make::public(&development)).expect("it is a key");
    let text =
        "product p\nversion 1\nnumber 1\nfloor 0\ncontract 1\nkind development\nboards b\nforms journal=2\n";
    let running =
        About { keys: Keys::new(vec![key]).expect("one key"), ..About::read(text).expect("it is right") };
    let boards = ["b".to_owned()];
    let station = Station {
        running: &running,
        keys: &running.keys,
        floor: 0,
        contract: 1,
        boards: &boards,
        failed: &[],
        ordered: false,
    };
    assert!(open(bytes, &station).is_err(), "nobody has signed it");
    if let Some(head) = Head::read(bytes) {
        assert_eq!(head.text().as_bytes(), bytes);
    }
    let _ = About::in_page(bytes);
    let zeros: [u8; 32] = *b"\x30\xe1\x49\x55\xeb\xf1\x35\x22\x66\xdc\x2f\xf8\x06\x7e\x68\x10\x46\x07\xe7\x50\xab\xb9\xd3\xb3\x65\x82\xb8\xaf\x90\x9f\xcb\x58";
    let head = Head {
        about: About { number: 2, ..running.clone() },
        root: [0; 32],
        size: 2 * CHUNK as u64,
        packed: bytes.len() as u64,
        packed_hash: [0; 32],
        boot: vec![],
        chunks: vec![zeros; 2],
    };
    let Ok(signature) = make::sign(head.text().as_bytes(), &development, "fuzz") else { return };
    let whole = make::bundle(&head, &signature, bytes);
    if let Ok(opened) = open(whole.as_slice(), &station) {
        let mut count = Count(0);
        assert!(opened.pour(&mut count).is_err(), "its hash is another");
        assert!(count.0 <= 2);
    }
}
