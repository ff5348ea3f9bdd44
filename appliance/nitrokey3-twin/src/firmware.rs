//! The firmware: Nitrokey's applications, with what they run on.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::Duration;

use ctaphid_app::App;
use ctaphid_dispatch::{Channel, DEFAULT_MESSAGE_SIZE};
use fido_authenticator::{Config, Conforming};
use littlefs2_core::path;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use ref_swap::OptionRefSwap;
use trussed::ClientImplementation;
use trussed::pipe::{ServiceEndpoint, TrussedChannel};
use trussed::platform::{Platform, Syscall};
use trussed::service::Service;
use trussed::types::CoreContext;
use trussed::virt::{StorageConfig, Store, StoreConfig};
use trussed_core::InterruptFlag;
use trussed_core::types::Location;

use crate::bus::Bus;
use crate::dispatch::{Backend, Dispatch, DispatchContext, OF_FIDO, OF_SECRETS};
use crate::presence::{Button, World};
use crate::twin::Model;
use crate::usb::{self, Answer, Ask, Ending};
use crate::version::VersionApp;

/// How many credentials the firmware lets the application keep.
const MOST_CREDENTIALS: u16 = 50;

/// What a key is made of.
pub(crate) struct Hardware<'a> {
    rng: ChaCha8Rng,
    store: Store<'a>,
    button: Button,
}

impl<'a> Platform for Hardware<'a> {
    type R = ChaCha8Rng;
    type S = Store<'a>;
    type UI = Button;

    fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.rng
    }

    fn store(&self) -> Store<'a> {
        self.store
    }

    fn user_interface(&mut self) -> &mut Button {
        &mut self.button
    }
}

/// The service that applications ask things of, and their ways to it.
struct Machine<'a> {
    service: Service<Hardware<'a>, Dispatch>,
    endpoints: Vec<ServiceEndpoint<'a, Backend, DispatchContext>>,
}

/// How an application has its requests served: at once, by the same thread.
#[derive(Clone)]
struct Serve<'a>(Rc<RefCell<Machine<'a>>>);

impl Syscall for Serve<'_> {
    fn syscall(&mut self) {
        let Machine { service, endpoints } = &mut *self.0.borrow_mut();
        service.process(endpoints);
    }
}

/// Lets a cancelled command end. Applications want these for ever, so each key has
/// its own for as long as the program runs.
#[derive(Clone, Copy)]
struct Interrupts {
    working: &'static OptionRefSwap<'static, InterruptFlag>,
    secrets: &'static InterruptFlag,
    fido: &'static InterruptFlag,
}

impl Interrupts {
    fn new() -> Self {
        Self {
            working: Box::leak(Box::new(OptionRefSwap::new(None))),
            secrets: Box::leak(Box::new(InterruptFlag::new())),
            fido: Box::leak(Box::new(InterruptFlag::new())),
        }
    }
}

/// Runs a key, from one power-up to the next, until nobody holds it any more.
pub(crate) fn run(model: &Model, world: &World, asks: Receiver<Ask>, answers: Sender<Answer>) {
    let interrupts = Interrupts::new();
    let mut memory = StoreConfig::ram();
    let mut line = (asks, answers);
    for power_up in 0_u64.. {
        world.power_on();
        let seed = model.seed ^ power_up.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (ending, same_line) =
            memory.with_store(|store| session(model, seed, world, store, interrupts, line));
        if ending == Ending::Gone {
            return;
        }
        line = same_line;
        memory.internal.format = false;
        memory.external.format = false;
        memory.volatile = StorageConfig::ram();
    }
}

type LineEnds = (Receiver<Ask>, Sender<Answer>);

/// From power-up to power-down.
fn session(
    model: &Model,
    seed: u64,
    world: &World,
    store: Store<'_>,
    interrupts: Interrupts,
    line: LineEnds,
) -> (Ending, LineEnds) {
    let hardware = Hardware { rng: ChaCha8Rng::seed_from_u64(seed), store, button: Button(world.clone()) };
    let (to_secrets, to_fido) = (TrussedChannel::new(), TrussedChannel::new());
    let service = Service::with_dispatch(hardware, Dispatch::new());
    let machine = Rc::new(RefCell::new(Machine { service, endpoints: Vec::new() }));
    let client = |channel, name, backends, interrupt| client(&machine, channel, name, backends, interrupt);
    let (Some(secrets), Some(fido)) = (
        client(&to_secrets, path!("secrets"), OF_SECRETS, interrupts.secrets),
        client(&to_fido, path!("fido"), OF_FIDO, interrupts.fido),
    ) else {
        return (Ending::Gone, line);
    };
    let options =
        secrets_app::Options::new(Location::External, 0, 1, model.serial.to_be_bytes(), MOST_CREDENTIALS);
    let mut secrets = secrets_app::Authenticator::new(secrets, options);
    let mut fido = fido_authenticator::Authenticator::new(fido, Conforming {}, fido_config());
    let mut version = VersionApp { version: model.firmware.unwrap_or_default() };

    let channel = Channel::<DEFAULT_MESSAGE_SIZE>::new();
    let Some((requester, responder)) = channel.split() else {
        return (Ending::Gone, line);
    };
    let mut dispatch = ctaphid_dispatch::Dispatch::with_interrupt(responder, Some(interrupts.working));
    thread::scope(|scope| {
        let driver = scope.spawn(|| usb::drive(&Bus::default(), requester, interrupts.working, world, line));
        // Also when an application panics, so that the driver does not wait for it.
        let _power = PowerOff(world);
        while world.await_event() {
            let mut apps: Vec<&mut dyn App<'static>> = vec![&mut secrets, &mut fido];
            if model.firmware.is_some() {
                apps.push(&mut version);
            }
            // A command that was cancelled is acknowledged by another look.
            dispatch.poll(&mut apps);
            dispatch.poll(&mut apps);
        }
        driver.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Switches the power off when it goes.
struct PowerOff<'a>(&'a World);

impl Drop for PowerOff<'_> {
    fn drop(&mut self) {
        self.0.power_off();
    }
}

type Client<'a> = ClientImplementation<'a, Serve<'a>, Dispatch>;

/// An application's way to the service; `None` if the channel is taken, which it is not.
fn client<'a>(
    machine: &Rc<RefCell<Machine<'a>>>,
    channel: &'a TrussedChannel,
    name: &'static littlefs2_core::Path,
    backends: &'static [trussed::backend::BackendId<Backend>],
    interrupt: &'static InterruptFlag,
) -> Option<Client<'a>> {
    let (requester, responder) = channel.split()?;
    let context = CoreContext::with_interrupt(name.into(), Some(interrupt));
    machine.borrow_mut().endpoints.push(ServiceEndpoint::new(responder, context, backends));
    Some(ClientImplementation::new(requester, Serve(Rc::clone(machine)), Some(interrupt)))
}

/// As the firmware has it (nitrokey-3-firmware `components/apps/src/lib.rs`).
fn fido_config() -> Config {
    Config {
        max_msg_size: DEFAULT_MESSAGE_SIZE,
        skip_up_timeout: Some(Duration::from_secs(2)),
        max_resident_credential_count: Some(10),
        large_blobs: None,
        nfc_transport: false,
        ccid_transport: false,
        firmware_version: None,
        credential_id_version: None,
        long_touch_for_reset: false,
        fido2_up_timeout: None,
    }
}
