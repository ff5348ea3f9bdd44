//! The cases, a room for each subject.

mod certificates;
mod faults;
mod finished;
mod keys;
mod kinds;
mod locks;
mod logins;
mod machines;
mod old_client;
mod people;
mod phones;
mod policies;
mod registration;
mod releases;
mod sessions;
mod two_step;

use std::future::Future;
use std::pin::Pin;

use twins::privacyidea::{Lag, Mode, Version};

use crate::Broken;
use crate::plan::Plan;
use crate::play;
use crate::site::Site;
use crate::story::Story;

/// A course that is told in code, because more than one enrollment is in it.
pub(crate) type Script = fn(Site) -> Pin<Box<dyn Future<Output = Result<Story, Broken>> + Send>>;

/// One case.
pub(crate) struct Case {
    pub(crate) name: String,
    /// What the server has in force.
    pub(crate) policies: Vec<&'static str>,
    /// How long it takes, compared with others.
    pub(crate) weight: u32,
    act: Act,
}

enum Act {
    Plan(Box<Plan>),
    Script(Script),
}

impl Case {
    /// A case told in code.
    pub(crate) fn script(name: &str, policies: &[&'static str], script: Script) -> Self {
        let act = Act::Script(script);
        Self { name: name.to_owned(), policies: policies.to_vec(), weight: 20, act }
    }

    /// Plays it.
    pub(crate) async fn play(self, site: Site) -> Result<Story, Broken> {
        match self.act {
            Act::Plan(plan) => play::play(&plan, site).await,
            Act::Script(script) => script(site).await,
        }
    }
}

impl From<Plan> for Case {
    fn from(plan: Plan) -> Self {
        // Pauses between tries are what takes long.
        let slow = |fault: &twins::privacyidea::Fault| if fault.mode == Mode::Slow { 3 } else { 1 };
        let tries: u32 = plan.faults.iter().map(|fault| fault.shots.min(6) * slow(fault)).sum();
        let tries = tries + if plan.behind == Lag::default() { 0 } else { 6 };
        let (name, policies) = (plan.name.clone(), plan.policies.clone());
        Self { name, policies, weight: tries, act: Act::Plan(Box::new(plan)) }
    }
}

/// All cases for a server of this version; at a real one, those that it is worth the time.
pub(crate) fn of(version: Version, real: bool) -> Vec<Case> {
    let mut plans = [policies::plans(version), people::plans(), faults::plans(version, real)].concat();
    plans.extend([kinds::plans(version), two_step::plans(version)].concat());
    // These have to do with the server's version so little that two twins are enough.
    if real || matches!(version, Version::V3_14 | Version::V3_9_3) {
        plans.extend([logins::plans(), certificates::plans(), keys::plans(), locks::plans()].concat());
    }
    if !real && version == Version::V3_14 {
        plans.extend(machines::plans());
    }
    let plans = plans.into_iter().filter(|plan| plan.real || !real);
    let mut cases: Vec<Case> = plans.map(|plan| plan.keeping_secrets(version).into()).collect();
    cases.extend(finished::cases(version));
    cases.extend(sessions::cases(version));
    cases.extend(releases::cases(version));
    cases.extend(phones::cases(version));
    cases.extend(registration::cases(version));
    cases.extend(old_client::cases(version));
    cases
}
