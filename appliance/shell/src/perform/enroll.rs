//! Enrolling, verifying, releasing, and runs.

use control::Incoming;
use control::types::{
    ByRun, Cancel, Ending, Enroll, Event, EventKind, Outcome, ProfileCheck, Release, ReportMake, RunAdd,
    RunLines, RunStart, RunStartList, Verify,
};

use super::{Context, Done, Failure, json};
use crate::command::exit::Exit;
use crate::command::tree;
use crate::render;
use crate::session::console::Stop;

pub(super) async fn profile(context: &mut Context<'_>, command: tree::Profile) -> Done {
    let station = context.station;
    match command {
        tree::Profile::Show { profile } => {
            let all = context.call(station.profiles()).await?;
            match all.profiles.iter().find(|one| one.name == profile) {
                Some(found) => context.print(found, render::profile).await,
                None => {
                    let text = format!("There is no profile \"{profile}\"; profiles lists them.");
                    context.refuse(Exit::Refused, &text).await
                }
            }
        }
        tree::Profile::Import { name } => super::people::import(context, name).await,
        tree::Profile::Check { profile, key } => {
            let fit = context.call(station.profile_check(&ProfileCheck { profile, key })).await?;
            context.print(&fit, render::profile_fit).await?;
            let good = fit.refusal.is_none() && fit.rights_missing.is_empty();
            Ok(if good { Exit::Done } else { Exit::Wrong })
        }
    }
}

pub(super) async fn enroll(context: &mut Context<'_>, command: tree::Enroll) -> Done {
    let station = context.station;
    if command.overwrite && !context.yes {
        let question = "Write over what the slot holds, even if it is somebody else's?";
        if context.console.confirm(question).await? != Some(true) {
            return context
                .refuse(Exit::Unconfirmed, "--overwrite needs --yes, or the answer y. Nothing was done.")
                .await;
        }
    }
    let mut wanted = Enroll {
        profile: command.profile,
        person: command.user,
        key: command.key,
        overwrite_confirmed: command.overwrite,
        unchecked: command.unchecked.then_some(true),
        factory: command.factory.then_some(true),
        replace: command.replace,
        pin: context.secret(command.pin, "PIN of the token").await?,
        unlock: context.secret(command.unlock, "Access code of the slot (12 hexadecimal digits)").await?,
        key_pin: context.secret(command.key_pin, "Administrator PIN of the key").await?,
        detach: command.wait.detach.then_some(true),
        wait_ms: command.wait.timeout,
    };
    loop {
        let events = context.call(station.enroll(&wanted)).await?;
        if command.wait.detach && !command.events {
            drop(wanted);
            return detached(context, events).await;
        }
        let (last, cancelled) = follow(context, events, wanted.key.clone(), command.events).await?;
        if command.events && command.wait.detach {
            return Ok(Exit::Done);
        }
        if command.events {
            return Ok(exit(last.as_ref().and_then(|event| event.outcome.as_ref()), cancelled));
        }
        let outcome = last.as_ref().and_then(|event| event.outcome.as_ref()).filter(|_| !cancelled);
        let Some(named) = replace(context, &wanted, outcome).await? else {
            drop(wanted);
            return finish(context, last, cancelled).await;
        };
        // That very key, and no other that is plugged in meanwhile.
        wanted.key = outcome.and_then(|outcome| outcome.key.clone()).or(wanted.key);
        wanted.replace = Some(named);
    }
}

/// Asks whether what is finished on the key may be replaced; then the name of its token. Where nobody can be asked, or
/// nobody is to be asked, it stays: no `--yes` stands for a name.
async fn replace(
    context: &mut Context<'_>,
    wanted: &Enroll,
    outcome: Option<&Outcome>,
) -> Result<Option<String>, Failure> {
    let earlier = outcome.and_then(|outcome| Some((outcome, outcome.in_the_way.as_ref()?)));
    let (Some((outcome, earlier)), None) = (earlier, &wanted.replace) else { return Ok(None) };
    if context.yes || context.json || !context.console.terminal() {
        return Ok(None);
    }
    context.say(&render::before_replacing(outcome, earlier, wanted.person.as_deref())).await?;
    let question = format!("Replace token {}?", render::clean(&earlier.token));
    let answer = context.console.confirm(&question).await?;
    Ok((answer == Some(true)).then(|| earlier.token.clone()))
}

