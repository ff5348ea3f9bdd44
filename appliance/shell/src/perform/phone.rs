//! Enrolling a phone: the terminal shows what it reads, and asks for what it shows.

use control::types::{Ending, PhoneAnswer, PhoneEnroll, PhoneNews, PhoneOutcome, PhoneWish};
use control::{Incoming, Secret};

use super::{Context, Done, Failure};
use crate::command::exit::Exit;
use crate::command::tree;
use crate::render;
use crate::session::console::Stop;

/// Another screen, empty, so that nothing of a secret is left on the first one.
const ELSEWHERE: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[H";
const BACK: &[u8] = b"\x1b[2J\x1b[?1049l";

/// Rows that the questions below a picture need.
const ROOM: usize = 4;

pub(super) async fn phone(context: &mut Context<'_>, command: tree::Phone) -> Done {
    let tree::Phone::Enroll(command) = command;
    let station = context.station;
    let wanted = PhoneEnroll {
        person: command.user,
        profile: command.profile,
        two_step: command.two_step.then_some(true),
        unchecked: command.unchecked.then_some(true),
        pin: context.secret(command.pin, "PIN of the token").await?,
    };
    let news = context.call(station.phone_enroll(&wanted)).await?;
    drop(wanted);
    let mut screen = Screen { inverted: command.inverted, text: command.text, elsewhere: false };
    let ended = talk(context, news, &mut screen).await;
    if screen.elsewhere {
        context.console.raw(BACK.to_vec()).await?;
    }
    let (outcome, cancelled) = ended?;
    match outcome {
        Some(outcome) => {
            context.print(&outcome, render::phone).await?;
            Ok(match outcome.ending {
                Ending::Enrolled => Exit::Done,
                _ if cancelled => Exit::Cancelled,
                _ => Exit::Refused,
            })
        }
        None => {
            let text = "The station did not say how it ended. token list --user shows what there is.";
            context.refuse(Exit::Unreachable, text).await
        }
    }
}

/// How the secret is shown.
struct Screen {
    inverted: bool,
    text: bool,
    elsewhere: bool,
}

impl Screen {
    /// Shows what the phone reads; `false` when it does not fit.
    async fn show(&mut self, context: &mut Context<'_>, news: &PhoneNews) -> Result<bool, Failure> {
        let rows: Vec<&str> = news.rows.iter().map(Secret::expose).collect();
        let address = news.address.as_ref().map(Secret::expose).unwrap_or_default();
        let text = if self.text {
            zeroize::Zeroizing::new(format!("{}\n", render::clean(address)))
        } else {
            render::half_blocks(&rows, self.inverted)
        };
        if !context.console.terminal() {
            context.say(&text).await?;
            return Ok(true);
        }
        let (columns, lines) = context.console.size();
        let (wide, high) = (rows.len() + 8, (rows.len() + 8).div_ceil(2) + ROOM);
        if !self.text && (columns < wide || lines < high) {
            let text = format!(
                "The QR code needs {wide} columns and {high} lines, and the terminal has {columns} and {lines}. Make it larger, or take --text.\n"
            );
            context.say(&text).await?;
            return Ok(false);
        }
        context.console.raw(ELSEWHERE.to_vec()).await?;
        self.elsewhere = true;
        context.say(&text).await?;
        Ok(true)
    }
}

/// Shows and asks until it is over. Whoever gives up has everything taken back.
async fn talk(
    context: &mut Context<'_>,
    mut news: Incoming<PhoneNews>,
    screen: &mut Screen,
) -> Result<(Option<PhoneOutcome>, bool), Failure> {
    let mut next: Option<PhoneNews> = None;
    let mut cancelled = false;
    let mut ticket = None;
    loop {
        let told = match next.take() {
            Some(told) => told,
            None => match context.console.during(news.next()).await {
                Ok(Some(told)) => told?,
                Ok(None) => return Ok((None, cancelled)),
                Err(Stop::Interrupted) => {
                    if let Some(ticket) = ticket.filter(|_| !cancelled) {
                        give_up(context, ticket).await?;
                    }
                    cancelled = true;
                    continue;
                }
                Err(Stop::Gone) => return Err(Stop::Gone.into()),
            },
        };
        ticket = Some(told.ticket);
        let prompt = match told.wish {
            PhoneWish::Over => return Ok((told.outcome, cancelled)),
            PhoneWish::Show => {
                if !screen.show(context, &told).await? {
                    give_up(context, told.ticket).await?;
                    cancelled = true;
                }
                continue;
            }
            PhoneWish::Part => format!("The app's part ({} letters)", told.letters.unwrap_or_default()),
            PhoneWish::Code => "The code that the app shows".to_owned(),
        };
        if cancelled {
            continue;
        }
        if let Some(wrong) = &told.wrong {
            context.say(&format!("{}.\n", render::clean(wrong))).await?;
        }
        let answer = tokio::select! {
            answer = context.console.answer(&prompt, &mut context.stdin) => answer,
            // Nobody waits for the answer any more: time is over.
            other = news.next() => match other {
                Some(told) => {
                    next = Some(told?);
                    continue;
                }
                None => return Ok((None, cancelled)),
            },
        };
        match answer {
            Ok(Some(answer)) => {
                let answer = PhoneAnswer { ticket: told.ticket, answer: Some(answer) };
                context.call(context.station.phone_answer(&answer)).await?;
            }
            Ok(None) | Err(Stop::Interrupted) => {
                give_up(context, told.ticket).await?;
                cancelled = true;
            }
            Err(Stop::Gone) => return Err(Stop::Gone.into()),
        }
    }
}

async fn give_up(context: &mut Context<'_>, ticket: i64) -> Result<(), Failure> {
    context.say("Cancelling: what was done is taken back. Please wait.\n").await?;
    // It may be over already, which is what is wanted.
    let _ = context.station.phone_answer(&PhoneAnswer { ticket, answer: None }).await;
    Ok(())
}
