//! Sessions: a person at a prompt, or one command and its answer.

pub(crate) mod console;
pub(crate) mod inbox;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use control::types::{Audit, Explain, LogIn, ReceiptsList, Session, TokenList, UserFind};
use control::{CallError, Client, Refusal};
use tokio::sync::mpsc;

use crate::command::complete::{self, Kind, Known};
use crate::command::exit::Exit;
use crate::command::{self, Order, ParseError};
use crate::editor::{Editor, Event, History, Terminal};
use crate::perform::{Context, perform};
use crate::render;
use console::{Console, Piece, Stdin, Stop};
use inbox::Inbox;

/// Completion waits so long for the station.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait before a daemon is asked again that is away.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a command may end by itself when its session is over.
const LAST_WORD: Duration = Duration::from_secs(1);

/// As many values are offered.
const OFFERED: usize = 100;

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) socket: PathBuf,
    pub(crate) fingerprint: String,
    pub(crate) picture: String,
    /// Earlier lines, for each SSH key.
    pub(crate) histories: Mutex<HashMap<String, Arc<Mutex<History>>>>,
}

/// Who is there, and with what.
pub(crate) struct Start {
    pub(crate) fingerprint: String,
    pub(crate) address: String,
    pub(crate) session: String,
    pub(crate) terminal: Option<Terminal>,
    /// One command; a prompt when there is none.
    pub(crate) command: Option<String>,
}

/// Runs a session to its end.
pub(crate) async fn run(shared: Arc<Shared>, start: Start, inbox: Arc<Inbox>, out: mpsc::Sender<Piece>) {
    let history = {
        let mut all = shared.histories.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(start.fingerprint.clone()).or_default())
    };
    let editor = start.terminal.map(|terminal| Editor::new(terminal, Arc::clone(&history)));
    // How long it may be idle is known once the daemon has been asked.
    let mut console = Console::new(inbox, out.clone(), editor, Duration::from_secs(600));
    let exit = match session(&shared, &start, &mut console, &history).await {
        Ok(exit) => exit,
        Err(Stop::Interrupted) => Exit::Cancelled,
        Err(Stop::Gone) => Exit::Done,
    };
    let _ = out.send(Piece::Exit(exit.status())).await;
}

async fn session(
    shared: &Shared,
    start: &Start,
    console: &mut Console,
    history: &Arc<Mutex<History>>,
) -> Result<Exit, Stop> {
    let caller = LogIn {
        operator: start.fingerprint.clone(),
        address: start.address.clone(),
        session: start.session.clone(),
    };
    let connected = console.during(Client::connect(&shared.socket, caller)).await?;
    let (station, session) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            let text = match &error {
                CallError::Refused(refusal) => render::refusal(refusal),
                error => format!(
                    "{}\nThe station's daemon does not answer. It may be starting: try again in a minute.\n",
                    render::clean(&error.to_string())
                ),
            };
            console.err(&text).await?;
            return Ok(if error.refusal().is_some() { Exit::Refused } else { Exit::Unreachable });
        }
    };
    console.set_idle(Duration::from_millis(u64::try_from(session.idle_ms).unwrap_or(600_000).max(1000)));
    let refusal = {
        let mut here = Here { console: &mut *console, station: &station, session: &session, history };
        let goes_on = async {
            match &start.command {
                Some(line) => here.command(line).await,
                None if here.console.terminal() => {
                    here.console.out(&welcome(shared, &session)).await?;
                    here.prompt().await
                }
                None => here.script().await,
            }
        };
        let mut goes_on = std::pin::pin!(goes_on);
        let refusal = tokio::select! {
            biased;
            exit = &mut goes_on => return exit,
            refusal = over(&station) => refusal,
        };
        // What is ending by itself, such as the commit that ended its own session, has its last word.
        if let Ok(exit) = tokio::time::timeout(LAST_WORD, &mut goes_on).await {
            return exit;
        }
        refusal
    };
    console.abandon(start.terminal.is_some_and(|terminal| !terminal.dumb)).await?;
    console.err(&render::refusal(&refusal)).await?;
    Ok(Exit::Refused)
}

