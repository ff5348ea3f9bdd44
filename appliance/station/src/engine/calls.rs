//! Steps as calls: each asks for one step and makes sure that what comes back fits.
//!
//! Here is also what is done about faults that pass: a server that is busy or
//! away for a moment is asked again, with growing pauses, as long as asking again
//! is harmless. A registration is not: see [`FlowContext::register`].

use core::time::Duration;
use std::sync::Arc;

use keys::device::{Answer, KeySerial, Operation};
use keys::secret::{AccessCode, Seed};

use crate::engine::flow::{FlowContext, Part};
use crate::engine::lag::Patience;
use crate::engine::record::{EnrollmentId, Record, State};
use crate::engine::server::{
    Readiness, Registered, Registration, ServerAnswer, ServerCall, ServerFault, TokenView, Verdict,
};
use crate::engine::step::{HandOver, KeyFault, Step, StepResult};
use crate::refusal::{Code, Refusal};
use crate::token::{TokenKind, TokenSerial};

/// Pauses between tries of a call that may be repeated. Together about six
/// seconds: longer than a server's restart of a worker, shorter than patience.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(750),
    Duration::from_millis(1_500),
    Duration::from_millis(3_500),
];

/// How long a registration whose answer never came is given to arrive late, before
/// it is taken for granted that what the server has is all there will be.
const LATE: Duration = Duration::from_millis(3_500);

/// The longest that a server may make us wait at a time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why a registration failed.
pub(crate) struct NotRegistered {
    pub(crate) refusal: Refusal,
    /// Whether the server may have a token of ours all the same.
    pub(crate) may_exist: bool,
}

/// What became of the second of two steps.
pub(crate) enum SecondStep {
    /// The server says what it has.
    Taken(Registered),
    /// The server took it and nobody heard what it made of it.
    Lost,
}

fn confused(wanted: &'static str) -> Refusal {
    Refusal::new(Code::Internal, format!("the step '{wanted}' was answered by something else"))
}

fn refused(fault: &ServerFault) -> Refusal {
    Refusal::new(fault.code(), fault.detail())
}

impl FlowContext {
    /// What the journal knows of a key.
    pub(crate) async fn recall(&self, key: KeySerial) -> Result<Vec<Record>, Refusal> {
        match self.ask(Step::Recall(key)).await {
            StepResult::Recalled(records) => Ok(records),
            StepResult::NotRecorded(why) => Err(Refusal::new(Code::JournalFailed, why)),
            _ => Err(confused("recall")),
        }
    }

    /// Writes a record with a new state.
    pub(crate) async fn record(&self, record: &mut Record, state: State) -> Result<(), Refusal> {
        record.state = state;
        record.at = self.now().unix;
        match self.ask(Step::Record(Box::new(record.clone()))).await {
            StepResult::Recorded => Ok(()),
            StepResult::NotRecorded(why) => Err(Refusal::new(Code::JournalFailed, why)),
            _ => Err(confused("record")),
        }
    }

    /// Asks something of the key.
    pub(crate) async fn key(&self, operation: Operation) -> Result<Answer, KeyFault> {
        match self.ask(Step::Key(operation)).await {
            StepResult::Key(result) => result,
            _ => Err(KeyFault::Unreachable("the step 'key' was answered by something else".to_owned())),
        }
    }

    /// Asks something of the server, once.
    async fn server(&self, call: ServerCall) -> Result<ServerAnswer, ServerFault> {
        match self.ask(Step::Server(call)).await {
            StepResult::Server(result) => result,
            _ => Err(ServerFault::Unknown {
                code: Code::Internal,
                detail: "the step 'server' was answered by something else".to_owned(),
                after: None,
            }),
        }
    }

