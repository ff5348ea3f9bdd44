//! Which keys are welcome, as operators see and change it.

use control::Refusal;
use control::types::{WelcomeRule, WelcomeRules};

use super::Service;
use super::translate::whole;

impl Service {
    /// The rules in force.
    pub(super) fn welcome_rules(&self) -> WelcomeRules {
        let rules = self.config().welcome.rules.clone();
        let told = |(at, rule): (usize, &station::welcome::Rule)| WelcomeRule {
            number: whole(at + 1),
            name: rule.name.clone(),
            toml: toml::to_string(rule).unwrap_or_default(),
        };
        WelcomeRules { rules: rules.iter().enumerate().map(told).collect() }
    }

    /// Adds a rule to what is pending; what would change then.
    pub(super) fn add_welcome(&self, toml: &str) -> Result<String, Refusal> {
        let mut changes = super::lock(&self.changes);
        changes.add_welcome(toml)?;
        changes.diff()
    }

    /// Takes a rule out of what is pending; what would change then.
    pub(super) fn remove_welcome(&self, number: u32) -> Result<String, Refusal> {
        let mut changes = super::lock(&self.changes);
        changes.remove_welcome(number)?;
        changes.diff()
    }
}
