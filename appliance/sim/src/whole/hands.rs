//! Hands for software keys: `org.enrollmentstation.Sim`.

use std::future::Future;
use std::pin::Pin;

use control::interface::Answer;
use control::server::Interface;
use control::sim::{self, HandsMethod, Plug, Pull, SimKeys, TouchKey, Touched};
use control::wire::Fault;
use control::{Refusal, Role};
use dispatch::scheduler::Hotplug;
use enrolld::service::call_handler::More;
use enrolld::service::told;
use keys::device::{Firmware, ProofWay};
use station::refusal::{self, Code};
use tokio::sync::{Mutex, mpsc};
use twins::nitrokey_pro::{Model as ProModel, NitrokeyProTwin, Product};
use twins::nitrokey3::{Model as Model3, SecretsTwin};

use crate::key::{Finger, SimKey};

/// The ports of the simulated machine: those of a Raspberry Pi 3 and a hub.
const PORTS: [&str; 8] = ["1-1.1", "1-1.2", "1-1.3", "1-1.4", "1-1.5", "1-1.6", "1-1.7", "1-1.8"];

/// The serial of the first key that names none.
const FIRST: u32 = 12_345_678;

/// Plugs, touches and pulls keys.
pub struct Hands {
    hotplug: mpsc::Sender<Hotplug>,
    keys: Mutex<Vec<Held>>,
}

struct Held {
    kind: String,
    serial: u32,
    shown: String,
    firmware: Firmware,
    key: SimKey,
    plugged: Option<(String, Finger)>,
}

impl Held {
    fn told(&self) -> sim::SimKey {
        sim::SimKey {
            kind: self.kind.clone(),
            serial: self.shown.clone(),
            firmware: self.firmware.to_string(),
            port: self.plugged.as_ref().map(|(port, _)| port.clone()),
        }
    }

    fn is(&self, wanted: &str) -> bool {
        let plain = |text: &str| text.trim_start_matches('0').to_ascii_lowercase();
        let port = self.plugged.as_ref().map(|(port, _)| port.as_str()).unwrap_or_default();
        plain(&self.shown) == plain(wanted) || port == wanted || port.rsplit('.').next() == Some(wanted)
    }
}

fn no(code: Code, detail: impl Into<String>) -> Refusal {
    told(&refusal::Refusal::new(code, detail.into()))
}

impl Hands {
    /// Hands that tell `hotplug` what they do.
    pub fn new(hotplug: mpsc::Sender<Hotplug>) -> Self {
        Self { hotplug, keys: Mutex::default() }
    }

    /// Plugs so many YubiKeys in.
    pub async fn plug_first(&self, count: u32) -> anyhow::Result<()> {
        for _ in 0..count {
            sim::Hands::sim_plug(self, &(), Plug::default()).await?;
        }
        Ok(())
    }
}

fn made(kind: &str, serial: u32, firmware: Option<&str>) -> anyhow::Result<Held> {
    let firmware_of =
        |default: &str| crate::args::firmware(firmware.unwrap_or(default)).map_err(anyhow::Error::msg);
    let seed = u64::from(serial);
    let nitrokey = |product, firmware, name: &str| -> anyhow::Result<(SimKey, String, Firmware)> {
        let model = ProModel::new(product, firmware, serial)?;
        let ids = model.usb_ids();
        let twin = Box::new(NitrokeyProTwin::new(model, seed));
        Ok((SimKey::twin(format!("twin {name} {serial:08x}"), ids, twin), format!("{serial:08x}"), firmware))
    };
    let (key, shown, firmware) = match kind {
        "yubikey" => {
            let firmware = firmware_of("5.4.3")?;
            (SimKey::yubikey(firmware, serial)?, format!("{serial:08}"), firmware)
        }
        "nitrokey-pro" => nitrokey(Product::Pro, firmware_of("0.15")?, "Nitrokey Pro")?,
        "nitrokey-storage" => nitrokey(Product::Storage, firmware_of("0.57")?, "Nitrokey Storage")?,
        "librem-key" => nitrokey(Product::LibremKey, firmware_of("0.15")?, "Librem Key")?,
        "nitrokey3" => {
            let twin = SecretsTwin::new(Model3 { serial, firmware: None, seed });
            let key = SimKey::twin(format!("twin Nitrokey 3 {serial:08x}"), Model3::USB_IDS, Box::new(twin));
            (key, format!("{serial:08x}"), firmware_of("1.7.2")?)
        }
        other => anyhow::bail!(
            "'{other}' is no kind of key: yubikey, nitrokey-pro, nitrokey-storage, librem-key, nitrokey3"
        ),
    };
    Ok(Held { kind: kind.to_owned(), serial, shown, firmware, key, plugged: None })
}