    /// Asks something of the server that does no harm when it is asked twice.
    pub(crate) fn persist(
        &self,
        id: EnrollmentId,
        call: ServerCall,
    ) -> Part<'_, Result<ServerAnswer, Refusal>> {
        Box::pin(async move {
            let mut pauses = PAUSES.into_iter();
            loop {
                let fault = match self.server(call.clone()).await {
                    Ok(answer) => return Ok(answer),
                    Err(fault) => fault,
                };
                let Some(pause) = pause_after(&fault, pauses.next()) else {
                    return Err(refused(&fault));
                };
                self.pause(id, pause).await;
            }
        })
    }

    /// Waits, a little longer or shorter for each enrollment, so that many stations do not come back at once.
    pub(crate) async fn pause(&self, id: EnrollmentId, pause: Duration) {
        let until = self.now().monotonic + pause + pause.mul_f64(id.fraction() / 2.0);
        // Whatever answers a wait, the time to go on has come.
        self.ask(Step::Wait { until }).await;
    }

    /// Logs in and says what the server allows.
    pub(crate) async fn prepare(&self, id: EnrollmentId) -> Result<Readiness, Refusal> {
        match self.persist(id, ServerCall::Prepare).await? {
            ServerAnswer::Ready(readiness) => Ok(readiness),
            _ => Err(confused("prepare")),
        }
    }

    /// What the server shows under a serial now, which may be an earlier state: see [`crate::engine::lag`].
    pub(crate) async fn look(
        &self,
        id: EnrollmentId,
        serial: &TokenSerial,
    ) -> Result<Option<TokenView>, Refusal> {
        match self.persist(id, ServerCall::Look(serial.clone())).await? {
            ServerAnswer::Token(view) => Ok(view),
            _ => Err(confused("look")),
        }
    }

    /// A call that is answered by "done" and may be repeated.
    pub(crate) async fn asked(&self, id: EnrollmentId, call: ServerCall) -> Result<(), Refusal> {
        match self.persist(id, call).await? {
            ServerAnswer::Done => Ok(()),
            _ => Err(confused("done")),
        }
    }

    /// A call that ends in a verdict. It must not be repeated blindly, so the fault comes back.
    pub(crate) async fn verdict(&self, call: ServerCall) -> Result<Verdict, ServerFault> {
        match self.server(call).await? {
            ServerAnswer::Verdict(verdict) => Ok(verdict),
            _ => Err(ServerFault::Unknown {
                code: Code::Internal,
                detail: "the step 'verdict' was answered by something else".to_owned(),
                after: None,
            }),
        }
    }

    /// Waits as long as a fault asks for; says whether asking again can help.
    pub(crate) async fn wait_after(&self, id: EnrollmentId, fault: &ServerFault, attempt: usize) -> bool {
        let Some(pause) = pause_after(fault, PAUSES.get(attempt).copied()) else {
            return false;
        };
        self.pause(id, pause).await;
        true
    }

    /// Makes the token.
    ///
    /// When the answer does not come, the server is asked what it has. A token
    /// whose secret it did not confirm is worth nothing, so it is deleted and made
    /// anew, with the same secret: should the lost request arrive late after all,
    /// it changes nothing. Late requests are why it is waited first and asked then. One that is there
    /// and does not show yet is overwritten, with the same secret, too.
    pub(crate) async fn register(
        &self,
        id: EnrollmentId,
        serial: &TokenSerial,
        registration: Registration,
    ) -> Result<Registered, NotRegistered> {
        let mut may_exist = false;
        let mut attempt = 0;
        loop {
            let fault = match self.server(ServerCall::Register(Box::new(registration.clone()))).await {
                Ok(ServerAnswer::Registered(registered)) => return Ok(registered),
                Ok(_) => return Err(NotRegistered { refusal: confused("register"), may_exist: true }),
                Err(fault) => fault,
            };
            let lost = matches!(fault, ServerFault::Unknown { .. });
            may_exist |= lost;
            if !self.wait_after(id, &fault, attempt).await {
                if lost {
                    self.pause(id, LATE).await;
                }
                return Err(NotRegistered { refusal: refused(&fault), may_exist });
            }
            if lost {
                match self.look(id, serial).await {
                    Ok(None) => {}
                    Ok(Some(view)) if view.enrollment == Some(id) => {
                        if let Err(left) = self.withdraw(id, serial, Patience::AtTheDesk).await {
                            let text = format!("{}; {}", fault.detail(), left.detail);
                            let refusal = Refusal::new(fault.code(), text);
                            return Err(NotRegistered { refusal, may_exist });
                        }
                    }
                    Ok(Some(_)) => {
                        let refusal = Refusal::new(Code::SerialTaken, serial.to_string());
                        return Err(NotRegistered { refusal, may_exist });
                    }
                    Err(refusal) => {
                        let refusal = Refusal::new(Code::OutcomeUnknown, refusal.detail);
                        return Err(NotRegistered { refusal, may_exist });
                    }
                }
            }
            attempt += 1;
        }
    }

    /// Sends the station's part of a secret made in two steps.
    ///
    /// Sent twice, the part itself becomes the secret. So after a lost answer the
    /// server is asked, and the part is sent again only while the token still waits
    /// for it. What came of it shows in the echo, and in the end in the proof.
    pub(crate) async fn finish_two_step(
        &self,
        id: EnrollmentId,
        serial: &TokenSerial,
        kind: TokenKind,
        part: &Arc<Seed>,
    ) -> Result<SecondStep, Refusal> {
        let mut attempt = 0;
        loop {
            let call = ServerCall::FinishTwoStep { serial: serial.clone(), kind, part: Arc::clone(part) };
            let fault = match self.server(call).await {
                Ok(ServerAnswer::Registered(registered)) => return Ok(SecondStep::Taken(registered)),
                Ok(_) => return Err(confused("finish two-step")),
                Err(fault) => fault,
            };
            let lost = matches!(fault, ServerFault::Unknown { .. });
            if !self.wait_after(id, &fault, attempt).await {
                return Err(refused(&fault));
            }
            if lost {
                // It may still arrive, and must not find the token finished by its repetition.
                self.pause(id, LATE).await;
                match self.look(id, serial).await? {
                    Some(view) if view.enrollment == Some(id) && view.half_made => {}
                    Some(view) if view.enrollment == Some(id) => return Ok(SecondStep::Lost),
                    Some(_) => return Err(Refusal::new(Code::SerialTaken, serial.to_string())),
                    None => return Err(Refusal::new(Code::TokenVanished, serial.to_string())),
                }
            }
            attempt += 1;
        }
    }

    /// The access code that is kept with a token.
    pub(crate) async fn read_code(
        &self,
        id: EnrollmentId,
        serial: &TokenSerial,
    ) -> Result<Option<Arc<AccessCode>>, Refusal> {
        match self.persist(id, ServerCall::ReadCode(serial.clone())).await? {
            ServerAnswer::Code(code) => Ok(code),
            _ => Err(confused("read code")),
        }
    }

    /// Puts something into the hand-over file, so that it survives a power cut.
    pub(crate) async fn hand_over(&self, what: HandOver) -> Result<(), Refusal> {
        match self.ask(Step::HandOver(Box::new(what))).await {
            StepResult::Recorded => Ok(()),
            StepResult::NotRecorded(why) => Err(Refusal::new(Code::HandOverFailed, why)),
            _ => Err(confused("hand over")),
        }
    }
}

/// How long to wait before asking again; `None` when that is pointless.
fn pause_after(fault: &ServerFault, planned: Option<Duration>) -> Option<Duration> {
    let planned = planned?;
    match fault {
        ServerFault::Later { after, .. } => Some(planned.max(*after).min(LONGEST_PAUSE)),
        ServerFault::Unknown { .. } => Some(planned),
        // What keeps a login from succeeding may pass as what keeps any other call from it.
        ServerFault::NotSent {
            code: Code::ServerUnreachable | Code::ServerFault | Code::ServerBusy | Code::AnswerUnreadable,
            ..
        } => Some(planned),
        ServerFault::NotSent { .. } | ServerFault::Refused { .. } => None,
    }
}
