//! The calls, a file for each noun of the server's interface.

pub(crate) mod answer;
pub(crate) mod audit;
pub(crate) mod containers;
pub(crate) mod init;
pub(crate) mod policies;
pub(crate) mod rights;
pub(crate) mod tokens;
pub(crate) mod twostep;
pub(crate) mod uri;
pub(crate) mod users;
pub(crate) mod validate;
