//! `watch`: ports, run and server over the whole screen, as it happens. Without a terminal, or
//! with `--json`, a line for each event.

mod backend;
mod view;

use std::time::Duration;

use control::types::{Event, EventKind};
use ratatui_core::terminal::Terminal;
use tokio::time::Instant;

use crate::command::exit::Exit;
use crate::editor::{Key, Keys};
use crate::perform::{Context, Done, Failure, json};
use crate::render;
use crate::session::console::Stop;
use backend::Remote;
use view::View;

/// Pictures come no faster: an eye sees no more, and eight keys at work send many events.
const PACE: Duration = Duration::from_millis(100);

/// Shows what happens until the operator leaves.
pub(crate) async fn watch(context: &mut Context<'_>) -> Done {
    let station = context.station;
    let mut events = context.call(station.watch()).await?;
    let plain = context.json
        || !context.console.terminal()
        || context.console.editor().is_some_and(|editor| editor.is_dumb());
    if plain {
        while let Some(event) = context.console.during(events.next()).await? {
            let event = event?;
            let text = if context.json { Some(json(&event)) } else { line(&event) };
            context.console.out(&text.unwrap_or_default()).await?;
        }
        return Ok(Exit::Done);
    }
    context.console.raw(backend::ENTER.to_vec()).await?;
    let result = show(context, &mut events).await;
    // However it ends, the terminal is left as it was.
    context.console.raw(backend::LEAVE.to_vec()).await?;
    match result {
        Ok(()) | Err(Failure::Stop(Stop::Interrupted)) => Ok(Exit::Done),
        Err(error) => Err(error),
    }
}

fn line(event: &Event) -> Option<String> {
    let time = render::time(event.at);
    let text = match (event.kind, &event.outcome, &event.run) {
        (EventKind::Snapshot, ..) => render::status(event.status.as_deref()?),
        (EventKind::Outcome | EventKind::Released, Some(outcome), _) => render::outcome(outcome),
        (EventKind::Run, _, Some(run)) => format!("run {}\n", render::run_line(run)),
        (EventKind::Mode, ..) => format!("mode {}\n", event.mode?),
        _ => render::progress(event)?,
    };
    Some(format!("{time} {text}"))
}

async fn show(context: &mut Context<'_>, events: &mut control::Incoming<Event>) -> Result<(), Failure> {
    let mut view = View::default();
    let mut keys = Keys::default();
    let mut dirty = true;
    let mut drawn = Instant::now() - PACE;
    let (columns, rows) = context.console.size();
    let Ok(mut terminal) = Terminal::new(Remote::new(columns, rows));
    loop {
        let due = drawn + PACE;
        if dirty && Instant::now() >= due && context.console.clear() {
            let (columns, rows) = context.console.size();
            terminal.backend_mut().resize(columns, rows);
            let Ok(_) = terminal.draw(|frame| view.draw(frame));
            let bytes = terminal.backend_mut().take();
            dirty = false;
            drawn = Instant::now();
            if !bytes.is_empty() {
                context.console.raw(bytes).await?;
            }
        }
        // A client that does not read gets the next picture a little later.
        let wait = if Instant::now() >= due { Instant::now() + PACE } else { due };
        tokio::select! {
            event = events.next() => match event {
                Some(event) => dirty |= view.take(event?),
                None => return Ok(()),
            },
            pressed = context.console.keys() => match pressed? {
                Some(bytes) => {
                    let pressed = bytes.iter().flat_map(|byte| keys.take(*byte)).flatten();
                    for key in pressed {
                        if matches!(key, Key::Char('q' | 'Q') | Key::Ctrl('c' | 'd')) {
                            return Ok(());
                        }
                    }
                }
                None => dirty = true,
            },
            () = tokio::time::sleep_until(wait), if dirty => {}
        }
    }
}
