//! Refusals: every "no" of the station, with a stable code, a sentence and a remedy.
//!
//! Codes are grouped: E1… the key, E2… the server, E3… configuration and policy,
//! E4… the proof and the person at the desk, E5… the station itself, E6… updates. A code keeps
//! its meaning for ever; the texts are in [`crate::catalogue`].

use core::fmt;
use std::borrow::Cow;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// A stable name for a reason to refuse.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Code {
            $($(#[$doc])* $name = $number,)*
        }

        impl Code {
            /// Every code, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The four digits.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$name => $number,)*
                }
            }
        }
    };
}

codes! {
    /// Not a key that the station can enroll.
    KeyUnknown = 1001,
    /// The key hides its serial.
    SerialHidden = 1002,
    /// The firmware cannot do what the profile asks.
    FirmwareTooOld = 1003,
    /// The key has no slot of that number or kind.
    NoSuchSlot = 1004,
    /// The slot holds a credential that is not ours.
    SlotOccupied = 1005,
    /// The slot holds a credential of ours that counts.
    AlreadyEnrolled = 1006,
    /// The slot is protected, and the access code is missing or wrong.
    AccessCode = 1007,
    /// The key was pulled out before anything was written to it.
    PulledEarly = 1008,
    /// The key was pulled out while it was being written.
    PulledWhileWriting = 1009,
    /// The key does not answer.
    KeySilent = 1010,
    /// The key did not take the new credential.
    WriteRefused = 1011,
    /// The key answers against its protocol.
    KeyGarbled = 1012,
    /// The interface that is needed is switched off on the key.
    InterfaceDisabled = 1013,
    /// The PIN of the key was refused or is at risk.
    KeyPin = 1014,
    /// The key has no room left.
    KeyFull = 1015,
    /// The key is not on the list of welcome keys.
    NotWelcome = 1016,
    /// An earlier enrollment of this key is still being put right.
    Unsettled = 1017,
    /// The station knows of no finished enrollment of this key.
    NothingEnrolled = 1018,
    /// Several slots are meant, and nobody said which.
    WhichSlot = 1019,
    /// The firmware cannot change an access code, or does not say when it fails to.
    AccessCodeFixed = 1020,
    /// The slot holds a finished enrollment, and nobody is there who could say that it may go.
    SomebodysKey = 1021,
    /// The key has no enrollment of the token that an order names.
    OtherToken = 1022,
    /// A token of the server has the Yubico OTP that is to be given up.
    IdentityInUse = 1023,
    /// The key answers, but too late each time.
    KeySlow = 1024,

    /// The server cannot be reached.
    ServerUnreachable = 2001,
    /// The server's certificate is not from a known authority.
    CertificateUntrusted = 2002,
    /// The server's certificate has expired.
    CertificateExpired = 2003,
    /// The server's certificate is for another name.
    CertificateWrongHost = 2004,
    /// The server's certificate is not valid yet, or the clock is wrong.
    ClockWrong = 2005,
    /// The server's public key is not the pinned one.
    PinMismatch = 2006,
    /// Other TLS failure.
    TlsFailed = 2007,
    /// Name or password is wrong.
    WrongCredentials = 2010,
    /// The account is not an administrator's.
    NotAnAdministrator = 2011,
    /// The server does not accept the session or the API key.
    SessionRefused = 2012,
    /// The station has no server credential.
    NoCredential = 2013,
    /// No server is configured.
    NoServer = 2014,
    /// A right is missing.
    RightMissing = 2020,
    /// A policy of the server forbids it.
    PolicyForbids = 2021,
    /// There is a token of this serial already.
    SerialTaken = 2022,
    /// The server did not take the token.
    RegistrationRefused = 2023,
    /// The server replaced the secret by its own.
    SecretReplaced = 2030,
    /// The server changed the number of digits.
    DigitsChanged = 2031,
    /// The server changed the hash.
    HashChanged = 2032,
    /// The server does not verify tokens although the profile demands it.
    NotVerified = 2033,
    /// The server does not do two-step enrollment although the profile demands it.
    TwoStepMissing = 2034,
    /// The server's two-step enrollment cannot be finished with this key.
    TwoStepUnusable = 2035,
    /// The server rejected the code.
    CodeRejected = 2040,
    /// The server's answers contradict each other.
    ServerContradicts = 2041,
    /// An answer was lost and it could not be found out what happened.
    OutcomeUnknown = 2050,
    /// The server reports a fault of its own.
    ServerFault = 2051,
    /// The server is too busy.
    ServerBusy = 2052,
    /// The server's answer cannot be read.
    AnswerUnreadable = 2053,
    /// The person does not exist.
    PersonUnknown = 2060,
    /// The token could not be given to the person.
    AssignRefused = 2061,
    /// The token vanished from the server.
    TokenVanished = 2063,
    /// There is no such token.
    TokenUnknown = 2064,
    /// A token was made to see whether the server takes such a one: no fault, but a reason why it went.
    Trial = 2065,
    /// The server does not show what it has done.
    ServerLags = 2067,
    /// The server puts a PIN on the token that nobody knows.
    RandomPin = 2068,
    /// The login may not look people up.
    LookupForbidden = 2071,
    /// The server's directory does not answer for these people.
    DirectoryAway = 2072,
    /// Several people may be meant.
    PersonUnclear = 2073,
    /// There is no such realm.
    RealmUnknown = 2074,

    /// The configuration file has an error.
    ConfigurationInvalid = 3001,
    /// There is no such profile.
    ProfileUnknown = 3002,
    /// No profile fits this key.
    NoProfileFits = 3003,
    /// Several profiles fit this key equally well.
    ProfilesTie = 3004,
    /// The run cannot be begun or resumed as asked.
    RunInvalid = 3005,
    /// Another run takes keys.
    RunInTheWay = 3006,
    /// There is no such run.
    RunUnknown = 3007,
    /// The station is locked.
    Locked = 3008,
    /// The operator's role does not allow it.
    RoleMissing = 3010,
    /// Nobody knows this operator, or the operator may not come from there.
    OperatorUnknown = 3011,
    /// What was entered cannot be understood.
    InputInvalid = 3012,
    /// There is no change to be committed, confirmed or taken back.
    NoChange = 3013,
    /// The line of the list that names this key was set aside.
    LineAside = 3014,
    /// A token that keeps the only copy of a slot's access code was to be deleted.
    LastCopy = 3018,
    /// The server refused the station's password earlier, and it was not sent again.
    PasswordHeld = 3019,
    /// The change would leave nobody who may change the station.
    AdminMissing = 3020,
    /// The change has to be signed by an admin.
    SignatureMissing = 3021,
    /// The signature is none of an admin, or of another text.
    SignatureWrong = 3022,
    /// There is no such session.
    SessionUnknown = 3023,
    /// The API key was given for another server.
    KeyForAnother = 3024,
    /// All places for sessions are taken.
    SessionsFull = 3025,
    /// The session was ended by an admin, or because the operator's rights changed.
    SessionEnded = 3026,
    /// That field is changed in the file on the card alone.
    CardOnly = 3027,
    /// An operator has too many long answers that nobody reads.
    TooManyAnswers = 3030,

    /// The key was not touched in time.
    NotTouched = 4001,
    /// The key gave other codes than it should.
    WrongCode = 4002,
    /// An operator or the person at the desk cancelled.
    Cancelled = 4003,
    /// An operator released the key: no fault, but a reason why a token went.
    Released = 4004,
    /// The hand-over file could not be written.
    HandOverFailed = 4005,
    /// There is no such key in any port.
    KeyAbsent = 4010,
    /// Something else is being done with the key.
    KeyBusy = 4011,
    /// Somebody has not shown who they are.
    NotIdentified = 4012,
    /// An order has waited for its key as long as it may.
    OrderExpired = 4013,
    /// What the key typed did not arrive whole, again and again.
    CodeTorn = 4014,

    /// The journal cannot be written.
    JournalFailed = 5001,
    /// A defect of the station.
    Internal = 5002,
    /// Receipts cannot be written.
    ReceiptsFailed = 5003,
    /// The station is shutting down.
    Stopping = 5004,
    /// The station may not switch itself off.
    PowerRefused = 5005,
    /// The station was told to switch itself off, and is still on.
    PowerStays = 5013,
    /// The card takes no writes.
    CardReadOnly = 5014,
    /// The card has no room.
    CardFull = 5015,
    /// What the station remembers is damaged.
    CardDamaged = 5016,
    /// No time server has answered, and the board has no clock.
    ClockUnknown = 5017,
    /// The kernel tells of errors of the card.
    CardFails = 5018,
    /// The processor is so hot that it slows down.
    BoardHot = 5019,
    /// The board gets too little voltage.
    SupplyWeak = 5020,

    /// What is offered as an update is none.
    UpdateUnknown = 6001,
    /// An update ended too early.
    UpdateCutOff = 6002,
    /// An update's signature is not right.
    UpdateUnsigned = 6003,
    /// An update changes the keys, and one key has signed it.
    UpdateOneSignature = 6004,
    /// An update is for another product.
    UpdateOtherProduct = 6005,
    /// An update is not for this board.
    UpdateOtherBoard = 6006,
    /// An update is below the floor.
    UpdateBelowFloor = 6007,
    /// An update is not newer than what runs.
    UpdateNotNewer = 6008,
    /// The card's boot files are too old for an update.
    UpdateOldCard = 6009,
    /// An update has failed here before.
    UpdateFailedBefore = 6010,
    /// An update is made for tests.
    UpdateForTests = 6011,
    /// An update is damaged.
    UpdateDamaged = 6012,
    /// An update could not be written.
    UpdateNotWritten = 6013,
    /// What was written is not what was read back.
    UpdateReadBack = 6014,
    /// An order about updates that cannot be done.
    UpdateCannot = 6015,
    /// The station has fallen back from an update.
    UpdateGivenUp = 6016,
}

impl Code {
    /// The code of that number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// Reads `E2041` (case does not matter).
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['E', 'e']).filter(|digits| digits.len() == 4)?;
        digits.parse().ok().and_then(Self::from_number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{:04}", self.number())
    }
}

/// A "no" with all that a person needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// What is particular about this case: a firmware, a right, the server's words. Never a secret.
    pub detail: String,
}

impl Refusal {
    /// A refusal with its particulars.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into().into_owned() }
    }
}

impl core::error::Error for Refusal {}
