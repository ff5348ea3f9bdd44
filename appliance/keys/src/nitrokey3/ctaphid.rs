//! CTAPHID (CTAP 2.1, section 11.2): messages, cut into packets of 64 bytes and
//! put together again.
//!
//! First packet: channel, command with bit 7 set, length, 57 bytes. The next ones:
//! channel, sequence from 0 on, 59 bytes. Numbers are big-endian.

use zeroize::Zeroizing;

use crate::bytes::{Cut, joined, take};

/// The length of a packet.
pub const PACKET: usize = 64;
/// The longest message: what the first and 128 more packets hold.
pub const LONGEST: usize = 57 + 128 * 59;
/// The channel on which channels are given out.
pub const BROADCAST: u32 = 0xffff_ffff;

const FIRST_DATA: usize = 57;
const NEXT_DATA: usize = 59;

/// What is done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// Give out a channel.
    Init = 0x06,
    /// Call off what is going on.
    Cancel = 0x11,
    /// It still works, or waits for a touch.
    KeepAlive = 0x3b,
    /// It went wrong.
    Error = 0x3f,
    /// The firmware's version (vendor).
    Version = 0x61,
    /// A command of the Secrets application (vendor).
    Secrets = 0x70,
}

/// A message of up to [`LONGEST`] bytes.
pub struct Message {
    /// The command, without bit 7.
    pub command: u8,
    /// What it carries; it may be secret.
    pub data: Zeroizing<Vec<u8>>,
}

impl Message {
    /// A message; `None` when it is too long.
    pub fn new(command: Command, data: &[u8]) -> Option<Self> {
        let data = Zeroizing::new(data.to_vec());
        (data.len() <= LONGEST).then_some(Self { command: command as u8, data })
    }

    /// Its packets on a channel.
    pub fn packets(&self, channel: u32) -> Vec<Zeroizing<[u8; PACKET]>> {
        let (first, rest) = self.data.split_at(self.data.len().min(FIRST_DATA));
        let length = u16::try_from(self.data.len()).unwrap_or(u16::MAX).to_be_bytes();
        let channel = channel.to_be_bytes();
        let head = joined((channel, self.command | 0x80, length, Cut::<FIRST_DATA>(first)));
        let tail = rest.chunks(NEXT_DATA).zip(0..=0x7f_u8);
        core::iter::once(head)
            .chain(tail.map(|(chunk, sequence)| joined((channel, sequence, Cut::<NEXT_DATA>(chunk)))))
            .collect()
    }
}

/// What a packet adds.
pub enum Added {
    /// It is for another channel, or cannot begin anything.
    Nothing,
    /// More packets belong to it.
    Part,
    /// The message is whole.
    Whole(Message),
    /// It is out of order: what has come so far is worth nothing.
    Spoilt,
}

/// Puts the packets of one channel together.
pub struct Assembler {
    channel: u32,
    /// Command, length, what has come, the next sequence.
    begun: Option<(u8, usize, Zeroizing<Vec<u8>>, u8)>,
}

impl Assembler {
    /// For packets of `channel`.
    pub const fn new(channel: u32) -> Self {
        Self { channel, begun: None }
    }

    /// Takes the next packet; anything but 64 bytes adds nothing.
    pub fn push(&mut self, packet: &[u8]) -> Added {
        let mut rest = packet;
        let (Some(channel), Some([head])) = (take::<4>(&mut rest), take::<1>(&mut rest)) else {
            return Added::Nothing;
        };
        if packet.len() != PACKET || u32::from_be_bytes(channel) != self.channel {
            return Added::Nothing;
        }
        if head & 0x80 != 0 {
            let Some(length) = take::<2>(&mut rest) else { return Added::Nothing };
            let length = usize::from(u16::from_be_bytes(length));
            if length > LONGEST {
                self.begun = None;
                return Added::Spoilt;
            }
            // No more is set aside than the packet has, whatever length it claims.
            let data = Zeroizing::new(rest.get(..length.min(rest.len())).unwrap_or_default().to_vec());
            return self.grown(head & 0x7f, length, data, 0);
        }
        match self.begun.take() {
            Some((command, length, mut data, sequence)) if sequence == head => {
                let wanted = (length - data.len()).min(rest.len());
                data.extend_from_slice(rest.get(..wanted).unwrap_or_default());
                self.grown(command, length, data, sequence.wrapping_add(1))
            }
            Some(_) => Added::Spoilt,
            None => Added::Nothing,
        }
    }

    fn grown(&mut self, command: u8, length: usize, data: Zeroizing<Vec<u8>>, next: u8) -> Added {
        if data.len() >= length {
            self.begun = None;
            return Added::Whole(Message { command, data });
        }
        self.begun = Some((command, length, data, next));
        Added::Part
    }
}

