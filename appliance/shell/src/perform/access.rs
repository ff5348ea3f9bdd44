//! Who may come in, and who is in.

use control::types::{ConfigText, OperatorAdd, OperatorRemove, OperatorSet, Role, SessionEnd};

use super::{Context, Done};
use crate::command::tree::{Operators, RoleWord, Sessions};
use crate::render;

const fn role(word: RoleWord) -> Role {
    match word {
        RoleWord::Viewer => Role::Viewer,
        RoleWord::Operator => Role::Operator,
        RoleWord::Admin => Role::Admin,
    }
}

pub(super) async fn operators(context: &mut Context<'_>, what: Option<Operators>) -> Done {
    let station = context.station;
    let text = match what {
        None => {
            let operators = context.call(station.operators()).await?;
            return context.print(&operators, render::operators).await;
        }
        Some(Operators::Add { name, role: word, from }) => {
            let keys = context.text().await?;
            let wanted = OperatorAdd { name, role: Some(role(word)), keys, from };
            context.call(station.operator_add(&wanted)).await?
        }
        Some(Operators::Set { name, role: word, from, from_everywhere, keys }) => {
            let keys = if keys { Some(context.text().await?) } else { None };
            let from = (from_everywhere || !from.is_empty()).then_some(from);
            let wanted = OperatorSet { name, role: word.map(role), keys, from };
            context.call(station.operator_set(&wanted)).await?
        }
        Some(Operators::Remove { name }) => {
            context.call(station.operator_remove(&OperatorRemove { name })).await?
        }
    };
    context.print(&text, pending).await
}

/// What would change, after a command that changes nothing yet.
pub(super) fn pending(text: &ConfigText) -> String {
    format!("{}\nNothing is in force yet: config commit.\n", render::clean_lines(&text.text))
}

pub(super) async fn sessions(context: &mut Context<'_>, what: Option<Sessions>) -> Done {
    let station = context.station;
    match what {
        None => {
            let sessions = context.call(station.sessions()).await?;
            context.print(&sessions, render::sessions).await
        }
        Some(Sessions::End { number }) => {
            let done = context.call(station.session_end(&SessionEnd { number })).await?;
            context.print(&done, |_| "The session is over. Its operator can log in again.\n".to_owned()).await
        }
    }
}
