//! A whole operation with a YubiKey that answers anything. The first byte chooses
//! the operation.
#![no_main]

use keys::device::{Credential, Digits, Guard, Kind, Operation, Slot, Unlock};
use keys::secret::Seed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, answers)) = data.split_first() else { return };
    let slot = Slot(1 + (choice >> 7));
    let operation = match choice % 4 {
        0 => Operation::Inspect,
        1 => Operation::Erase { slot, kind: Kind::Hotp, unlock: Unlock::None, label: String::new() },
        2 => Operation::AskCode {
            slot,
            kind: Kind::ChallengeResponse,
            challenge: vec![0; 8],
            digits: Digits::Six,
            label: String::new(),
            unlock: Unlock::None,
        },
        _ => Operation::Program {
            slot,
            credential: Credential::Hotp { seed: Seed::new(&[0x5a; 20]).unwrap(), digits: Digits::Six },
            unlock: Unlock::None,
            new_code: None,
            guard: Guard::Nothing,
            label: String::new(),
        },
    };
    if let Ok(mut conversation) = keys::yubikey::start(0x0407, None, operation) {
        fuzz::converse(conversation.as_mut(), answers);
    }
});
