//! Twin keys as the station's driver wants them: plugged in, with a finger to touch them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use dispatch::key_thread::{KEYSTROKES, Keystroke, Plugged};
use keys::conversation::Report;
use keys::device::{Firmware, ProofWay};
use keys::wire::{Wire, WireFault};
use keys::yubikey::typed::usage::{SHIFTS, Stroke};
use tokio::sync::mpsc;
use twins::key::{KeyTwin, Press, TwinError};
use twins::line::LineKey;
use twins::yubikey::{Model, VENDOR, YubiKeyTwin};

/// A key that can be plugged in any number of times.
pub struct SimKey {
    /// What the person at the desk would call it.
    pub name: String,
    /// USB vendor and product id.
    ids: (u16, u16),
    twin: Shared,
    /// How long each report takes.
    report: Duration,
}

/// The types of keys that can be attached, with their USB ids. A YubiKey is one
/// with all interfaces, as most are.
const TYPES: [(&str, (u16, u16)); 5] = [
    ("yubikey", (VENDOR, 0x0407)),
    ("nitrokey-pro", (0x20a0, 0x4108)),
    ("nitrokey-storage", (0x20a0, 0x4109)),
    ("librem-key", (0x316d, 0x4c4b)),
    ("nitrokey3", (0x20a0, 0x42b2)),
];

impl SimKey {
    /// A fresh twin of a YubiKey.
    pub fn yubikey(firmware: Firmware, serial: u32) -> anyhow::Result<Self> {
        let twin = YubiKeyTwin::new(Model::new(firmware, serial)?, serial.into());
        let product = twin.product_id().context("this twin has no USB interface")?;
        Ok(Self::of(format!("twin YubiKey {serial}"), product, Box::new(twin)))
    }

    /// A YubiKey that somebody else made, and perhaps still looks into.
    pub fn of(name: String, product: u16, twin: Box<dyn KeyTwin>) -> Self {
        Self { name, ids: (VENDOR, product), twin: Shared::new(twin), report: Duration::ZERO }
    }

    /// A key of any make.
    pub fn twin(name: String, ids: (u16, u16), twin: Box<dyn KeyTwin>) -> Self {
        Self { name, ids, twin: Shared::new(twin), report: Duration::ZERO }
    }

    /// A key behind the line protocol, as `TYPE@ADDRESS`.
    pub fn attached(text: &str) -> anyhow::Result<Self> {
        let Some((kind, address)) = text.split_once('@') else {
            bail!("'{text}' is not of the form TYPE@ADDRESS, such as yubikey@/run/key.sock");
        };
        let Some((_, ids)) = TYPES.into_iter().find(|(name, _)| *name == kind) else {
            let names = TYPES.map(|(name, _)| name).join(", ");
            bail!("'{kind}' is no type of key that can be attached: {names}");
        };
        let address = if address.starts_with("cmd:") || address.starts_with("unix:") {
            address.to_owned()
        } else {
            format!("unix:{address}")
        };
        let line = LineKey::open(&address).with_context(|| format!("no key at {address}"))?;
        Ok(Self {
            name: format!("{kind} at {address}"),
            ids,
            twin: Shared::new(Box::new(line)),
            report: Duration::ZERO,
        })
    }

    /// Lets each of its reports take so long, as it does over USB.
    #[must_use]
    pub fn with_report_time(self, report: Duration) -> Self {
        Self { report, ..self }
    }

    /// Plugs it into `port`. The finger touches it as long as it is plugged in.
    pub fn plug(&self, port: &str) -> (Plugged, Finger) {
        let (sender, keystrokes) = mpsc::channel(KEYSTROKES);
        let (vendor, product) = self.ids;
        let plugged = Plugged {
            port: port.to_owned(),
            vendor,
            product,
            wire: Box::new(TwinWire { twin: self.twin.clone(), report: self.report }),
            keystrokes,
        };
        (plugged, Finger { twin: self.twin.clone(), keystrokes: sender })
    }

