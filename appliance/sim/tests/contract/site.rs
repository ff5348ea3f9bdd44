//! Where a case takes place: a server, and what can be done to it from outside.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use twins::privacyidea::tls::{Authority, Variant};
use twins::privacyidea::{Fault, Lag, Options, ServerTwin, Version, front};

use crate::Broken;
use crate::observer::Observer;
use crate::real::Real;

/// A server for one case.
pub(crate) struct Site {
    pub(crate) url: String,
    /// The authority to trust, as PEM.
    pub(crate) ca: Vec<u8>,
    /// The certificate that the server shows, as DER.
    pub(crate) certificate: Vec<u8>,
    pub(crate) observer: Arc<Observer>,
    kind: Kind,
}

enum Kind {
    Twin { twin: Arc<Mutex<ServerTwin>>, authority: Arc<Authority>, fronts: Mutex<Vec<front::Server>> },
    Real(Arc<Real>),
}

impl Site {
    /// A twin of its own for a case.
    pub(crate) async fn twin(
        version: Version,
        authority: Arc<Authority>,
        policies: &[&str],
    ) -> Result<Self, Broken> {
        let mut twin = ServerTwin::new(Options { version, ..Options::default() });
        for preset in policies {
            twin.policy_set(preset)?;
        }
        let twin = Arc::new(Mutex::new(twin));
        let (tls, certificate) = authority.identity(Variant::Good)?;
        let front = front::serve(Arc::clone(&twin), front::listen(0).await?, Some(tls), Duration::ZERO)?;
        let url = format!("https://{}", front.address());
        let ca = authority.pem().into_bytes();
        let observer = Arc::new(Observer::new(&url, &ca)?);
        let kind = Kind::Twin { twin, authority, fronts: Mutex::new(vec![front]) };
        Ok(Self { url, ca, certificate: certificate.to_vec(), observer, kind })
    }

    /// The real server, which all cases share.
    pub(crate) fn real(real: &Arc<Real>) -> Self {
        Self {
            url: real.url.clone(),
            ca: real.ca.clone(),
            certificate: real.certificate.clone(),
            observer: Arc::clone(&real.observer),
            kind: Kind::Real(Arc::clone(real)),
        }
    }

    /// Lets faults wait for their requests.
    pub(crate) fn add_faults(&self, faults: &[Fault]) -> Result<(), Broken> {
        match &self.kind {
            Kind::Twin { twin, .. } => {
                let mut twin = twin.lock().unwrap_or_else(PoisonError::into_inner);
                faults.iter().for_each(|fault| twin.fault_add(fault.clone()));
                Ok(())
            }
            Kind::Real(real) => real.add_faults(faults),
        }
    }

    /// Takes back the faults that have not happened.
    pub(crate) fn clear_faults(&self) -> Result<(), Broken> {
        match &self.kind {
            Kind::Twin { twin, .. } => {
                twin.lock().unwrap_or_else(PoisonError::into_inner).fault_clear();
                Ok(())
            }
            Kind::Real(real) => real.clear_faults(),
        }
    }

    /// By how much what a twin shows is behind from now on.
    pub(crate) fn set_lag(&self, lag: Lag) {
        if let Kind::Twin { twin, .. } = &self.kind {
            twin.lock().unwrap_or_else(PoisonError::into_inner).set_lag(lag);
        }
    }

    /// Waits until a twin has acted on what it was slow with. Whoever begins anew before that meets a race that
    /// no client can win: what was asked of an earlier token happens to the new one of the same serial.
    pub(crate) async fn caught_up(&self) {
        let Kind::Twin { fronts, .. } = &self.kind else { return };
        let fronts: Vec<_> = {
            let fronts = fronts.lock().unwrap_or_else(PoisonError::into_inner);
            fronts.iter().map(front::Server::caught_up).collect()
        };
        for caught_up in fronts {
            caught_up.await;
        }
    }

    /// A long-lived key of this role.
    pub(crate) fn api_key(&self, role: &str) -> Result<String, Broken> {
        match &self.kind {
            Kind::Twin { twin, .. } => {
                let day = Duration::from_secs(86_400);
                let mut twin = twin.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(twin.api_key(role, day, UNIX_EPOCH.elapsed()?))
            }
            Kind::Real(real) => real.api_key(role),
        }
    }

    /// The address of the same kind of server with another certificate.
    pub(crate) async fn with_certificate(&self, variant: Variant) -> Result<String, Broken> {
        match &self.kind {
            Kind::Twin { twin, authority, fronts } => {
                let tls = Some(authority.acceptor(variant)?);
                let front = front::serve(Arc::clone(twin), front::listen(0).await?, tls, Duration::ZERO)?;
                let url = format!("https://{}", front.address());
                fronts.lock().unwrap_or_else(PoisonError::into_inner).push(front);
                Ok(url)
            }
            Kind::Real(real) => real.with_certificate(variant),
        }
    }

    /// The secret of a token, which only a twin tells.
    pub(crate) fn secret(&self, serial: &str) -> Option<Vec<u8>> {
        match &self.kind {
            Kind::Twin { twin, .. } => {
                let twin = twin.lock().unwrap_or_else(PoisonError::into_inner);
                twin.token(serial).map(|token| token.secret_for_tests())
            }
            Kind::Real(_) => None,
        }
    }
}
