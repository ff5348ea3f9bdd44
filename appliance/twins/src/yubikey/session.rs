//! The key from being plugged in to being pulled out: what it is busy with, what
//! it shows, and what its transfers do.

use core::time::Duration;

use keys::device::Firmware;

use super::YubiKeyTwin;
use super::ccid::Applet;
use super::chance::Chance;
use super::command::{Challenge, Outcome, Via};
use super::frame::{Assembly, Frame, Response, Taken, is_reset};
use super::memory::{Memory, Place};
use super::model::interfaces_of;

/// Control byte: a write is not consumed yet.
const BUSY: u8 = 0x80;
/// Control byte: the key starts and takes no writes.
const STARTING: u8 = 0x9f;
/// Control byte: waiting for a touch; the low five bits are seconds.
const WAITING: u8 = 0x20;
/// A challenge waits so long unless the settings say otherwise.
const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(15);
/// After the smart card or FIDO were used, OTP does nothing for so long
/// (ykman/hid/base.py, "reclaim").
const RECLAIM: Duration = Duration::from_secs(3);
/// From a write of the settings to the restart that it asked for.
const RESTART: Duration = Duration::from_millis(100);

/// What is forgotten when the key is pulled out.
pub(super) struct Session {
    /// The interfaces that are on: settings take effect at power-up.
    pub interfaces: u8,
    /// Yubico OTPs since power-up, by place; `None` before the first.
    pub uses: [Option<u8>; 2],
    /// Slot bits that the status still shows although nothing is programmed.
    pub stale_touch_bits: Option<u8>,
    /// What the smart card has selected.
    pub applet: Option<Applet>,
    since: Duration,
    timestamp_start: u32,
    assembly: Assembly,
    link: Link,
    /// The next report is not looked at before.
    consuming_until: Duration,
    reclaimed_until: Duration,
    /// Firmware 3: what the HID side last heard from the applet.
    heard: Option<[u8; 6]>,
    restart_at: Option<Duration>,
}

enum Link {
    Idle,
    Busy { until: Duration, shown: [u8; 6], then: Then },
    Responding(Response),
    Waiting { until: Duration, challenge: Challenge },
}

/// What follows on being busy.
enum Then {
    Status,
    Respond(Response),
    Wait(Challenge),
    /// [`commit_late`](super::Faults::commit_late).
    Execute(Frame),
    /// [`stuck_busy`](super::Faults::stuck_busy).
    Stuck,
}

impl Session {
    /// The key is plugged in now.
    pub(super) fn begin(memory: &Memory, chance: &mut Chance, now: Duration) -> Self {
        Self {
            interfaces: interfaces_of(memory.settings.usb_enabled),
            uses: [None, None],
            stale_touch_bits: None,
            applet: None,
            since: now,
            timestamp_start: chance.bits24(),
            assembly: Assembly::new(),
            link: Link::Idle,
            consuming_until: now,
            reclaimed_until: now,
            heard: None,
            restart_at: None,
        }
    }

    /// Eighths of seconds since power-up, from a random start, in 24 bits.
    pub(super) fn timestamp(&self, now: Duration) -> u32 {
        let eighths = now.saturating_sub(self.since).as_millis() / 125 % (1 << 24);
        self.timestamp_start.wrapping_add(u32::try_from(eighths).unwrap_or(0)) & 0x00ff_ffff
    }

    pub(super) const fn use_mut(&mut self, place: Place) -> &mut Option<u8> {
        let [one, two] = &mut self.uses;
        match place {
            Place::One => one,
            Place::Two => two,
        }
    }
}

impl YubiKeyTwin {
    /// Brings the link to where it is at this time.
    pub(super) fn settle(&mut self) {
        if self.session.restart_at.is_some_and(|at| self.plug.now >= at) {
            self.replug();
        }
        loop {
            let due = match &self.session.link {
                Link::Busy { then: Then::Stuck, .. } => false,
                Link::Busy { until, .. } | Link::Waiting { until, .. } => self.plug.now >= *until,
                Link::Idle | Link::Responding(_) => false,
            };
            if !due {
                return;
            }
            self.session.link = match core::mem::replace(&mut self.session.link, Link::Idle) {
                Link::Busy { until, then, .. } => match then {
                    Then::Respond(response) => Link::Responding(response),
                    Then::Wait(challenge) => {
                        Link::Waiting { until: until.saturating_add(self.challenge_timeout()), challenge }
                    }
                    Then::Execute(frame) => {
                        let outcome = self.execute(frame.command, &frame.payload, Via::Hid);
                        self.follow(outcome, self.plug.now, Duration::ZERO)
                    }
                    Then::Status | Then::Stuck => Link::Idle,
                },
                // A wait that ran out leaves the status as it was.
                _ => Link::Idle,
            };
            if matches!(self.session.link, Link::Idle) {
                self.hear();
            }
        }
    }

    fn challenge_timeout(&self) -> Duration {
        match self.memory.settings.challenge_timeout {
            0 => CHALLENGE_TIMEOUT,
            seconds => Duration::from_secs(seconds.into()),
        }
    }

