//! A station with one key at one server, for the length of a case.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use enrolld::bench::Key;
use enrolld::clock::SystemClock;
use enrolld::drive::{Cancel, Report, Station};
use enrolld::event::{Event, What};
use enrolld::server::{PrivacyIdea, ServerPort};
use enrolld::store::Store;
use keys::device::Slot;
use privacyidea::transport::{Https, SpkiPin, Trust};
use privacyidea::{Client, Clock, Credentials, SecretString};
use station::enrollment::Order;
use station::record::Record;
use station::recovery::Settled;
use station::step::Phase;
use station::token::TokenSerial;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use twins::privacyidea::REALM;
use twins::yubikey::Faults;

use crate::Broken;
use crate::key::{Memory, TestKey};
use crate::observer::TokenSeen;
use crate::plan::{Before, Login, PORT, Plan, Route, Way};
use crate::site::Site;
use crate::wire::{Sent, Watched, WireLog};

/// The station's `User-Agent` here.
const USER_AGENT: &str = "enrolld/0 (contract)";

/// Every key of a run has a number of its own, so that cases do not meet at a shared server.
static NUMBERS: AtomicU32 = AtomicU32::new(20_000_001);

/// The world of a case.
pub(crate) struct Room {
    pub(crate) site: Site,
    pub(crate) key: TestKey,
    pub(crate) store: Store,
    server: Arc<dyn ServerPort>,
    way: Way,
    clock: SystemClock,
    log: WireLog,
    web: Vec<AbortHandle>,
    faults_in_writing: Option<Faults>,
}

/// What was seen of an enrollment.
pub(crate) struct Course {
    pub(crate) report: Report,
    pub(crate) sent: Vec<Sent>,
    /// The token when the key was to be touched for the first time, if anybody looked.
    pub(crate) unproven: Option<TokenSeen>,
}

/// Server and key at one moment.
pub(crate) struct Sight {
    pub(crate) tokens: BTreeMap<String, TokenSeen>,
    pub(crate) key: Memory,
}

impl Room {
    /// Makes key, station and whatever the server is to have before.
    pub(crate) async fn open(site: Site, plan: &Plan) -> Result<Self, Broken> {
        let key = TestKey::new(NUMBERS.fetch_add(1, Ordering::Relaxed), plan.key)?;
        let (log, mut web) = (WireLog::default(), Vec::new());
        let server = connect(&site, &plan.way, &log, &mut web).await?;
        let way = plan.way;
        let store = Store::in_memory()?;
        let (clock, faults_in_writing) = (SystemClock::new(), plan.key.faults_in_writing);
        let room = Self { site, key, store, server, way, clock, log, web, faults_in_writing };
        for (number, before) in plan.before.iter().enumerate() {
            let other = format!("OTHER{:08}_{number}", room.key.serial.number);
            let observer = &room.site.observer;
            match before {
                Before::Serial => observer.make(room.token(plan.profile.slot).as_str(), None, "").await?,
                Before::Owned(user) => observer.make(&other, Some(user), REALM).await?,
                Before::InRealm => observer.make(&other, None, REALM).await?,
            }
        }
        Ok(room)
    }

    /// The serial of the token that belongs to a slot of the key.
    pub(crate) fn token(&self, slot: Slot) -> TokenSerial {
        TokenSerial::of(self.key.serial, keys::device::Kind::Hotp, slot)
    }

    /// A number that no key has had.
    pub(crate) fn next_number(&self) -> u32 {
        NUMBERS.fetch_add(1, Ordering::Relaxed)
    }

    /// What is there now. The server must be free of faults.
    pub(crate) async fn look(&self) -> Result<Sight, Broken> {
        Ok(Sight { tokens: self.site.observer.tokens().await?, key: self.key.memory() })
    }