/// The key that is meant; the only one that is plugged in when none is named.
fn meant<'a>(keys: &'a mut [Held], wanted: Option<&str>) -> Result<&'a mut Held, Refusal> {
    let mut fits = keys.iter_mut().filter(|held| match wanted {
        Some(wanted) => held.is(wanted) && held.plugged.is_some(),
        None => held.plugged.is_some(),
    });
    match (fits.next(), fits.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(no(Code::KeyAbsent, wanted.unwrap_or("no key is plugged in").to_owned())),
        _ => Err(no(Code::InputInvalid, "several keys are plugged in; name one by its port or serial")),
    }
}

impl sim::Hands for Hands {
    type Caller = ();

    async fn sim_plug(&self, (): &(), request: Plug) -> Result<sim::SimKey, Refusal> {
        let mut keys = self.keys.lock().await;
        let taken = |port: &str, keys: &[Held]| {
            keys.iter().any(|held| held.plugged.as_ref().is_some_and(|(there, _)| there == port))
        };
        let port = match &request.port {
            Some(port) => {
                let path = PORTS.iter().find(|path| *path == port || path.rsplit('.').next() == Some(port));
                let path =
                    path.ok_or_else(|| no(Code::InputInvalid, format!("ports are {}", PORTS.join(", "))))?;
                (*path).to_owned()
            }
            None => {
                let free = PORTS.iter().find(|port| !taken(port, &keys));
                (*free.ok_or_else(|| no(Code::InputInvalid, "every port has a key"))?).to_owned()
            }
        };
        if taken(&port, &keys) {
            return Err(no(Code::InputInvalid, format!("port {port} has a key")));
        }
        let kind = request.kind.as_deref().unwrap_or("yubikey");
        let next = keys.iter().map(|held| held.serial).filter(|serial| *serial >= FIRST).max();
        let serial = request.serial.unwrap_or_else(|| next.map_or(FIRST, |serial| serial.saturating_add(1)));
        let known = keys.iter().position(|held| held.serial == serial && held.kind == kind);
        let at = match known {
            Some(at) => at,
            None => {
                let held = made(kind, serial, request.firmware.as_deref())
                    .map_err(|error| no(Code::InputInvalid, error.to_string()))?;
                keys.push(held);
                keys.len() - 1
            }
        };
        let Some(held) = keys.get_mut(at) else { return Err(no(Code::Internal, "")) };
        if let Some((there, _)) = &held.plugged {
            return Err(no(Code::InputInvalid, format!("it is in port {there} already")));
        }
        let (plugged, finger) = held.key.plug(&port);
        held.plugged = Some((port, finger));
        let told = held.told();
        let gone = self.hotplug.send(Hotplug::Arrived(plugged)).await.is_err();
        if gone { Err(no(Code::Stopping, "")) } else { Ok(told) }
    }

    async fn sim_touch(&self, (): &(), request: TouchKey) -> Result<Touched, Refusal> {
        let mut keys = self.keys.lock().await;
        let held = meant(&mut keys, request.key.as_deref())?;
        let way = if request.long { ProofWay::TypedLong } else { ProofWay::TypedShort };
        let Some((_, finger)) = &held.plugged else { return Err(no(Code::KeyAbsent, "")) };
        let typed = finger.touch(way).await.map_err(|error| no(Code::KeySilent, error.to_string()))?;
        Ok(Touched { typed: Some(typed.trim_end().to_owned()).filter(|text| !text.is_empty()) })
    }

    async fn sim_pull(&self, (): &(), request: Pull) -> Result<sim::SimKey, Refusal> {
        let mut keys = self.keys.lock().await;
        let held = meant(&mut keys, request.key.as_deref())?;
        let Some((port, finger)) = held.plugged.take() else { return Err(no(Code::KeyAbsent, "")) };
        drop(finger);
        // Power goes and comes at once; until it is plugged in again nobody speaks to it.
        held.key.pull().map_err(|error| no(Code::KeySilent, error.to_string()))?;
        let told = held.told();
        // The scheduler may have ended.
        let _ = self.hotplug.send(Hotplug::Left { port }).await;
        Ok(told)
    }

    async fn sim_keys(&self, (): &()) -> Result<SimKeys, Refusal> {
        Ok(SimKeys { keys: self.keys.lock().await.iter().map(Held::told).collect() })
    }
}

impl More for Hands {
    fn interface(&self) -> Interface {
        Interface { name: HandsMethod::INTERFACE, description: HandsMethod::description() }
    }

    fn role(&self, method: &str) -> Option<Role> {
        HandsMethod::from_full_name(method).map(HandsMethod::role)
    }

    fn call<'a>(
        &'a self,
        method: &'a str,
        arguments: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Fault>> + Send + 'a>> {
        Box::pin(async move {
            let found = HandsMethod::from_full_name(method);
            let found = found.ok_or_else(|| Fault::MethodNotFound(method.to_owned()))?;
            sim::dispatch(self, &(), found, arguments).await
        })
    }
}