    /// Pulls it out.
    pub fn pull(&self) -> anyhow::Result<()> {
        Ok(self.twin.lock().power()?)
    }
}

/// A twin that the driver's thread and the finger share, and whose time is ours.
#[derive(Clone)]
struct Shared(Arc<Mutex<Timed>>);

struct Timed {
    twin: Box<dyn KeyTwin>,
    last: Instant,
}

impl Shared {
    fn new(twin: Box<dyn KeyTwin>) -> Self {
        Self(Arc::new(Mutex::new(Timed { twin, last: Instant::now() })))
    }

    /// The twin, brought up to the present.
    fn lock(&self) -> Guard<'_> {
        let mut timed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let passed = now.saturating_duration_since(timed.last);
        // The line protocol counts milliseconds; smaller steps would be lost.
        if passed >= Duration::from_millis(1) {
            let whole = Duration::from_millis(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX));
            timed.last += whole;
            // A twin that is pulled out has no time; nothing is lost when it says so.
            let _ = timed.twin.advance(whole);
        }
        Guard(timed)
    }
}

struct Guard<'a>(MutexGuard<'a, Timed>);

impl std::ops::Deref for Guard<'_> {
    type Target = dyn KeyTwin;

    fn deref(&self) -> &Self::Target {
        self.0.twin.as_ref()
    }
}

impl std::ops::DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.twin.as_mut()
    }
}

/// A twin's reports as the driver wants them.
struct TwinWire {
    twin: Shared,
    report: Duration,
}

impl TwinWire {
    /// The twin, after the time that a report takes.
    fn reach(&self) -> Guard<'_> {
        let time = self.report + self.twin.lock().lateness();
        if !time.is_zero() {
            thread::sleep(time);
        }
        self.twin.lock()
    }
}

fn fault(error: TwinError) -> WireFault {
    match error {
        TwinError::Gone => WireFault::Gone,
        error => WireFault::Failed(error.to_string()),
    }
}

fn report(bytes: &[u8]) -> Result<Report, WireFault> {
    Report::new(bytes).ok_or_else(|| WireFault::Failed(format!("a report of {} bytes", bytes.len())))
}

impl Wire for TwinWire {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), WireFault> {
        self.reach().set_feature(report).map_err(fault)
    }

    fn feature(&mut self, length: usize) -> Result<Report, WireFault> {
        let bytes = self.reach().get_feature().map_err(fault)?;
        if bytes.len() != length {
            return Err(WireFault::Failed(format!("a report of {} bytes instead of {length}", bytes.len())));
        }
        report(&bytes)
    }

    fn output(&mut self, packet: &[u8]) -> Result<(), WireFault> {
        self.reach().out(packet).map_err(fault)
    }

    fn input(&mut self, timeout: Duration) -> Result<Option<Report>, WireFault> {
        let until = Instant::now() + timeout;
        loop {
            if let Some(packet) = self.twin.lock().input().map_err(fault)? {
                return report(&packet).map(Some);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            // The line protocol has no way to say that a packet is there but asking.
            thread::sleep(left.min(Duration::from_millis(2)));
        }
    }
}

/// The finger of the person at the desk.
pub struct Finger {
    twin: Shared,
    keystrokes: mpsc::Sender<Keystroke>,
}

impl Finger {
    /// Touches the key and lets it type; says what it typed, as far as it is text.
    pub async fn touch(&self, way: ProofWay) -> anyhow::Result<String> {
        let press = if way == ProofWay::TypedLong { Press::Long } else { Press::Short };
        let twin = self.twin.clone();
        let reports = tokio::task::spawn_blocking(move || twin.lock().touch(press)).await??;
        let mut text = String::new();
        for keystroke in reports {
            let [modifiers, _, usages @ ..] = keystroke;
            let shift = modifiers & SHIFTS != 0;
            text.extend(usages.into_iter().filter_map(|usage| Stroke { usage, shift }.character()));
            self.keystrokes.send(keystroke).await.context("the key is not plugged in")?;
        }
        Ok(text)
    }
}
