//! `station-sim enroll`: keys, one after the other, with every step shown.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow, bail};
use dispatch::clock::SystemClock;
use dispatch::driver::{Cancel, Station};
use dispatch::event::{Event, What};
use dispatch::key_thread::Key;
use dispatch::store::Store;
use enrolld::display::Bench;
use keys::device::{Digits, Kind, ProofWay};
use keys::secret::{AccessCode, Pin};
use panel::{self, Text, View};
use station::access::Codes;
use station::catalogue::Language;
use station::engine::enrollment::{Ending, Order, Replace};
use station::engine::record::Actor;
use station::papers::people::Named;
use station::profile::Profile;
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use crate::args::{Enroll, Touch};
use crate::hand_over::PlainFile;
use crate::key::{Finger, SimKey};
use crate::report::KeyReport;
use crate::server;
use crate::tell::Teller;

/// Where every key is plugged in.
const PORT: &str = "1-1.2";

/// Carries the command out; true when every key is proven.
pub fn run(args: &Enroll) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(enroll(args));
    // A thread that waits for Enter cannot be woken; it ends with the process.
    runtime.shutdown_background();
    result
}

async fn enroll(args: &Enroll) -> anyhow::Result<bool> {
    let teller = Teller::new(args.quiet);
    let order = order(args)?;
    let server = server::open(&args.server).await?;
    let kind = if server.embedded.is_some() { "server twin" } else { "server" };
    teller.line(&format!("{kind} at {}", server.address));
    let store = match &args.journal {
        Some(file) => Store::open(file).with_context(|| format!("journal {}", file.display()))?,
        None => Store::in_memory()?,
    };
    let store = match &args.hand_over {
        Some(file) => store.with_hand_over(Arc::new(PlainFile(file.clone()))),
        None => store,
    };
    let (touches, mut wanted) = mpsc::unbounded_channel();
    let display = args.panel.then(|| Mutex::new(Bench::new(Language::English, ready(&server.address))));
    let watcher = move |event: Event| {
        teller.event(&event);
        if let Some(display) = &display {
            let mut display = display.lock().unwrap_or_else(PoisonError::into_inner);
            if display.saw(&event) {
                teller.panel(&display.view());
            }
        }
        let touch = match event.what {
            What::TouchWanted { way, .. } => Some(way),
            What::KeyWaits { waiting: true } => Some(ProofWay::Returned { touch: true }),
            _ => None,
        };
        if let Some(way) = touch {
            // The finger is gone only when the enrollment is over.
            let _ = touches.send(way);
        }
    };
    let station = Station {
        server: Arc::clone(&server.port),
        store,
        clock: SystemClock::new(),
        watcher: Arc::new(watcher),
    };

    let recovered = station.recover().await.map_err(|why| anyhow!("{why}"))?;
    for settled in &recovered {
        let left = settled.left.as_ref().map_or_else(|| "put right".to_owned(), ToString::to_string);
        teller.line(&format!("unfinished enrollment of {}: {left}", settled.record.token));
    }

    let cancel = cancel_on_signals();
    let mut proven = 0_usize;
    let mut total = 0_usize;
    for mut key in keys(args)? {
        for _ in 0..key.insertions {
            total += 1;
            teller.line(&format!("\n{} is plugged into port {PORT}", key.key.name));
            let (plugged, finger) = key.key.plug(PORT);
            let mut bench = Key::start(plugged, station.clock);
            while wanted.try_recv().is_ok() {}
            let enrollment = station.enroll(order.clone(), &mut bench, cancel.clone());
            let report = tokio::select! {
                report = enrollment => report,
                error = touch(&mut wanted, &finger, args.touch, teller) => return Err(error),
            };
            proven += usize::from(matches!(report.outcome.ending, Ending::Enrolled(_)));
            if args.json {
                let mut out = std::io::stdout().lock();
                serde_json::to_writer(&mut out, &KeyReport::from(&report))?;
                writeln!(out)?;
            }
            drop(bench);
            key.key.pull()?;
        }
        key.insertions = 0;
    }
    teller.line(&format!("\n{proven} of {total} keys proven"));
    Ok(proven == total)
}

