//! Servers that are several machines behind one name, whose reads lag behind writes.
//!
//! What such a server has acknowledged may not show for a second or a minute, and what it shows may
//! be an earlier state. So one look that does not show a token proves nothing: it is looked again, for a
//! bounded time. That a token is gone is believed
//!
//! * when it does not show *after* its deletion was acknowledged, or
//! * when it has not shown for as long as a change may take to show ([`LAG`], unless the configuration
//!   says otherwise), and nothing can have been asked of the server meanwhile.
//!
//! Until then an enrollment that is taken back is *postponed*, not *undone*, and recovery goes on looking.
//! At a server that shows at once what it has done, nothing of this costs a request: the first look is as
//! expected, and only a deletion is looked at once more.

use core::time::Duration;

pub use crate::engine::flow::LAG;
use crate::engine::flow::{FlowContext, Part};
use crate::engine::record::{EnrollmentId, Record};
use crate::engine::server::{ServerCall, TokenView};
use crate::refusal::{Code, Refusal};
use crate::token::TokenSerial;

/// How long a change is waited for while somebody is at the desk.
const AT_THE_DESK: Duration = Duration::from_secs(10);

/// The pause after the first look; each further one is twice as long, up to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// How many rows of looks recovery makes at most for one token, each as long as a change may take to show.
const ROWS: u32 = 4;

/// What slow answers may add to that.
const SLOW: Duration = Duration::from_secs(120);

/// How long it is looked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Somebody waits at the desk. Recovery does what is left.
    AtTheDesk,
    /// Until it is certain.
    Recovery,
}

/// One row of looks.
struct Looks {
    begun: Duration,
    patience: Duration,
    pause: Duration,
    /// How many pauses may still be cut short, which whoever cancels does.
    cuts: u8,
}

impl Looks {
    fn begin(cx: &FlowContext, patience: Patience) -> Self {
        let patience = match patience {
            Patience::AtTheDesk => AT_THE_DESK.min(cx.lag()),
            Patience::Recovery => cx.lag(),
        };
        Self { begun: cx.now().monotonic, patience, pause: FIRST_PAUSE, cuts: 4 }
    }

    /// Waits for the next one; `false` when it has been waited long enough.
    async fn again(&mut self, cx: &FlowContext, id: EnrollmentId) -> bool {
        let now = cx.now().monotonic;
        let passed = now.saturating_sub(self.begun);
        if passed >= self.patience || self.cuts == 0 {
            return false;
        }
        // The last one comes when the time is over, and not before.
        let pause = self.pause.min(self.patience.saturating_sub(passed));
        cx.pause(id, pause).await;
        if cx.now().monotonic.saturating_sub(now) < pause {
            self.cuts -= 1;
        }
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        true
    }
}