/// An order that goes on without this session: only that it was taken is told.
pub(super) async fn detached(context: &mut Context<'_>, mut events: Incoming<Event>) -> Done {
    let accepted = match context.console.during(events.next()).await? {
        Some(event) => event?.orders.and_then(|orders| orders.into_iter().next()),
        None => None,
    };
    match accepted {
        Some(order) => context.print(&order, render::order).await,
        None => context.refuse(Exit::Unreachable, "The station did not take the order.").await,
    }
}

/// Follows what happens to its end. Ctrl-C calls it off, and then what was done is taken back.
pub(super) async fn follow(
    context: &mut Context<'_>,
    mut events: Incoming<Event>,
    key: Option<String>,
    all: bool,
) -> Result<(Option<Event>, bool), Failure> {
    let station = context.station;
    let (mut ticket, mut last, mut cancelled) = (None, None, false);
    loop {
        let event = match context.console.during(events.next()).await {
            Ok(Some(event)) => event?,
            Ok(None) => return Ok((last, cancelled)),
            Err(Stop::Interrupted) if cancelled => {
                context.say("It is being taken back already; please wait.\n").await?;
                continue;
            }
            Err(Stop::Interrupted) => {
                cancelled = true;
                context.say("Cancelling: what was done is taken back. Please wait.\n").await?;
                let which = Cancel { ticket, key: if ticket.is_none() { key.clone() } else { None } };
                if which.ticket.is_none() && which.key.is_none() {
                    // Nothing names it yet: whoever does not listen any more has it called off.
                    return Ok((last, cancelled));
                }
                // Whatever Ctrl-C stops now, it must not be the call that stops the enrollment.
                if let Err(error) = station.cancel(&which).await {
                    context.say(&format!("{}\n", render::clean(&error.to_string()))).await?;
                }
                continue;
            }
            Err(Stop::Gone) => return Err(Stop::Gone.into()),
        };
        ticket = event.ticket.or(ticket);
        if all {
            context.console.out(&json(&event)).await?;
        } else if let Some(text) = render::progress(&event).filter(|_| !context.json) {
            context.say(&text).await?;
        }
        if matches!(event.kind, EventKind::Outcome | EventKind::Verified | EventKind::Released) {
            last = Some(event);
        }
    }
}

pub(super) async fn finish(context: &mut Context<'_>, last: Option<Event>, cancelled: bool) -> Done {
    match last.and_then(|event| event.outcome) {
        Some(outcome) => {
            context.print(&outcome, render::outcome).await?;
            Ok(exit(Some(&outcome), cancelled))
        }
        None if cancelled => Ok(Exit::Cancelled),
        None => {
            let text = "The station did not say how it ended. status and receipts list show it.";
            context.refuse(Exit::Unreachable, text).await
        }
    }
}

fn exit(outcome: Option<&Outcome>, cancelled: bool) -> Exit {
    match outcome.map(|outcome| outcome.ending) {
        Some(Ending::Enrolled | Ending::Released) => Exit::Done,
        _ if cancelled => Exit::Cancelled,
        _ => Exit::Refused,
    }
}

pub(super) async fn cancel(context: &mut Context<'_>, key: Option<String>) -> Done {
    let station = context.station;
    let cancelled = context.call(station.cancel(&Cancel { ticket: None, key })).await?;
    let text = |cancelled: &control::types::Cancelled| match cancelled.enrollments {
        0 => "Nothing was going on.\n".to_owned(),
        1 => "One order is called off; what it has done is taken back.\n".to_owned(),
        many => format!("{many} orders are called off; what they have done is taken back.\n"),
    };
    context.print(&cancelled, text).await
}

pub(super) async fn verify(
    context: &mut Context<'_>,
    key: String,
    token: Option<String>,
    key_pin: bool,
    wait_ms: Option<i64>,
) -> Done {
    let station = context.station;
    let key_pin = context.secret(key_pin, "Administrator PIN of the key").await?;
    let wanted = Verify { key: key.clone(), token, key_pin, wait_ms };
    let events = context.call(station.verify(&wanted)).await?;
    let (last, cancelled) = follow(context, events, Some(key), false).await?;
    match last.and_then(|event| event.verification) {
        Some(verification) => {
            context.print(&verification, render::verification).await?;
            Ok(if verification.accepted { Exit::Done } else { Exit::Wrong })
        }
        None if cancelled => Ok(Exit::Cancelled),
        None => context.refuse(Exit::Unreachable, "The station did not say what came of it.").await,
    }
}

