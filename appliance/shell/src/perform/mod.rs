//! Carries commands out: each becomes calls to the daemon, and what comes back is printed.

mod access;
mod enroll;
mod manage;
mod people;
mod phone;
mod records;
mod station;

use std::future::Future;

use control::types::{ReportMake, Role, Session};
use control::{CallError, Client};
use serde::Serialize;

use crate::command::exit::Exit;
use crate::command::tree::{Command, Config};
use crate::command::{self, Order, ParseError};
use crate::render;
use crate::session::console::{Console, Stdin, Stop};

/// Why a command did not do what it was to do.
pub(crate) enum Failure {
    Stop(Stop),
    Call(CallError),
    /// It was said; this is the exit status.
    Said(Exit),
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

pub(crate) type Done = Result<Exit, Failure>;

/// What a command has at hand.
pub(crate) struct Context<'a> {
    pub(crate) console: &'a mut Console,
    pub(crate) station: &'a Client,
    pub(crate) session: &'a Session,
    pub(crate) json: bool,
    pub(crate) yes: bool,
    pub(crate) stdin: Stdin,
    /// The earlier lines, for `history`.
    pub(crate) history: Vec<String>,
}

impl Context<'_> {
    /// Makes a call.
    pub(crate) async fn call<T>(
        &mut self,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, Failure> {
        Ok(self.console.during(call).await??)
    }

    /// Prints an answer.
    pub(crate) async fn print<T: Serialize>(&mut self, value: &T, text: impl FnOnce(&T) -> String) -> Done {
        let text = if self.json { json(value) } else { text(value) };
        self.console.out(&text).await?;
        Ok(Exit::Done)
    }

    /// Says what is wrong, and fails.
    pub(crate) async fn refuse(&mut self, exit: Exit, text: &str) -> Done {
        let text = if self.json { json(&serde_json::json!({ "error": text })) } else { format!("{text}\n") };
        self.console.err(&text).await?;
        Err(Failure::Said(exit))
    }

    /// Says something that is no answer.
    pub(crate) async fn say(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.console.err(text).await?)
    }

    /// Asks for a secret, when it is wanted.
    pub(crate) async fn secret(
        &mut self,
        wanted: bool,
        prompt: &str,
    ) -> Result<Option<control::Secret>, Failure> {
        if !wanted {
            return Ok(None);
        }
        let secret = self.console.secret(prompt, &mut self.stdin).await?;
        if secret.is_none() {
            let text = format!(
                "{prompt}: nothing was given. Without a terminal it is read from standard input, a line each."
            );
            return self.refuse(Exit::Usage, &text).await.map(|_| None);
        }
        Ok(secret)
    }

    /// What is left of standard input as a list: lines where it is Unicode, and else the file as it is, in base64.
    pub(crate) async fn list(&mut self) -> Result<(Vec<String>, Option<String>), Failure> {
        if self.console.terminal() {
            self.say("Type or paste the lines; Ctrl-D ends them.\n").await?;
        }
        self.console.read(&mut self.stdin).await?;
        if self.stdin.too_long {
            let why = "Standard input is longer than 1 MiB.";
            return self.refuse(Exit::Usage, why).await.map(|_| Default::default());
        }
        // A list holds no secret.
        match self.stdin.rest().filter(|text| !text.contains('\0')) {
            Some(text) => Ok((text.lines().map(str::to_owned).collect(), None)),
            None if self.stdin.bytes().len() > LONGEST_FILE => {
                let why = "A list that is not UTF-8 has at most 700 kB. Save it as UTF-8.";
                self.refuse(Exit::Usage, why).await.map(|_| Default::default())
            }
            None => Ok((Vec::new(), Some(data_encoding::BASE64.encode(self.stdin.bytes())))),
        }
    }

    /// Standard input as text.
    pub(crate) async fn text(&mut self) -> Result<String, Failure> {
        if self.console.terminal() {
            self.say("Type or paste the lines; Ctrl-D ends them.\n").await?;
        }
        self.console.read(&mut self.stdin).await?;
        let text = self.stdin.rest().filter(|_| !self.stdin.too_long).map(|text| text.as_str().to_owned());
        match text {
            Some(text) => Ok(text),
            None => {
                let why = "Standard input is longer than 1 MiB, or not UTF-8.";
                self.refuse(Exit::Usage, why).await.map(|_| String::new())
            }
        }
    }
}

pub(crate) fn json<T: Serialize>(value: &T) -> String {
    // Serializing these types fails only when memory does.
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut text = control::clean::json(&text).into_owned();
    text.push('\n');
    text
}

