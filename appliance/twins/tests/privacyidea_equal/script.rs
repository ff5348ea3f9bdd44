//! A scenario's view of a server, real or twin.

use std::time::Duration;

use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};
use serde_json::{Value, json};
use twins::privacyidea::{ADMIN, Options, Request, Response, ServerTwin, Version};

use super::normal;

/// A server that scenarios can run against.
pub(crate) trait Server {
    /// One request.
    fn send(&mut self, request: &Request) -> Response;
    /// Switch on a preset of policies.
    fn policy(&mut self, name: &str);
    /// No tokens, containers or policies; a login of the administrator's.
    fn reset(&mut self) -> String;
    /// An API key.
    fn api_key(&mut self, role: &str) -> String;
    /// Let time pass.
    fn wait(&mut self, time: Duration);
    /// Unix time, in seconds.
    fn now(&self) -> u64;
}

/// One request and what came back.
pub(crate) struct Exchange {
    /// Method, target and body, without what is random.
    pub(crate) request: String,
    /// The status.
    pub(crate) status: u16,
    /// The body, reduced to what is compared.
    pub(crate) body: Value,
}

impl Exchange {
    pub(crate) fn to_json(&self) -> Value {
        json!([self.request, self.status, self.body])
    }

    pub(crate) fn from_json(value: &Value) -> Self {
        Self {
            request: value[0].as_str().unwrap().to_owned(),
            status: u16::try_from(value[1].as_u64().unwrap()).unwrap(),
            // What is noise may have been decided after the recording.
            body: normal::again(&value[2]),
        }
    }
}

/// A scenario that is being played.
pub(crate) struct Script<'a> {
    server: &'a mut dyn Server,
    pub(crate) version: Version,
    jwt: String,
    exchanges: Vec<Exchange>,
    /// Random texts, and what to call them in the recording.
    names: Vec<(String, String)>,
}

impl<'a> Script<'a> {
    /// Tidy up what the scenario before has left, and log in.
    pub(crate) fn new(server: &'a mut dyn Server, version: Version) -> Self {
        let jwt = server.reset();
        Self { server, version, jwt, exchanges: Vec::new(), names: Vec::new() }
    }

    pub(crate) fn finish(self) -> Vec<Exchange> {
        self.exchanges
    }

    /// Switch on a preset of policies.
    pub(crate) fn policy(&mut self, name: &str) {
        self.server.policy(name);
    }

    pub(crate) fn api_key(&mut self, role: &str) -> String {
        self.server.api_key(role)
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.server.wait(Duration::from_secs(seconds));
    }

    pub(crate) fn now(&self) -> u64 {
        self.server.now()
    }

    /// Any request, as it is.
    pub(crate) fn send(&mut self, request: Request) -> Value {
        let response = self.server.send(&request);
        let answer = response.json().unwrap_or_default();
        self.learn(&request, &answer);
        let body = normal::body(&response.body, &self.names);
        let text = self.describe(&request);
        self.exchanges.push(Exchange { request: text, status: response.status, body });
        answer
    }

    /// With the administrator's login.
    pub(crate) fn as_admin(&mut self, request: Request) -> Value {
        let jwt = self.jwt.clone();
        self.send(request.token(&jwt))
    }

    pub(crate) fn post(&mut self, target: &str, body: Value) -> Value {
        self.as_admin(Request::new("POST", target).json(&body))
    }

    pub(crate) fn get(&mut self, target: &str) -> Value {
        self.as_admin(Request::new("GET", target))
    }

    pub(crate) fn delete(&mut self, target: &str) -> Value {
        self.as_admin(Request::new("DELETE", target))
    }

    /// `POST /token/init`.
    pub(crate) fn init(&mut self, body: Value) -> Value {
        self.post("/token/init", body)
    }

    /// The token as the list shows it.
    pub(crate) fn show(&mut self, serial: &str) -> Value {
        self.get(&format!("/token/?serial={serial}"))["result"]["value"]["tokens"][0].clone()
    }

