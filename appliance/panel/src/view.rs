//! What the panel can be told to show.

use std::fmt;
use std::time::Duration;

use crate::text::Text;

/// One thing for the person at the desk to see.
///
/// A view carries values, not sentences: the panel words it in its language. The
/// exceptions are texts that only the caller has, such as what a refusal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// The station is starting.
    Starting {
        /// What it is busy with.
        step: Option<Text>,
    },
    /// There is no link or no address.
    NoNetwork {
        /// What is known about it, such as the interface.
        detail: Option<Text>,
    },
    /// The station wants an operator: why, and by turns where operators reach it.
    Operator {
        why: Box<View>,
        /// The station's name.
        name: Text,
        /// Its addresses, the one to use first.
        addresses: Vec<Text>,
    },
    /// The fingerprint that an SSH client shows at the first contact.
    HostKey(Fingerprint),
    /// The server cannot be used.
    Server {
        trouble: ServerTrouble,
        /// The server's host name.
        host: Text,
    },
    /// An operator has to unlock the station.
    Locked {
        /// Why it is locked, or how to unlock it.
        reason: Option<Text>,
    },
    /// Nothing is plugged in: insert a key. After [`Station::CALM`] it takes turns with the
    /// station's name, address and state.
    Ready(Station),
    /// An order waits for its key.
    Order {
        /// The key's serial; `None` when the next key will do.
        key: Option<Text>,
    },
    /// A key is being worked on; it stays in.
    Work {
        /// What is being done.
        activity: Activity,
        /// Where, on a station with several ports.
        port: Option<Port>,
        /// How far the enrollment is.
        progress: Progress,
        /// Which key or token it is, as far as that is known.
        subject: Option<Text>,
    },
    /// The key waits for a finger.
    Touch {
        /// Which key, on a station with several ports.
        port: Option<Port>,
        /// Seconds left at the moment the view is shown; the panel counts on by itself.
        seconds_left: u16,
        /// Which attempt this is, and how many there are.
        attempt: Progress,
        /// How many codes of this key have not arrived whole so far.
        torn: u8,
    },
    /// A key is enrolled, and may be pulled out.
    Done {
        /// Which key, on a station with several ports.
        port: Option<Port>,
        /// The token's serial.
        serial: Text,
        /// Whose token it is.
        user: Option<Text>,
    },
    /// The key has to leave before anything else happens.
    Remove {
        /// Which key, on a station with several ports.
        port: Option<Port>,
    },
    /// The key is not enrolled, and why.
    Refused {
        /// Which key, on a station with several ports.
        port: Option<Port>,
        /// What, why, and what to do.
        notice: Notice,
    },
    /// A key was pulled out while it was written: it is in no known state.
    Quarantined {
        /// Which key, on a station with several ports.
        port: Option<Port>,
        /// The key's serial.
        key: Text,
    },
    /// A run waits for its next key.
    Run(Run),
    /// Several keys at once.
    Ports(Vec<PortLine>),
    /// The other half of the card is being written.
    Updating {
        /// What it is updated to.
        version: Option<Text>,
        /// How far that is, in percent; more than 100 counts as 100.
        percent: u8,
    },
    /// The station goes off, or comes back.
    ShuttingDown {
        /// Whether it starts again by itself.
        restart: bool,
    },
    /// The station itself is at fault.
    Fault(Notice),
}

/// What, why and what to do, in the words of whoever refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The stable code, such as `E2041`.
    pub code: Text,
    /// What happened, in a few words.
    pub title: Text,
    pub cause: Text,
    /// What the person at the desk can do.
    pub remedy: Text,
}

/// How the station introduces itself when nothing happens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Station {
    pub name: Text,
    pub address: Text,
    /// Anything worth knowing, such as the server and today's count.
    pub state: Text,
    /// What somebody should do something about although keys are taken.
    pub warnings: Vec<Notice>,
}

impl Station {
    /// How long "Insert a key" stays alone before it takes turns with the rest.
    pub const CALM: Duration = Duration::from_secs(20);
}

/// Why the server cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerTrouble {
    /// No answer.
    Unreachable,
    /// Its certificate is not one that the station trusts.
    Untrusted,
    /// The station's clock is too far off to judge a certificate or a code.
    ClockWrong,
}

/// What is being done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Its make, firmware and slots are read.
    Reading,
    /// A slot is written.
    Writing,
    /// Its answer is checked.
    Checking,
}

/// A port's number as printed beside the socket: 1 to 99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(u8);

impl Port {
    /// `None` outside 1 to 99.
    pub const fn new(number: u8) -> Option<Self> {
        if matches!(number, 1..=99) { Some(Self(number)) } else { None }
    }

    /// The number on the label.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `step` of `of`: 3 of 6 means that two are behind and the third is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    // step <= of, of >= 1
    step: u8,
    of: u8,
}

impl Progress {
    /// `step` of `of`; a step beyond the last counts as the last.
    pub const fn new(step: u8, of: u8) -> Self {
        let of = if of == 0 { 1 } else { of };
        Self { step: if step > of { of } else { step }, of }
    }

    /// The step under way; 0 before the first.
    pub const fn step(self) -> u8 {
        self.step
    }

