//! Which keys are welcome.

values! {
    /// A rule; a key is welcome when all that it says fits.
    pub struct WelcomeRule {
        /// Its number, from 1.
        pub number: i64,
        /// What people call it.
        pub name: Option<String>,
        /// All of it, as TOML.
        pub toml: String,
    }

    /// The rules; a key is welcome when one of them fits.
    pub struct WelcomeRules {
        /// In their order; every key is welcome when there is none.
        pub rules: Vec<WelcomeRule>,
    }
}

requests! {
    /// A rule to be added.
    pub struct WelcomeAdd {
        /// Its fields, as TOML.
        pub toml: String,
    }

    /// A rule to be taken away.
    pub struct WelcomeRemove {
        /// Its number, from 1, as in what is pending.
        pub number: u32,
    }
}
