//! A USB device as the exporter serves it: transfers in, outcomes out.

use core::time::Duration;

use super::proto::{Connect, Endpoint, Interface, status};
use crate::key::Press;

/// What a device is (see [`Connect`]).
pub type Identity = Connect;
pub type EndpointInfo = Endpoint;
pub type InterfaceInfo = Interface;

/// The setup packet of a control transfer (USB 2.0, 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// bmRequestType.
    pub kind: u8,
    /// bRequest.
    pub request: u8,
    /// wValue.
    pub value: u16,
    /// wIndex.
    pub index: u16,
    /// wLength.
    pub length: u16,
}

/// What comes of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ends so, with this data from the device.
    Ends(u8, Vec<u8>),
    /// It never ends: the host's own time limit does.
    Hangs,
    /// The device pulled itself out.
    Gone,
}

impl Outcome {
    /// Well, without data.
    pub const fn done() -> Self {
        Self::Ends(status::OK, Vec::new())
    }

    /// Well, with data.
    pub const fn data(data: Vec<u8>) -> Self {
        Self::Ends(status::OK, data)
    }

    /// Refused.
    pub const fn stall() -> Self {
        Self::Ends(status::STALL, Vec::new())
    }
}

/// A device. Nothing in it sleeps: its time is told it.
pub trait Device {
    /// What it says it is, when it is connected.
    fn identity(&self) -> Identity;
    fn interfaces(&self) -> Vec<InterfaceInfo>;
    /// Its endpoints, without endpoint 0.
    fn endpoints(&self) -> Vec<EndpointInfo>;
    /// A control transfer; `data` when it goes to the device.
    fn control(&mut self, setup: Setup, data: &[u8]) -> Outcome;
    /// A bulk transfer to the device.
    fn bulk_out(&mut self, endpoint: u8, data: &[u8]) -> Outcome;
    /// What a bulk endpoint has; `None` when the host has to wait.
    fn bulk_in(&mut self, endpoint: u8, length: usize) -> Option<Outcome>;
    /// An interrupt packet to the device.
    fn interrupt_out(&mut self, endpoint: u8, data: &[u8]) -> Outcome;
    /// The next interrupt packet of an endpoint that the host listens to, when it is due.
    fn interrupt_in(&mut self, endpoint: u8) -> Option<Outcome>;
    /// Lets its time pass.
    fn advance(&mut self, by: Duration);
    /// How soon it may have something to say by itself; `None` when not before a transfer.
    fn due(&self) -> Option<Duration>;
    /// How late its answers are.
    fn lateness(&self) -> Duration {
        Duration::ZERO
    }
    /// Presses its button; how many keystroke reports come of it, or why it cannot be done.
    fn touch(&mut self, press: Press) -> Result<usize, String>;
    /// Plugged in anew: its memory stays, its state does not.
    fn power(&mut self) -> Result<(), String>;
    /// Becomes another product: interfaces are switched on or off by that.
    fn set_product(&mut self, product: u16) -> Result<(), String>;
    /// For devices made from a seed: becomes the one of this seed.
    fn set_seed(&mut self, seed: u64) -> Result<(), String>;
}

impl<T: Device + ?Sized> Device for Box<T> {
    fn identity(&self) -> Identity {
        (**self).identity()
    }

    fn interfaces(&self) -> Vec<InterfaceInfo> {
        (**self).interfaces()
    }

    fn endpoints(&self) -> Vec<EndpointInfo> {
        (**self).endpoints()
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Outcome {
        (**self).control(setup, data)
    }

    fn bulk_out(&mut self, endpoint: u8, data: &[u8]) -> Outcome {
        (**self).bulk_out(endpoint, data)
    }

    fn bulk_in(&mut self, endpoint: u8, length: usize) -> Option<Outcome> {
        (**self).bulk_in(endpoint, length)
    }

    fn interrupt_out(&mut self, endpoint: u8, data: &[u8]) -> Outcome {
        (**self).interrupt_out(endpoint, data)
    }

    fn interrupt_in(&mut self, endpoint: u8) -> Option<Outcome> {
        (**self).interrupt_in(endpoint)
    }

    fn advance(&mut self, by: Duration) {
        (**self).advance(by);
    }

    fn due(&self) -> Option<Duration> {
        (**self).due()
    }

    fn lateness(&self) -> Duration {
        (**self).lateness()
    }

    fn touch(&mut self, press: Press) -> Result<usize, String> {
        (**self).touch(press)
    }

    fn power(&mut self) -> Result<(), String> {
        (**self).power()
    }

    fn set_product(&mut self, product: u16) -> Result<(), String> {
        (**self).set_product(product)
    }

    fn set_seed(&mut self, seed: u64) -> Result<(), String> {
        (**self).set_seed(seed)
    }
}
