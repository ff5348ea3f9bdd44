//! A YubiKey twin that is plugged in as the station sees it, and looked into by the test.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dispatch::key_thread::Plugged;
use keys::device::{Family, Firmware, KeySerial, ProofWay, Slot};
use sim::key::{Finger, SimKey};
use twins::key::{KeyTwin, KeyboardReport, Press, TwinError};
use twins::yubikey::{Faults, Foreign, Model, Snapshot, YubiKeyTwin};

use crate::Broken;

/// What a key is when it is plugged in for the first time.
#[derive(Clone, Copy)]
pub(crate) struct Blank {
    pub(crate) firmware: Firmware,
    /// Whether something foreign is in slot 1, and its access code.
    pub(crate) slot1: Held,
    /// The same for slot 2.
    pub(crate) slot2: Held,
    pub(crate) hides_serial: bool,
    /// The USB interfaces that are on, by their product id.
    pub(crate) product: Option<u16>,
    pub(crate) faults: Faults,
    /// What goes wrong from the moment at which the key is written.
    pub(crate) faults_in_writing: Option<Faults>,
}

/// What a slot holds before the station comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    Nothing,
    Foreign,
    Guarded([u8; 6]),
    /// Something in particular.
    This(Foreign),
}

impl Blank {
    /// A YubiKey 5 with something foreign in slot 2, which must stay as it is.
    pub(crate) fn new() -> Self {
        Self {
            firmware: Firmware::new(5, 4, 3),
            slot1: Held::Nothing,
            slot2: Held::Foreign,
            hides_serial: false,
            product: None,
            faults: Faults::default(),
            faults_in_writing: None,
        }
    }
}

/// A key in somebody's hand.
pub(crate) struct TestKey {
    pub(crate) serial: KeySerial,
    shared: Arc<Mutex<YubiKeyTwin>>,
    sim: SimKey,
}

/// All that the key remembers.
#[derive(PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) slots: Snapshot,
    whole: zeroize::Zeroizing<String>,
}

impl TestKey {
    /// A new key.
    pub(crate) fn new(number: u32, blank: Blank) -> Result<Self, Broken> {
        let mut model = Model::new(blank.firmware, number)?;
        if let Some(product) = blank.product {
            model = model.with_product_id(product)?;
        }
        let mut twin = YubiKeyTwin::new(model, number.into());
        for (slot, held) in [(Slot(1), blank.slot1), (Slot(2), blank.slot2)] {
            match held {
                Held::Nothing => {}
                Held::Foreign => twin.occupy(slot, None),
                Held::Guarded(code) => twin.occupy(slot, Some(code)),
                Held::This(what) => twin.hold(slot, what, None),
            }
        }
        if blank.hides_serial {
            twin.hide_serial();
        }
        let product = twin.product_id().ok_or("the key shows nothing on USB")?;
        twin.power()?;
        twin.set_faults(blank.faults);
        let shared = Arc::new(Mutex::new(twin));
        let sim = SimKey::of(format!("key {number}"), product, Box::new(Shared(Arc::clone(&shared))));
        Ok(Self { serial: KeySerial { family: Family::YubiKeyOtp, number }, shared, sim })
    }

    /// Plugs it in.
    pub(crate) fn plug(&self, port: &str) -> (Plugged, Finger) {
        self.sim.plug(port)
    }

    /// Pulls it out.
    pub(crate) fn pull(&self) -> Result<(), Broken> {
        self.sim.pull().map_err(|error| format!("{error:#}").into())
    }

    /// A hand on it that makes things go wrong.
    pub(crate) fn saboteur(&self) -> impl Fn(Faults) + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move |faults| lock(&shared).set_faults(faults)
    }

    /// What it remembers now.
    pub(crate) fn memory(&self) -> Memory {
        let twin = self.twin();
        Memory { slots: twin.snapshot(), whole: twin.save() }
    }

    /// Whether a slot holds this secret.
    pub(crate) fn holds(&self, slot: Slot, secret: &[u8]) -> bool {
        self.twin().slot_holds(slot, secret)
    }

    /// Whether this access code guards a slot.
    pub(crate) fn is_locked_by(&self, slot: Slot, code: [u8; 6]) -> bool {
        self.twin().access_code_is(slot, code)
    }

    /// Lets it type its next code on somebody's own computer.
    pub(crate) async fn type_code(&self, slot: Slot) -> Result<String, Broken> {
        let (_plugged, finger) = self.plug("elsewhere");
        let way = if slot == Slot(2) { ProofWay::TypedLong } else { ProofWay::TypedShort };
        let text = finger.touch(way).await.map_err(|error| format!("{error:#}"))?;
        self.pull()?;
        Ok(text.trim().to_owned())
    }

    fn twin(&self) -> MutexGuard<'_, YubiKeyTwin> {
        lock(&self.shared)
    }
}

fn lock(shared: &Mutex<YubiKeyTwin>) -> MutexGuard<'_, YubiKeyTwin> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The simulation's hand on the twin.
struct Shared(Arc<Mutex<YubiKeyTwin>>);

impl KeyTwin for Shared {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), TwinError> {
        lock(&self.0).set_feature(report)
    }

    fn get_feature(&mut self) -> Result<Vec<u8>, TwinError> {
        lock(&self.0).get_feature()
    }

    fn out(&mut self, packet: &[u8]) -> Result<(), TwinError> {
        lock(&self.0).out(packet)
    }

    fn input(&mut self) -> Result<Option<Vec<u8>>, TwinError> {
        lock(&self.0).input()
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TwinError> {
        lock(&self.0).apdu(command)
    }

    fn touch(&mut self, press: Press) -> Result<Vec<KeyboardReport>, TwinError> {
        lock(&self.0).touch(press)
    }

    fn power(&mut self) -> Result<(), TwinError> {
        lock(&self.0).power()
    }

    fn advance(&mut self, by: Duration) -> Result<(), TwinError> {
        lock(&self.0).advance(by)
    }
}
