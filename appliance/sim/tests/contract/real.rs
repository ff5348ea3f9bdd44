//! A real server, started by `scripts/privacyidea-fixture` before this suite.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use privacyidea::Method;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use twins::privacyidea::tls::Variant;
use twins::privacyidea::{Fault, Mode, Version};

use crate::Broken;
use crate::observer::Observer;

/// What `privacyidea-fixture status` says.
#[derive(Deserialize)]
struct About {
    running: bool,
    product: String,
    version: String,
    instance: String,
    #[serde(default)]
    base_url: String,
    /// Where the server keeps its files.
    #[serde(default)]
    dir: PathBuf,
    #[serde(default)]
    ca_file: Option<PathBuf>,
}

/// The server, and the script that governs it.
pub(crate) struct Real {
    pub(crate) version: Version,
    pub(crate) url: String,
    pub(crate) ca: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) observer: Arc<Observer>,
    instance: Vec<String>,
    /// The policies of each preset: scope, action, and other fields.
    presets: BTreeMap<String, Vec<(String, String, Value)>>,
    /// Every boolean right that the server knows, as one action.
    every_right: OnceCell<Vec<String>>,
    keys: Mutex<BTreeMap<String, String>>,
    others: Mutex<BTreeMap<&'static str, Other>>,
    directory: PathBuf,
}

/// A listener with another certificate. It ends when its input is closed.
struct Other {
    child: Child,
    url: String,
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Whatever it says at its end, it has ended.
        let _ = self.child.wait();
    }
}

impl Real {
    /// The server that the environment names, as the script's own commands find it.
    pub(crate) fn of_environment() -> Result<Option<Self>, Broken> {
        if std::env::var_os("PRIVACYIDEA_FIXTURE_VERSION").is_none() {
            return Ok(None);
        }
        let about: About = serde_json::from_str(&fixture(&[], &["status"])?)?;
        if !about.running {
            return Err("no server of scripts/privacyidea-fixture is running".into());
        }
        let ca_file = about.ca_file.ok_or("the server must be started with --tls")?;
        let name = match about.product.as_str() {
            "privacyidea" => about.version.clone(),
            product => format!("{product}-{}", about.version),
        };
        let ca = std::fs::read(&ca_file)?;
        let certificate = CertificateDer::from_pem_file(ca_file.with_file_name("good.pem"))
            .map_err(|error| format!("the server's certificate: {error}"))?;
        let instance = ["--product", &about.product, "--version", &about.version, "--instance"];
        let mut instance: Vec<String> = instance.into_iter().map(str::to_owned).collect();
        instance.push(about.instance);
        Ok(Some(Self {
            version: name.parse()?,
            observer: Arc::new(Observer::new(&about.base_url, &ca)?),
            url: about.base_url,
            ca,
            certificate: certificate.to_vec(),
            instance,
            presets: serde_json::from_str(&fixture(&[], &["policy", "presets"])?)?,
            every_right: OnceCell::new(),
            keys: Mutex::default(),
            others: Mutex::default(),
            directory: about.dir,
        }))
    }

    /// Puts these presets in force, and no others.
    pub(crate) async fn set_policies(&self, names: &[&str]) -> Result<(), Broken> {
        let found = self.observer.call(Method::Get, "/policy/", &[], None).await?;
        let mut found: Vec<Value> = serde_json::from_value(found)?;
        // The policy that lets the administrator delete policies goes last.
        found.sort_by_key(|policy| policy.pointer("/action/policydelete").is_some());
        for policy in &found {
            let name = policy.get("name").and_then(Value::as_str).ok_or("a policy without a name")?;
            self.observer.call(Method::Delete, &format!("/policy/{name}"), &[], None).await?;
        }
        for preset in names {
            let parts = self.presets.get(*preset).ok_or_else(|| format!("no preset {preset}"))?;
            for (number, (scope, action, extra)) in parts.iter().enumerate() {
                let mut body = json!({"scope": scope, "active": true, "realm": ""});
                body["action"] = self.granted(action, extra).await?.into();
                if let Some(who) = extra.get("adminuser") {
                    body["adminuser"] = who.clone();
                }
                let path = format!("/policy/{preset}.{number}");
                self.observer.call(Method::Post, &path, &[], Some(body)).await?;
            }
        }
        Ok(())
    }

