//! An SSH server that was taken over: a process with the SSH server's rights, and no SSH client at hand.

use control::types::{
    ConfigCommit, ConfigLoad, ConfigRollback, ConfigSet, ConfigShow, ConfigToSign, DoorKnows, OperatorAdd,
    OperatorSet, ServerLogIn,
};
use control::{Refusal, Secret};
use ssh_key::SshSig;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::*;

/// An API key that must not get away.
const KEY: &str = "aaaaaaaa.bbbbbbbb.cccccccc";

fn config(ada: &Person, port: u16) -> String {
    format!(
        "[station]\nname = \"desk-1\"\n[server]\nurl = \"http://127.0.0.1:{port}\"\n\
         insecure = \"send everything unencrypted, seeds and passwords included\"\napi-key = \"{KEY}\"\n{PROFILE}{}",
        ada.table("admin")
    )
}

fn set(path: &str, value: &str) -> ConfigSet {
    let path = path.to_owned();
    if path == "server.api-key" {
        let secret = Some(Secret::new(Zeroizing::new(value.to_owned())));
        return ConfigSet { path, secret, ..ConfigSet::default() };
    }
    ConfigSet { path, value: Some(value.to_owned()), ..ConfigSet::default() }
}

fn refused<T>(result: Result<T, CallError>) -> Refusal {
    match result.map(|_| ()).unwrap_err() {
        CallError::Refused(refusal) => *refusal,
        other => panic!("{other}"),
    }
}

fn signed(who: &Person, text: &str) -> Vec<String> {
    let signature = SshSig::sign(&who.key, "enrollment-station", HashAlg::Sha512, text.as_bytes()).unwrap();
    signature.to_pem(LineEnding::LF).unwrap().lines().map(str::to_owned).collect()
}

fn with(signature: &[String]) -> ConfigCommit {
    ConfigCommit { signature: Some(signature.to_vec()), ..ConfigCommit::default() }
}

async fn text(client: &Client) -> String {
    client.config_to_sign(&ConfigToSign::default()).await.unwrap().text
}

