//! The log: to the journal with priorities, to a terminal in colours, and into the ring
//! that operators read.

use std::fmt::{self, Write as _};
use std::io::{IsTerminal, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::service::Ring;

/// The variable that says what is logged, such as `debug` or `enrolld=trace`.
pub const VARIABLE: &str = "ENROLLD_LOG";

/// Begins logging to standard error; lines go to the ring as well. Once a process.
pub fn begin(ring: &Ring) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter).with(ring.layer());
    // A second beginning is a test's; its lines go where the first one's go.
    let _ = if std::io::stderr().is_terminal() {
        registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr)).try_init()
    } else {
        registry.with(Priorities).try_init()
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        // What it says may quote what it failed on, so only the place is told.
        tracing::error!("a defect: panic at {place}");
    }));
}

/// Lines with the priority in front, as sd-daemon(3) has it; the journal adds the time.
struct Priorities;

impl<S: Subscriber> Layer<S> for Priorities {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        let mut text = Text(String::new());
        event.record(&mut text);
        let text = control::clean::shown_long(&text.0);
        // There is nowhere to say that the log cannot be written.
        let _ = writeln!(std::io::stderr().lock(), "<{priority}>{}: {text}", event.metadata().target());
    }
}

/// The words of an event: its message, then its fields.
pub(crate) struct Text(pub(crate) String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let gap = if self.0.is_empty() { "" } else { " " };
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{gap}{value:?}"),
            name => write!(self.0, "{gap}{name}={value:?}"),
        };
    }
}
