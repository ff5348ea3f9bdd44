//! Speaks to whatever key is plugged in: says what it is, writes a HOTP slot with the
//! secret of RFC 4226 when it is an empty YubiKey, and compares what it types. **For
//! software keys in an emulated machine (`scripts/guest`), not for keys that anybody uses.**
//!
//! ```text
//! keys [PORT-PATTERN...]
//! @ 12.34 reading 1-3
//! @ 12.91 recognised 1-3 YubiKey 5 NFC 12345678
//! @ 13.20 touch 1-3
//! @ 14.75 enrolled 1-3
//! @ 15.02 left 1-3
//! ```

use std::collections::HashMap;
use std::fmt::Display;
use std::io::Write;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use keys::device::{
    Answer, Credential, Digits, Family, Guard, HashAlgorithm, KeyInfo, Occupancy, Operation, Slot, Unlock,
};
use keys::otp;
use keys::secret::{Entropy, Seed};
use keys::wire::{Clock, Failure, run};
use keys::yubikey::typed::Collector;
use usb::{Arrived, Event, HidWire, Keystroke, Places, Policy, Watcher};

const SECRET: &[u8; 20] = b"12345678901234567890";
/// How long a touch is waited for.
const TOUCH: Duration = Duration::from_secs(120);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ports = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<Vec<_>, _>>()?;
    let (sender, events) = channel();
    let _watcher = Watcher::start(Policy { ports, ..Policy::default() }, Places::default(), move |event| {
        // Said here, so that the time is that of the news.
        if let Event::Arrived(arrived) = &event {
            say(format_args!("reading {}", arrived.port));
        }
        let _ = sender.send(event);
    })?;
    say("started");
    for event in events {
        match event {
            Event::Arrived(arrived) => {
                thread::spawn(move || attend(arrived));
            }
            Event::Left(port) => say(format_args!("left {port}")),
            Event::Stranger { port, what } => say(format_args!("nothing {port} {what}: not welcome here")),
            Event::Lost(why) => say(format_args!("lost {why}")),
            Event::Found => say("found"),
        }
    }
    Ok(())
}

fn say(what: impl Display) {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    // Nobody hears it any more when the other end is gone.
    let _ = writeln!(std::io::stdout(), "@ {} {what}", uptime.split(' ').next().unwrap_or("?"));
}

struct Since(Instant);

impl Clock for Since {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait_until(&mut self, until: Duration) {
        thread::sleep(until.saturating_sub(self.0.elapsed()));
    }
}

struct Key {
    ids: (u16, u16),
    wire: HidWire,
    known: Option<KeyInfo>,
}

impl Key {
    fn ask(&mut self, operation: Operation) -> Result<Answer, Failure> {
        // The randomness of this program protects nothing.
        let entropy = Entropy::from_array(&[7; 32]);
        let mut conversation = keys::identify::start(self.ids, self.known.as_ref(), operation, &entropy)?;
        run(conversation.as_mut(), &mut self.wire, &mut Since(Instant::now()), |_| {})
    }
}

fn attend(arrived: Arrived) {
    let Arrived { port, ids, wire, typing, .. } = arrived;
    let (sender, strokes) = channel();
    typing.deliver_to(move |stroke| sender.send(stroke).is_ok());
    let mut key = Key { ids, wire, known: None };
    let info = match key.ask(Operation::Inspect) {
        Ok(Answer::Inspected(info)) => info,
        Ok(_) => return say(format_args!("trouble {port} another answer than was asked for")),
        Err(error) => return say(format_args!("nothing {port} {error}")),
    };
    let serial = info.serial.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    say(format_args!("recognised {port} {} {serial}", info.model));
    let empty = info.slots.first().is_some_and(|slot| slot.occupancy == Occupancy::Empty);
    if info.family != Family::YubiKeyOtp || !empty {
        return;
    }
    key.known = Some(info);
    let Ok(seed) = Seed::new(SECRET) else { return };
    let program = Operation::Program {
        slot: Slot(1),
        credential: Credential::Hotp { seed, digits: Digits::Six },
        unlock: Unlock::None,
        new_code: None,
        label: String::new(),
        guard: Guard::Nothing,
    };
    match key.ask(program) {
        Ok(Answer::Programmed) => say(format_args!("touch {port}")),
        Ok(_) => return say(format_args!("trouble {port} another answer than was asked for")),
        Err(error) => return say(format_args!("trouble {port} {error}")),
    }
    match typed(&strokes) {
        Ok(code) if fits(&code) => say(format_args!("enrolled {port}")),
        Ok(_) => say(format_args!("trouble {port} it typed another code")),
        Err(why) => say(format_args!("trouble {port} {why}")),
    }
}

/// The code that is typed next.
fn typed(strokes: &Receiver<Keystroke>) -> Result<String, String> {
    let (begun, mut collector) = (Instant::now(), Collector::new());
    loop {
        let now = begun.elapsed();
        let until = collector.deadline().unwrap_or(TOUCH);
        match strokes.recv_timeout(until.saturating_sub(now)) {
            Ok(stroke) => collector.push(begun.elapsed(), &stroke),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Err("it is gone".to_owned()),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
        }
        if let Some(code) = collector.take(begun.elapsed()) {
            return code.hotp("", Digits::Six).map(str::to_owned).map_err(|error| error.to_string());
        }
        if begun.elapsed() > TOUCH {
            return Err("it was not touched".to_owned());
        }
    }
}

fn fits(code: &str) -> bool {
    let Ok(seed) = Seed::new(SECRET) else { return false };
    let expected: HashMap<String, u64> = (0..3)
        .map(|counter| (otp::hotp(&seed, counter, Digits::Six, HashAlgorithm::Sha1), counter))
        .collect();
    expected.contains_key(code)
}
