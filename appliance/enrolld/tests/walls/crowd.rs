//! A crowd: every place taken, streams everywhere, silent connections without end. An admin logs in all the same, as
//! quickly as before but for the machine's load, and ends them.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpSocket;
use tokio::process::{Child, Command};

use super::door::Door;
use super::*;

/// A session that has begun to be told something.
async fn begun(mut session: Command) -> Child {
    let mut child = session.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap();
    if line.is_none() {
        let output = child.wait_with_output().await.unwrap();
        panic!("a session came to nothing: {}", String::from_utf8_lossy(&output.stderr));
    }
    // What it is told meanwhile is read, as a terminal would.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    child
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_gets_in_and_ends_them() {
    let directory = tempfile::tempdir().unwrap();
    let [vera, otto, ada] = ["vera", "otto", "ada"].map(Person::new);
    let config = format!("{PROFILE}{}{}{}", vera.table("viewer"), otto.table("operator"), ada.table("admin"));
    let station = Station::start(directory.path(), &config).await;
    let door = Door::open(&station).await;
    let [vera, otto, ada] = [&vera, &otto, &ada].map(|person| person.file(directory.path()));
    let log_in = async || {
        let begun = Instant::now();
        let output = door.ssh(&ada, "127.0.0.1", &["sessions", "--json"]).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (begun.elapsed(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    let mut undisturbed: Vec<Duration> = Vec::new();
    for _ in 0..3 {
        undisturbed.push(log_in().await.0);
    }
    undisturbed.sort();

    // 28 that watch events or the display, four at a prompt.
    let mut crowd = Vec::new();
    for n in 0..32 {
        let command: &[&str] = match n {
            0..16 => &["watch", "--json"],
            16..28 => &["panel", "--follow", "--json"],
            _ => &[],
        };
        let (key, from) = if n < 16 { (&vera, "127.0.0.2") } else { (&otto, "127.0.0.3") };
        let mut session = door.ssh(key, from, command);
        if command.is_empty() {
            session = door.prompt(key, from);
        }
        crowd.push(begun(session).await);
    }
    // No more for them, and that is said.
    let refused = door.ssh(&vera, "127.0.0.2", &["status"]).output().await.unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("E3025"), "{said}");

    // 500 silent connections, renewed as the SSH server drops them.
    let goes_on = Arc::new(AtomicBool::new(true));
    let silent: Vec<_> = (0..500_u16)
        .map(|n| {
            let (goes_on, address) = (Arc::clone(&goes_on), door.address);
            tokio::spawn(async move {
                let from: SocketAddr = format!("127.1.{}.{}:0", n / 250, n % 250 + 1).parse().unwrap();
                let mut byte = [0; 1];
                while goes_on.load(Ordering::Relaxed) {
                    let socket = TcpSocket::new_v4().unwrap();
                    socket.bind(from).unwrap();
                    if let Ok(mut stream) = socket.connect(address).await {
                        // The SSH server's version, and then nothing until it hangs up.
                        while matches!(stream.read(&mut byte).await, Ok(1..)) {}
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;

    let (took, sessions) = log_in().await;
    let most = undisturbed[1] * 10;
    assert!(took < most, "{took:?} in the crowd, {:?} before", undisturbed[1]);
    let others: Vec<_> = sessions["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|session| session["operator"] != "ada")
        .map(|session| session["number"].to_string())
        .collect();
    assert_eq!(others.len(), 32);
    let lines: String = others.iter().map(|number| format!("sessions end {number}\n")).collect();
    let mut ending = door.ssh(&ada, "127.0.0.1", &[]).stdin(Stdio::piped()).spawn().unwrap();
    ending.stdin.take().unwrap().write_all(lines.as_bytes()).await.unwrap();
    let ended = ending.wait_with_output().await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    for mut session in crowd {
        // Waiting would close it, and a prompt leaves at its end.
        let _open = session.stdin.take();
        let ended = tokio::time::timeout(TIMEOUT, session.wait()).await.expect("a session went on").unwrap();
        assert_eq!(ended.code(), Some(1));
    }
    goes_on.store(false, Ordering::Relaxed);
    silent.iter().for_each(JoinHandle::abort);
    let (_, left) = log_in().await;
    assert_eq!(left["sessions"].as_array().unwrap().len(), 1);
    println!("an undisturbed login {:?}, in the crowd {took:?}", undisturbed[1]);
    station.stop().await;
}