/// Counts who comes to this address.
async fn listener() -> (u16, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&count);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    (port, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_a_login_it_is_told_yes_or_no_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let [ada, eve] = ["ada", "eve"].map(Person::new);
    let station = Station::start(directory.path(), &config(&ada, 9)).await;
    let socket = station.control();
    // What docs/hardening.md says that it is told, word for word.
    let door =
        json!({ "station": "desk-1", "listen": ["[::]:22"], "idle_ms": 900_000, "post_quantum": false });
    let opened = json!({ "host_key": format!("SHA256:{}", "x".repeat(43)), "listen": "192.0.2.9:22" });
    let knows = json!({ "fingerprint": eve.fingerprint(), "address": "192.0.2.1" });
    let told = [
        (Method::Door, json!({}), door),
        (Method::DoorKnows, knows, json!({ "known": false })),
        (Method::DoorOpened, opened, json!({})),
    ];
    for (method, asked, answer) in &told {
        let answers = said(&socket, vec![call(*method, asked)]).await;
        assert_eq!(&answers[0]["parameters"], answer, "{}", method.name());
    }
    let fingerprint = ada.fingerprint();
    let (_, base64) = fingerprint.split_at("SHA256:".len());
    for method in Method::ALL.iter().copied().filter(|method| told.iter().all(|(other, ..)| other != method))
    {
        let answers = said(&socket, vec![call(method, &json!({}))]).await;
        let text = answers[0].to_string();
        let no = answers[0]["parameters"]["code"] == "E3011"
            || method == Method::LogIn && answers[0]["error"] == "org.varlink.service.InvalidParameter";
        assert!(no, "{}: {text}", method.name());
        for secret in ["\"ada\"", base64, KEY] {
            assert!(!text.contains(secret), "{}: {text}", method.name());
        }
    }
    // Beside it, what the interface is, which is everybody's.
    let info = json!({ "method": "org.varlink.service.GetInfo" }).to_string();
    assert_eq!(said(&socket, vec![info]).await[0]["parameters"]["product"], "enrolld");
    // What it says of itself is on the display and in the log: no more than a host key and an address.
    for (host_key, listen) in
        [("SHA256:", "192.0.2.9:22"), (fingerprint.as_str(), "come to 192.0.2.66"), ("", "")]
    {
        let opened = json!({ "host_key": host_key, "listen": listen });
        let answers = said(&socket, vec![call(Method::DoorOpened, &opened)]).await;
        assert_eq!(answers[0]["parameters"]["code"], "E3012", "{answers:?}");
    }
    let door = Client::local(&socket);
    for (who, known) in [(&ada, true), (&eve, false)] {
        let asked = DoorKnows { fingerprint: who.fingerprint(), address: "192.0.2.1".to_owned() };
        assert_eq!(door.door_knows(&asked).await.unwrap().known, known);
    }
    // A login is no place to put a megabyte.
    let LogIn { operator, address, .. } = ada.log_in("");
    let asked = json!({ "operator": operator, "address": address, "session": "s".repeat(129) });
    let answers = said(&socket, vec![call(Method::LogIn, &asked)]).await;
    assert_eq!(answers[0]["parameters"]["code"], "E3012", "{answers:?}");
    // It is counted, for the admins to see.
    let sessions = ada.enter(&station, "s").await.sessions().await.unwrap();
    assert_eq!((sessions.offered, sessions.unknown), (3, 2));
    station.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_moves_no_secret_and_nobodys_rights() {
    let directory = tempfile::tempdir().unwrap();
    let [ada, eve] = ["ada", "eve"].map(Person::new);
    let (home, _) = listener().await;
    let (away, came) = listener().await;
    let station = Station::start(directory.path(), &config(&ada, home)).await;
    // It saw somebody's fingerprint go by, or read it where people publish their keys.
    let thief = ada.enter(&station, "thief").await;
    let evil = format!("http://127.0.0.1:{away}");
    let whole = config(&ada, away);
    let attempts: Vec<(&str, Vec<ConfigSet>)> = vec![
        ("address", vec![set("server.url", &evil)]),
        (
            "trust",
            vec![
                set("server.url", &evil.replace("http:", "https:")),
                set("server.insecure", "accept any certificate, so that anybody in between gets the seeds"),
            ],
        ),
        ("key", vec![set("server.api-key", "x.y.z")]),
        ("no key", vec![ConfigSet { path: "server.api-key".to_owned(), ..ConfigSet::default() }]),
        ("rights", vec![set("operators.1.keys", &format!("[\"{}\"]", eve.line()))]),
        ("more keys", vec![set("operators.1.keys", &format!("[\"{}\", \"{}\"]", ada.line(), eve.line()))]),
        ("from", vec![set("operators.1.from", "[\"192.0.2.0/24\"]")]),
        ("readers", vec![set("hand-over.to", &format!("[\"{}\"]", eve.line()))]),
        // Nothing is encrypted here, so whoever leads packets elsewhere has what is in them.
        (
            "network",
            vec![
                set("network.address", "192.0.2.10/24"),
                set("network.gateway", "192.0.2.66"),
                set("network.dns", "[\"192.0.2.66\"]"),
            ],
        ),
        // Beside something that needs no proof.
        ("hidden", vec![set("shell.idle-minutes", "9"), set("server.url", &evil)]),
    ];
    for (what, sets) in &attempts {
        for one in sets {
            thief.config_set(one).await.unwrap();
        }
        for confirmed_minutes in [None, Some(1)] {
            let commit = ConfigCommit { confirmed_minutes, signature: None };
            let refusal = refused(thief.config_commit(&commit).await);
            assert_eq!(refusal.code, "E3021", "{what}: {refusal}");
            assert!(
                refusal.detail.contains("ssh-keygen -Y sign -f KEY -n enrollment-station change"),
                "{refusal}"
            );
        }
        thief.config_rollback(&ConfigRollback::default()).await.unwrap();
    }
    let lines = whole.lines().map(|line| Secret::new(Zeroizing::new(line.to_owned()))).collect();
    thief.config_load(&ConfigLoad { lines }).await.unwrap();
    assert_eq!(refused(thief.config_commit(&ConfigCommit::default()).await).code, "E3021");
    thief.config_rollback(&ConfigRollback::default()).await.unwrap();
    let add = OperatorAdd { name: "eve".to_owned(), keys: eve.line(), role: None, from: Vec::new() };
    thief.operator_add(&add).await.unwrap();
    assert_eq!(refused(thief.config_commit(&ConfigCommit::default()).await).code, "E3021");
    thief.config_rollback(&ConfigRollback::default()).await.unwrap();
    // That no proof is needed is not its to say.
    assert_eq!(refused(thief.config_set(&set("shell.signed-changes", "false")).await).code, "E3027");
    let lines = format!("{}[shell]\nsigned-changes = false\n", config(&ada, home));
    let lines = lines.lines().map(|line| Secret::new(Zeroizing::new(line.to_owned()))).collect();
    thief.config_load(&ConfigLoad { lines }).await.unwrap();
    assert_eq!(refused(thief.config_commit(&ConfigCommit::default()).await).code, "E3027");
    thief.config_rollback(&ConfigRollback::default()).await.unwrap();
    // What it makes up is no proof.
    thief.config_set(&set("server.url", &evil)).await.unwrap();
    let made_up = signed(&eve, &text(&thief).await);
    assert_eq!(refused(thief.config_commit(&with(&made_up)).await).code, "E3022");
    let password = Secret::new(Zeroizing::new("stolen".to_owned()));
    let login = ServerLogIn { user: "admin".to_owned(), realm: None, password };
    // It goes to the address in force, which answers nothing here.
    let _ = tokio::time::timeout(Duration::from_secs(1), thief.server_log_in(&login)).await;
    assert_eq!(
        came.load(std::sync::atomic::Ordering::SeqCst),
        0,
        "something was sent to the thief's address"
    );
    let shown = thief.config_show(&ConfigShow::default()).await.unwrap().text;
    assert!(!shown.contains(KEY) && shown.contains(&format!("127.0.0.1:{home}")), "{shown}");
    station.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_is_of_no_use_after_a_start_for_another_change_or_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let [ada, eve] = ["ada", "eve"].map(Person::new);
    let start = config(&ada, 9);
    let station = Station::start(&directory.path().join("1"), &start).await;
    let other = Station::start(&directory.path().join("2"), &start).await;
    let (door, there) = (ada.enter(&station, "door").await, ada.enter(&other, "door").await);
    let url = set("server.url", "http://new.example.org");
    let mallory = OperatorSet { name: "ada".to_owned(), keys: Some(eve.line()), ..OperatorSet::default() };

    door.config_set(&url).await.unwrap();
    let first = signed(&ada, &text(&door).await);
    // At another station, which has the same name, file and operators, and prints the same change.
    there.config_set(&url).await.unwrap();
    text(&there).await;
    assert_eq!(refused(there.config_commit(&with(&first)).await).code, "E3022");
    other.stop().await;
    // For another change.
    door.operator_set(&mallory).await.unwrap();
    text(&door).await;
    assert_eq!(refused(door.config_commit(&with(&first)).await).code, "E3022");
    door.config_rollback(&ConfigRollback::default()).await.unwrap();
    // It is good for what it was made for, and says who has signed.
    door.config_set(&url).await.unwrap();
    let committed = door.config_commit(&with(&first)).await.unwrap();
    let notes = committed.notes.unwrap();
    assert!(notes[0].contains("ada has signed"), "{notes:?}");
    assert!(notes[1].contains("API key is not sent to http://new.example.org"), "{notes:?}");
    // Once; taking it back needs a proof of its own.
    let back = |signature: Option<Vec<String>>| ConfigRollback { signature };
    assert_eq!(refused(door.config_rollback(&back(None)).await).code, "E3021");
    assert_eq!(refused(door.config_rollback(&back(Some(first.clone()))).await).code, "E3022");
    let wanted = door.config_to_sign(&ConfigToSign { rollback: true }).await.unwrap().text;
    let proof = signed(&ada, &wanted);
    door.config_rollback(&back(Some(proof.clone()))).await.unwrap();
    door.config_set(&url).await.unwrap();
    text(&door).await;
    for old in [&first, &proof] {
        assert_eq!(refused(door.config_commit(&with(old)).await).code, "E3022");
    }
    // After a start.
    let caught = signed(&ada, &text(&door).await);
    station.stop().await;
    let station = Station::start(&directory.path().join("1"), &start).await;
    let door = ada.enter(&station, "door").await;
    door.config_set(&url).await.unwrap();
    text(&door).await;
    assert_eq!(refused(door.config_commit(&with(&caught)).await).code, "E3022");
    station.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_change_than_the_one_asked_for_is_seen_in_the_text() {
    let directory = tempfile::tempdir().unwrap();
    let [ada, eve] = ["ada", "eve"].map(Person::new);
    let station = Station::start(directory.path(), &config(&ada, 9)).await;
    let door = ada.enter(&station, "door").await;
    // Ada asks for a longer idle time and another name for people; the SSH server slips itself in.
    door.config_set(&set("shell.idle-minutes", "20")).await.unwrap();
    door.config_set(&set("server.name", "\"Büro\u{200b}\u{202e}\"")).await.unwrap();
    let honest = text(&door).await;
    let add = OperatorAdd {
        name: "eve".to_owned(),
        keys: eve.line(),
        role: Some(control::Role::Admin),
        from: Vec::new(),
    };
    door.operator_add(&add).await.unwrap();
    let slipped = text(&door).await;
    for text in [&honest, &slipped] {
        assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{text}");
        assert!(text.contains("shell.idle-minutes\n  old: (nothing)\n  new: 20\n"), "{text}");
    }
    assert!(!honest.contains("operators"), "{honest}");
    assert!(slipped.contains("operators.eve.role\n  old: (nothing)\n  new: admin\n"), "{slipped}");
    assert!(
        slipped.contains(&format!("operators.eve.keys\n  old: (nothing)\n  new: {}\n", eve.fingerprint()))
    );
    // Whoever signs the honest text has not signed the other.
    assert_eq!(refused(door.config_commit(&with(&signed(&ada, &honest))).await).code, "E3022");
    station.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ssh_keygen_signs_what_the_station_prints() {
    let directory = tempfile::tempdir().unwrap();
    let ada = Person::new("ada");
    let key = ada.file(directory.path());
    let station = Station::start(directory.path(), &config(&ada, 9)).await;
    let door = ada.enter(&station, "door").await;
    for (number, windows) in [(1, false), (2, true)] {
        door.config_set(&set("server.url", &format!("http://{number}.example.org"))).await.unwrap();
        let text = text(&door).await;
        let text = if windows { text.replace('\n', "\r\n") } else { text };
        let bytes: Vec<u8> = match windows {
            false => text.into_bytes(),
            true => [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
        };
        let file = directory.path().join(format!("change{number}"));
        std::fs::write(&file, bytes).unwrap();
        let mut sign = std::process::Command::new("ssh-keygen");
        sign.args(["-Y", "sign", "-n", "enrollment-station", "-f"]).arg(&key).arg(&file);
        assert!(sign.output().unwrap().status.success());
        let signature = std::fs::read_to_string(file.with_extension("sig")).unwrap();
        let lines: Vec<String> = signature.lines().map(str::to_owned).collect();
        door.config_commit(&with(&lines)).await.unwrap();
    }
    station.stop().await;
}
