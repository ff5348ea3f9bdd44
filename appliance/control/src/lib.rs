//! The interface between the station's daemon and its shells.
//!
//! It is Varlink (<https://varlink.org>) on a Unix socket, so `varlinkctl` can make calls too. The
//! table of calls is in [`calls`], what they say is in [`types`]; from these come the
//! [`Client`] with one method a call, the trait [`Control`] that the daemon implements,
//! the description of the interface, and the JSON Schemas of its messages
//! ([`shape::json_schema`]).
//!
//! The shell owns no device and no credential; all that it can do is in that table. The daemon
//! decides who may make which call: this crate only says what each call is for. A
//! [`Secret`] crosses the socket into the daemon and never comes back. Two things that are made for one
//! person's eyes cross it the other way, as what cannot be shown or copied either: the QR code that a phone
//! reads, and registration codes.
//!
//! The protocol is spoken here and not by the crate `zlink`, because of three
//! things in its version 0.8: its server makes the calls of all connections one after the
//! other in one task, so a login at a slow server would hold up every other shell, and a
//! reader that does not read would too; a message may grow to 100 MiB; its buffers, which
//! hold passwords, are not wiped.
//!
//! ```no_run
//! # async fn example() -> Result<(), control::CallError> {
//! use control::types::{Enroll, LogIn};
//!
//! let operator = LogIn {
//!     operator: "SHA256:uNiVztksCsDhcc0u9e8BrrJXaShmF4xtEr1FEEEEEEE".to_owned(),
//!     address: "192.0.2.7:50312".to_owned(),
//!     session: "s1".to_owned(),
//! };
//! let socket = std::path::Path::new("/run/enrolld/control");
//! let (station, session) = control::Client::connect(socket, operator).await?;
//! println!("{} is {}", session.name, session.role);
//! let mut events = station.enroll(&Enroll { profile: Some("desk".to_owned()), ..Enroll::default() }).await?;
//! while let Some(event) = events.next().await {
//!     println!("{:?}", event?.kind);
//! }
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

#[macro_use]
mod macros;
#[macro_use]
pub mod interface;

pub mod calls;
pub mod clean;
mod client;
mod refusal;
mod secret;
pub mod server;
pub mod shape;
pub mod sim;
pub mod types;
pub mod wire;

pub use calls::{Control, Method};
pub use client::{CallError, Client, Incoming};
pub use interface::Replies;
pub use refusal::Refusal;
pub use secret::Secret;
pub use types::Role;

/// The fields of the configuration that hold a secret: their values are asked for, cross the socket as a
/// [`Secret`], and are shown nowhere.
pub const SECRET_FIELDS: [&str; 1] = ["server.api-key"];

/// Reads a message as either side would, as a call with its arguments and as an answer, and
/// forgets it: for fuzzing.
pub fn examine(message: &[u8]) {
    if let Ok(call) = wire::Call::read(message) {
        let arguments = call.arguments();
        if let Some(method) = Method::from_full_name(&call.method) {
            // Whether they fit is all the same; it must come back.
            let _ = method.check(arguments);
            let _ = method.info().shown(arguments);
        } else if let Some(method) = sim::HandsMethod::from_full_name(&call.method) {
            let _ = method.check(arguments);
        }
    }
    let _ = wire::read_reply::<types::Event>(message);
    let _ = wire::read_reply::<types::Status>(message);
}
