//! What became of a key, as JSON: one object a key, one line an object.

use dispatch::driver::Report;
use serde::Serialize;
use station::catalogue::Language;
use station::engine::enrollment::Ending;

/// One key's enrollment.
#[derive(Debug, Serialize)]
pub struct KeyReport {
    /// `enrolled`, `refused`, `undone`, `quarantined` or `postponed`.
    pub outcome: &'static str,
    /// The key's own serial, as its vendor prints it.
    pub serial: Option<String>,
    /// What the key is called.
    pub model: Option<String>,
    pub firmware: Option<String>,
    /// The serial of its token.
    pub token: Option<String>,
    /// The name of the enrollment, as the token bears it.
    pub enrollment: String,
    /// What the server calls itself.
    pub server: Option<String>,
    /// The proof, when there is one.
    pub proof: Option<ProofReport>,
    /// The token of the finished enrollment that was given up for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<String>,
    /// The public id of the maker's Yubico OTP that was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
    /// Why not, when it was not enrolled.
    pub refusal: Option<RefusalReport>,
    /// Every step with its duration.
    pub steps: Vec<StepReport>,
    /// The duration of all steps, in milliseconds.
    pub ms: f64,
}

/// What was proven.
#[derive(Debug, Serialize)]
pub struct ProofReport {
    /// The HOTP counter of the code.
    pub counter: u64,
    /// How many attempts it took.
    pub attempts: u8,
    /// Whether the server held the token back in its own state *verify*.
    pub verified_by_policy: bool,
}

/// Why a key was not enrolled.
#[derive(Debug, Serialize)]
pub struct RefusalReport {
    /// Such as `E2041`.
    pub code: String,
    /// A few words.
    pub title: &'static str,
    /// What is the matter.
    pub cause: &'static str,
    /// What is particular about this case.
    pub detail: String,
    /// What to do.
    pub remedy: &'static str,
}

/// One step.
#[derive(Debug, Serialize)]
pub struct StepReport {
    /// What was done.
    pub step: String,
    pub phase: &'static str,
    /// For how long, in milliseconds.
    pub ms: f64,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl From<&Report> for KeyReport {
    fn from(report: &Report) -> Self {
        let outcome = &report.outcome;
        let key = outcome.key.as_ref();
        let milliseconds = |duration: std::time::Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
        Self {
            outcome: outcome.ending.word(),
            serial: key.and_then(|key| key.serial).map(|serial| serial.to_string()),
            model: key.map(|key| key.model.clone()),
            firmware: key.map(|key| key.firmware.to_string()),
            token: outcome.token.as_ref().map(ToString::to_string),
            enrollment: outcome.enrollment.to_string(),
            server: outcome.server.clone(),
            proof: match &outcome.ending {
                Ending::Enrolled(proof) => Some(ProofReport {
                    counter: proof.counter,
                    attempts: proof.attempts,
                    verified_by_policy: proof.verified_by_policy,
                }),
                _ => None,
            },
            gone: outcome.gone.as_ref().map(|gone| gone.token.to_string()),
            given_up: outcome.given_up.clone(),
            refusal: outcome.ending.refusal().map(|refusal| {
                let text = refusal.code.text(Language::English);
                RefusalReport {
                    code: refusal.code.to_string(),
                    title: text.title,
                    cause: text.cause,
                    detail: refusal.detail.clone(),
                    remedy: text.remedy,
                }
            }),
            steps: report
                .steps
                .iter()
                .map(|step| StepReport {
                    step: step.step.clone(),
                    phase: step.phase.word(),
                    ms: milliseconds(step.took),
                    trouble: step.trouble.clone(),
                })
                .collect(),
            ms: milliseconds(report.steps.iter().map(|step| step.took).sum()),
        }
    }
}
