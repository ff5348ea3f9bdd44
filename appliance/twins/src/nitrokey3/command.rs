//! Commands of the application, parsed as it parses them (`command.rs` of secrets-app).

use zeroize::Zeroizing;

/// Status words (ISO 7816-4).
pub(super) mod status {
    pub(crate) const OK: [u8; 2] = [0x90, 0x00];
    pub(crate) const UNSPECIFIED: [u8; 2] = [0x65, 0x00];
    pub(crate) const VERIFICATION_FAILED: [u8; 2] = [0x63, 0x00];
    pub(crate) const SECURITY: [u8; 2] = [0x69, 0x82];
    pub(crate) const BLOCKED: [u8; 2] = [0x69, 0x83];
    pub(crate) const CONDITIONS: [u8; 2] = [0x69, 0x85];
    pub(crate) const WRONG_DATA: [u8; 2] = [0x6a, 0x80];
    pub(crate) const NOT_SUPPORTED: [u8; 2] = [0x6a, 0x81];
    pub(crate) const NOT_FOUND: [u8; 2] = [0x6a, 0x82];
    pub(crate) const NO_MEMORY: [u8; 2] = [0x6a, 0x84];
    pub(crate) const UNKNOWN: [u8; 2] = [0x6d, 0x00];
}

/// A status word.
pub(super) type Status = [u8; 2];

/// What is asked for.
pub(super) enum Command {
    Select,
    List { version: u8 },
    SendRemaining,
    Put(Put),
    Calculate { label: Vec<u8>, challenge: Vec<u8> },
    Delete { label: Vec<u8> },
    Reset,
    SetPin { new: Zeroizing<Vec<u8>> },
    VerifyPin { pin: Zeroizing<Vec<u8>> },
    ChangePin { old: Zeroizing<Vec<u8>>, new: Zeroizing<Vec<u8>> },
}

/// A credential on its way in.
#[derive(Clone)]
pub(super) struct Put {
    pub(super) label: Vec<u8>,
    /// Kind in the high, algorithm in the low half.
    pub(super) kind: u8,
    pub(super) digits: u8,
    pub(super) secret: Zeroizing<Vec<u8>>,
    pub(super) touch: bool,
    pub(super) pin: bool,
    pub(super) counter: u32,
}

/// The longest that a label or a secret is kept (`ShortData` of trussed-core).
const LONGEST: usize = 128;

/// HOTP and TOTP, in the high half.
pub(super) const HOTP: u8 = 0x10;
pub(super) const TOTP: u8 = 0x20;

/// The identifier of the application.
const AID: [u8; 7] = [0xa0, 0x00, 0x00, 0x05, 0x27, 0x21, 0x01];

impl Command {
    /// Reads an APDU, `CLA INS P1 P2 [Lc data]`.
    pub(super) fn parse(class: u8, head: [u8; 3], data: &[u8]) -> Result<Self, Status> {
        if class != 0 {
            return Err(status::UNKNOWN);
        }
        let mut fields = Fields(data);
        Ok(match head {
            [0xa4, 0x04, 0x00] if data == AID => Self::Select,
            [0xa4, 0x04, 0x00] => return Err(status::NOT_FOUND),
            [0xa1, 0, 0] => Self::List { version: data.first().copied().unwrap_or_default() },
            [0xa5, 0, 0] => Self::SendRemaining,
            [0x01, 0, 0] => Self::Put(put(&mut fields)?),
            [0xa2, 0, 1] => Self::Calculate { label: fields.take(0x71)?, challenge: fields.take(0x74)? },
            [0x02, 0, 0] => Self::Delete { label: fields.take(0x71)? },
            [0x04, 0xde, 0xad] => Self::Reset,
            [0xb4, 0, 0] => Self::SetPin { new: fields.take(0x80)?.into() },
            [0xb2, 0, 0] => Self::VerifyPin { pin: fields.take(0x80)?.into() },
            [0xb3, 0, 0] => {
                Self::ChangePin { old: fields.take(0x80)?.into(), new: fields.take(0x81)?.into() }
            }
            _ => return Err(status::UNKNOWN),
        })
    }
}

fn put(fields: &mut Fields<'_>) -> Result<Put, Status> {
    let label = fields.take(0x71)?;
    let key = Zeroizing::new(fields.take(0x73)?);
    let (Some((&[kind, digits], secret)), true) = (key.split_first_chunk(), key.len() >= 3) else {
        return Err(status::WRONG_DATA);
    };
    if ![HOTP, TOTP].contains(&(kind & 0xf0)) || ![1, 2, 3].contains(&(kind & 0x0f)) {
        return Err(status::WRONG_DATA);
    }
    // A tag and its value, without a length between them.
    let properties = match fields.0 {
        [0x78, properties, rest @ ..] => {
            fields.0 = rest;
            *properties
        }
        [] => 0,
        _ => return Err(status::WRONG_DATA),
    };
    let mut counter = 0;
    if kind & 0xf0 == HOTP
        && let Ok(bytes) = fields.take(0x7a)
    {
        counter = <[u8; 4]>::try_from(bytes).map(u32::from_be_bytes).unwrap_or_default();
    }
    if !fields.0.is_empty() {
        return Err(status::WRONG_DATA);
    }
    if label.len() > LONGEST || secret.len() > LONGEST {
        return Err(status::NO_MEMORY);
    }
    Ok(Put {
        label,
        kind,
        digits,
        secret: Zeroizing::new(secret.to_vec()),
        touch: properties & 2 != 0,
        pin: properties & 4 != 0,
        counter,
    })
}

/// Tagged values, one behind the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// The next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Result<Vec<u8>, Status> {
        let (length, rest) = match self.0 {
            [found, 0x81, length, rest @ ..] if *found == tag => (usize::from(*length), rest),
            [found, length, rest @ ..] if *found == tag && *length < 0x80 => (usize::from(*length), rest),
            _ => return Err(status::WRONG_DATA),
        };
        let value = rest.get(..length).ok_or(status::WRONG_DATA)?;
        self.0 = rest.get(length..).unwrap_or_default();
        Ok(value.to_vec())
    }
}
