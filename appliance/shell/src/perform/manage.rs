//! Tokens, people, and the credential for the server.

use control::types::{
    ByToken, ServerLogIn, TokenAssign, TokenDelete, TokenList, TokenResync, TokenSetPin, UserFind,
};

use super::{Context, Done};
use crate::command::exit::Exit;
use crate::command::tree;
use crate::render;

pub(super) async fn token(context: &mut Context<'_>, command: tree::Token) -> Done {
    let station = context.station;
    let by = |one: tree::OneToken| ByToken { serial: one.token };
    let token = match command {
        tree::Token::Show(one) => context.call(station.token_show(&by(one))).await?,
        tree::Token::Enable(one) => context.call(station.token_enable(&by(one))).await?,
        tree::Token::Disable(one) => context.call(station.token_disable(&by(one))).await?,
        tree::Token::Unassign(one) => context.call(station.token_unassign(&by(one))).await?,
        tree::Token::Assign { token, user } => {
            context.call(station.token_assign(&TokenAssign { serial: token, person: user })).await?
        }
        tree::Token::List { user, serial, kind, page, size } => {
            let wanted = TokenList { person: user, serial, kind, page: Some(page), size: Some(size) };
            let tokens = context.call(station.token_list(&wanted)).await?;
            return context.print(&tokens, render::tokens).await;
        }
        tree::Token::Delete { token, lose_access_code } => {
            let wanted = TokenDelete { serial: token, lose_access_code: lose_access_code.then_some(true) };
            let done = context.call(station.token_delete(&wanted)).await?;
            return context.print(&done, |_| "The token is deleted.\n".to_owned()).await;
        }
        tree::Token::Pin(one) => return pin(context, one.token).await,
        tree::Token::Resync(one) => {
            let (Some(first), Some(second)) = (
                context.secret(true, "A code of the key").await?,
                context.secret(true, "The next code").await?,
            ) else {
                return Ok(Exit::Usage);
            };
            context.call(station.token_resync(&TokenResync { serial: one.token, first, second })).await?
        }
    };
    context.print(&token, render::token).await
}

async fn pin(context: &mut Context<'_>, serial: String) -> Done {
    let station = context.station;
    let Some(pin) = context.secret(true, "New PIN").await? else { return Ok(Exit::Usage) };
    if context.console.terminal() {
        let again = context.secret(true, "The same again").await?;
        if again.is_none_or(|again| again.expose() != pin.expose()) {
            return context.refuse(Exit::Usage, "These are not the same. Nothing was changed.").await;
        }
    }
    let done = context.call(station.token_set_pin(&TokenSetPin { serial, pin })).await?;
    context.print(&done, |_| "The PIN is set.\n".to_owned()).await
}

pub(super) async fn user(context: &mut Context<'_>, command: tree::User) -> Done {
    let station = context.station;
    let tree::User::Find { text, realm } = command;
    let people = context.call(station.user_find(&UserFind { text, realm })).await?;
    context.print(&people, render::people).await
}

pub(super) async fn server(context: &mut Context<'_>, command: tree::Server) -> Done {
    let station = context.station;
    let server = match command {
        tree::Server::Status => context.call(station.server_status()).await?,
        tree::Server::Logout => context.call(station.server_log_out()).await?,
        tree::Server::Login { user, realm } => {
            let prompt = format!("Password of {}", render::clean(&user));
            let Some(password) = context.secret(true, &prompt).await? else { return Ok(Exit::Usage) };
            context.call(station.server_log_in(&ServerLogIn { user, realm, password })).await?
        }
    };
    context.print(&server, render::server).await
}