    /// An action with "every right" in it spelled out, as the script does it.
    async fn granted(&self, action: &str, extra: &Value) -> Result<String, Broken> {
        let Some((before, rest)) = action.split_once('<') else { return Ok(action.to_owned()) };
        let (_, after) = rest.split_once('>').ok_or("an action that is not understood")?;
        let rights = self.every_right.get_or_try_init(|| async {
            let known = self.observer.call(Method::Get, "/policy/defs/admin", &[], None).await?;
            let known: BTreeMap<String, Value> = serde_json::from_value(known)?;
            let plain = known.into_iter().filter(|(name, about)| {
                about.get("type").is_some_and(|kind| kind == "bool")
                    && !name.contains("force_server_generate")
                    && !name.starts_with("hide_")
            });
            Ok::<_, Broken>(plain.map(|(name, _)| name).collect())
        });
        let without: Vec<String> =
            extra.get("without").cloned().map(serde_json::from_value).transpose()?.unwrap_or_default();
        let rights: Vec<&str> =
            rights.await?.iter().filter(|right| !without.contains(right)).map(String::as_str).collect();
        Ok(format!("{before}{}{after}", rights.join(", ")))
    }

    /// Lets faults wait for their requests.
    pub(crate) fn add_faults(&self, faults: &[Fault]) -> Result<(), Broken> {
        let described = |fault: &Fault| {
            json!({
                "path": fault.path, "method": fault.method, "mode": mode_name(fault.mode),
                "status": fault.status, "seconds": fault.delay.as_secs_f64(),
                "shots": fault.shots, "skip": fault.skip,
            })
        };
        self.put_faults(&faults.iter().map(described).collect::<Vec<_>>())
    }

    /// Takes back the faults that have not happened.
    pub(crate) fn clear_faults(&self) -> Result<(), Broken> {
        self.put_faults(&[])
    }

    /// As the script does it: the server reads this file, and uses the faults up under the same lock.
    fn put_faults(&self, faults: &[Value]) -> Result<(), Broken> {
        let lock = File::create(self.directory.join("faults.lock"))?;
        lock.lock()?;
        let fresh = self.directory.join("faults.tmp");
        std::fs::write(&fresh, serde_json::to_string(faults)?)?;
        std::fs::rename(fresh, self.directory.join("faults.json"))?;
        Ok(())
    }

    /// A long-lived key, made once for each role.
    pub(crate) fn api_key(&self, role: &str) -> Result<String, Broken> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(role) {
            return Ok(key.clone());
        }
        let made: Value = serde_json::from_str(&fixture(&self.instance, &["apikey", "--role", role])?)?;
        let key = made.get("token").and_then(Value::as_str).ok_or("no API key was made")?;
        keys.insert(role.to_owned(), key.to_owned());
        Ok(key.to_owned())
    }

    /// The address of somebody who shows another certificate, by the server's own TLS.
    pub(crate) fn with_certificate(&self, variant: Variant) -> Result<String, Broken> {
        let name = match variant {
            Variant::Good => return Ok(self.url.clone()),
            Variant::Expired => "expired",
            Variant::WrongHost => "wrong-host",
            Variant::Untrusted => "untrusted",
        };
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = others.get(name) {
            return Ok(other.url.clone());
        }
        let [product, version] =
            [self.instance.get(..2), self.instance.get(2..4)].map(Option::unwrap_or_default);
        let mut child = Command::new(script())
            .args(product)
            .args(version)
            .args(["greet", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut url = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut url)?;
        let url = url.trim().to_owned();
        others.insert(name, Other { child, url: url.clone() });
        if url.is_empty() {
            Err(format!("nobody shows a certificate that is {name}").into())
        } else {
            Ok(url)
        }
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/privacyidea-fixture")
}

fn fixture(instance: &[String], arguments: &[&str]) -> Result<String, Broken> {
    let done = Command::new(script()).args(instance).args(arguments).output()?;
    if !done.status.success() {
        let why = String::from_utf8_lossy(&done.stderr).into_owned();
        return Err(format!("privacyidea-fixture {}: {why}", arguments.join(" ")).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

/// The script's name for a mode.
pub(crate) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Status => "status",
        Mode::Html => "html",
        Mode::Truncate => "truncate",
        Mode::Slow => "slow",
        Mode::Cut => "cut",
        Mode::Lost => "lost",
    }
}
