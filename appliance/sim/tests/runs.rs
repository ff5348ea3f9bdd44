//! Many keys at once: runs, modes, receipts; and the real program killed in the middle of a run.
#![cfg(test)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dispatch::scheduler::{Doing, EnrollRequest, KeyRequest, SchedulerEvent, Secrets, Selector};
use journal::Journal;
use journal::receipts::{check, entries};
use keys::device::{Kind, Slot};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sim::explore::world::{Beginning, World};
use sim::explore::{check as check_world, flows};
use sim::key::SimKey;
use station::engine::enrollment::{Ending, Order};
use station::engine::mode::{Mode, Wait};
use station::engine::record::State;
use station::engine::run::{Assignment, RunPlan, RunState, Target};
use station::profile::{Overwrite, Profile};
use station::refusal::Code;
use twins::line::{Listener, Pace, Server as LineServer};
use twins::privacyidea::{ADMIN, Fault, Request};
use twins::yubikey::{Model, YubiKeyTwin};

#[path = "runs/room.rs"]
mod room;

use room::{FIRMWARE, Room, Site, operator, plan, refused, settings};

#[tokio::test]
async fn an_armed_station_enrolls_what_comes_and_never_overwrites() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let profile = Profile { overwrite: Overwrite::Confirmed, ..Profile::new(Kind::Hotp) };
    let mut room = Room::new(Some(site.port()), settings(Mode::Armed, profile), state.path());
    let fresh = SimKey::yubikey(FIRMWARE, 101).unwrap();
    room.plug(&fresh, "1-1.1").await;
    assert!(matches!(room.over("1-1.1").await, Doing::Done(_)));

    let mut foreign = YubiKeyTwin::new(Model::new(FIRMWARE, 102).unwrap(), 1);
    foreign.occupy(Slot(1), None);
    let product = foreign.product_id().unwrap();
    let foreign = SimKey::of("foreign".to_owned(), product, Box::new(foreign));
    room.plug(&foreign, "1-1.2").await;
    assert_eq!(refused(&room.over("1-1.2").await), Some(Code::SlotOccupied));
    room.pull(&foreign, "1-1.2").await;

    // An operator confirms it for a run.
    let confirmed = RunPlan { overwrite_confirmed: true, ..plan("old keys", Target::Count(1)) };
    room.scheduler.run_start(confirmed, Secrets::default(), operator()).await.unwrap();
    room.plug(&foreign, "1-1.2").await;
    assert!(matches!(room.over("1-1.2").await, Doing::Done(_)));
    assert_eq!(site.counting(), ["UBOM00000101_1", "UBOM00000102_1"]);
    let run = room.scheduler.snapshot().await.unwrap().run.unwrap();
    assert_eq!((run.state, run.progress.done), (RunState::Finished, 1));
    room.scheduler.shutdown().await;
    assert_eq!(check(&state.path().join("receipts"), None).unwrap().receipts, 3);
}

/// Lets the server put a PIN that nobody is told on what is made in a realm.
fn hide_pins(site: &Site, realm: &str) {
    let mut twin = site.twin.lock().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let login = serde_json::json!({"username": ADMIN.0, "password": ADMIN.1});
    let answer = twin.handle(&Request::new("POST", "/auth").json(&login), now).json().unwrap();
    let jwt = answer["result"]["value"]["token"].as_str().unwrap().to_owned();
    let policy = serde_json::json!({
        "scope": "enrollment", "action": "otp_pin_random=8", "realm": realm, "active": true,
    });
    let request = Request::new("POST", "/policy/hidden-pins").json(&policy).token(&jwt);
    assert_eq!(twin.handle(&request, now).status, 200);
}

