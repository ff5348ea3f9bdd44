//! Progress for a person at a terminal, on standard error.

use std::io::IsTerminal;
use std::time::Duration;

use dispatch::event::{Event, What};
use keys::device::{Firmware, ProofWay};
use panel::{self, Glass, Scene, View};
use station::catalogue::Language;
use station::engine::enrollment::Ending;
use station::engine::step::Phase;

/// Writes events as lines.
#[derive(Debug, Clone, Copy)]
pub struct Teller {
    quiet: bool,
    colour: bool,
}

impl Teller {
    /// A teller; a quiet one says nothing.
    pub fn new(quiet: bool) -> Self {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { quiet, colour }
    }

    /// A line of its own.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Says what was typed. The code is used up the moment it is checked.
    pub fn typed(&self, text: &str) {
        self.line(&format!("    the key types         {}", self.paint("1", text.trim_end())));
    }

    /// Draws what the display shows, small enough to stand between other lines.
    pub fn panel(&self, view: &View) {
        let scene = Scene::new(view, Glass::Tall, panel::Language::English, Duration::ZERO);
        for line in panel::twin::braille(&scene.frame()).lines() {
            self.line(&format!("        {line}"));
        }
    }

    /// Says what happened.
    pub fn event(&self, event: &Event) {
        match &event.what {
            What::Entered(phase) => self.line(&self.paint("36", &format!("  {}", heading(*phase)))),
            What::Step(step) => {
                let took = format!("{:8.1} ms", step.took.as_secs_f64() * 1e3);
                let trouble = step
                    .trouble
                    .as_ref()
                    .map(|why| self.paint("33", &format!("  {why}")))
                    .unwrap_or_default();
                self.line(&format!("    {:<20} {took}{trouble}", step.step));
            }
            What::TouchWanted { way, within, attempt, attempts, torn } => {
                let how = if *way == ProofWay::TypedLong { "for two seconds" } else { "shortly" };
                if *torn > 0 {
                    self.line("    the last code did not arrive whole");
                }
                let text = format!(
                    "touch the key {how} (port {}, within {} s, attempt {attempt} of {attempts})",
                    event.port,
                    within.as_secs()
                );
                self.line(&format!("    {}", self.paint("1", &text)));
            }
            What::KeyWaits { waiting: true } => self.line("    the key waits for a touch"),
            What::Typed { .. } | What::KeyWaits { .. } => {}
            What::Ended(outcome) => {
                let token = outcome.token.as_ref().map(ToString::to_string).unwrap_or_default();
                let key =
                    outcome.key.as_ref().map_or_else(String::new, |key| named(&key.model, key.firmware));
                match &outcome.ending {
                    Ending::Enrolled(proof) => self.line(&self.paint(
                        "32",
                        &format!(
                            "  enrolled: {token} on {key}, proven by code {} and accepted by the server",
                            proof.counter
                        ),
                    )),
                    ending => {
                        let Some(refusal) = ending.refusal() else { return };
                        let text = refusal.code.text(Language::English);
                        self.line(
                            &self.paint(
                                "31",
                                &format!("  {}: {} {}", ending.word(), refusal.code, text.title),
                            ),
                        );
                        self.line(&format!("    {}", text.cause));
                        if !refusal.detail.is_empty() {
                            self.line(&format!("    ({})", refusal.detail));
                        }
                        self.line(&format!("    {}", text.remedy));
                    }
                }
                if let Some(gone) = &outcome.gone {
                    let whose =
                        gone.person.as_ref().map(|person| format!(" of {person}")).unwrap_or_default();
                    self.line(&format!("    gone for good: token {}{whose}", gone.token));
                }
                if let Some(public_id) = &outcome.given_up {
                    self.line(&format!(
                        "    gone for good: the Yubico OTP {public_id} with which the key was sold"
                    ));
                }
            }
            _ => {}
        }
    }
}

fn named(model: &str, firmware: Firmware) -> String {
    format!("{model} (firmware {firmware})")
}

const fn heading(phase: Phase) -> &'static str {
    match phase {
        Phase::Inspecting => "inspect the key",
        Phase::Checking => "check that it can succeed",
        Phase::Registering => "register the token",
        Phase::Writing => "write the key",
        Phase::Proving => "prove it",
        Phase::Finishing => "let it count",
        Phase::Noting => "write it down",
        Phase::Undoing => "take everything back",
        Phase::Recovering => "put right what was left",
    }
}