/// Waits until the daemon says that the session is over. While the daemon is away, nobody says so.
async fn over(station: &Client) -> Refusal {
    loop {
        let ended = match station.stay().await {
            Ok(mut stay) => loop {
                match stay.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break Some(error),
                    None => break None,
                }
            },
            Err(error) => Some(error),
        };
        if let Some(CallError::Refused(refusal)) = ended {
            return *refusal;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

struct Here<'a> {
    console: &'a mut Console,
    station: &'a Client,
    session: &'a Session,
    history: &'a Arc<Mutex<History>>,
}

impl Here<'_> {
    /// Asks for commands until the operator leaves.
    async fn prompt(&mut self) -> Result<Exit, Stop> {
        let prompt = format!("{}> ", render::clean(&self.session.station));
        let mut asks = true;
        loop {
            if let Some(editor) = self.console.editor().filter(|_| asks) {
                editor.ask_command(&prompt);
            }
            asks = true;
            match self.console.event().await? {
                Event::Line(line) => match command::parse(&line) {
                    Ok(None) => {}
                    Ok(Some(order)) if order.path == "exit" => return Ok(Exit::Done),
                    parsed => {
                        self.execute(&line, parsed.map(|order| order.map(Box::new))).await?;
                    }
                },
                Event::Interrupt | Event::Secret(_) => {}
                Event::Leave => return Ok(Exit::Done),
                Event::Complete(before) => {
                    let place = complete::place(&before);
                    let known = self.known(place.kind, &place.word).await?;
                    if let Some(editor) = self.console.editor() {
                        editor.offer(place.offer(known));
                    }
                    asks = false;
                }
                Event::Help(before) => {
                    let place = complete::place(&before);
                    let known = self.known(place.kind, &place.word).await?;
                    let complete = matches!(command::parse(&before), Ok(Some(_)));
                    if let Some(editor) = self.console.editor() {
                        editor.show(&place.explain(known, complete));
                    }
                    asks = false;
                }
            }
        }
    }

    /// One command, its exit status.
    async fn command(&mut self, line: &str) -> Result<Exit, Stop> {
        match command::parse(line) {
            Ok(None) => {
                self.console.err("There is no command. help lists them.\n").await?;
                Ok(Exit::Usage)
            }
            parsed => self.execute(line, parsed.map(|order| order.map(Box::new))).await,
        }
    }

    /// A shell without a terminal: commands from standard input, a line each, up to the first that fails.
    async fn script(&mut self) -> Result<Exit, Stop> {
        let mut stdin = Stdin::default();
        self.console.read(&mut stdin).await?;
        let text = stdin.rest().unwrap_or_default().to_owned();
        for line in text.lines() {
            match command::parse(line) {
                Ok(None) => {}
                Ok(Some(order)) if order.path == "exit" => break,
                parsed => {
                    let exit = self.execute(line, parsed.map(|order| order.map(Box::new))).await?;
                    if exit != Exit::Done {
                        return Ok(exit);
                    }
                }
            }
        }
        Ok(Exit::Done)
    }

    async fn execute(
        &mut self,
        line: &str,
        parsed: Result<Option<Box<Order>>, ParseError>,
    ) -> Result<Exit, Stop> {
        let begun = Instant::now();
        let (result, shown) = match parsed {
            Ok(None) => return Ok(Exit::Done),
            Ok(Some(order)) => {
                let history = if order.path == "history" { self.lines() } else { Vec::new() };
                let mut context = Context {
                    console: &mut *self.console,
                    station: self.station,
                    session: self.session,
                    json: false,
                    yes: false,
                    stdin: Stdin::default(),
                    history,
                };
                let (done, left_out) = (order.kept(line, true), order.kept(line, false));
                let result = perform(&mut context, *order).await;
                let kept =
                    if result.as_ref().is_ok_and(|exit| *exit == Exit::Done) { done } else { left_out };
                if self.console.terminal() && !line.starts_with([' ', '\t']) && kept.whole {
                    self.history.lock().unwrap_or_else(PoisonError::into_inner).remember(&kept.text);
                }
                (result, kept.text)
            }
            Err(ParseError::Help(text)) => {
                let shown = format!("{} --help", command::known_words(line)).trim_start().to_owned();
                (self.console.out(&text).await.map(|()| Exit::Done), shown)
            }
            Err(error) => {
                let shown =
                    format!("{} (not understood)", command::known_words(line)).trim_start().to_owned();
                let mut text = error.to_string();
                if !text.ends_with('\n') {
                    text.push('\n');
                }
                (self.console.err(&text).await.map(|()| Exit::Usage), shown)
            }
        };
        let took = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        let exit = *result.as_ref().unwrap_or(&Exit::Done);
        let audit = Audit { command: shown, exit: i64::from(exit.status()), took_ms: took };
        // A client that is gone must not keep its command out of the audit.
        if let Err(error) = self.station.audit(&audit).await {
            tracing::warn!("a command is missing in the audit: {error}");
        }
        result
    }

    fn lines(&self) -> Vec<String> {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.iter().map(str::to_owned).collect()
    }

    /// What the station knows of a kind. Nothing when it does not answer in time.
    async fn known(&mut self, kind: Option<Kind>, word: &str) -> Result<Vec<Known>, Stop> {
        let Some(kind) = kind else { return Ok(Vec::new()) };
        let asked = tokio::time::timeout(TIMEOUT, known(self.station, kind, word));
        let mut known = self.console.during(asked).await?.ok().and_then(Result::ok).unwrap_or_default();
        known.truncate(OFFERED);
        Ok(known)
    }
}