#[tokio::test]
async fn lines_whose_pin_nobody_would_know_are_set_aside_and_their_key_serves_the_next() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    site.twin.lock().unwrap().settle("lab", &["eve", "kim"].map(str::to_owned));
    hide_pins(&site, "lab");
    let mut room =
        Room::new(Some(site.port()), settings(Mode::Attended, Profile::new(Kind::Hotp)), state.path());
    let line = |(user, realm): (&str, &str)| Assignment {
        person: Some((user.to_owned(), realm.to_owned())),
        ..Assignment::default()
    };
    let people = [("eve", "lab"), ("kim", "lab"), ("alice", "office"), ("bob", "office")];
    let list = plan("list", Target::List(people.map(line).to_vec()));
    room.scheduler.run_start(list, Secrets::default(), operator()).await.unwrap();
    for serial in [105, 106] {
        let key = SimKey::yubikey(FIRMWARE, serial).unwrap();
        room.plug(&key, "1-1.1").await;
        assert!(matches!(room.over("1-1.1").await, Doing::Done(_)));
        room.pull(&key, "1-1.1").await;
    }
    let run = room.scheduler.snapshot().await.unwrap().run.unwrap();
    let aside: Vec<_> = run.aside.iter().map(|(line, aside)| (*line, aside.code)).collect();
    assert_eq!(aside, [(0, Some(Code::RandomPin)), (1, Some(Code::RandomPin))]);
    assert_eq!((run.state, run.progress.done), (RunState::Finished, 2));
    assert_eq!((site.owner("UBOM00000105_1"), site.owner("UBOM00000106_1")), ("alice".into(), "bob".into()));
    room.scheduler.shutdown().await;
}

#[tokio::test]
async fn a_locked_station_waits_for_its_credential_and_then_for_an_operator() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let mut room = Room::new(None, settings(Mode::Locked, Profile::new(Kind::Hotp)), state.path());
    let key = SimKey::yubikey(FIRMWARE, 103).unwrap();
    room.plug(&key, "1-1.1").await;
    room.until("1-1.1", |doing| *doing == Doing::Waiting(Wait::Locked)).await;
    let request = || EnrollRequest {
        profile: None,
        person: None,
        key: Selector::Port("1".to_owned()),
        overwrite_confirmed: false,
        factory: false,
        replace: None,
        secrets: Secrets::default(),
        by: operator(),
        detached: false,
        within: None,
    };
    assert_eq!(room.scheduler.enroll(request()).await.err().unwrap().code, Code::Locked);
    room.scheduler.set_server(Some(site.port())).await;
    room.until("1-1.1", |doing| *doing == Doing::Waiting(Wait::Operator)).await;
    let ticket = room.scheduler.enroll(request()).await.unwrap();
    assert!(matches!(room.over("1-1.1").await, Doing::Done(_)));
    let report = ticket.report.await.unwrap().unwrap();
    assert!(matches!(report.outcome.ending, Ending::Enrolled(_)));

    let key_request = || KeyRequest {
        key: Selector::Next,
        slot: None,
        secrets: Secrets::default(),
        by: operator(),
        within: None,
    };
    let scheduler = room.scheduler.clone();
    let verified = tokio::spawn(async move { scheduler.verify(key_request()).await });
    room.until("1-1.1", |doing| matches!(doing, Doing::Verified(Ok(())))).await;
    assert!(verified.await.unwrap().unwrap().result.unwrap().counts);
    let released = room.scheduler.release(key_request()).await.unwrap();
    assert_eq!(released.outcome.ending, Ending::Released);
    assert_eq!(site.tokens(), 0);
    room.scheduler.shutdown().await;
    assert_eq!(check(&state.path().join("receipts"), None).unwrap().receipts, 2);
}

#[tokio::test]
async fn who_asks_about_a_key_that_is_still_being_looked_at_waits_for_it() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let settings = settings(Mode::Attended, Profile::new(Kind::Hotp));
    let mut room = Room::new(Some(site.port()), settings, state.path());
    room.plug(&SimKey::yubikey(FIRMWARE, 104).unwrap(), "1-1.1").await;
    assert!(matches!(room.events.recv().await.unwrap(), SchedulerEvent::Arrived { .. }));
    let key = Selector::Serial("104".to_owned());
    let key_request =
        KeyRequest { key, slot: None, secrets: Secrets::default(), by: operator(), within: None };
    assert!(room.scheduler.check(key_request, "desk".to_owned()).await.is_ok());
}

