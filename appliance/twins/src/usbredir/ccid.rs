//! The smart-card interface of a key (USB CCID 1.10, chapter 6): enough of it for a
//! reader's driver to power the card and exchange APDUs.

/// Message types to the reader.
mod ask {
    pub(super) const SET_PARAMETERS: u8 = 0x61;
    pub(super) const POWER_ON: u8 = 0x62;
    pub(super) const POWER_OFF: u8 = 0x63;
    pub(super) const SLOT_STATUS: u8 = 0x65;
    pub(super) const GET_PARAMETERS: u8 = 0x6c;
    pub(super) const TRANSFER: u8 = 0x6f;
}

const DATA: u8 = 0x80;
const STATUS: u8 = 0x81;
const PARAMETERS: u8 = 0x82;
const HEADER: usize = 10;
/// T=1: Fi/Di, LRC, guard time, waiting times, clock stop, IFSC 254, NAD 0.
const T1: [u8; 7] = [0x11, 0x10, 0, 0x4d, 0, 0xfe, 0];

/// Answers one message. `atr` is what the card says when it is powered, `transfer`
/// carries an APDU to it; `None` when it cannot.
pub(super) fn answer(message: &[u8], atr: &[u8], transfer: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let [kind, a, b, c, d, slot, sequence, ..] = *message else { return Vec::new() };
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    let data = message.get(HEADER..).filter(|data| data.len() == length);
    // bStatus and bError: 0x40 is "command failed", error 1 "the length is wrong" (table 6.2-2).
    let reply = |kind: u8, status: u8, error: u8, protocol: u8, data: &[u8]| {
        let mut reply = vec![kind];
        reply.extend(u32::try_from(data.len()).unwrap_or_default().to_le_bytes());
        reply.extend([slot, sequence, status, error, protocol]);
        reply.extend(data);
        reply
    };
    match (kind, data) {
        (_, None) => reply(STATUS, 0x40, 1, 0, &[]),
        (ask::POWER_ON, _) => reply(DATA, 0, 0, 0, atr),
        (ask::POWER_OFF, _) => reply(STATUS, 1, 0, 0, &[]),
        (ask::SLOT_STATUS, _) => reply(STATUS, 0, 0, 0, &[]),
        (ask::GET_PARAMETERS | ask::SET_PARAMETERS, _) => reply(PARAMETERS, 0, 0, 1, &T1),
        (ask::TRANSFER, Some(apdu)) => match transfer(apdu) {
            Some(answer) => reply(DATA, 0, 0, 0, &answer),
            // The card is mute.
            None => reply(DATA, 0x40, 0xfe, 0, &[]),
        },
        _ => reply(STATUS, 0x40, 0, 0, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_card_is_powered_and_asked() {
        let atr = [0x3b, 0x8f];
        let on = answer(&[0x62, 0, 0, 0, 0, 0, 7, 0, 0, 0], &atr, |_| None);
        assert_eq!(on, [0x80, 2, 0, 0, 0, 0, 7, 0, 0, 0, 0x3b, 0x8f]);
        let asked = answer(&[0x6f, 2, 0, 0, 0, 0, 8, 0, 0, 0, 1, 2], &atr, |apdu| {
            assert_eq!(apdu, [1, 2]);
            Some(vec![0x90, 0])
        });
        assert_eq!(asked, [0x80, 2, 0, 0, 0, 0, 8, 0, 0, 0, 0x90, 0]);
        let lie = answer(&[0x6f, 9, 0, 0, 0, 0, 8, 0, 0, 0, 1, 2], &atr, |_| unreachable!());
        assert_eq!(lie[7..9], [0x40, 1]);
    }

    proptest! {
        #[test]
        fn any_message_has_an_answer_or_none(message in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = answer(&message, &[], |_| None);
        }
    }
}
