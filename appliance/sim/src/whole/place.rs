//! The server of a simulated station: where it is, why it is trusted, who logs in.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use privacyidea::SecretString;
use twins::privacyidea::tls::{Authority, Variant};
use twins::privacyidea::{ADMIN, Options, ServerTwin, front};
use zeroize::Zeroizing;

use crate::args::Server as Args;

/// A server and how the station gets in.
pub(super) struct Place {
    pub(super) address: String,
    /// Why its certificate is good.
    pub(super) trust: Trusted,
    /// Name and password of an administrator, when there is no API key.
    pub(super) login: Option<(String, SecretString)>,
    pub(super) api_key: Option<SecretString>,
    /// The embedded twin; it ends with this.
    pub(super) _embedded: Option<front::Server>,
}

/// Why a certificate is good.
pub(super) enum Trusted {
    /// By the system's authorities.
    System,
    /// By these authorities.
    Pem(Vec<u8>),
    /// By these keys.
    Pins(Vec<String>),
    /// There is none: nothing is encrypted.
    Nothing,
}

/// The server that the arguments name, or an embedded twin.
pub(super) async fn find(args: &Args) -> anyhow::Result<Place> {
    match &args.server {
        Some(url) => real(url, args),
        None => embedded(args).await,
    }
}

fn real(url: &str, args: &Args) -> anyhow::Result<Place> {
    let trust = match &args.ca {
        _ if args.allow_plain_http && url.starts_with("http://") => Trusted::Nothing,
        _ if !args.pin.is_empty() => Trusted::Pins(args.pin.clone()),
        Some(ca) => Trusted::Pem(std::fs::read(ca).with_context(|| format!("cannot read {}", ca.display()))?),
        None => Trusted::System,
    };
    let (login, api_key) = match (&args.user, &args.password_file, &args.api_key_file) {
        (Some(user), Some(file), None) => (Some((user.clone(), secret(file)?)), None),
        (None, None, Some(file)) => (None, Some(secret(file)?)),
        (None, None, None) => (None, None),
        _ => bail!("give --user and --password-file, or --api-key-file, or log in later"),
    };
    Ok(Place { address: url.to_owned(), trust, login, api_key, _embedded: None })
}

async fn embedded(args: &Args) -> anyhow::Result<Place> {
    let mut twin = ServerTwin::new(Options { version: args.twin_version, ..Options::default() });
    for preset in &args.policy {
        twin.policy_set(preset)?;
    }
    let authority = Authority::new("station-sim")?;
    let listener = front::listen(0).await?;
    let acceptor = Some(authority.acceptor(Variant::Good)?);
    let front = front::serve(Arc::new(Mutex::new(twin)), listener, acceptor, Duration::ZERO)?;
    let (user, password) = ADMIN;
    Ok(Place {
        address: format!("https://{}", front.address()),
        trust: Trusted::Pem(authority.pem().as_bytes().to_vec()),
        login: Some((user.to_owned(), SecretString::copy_of(password))),
        api_key: None,
        _embedded: Some(front),
    })
}

/// The first line of a file, as a secret.
fn secret(file: &Path) -> anyhow::Result<SecretString> {
    let text = Zeroizing::new(
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
    );
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretString::copy_of(line)),
        _ => bail!("{} is empty", file.display()),
    }
}