#[tokio::test]
async fn a_key_of_a_list_that_waits_for_the_server_keeps_its_person() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let settings = settings(Mode::Attended, Profile::new(Kind::Hotp));
    let mut room = Room::new(Some(site.port()), settings, state.path());
    let mut away = Fault::new("/token/assign", twins::privacyidea::Mode::Status);
    away.shots = 100;
    site.twin.lock().unwrap().fault_add(away);
    let people = ["alice", "bob"].map(|user| Assignment {
        key: None,
        person: Some((user.to_owned(), "office".to_owned())),
        random_pin: false,
    });
    let list = plan("people", Target::List(people.to_vec()));
    room.scheduler.run_start(list, Secrets::default(), operator()).await.unwrap();
    let (first, second) = (SimKey::yubikey(FIRMWARE, 105).unwrap(), SimKey::yubikey(FIRMWARE, 106).unwrap());
    room.plug(&first, "1-1.1").await;
    let postponed = room.over("1-1.1").await;
    assert!(matches!(postponed, Doing::Refused { ending: "postponed", .. }), "{postponed:?}");
    room.pull(&first, "1-1.1").await;
    site.twin.lock().unwrap().fault_clear();
    // Inserted again before the station comes back to it by itself.
    room.plug(&first, "1-1.2").await;
    room.over("1-1.2").await;
    room.plug(&second, "1-1.3").await;
    assert!(matches!(room.over("1-1.3").await, Doing::Done(_)));
    let run = room.scheduler.snapshot().await.unwrap().run.unwrap();
    assert_eq!((run.state, run.progress.done, run.progress.in_work), (RunState::Finished, 2, 0));
    assert_eq!([site.owner("UBOM00000105_1"), site.owner("UBOM00000106_1")], ["alice", "bob"]);
    room.scheduler.shutdown().await;
}

#[tokio::test]
async fn a_key_that_is_in_two_ports_is_one_key() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let mut room =
        Room::new(Some(site.port()), settings(Mode::Armed, Profile::new(Kind::Hotp)), state.path());
    // Moved while it is written: the first port has not noticed yet when the second has it.
    let key = SimKey::yubikey(FIRMWARE, 104).unwrap().with_report_time(Duration::from_millis(1));
    room.plug(&key, "1-1.1").await;
    room.until("1-1.1", |doing| matches!(doing, Doing::Working { .. })).await;
    let again = SimKey::yubikey(FIRMWARE, 104).unwrap();
    room.plug(&again, "1-1.2").await;
    room.until("1-1.2", |doing| *doing == Doing::SameKey).await;
    assert!(matches!(room.over("1-1.1").await, Doing::Done(_)));
    assert_eq!(refused(&room.over("1-1.2").await), Some(Code::SomebodysKey));
    assert_eq!(site.counting(), ["UBOM00000104_1"]);
    room.scheduler.shutdown().await;
}

#[tokio::test]
async fn a_run_goes_on_after_a_restart_and_knows_what_it_has() {
    let (site, state) = (Site::new().await, tempfile::tempdir().unwrap());
    let attended = || settings(Mode::Attended, Profile::new(Kind::Hotp));
    let keys: Vec<_> = (0..3).map(|number| SimKey::yubikey(FIRMWARE, 110 + number).unwrap()).collect();
    let mut room = Room::new(Some(site.port()), attended(), state.path());
    let id = room
        .scheduler
        .run_start(plan("drawer", Target::Count(2)), Secrets::default(), operator())
        .await
        .unwrap();
    let twice =
        room.scheduler.run_start(plan("other", Target::Endless), Secrets::default(), operator()).await;
    assert_eq!(twice.err().unwrap().code, Code::RunInTheWay);
    room.plug(&keys[0], "1-1.1").await;
    assert!(matches!(room.over("1-1.1").await, Doing::Done(_)));
    room.scheduler.shutdown().await;
    drop(room);

    let mut room = Room::new(Some(site.port()), attended(), state.path());
    let run = room.scheduler.snapshot().await.unwrap().run.unwrap();
    assert_eq!(
        (run.id, run.state, run.progress.done, run.progress.to_go),
        (id, RunState::Running, 1, Some(1))
    );
    room.plug(&keys[0], "1-1.1").await;
    assert_eq!(refused(&room.over("1-1.1").await), Some(Code::AlreadyEnrolled));
    room.scheduler.run_pause().await.unwrap();
    room.plug(&keys[1], "1-1.2").await;
    room.until("1-1.2", |doing| *doing == Doing::Waiting(Wait::Operator)).await;
    room.scheduler.run_resume(id, Secrets::default()).await.unwrap();
    assert!(matches!(room.over("1-1.2").await, Doing::Done(_)));
    assert_eq!(room.scheduler.runs().await.unwrap()[0].state, RunState::Finished);
    // A run that has its keys takes no more.
    room.plug(&keys[2], "1-1.3").await;
    room.until("1-1.3", |doing| *doing == Doing::Waiting(Wait::Operator)).await;
    assert_eq!(site.counting().len(), 2);
    room.scheduler.shutdown().await;
}

