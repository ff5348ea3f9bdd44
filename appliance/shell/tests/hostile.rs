//! A crowd at the SSH server: who says nothing, who talks nonsense, who talks slowly. An operator comes
//! in at once, and what the crowd cost comes back.

#![cfg(test)]

mod process;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, Instant};

use process::Station;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

const SILENT: u16 = 500;
const GARBAGE: u16 = 500;
const SLOW: u16 = 200;

async fn connect(port: u16, number: u16) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    // From some hundred addresses, none of them the operator's.
    let [high, low] = (number % 300 + 2).to_be_bytes();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 1, high, low), 0))).unwrap();
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.ok()
}

async fn stay(mut stream: TcpStream) {
    // Until the station hangs up.
    let mut buffer = [0; 1024];
    while matches!(stream.read(&mut buffer).await, Ok(count) if count > 0) {}
}

async fn crowd(port: u16) -> tokio::task::JoinSet<()> {
    let mut crowd = tokio::task::JoinSet::new();
    for number in 0..SILENT {
        crowd.spawn(async move {
            if let Some(stream) = connect(port, number).await {
                stay(stream).await;
            }
        });
    }
    for number in 0..GARBAGE {
        crowd.spawn(async move {
            if let Some(mut stream) = connect(port, number).await {
                // Half of them greet as SSH clients do, and talk nonsense after that.
                let greeting: &[u8] = if number % 2 == 0 { b"SSH-2.0-crowd\r\n" } else { b"" };
                let nonsense: Vec<u8> = (0..4096_u32).map(|n| (n * 167 + u32::from(number)) as u8).collect();
                let _ = stream.write_all(&[greeting, &nonsense].concat()).await;
                stay(stream).await;
            }
        });
    }
    for number in 0..SLOW {
        crowd.spawn(async move {
            if let Some(mut stream) = connect(port, number).await {
                for byte in b"SSH-2.0-slow_and_steady\r\n" {
                    if stream.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                stay(stream).await;
            }
        });
    }
    crowd
}

fn log_in(station: &Station) -> Duration {
    let begun = Instant::now();
    let output = station.ssh("ada").arg("version").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    begun.elapsed()
}

#[test]
fn an_operator_comes_through_a_crowd() {
    let station = Station::start(&[]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // What a login takes here and now, without the crowd.
    let quiet = (0..3).map(|_| log_in(&station)).max().unwrap_or_default();
    let (memory, files) = (station.memory(), station.files());
    let mut people = runtime.block_on(crowd(station.port));
    let mut slowest = Duration::ZERO;
    let mut most = memory;
    for _ in 0..5 {
        slowest = slowest.max(log_in(&station));
        most = most.max(station.memory());
    }
    println!("slowest login in the crowd: {slowest:?}; memory: {memory} KiB before, {most} KiB at most");
    runtime.block_on(people.shutdown());
    // The station notices that they are gone when it next looks, which is at once.
    let deadline = Instant::now() + Duration::from_secs(12);
    while station.files() > files && Instant::now() < deadline {
        std::thread::yield_now();
    }
    log_in(&station);
    let after = station.memory();
    println!("after the crowd: {after} KiB, {} open files ({files} before)", station.files());
    assert!(
        slowest < Duration::from_secs(1) + quiet * 4,
        "a login took {slowest:?}, and {quiet:?} without the crowd"
    );
    assert!(most - memory < 8 * 1024, "memory grew from {memory} to {most} KiB");
    assert!(after.saturating_sub(memory) < 4 * 1024, "memory stays at {after} KiB, from {memory}");
    assert!(station.files() <= files + 1, "{} files stay open, from {files}", station.files());
}

#[test]
fn one_address_cannot_keep_itself_out_for_long() {
    let station = Station::start(&[]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut all = Vec::new();
    runtime.block_on(async {
        for _ in 0..100 {
            all.push(TcpStream::connect((Ipv4Addr::LOCALHOST, station.port)).await.unwrap());
        }
        // What the address has used up comes back ten times a second.
        tokio::time::sleep(Duration::from_millis(300)).await;
    });
    let took = log_in(&station);
    assert!(took < Duration::from_secs(1), "a login took {took:?}");
}

#[test]
fn a_client_that_does_not_read_holds_little() {
    let station = Station::start(&["--pace", "1"]);
    log_in(&station);
    let before = station.memory();
    let mut child = station
        .ssh("ada")
        .args(["watch", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Nobody reads the pipe: the client stops reading, and then the station has to stop writing.
    let begun = Instant::now();
    let mut most = 0;
    while begun.elapsed() < Duration::from_secs(3) {
        most = most.max(station.memory());
        std::thread::sleep(Duration::from_millis(100));
    }
    log_in(&station);
    child.kill().unwrap();
    child.wait().unwrap();
    println!("memory: {before} KiB before, {most} KiB at most");
    assert!(most.saturating_sub(before) < 8 * 1024, "memory grew from {before} to {most} KiB");
}