/// The largest list that is sent as it is, in bytes: base64 makes it longer by a third, and the daemon takes no message over 1 MiB.
const LONGEST_FILE: usize = 700_000;

/// Carries a command out, and says what went wrong.
pub(crate) async fn perform(context: &mut Context<'_>, order: Order) -> Result<Exit, Stop> {
    context.json = order.line.json;
    context.yes = order.line.yes;
    let asks =
        order.entry().is_some_and(|entry| needed(&order.line.command, entry.role) > context.session.role);
    let result = if asks { lacks_role(context, &order).await } else { confirmed(context, order).await };
    match result {
        Ok(exit) | Err(Failure::Said(exit)) => Ok(exit),
        Err(Failure::Stop(Stop::Gone)) => Err(Stop::Gone),
        Err(Failure::Stop(Stop::Interrupted)) => {
            if context.console.terminal() {
                context.console.err("^C\n").await?;
            }
            Ok(Exit::Cancelled)
        }
        Err(Failure::Call(error)) => call_failed(context, &error).await,
    }
}

/// What an operator has to be for this command; some only look when they have no argument.
fn needed(command: &Command, role: Role) -> Role {
    match command {
        Command::Mode { mode: None, .. } => Role::Viewer,
        _ => role,
    }
}

/// Whether a command needs no question: who sends a signature means it.
const fn is_answered(command: &Command) -> bool {
    matches!(
        command,
        Command::Config(Config::Commit { signed: Some(_), .. } | Config::Rollback { signed: Some(_) })
    )
}

const fn a_role(role: Role) -> &'static str {
    match role {
        Role::Viewer => "a viewer",
        Role::Operator => "an operator",
        Role::Admin => "an admin",
    }
}

async fn lacks_role(context: &mut Context<'_>, order: &Order) -> Done {
    let needed = order.entry().map_or(Role::Admin, |entry| entry.role);
    let text = format!(
        "{} is {}, and \"{}\" is for the role {needed}. Ask an admin for it: the configuration names the roles.",
        render::clean(&context.session.name),
        a_role(context.session.role),
        order.path
    );
    context.refuse(Exit::Role, &text).await
}

async fn confirmed(context: &mut Context<'_>, order: Order) -> Done {
    let asks = !context.yes && !is_answered(&order.line.command);
    if let Some(question) = order.entry().and_then(|entry| entry.question).filter(|_| asks) {
        match context.console.confirm(question).await? {
            Some(true) => {}
            Some(false) => return context.refuse(Exit::Unconfirmed, "Nothing was done.").await,
            None => {
                let text =
                    format!("\"{}\" needs --yes where nobody can be asked. Nothing was done.", order.path);
                return context.refuse(Exit::Unconfirmed, &text).await;
            }
        }
    }
    // Each room's future is on the heap: all of them in one would be too much for a thread's stack.
    Box::pin(dispatch(context, order.line.command)).await
}

async fn call_failed(context: &mut Context<'_>, error: &CallError) -> Result<Exit, Stop> {
    let (text, exit) = match error {
        CallError::Refused(refusal) => {
            let text = if context.json { json(refusal) } else { render::refusal(refusal) };
            (text, Exit::Refused)
        }
        CallError::Misfit(fault) => {
            (format!("The daemon does not take this: {}\n", render::clean(&fault.to_string())), Exit::Refused)
        }
        error => {
            let text = format!(
                "{}\nThe station's daemon may be starting anew: try again in a minute. What was going on there goes on.\n",
                render::clean(&error.to_string())
            );
            (text, Exit::Unreachable)
        }
    };
    let text = if context.json && exit != Exit::Refused {
        json(&serde_json::json!({ "error": text.trim_end() }))
    } else {
        text
    };
    context.console.err(&text).await?;
    Ok(exit)
}

/// Whether a command waits for a key or a person, so that it has to be known whether its client is there.
const fn waits(command: &Command) -> bool {
    matches!(
        command,
        Command::Enroll(_)
            | Command::HandOver(_)
            | Command::Phone(_)
            | Command::Verify { .. }
            | Command::Release { .. }
            | Command::Swap { .. }
            | Command::Wipe { .. }
            | Command::Profile(crate::command::tree::Profile::Check { .. })
    )
}

