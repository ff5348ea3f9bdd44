//! The calls of `org.enrollmentstation.Sim`: fingers and hands for software keys. Only
//! the simulation answers them.

requests! {
    /// A software key to be plugged in.
    pub struct Plug {
        /// `yubikey` (when missing), `nitrokey-pro`, `nitrokey-storage`, `librem-key`, `nitrokey3`.
        pub kind: Option<String>,
        /// Its serial. A key that was pulled comes back with all that is in it; the next new one when missing.
        pub serial: Option<u32>,
        /// Its firmware, `5.4.3` when missing.
        pub firmware: Option<String>,
        /// The port; the first free one when missing.
        pub port: Option<String>,
    }

    /// A finger on a key.
    pub struct TouchKey {
        /// The port, its number, or the key's serial; the only key when missing.
        pub key: Option<String>,
        /// For two seconds.
        pub long: bool,
    }

    /// A key to be pulled out.
    pub struct Pull {
        /// The port, its number, or the key's serial; the only key when missing.
        pub key: Option<String>,
    }
}

values! {
    /// A software key.
    pub struct SimKey {
        /// `yubikey`, `nitrokey-pro` …
        pub kind: String,
        /// Its serial.
        pub serial: String,
        /// Its firmware.
        pub firmware: String,
        /// Where it is plugged in; `null` when it is not.
        pub port: Option<String>,
    }

    /// Software keys.
    pub struct SimKeys {
        /// In the order in which they were made.
        pub keys: Vec<SimKey>,
    }

    /// What a touch did.
    pub struct Touched {
        /// What the key typed. The code is used up the moment it is checked.
        pub typed: Option<String>,
    }
}

interface! {
    /// Software keys, plugged, touched and pulled by hand.
    interface "org.enrollmentstation.Sim", service Hands, method HandsMethod;

    /// Plugs a key in.
    call Plug sim_plug(Plug) -> SimKey, Operator;
    /// Touches a key.
    call Touch sim_touch(TouchKey) -> Touched, Operator;
    /// Pulls a key out.
    call Pull sim_pull(Pull) -> SimKey, Operator;
    /// The keys there are.
    call List sim_keys() -> SimKeys, Viewer;
}
