//! The USB side: Nitrokey's driver for CTAPHID, on a bus of queues.

use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use ctaphid_dispatch::{DEFAULT_MESSAGE_SIZE, Requester};
use ref_swap::OptionRefSwap;
use trussed_core::InterruptFlag;
use trussed_core::types::consent::Level;
use usb_device::UsbDirection;
use usb_device::bus::UsbBusAllocator;
use usb_device::class::UsbClass;
use usb_device::device::{UsbDeviceBuilder, UsbVidPid};
use usb_device::endpoint::EndpointAddress;
use usbd_ctaphid::CtapHid;

use crate::bus::Bus;
use crate::presence::World;

/// What the twin asks of its key.
pub(crate) enum Ask {
    Out(Vec<u8>),
    In,
    Touch(Level),
    Advance(Duration),
    Power,
}

/// What the key answers.
pub(crate) enum Answer {
    Done,
    Packet(Option<Vec<u8>>),
}

/// Why a session ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The key was unplugged and plugged in again.
    Power,
    /// The twin is gone.
    Gone,
}

/// How often keep-alives are sent, for the commands that have them.
const KEEP_ALIVE: Duration = Duration::from_millis(80);

type Driver<'a> = CtapHid<'a, 'a, 'static, Bus, DEFAULT_MESSAGE_SIZE>;

/// Carries packets and events to the firmware until the power goes.
pub(crate) fn drive(
    bus: &Bus,
    requester: Requester<'_, DEFAULT_MESSAGE_SIZE>,
    working: &'static OptionRefSwap<'static, InterruptFlag>,
    world: &World,
    (asks, answers): (Receiver<Ask>, Sender<Answer>),
) -> (Ending, (Receiver<Ask>, Sender<Answer>)) {
    let allocator = UsbBusAllocator::new(bus.clone());
    let mut driver = CtapHid::with_interrupt(&allocator, requester, Some(working), 0)
        .implements_ctap1()
        .implements_ctap2()
        .implements_wink();
    // Building the device is what gives endpoints their bus; nothing enumerates it.
    let _device = UsbDeviceBuilder::new(&allocator, UsbVidPid(0x20a0, 0x42b2)).build();
    settle(&mut driver, bus, world);
    let ending = loop {
        let answer = match asks.recv() {
            Err(_) => break Ending::Gone,
            Ok(Ask::Power) => break Ending::Power,
            Ok(Ask::Out(packet)) => {
                bus.send(packet);
                driver.endpoint_out(EndpointAddress::from_parts(1, UsbDirection::Out));
                settle(&mut driver, bus, world);
                Answer::Done
            }
            Ok(Ask::In) => Answer::Packet(bus.receive()),
            Ok(Ask::Touch(level)) => {
                world.touch(level);
                settle(&mut driver, bus, world);
                Answer::Done
            }
            Ok(Ask::Advance(by)) => {
                advance(&mut driver, bus, world, by);
                Answer::Done
            }
        };
        // It is off already when the firmware panicked.
        if world.is_off() || answers.send(answer).is_err() {
            break Ending::Gone;
        }
    };
    world.power_off();
    (ending, (asks, answers))
}

/// Lets time pass in steps between which keep-alives may be due.
fn advance(driver: &mut Driver<'_>, bus: &Bus, world: &World, by: Duration) {
    let mut left = by;
    while !left.is_zero() {
        let until_due = KEEP_ALIVE.as_millis() - world.uptime().as_millis() % KEEP_ALIVE.as_millis();
        let until_due = Duration::from_millis(u64::try_from(until_due).unwrap_or(1));
        let step = left.min(until_due);
        left -= step;
        world.pass(step);
        let milliseconds = u32::try_from(world.uptime().as_millis()).unwrap_or(u32::MAX);
        driver.check_timeout(milliseconds);
        settle(driver, bus, world);
        if step == until_due {
            driver.send_keepalive(world.wants_touch());
        }
    }
}

/// Lets the firmware work, and the driver send, until both are through.
fn settle(driver: &mut Driver<'_>, bus: &Bus, world: &World) {
    world.wake();
    let mut written = None;
    while written != Some(bus.written()) {
        written = Some(bus.written());
        driver.poll();
        driver.endpoint_in_complete(EndpointAddress::from_parts(1, UsbDirection::In));
    }
}
