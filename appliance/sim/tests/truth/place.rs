//! A server for a whole station: a twin in this process, or a real one that `scripts/privacyidea-fixture` has
//! started. Its faults and policies are set from outside, and what it has is read by somebody else's login.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use privacyidea::transport::{Https, Trust};
use privacyidea::{Client, Credentials, Rollout, SecretString, Token, TokenFilter};
use twins::privacyidea::{ADMIN, Fault, Mode, Options, ServerTwin, front};

/// Longer than an answer takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) ca: Option<PathBuf>,
    twin: Option<Arc<Mutex<ServerTwin>>>,
    _front: Option<front::Server>,
}

impl Place {
    /// The real server that the environment names, or else a twin of 3.14.
    pub(crate) async fn new() -> Self {
        if let Ok(url) = std::env::var("PI_URL") {
            let ca = std::env::var_os("PI_CA").map(PathBuf::from);
            return Self { url, ca, twin: None, _front: None };
        }
        let twin = Arc::new(Mutex::new(ServerTwin::new(Options { image_chars: 0, ..Options::default() })));
        let listener = front::listen(0).await.unwrap();
        let front = front::serve(Arc::clone(&twin), listener, None, Duration::ZERO).unwrap();
        let url = format!("http://{}", front.address());
        Self { url, ca: None, twin: Some(twin), _front: Some(front) }
    }

    /// Whether it is a real one.
    pub(crate) fn is_real(&self) -> bool {
        self.twin.is_none()
    }

    /// Puts this preset in force, or none.
    pub(crate) fn policy(&self, preset: Option<&str>) {
        match &self.twin {
            Some(twin) => {
                let mut twin = twin.lock().unwrap();
                twin.policy_clear();
                if let Some(name) = preset {
                    twin.policy_set(name).unwrap();
                }
            }
            None => {
                fixture(&["policy", "clear"]);
                if let Some(name) = preset {
                    fixture(&["policy", "set", name]);
                }
            }
        }
    }

    /// Lets a fault wait for its requests.
    pub(crate) fn add(&self, fault: &Fault) {
        match &self.twin {
            Some(twin) => twin.lock().unwrap().fault_add(fault.clone()),
            None => {
                let mode = match fault.mode {
                    Mode::Status => "status",
                    Mode::Html => "html",
                    Mode::Truncate => "truncate",
                    Mode::Slow => "slow",
                    Mode::Cut => "cut",
                    Mode::Lost => "lost",
                };
                let numbers = [u32::from(fault.status), fault.shots, fault.skip].map(|n| n.to_string());
                let seconds = fault.delay.as_secs_f64().to_string();
                let [status, shots, skip] = &numbers;
                fixture(&[
                    "fault",
                    "add",
                    "--path",
                    &fault.path,
                    "--method",
                    &fault.method,
                    "--mode",
                    mode,
                    "--status",
                    status,
                    "--seconds",
                    &seconds,
                    "--shots",
                    shots,
                    "--skip",
                    skip,
                ]);
            }
        }
    }

    /// Takes back the faults that have not happened.
    pub(crate) fn calm(&self) {
        match &self.twin {
            Some(twin) => twin.lock().unwrap().fault_clear(),
            None => fixture(&["fault", "clear"]),
        }
    }

    /// The tokens of the station's keys that count, as the server shows them.
    pub(crate) async fn counting(&self) -> Vec<Token> {
        let trust = match &self.ca {
            Some(file) => Trust::pem(&std::fs::read(file).unwrap()).unwrap(),
            None => Trust::system(),
        };
        let mut https = Https::builder(&self.url, trust, "truth test").timeout(TIMEOUT);
        if self.ca.is_none() {
            https = https.allow_plain_http();
        }
        let credentials = Credentials::password(ADMIN.0, SecretString::copy_of(ADMIN.1));
        let client = Client::new(https.build().unwrap(), credentials);
        let filter = TokenFilter { page_size: Some(1000), ..TokenFilter::default() };
        let mut tokens = client.tokens(&filter).await.unwrap().tokens;
        tokens.retain(|token| {
            token.serial.starts_with("UBOM") && token.active && !matches!(token.rollout, Rollout::Verify)
        });
        tokens
    }
}

fn fixture(words: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/privacyidea-fixture");
    let done = Command::new(script).args(words).output().unwrap();
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
}