/// The channel that an answer to [`Command::Init`] gives out, when it is the answer
/// to this nonce: nonce, channel, protocol, version, capabilities.
pub fn channel_given(data: &[u8], nonce: &[u8; 8]) -> Option<u32> {
    let mut rest = data;
    let echoed: [u8; 8] = take(&mut rest)?;
    let channel = u32::from_be_bytes(take(&mut rest)?);
    let [_, _, _, _, _] = take(&mut rest)?;
    (echoed == *nonce && channel != 0 && channel != BROADCAST).then_some(channel)
}

/// Why a key answers with [`Command::Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HidError {
    /// 01: it does not know the command.
    UnknownCommand,
    /// 06: somebody else has it at work. The firmware says 00 (usbd-ctaphid 0.5,
    /// `send_error_now`, which sends the place of the error in its list).
    Busy,
    /// 0B: it does not know the channel.
    InvalidChannel,
    /// 05: it waited too long for the next packet.
    MessageTimeout,
    /// Anything else.
    Other(u8),
}

impl HidError {
    /// What the byte says.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0x01 => Self::UnknownCommand,
            0x05 => Self::MessageTimeout,
            0x00 | 0x06 => Self::Busy,
            0x0b => Self::InvalidChannel,
            other => Self::Other(other),
        }
    }
}

/// What [`Command::KeepAlive`] says when a touch is wanted; 1 is "working".
pub const TOUCH_WANTED: u8 = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(packets: &[Zeroizing<[u8; PACKET]>], channel: u32) -> Option<Message> {
        let mut assembler = Assembler::new(channel);
        let mut last = None;
        for packet in packets {
            match assembler.push(packet.as_slice()) {
                Added::Whole(message) => last = Some(message),
                Added::Part => {}
                Added::Nothing | Added::Spoilt => return None,
            }
        }
        last
    }

    #[test]
    fn init_is_one_packet_on_the_broadcast_channel() {
        let message = Message::new(Command::Init, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let packets = message.packets(BROADCAST);
        assert_eq!(packets.len(), 1);
        assert_eq!(packets[0][..15], [255, 255, 255, 255, 0x86, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(packets[0][15..], [0; 49]);
    }

    #[test]
    fn a_channel_is_taken_only_for_the_nonce_that_asked() {
        let mut answer = vec![1, 2, 3, 4, 5, 6, 7, 8, 0xca, 0xfe, 0, 1, 2, 1, 0, 0, 5];
        let nonce = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(channel_given(&answer, &nonce), Some(0xcafe_0001));
        assert_eq!(channel_given(&answer, &[0; 8]), None);
        answer.truncate(16);
        assert_eq!(channel_given(&answer, &nonce), None);
    }

    #[test]
    fn messages_end_where_sequences_end() {
        assert!(Message::new(Command::Secrets, &vec![0; LONGEST + 1]).is_none());
        let longest = Message::new(Command::Secrets, &vec![7; LONGEST]).unwrap();
        let packets = longest.packets(5);
        assert_eq!(packets.len(), 129);
        assert_eq!(read(&packets, 5).unwrap().data.as_slice(), longest.data.as_slice());
        // A length that no sequence can fill.
        let mut packet = [0; 64];
        packet[3] = 5;
        packet[4..7].copy_from_slice(&[0xf0, 0x1d, 0xba]);
        assert!(matches!(Assembler::new(5).push(&packet), Added::Spoilt));
    }

    #[test]
    fn packets_out_of_order_spoil_and_those_of_others_do_not() {
        let packets = Message::new(Command::Secrets, &[9; 200]).unwrap().packets(5);
        let mut assembler = Assembler::new(5);
        assert!(matches!(assembler.push(packets[1].as_slice()), Added::Nothing));
        assert!(matches!(assembler.push(packets[0].as_slice()), Added::Part));
        let other = Message::new(Command::Error, &[6]).unwrap().packets(6);
        assert!(matches!(assembler.push(other[0].as_slice()), Added::Nothing));
        assert!(matches!(assembler.push(packets[2].as_slice()), Added::Spoilt));
        assert!(matches!(assembler.push(packets[1].as_slice()), Added::Nothing));
    }

    proptest! {
        #[test]
        fn what_is_cut_is_put_together_again(
            data in proptest::collection::vec(any::<u8>(), 0..1000), channel in any::<u32>(),
        ) {
            let message = Message::new(Command::Secrets, &data).unwrap();
            let again = read(&message.packets(channel), channel).unwrap();
            prop_assert_eq!(again.command, 0x70);
            prop_assert_eq!(again.data.as_slice(), data.as_slice());
        }

        #[test]
        fn any_packets_are_taken(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..70), 0..20)) {
            let mut assembler = Assembler::new(0);
            for mut packet in packets {
                for byte in packet.iter_mut().take(4) {
                    *byte = 0;
                }
                if let Added::Whole(message) = assembler.push(&packet) {
                    prop_assert!(message.data.len() <= LONGEST);
                }
            }
        }
    }
}
