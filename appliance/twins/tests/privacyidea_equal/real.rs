//! A real server, started by `scripts/privacyidea-fixture`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use twins::privacyidea::{Request, Response, Version};

use super::script::{Server, login};

/// The server; dropping it stops it.
pub(crate) struct RealServer {
    version: Version,
    address: String,
    /// The first login, for an hour.
    jwt: Option<String>,
}

impl RealServer {
    pub(crate) fn start(version: Version) -> Self {
        let started = fixture(version, &["start", "--fresh"]);
        let about: Value = serde_json::from_str(&started).unwrap();
        let url = about["base_url"].as_str().unwrap();
        Self { version, address: url.strip_prefix("http://").unwrap().to_owned(), jwt: None }
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        fixture(self.version, &["stop"]);
    }
}

fn fixture(version: Version, arguments: &[&str]) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scripts/privacyidea-fixture");
    let done = Command::new(script)
        .args(["--version", version.name(), "--instance", "equal"])
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(done.status.success(), "privacyidea-fixture {arguments:?} failed");
    String::from_utf8(done.stdout).unwrap()
}

impl RealServer {
    /// A login that is still good, whatever policies say about new ones.
    fn jwt(&mut self) -> String {
        if let Some(jwt) = &self.jwt {
            return jwt.clone();
        }
        let jwt = login(self);
        self.jwt.insert(jwt).clone()
    }

    fn clear_policies(&mut self) {
        let jwt = self.jwt();
        let found = self.send(&Request::new("GET", "/policy/").token(&jwt)).json().unwrap();
        let mut policies = found["result"]["value"].as_array().unwrap().clone();
        // The policy that lets the administrator delete policies goes last.
        policies.sort_by_key(|policy| policy["action"].get("policydelete").is_some());
        for policy in policies {
            let path = format!("/policy/{}", policy["name"].as_str().unwrap());
            self.send(&Request::new("DELETE", &path).token(&jwt));
        }
    }
}

impl Server for RealServer {
    fn send(&mut self, request: &Request) -> Response {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let mut head = format!(
            "{} {}{query} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            request.method, request.path, self.address
        );
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", request.body.len()));
        stream.write_all(&[head.as_bytes(), &request.body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("an HTTP answer");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Response { status, headers, body: answer[end + 4..].to_vec() }
    }

    fn policy(&mut self, name: &str) {
        fixture(self.version, &["policy", "set", name]);
    }

    fn reset(&mut self) -> String {
        self.clear_policies();
        let jwt = self.jwt();
        let list = Request::new("GET", "/token/?pagesize=1000").token(&jwt);
        let tokens = self.send(&list).json().unwrap();
        for token in tokens["result"]["value"]["tokens"].as_array().unwrap() {
            let path = format!("/token/{}", token["serial"].as_str().unwrap());
            self.send(&Request::new("DELETE", &path).token(&jwt));
        }
        let list = self.send(&Request::new("GET", "/container/").token(&jwt)).json().unwrap_or_default();
        for container in list["result"]["value"]["containers"].as_array().into_iter().flatten() {
            let path = format!("/container/{}", container["serial"].as_str().unwrap());
            self.send(&Request::new("DELETE", &path).token(&jwt));
        }
        jwt
    }

    fn api_key(&mut self, role: &str) -> String {
        let printed: Value =
            serde_json::from_str(&fixture(self.version, &["apikey", "--role", role])).unwrap();
        printed["token"].as_str().unwrap().to_owned()
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
    }
}