    /// How many there are, at least 1.
    pub const fn of(self) -> u8 {
        self.of
    }
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// The run's name.
    pub name: Text,
    /// Enrolled so far.
    pub done: u32,
    /// How many there shall be, if that is known.
    pub total: Option<u32>,
    /// Refused so far.
    pub refused: u32,
    /// Keys an hour.
    pub per_hour: Option<u32>,
    /// Time to the end at that rate.
    pub left: Option<Duration>,
}

/// One of several ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortLine {
    /// Its number.
    pub port: Port,
    /// What happens there.
    pub state: PortState,
    /// How far that is.
    pub progress: Option<Progress>,
}

/// What happens at one of several ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortState {
    /// No key.
    Empty,
    /// Work that needs nobody.
    Work(Activity),
    /// The key waits for a finger.
    Touch,
    /// Enrolled; the key may leave.
    Done,
    /// The key has to leave.
    Remove,
    /// Not enrolled; the view for this port alone says why.
    Refused,
    /// In no known state.
    Quarantined,
}

/// The SHA-256 fingerprint of an SSH host key: 43 characters of base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Characters of base64 in it: 32 octets without padding.
    pub const CHARS: usize = 43;

    /// Takes what `ssh-keygen -l` prints, with or without `SHA256:` before it.
    ///
    /// # Errors
    /// If it is not 43 characters of the base64 alphabet.
    pub fn parse(text: &str) -> Result<Self, BadFingerprint> {
        let digest = text.trim();
        let digest = digest.strip_prefix("SHA256:").unwrap_or(digest);
        let base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
        if digest.len() == Self::CHARS && digest.bytes().all(base64) {
            Ok(Self(digest.to_owned()))
        } else {
            Err(BadFingerprint)
        }
    }

    /// 43 times `A`: the fingerprint of no key.
    pub(crate) fn zero() -> Self {
        Self("A".repeat(Self::CHARS))
    }

    /// The 43 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A host key fingerprint is 43 characters of base64 after \"SHA256:\".")]
pub struct BadFingerprint;

impl View {
    /// Whether a finger is asked for anew, so that the buzzer sounds again: for
    /// another key, or for another attempt.
    pub fn calls_again(&self, before: &Self) -> bool {
        match (self, before) {
            (
                Self::Touch { port, attempt, torn, .. },
                Self::Touch { port: port0, attempt: attempt0, torn: torn0, .. },
            ) => (port, attempt, torn) != (port0, attempt0, torn0),
            _ => false,
        }
    }

    /// Whether `self` goes on where `before` was: pages and animations continue
    /// instead of starting over. Numbers that tick may differ.
    pub fn continues(&self, before: &Self) -> bool {
        use View::{Ports, Run as RunView, Updating, Work};
        match (self, before) {
            (
                Work { activity, port, subject, .. },
                Work { activity: activity0, port: port0, subject: subject0, .. },
            ) => (activity, port, subject) == (activity0, port0, subject0),
            (Updating { version, .. }, Updating { version: version0, .. }) => version == version0,
            (RunView(run), RunView(run0)) => {
                (run.done, run.refused, &run.name) == (run0.done, run0.refused, &run0.name)
            }
            (Ports(_), Ports(_)) => true,
            _ => self == before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_progress_are_what_a_label_can_say() {
        assert_eq!(Port::new(0), None);
        assert_eq!(Port::new(100), None);
        assert_eq!(Port::new(8).map(Port::number), Some(8));
        assert_eq!(Progress::new(9, 6), Progress::new(6, 6));
        assert_eq!(Progress::new(3, 0).of(), 1);
    }

    #[test]
    fn a_fingerprint_is_what_ssh_keygen_prints() {
        let text = "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM";
        let digest = "p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM";
        assert_eq!(Fingerprint::parse(text).unwrap().as_str(), digest);
        assert_eq!(Fingerprint::parse(digest).unwrap().as_str(), digest);
        for bad in ["", "MD5:aa:bb", "SHA256:short", &digest.replace('1', "ü"), &digest.replace('1', "-")] {
            assert_eq!(Fingerprint::parse(bad), Err(BadFingerprint), "{bad}");
        }
    }

    #[test]
    fn ticking_numbers_do_not_start_a_view_over() {
        let work = |step, activity| View::Work {
            activity,
            port: Port::new(1),
            progress: Progress::new(step, 6),
            subject: None,
        };
        assert!(work(3, Activity::Writing).continues(&work(2, Activity::Writing)));
        assert!(!work(3, Activity::Checking).continues(&work(3, Activity::Writing)));
        let touch =
            |seconds_left| View::Touch { port: None, seconds_left, attempt: Progress::new(1, 3), torn: 0 };
        assert!(touch(9).continues(&touch(9)));
        assert!(!touch(8).continues(&touch(9)), "the countdown starts from the new number");
        assert!(!touch(8).calls_again(&touch(9)));
        let second = View::Touch { port: None, seconds_left: 15, attempt: Progress::new(2, 3), torn: 0 };
        assert!(second.calls_again(&touch(1)));
        let torn = View::Touch { port: None, seconds_left: 15, attempt: Progress::new(1, 3), torn: 1 };
        assert!(torn.calls_again(&touch(1)));
    }
}
