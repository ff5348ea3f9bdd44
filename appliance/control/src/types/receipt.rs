//! Receipts: the signed, chained records of enrollments.

use jiff::Timestamp;
use serde_json::Value;

values! {
    /// A receipt in short.
    pub struct Receipt {
        /// Its number in the chain, from 1.
        pub number: i64,
        /// When the enrollment ended.
        pub at: Timestamp,
        /// How: `enrolled`, `undone` …
        pub ending: String,
        /// The key's serial.
        pub key: Option<String>,
        /// The token's serial.
        pub token: Option<String>,
        /// Whom the token is for.
        pub person: Option<String>,
        /// The profile.
        pub profile: String,
        /// Who let it happen.
        pub operator: String,
    }

    /// Receipts.
    pub struct Receipts {
        /// Newest first.
        pub receipts: Vec<Receipt>,
        /// How many there are in all.
        pub total: i64,
    }

    /// A receipt whole.
    pub struct ReceiptDetails {
        /// In short.
        pub receipt: Receipt,
        /// What it says, as it was signed.
        pub document: Value,
        /// Its line in the chain, byte for byte.
        pub line: String,
        /// Whether its signature and its place in the chain are right.
        pub good: bool,
    }

    /// A key that signs, as the chain has it.
    pub struct SigningKey {
        /// Its public half, as hexadecimal digits.
        pub key: String,
        /// The number of the first line that it signed.
        pub since: i64,
    }

    /// A line that is earlier than the one before it: the clock was set back in between.
    pub struct SetBack {
        /// The number of the line.
        pub number: i64,
        /// What the line before it says.
        pub from: Timestamp,
        /// What it says itself.
        pub to: Timestamp,
    }

    /// What was found out about the chain.
    pub struct ReceiptVerdict {
        /// Whether every signature is right and nothing that is known of is missing.
        pub good: bool,
        /// How many receipts, or deeds, were looked at.
        pub receipts: i64,
        /// The number of the first line that is kept.
        pub first: Option<i64>,
        /// The number of the last line.
        pub last: Option<i64>,
        /// The hash of the last line, as hexadecimal digits; to be compared with the log's, or noted elsewhere.
        pub head: Option<String>,
        /// The key that signs, as hexadecimal digits.
        pub public_key: Option<String>,
        /// The keys that signed, in their order.
        pub keys: Option<Vec<SigningKey>>,
        /// How often the clock was set back.
        pub set_back: Option<i64>,
        /// Where; the first hundred.
        pub set_backs: Option<Vec<SetBack>>,
        /// What was checked, in sentences.
        pub checked: Option<Vec<String>>,
        /// What cannot be known here, in sentences.
        pub unknown: Option<Vec<String>>,
        /// The number of the first line that is wrong or missing.
        pub first_wrong: Option<i64>,
        /// What is wrong with it.
        pub text: Option<String>,
    }

    /// Part of the chain.
    pub struct ReceiptLines {
        /// Lines of it, each one receipt, deed or checkpoint, without their line ends.
        pub lines: Vec<String>,
    }
}

requests! {
    /// Which receipts are wanted.
    pub struct ReceiptsList {
        /// How many of the newest; 50 when missing, at most 1000.
        pub newest: Option<u32>,
        /// Only those about this key or token.
        pub about: Option<String>,
    }

    /// A receipt.
    pub struct ByReceipt {
        /// Its number.
        pub number: i64,
    }

    /// Part of the chain.
    pub struct ReceiptsExport {
        /// From this number on; all when missing.
        pub from: Option<i64>,
    }
}
