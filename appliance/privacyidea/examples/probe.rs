//! Says what a privacyIDEA server is, and what a login there may do.
//!
//! ```text
//! $ cargo run --example probe -- --url https://pi.example.test --ca ca.pem --user admin --password-file pw
//! server    privacyIDEA 3.14 (health: ready, its clock is 6 ms ahead)
//! login     admin, 3599 s left
//! rights    enroll HOTP, REGISTRATION, TOTP, YUBIKEY
//! missing   nothing
//! realms    office
//! tokens    10
//! ```
//!
//! The password is read from a file, so that it is in no list of processes.

use std::path::PathBuf;

use clap::Parser;
use privacyidea::transport::{Https, SpkiPin, Trust};
use privacyidea::{Client, Credentials, Health, Rights, SecretString};

/// What enrolling a token, proving it and giving it to a user needs.
const WANTED: [&str; 9] = [
    "enrollHOTP",
    "enrollYUBIKEY",
    "tokenlist",
    "userlist",
    "assign",
    "delete",
    "disable",
    "enable",
    "settokeninfo",
];

/// Says what a privacyIDEA server is, and what a login there may do.
#[derive(Parser)]
struct Options {
    /// Address of the server: https://host[:port][/path].
    #[arg(long)]
    url: String,
    /// PEM file of the authorities to trust, instead of the system's.
    #[arg(long, conflicts_with = "pin")]
    ca: Option<PathBuf>,
    /// Pin of the server's key (sha256//...), instead of any authority.
    #[arg(long)]
    pin: Vec<String>,
    /// Allow http://, for a server on this machine.
    #[arg(long)]
    plain_http: bool,
    /// Name of the administrator. Without one only the server is looked at.
    #[arg(long, requires = "password_file")]
    user: Option<String>,
    /// File that holds the password, perhaps with a line end.
    #[arg(long)]
    password_file: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let trust = match (&options.ca, options.pin.as_slice()) {
        (Some(file), _) => Trust::pem(&std::fs::read(file)?)?,
        (None, []) => Trust::system(),
        (None, pins) => Trust::pins(pins.iter().map(|p| SpkiPin::parse(p)).collect::<Result<Vec<_>, _>>()?)?,
    };
    let mut https = Https::builder(&options.url, trust, "privacyidea-probe/0.1");
    if options.plain_http {
        https = https.allow_plain_http();
    }
    let password = match &options.password_file {
        Some(file) => SecretString::new(std::fs::read_to_string(file)?),
        None => SecretString::new(String::new()),
    };
    let password = SecretString::copy_of(password.reveal().trim_end_matches(['\r', '\n']));
    let user = options.user.as_deref().unwrap_or_default();
    let client = Client::new(https.build()?, Credentials::password(user, password));

    let probe = client.probe().await?;
    let health = match client.health().await? {
        Health::Ready => "ready",
        Health::NotReady => "not ready",
        _ => "not told",
    };
    if options.user.is_some() {
        // Only a success tells the version for certain.
        client.session().await?;
    }
    let server = client.server().map_or_else(|| "hidden".to_owned(), |server| server.to_string());
    let skew = probe.skew.map_or(0, |skew| skew.server_ahead_ms);
    println!("server    {server} (health: {health}, its clock is {skew} ms ahead)");
    if options.user.is_none() {
        return Ok(());
    }

    let session = client.session().await?;
    let left = client.session_left().await.map_or_else(|| "?".to_owned(), |left| left.as_secs().to_string());
    println!("login     {}, {left} s left", session.username);
    if let Rights::Known(rights) = &session.rights {
        let types: Vec<&str> = rights.iter().filter_map(|right| right.strip_prefix("enroll")).collect();
        println!("rights    enroll {}", types.join(", "));
    }
    let missing = session.rights.missing(WANTED);
    println!("missing   {}", if missing.is_empty() { "nothing".to_owned() } else { missing.join(", ") });
    let realms = client.realms().await?;
    let realms: Vec<&str> = realms.iter().map(|realm| realm.name.as_str()).collect();
    println!("realms    {}", realms.join(", "));
    println!("tokens    {}", client.tokens(&privacyidea::TokenFilter::default()).await?.count);
    Ok(())
}