/// A small file system of its own, taken away at the end; `None` where we may not mount one.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(directory.path())
            .output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(directory))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_before_a_key_or_the_server_is_touched() {
    let Some(disk) = Mounted::new() else { return };
    let site = Site::new().await;
    let mut room =
        Room::new(Some(site.port()), settings(Mode::Armed, Profile::new(Kind::Hotp)), disk.0.path());
    let elsewhere = tempfile::tempdir().unwrap();
    let twin = Twin::new(elsewhere.path(), 130);
    let untouched = twin.server.with(|twin| twin.save());
    let key = SimKey::attached(&format!("yubikey@{}", twin.path.display())).unwrap();
    // Somebody else fills the disk.
    let other = disk.0.path().join("other");
    std::fs::write(&other, vec![0; 8 << 20]).unwrap_err();
    room.plug(&key, "1-1.1").await;
    assert_eq!(refused(&room.over("1-1.1").await), Some(Code::ReceiptsFailed));
    room.pull(&key, "1-1.1").await;
    assert!(twin.server.with(|twin| twin.save() == untouched) && site.tokens() == 0);
    // With room again, the same station goes on.
    std::fs::remove_file(&other).unwrap();
    room.plug(&key, "1-1.1").await;
    let done = room.over("1-1.1").await;
    assert!(matches!(done, Doing::Done(_)), "{done:?}");
    room.scheduler.shutdown().await;
}

#[test]
fn a_key_pulled_at_any_report_is_enrolled_at_its_next_insertion_without_an_operator() {
    let mut endings = BTreeMap::<_, u32>::new();
    for report in 0.. {
        let mut world = World::new(&Beginning::default()).unwrap();
        flows::pull_out_after(&mut world, report);
        let ending = world.insert(0, flows::order()).unwrap().ending;
        check_world::always(&world).unwrap();
        *endings.entry(ending.word()).or_default() += 1;
        if matches!(ending, Ending::Enrolled(_)) {
            break;
        }
        // It is inserted again, every other time into another port, and stays.
        flows::pull_out_after(&mut world, u32::MAX);
        world.replug(0);
        let port = if report % 2 == 0 { "1-1.2" } else { "2-1.4" };
        let again = world.insert(0, Order { port: port.to_owned(), ..flows::order() }).unwrap();
        assert!(flows::is_enrolled(&again), "pulled after report {report} ({}): {again:?}", ending.word());
        check_world::settled(&world).unwrap();
    }
    println!("{endings:?}");
    // Refused while nothing was written; from the first byte on, quarantined or undone.
    assert!(endings.contains_key("refused") && endings.contains_key("quarantined"), "{endings:?}");
    assert!(!endings.contains_key("postponed"), "{endings:?}");
}

/// A key twin that outlives the program it is enrolled by.
struct Twin {
    server: LineServer<YubiKeyTwin>,
    path: PathBuf,
    serial: u32,
}

impl Twin {
    fn new(directory: &Path, serial: u32) -> Self {
        let twin = YubiKeyTwin::new(Model::new(FIRMWARE, serial).unwrap(), serial.into());
        let server = LineServer::new(twin, Pace::Manual);
        let path = directory.join(format!("{serial}.sock"));
        let listener = Listener::bind(&path).unwrap();
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(&listener).await });
        Self { server, path, serial }
    }

    /// Whether it answers for its token.
    fn holds(&self, secret: &[u8]) -> bool {
        self.server.with(|twin| twin.slot_holds(Slot(1), secret))
    }
}