impl FlowContext {
    /// Looks at a token until what it shows `fits`; the last view when time is over.
    pub(crate) fn look_until<'a>(
        &'a self,
        id: EnrollmentId,
        serial: &'a TokenSerial,
        patience: Patience,
        fits: impl Fn(&TokenView) -> bool + Send + 'a,
    ) -> Part<'a, Result<Option<TokenView>, Refusal>> {
        Box::pin(async move {
            let mut looks = Looks::begin(self, patience);
            loop {
                let view = self.look(id, serial).await?;
                if view.as_ref().is_some_and(&fits) || !looks.again(self, id).await {
                    return Ok(view);
                }
            }
        })
    }

    /// Looks at a token that was made until it shows as the one of this enrollment.
    pub(crate) async fn look_at_made(
        &self,
        id: EnrollmentId,
        serial: &TokenSerial,
    ) -> Result<TokenView, Refusal> {
        match self.look_until(id, serial, Patience::AtTheDesk, |view| view.enrollment == Some(id)).await? {
            Some(view) if view.enrollment == Some(id) => Ok(view),
            Some(_) => {
                Err(Refusal::new(Code::ServerContradicts, "another enrollment's token is shown in its place"))
            }
            None => Err(Refusal::new(Code::ServerLags, format!("made, and not shown: token {serial}"))),
        }
    }

    /// Deletes the token of an enrollment, and no other: only one that bears its name. Comes back
    /// without a refusal when it is certain that it is gone.
    pub(crate) fn withdraw<'a>(
        &'a self,
        id: EnrollmentId,
        serial: &'a TokenSerial,
        patience: Patience,
    ) -> Part<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let mut looks = Looks::begin(self, patience);
            let last = self.now().monotonic + self.lag() * ROWS + SLOW;
            // What can be certain in so short a time is waited for.
            let certain = patience == Patience::Recovery || self.lag() <= AT_THE_DESK;
            let mut acknowledged = false;
            let mut tried = false;
            let mut absent_since = None;
            loop {
                let shown = self.look(id, serial).await?.is_some_and(|view| view.enrollment == Some(id));
                if shown {
                    absent_since = None;
                    if !acknowledged {
                        acknowledged = self.delete(id, serial).await?;
                        if acknowledged {
                            // Most servers show at once that it is gone.
                            looks = Looks::begin(self, patience);
                            continue;
                        }
                        if !tried {
                            tried = true;
                            looks = Looks::begin(self, patience);
                        }
                    }
                } else {
                    let now = self.now().monotonic;
                    if absent_since.is_none() && certain {
                        // From here on it takes as long again to be certain.
                        looks = Looks::begin(self, patience);
                    }
                    let since = *absent_since.get_or_insert(now);
                    if acknowledged || now.saturating_sub(since) >= self.lag() {
                        return Ok(());
                    }
                }
                // A server whose machines never agree ends it, too.
                let over = self.now().monotonic > last;
                if over || !looks.again(self, id).await {
                    let words = if acknowledged {
                        "deleted, and shown all the same"
                    } else if shown {
                        "shown, and not there when it was to be deleted"
                    } else {
                        "not shown, and perhaps there"
                    };
                    return Err(Refusal::new(Code::ServerLags, format!("{words}: token {serial}")));
                }
            }
        })
    }

    /// The same for a token that was shown to be there long ago, so that it is gone when it does
    /// not show.
    pub(crate) async fn withdraw_settled(
        &self,
        record: &Record,
        settled: bool,
        patience: Patience,
    ) -> Result<(), Refusal> {
        let (id, serial) = (record.enrollment, &record.token);
        if settled && self.look(id, serial).await?.is_none_or(|view| view.enrollment != Some(id)) {
            return Ok(());
        }
        self.withdraw(id, serial, patience).await
    }

    /// Whether the last change of an enrollment shows everywhere by now.
    pub(crate) fn shows_everywhere(&self, record: &Record) -> bool {
        self.now().unix.saturating_sub(record.at) >= self.lag()
    }

    /// Whether a deletion was acknowledged: a machine that has not heard of the token yet says
    /// that there is none, and that is no deletion.
    async fn delete(&self, id: EnrollmentId, serial: &TokenSerial) -> Result<bool, Refusal> {
        // The second time it may be another machine.
        for _ in 0..2 {
            match self.asked(id, ServerCall::Delete(serial.clone())).await {
                Ok(()) => return Ok(true),
                Err(refusal) if refusal.code == Code::TokenVanished => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(false)
    }

    /// A call about a token that was made, which is answered by "done" and may be repeated. A machine
    /// that has not heard of the token yet is asked again.
    pub(crate) fn done(&self, id: EnrollmentId, call: ServerCall) -> Part<'_, Result<(), Refusal>> {
        Box::pin(async move {
            let mut looks = Looks::begin(self, Patience::AtTheDesk);
            loop {
                let answer = self.asked(id, call.clone()).await;
                let unheard = answer.as_ref().is_err_and(|refusal| refusal.code == Code::TokenVanished);
                if !unheard || !looks.again(self, id).await {
                    return answer;
                }
            }
        })
    }
}