/// Touches the key whenever that is wanted; comes back only when it cannot.
async fn touch(
    wanted: &mut mpsc::UnboundedReceiver<ProofWay>,
    finger: &Finger,
    how: Touch,
    teller: Teller,
) -> anyhow::Error {
    while let Some(way) = wanted.recv().await {
        if how == Touch::Ask {
            teller.line("    press Enter to touch it");
            let pressed = tokio::task::spawn_blocking(|| {
                let mut line = String::new();
                std::io::stdin().lock().read_line(&mut line)
            });
            match pressed.await {
                Ok(Ok(bytes)) if bytes > 0 => {}
                // Nobody is there to touch it: the enrollment sees to that by itself.
                _ => continue,
            }
        }
        match finger.touch(way).await {
            Ok(text) if text.is_empty() => {}
            Ok(text) => teller.typed(&text),
            Err(error) => teller.line(&format!("    it cannot be touched: {error:#}")),
        }
    }
    anyhow!("the enrollment ended without an outcome")
}

/// What the display shows while no key is plugged in.
fn ready(server: &str) -> View {
    View::Ready(panel::Station {
        name: Text::new("station-sim"),
        address: Text::new(server),
        ..panel::Station::default()
    })
}

struct Inserted {
    key: SimKey,
    insertions: u32,
}

fn keys(args: &Enroll) -> anyhow::Result<Vec<Inserted>> {
    if args.attach.is_empty() {
        let serials = (args.serial..).take(args.count as usize);
        return serials
            .map(|serial| Ok(Inserted { key: SimKey::yubikey(args.firmware, serial)?, insertions: 1 }))
            .collect();
    }
    args.attach
        .iter()
        .map(|text| Ok(Inserted { key: SimKey::attached(text)?, insertions: args.count }))
        .collect()
}

fn order(args: &Enroll) -> anyhow::Result<Order> {
    let person = match &args.person {
        None => None,
        Some(text) => {
            let person = Named::parse(text).ok().and_then(|named| named.unasked());
            Some(person.with_context(|| format!("'{text}' is not of the form USER@REALM"))?)
        }
    };
    Ok(Order {
        station: "station-sim".to_owned(),
        port: PORT.to_owned(),
        actor: Actor::Operator(std::env::var("USER").unwrap_or_else(|_| "sim".to_owned())),
        profile_name: args.profile.clone(),
        profile: profile(&args.profile, args.profiles.as_deref())?,
        person,
        pin: None,
        random_pin: false,
        unlock: args.access_code_file.as_deref().map(access_code).transpose()?.map(Arc::new),
        key_pin: args.key_pin_file.as_deref().map(key_pin).transpose()?.map(Arc::new),
        server_name: args.server_name.clone(),
        overwrite_confirmed: args.overwrite,
        factory: args.factory,
        replace: args.replace.clone().map_or(Replace::Unnamed, Replace::Token),
        codes: Codes::default(),
        welcome: None,
    })
}

pub(crate) fn profile(name: &str, file: Option<&Path>) -> anyhow::Result<Profile> {
    #[derive(serde::Deserialize)]
    struct Profiles {
        #[serde(default)]
        profile: BTreeMap<String, Profile>,
    }
    let mut known = BTreeMap::from([
        ("hotp6".to_owned(), Profile::new(Kind::Hotp)),
        ("hotp8".to_owned(), Profile { digits: Digits::Eight, ..Profile::new(Kind::Hotp) }),
        ("totp6".to_owned(), Profile::new(Kind::Totp)),
        ("totp8".to_owned(), Profile { digits: Digits::Eight, ..Profile::new(Kind::Totp) }),
    ]);
    if let Some(file) = file {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let profiles: Profiles = toml::from_str(&text).with_context(|| format!("in {}", file.display()))?;
        known.extend(profiles.profile);
    }
    let names = known.keys().cloned().collect::<Vec<_>>().join(", ");
    known.remove(name).with_context(|| format!("there is no profile '{name}'; there are: {names}"))
}

fn access_code(file: &Path) -> anyhow::Result<AccessCode> {
    let text = Zeroizing::new(
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
    );
    let mut bytes = Zeroizing::new([0_u8; 6]);
    let digits = text.trim();
    if digits.len() != 12 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("{} does not hold 12 hexadecimal digits", file.display());
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair)?, 16)?;
    }
    Ok(AccessCode::new(bytes.as_slice())?)
}

/// The first line of a file.
fn key_pin(file: &Path) -> anyhow::Result<Pin> {
    let text = Zeroizing::new(
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
    );
    let line = Zeroizing::new(text.lines().next().unwrap_or_default().to_owned());
    Ok(Pin::new(line)?)
}

/// Ctrl-C and SIGTERM take the running enrollment back; a second one ends the program.
fn cancel_on_signals() -> Cancel {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        for times in 0.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if times > 0 {
                std::process::exit(130);
            }
            eprintln!("taking the enrollment back; once more to end at once");
            // Nobody listens any more when everything is over.
            let _ = sender.send(true);
        }
    });
    Cancel::on(receiver)
}
