//! What can be done with a key apart from enrolling it: exchanging and emptying slots, and finding out what
//! an enrollment would come to.

use control::Refusal;
use control::types::{
    ImportedProfile, KeyHandled, KeySwap, KeyWipe, ProfileCheck, ProfileFit, ProfileImport,
};
use keys::device::{ProofWay, Slot};
use station::engine::check::{Forecast, SlotFate};
use station::engine::record::Actor;
use station::engine::server::Right;
use station::engine::slots::Handled;
use station::refusal::Code;
use zeroize::Zeroizing;

use super::Service;
use super::call_handler::Caller;
use super::enroll::{find, secrets, unnamed};
use super::refuse::{no, told};
use dispatch::scheduler::{KeyRequest, Secrets, Selector};

/// The longest parameter file, in lines; such files have some ten.
const MOST_LINES: usize = 1000;

impl Service {
    /// Exchanges what is in the two slots of a key.
    pub(super) async fn swap_slots(&self, caller: &Caller, request: KeySwap) -> Result<KeyHandled, Refusal> {
        let secrets = secrets(None, request.unlock, None)?;
        let key_request = self.key_request(caller, &request.key, None, secrets, None).await?.key_request;
        handled(&*self.scheduler.swap(key_request).await.map_err(|refusal| told(&refusal))?)
    }

    /// Empties a slot.
    pub(super) async fn wipe_slot(&self, caller: &Caller, request: KeyWipe) -> Result<KeyHandled, Refusal> {
        let secrets = secrets(None, request.unlock, request.key_pin)?;
        let key_request = self.key_request(caller, &request.key, None, secrets, None).await?.key_request;
        let key_request = KeyRequest { slot: Some(Slot(request.slot)), ..key_request };
        handled(&*self.scheduler.wipe(key_request).await.map_err(|refusal| told(&refusal))?)
    }

    /// What a profile would come to with a key that is plugged in: a dry run.
    pub(super) async fn profile_fit(
        &self,
        caller: &Caller,
        request: ProfileCheck,
    ) -> Result<ProfileFit, Refusal> {
        let config = self.config();
        let Some(section) = config.profiles.get(&request.profile) else {
            return Err(no(Code::ProfileUnknown, request.profile));
        };
        let mut fit = ProfileFit {
            profile: request.profile.clone(),
            key: None,
            refusal: None,
            rights_missing: self.credentials.shown().rights_missing,
            token: None,
            slot: None,
            proof: None,
            server: None,
            unsettled: Vec::new(),
            warnings: section.profile.warnings().iter().map(ToString::to_string).collect(),
        };
        if let Ok(port) = self.credentials.client()
            && let Ok(session) = port.client().session().await
            && session.rights.allow(&Right::LookUp.to_string()) == Some(false)
        {
            fit.warnings.push(
                "people cannot be looked up (right userlist): lists need --unchecked, and a typo costs a touch"
                    .to_owned(),
            );
        }
        let snapshot = self.snapshot().await?;
        let view = match (&request.key, unnamed(&snapshot.ports).as_slice()) {
            (Some(wanted), _) => {
                Some(find(&snapshot, wanted).ok_or_else(|| no(Code::KeyAbsent, wanted.clone()))?)
            }
            (None, [only]) => Some(*only),
            (None, []) => None,
            (None, _) => return Err(no(Code::KeyAbsent, "several keys are there; name one with --key")),
        };
        let Some(view) = view else { return Ok(fit) };
        let info = view.key.as_ref();
        fit.key = info.and_then(|info| info.serial).map(|serial| serial.to_string());
        if let Some(info) = info
            && !section.fits.fits(info)
        {
            fit.refusal = Some(no(Code::NoProfileFits, format!("its match rule is not for {}", info.model)));
            return Ok(fit);
        }
        let key_request = KeyRequest {
            key: Selector::Port(view.port.clone()),
            slot: None,
            secrets: Secrets::default(),
            by: Actor::Operator(caller.name.clone()),
            within: None,
        };
        match self.scheduler.check(key_request, request.profile).await {
            Ok(forecast) => foretell(&mut fit, *forecast),
            Err(refusal) => fit.refusal = Some(told(&refusal)),
        }
        Ok(fit)
    }

    /// Reads a parameter file of the old client.
    pub(super) fn import_profile(&self, request: &ProfileImport) -> Result<ImportedProfile, Refusal> {
        if request.lines.len() > MOST_LINES {
            return Err(no(Code::InputInvalid, "this is no parameter file: it has over 1000 lines"));
        }
        let room = request.lines.iter().map(|line| line.expose().len() + 1).sum();
        let mut text = Zeroizing::new(String::with_capacity(room));
        for line in &request.lines {
            text.push_str(line.expose());
            text.push('\n');
        }
        let imported = station::papers::import::read(&request.name, &text);
        Ok(ImportedProfile {
            profile: imported.profile.is_some(),
            toml: imported.toml,
            url: imported.url,
            left: imported.left.iter().map(ToString::to_string).collect(),
        })
    }
}

fn handled(handled: &Handled) -> Result<KeyHandled, Refusal> {
    handled.result.as_ref().map_err(told)?;
    let key = handled.key.as_ref();
    Ok(KeyHandled {
        key: key.and_then(|info| info.serial).map(|serial| serial.to_string()),
        model: key.map(|info| info.model.clone()),
    })
}

fn foretell(fit: &mut ProfileFit, forecast: Forecast) {
    fit.refusal = forecast.refusal.as_ref().map(told);
    fit.token = forecast.token.as_ref().map(ToString::to_string);
    fit.server = forecast.server;
    fit.unsettled = forecast.unsettled.iter().map(ToString::to_string).collect();
    fit.slot = forecast.slot.map(|fate| match fate {
        SlotFate::Written => "written".to_owned(),
        SlotFate::Erased => "erased first".to_owned(),
        SlotFate::GivenUp => {
            "erased first, if the key types a Yubico OTP like the maker's that no token of the server has"
                .to_owned()
        }
        SlotFate::Released(token) => format!("{token} released first"),
    });
    fit.proof = forecast.proof.map(|way| {
        let words = match way {
            ProofWay::TypedShort => "a short touch, and the code that it types",
            ProofWay::TypedLong => "a touch of two seconds, and the code that it types",
            _ => "a code that the station asks it for",
        };
        words.to_owned()
    });
}
