//! Conversations written as straight-line code.
//!
//! A [`Script`] is an `async` function that waits for nothing but the reply to a
//! request. Polling it with a waker that does nothing runs it up to its next
//! request, so it needs no executor, and the order of a long exchange can be
//! read from top to bottom.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::conversation::{Conversation, Hint, Reply, Report, Request, Turn};
use crate::device::KeyError;

type Code<T> = Pin<Box<dyn Future<Output = Result<T, KeyError>> + Send>>;

/// A conversation that is code.
pub(crate) struct Script<T> {
    /// Gone when the conversation is over.
    code: Option<Code<T>>,
    line: Line,
    due: Due,
}

/// The reply that is due, and no other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    Start,
    Sent,
    Report,
    Packet,
    Silence,
}

/// The code's own end of the exchange: how it asks for things.
#[derive(Clone)]
pub(crate) struct Line(Arc<Mutex<Passing>>);

struct Passing {
    request: Option<Request>,
    reply: Option<Reply>,
    now: Duration,
    hint: Option<Hint>,
}

impl<T> Script<T> {
    /// A conversation that `code` holds over the line it is given.
    pub(crate) fn new<F>(code: impl FnOnce(Line) -> F) -> Self
    where
        F: Future<Output = Result<T, KeyError>> + Send + 'static,
    {
        let passing = Passing { request: None, reply: None, now: Duration::ZERO, hint: None };
        let line = Line(Arc::new(Mutex::new(passing)));
        Self { code: Some(Box::pin(code(line.clone()))), line, due: Due::Start }
    }

    fn fits(&self, reply: Option<&Reply>) -> Result<(), KeyError> {
        match (self.due, reply) {
            (Due::Start, None)
            | (Due::Sent, Some(Reply::Sent))
            | (Due::Report, Some(Reply::Report(_)))
            | (Due::Packet, Some(Reply::Report(_) | Reply::Silence))
            | (Due::Silence, Some(Reply::Silence)) => Ok(()),
            (_, None) => Err(KeyError::Confused("a reply is missing")),
            (_, Some(_)) => Err(KeyError::Confused("a reply that was not asked for")),
        }
    }
}

impl<T> Conversation for Script<T> {
    type Output = T;

    fn turn(&mut self, now: Duration, reply: Option<Reply>) -> Result<Turn<T>, KeyError> {
        self.fits(reply.as_ref())?;
        let code = self.code.as_mut().ok_or(KeyError::Confused("the conversation is over"))?;
        {
            let mut passing = self.line.lock();
            passing.now = now;
            passing.reply = reply;
        }
        if let Poll::Ready(result) = code.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            self.code = None;
            return result.map(Turn::Done);
        }
        let request = self.line.lock().request.take();
        let request = request.ok_or(KeyError::Confused("the conversation asks for nothing"))?;
        self.due = match request {
            Request::SetFeature(_) | Request::Out(_) => Due::Sent,
            Request::GetFeature { .. } => Due::Report,
            Request::In { .. } => Due::Packet,
            Request::Wait { .. } => Due::Silence,
        };
        Ok(Turn::Do(request))
    }

    fn hint(&self) -> Option<Hint> {
        self.line.lock().hint
    }
}

impl Line {
    /// The time at which the last reply came.
    pub(crate) fn now(&self) -> Duration {
        self.lock().now
    }

    /// Says what the person at the desk should do from now on.
    pub(crate) fn suggest(&self, hint: Option<Hint>) {
        self.lock().hint = hint;
    }

    /// Sends a feature report.
    pub(crate) async fn set_feature(&self, report: &[u8]) -> Result<(), KeyError> {
        let report = Report::new(report).ok_or(KeyError::Confused("a report of more than 64 bytes"))?;
        self.ask(Request::SetFeature(report)).await;
        Ok(())
    }

    /// Reads a feature report.
    pub(crate) async fn feature(&self, length: usize) -> Result<Report, KeyError> {
        match self.ask(Request::GetFeature { length }).await {
            Some(Reply::Report(report)) => Ok(report),
            _ => Err(KeyError::Confused("a report is missing")),
        }
    }

    /// Sends a packet.
    pub(crate) async fn output(&self, packet: &[u8]) -> Result<(), KeyError> {
        let packet = Report::new(packet).ok_or(KeyError::Confused("a packet of more than 64 bytes"))?;
        self.ask(Request::Out(packet)).await;
        Ok(())
    }

    /// Reads a packet, unless none comes by `until`.
    pub(crate) async fn input(&self, until: Duration) -> Option<Report> {
        match self.ask(Request::In { until }).await {
            Some(Reply::Report(packet)) => Some(packet),
            _ => None,
        }
    }

    /// Lets time pass.
    pub(crate) async fn rest(&self, until: Duration) {
        self.ask(Request::Wait { until }).await;
    }

    async fn ask(&self, request: Request) -> Option<Reply> {
        self.lock().request = Some(request);
        let mut asked = false;
        core::future::poll_fn(|_| {
            if core::mem::replace(&mut asked, true) {
                Poll::Ready(self.lock().reply.take())
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// A panic elsewhere cannot leave it half-written: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, Passing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo() -> Script<Vec<u8>> {
        Script::new(|line| async move {
            line.set_feature(&[1]).await?;
            line.suggest(Some(Hint::TouchWanted { seconds_left: 3 }));
            let report = line.feature(8).await?;
            line.suggest(None);
            line.rest(line.now() + Duration::from_secs(1)).await;
            Ok(report.bytes().to_vec())
        })
    }

    #[test]
    fn code_runs_from_request_to_request() {
        let mut script = echo();
        let Turn::Do(Request::SetFeature(sent)) = script.turn(Duration::ZERO, None).unwrap() else {
            panic!()
        };
        assert_eq!(sent.bytes(), [1]);
        assert_eq!(script.hint(), None);
        let turn = script.turn(Duration::ZERO, Some(Reply::Sent)).unwrap();
        assert!(matches!(turn, Turn::Do(Request::GetFeature { length: 8 })));
        assert_eq!(script.hint(), Some(Hint::TouchWanted { seconds_left: 3 }));
        let now = Duration::from_secs(5);
        let shown = Report::new(&[9; 8]).unwrap();
        let Turn::Do(Request::Wait { until }) = script.turn(now, Some(Reply::Report(shown))).unwrap() else {
            panic!()
        };
        assert_eq!(until, Duration::from_secs(6));
        assert_eq!(script.hint(), None);
        let Turn::Done(bytes) = script.turn(until, Some(Reply::Silence)).unwrap() else { panic!() };
        assert_eq!(bytes, [9; 8]);
        assert!(matches!(script.turn(until, Some(Reply::Silence)), Err(KeyError::Confused(_))));
    }

    #[test]
    fn only_the_reply_that_is_due_is_taken() {
        assert!(matches!(echo().turn(Duration::ZERO, Some(Reply::Sent)), Err(KeyError::Confused(_))));
        let mut script = echo();
        script.turn(Duration::ZERO, None).unwrap();
        assert!(matches!(script.turn(Duration::ZERO, None), Err(KeyError::Confused(_))));
        assert!(matches!(script.turn(Duration::ZERO, Some(Reply::Silence)), Err(KeyError::Confused(_))));
        assert!(script.turn(Duration::ZERO, Some(Reply::Sent)).is_ok());
    }
}
