//! A station with one key at one server, for the length of a case.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use dispatch::clock::SystemClock;
use dispatch::driver::{Cancel, Report, Station};
use dispatch::event::{Event, What};
use dispatch::key_thread::Key;
use dispatch::phone::Terminal;
use dispatch::server::{PrivacyIdea, ServerPort};
use dispatch::store::{HandOverPort, Store};
use keys::device::{Answer, Kind, Operation, ProofWay, Slot, Unlock};
use privacyidea::transport::{Https, SpkiPin, Trust};
use privacyidea::{Client, Clock, Credentials, SecretString};
use station::engine::check::Forecast;
use station::engine::enrollment::Order;
use station::engine::key_order::KeyOrder;
use station::engine::phone::PhoneOutcome;
use station::engine::record::Record;
use station::engine::recovery::Settled;
use station::engine::step::{HandOver, Phase};
use station::engine::verify::Verified;
use station::refusal::Code;
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
    /// What is put into the key.
    pub(crate) kind: Kind,
    handed_over: HandedOver,
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
        let handed_over = HandedOver::default();
        let store = Store::in_memory()?.with_hand_over(Arc::new(handed_over.clone()));
        let (clock, faults_in_writing) = (SystemClock::new(), plan.key.faults_in_writing);
        let kind = plan.profile.kind;
        let room =
            Self { site, key, store, server, way, clock, log, web, faults_in_writing, kind, handed_over };
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
        TokenSerial::of(self.key.serial, self.kind, slot)
    }

    /// The access codes that were handed over so far.
    pub(crate) fn handed_over(&self) -> Vec<[u8; 6]> {
        self.handed_over.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
            (What::KeyWaits { waiting: true }, _) => {
                // As above.
                let _ = touches.send(ProofWay::Returned { touch: true });
            }
            _ => {}
        };
        let station = self.station(watcher);
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

    /// Lets the station take back what it enrolled on the key.
    pub(crate) async fn release(&mut self, key_order: KeyOrder) -> Result<Report, Broken> {
        let station = self.station(|_| {});
        let (plugged, _finger) = self.key.plug(PORT);
        let mut bench = Key::start(plugged, self.clock);
        let report = station.release(key_order, &mut bench, Cancel::never()).await;
        drop(bench);
        self.key.pull()?;
        Ok(report)
    }

    /// Lets the station ask whether the key still answers; it is touched when that is wanted.
    pub(crate) async fn verify(&mut self, key_order: KeyOrder) -> Result<Verified, Broken> {
        let (touches, mut wanted) = mpsc::unbounded_channel();
        let station = self.station(move |event: Event| {
            if let What::TouchWanted { way, .. } = event.what {
                // Nobody touches any more when the verification is over.
                let _ = touches.send(way);
            }
        });
        let (plugged, finger) = self.key.plug(PORT);
        let mut bench = Key::start(plugged, self.clock);
        self.log.take();
        let touching = async {
            while let Some(way) = wanted.recv().await {
                if let Err(error) = finger.touch(way).await {
                    return Broken::from(format!("the key cannot be touched: {error:#}"));
                }
            }
            Broken::from("the verification ended without an outcome")
        };
        let verified = tokio::select! {
            verified = station.verify(key_order, &mut bench, Cancel::never()) => verified,
            error = touching => return Err(error),
        };
        drop(bench);
        self.key.pull()?;
        Ok(verified)
    }

    /// Lets the station exchange the slots (no slot named), or empty one.
    pub(crate) async fn handle(&mut self, key_order: KeyOrder) -> Result<Option<Code>, Broken> {
        let station = self.station(|_| {});
        let (plugged, _finger) = self.key.plug(PORT);
        let mut bench = Key::start(plugged, self.clock);
        let handled = match key_order.slot {
            None => station.swap(key_order, &mut bench).await,
            Some(_) => station.wipe(key_order, &mut bench).await,
        };
        drop(bench);
        self.key.pull()?;
        Ok(handled.result.err().map(|refusal| refusal.code))
    }

    /// Lets the station enroll a phone.
    pub(crate) async fn enroll_phone(
        &self,
        order: Order,
        service: &mut dyn Terminal,
        cancel: Cancel,
    ) -> PhoneOutcome {
        self.station(|_| {}).enroll_phone(order, Duration::from_secs(60), service, cancel).await
    }

    /// What an enrollment would come to.
    pub(crate) async fn check(&mut self, order: Order) -> Result<(Forecast, Vec<Sent>), Broken> {
        let station = self.station(|_| {});
        let (plugged, _finger) = self.key.plug(PORT);
        let mut bench = Key::start(plugged, self.clock);
        self.log.take();
        let forecast = station.check(order, &mut bench, Cancel::never()).await;
        drop(bench);
        self.key.pull()?;
        Ok((forecast, self.log.take()))
    }

    /// What a challenge-response slot makes of a time step on somebody's own computer.
    pub(crate) async fn answer(&self, plan: &Plan, step: u64) -> Result<String, Broken> {
        let (plugged, finger) = self.key.plug("elsewhere");
        let mut bench = Key::start(plugged, self.clock);
        let (touches, mut wanted) = mpsc::unbounded_channel();
        let waiting = move |waiting| {
            // Nobody touches any more when the answer has come.
            let _ = waiting && touches.send(()).is_ok();
        };
        let ask = Operation::AskCode {
            slot: plan.profile.slot,
            kind: Kind::Totp,
            challenge: step.to_be_bytes().to_vec(),
            digits: plan.profile.digits,
            label: String::new(),
            unlock: Unlock::None,
        };
        let touching = async {
            while wanted.recv().await.is_some() {
                if finger.touch(ProofWay::TypedShort).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        let answer = tokio::select! {
            answer = bench.operate(ask, waiting) => answer,
            () = touching => return Err("nobody touches the key".into()),
        };
        drop(bench);
        self.key.pull()?;
        match answer {
            Ok(Answer::Code(code)) => Ok(code.expose().to_owned()),
            other => Err(format!("the key gives no code: {other:?}").into()),
        }
    }

    /// The station as it is now, watched.
    fn station(&self, watcher: impl Fn(Event) + Send + Sync + 'static) -> Station {
        Station {
            server: Arc::clone(&self.server),
            store: self.store.clone(),
            clock: self.clock,
            watcher: Arc::new(watcher),
        }
    }

    /// Starts the station anew, with the same journal and a new login.
    pub(crate) async fn restart(&mut self) -> Result<Vec<Settled>, Broken> {
        self.server = connect(&self.site, &self.way, &self.log, &mut self.web).await?;
        Ok(self.station(|_| {}).recover().await?)
    }

    /// The journal's newest record about a slot of the key.
    pub(crate) async fn record(&self, slot: Slot) -> Result<Option<Record>, Broken> {
        let records = self.store.recall(self.key.serial).await?;
        Ok(records.into_iter().rev().find(|record| record.slot == slot && !record.token.is_trial()))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.web.iter().for_each(AbortHandle::abort);
    }
}

/// The hand-over file: the access codes that were put into it.
#[derive(Clone, Default)]
struct HandedOver(Arc<Mutex<Vec<[u8; 6]>>>);

impl HandOverPort for HandedOver {
    fn hand_over(&self, what: HandOver) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.extend(what.access_code.map(|code| *code.expose()));
        Box::pin(std::future::ready(Ok(())))
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
    Ok(Arc::new(PrivacyIdea::new(client).with_lag(way.lag)))
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
