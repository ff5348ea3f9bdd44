//! Sealed files: secrets for people, which the station itself cannot read.

use jiff::Timestamp;

values! {
    /// A sealed file.
    pub struct SealedFile {
        /// Its name.
        pub name: String,
        /// The token that it belongs to.
        pub token: String,
        /// What is in it.
        pub what: String,
        /// How long it is.
        pub bytes: i64,
        /// When it was written.
        pub at: Timestamp,
    }

    /// Sealed files.
    pub struct SealedFiles {
        /// By name.
        pub files: Vec<SealedFile>,
    }

    /// A sealed file as it is.
    pub struct SealedText {
        /// Its name.
        pub name: String,
        /// It, armored as age does.
        pub text: String,
    }
}

requests! {
    /// Whose sealed files.
    pub struct SealedOfRun {
        /// The run, by number or name.
        pub run: String,
    }

    /// Which sealed file.
    pub struct BySealed {
        /// Its name.
        pub name: String,
    }
}