    /// `POST /validate/check` by serial, without any login.
    pub(crate) fn check(&mut self, serial: &str, pass: &str) -> Value {
        self.send(Request::new("POST", "/validate/check").json(&json!({"serial": serial, "pass": pass})))
    }

    pub(crate) fn check_user(&mut self, user: &str, pass: &str) -> Value {
        let body = json!({"user": user, "realm": "office", "pass": pass});
        self.send(Request::new("POST", "/validate/check").json(&body))
    }

    pub(crate) fn login(&mut self, user: &str, password: &str) -> Option<String> {
        let body = json!({"username": user, "password": password});
        let answer = self.send(Request::new("POST", "/auth").json(&body));
        answer["result"]["value"]["token"].as_str().map(str::to_owned)
    }

    /// Note keys, codes and serials that the server made up.
    fn learn(&mut self, request: &Request, answer: &Value) {
        let sent = String::from_utf8_lossy(&request.body).to_lowercase();
        let detail = &answer["detail"];
        let key = detail["otpkey"]["value"].as_str().and_then(|v| v.strip_prefix("seed://"));
        if let Some(key) = key.filter(|key| !sent.contains(&key.to_lowercase())) {
            match HEXLOWER_PERMISSIVE.decode(key.as_bytes()) {
                Ok(bytes) => {
                    self.names.push((key.to_owned(), format!("<key of {}>", bytes.len())));
                    self.names.push((BASE32_NOPAD.encode(&bytes), format!("<base32 of {}>", bytes.len())));
                }
                Err(_) => self.names.push((key.to_owned(), format!("<code of {}>", key.chars().count()))),
            }
        }
        let told = |serial: &&str| sent.contains(&serial.to_lowercase()) || request.query.contains(*serial);
        let made_up =
            detail["serial"].as_str().filter(|serial| request.path == "/token/init" && !told(serial));
        if let Some(serial) = made_up {
            let letters: String = serial.chars().take_while(char::is_ascii_uppercase).collect();
            self.names.push((serial.to_owned(), format!("<serial {letters}>")));
        }
    }

    fn describe(&self, request: &Request) -> String {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let mut text = format!("{} {}{query} ", request.method, request.path);
        match serde_json::from_slice::<Value>(&request.body) {
            Ok(Value::Object(mut body)) => {
                // One-time passwords of random keys, and of this minute.
                for field in ["pass", "verify", "otp1", "otp2"] {
                    body.entry(field).and_modify(|value| *value = "…".into());
                }
                text.push_str(&Value::Object(body).to_string());
            }
            _ => text.push_str(&String::from_utf8_lossy(&request.body)),
        }
        for (random, name) in &self.names {
            text = text.replace(random, name);
        }
        text
    }
}

/// The administrator's JWT.
pub(crate) fn login(server: &mut dyn Server) -> String {
    let body = json!({"username": ADMIN.0, "password": ADMIN.1});
    let answer = server.send(&Request::new("POST", "/auth").json(&body)).json().unwrap();
    answer["result"]["value"]["token"].as_str().unwrap().to_owned()
}

/// The twin as a server of scenarios.
pub(crate) struct TwinServer {
    twin: ServerTwin,
    now: Duration,
}

impl TwinServer {
    pub(crate) fn new(version: Version) -> Self {
        let options = Options { version, ..Options::default() };
        Self { twin: ServerTwin::new(options), now: Duration::from_millis(1_800_000_000_250) }
    }
}

impl Server for TwinServer {
    fn send(&mut self, request: &Request) -> Response {
        self.now += Duration::from_millis(100);
        self.twin.handle(request, self.now)
    }

    fn policy(&mut self, name: &str) {
        self.twin.policy_set(name).unwrap();
    }

    fn reset(&mut self) -> String {
        let options = Options { version: self.twin.version(), ..Options::default() };
        self.twin = ServerTwin::new(options);
        login(self)
    }

    fn api_key(&mut self, role: &str) -> String {
        self.twin.api_key(role, Duration::from_secs(86_400), self.now)
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn now(&self) -> u64 {
        self.now.as_secs()
    }
}