async fn dispatch(context: &mut Context<'_>, command: Command) -> Done {
    let station = context.station;
    let _asked = waits(&command).then(|| context.console.ask_whether_there()).flatten();
    match command {
        Command::Status => {
            let status = context.call(station.status()).await?;
            context.print(&status, render::status).await
        }
        Command::Watch => Box::pin(crate::watch::watch(context)).await,
        Command::Keys => {
            let keys = context.call(station.keys()).await?;
            context.print(&keys, render::keys).await
        }
        Command::Key { key } => {
            let details = context.call(station.key(&control::types::ByKey { key })).await?;
            context.print(&details, render::key).await
        }
        Command::Profiles => {
            let profiles = context.call(station.profiles()).await?;
            context.print(&profiles, render::profiles).await
        }
        Command::Profile(command) => Box::pin(enroll::profile(context, command)).await,
        Command::Mode { mode, profile } => Box::pin(station::mode(context, mode, profile)).await,
        Command::Enroll(enroll) => Box::pin(enroll::enroll(context, enroll)).await,
        Command::HandOver(command) => Box::pin(people::hand_over(context, command)).await,
        Command::Phone(command) => Box::pin(phone::phone(context, command)).await,
        Command::Registration(command) => Box::pin(people::registration(context, command)).await,
        Command::Swap { key, unlock } => Box::pin(people::swap(context, key, unlock)).await,
        Command::Wipe { key, slot, unlock, key_pin } => {
            Box::pin(people::wipe(context, key, slot, unlock, key_pin)).await
        }
        Command::Welcome(command) => Box::pin(people::welcome(context, command)).await,
        Command::Sealed(command) => Box::pin(people::sealed(context, command)).await,
        Command::Cancel { key } => Box::pin(enroll::cancel(context, key)).await,
        Command::Run(command) => Box::pin(enroll::run(context, command)).await,
        Command::Report(report) => {
            let form = Some(report.format.form());
            let wanted = ReportMake { run: None, from: report.from, to: report.to, form };
            Box::pin(records::report(context, &wanted)).await
        }
        Command::Verify { key, token, key_pin, wait } => {
            Box::pin(enroll::verify(context, key, token, key_pin, wait.timeout)).await
        }
        Command::Release { key, token, unlock, key_pin, wait } => {
            Box::pin(enroll::release(context, key, token, unlock, key_pin, wait.timeout)).await
        }
        Command::Token(command) => Box::pin(manage::token(context, command)).await,
        Command::User(command) => Box::pin(manage::user(context, command)).await,
        Command::Server(command) => Box::pin(manage::server(context, command)).await,
        Command::Receipts(command) => Box::pin(records::receipts(context, command)).await,
        Command::Config(command) => Box::pin(records::config(context, command)).await,
        Command::Operators { what } => Box::pin(access::operators(context, what)).await,
        Command::Sessions { what } => Box::pin(access::sessions(context, what)).await,
        Command::Audit { newest, what } => Box::pin(records::audit(context, newest, what)).await,
        Command::Panel { follow } => Box::pin(station::panel(context, follow)).await,
        Command::Logs { follow, newest, level } => {
            Box::pin(station::logs(context, follow, newest, level)).await
        }
        Command::Explain { code } => {
            let wanted = control::types::Explain { code: code.map(|code| code.to_uppercase()) };
            let explained = context.call(station.explain(&wanted)).await?;
            context.print(&explained, render::explanations).await
        }
        Command::Schema { command } => Box::pin(station::schema(context, &command)).await,
        Command::Version => {
            let version = context.call(station.version()).await?;
            context.print(&version, render::version).await
        }
        Command::Reboot => {
            Box::pin(station::ends(context, station.reboot(), "The station starts anew.")).await
        }
        Command::Poweroff => {
            Box::pin(station::ends(context, station.power_off(), "The station switches itself off.")).await
        }
        Command::Plug { kind, serial, firmware, port } => {
            let plug = control::sim::Plug { kind: Some(kind), serial, firmware, port };
            let key = context.call(station.sim_plug(&plug)).await?;
            context.print(&key, render::sim_key).await
        }
        Command::Touch { key, long } => {
            let touched = context.call(station.sim_touch(&control::sim::TouchKey { key, long })).await?;
            context.print(&touched, render::touched).await
        }
        Command::Pull { key } => {
            let key = context.call(station.sim_pull(&control::sim::Pull { key })).await?;
            context.print(&key, render::sim_key).await
        }
        Command::History => {
            let lines = std::mem::take(&mut context.history);
            let text = |lines: &Vec<String>| {
                lines.iter().map(|line| format!("{}\n", control::clean::shown_long(line))).collect()
            };
            context.print(&lines, text).await
        }
        Command::Help { command } => match command::help(&command) {
            Ok(text) => {
                context.console.out(&text).await?;
                Ok(Exit::Done)
            }
            Err(ParseError::Usage(text)) => context.refuse(Exit::Usage, &text).await,
            Err(error) => context.refuse(Exit::Usage, &error.to_string()).await,
        },
        Command::Exit => Ok(Exit::Done),
    }
}
