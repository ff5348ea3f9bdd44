//! The scenarios. Each steps on a trap, or on several that belong together.

mod check;
mod directory;
mod http;
mod init;
mod manage;
mod policies;
mod registration;
mod twostep;
mod verify;
mod yubikey;

use twins::privacyidea::Version;

use super::script::Script;

type Scenario = (&'static str, fn(&mut Script<'_>));

/// A scenario under the name by which it is recorded.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) play: fn(&mut Script<'_>),
    /// Played with an admin policy that grants everything.
    pub(crate) with_rights: bool,
}

/// All of them, in the order in which they run.
pub(crate) fn all(version: Version) -> Vec<Part> {
    let mut parts = Vec::new();
    for group in [
        http::ALL,
        directory::ALL,
        init::ALL,
        yubikey::ALL,
        twostep::ALL,
        verify::ALL,
        registration::ALL,
        manage::ALL,
        check::ALL,
        policies::ALL,
    ] {
        for (name, play) in group {
            parts.push(Part { name: (*name).into(), play: *play, with_rights: false });
            // 3.13.4 replaces the keys of the scenarios, unless there is an admin
            // policy. Without their keys they would not get far.
            let keyed =
                ["init: ", "verify: ", "manage: ", "check: "].iter().any(|kind| name.starts_with(kind));
            if keyed && version == Version::V3_13_4 {
                parts.push(Part { name: format!("{name}, with rights"), play: *play, with_rights: true });
            }
        }
    }
    parts
}
