//! The program `server-twin`, as a script sees it.

#![cfg(test)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::Value;

fn start(arguments: &[&str]) -> (std::process::Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_server-twin"))
        .args(arguments)
        .arg("--stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

fn ask(about: &Value, request: &str) -> String {
    let address = about["base_url"].as_str().unwrap().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn it_says_where_it_is_serves_and_ends_with_its_input() {
    let (mut child, about) = start(&[
        "--version",
        "3.9.3",
        "--policy",
        "verify-enrollment",
        "--fault",
        "cut:/realm",
        "--api-key",
        "admin",
    ]);
    assert_eq!(about["admin"]["username"], "admin");
    let key = about["api_key"].as_str().unwrap();
    let get = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nConnection: close\r\n\r\n")
    };
    assert!(ask(&about, &get("/token/")).contains("\"version\":\"privacyIDEA 3.9.3\""));
    assert!(ask(&about, &get("/policy/")).contains("verify_enrollment"));
    assert_eq!(ask(&about, &get("/realm/")), "");
    assert!(ask(&about, &get("/realm/")).contains("office"));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_writes_the_certificate_of_its_authority() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, about) = start(&["--tls", "--dir", dir.path().to_str().unwrap()]);
    assert!(about["base_url"].as_str().unwrap().starts_with("https://127.0.0.1:"));
    let pem = std::fs::read_to_string(about["ca_file"].as_str().unwrap()).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
