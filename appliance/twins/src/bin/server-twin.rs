//! A privacyIDEA server twin on loopback, for programs that speak HTTP.
//!
//! ```text
//! $ server-twin --version 3.14 --tls good --policy verify-enrollment
//! {"base_url":"https://127.0.0.1:43211","ca_file":"/…/ca.pem","running":true,…}
//! ```
//!
//! It prints that one line and serves until it is told to stop (SIGTERM,
//! SIGINT) or, with `--stdin`, until standard input ends.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use twins::privacyidea::front::{listen, serve};
use twins::privacyidea::tls::{Authority, Variant};
use twins::privacyidea::{
    ADMIN, Fault, HELPDESK, Mode, Options, REALM, RESOLVER, ServerTwin, USERS, Version, preset_names,
};

/// A privacyIDEA server twin on 127.0.0.1.
#[derive(Parser)]
struct Arguments {
    /// 3.14, 3.13.4, 3.9.3 or edumfa-2.9.5
    #[arg(long, default_value = "3.14")]
    version: Version,
    /// The port; 0 means any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Serve HTTPS with a certificate that is good, expired, wrong-host or untrusted
    #[arg(long, value_name = "VARIANT", num_args = 0..=1, default_missing_value = "good")]
    tls: Option<Variant>,
    /// Where to put the certificate of the CA; a new temporary directory otherwise
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Switch on a preset of policies; may be repeated
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(preset_names()))]
    policy: Vec<String>,
    /// Let a fault wait: `MODE[:PATH[:SHOTS[:SKIP]]]`, e.g. `lost:/token/init`; may be repeated
    #[arg(long, value_name = "FAULT", value_parser = fault)]
    fault: Vec<Fault>,
    /// Also print an API key of this role (admin or validate)
    #[arg(long, value_name = "ROLE", value_parser = ["admin", "validate"])]
    api_key: Option<String>,
    /// All random numbers follow from it
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Wait so long before each answer, in milliseconds
    #[arg(long, default_value_t = 0, value_name = "MS")]
    latency: u64,
    /// The length of each image in an answer to /token/init, in characters
    #[arg(long, default_value_t = 1400)]
    image_chars: usize,
    /// End when standard input ends
    #[arg(long)]
    stdin: bool,
}

fn fault(text: &str) -> Result<Fault, String> {
    let mut parts = text.split(':');
    let mode: Mode = parts.next().unwrap_or("").parse().map_err(|error| format!("{error}"))?;
    let mut fault = Fault::new(parts.next().unwrap_or("/"), mode);
    let mut number =
        |or| parts.next().map_or(Ok(or), str::parse).map_err(|_| "SHOTS and SKIP are numbers".to_owned());
    fault.shots = number(1)?;
    fault.skip = number(0)?;
    Ok(fault)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(Arguments::parse()))
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let options =
        Options { version: arguments.version, seed: arguments.seed, image_chars: arguments.image_chars };
    let mut twin = ServerTwin::new(options);
    for name in &arguments.policy {
        twin.policy_set(name)?;
    }
    for fault in arguments.fault {
        twin.fault_add(fault);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let api_key = arguments.api_key.map(|role| twin.api_key(&role, Duration::from_secs(365 * 86_400), now));

    let (mut acceptor, mut ca_file, mut made) = (None, None, None);
    if let Some(variant) = arguments.tls {
        let dir = match arguments.dir {
            Some(dir) => dir,
            None => {
                let dir = std::env::temp_dir().join(format!("server-twin-{}", std::process::id()));
                std::fs::create_dir(&dir)?;
                made.insert(dir).clone()
            }
        };
        let authority = Authority::new("server twin CA")?;
        let file = dir.join("ca.pem");
        std::fs::write(&file, authority.pem())?;
        acceptor = Some(authority.acceptor(variant)?);
        ca_file = Some(file);
    }

    let listener = listen(arguments.port).await?;
    let latency = Duration::from_millis(arguments.latency);
    let server = serve(Arc::new(Mutex::new(twin)), listener, acceptor, latency)?;
    let scheme = if ca_file.is_some() { "https" } else { "http" };
    let account = |(username, password): (&str, &str)| json!({"username": username, "password": password});
    let line = json!({
        "running": true, "twin": true, "version": arguments.version.number(), "pid": std::process::id(),
        "base_url": format!("{scheme}://{}", server.address()), "ca_file": ca_file,
        "admin": account(ADMIN), "helpdesk": account(HELPDESK), "realm": REALM, "resolver": RESOLVER,
        "users": USERS.map(|user| account((user.login, user.password))), "api_key": api_key,
    });
    println!("{line}");

    let mut terminate = signal(SignalKind::terminate())?;
    let mut end = [0_u8; 1];
    let input = async {
        if arguments.stdin {
            while !matches!(tokio::io::stdin().read(&mut end).await, Ok(0) | Err(_)) {}
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = input => {}
    }
    server.stop().await;
    if let Some(dir) = made {
        std::fs::remove_dir_all(dir)?;
    }
    // A read of standard input cannot be taken back, so the process ends here.
    std::process::exit(0);
}