    /// A whole frame came in.
    fn begin(&mut self, frame: Frame) {
        let shown = self.shown_status();
        if self.plug.faults.stuck_busy {
            self.session.link = Link::Busy { until: self.plug.now, shown, then: Then::Stuck };
            return;
        }
        if self.plug.faults.commit_late {
            let latency = self.latency(frame.command, &Outcome::Changed);
            let then = Then::Execute(frame);
            self.session.link = Link::Busy { until: self.plug.now.saturating_add(latency), shown, then };
            return;
        }
        let outcome = self.execute(frame.command, &frame.payload, Via::Hid);
        let latency = self.latency(frame.command, &outcome);
        self.session.link = self.follow(outcome, self.plug.now, latency);
        if let Link::Busy { shown: kept, .. } = &mut self.session.link {
            *kept = shown;
        }
    }

    fn follow(&mut self, outcome: Outcome, now: Duration, latency: Duration) -> Link {
        let until = now.saturating_add(latency);
        let then = match outcome {
            Outcome::Refused | Outcome::Changed => Then::Status,
            Outcome::Restart => {
                self.restart_after(until);
                Then::Status
            }
            Outcome::Data(data) => Then::Respond(Response::new(&data)),
            Outcome::Touch(challenge) => Then::Wait(challenge),
        };
        Link::Busy { until, shown: self.status(), then }
    }

    /// Version, programming sequence, touch level: what the applet knows.
    pub(super) fn status(&self) -> [u8; 6] {
        let Firmware { major, minor, build } = self.model.firmware;
        let bits = self.memory.touch_bits(self.model.firmware);
        let low = self.session.stale_touch_bits.unwrap_or(bits);
        [major, minor, build, self.memory.sequence, low, self.model.touch_high]
    }

    /// What the HID side shows. On a NEO it is what the applet last told it, which
    /// is out of date after a change over the smart card, until a command goes
    /// through (yubikit/core/otp.py: "may have cached pgmSeq in arbitrator").
    fn shown_status(&self) -> [u8; 6] {
        let [major, minor, build, _, _, high] = self.status();
        match (major, self.session.heard) {
            (3, None) => [major, minor, build, 0, 0, high],
            (3, Some(heard)) => heard,
            _ => self.status(),
        }
    }

    /// The HID side hears from the applet.
    pub(super) fn hear(&mut self) {
        self.session.heard = Some(self.status());
    }

    /// Whether a touch is for a challenge, or comes while the key is busy; then
    /// nothing is typed.
    pub(super) fn touch_is_taken(&mut self) -> bool {
        match core::mem::replace(&mut self.session.link, Link::Idle) {
            Link::Waiting { challenge, .. } => {
                if let Some(answer) = self.respond(&challenge) {
                    self.session.link = Link::Responding(Response::new(&answer));
                }
                true
            }
            other => {
                let busy = matches!(other, Link::Busy { .. });
                self.session.link = other;
                busy
            }
        }
    }

    /// Restarts a little after the change that asked for it is done.
    pub(super) const fn restart_after(&mut self, done: Duration) {
        self.session.restart_at = Some(done.saturating_add(RESTART));
    }

    /// The smart card was used. A key that is stuck stays so.
    pub(super) fn reclaim(&mut self) {
        if !matches!(self.session.link, Link::Busy { then: Then::Stuck, .. }) {
            self.session.link = Link::Idle;
        }
        self.session.assembly.clear();
        self.session.reclaimed_until = self.plug.now.saturating_add(RECLAIM);
    }

    /// One report of the host.
    pub(super) fn take(&mut self, report: &[u8; 8]) {
        let reclaimed = self.plug.now < self.session.reclaimed_until;
        if self.is_starting() || reclaimed || self.plug.now < self.session.consuming_until {
            return;
        }
        match &self.session.link {
            // Not ready: the report is lost, as the host was told it would be. A reset
            // drops the answer that is on its way.
            Link::Busy { .. } => {
                if is_reset(report) {
                    self.drop_answer();
                }
                return;
            }
            // Any write ends these two; its content is not looked at.
            Link::Responding(_) | Link::Waiting { .. } => {
                self.session.link = Link::Idle;
                self.hear();
                return;
            }
            Link::Idle => {}
        }
        self.session.consuming_until = self.plug.now.saturating_add(self.plug.faults.slow_reports);
        match self.session.assembly.take(report) {
            Taken::Whole(frame) => self.begin(frame),
            Taken::Part | Taken::Refused | Taken::Reset | Taken::Nothing => {}
        }
    }

    fn is_starting(&self) -> bool {
        self.plug.now < self.session.since.saturating_add(self.plug.faults.starting)
    }

    fn drop_answer(&mut self) {
        if let Link::Busy { then, .. } = &mut self.session.link
            && matches!(then, Then::Respond(_) | Then::Wait(_))
        {
            *then = Then::Status;
        }
    }

    /// The report that the host reads.
    pub(super) fn show(&mut self) -> [u8; 8] {
        let idle = self.shown_status();
        let starting = self.is_starting();
        let (shown, control) = match &mut self.session.link {
            Link::Responding(response) => return response.report(),
            Link::Busy { shown, .. } => (*shown, BUSY | 9),
            Link::Waiting { until, .. } => {
                let left = until.saturating_sub(self.plug.now).as_millis().div_ceil(1000).clamp(1, 31);
                (idle, WAITING | u8::try_from(left).unwrap_or(31))
            }
            Link::Idle if starting => (idle, STARTING),
            Link::Idle if self.plug.now < self.session.consuming_until => {
                (idle, BUSY | self.session.assembly.last())
            }
            Link::Idle => (idle, 0),
        };
        let [major, minor, build, sequence, low, high] = shown;
        [0, major, minor, build, sequence, low, high, control]
    }
}
