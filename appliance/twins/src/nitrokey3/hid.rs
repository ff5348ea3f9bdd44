//! Packets into messages and back (`pipe.rs` of usbd-ctaphid).

use core::time::Duration;
use std::collections::VecDeque;

pub(super) const PACKET: usize = 64;

/// The longest message.
const LONGEST: usize = 7609;

/// A message that stops coming is forgotten after this time.
const PATIENCE: Duration = Duration::from_millis(550);

pub(super) const INIT: u8 = 0x06;
pub(super) const PING: u8 = 0x01;
pub(super) const CANCEL: u8 = 0x11;
pub(super) const VERSION: u8 = 0x61;
pub(super) const SECRETS: u8 = 0x70;
const ERROR: u8 = 0x3f;

/// Codes of [`ERROR`] (CTAP 2.1, section 11.2.9.1.6), but for the two that are sent
/// beside a message at work: those are the place of the error in the driver's list.
pub(super) mod error {
    pub(crate) const COMMAND: u8 = 0x01;
    pub(crate) const LENGTH: u8 = 0x03;
    pub(crate) const SEQUENCE: u8 = 0x04;
    pub(crate) const TIMEOUT: u8 = 0x05;
    pub(crate) const BUSY: u8 = 0;
    pub(crate) const TOO_LONG: u8 = 3;
    pub(crate) const CHANNEL: u8 = 0x0b;
}

/// Who is to be answered, and to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) channel: [u8; 4],
    pub(super) command: u8,
}

/// What a packet came to.
pub(super) enum Event {
    /// Nothing, or it was answered already.
    Nothing,
    /// A whole message.
    Message(Request, Vec<u8>),
    /// What is at work is called off; its answer is wanted, or not.
    CallOff { answered: bool },
    /// What is at work goes on, and nobody waits for its answer.
    Disown,
}

/// The pipe, with what it has for the host.
#[derive(Default)]
pub(super) struct Pipe {
    pub(super) out: VecDeque<[u8; PACKET]>,
    receiving: Option<Receiving>,
    last_channel: u32,
}

struct Receiving {
    request: Request,
    length: usize,
    data: Vec<u8>,
    sequence: u8,
    since: Duration,
}

impl Pipe {
    /// Takes a packet. `working` is whose command is not answered yet.
    pub(super) fn take(&mut self, packet: &[u8; PACKET], working: Option<Request>, now: Duration) -> Event {
        let [c1, c2, c3, c4, byte, high, low, ..] = *packet;
        let channel = [c1, c2, c3, c4];
        if byte & 0x80 == 0 {
            return self.continued(channel, byte, packet);
        }
        let request = Request { channel, command: byte & 0x7f };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let mut called_off = Event::Nothing;
        if let Some(other) = working.or(self.receiving.as_ref().map(|receiving| receiving.request)) {
            if request.command == INIT {
                called_off = Event::CallOff { answered: false };
            } else if channel != other.channel {
                self.error(request, error::BUSY);
                return Event::Nothing;
            } else if request.command == CANCEL {
                return Event::CallOff { answered: true };
            } else {
                self.receiving = None;
                self.error(other, error::SEQUENCE);
                return Event::Disown;
            }
        }
        self.receiving = None;
        let head = packet.get(7..).unwrap_or_default();
        if length > LONGEST {
            self.error(request, error::TOO_LONG);
        } else if length > head.len() {
            self.receiving =
                Some(Receiving { request, length, data: head.to_vec(), sequence: 0, since: now });
        } else if request.command == INIT {
            self.open(request, head.get(..length).unwrap_or_default());
        } else {
            return self.whole(request, head.get(..length).unwrap_or_default().to_vec());
        }
        called_off
    }

    fn continued(&mut self, channel: [u8; 4], sequence: u8, packet: &[u8; PACKET]) -> Event {
        let Some(mut receiving) = self.receiving.take() else { return Event::Nothing };
        if sequence != receiving.sequence {
            self.error(receiving.request, error::SEQUENCE);
            return Event::Nothing;
        }
        if channel == receiving.request.channel {
            receiving.data.extend(packet.get(5..).unwrap_or_default());
            receiving.sequence = receiving.sequence.wrapping_add(1);
            if receiving.data.len() >= receiving.length {
                receiving.data.truncate(receiving.length);
                return self.whole(receiving.request, receiving.data);
            }
        }
        self.receiving = Some(receiving);
        Event::Nothing
    }

    fn whole(&mut self, request: Request, data: Vec<u8>) -> Event {
        match request.command {
            _ if request.channel == [0xff; 4] => self.error(request, error::CHANNEL),
            PING => self.answer(request, &data),
            CANCEL => {}
            _ => return Event::Message(request, data),
        }
        Event::Nothing
    }

    /// Gives a channel to whoever asked for one.
    fn open(&mut self, request: Request, nonce: &[u8]) {
        if request.channel == [0; 4] {
            self.error(request, error::CHANNEL);
        } else if nonce.len() == 8 {
            self.last_channel += 1;
            let mut answer = nonce.to_vec();
            answer.extend(self.last_channel.to_be_bytes());
            // Protocol 2, no version of the device, and what it implements: winking, CBOR.
            answer.extend([2, 0, 0, 0, 0x05]);
            self.answer(request, &answer);
        }
    }

    /// Lets time pass: a message that stops coming is an error.
    pub(super) fn pass(&mut self, now: Duration) {
        if let Some(receiving) = self.receiving.take_if(|receiving| now - receiving.since > PATIENCE) {
            self.error(receiving.request, error::TIMEOUT);
        }
    }

    pub(super) fn error(&mut self, request: Request, code: u8) {
        self.answer(Request { command: ERROR, ..request }, &[code]);
    }

    pub(super) fn answer(&mut self, request: Request, data: &[u8]) {
        let length = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
        let (head, tail) = data.split_at(data.len().min(PACKET - 7));
        let first = [&request.channel[..], &[request.command | 0x80], &length, head].concat();
        self.out.push_back(padded(&first));
        for (sequence, chunk) in (0_u8..).zip(tail.chunks(PACKET - 5)) {
            let next = [&request.channel[..], &[sequence], chunk].concat();
            self.out.push_back(padded(&next));
        }
    }
}

fn padded(bytes: &[u8]) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    for (to, from) in packet.iter_mut().zip(bytes) {
        *to = *from;
    }
    packet
}