pub(super) async fn release(
    context: &mut Context<'_>,
    key: String,
    token: Option<String>,
    unlock: bool,
    key_pin: bool,
    wait_ms: Option<i64>,
) -> Done {
    let station = context.station;
    let wanted = Release {
        key: key.clone(),
        token,
        unlock: context.secret(unlock, "Access code of the slot (12 hexadecimal digits)").await?,
        key_pin: context.secret(key_pin, "Administrator PIN of the key").await?,
        wait_ms,
    };
    let events = context.call(station.release(&wanted)).await?;
    let (last, cancelled) = follow(context, events, Some(key), false).await?;
    finish(context, last, cancelled).await
}

pub(super) async fn run(context: &mut Context<'_>, command: tree::Run) -> Done {
    let station = context.station;
    let present = ByRun { run: None };
    let details = match command {
        tree::Run::Start(start) => return run_start(context, start).await,
        tree::Run::Report { run, format } => {
            let wanted = ReportMake { run: Some(run), from: None, to: None, form: Some(format.form()) };
            return super::records::report(context, &wanted).await;
        }
        tree::Run::Status { run } => context.call(station.run_status(&ByRun { run })).await?,
        tree::Run::Pause => context.call(station.run_pause(&present)).await?,
        tree::Run::Resume => context.call(station.run_resume(&present)).await?,
        tree::Run::Stop => context.call(station.run_stop(&present)).await?,
        tree::Run::Skip { lines } => {
            let wanted = RunLines { run: None, lines, unchecked: None };
            context.call(station.run_skip(&wanted)).await?
        }
        tree::Run::Retry { lines, unchecked } => {
            let numbers = lines.iter().filter_map(|line| match line {
                tree::ListLine::Number(number) => Some(*number),
                tree::ListLine::Failed => None,
            });
            let numbers: Vec<i64> = numbers.collect();
            if !numbers.is_empty() && numbers.len() < lines.len() {
                let text = "Name lines, or write failed alone. Nothing was changed.";
                return context.refuse(Exit::Usage, text).await;
            }
            let wanted = RunLines { run: None, lines: numbers, unchecked: unchecked.then_some(true) };
            context.call(station.run_retry(&wanted)).await?
        }
        tree::Run::Add(add) => {
            let (lines, file) = context.list().await?;
            let wanted = RunAdd {
                run: None,
                lines,
                file,
                encoding: add.encoding,
                user_column: add.user_column,
                realm: add.realm,
                skip_unknown: add.skip_unknown.then_some(true),
                unchecked: add.unchecked.then_some(true),
            };
            context.call(station.run_add(&wanted)).await?
        }
    };
    context.print(&details, render::run).await
}

async fn run_start(context: &mut Context<'_>, start: tree::RunStart) -> Done {
    let station = context.station;
    if start.overwrite && !context.yes {
        let question = "Write over what the slots hold, even if it is somebody else's?";
        if context.console.confirm(question).await? != Some(true) {
            return context
                .refuse(Exit::Unconfirmed, "--overwrite needs --yes, or the answer y. Nothing was done.")
                .await;
        }
    }
    // Without a terminal, secrets are the first lines of standard input and the list is the rest.
    let unlock = context.secret(start.unlock, "Access code of the slots (12 hexadecimal digits)").await?;
    let key_pin = context.secret(start.key_pin, "Administrator PIN of the keys").await?;
    if start.realm.is_some() && start.list.is_none() {
        return context.refuse(Exit::Usage, "--realm goes with --list. Nothing was started.").await;
    }
    if start.list.is_some() {
        let (lines, file) = context.list().await?;
        let wanted = RunStartList {
            name: start.name,
            lines,
            file,
            encoding: start.encoding,
            user_column: start.user_column,
            realm: start.realm,
            profile: start.profile,
            overwrite_confirmed: start.overwrite,
            factory: start.factory.then_some(true),
            skip_unknown: start.skip_unknown.then_some(true),
            unchecked: start.unchecked.then_some(true),
            unlock,
            key_pin,
        };
        let details = context.call(station.run_start_list(&wanted)).await?;
        return context.print(&details, render::run).await;
    }
    let wanted = RunStart {
        name: start.name,
        count: start.count,
        endless: start.endless.then_some(true),
        list: None,
        profile: start.profile,
        overwrite_confirmed: start.overwrite,
        factory: start.factory.then_some(true),
        skip_unknown: None,
        unchecked: None,
        unlock,
        key_pin,
    };
    let details = context.call(station.run_start(&wanted)).await?;
    context.print(&details, render::run).await
}
