//! The newest lines of the log, for operators who have no other way to see it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use control::types::{Level, LogLine, LogLines};
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
    pub fn new() -> Self {
        let (lines, _) = broadcast::channel(256);
        Self { shared: Arc::new(Shared { kept: Mutex::default(), lines }) }
    }

    /// What tells the ring of lines.
    pub fn layer(&self) -> RingLayer {
        RingLayer(self.clone())
    }

    /// The newest lines that are at least so important, oldest first, to be read page by page; and those
    /// that follow.
    pub(super) fn newest(&self, count: usize, level: Level) -> (Unread, broadcast::Receiver<LogLine>) {
        let kept = self.lock();
        let follow = self.shared.lines.subscribe();
        let fit = kept.lines.iter().enumerate().filter(|(_, line)| line.level <= level);
        let first = fit.rev().take(count).last().map_or(kept.lines.len(), |(place, _)| place);
        let next = kept.forgotten + first as u64;
        let end = kept.forgotten + kept.lines.len() as u64;
        (Unread { ring: self.clone(), level, next, end, lost: kept.forgotten }, follow)
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

/// Lines of a ring that somebody reads. What the ring forgets meanwhile is lost.
pub(super) struct Unread {
    ring: Ring,
    level: Level,
    /// The next line, and the one behind the last, counted since the start.
    next: u64,
    end: u64,
    lost: u64,
}

impl Unread {
    /// The next lines, at least one if there are any, and whether others follow.
    pub(super) fn page(&mut self, bytes: usize) -> (LogLines, bool) {
        let kept = self.ring.lock();
        let missed = kept.forgotten.min(self.end).saturating_sub(self.next);
        self.next += missed;
        self.lost += missed;
        let (mut lines, mut size) = (Vec::new(), 0);
        while self.next < self.end {
            let place = usize::try_from(self.next - kept.forgotten).unwrap_or(usize::MAX);
            let Some(line) = kept.lines.get(place) else { break };
            if line.level <= self.level {
                size += line.text.len() + line.target.len() + 80;
                if size > bytes && !lines.is_empty() {
                    break;
                }
                lines.push(line.clone());
            }
            self.next += 1;
        }
        let lost = i64::try_from(std::mem::take(&mut self.lost)).unwrap_or(i64::MAX);
        (LogLines { lines, lost }, self.next < self.end)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize) -> LogLine {
        let level = if number.is_multiple_of(2) { Level::Info } else { Level::Debug };
        LogLine { at: now(), level, target: "t".to_owned(), text: number.to_string() }
    }

    fn read(unread: &mut Unread, bytes: usize) -> (Vec<String>, i64, Vec<usize>) {
        let (mut texts, mut lost, mut sizes) = (Vec::new(), 0, Vec::new());
        loop {
            let (page, more) = unread.page(bytes);
            sizes.push(page.lines.len());
            lost += page.lost;
            texts.extend(page.lines.into_iter().map(|line| line.text));
            if !more {
                return (texts, lost, sizes);
            }
        }
    }

    #[test]
    fn the_newest_lines_are_read_page_by_page() {
        let ring = Ring::new();
        (0..10).for_each(|number| ring.push(line(number)));
        let (mut unread, _) = ring.newest(3, Level::Info);
        assert_eq!(read(&mut unread, 200), (["4", "6", "8"].map(str::to_owned).into(), 0, vec![2, 1]));
        let (mut unread, _) = ring.newest(100, Level::Trace);
        assert_eq!(read(&mut unread, 1).2, vec![1; 10], "one line at least");
        let (mut unread, _) = ring.newest(0, Level::Trace);
        assert_eq!(read(&mut unread, 100).2, vec![0]);
    }

    #[test]
    fn what_is_forgotten_while_nobody_reads_is_lost_and_counted() {
        let ring = Ring::new();
        (0..KEPT).for_each(|number| ring.push(line(number)));
        let (mut unread, _) = ring.newest(10, Level::Trace);
        (0..KEPT - 3).for_each(|number| ring.push(line(number)));
        let (texts, lost, _) = read(&mut unread, 100_000);
        assert_eq!((texts.len(), lost), (3, 7));
        (0..KEPT).for_each(|number| ring.push(line(number)));
        let (mut unread, _) = ring.newest(KEPT, Level::Trace);
        assert_eq!(
            read(&mut unread, 100_000).1,
            i64::try_from(2 * KEPT - 3).unwrap(),
            "what was forgotten before is told"
        );
    }
}