/// The real program, with keys and server that outlive it.
fn program(site: &Site, twins: &[Twin], state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_station-sim"));
    command.args(["run", "--keys", "0", "--json", "--ports", "3", "--again", "3", "--name", "drawer"]);
    command.arg("--state").arg(state).args(["--allow-plain-http", "--user", ADMIN.0]);
    command.arg("--server").arg(format!("http://{}", site.front.address()));
    command.arg("--password-file").arg(state.join("password"));
    for twin in twins {
        command.arg("--attach").arg(format!("yubikey@{}", twin.path.display()));
    }
    // A file takes more than a pipe that nobody reads.
    let errors = std::fs::File::create(state.join("errors")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
    command
}

/// What must hold whenever the program is not there: no token counts without its key.
fn no_token_counts_without_its_key(site: &Site, twins: &[Twin]) {
    let server = site.twin.lock().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let of = |serial: &str| twins.iter().find(|twin| serial == format!("UBOM{:08}_1", twin.serial));
    for token in server.tokens() {
        // Those of earlier keys were looked at when these were there.
        let Some(twin) = of(&token.serial) else { continue };
        if !server.counts(&token.serial, now) || token.count == 0 {
            // One that no code was ever checked against was made a moment ago, and
            // recovery deletes it before anything else is done with its key.
            continue;
        }
        let secret = token.secret_for_tests();
        assert!(twin.holds(&secret), "{} counts (counter {}) without its key", token.serial, token.count);
    }
}

/// What must hold when a run is through: it counts each key once, and each finished
/// enrollment has exactly one receipt.
fn books_are_right(state: &Path, keys: usize) {
    let journal = Journal::open(&state.join("journal.db")).unwrap();
    let stored = journal.runs().unwrap().pop().unwrap();
    let (run, _) = stored.restored(|key| journal.recall(key).unwrap());
    let progress = run.progress();
    assert_eq!((progress.done as usize, progress.in_work), (keys, 0), "{progress:?}");
    assert!(journal.unfinished().unwrap().is_empty() && journal.owed(None).unwrap().is_empty());
    let receipts = state.join("receipts");
    check(&receipts, None).unwrap();
    let mut enrolled = BTreeMap::<_, u32>::new();
    for entry in entries(&receipts).unwrap() {
        let receipt = entry.unwrap().receipt;
        if receipt.outcome == "enrolled" {
            *enrolled.entry(receipt.enrollment).or_default() += 1;
        }
    }
    let done = journal.all().unwrap().into_iter().filter(|record| record.state == State::Done);
    let expected: BTreeMap<_, _> = done.map(|record| (record.enrollment.to_string(), 1)).collect();
    assert_eq!(expected.len(), keys);
    assert_eq!(enrolled, expected);
}

async fn waited(mut child: Child) -> std::process::ExitStatus {
    tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_instant_the_run_goes_on_and_nothing_is_lost() {
    let kills = std::env::var("KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12_u32);
    let mut rng = StdRng::seed_from_u64(3);
    let site = Site::new().await;
    let mut killed = 0;
    let mut batch = 0;
    while killed < kills {
        batch += 1;
        let state = tempfile::tempdir().unwrap();
        std::fs::write(state.path().join("password"), ADMIN.1).unwrap();
        let twins: Vec<_> = (0..6).map(|number| Twin::new(state.path(), batch * 100 + number)).collect();
        // Each batch is killed again and again until it is through.
        let mut status = None;
        for attempt in 0..40 {
            let mut child = program(&site, &twins, state.path()).spawn().unwrap();
            let out = BufReader::new(child.stdout.take().unwrap());
            // Longer and longer, so that a busy machine comes to the end of a run, too.
            let pause = Duration::from_millis(rng.random_range(40..700 + 100 * attempt));
            let lines =
                tokio::task::spawn_blocking(move || out.lines().map_while(Result::ok).collect::<Vec<_>>());
            if killed < kills
                && tokio::time::timeout(pause, std::future::pending::<()>()).await.is_err()
                && child.try_wait().unwrap().is_none()
            {
                child.kill().unwrap();
                waited(child).await;
                lines.await.unwrap();
                killed += 1;
                no_token_counts_without_its_key(&site, &twins);
                continue;
            }
            let ended = waited(child).await;
            let text = std::fs::read_to_string(state.path().join("errors")).unwrap();
            assert!(ended.success(), "{ended}: {:?}\n{text}", lines.await.unwrap());
            status = Some(ended);
            break;
        }
        assert!(status.is_some(), "the run does not come to its end");
        no_token_counts_without_its_key(&site, &twins);
        let counting = site.counting();
        for twin in &twins {
            let serial = format!("UBOM{:08}_1", twin.serial);
            assert!(counting.contains(&serial), "{serial} is not enrolled");
            let secret = site.twin.lock().unwrap().token(&serial).unwrap().secret_for_tests();
            assert!(twin.holds(&secret), "{serial} counts, and its key has another secret");
        }
        books_are_right(state.path(), twins.len());
    }
    println!("{killed} kills in {batch} runs");
    assert_eq!(site.tokens(), site.counting().len(), "a token is left over");
}
