//! The station itself: mode, panel, log, schemas.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use control::CallError;
use control::types::{self, Level, Logs, Mode, Panel, SetMode};
use tokio::signal::unix::{SignalKind, signal};

use super::{Context, Done, json};
use crate::command::exit::Exit;
use crate::command::table;
use crate::command::tree::{LevelWord, ModeWord};
use crate::render;

pub(super) async fn mode(context: &mut Context<'_>, mode: Option<ModeWord>, profile: Option<String>) -> Done {
    let station = context.station;
    let status = match mode {
        None => context.call(station.status()).await?,
        Some(word) => {
            let mode = match word {
                ModeWord::Armed => Mode::Armed,
                ModeWord::Attended => Mode::Attended,
                ModeWord::Locked => Mode::Locked,
            };
            context.call(station.set_mode(&SetMode { mode: Some(mode), profile })).await?
        }
    };
    context.print(&status, |status| format!("{}\n", status.mode)).await
}

/// A daemon that refuses says so at once. One that has asked for the end of the station answers when that begins, or
/// says that it did not.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Has the station end, and stays until it does: it has begun when the daemon says so or is gone, or when this program
/// is asked to end.
pub(super) async fn ends(
    context: &mut Context<'_>,
    call: impl Future<Output = Result<types::Done, CallError>>,
    says: &str,
) -> Done {
    let says = format!("{says} This connection ends.\n");
    let (mut call, mut asked) = (pin!(call), signal(SignalKind::terminate()).ok());
    let ended = async {
        tokio::select! {
            ended = &mut call => ended,
            Some(()) = async { asked.as_mut()?.recv().await } => Ok(types::Done {}),
        }
    };
    let mut ended = pin!(ended);
    let first = context.console.during(tokio::time::timeout(AT_ONCE, &mut ended)).await?;
    // Without the daemon's answer, whoever asked sees that something happens.
    let told = first.is_err() && !context.json;
    if told {
        context.console.out(&says).await?;
    }
    let ended = match first {
        Ok(ended) => ended,
        Err(_) => context.console.during(&mut ended).await?,
    };
    match ended {
        Ok(_) | Err(CallError::Lost(_)) if told => Ok(Exit::Done),
        Ok(_) | Err(CallError::Lost(_)) => context.print(&types::Done {}, |_| says).await,
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn panel(context: &mut Context<'_>, follow: bool) -> Done {
    let station = context.station;
    let columns = context.console.size().0;
    let draw = move |panel: &Panel| {
        let wide = usize::try_from(panel.width).unwrap_or(0) + 2 <= columns;
        if wide { render::panel(panel) } else { render::panel_words(panel) }
    };
    // A file or a pipe is as wide as it needs to be.
    let terminal = context.console.terminal();
    let draw = |panel: &Panel| if terminal { draw(panel) } else { render::panel(panel) };
    if !follow {
        let panel = context.call(station.panel()).await?;
        return context.print(&panel, draw).await;
    }
    let mut panels = context.call(station.panel_watch()).await?;
    while let Some(panel) = context.console.during(panels.next()).await? {
        context.print(&panel?, draw).await?;
    }
    Ok(Exit::Done)
}

pub(super) async fn logs(context: &mut Context<'_>, follow: bool, newest: u32, level: LevelWord) -> Done {
    let station = context.station;
    let level = match level {
        LevelWord::Error => Level::Error,
        LevelWord::Warn => Level::Warn,
        LevelWord::Info => Level::Info,
        LevelWord::Debug => Level::Debug,
        LevelWord::Trace => Level::Trace,
    };
    let wanted = Logs { newest: Some(newest), follow, level: Some(level) };
    let mut incoming = context.call(station.logs(&wanted)).await?;
    while let Some(lines) = context.console.during(incoming.next()).await? {
        let lines = lines?;
        if lines.lost > 0 && follow {
            context.say(&format!("({} lines are lost)\n", lines.lost)).await?;
        }
        let text: String = lines
            .lines
            .iter()
            .map(|line| if context.json { json(line) } else { render::log_line(line) })
            .collect();
        context.console.out(&text).await?;
    }
    Ok(Exit::Done)
}

pub(super) async fn schema(context: &mut Context<'_>, words: &[String]) -> Done {
    if words.is_empty() {
        let all: serde_json::Map<String, serde_json::Value> = table::ENTRIES
            .iter()
            .filter_map(|entry| entry.schema.map(|schema| (entry.path.to_owned(), schema())))
            .chain([("(refusal)".to_owned(), table::refusal())])
            .collect();
        return pretty(context, &all).await;
    }
    let path = words.join(" ");
    match table::entry(&path) {
        Some(table::Entry { schema: Some(schema), .. }) => pretty(context, &schema()).await,
        Some(_) => context.refuse(Exit::Usage, &format!("\"{path}\" prints no JSON.")).await,
        None => {
            context.refuse(Exit::Usage, &format!("There is no command \"{path}\"; help lists them.")).await
        }
    }
}

async fn pretty(context: &mut Context<'_>, value: &impl serde::Serialize) -> Done {
    let text = |value: &_| serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    context.print(value, text).await
}
