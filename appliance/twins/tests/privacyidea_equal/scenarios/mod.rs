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

use super::script::Script;

type Scenario = (&'static str, fn(&mut Script<'_>));

/// All of them, in the order in which they run.
pub(crate) fn all() -> impl Iterator<Item = Scenario> {
    [
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
    ]
    .into_iter()
    .flatten()
    .copied()
}
