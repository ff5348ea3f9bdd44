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

    /// Whether the chain is whole.
    pub struct ReceiptVerdict {
        /// Whether every signature is right and nothing is missing.
        pub good: bool,
        /// How many receipts were looked at.
        pub receipts: i64,
        /// The hash of the newest, as hexadecimal digits; to be noted elsewhere.
        pub head: Option<String>,
        /// The key that signs, as hexadecimal digits.
        pub public_key: Option<String>,
        /// The number of the first receipt that is wrong.
        pub first_wrong: Option<i64>,
        /// What is wrong with it.
        pub text: Option<String>,
    }

    /// Part of the chain.
    pub struct ReceiptLines {
        /// Lines of it, each one receipt, without their line ends.
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
