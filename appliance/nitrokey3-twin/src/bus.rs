//! A USB bus that is two queues of packets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use usb_device::bus::{PollResult, UsbBus};
use usb_device::endpoint::{EndpointAddress, EndpointType};
use usb_device::{Result, UsbDirection, UsbError};

/// The bus. Clones are the same one: the class driver has one, the twin another.
#[derive(Clone, Default)]
pub(crate) struct Bus(Arc<Mutex<Wires>>);

#[derive(Default)]
struct Wires {
    /// From the host, not taken by the class driver yet.
    out: VecDeque<Vec<u8>>,
    /// For the host, not read yet.
    input: VecDeque<Vec<u8>>,
    /// How many were ever written for the host.
    written: u64,
}

impl Bus {
    pub(crate) fn send(&self, packet: Vec<u8>) {
        self.lock().out.push_back(packet);
    }

    pub(crate) fn receive(&self) -> Option<Vec<u8>> {
        self.lock().input.pop_front()
    }

    pub(crate) fn written(&self) -> u64 {
        self.lock().written
    }

    fn lock(&self) -> MutexGuard<'_, Wires> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UsbBus for Bus {
    fn alloc_ep(
        &mut self,
        direction: UsbDirection,
        address: Option<EndpointAddress>,
        _type: EndpointType,
        _size: u16,
        _interval: u8,
    ) -> Result<EndpointAddress> {
        // The class driver has one endpoint each way; the rest names its own.
        Ok(address.unwrap_or_else(|| EndpointAddress::from_parts(1, direction)))
    }

    fn enable(&mut self) {}

    fn reset(&self) {}

    fn set_device_address(&self, _address: u8) {}

    fn write(&self, _endpoint: EndpointAddress, packet: &[u8]) -> Result<usize> {
        let mut wires = self.lock();
        wires.input.push_back(packet.to_vec());
        wires.written += 1;
        Ok(packet.len())
    }

    fn read(&self, _endpoint: EndpointAddress, buffer: &mut [u8]) -> Result<usize> {
        let packet = self.lock().out.pop_front().ok_or(UsbError::WouldBlock)?;
        let room = buffer.get_mut(..packet.len()).ok_or(UsbError::BufferOverflow)?;
        room.copy_from_slice(&packet);
        Ok(packet.len())
    }

    fn set_stalled(&self, _endpoint: EndpointAddress, _stalled: bool) {}

    fn is_stalled(&self, _endpoint: EndpointAddress) -> bool {
        false
    }

    fn suspend(&self) {}

    fn resume(&self) {}

    fn poll(&self) -> PollResult {
        PollResult::None
    }
}
