//! The newest lines of the log, for operators who have no other way to see it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use control::types::{Level, LogLine};
use tokio::sync::broadcast;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::credential::now;
use crate::logging::Text;

/// How many lines are kept.
const KEPT: usize = 2000;

/// The longest line, in bytes; the rest is cut.
const LONGEST: usize = 2000;

/// The newest lines. Copies share them.
#[derive(Clone)]
pub struct Ring {
    shared: Arc<Shared>,
}

struct Shared {
    kept: Mutex<Kept>,
    lines: broadcast::Sender<LogLine>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<LogLine>,
    forgotten: u64,
}

impl Ring {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let (lines, _) = broadcast::channel(256);
        Self { shared: Arc::new(Shared { kept: Mutex::default(), lines }) }
    }

    /// What tells the ring of lines.
    #[must_use]
    pub fn layer(&self) -> RingLayer {
        RingLayer(self.clone())
    }

    /// The newest lines that are at least so important, oldest first; how many are
    /// forgotten; and those that follow.
    pub(super) fn newest(
        &self,
        count: usize,
        level: Level,
    ) -> (Vec<LogLine>, u64, broadcast::Receiver<LogLine>) {
        let kept = self.lock();
        let follow = self.shared.lines.subscribe();
        let fit: Vec<&LogLine> = kept.lines.iter().filter(|line| line.level <= level).collect();
        let skipped = fit.len().saturating_sub(count);
        (fit.into_iter().skip(skipped).cloned().collect(), kept.forgotten, follow)
    }

    fn push(&self, line: LogLine) {
        let mut kept = self.lock();
        if kept.lines.len() == KEPT {
            kept.lines.pop_front();
            kept.forgotten += 1;
        }
        kept.lines.push_back(line.clone());
        // Nobody follows the log most of the time.
        let _ = self.shared.lines.send(line);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self::new()
    }
}

/// Tells a [`Ring`] of lines.
pub struct RingLayer(Ring);

impl<S: Subscriber> Layer<S> for RingLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let about = event.metadata();
        let level = match *about.level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::TRACE => Level::Trace,
        };
        let text: String = text.0.chars().take(LONGEST).collect();
        self.0.push(LogLine { at: now(), level, target: about.target().to_owned(), text });
    }
}
