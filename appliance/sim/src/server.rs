//! The server of a simulation: an embedded twin over real TCP, or a real one.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use dispatch::server::{PrivacyIdea, ServerPort};
use privacyidea::transport::{Https, SpkiPin, Trust};
use privacyidea::{Client, Credentials, SecretString};
use twins::privacyidea::tls::{Authority, Variant};
use twins::privacyidea::{ADMIN, Options, ServerTwin, front};
use zeroize::Zeroizing;

use crate::args::Server as Args;

/// What the server sees as `User-Agent`.
const USER_AGENT: &str = concat!("enrolld/", env!("CARGO_PKG_VERSION"), " (station-sim)");

/// A server, ready to be asked.
pub struct Server {
    /// What the driver speaks to.
    pub port: Arc<dyn ServerPort>,
    /// Its address, to be shown.
    pub address: String,
    /// The embedded twin, when there is one; it ends with this.
    pub embedded: Option<Embedded>,
}

/// An embedded twin that listens on the loopback interface.
pub struct Embedded {
    pub twin: Arc<Mutex<ServerTwin>>,
    _front: front::Server,
}

/// Opens the server that the arguments name.
pub async fn open(args: &Args) -> anyhow::Result<Server> {
    match &args.server {
        Some(url) => real(url, args),
        None => embedded(args).await,
    }
}

fn real(url: &str, args: &Args) -> anyhow::Result<Server> {
    let trust = if !args.pin.is_empty() {
        let pins: Result<Vec<_>, _> = args.pin.iter().map(|pin| SpkiPin::parse(pin)).collect();
        Trust::pins(pins?)?
    } else if let Some(ca) = &args.ca {
        let pem = std::fs::read(ca).with_context(|| format!("cannot read {}", ca.display()))?;
        Trust::pem(&pem).with_context(|| format!("{} holds no usable certificate", ca.display()))?
    } else {
        Trust::system()
    };
    let credentials = match (&args.user, &args.password_file, &args.api_key_file) {
        (Some(user), Some(file), None) => Credentials::password(user, secret(file)?),
        (None, None, Some(file)) => Credentials::api_key(secret(file)?),
        _ => bail!("a real server needs --user and --password-file, or --api-key-file"),
    };
    let mut https = Https::builder(url, trust, USER_AGENT).timeout(Duration::from_secs(args.timeout));
    if args.allow_plain_http {
        https = https.allow_plain_http();
    }
    let client = Client::new(https.build()?, credentials);
    Ok(Server { port: Arc::new(PrivacyIdea::new(client)), address: url.to_owned(), embedded: None })
}

async fn embedded(args: &Args) -> anyhow::Result<Server> {
    let mut twin = ServerTwin::new(Options { version: args.twin_version, ..Options::default() });
    for preset in &args.policy {
        twin.policy_set(preset)?;
    }
    let twin = Arc::new(Mutex::new(twin));
    let authority = Authority::new("station-sim")?;
    let listener = front::listen(0).await?;
    let front = front::serve(
        Arc::clone(&twin),
        listener,
        Some(authority.acceptor(Variant::Good)?),
        Duration::from_millis(args.latency),
    )?;
    let address = format!("https://{}", front.address());
    let trust = Trust::pem(authority.pem().as_bytes())?;
    let https = Https::builder(&address, trust, USER_AGENT).timeout(Duration::from_secs(args.timeout));
    let (user, password) = ADMIN;
    let client = Client::new(https.build()?, Credentials::password(user, SecretString::copy_of(password)));
    Ok(Server {
        port: Arc::new(PrivacyIdea::new(client)),
        address,
        embedded: Some(Embedded { twin, _front: front }),
    })
}

/// The first line of a file, as a secret.
fn secret(file: &Path) -> anyhow::Result<SecretString> {
    let text = Zeroizing::new(
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
    );
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("{} is empty", file.display());
    }
    Ok(SecretString::copy_of(line))
}