    /// Plugs the key in, lets the station enroll it, touches it when that is wanted, and pulls it out.
    /// With `spy`, the server is looked at before the first touch.
    pub(crate) async fn enroll(&mut self, order: Order, spy: bool) -> Result<Course, Broken> {
        let token = self.token(order.profile.slot);
        let (touches, mut wanted) = mpsc::unbounded_channel();
        let (sabotage, faults) = (self.key.saboteur(), self.faults_in_writing.take());
        let watcher = move |event: Event| match (event.what, faults) {
            (What::Entered(Phase::Writing), Some(faults)) => sabotage(faults),
            (What::TouchWanted { way, .. }, _) => {
                // Nobody touches any more when the enrollment is over.
                let _ = touches.send(way);
            }
            _ => {}
        };
        let station = Station {
            server: Arc::clone(&self.server),
            store: self.store.clone(),
            clock: self.clock,
            watcher: Arc::new(watcher),
        };
        let (plugged, finger) = self.key.plug(PORT);
        let mut bench = Key::start(plugged, self.clock);
        self.log.take();
        let enrollment = station.enroll(order, &mut bench, Cancel::never());
        let mut unproven = None;
        let mut spy = spy;
        let touching = async {
            while let Some(way) = wanted.recv().await {
                if std::mem::take(&mut spy) {
                    match self.site.observer.tokens().await {
                        Ok(mut tokens) => unproven = tokens.remove(token.as_str()),
                        Err(error) => return error,
                    }
                }
                if let Err(error) = finger.touch(way).await {
                    return Broken::from(format!("the key cannot be touched: {error:#}"));
                }
            }
            Broken::from("the enrollment ended without an outcome")
        };
        let report = tokio::select! {
            report = enrollment => report,
            error = touching => return Err(error),
        };
        drop(bench);
        self.key.pull()?;
        Ok(Course { report, sent: self.log.take(), unproven })
    }

    /// Starts the station anew, with the same journal and a new login.
    pub(crate) async fn restart(&mut self) -> Result<Vec<Settled>, Broken> {
        self.server = connect(&self.site, &self.way, &self.log, &mut self.web).await?;
        let station = Station {
            server: Arc::clone(&self.server),
            store: self.store.clone(),
            clock: self.clock,
            watcher: Arc::new(|_: Event| {}),
        };
        Ok(station.recover().await?)
    }

    /// The journal's newest record about a slot of the key.
    pub(crate) async fn record(&self, slot: Slot) -> Result<Option<Record>, Broken> {
        let records = self.store.recall(self.key.serial).await?;
        Ok(records.into_iter().rev().find(|record| record.slot == slot))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.web.iter().for_each(AbortHandle::abort);
    }
}

/// The station's way to the server, as its daemon makes it.
async fn connect(
    site: &Site,
    way: &Way,
    log: &WireLog,
    web: &mut Vec<AbortHandle>,
) -> Result<Arc<dyn ServerPort>, Broken> {
    let url = match way.route {
        Route::Good | Route::Pinned | Route::PinnedOther => site.url.clone(),
        Route::Certificate(variant) => site.with_certificate(variant).await?,
        // A port that was free a moment ago.
        Route::Nobody => format!("https://{}", TcpListener::bind("127.0.0.1:0").await?.local_addr()?),
        Route::WebServer => format!("http://{}", web_server(web).await?),
        Route::NoTls => format!("https://{}", web_server(web).await?),
    };
    let own_key = SpkiPin::of_certificate(&site.certificate).ok_or("the server's certificate has no key")?;
    let trust = match way.route {
        Route::Pinned => Trust::pins([own_key])?,
        Route::PinnedOther => Trust::pins([SpkiPin::parse(&"5a".repeat(32))?])?,
        _ => Trust::pem(&site.ca)?,
    };
    let clock = Arc::new(Shifted { real: privacyidea::SystemClock::new(), way: *way });
    let mut https = Https::builder(&url, trust, USER_AGENT).timeout(way.patience).clock(clock.clone());
    if way.route == Route::WebServer {
        https = https.allow_plain_http();
    }
    let credentials = match way.login {
        Login::Password(name, password) => Credentials::password(name, SecretString::copy_of(password)),
        Login::ApiKey(role) => Credentials::api_key(SecretString::new(site.api_key(role)?)),
    };
    let transport = Watched { inner: https.build()?, log: log.clone() };
    let mut client = Client::new(transport, credentials).with_clock(clock);
    if way.validate_key {
        client = client.with_validate_key(SecretString::new(site.api_key("validate")?));
    }
    Ok(Arc::new(PrivacyIdea::new(client)))
}

/// The machine's clocks, made wrong.
struct Shifted {
    real: privacyidea::SystemClock,
    way: Way,
}

impl Clock for Shifted {
    fn wall(&self) -> SystemTime {
        let by = Duration::from_secs(self.way.ahead.unsigned_abs());
        if self.way.ahead < 0 { self.real.wall() - by } else { self.real.wall() + by }
    }

    fn steady(&self) -> Duration {
        if self.way.timeless { Duration::ZERO } else { self.real.steady() }
    }
}

/// A web server that has a page for everything.
async fn web_server(running: &mut Vec<AbortHandle>) -> Result<std::net::SocketAddr, Broken> {
    const PAGE: &str = "<html><body><h1>It works!</h1></body></html>";
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{PAGE}",
                PAGE.len()
            );
            // A client that goes away early needs no page.
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    running.push(task.abort_handle());
    Ok(address)
}
