//! A client for the privacyIDEA API, for programs that enroll and manage
//! tokens. It speaks to privacyIDEA (3.9 to 3.14 were measured) and eduMFA.
//!
//! What it never does: send a request twice by itself (except one that the
//! server refused because the login had ended), follow a redirect, decide by
//! the text of a message, log or keep a body, or put a secret into an error.
//!
//! # On one page
//!
//! ```no_run
//! # #[cfg(feature = "https")]
//! # async fn page() -> Result<(), Box<dyn std::error::Error>> {
//! use privacyidea::transport::{Https, Trust};
//! use privacyidea::*;
//!
//! let https = Https::builder("https://pi.example.test", Trust::system(), "my-program/1.0").build()?;
//! let password = SecretString::new(std::fs::read_to_string("password")?);
//! let client = Client::new(https, Credentials::password("admin", password));
//!
//! // Who am I? The login is made by the first call and renewed when it ends.
//! let session = client.session().await?;
//! assert!(session.rights.missing(["enrollHOTP", "tokenlist"]).is_empty());
//!
//! // Make a token, and make sure that the server has the seed it was sent.
//! let serial = Serial::new("UBOM00000001_1")?;
//! assert!(client.token(&serial).await?.is_none());
//! let seed = [0x31; 20];
//! let init = Init::hotp(serial.clone(), SecretBytes::copy_of(&seed), 6, HashAlgorithm::Sha1)
//!     .description(Description::new("desk 1")?);
//! let answer = client.init(&init).await?;
//! assert_eq!(answer.seed_is(&seed), Some(true));
//!
//! // Where the server asks for a proof; else `client.check` does.
//! if answer.rollout == Rollout::Verify {
//!     client.verify(&serial, &TokenType::Hotp, &SecretString::copy_of("755224")).await?;
//! }
//! client.assign(&serial, &User::new("alice", "office"), None).await?;
//!
//! // What may have happened when something went wrong?
//! if let Err(error) = client.enable(&serial).await {
//!     match error.outcome() {
//!         Outcome::NotSent => println!("try again: {error}"),
//!         Outcome::Refused => println!("give up: {error}, code {:?}", error.code()),
//!         Outcome::Unknown => println!("look before doing anything: {:?}", client.token(&serial).await?),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | [`Client`] | calls |
//! |---|---|
//! | login | [`session`](Client::session), [`session_left`](Client::session_left), [`server`](Client::server), [`skew`](Client::skew), [`probe`](Client::probe), [`health`](Client::health) |
//! | enroll | [`init`](Client::init) with an [`Init`], [`verify`](Client::verify), [`finish_two_step`](Client::finish_two_step), [`derive_seed`] |
//! | check | [`check`](Client::check), [`check_otp_only`](Client::check_otp_only), [`resync`](Client::resync) |
//! | tokens | [`token`](Client::token), [`tokens`](Client::tokens), [`enable`](Client::enable), [`disable`](Client::disable), [`assign`](Client::assign), [`unassign`](Client::unassign), [`set_pin`](Client::set_pin), [`set_info`](Client::set_info), [`delete`](Client::delete), [`serial_of`](Client::serial_of) |
//! | users | [`users`](Client::users), [`realms`](Client::realms) |
//! | containers | [`container_types`](Client::container_types), [`init_container`](Client::init_container), [`add_to_container`](Client::add_to_container), [`delete_container`](Client::delete_container) |
//! | server | [`policies`](Client::policies), [`audit`](Client::audit) |
//!
//! Every call fails with an [`Error`], whose [`outcome`](Error::outcome) says
//! whether anything may have changed, and whose [`code`](Error::code) is the
//! server's. The network is behind
//! [`Transport`]; time is behind [`Clock`].

#![warn(missing_docs)]

mod body;
mod call;
mod calls;
mod client;
mod clock;
pub mod envelope;
mod error;
mod http;
pub mod jwt;
mod names;
mod secret;
mod server;
mod session;
mod text;
#[cfg(feature = "https")]
pub mod transport;

pub use calls::answer::{InitAnswer, Rollout, TwoStepParameters};
pub use calls::audit::AuditLine;
pub use calls::containers::ContainerType;
pub use calls::init::{Init, TwoStepSizes};
pub use calls::policies::Policy;
pub use calls::rights::{Health, Probe};
pub use calls::tokens::{Found, Token, TokenFilter, TokenPage};
pub use calls::twostep::{BadBase32Check, PartFormat, decode_base32check, derive_seed, encode_base32check};
pub use calls::uri::OtpUri;
pub use calls::users::{Realm, UserRecord, UserSearch};
pub use calls::validate::{Verdict, Whose};
pub use client::Client;
pub use clock::{Clock, Skew, SystemClock};
pub use error::{Error, Invalid, Outcome, ServerCode, ServerError};
pub use http::{HttpRequest, HttpResponse, Lost, Method, NotSent, TlsFault, Transport, TransportError};
pub use names::{Description, HashAlgorithm, Serial, TokenType, User};
pub use secret::{SecretBytes, SecretString};
pub use server::{Product, Server};
pub use session::{Authority, Credentials, Rights, Session};
pub use text::DisplayText;