async fn known(station: &Client, kind: Kind, word: &str) -> Result<Vec<Known>, CallError> {
    let about = |value: String, about: String| Known { value, about: render::clean(&about) };
    let mut known: Vec<Known> = match kind {
        Kind::Key => {
            let keys = station.keys().await?.keys;
            keys.into_iter().filter_map(|key| Some(about(key.serial.or(key.port)?, key.model))).collect()
        }
        Kind::Profile => {
            let profiles = station.profiles().await?.profiles;
            profiles
                .into_iter()
                .map(|one| about(one.name, format!("{}, slot {}", one.kind, one.slot)))
                .collect()
        }
        Kind::User if word.is_empty() => Vec::new(),
        Kind::User => {
            let find = UserFind { text: word.to_owned(), realm: None };
            let people = station.user_find(&find).await?.people;
            let name = |one: &control::types::Person| format!("{} {}", one.given_name, one.surname);
            people.into_iter().map(|one| about(format!("{}@{}", one.user, one.realm), name(&one))).collect()
        }
        Kind::Token => {
            let list =
                TokenList { serial: Some(format!("{word}*")), size: Some(100), ..TokenList::default() };
            let tokens = station.token_list(&list).await?.tokens;
            tokens.into_iter().map(|one| about(one.serial, one.person.unwrap_or(one.description))).collect()
        }
        Kind::Run => {
            let runs = station.run_status(&control::types::ByRun { run: None }).await?;
            runs.run.into_iter().chain(runs.earlier).map(|run| about(run.run.to_string(), run.name)).collect()
        }
        Kind::Receipt => {
            let list = ReceiptsList { newest: Some(100), about: None };
            let pages = station.receipts_list(&list).await?.all().await?;
            let receipts = pages.into_iter().flat_map(|page| page.receipts);
            receipts.map(|one| about(one.number.to_string(), one.token.unwrap_or(one.ending))).collect()
        }
        Kind::Code => {
            let all = station.explain(&Explain { code: None }).await?.refusals;
            all.into_iter().map(|one| about(one.code, one.title)).collect()
        }
    };
    known.retain(|known| known.value.starts_with(word) && !known.value.chars().any(control::clean::hidden));
    Ok(known)
}

fn welcome(shared: &Shared, session: &Session) -> String {
    let mut text = format!(
        "Enrollment station {}. You are {}, {}.\n",
        render::clean(&session.station),
        render::clean(&session.name),
        session.role
    );
    if let Some(at) = session.last_login {
        let from = session
            .last_address
            .as_deref()
            .map(|from| format!(" from {}", render::clean(from)))
            .unwrap_or_default();
        text.push_str(&format!("Last start: {}{from}\n", render::time(at)));
    } else {
        // At a first contact the picture helps to compare with the one that was noted.
        text.push_str(&shared.picture);
        text.push('\n');
    }
    text.push_str(&format!("Host key: {}\n", shared.fingerprint));
    text.push_str("help lists the commands, ? says what may come next, Ctrl-D leaves.\n\n");
    text
}
