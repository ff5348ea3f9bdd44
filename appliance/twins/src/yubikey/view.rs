//! What a test may see of a twin: everything but the secrets, and about those,
//! whether they are the ones expected.

use keys::device::Slot as SlotNumber;
use zeroize::Zeroizing;

use super::YubiKeyTwin;
use super::config::{Config, Mode, cfg, ext, tkt};
use super::memory::{Place, Slot};
use super::output;

/// The key's memory at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The programming sequence number.
    pub sequence: u8,
    /// Both slots; `None` is empty.
    pub slots: [Option<SlotView>; 2],
}

/// What a slot may hold that is not the station's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A Yubico OTP as keys are sold with: its public id begins with `cc`.
    Factory,
    /// A Yubico OTP whose public id is of the range left to users: `vv`.
    Own,
    /// An HOTP credential.
    Hotp,
    /// A static password.
    Password,
    /// A secret for challenge and response, which types nothing.
    Challenge,
}

/// One slot that holds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotView {
    /// What it does.
    pub mode: Mode,
    /// Flags, see [`ext`].
    pub ext: u8,
    /// Flags, see [`tkt`].
    pub tkt: u8,
    /// Flags, see [`cfg`](super::cfg).
    pub cfg: u8,
    /// The fixed part.
    pub fixed: Vec<u8>,
    /// Whether an access code guards it.
    pub protected: bool,
    /// The next HOTP counter.
    pub hotp_counter: u64,
    /// The Yubico OTP use counter.
    pub use_counter: u16,
}

impl YubiKeyTwin {
    /// What the key holds, without secrets.
    pub fn snapshot(&self) -> Snapshot {
        let view = |slot: &Slot| SlotView {
            mode: slot.config.mode(),
            ext: slot.config.ext,
            tkt: slot.config.tkt,
            cfg: slot.config.cfg,
            fixed: slot.config.fixed_part().to_vec(),
            protected: slot.config.access_code != [0; 6],
            hotp_counter: slot.hotp_counter,
            use_counter: slot.use_counter,
        };
        let slots = [self.memory.one.as_ref().map(view), self.memory.two.as_ref().map(view)];
        Snapshot { sequence: self.memory.sequence, slots }
    }

    /// The code that an HOTP slot would type next; `None` for any other slot.
    pub fn next_hotp(&self, slot: SlotNumber) -> Option<String> {
        let slot = self.held(slot)?;
        (slot.config.mode() == Mode::Hotp).then(|| output::hotp(&slot.config, slot.hotp_counter))
    }

    /// Whether a slot holds exactly this seed as an HOTP or HMAC secret (seeds
    /// shorter than 20 bytes are zero padded), or this AES key.
    pub fn slot_holds(&self, slot: SlotNumber, seed: &[u8]) -> bool {
        let Some(slot) = self.held(slot) else { return false };
        let mut wanted = Zeroizing::new(seed.to_vec());
        match slot.config.mode() {
            Mode::Hotp | Mode::HmacChallenge if seed.len() <= 20 => {
                wanted.resize(20, 0);
                slot.config.hmac_key().as_slice() == wanted.as_slice()
            }
            Mode::YubicoOtp | Mode::StaticTicket | Mode::YubicoChallenge => slot.config.key == *seed,
            _ => false,
        }
    }

    /// Whether this access code guards a slot.
    pub fn access_code_is(&self, slot: SlotNumber, code: [u8; 6]) -> bool {
        self.held(slot).is_some_and(|slot| slot.config.access_code == code)
    }

    /// A slot's configuration, all 52 bytes with the secrets.
    pub fn config52(&self, slot: SlotNumber) -> Option<Zeroizing<[u8; 52]>> {
        Some(self.held(slot)?.config.bytes())
    }

    /// The NDEF record of slot 1 or 2: its type and data.
    pub fn ndef(&self, slot: SlotNumber) -> Option<(u8, Vec<u8>)> {
        let [one, two] = &self.memory.ndef;
        let record = match slot.0 {
            1 => one.as_ref(),
            2 => two.as_ref(),
            _ => None,
        };
        record.map(|record| (record.kind, record.data.clone()))
    }

    /// Puts a Yubico OTP into a slot as the factory does: public id from the
    /// serial, secrets from the twin's seed. With an access code when given.
    pub fn occupy(&mut self, slot: SlotNumber, access_code: Option<[u8; 6]>) {
        self.hold(slot, Foreign::Factory, access_code);
    }

    /// Puts something that is not the station's into a slot.
    pub fn hold(&mut self, slot: SlotNumber, what: Foreign, access_code: Option<[u8; 6]>) {
        let Some(place) = place(slot) else { return };
        let mut random = || self.chance.next().to_le_bytes();
        let ([a, b], [uid @ .., _, _]) = ([random(), random()], random());
        let mut fixed = [0; 16];
        for (to, from) in fixed.iter_mut().skip(2).zip(self.model.serial.to_be_bytes()) {
            *to = from;
        }
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(a.into_iter().chain(b)) {
            *to = from;
        }
        let (first, fixed_length, tickets, codes) = match what {
            Foreign::Factory => (0x00, 6, 0, 0),
            Foreign::Own => (0xff, 6, 0, 0),
            Foreign::Hotp => (0x00, 0, tkt::OATH_HOTP, 0),
            Foreign::Password => (0x00, 16, 0, cfg::STATIC_TICKET),
            Foreign::Challenge => (0x00, 0, tkt::OATH_HOTP, cfg::CHAL_HMAC),
        };
        if let Some(byte) = fixed.first_mut() {
            *byte = first;
        }
        let config = Config {
            fixed,
            uid,
            key,
            access_code: access_code.unwrap_or_default(),
            fixed_length,
            ext: (ext::SERIAL_API_VISIBLE | ext::FAST_TRIG | ext::ALLOW_UPDATE)
                & super::config::known_ext(self.model.firmware),
            tkt: tkt::APPEND_CR | tickets,
            cfg: codes,
        };
        *self.memory.slot_mut(place) =
            Some(Slot { config, hotp_counter: 0, use_counter: 0, coded_updates: 0 });
        self.memory.count();
        self.hear();
    }

    /// Makes every slot hide the serial.
    pub fn hide_serial(&mut self) {
        for slot in self.memory.one.iter_mut().chain(&mut self.memory.two) {
            slot.config.ext &= !(ext::SERIAL_API_VISIBLE | ext::SERIAL_USB_VISIBLE);
        }
        self.memory.revision += 1;
    }

    fn held(&self, slot: SlotNumber) -> Option<&Slot> {
        self.memory.slot(place(slot)?)
    }
}

const fn place(slot: SlotNumber) -> Option<Place> {
    match slot.0 {
        1 => Some(Place::One),
        2 => Some(Place::Two),
        _ => None,
    }
}
