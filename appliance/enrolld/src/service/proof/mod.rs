//! A change that an admin has signed: the proof that nobody between can make up.
//!
//! The SSH server says who logged in, and an SSH server that somebody has taken over says what it likes. So what
//! changes where secrets go or who may come in rests on an SSH signature over a text that the
//! daemon made: with a number of its own in it, for this one change, good once and for some minutes. The
//! numbers are in memory alone, so none outlives a start. Time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use control::Refusal;
use station::refusal::Code;

use super::refuse::no;
use crate::config::Config;

mod signature;
mod text;

pub(super) use text::{Side, protected};

/// How long a text can be signed.
const LASTS: Duration = Duration::from_secs(10 * 60);

/// How many texts may wait to be signed. An older one gives way.
const MOST: usize = 8;

/// What a signature lets happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The changes that nobody has committed come into force.
    Commit,
    /// The last commit is taken back.
    Rollback,
}

impl Deed {
    const fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Rollback => "rollback",
        }
    }
}

/// A change, from what is in force to what would be.
pub(super) struct Change<'a> {
    pub(super) deed: Deed,
    pub(super) from: Side<'a>,
    pub(super) to: Side<'a>,
}

/// The texts that wait to be signed.
#[derive(Default)]
pub(super) struct Proofs {
    offers: VecDeque<Offer>,
}

struct Offer {
    number: String,
    text: String,
    /// What the text says, by its hash with another number: to see whether it would still say the same.
    change: [u8; 32],
    made: Instant,
}

impl Proofs {
    /// The text of a change, to be signed.
    pub(super) fn offer(
        &mut self,
        change: &Change<'_>,
        station: &str,
        host_key: &str,
        now: Instant,
    ) -> String {
        self.forget(now);
        let number = data_encoding::HEXLOWER.encode(&rand::random::<[u8; 16]>());
        let text = text::text(change, station, host_key, &number);
        if self.offers.len() >= MOST {
            self.offers.pop_front();
        }
        let change = text::hash(change);
        self.offers.push_back(Offer { number, text: text.clone(), change, made: now });
        text
    }

    /// Takes a signature of a change, once; whose it is.
    pub(super) fn redeem(
        &mut self,
        change: &Change<'_>,
        armored: &[String],
        config: &Config,
        now: Instant,
    ) -> Result<String, Refusal> {
        let refuse = |why: &str| no(Code::SignatureWrong, why);
        self.forget(now);
        let signed = signature::Signed::read(armored).map_err(refuse)?;
        let admin = signed.admin(config).map_err(refuse)?;
        let wanted = text::hash(change);
        let fits = |offer: &&Offer| offer.change == wanted;
        if !self.offers.iter().any(|offer| fits(&offer)) {
            return Err(refuse(
                "no text of this change waits to be signed: it was never printed, it was printed \
                               over ten minutes ago, or the change is another by now",
            ));
        }
        let offer = self.offers.iter().filter(fits).find(|offer| signed.signs(&offer.text));
        let number = offer.map(|offer| offer.number.clone()).ok_or_else(|| {
            refuse("it signs another text than the one that the station printed for this change")
        })?;
        self.offers.retain(|offer| offer.number != number);
        Ok(admin)
    }

    fn forget(&mut self, now: Instant) {
        self.offers.retain(|offer| now.saturating_duration_since(offer.made) < LASTS);
    }
}

/// What to type where a signature is missing.
pub(super) fn lines(deed: Deed, minutes: Option<u32>) -> String {
    let (print, send) = match (deed, minutes) {
        (Deed::Commit, None) => ("config diff --to-sign", "config commit --signed -".to_owned()),
        (Deed::Commit, Some(minutes)) => {
            ("config diff --to-sign", format!("config commit confirmed {minutes} --signed -"))
        }
        (Deed::Rollback, _) => ("config diff --to-sign --rollback", "config rollback --signed -".to_owned()),
    };
    format!(
        "ssh station {print} > change\n\
         (read the file change: it has to say what you want, and nothing else)\n\
         ssh-keygen -Y sign -f KEY -n {namespace} change\n\
         ssh station {send} < change.sig",
        namespace = signature::NAMESPACE
    )
}

/// Reads what may be a signature, and forgets it: for fuzzing.
pub(super) fn examine(text: &str) {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Ok(signed) = signature::Signed::read(&lines) {
        let _ = signed.admin(&Config::default());
        let _ = signed.signs("text\n");
    }
}

#[cfg(test)]
mod tests;
