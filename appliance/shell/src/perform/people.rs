//! Handing keys over, registration codes, sealed files, welcome keys, and reading old parameter files.

use control::Secret;
use control::types::{
    BySealed, ImportedProfile, KeyHandOver, KeySwap, KeyWipe, ProfileImport, RegistrationCreate,
    RegistrationForm, RegistrationMade, SealedOfRun, WelcomeAdd, WelcomeRemove,
};
use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::enroll::{detached, finish, follow};
use super::{Context, Done, json};
use crate::command::exit::Exit;
use crate::command::tree::{self, FormWord};
use crate::render;

/// The longest line of a parameter file.
const LONGEST_LINE: usize = 1000;

pub(super) async fn hand_over(context: &mut Context<'_>, command: tree::HandOver) -> Done {
    let station = context.station;
    if command.overwrite && !context.yes {
        let question = "Write over what the slot holds, even if it is somebody else's?";
        if context.console.confirm(question).await? != Some(true) {
            let text = "--overwrite needs --yes, or the answer y. Nothing was done.";
            return context.refuse(Exit::Unconfirmed, text).await;
        }
    }
    let prompt = format!("Password of {}", render::clean(&command.user));
    let Some(password) = context.secret(true, &prompt).await? else { return Ok(Exit::Usage) };
    let Some(code) = context.secret(true, "Registration code").await? else { return Ok(Exit::Usage) };
    let wanted = KeyHandOver {
        person: command.user,
        password,
        code,
        profile: command.profile,
        key: command.key.clone(),
        overwrite_confirmed: command.overwrite,
        unchecked: command.unchecked.then_some(true),
        replace: command.replace,
        pin: context.secret(command.pin, "PIN of the token").await?,
        detach: command.wait.detach.then_some(true),
        wait_ms: command.wait.timeout,
    };
    let events = context.call(station.key_hand_over(&wanted)).await?;
    drop(wanted);
    context.say("The server takes password and code: the code is used up.\n").await?;
    if command.wait.detach {
        return detached(context, events).await;
    }
    let (last, cancelled) = follow(context, events, command.key, false).await?;
    finish(context, last, cancelled).await
}

pub(super) async fn registration(context: &mut Context<'_>, command: tree::Registration) -> Done {
    let tree::Registration::Create { realm, without_token, form, letter } = command;
    let station = context.station;
    if form == FormWord::Letters && context.console.terminal() && !context.json {
        let text = "Letters are a PDF: ssh station registration create … --form letters > letters.pdf. Nothing was made.";
        return context.refuse(Exit::Usage, text).await;
    }
    let letter = match letter {
        Some(_) if form != FormWord::Letters => {
            return context.refuse(Exit::Usage, "--letter goes with --form letters. Nothing was made.").await;
        }
        Some(_) => Some(context.text().await?),
        None => None,
    };
    let letters = form == FormWord::Letters;
    let form = match form {
        FormWord::Table => RegistrationForm::Table,
        FormWord::Letters => RegistrationForm::Letters,
        FormWord::Sealed => RegistrationForm::Sealed,
    };
    let wanted = RegistrationCreate { realm, without_token, form: Some(form), letter };
    let mut parts = context.call(station.registration_create(&wanted)).await?;
    let mut made: Option<RegistrationMade> = None;
    while let Some(part) = context.console.during(parts.next()).await? {
        let part = part?;
        if context.json {
            context.console.out(&json(&part)).await?;
        } else {
            for piece in &part.pieces {
                let bytes = BASE64.decode(piece.expose().as_bytes()).map(Zeroizing::new).unwrap_or_default();
                match std::str::from_utf8(&bytes) {
                    Ok(text) if context.console.terminal() => {
                        let shown = Zeroizing::new(control::clean::shown_piece(text));
                        context.console.out(&shown).await?;
                    }
                    // The engine's tables end lines as spreadsheets do, and the shell's answers do not.
                    Ok(text) if !letters => context.console.out(&text.replace('\r', "")).await?,
                    _ => context.console.raw(bytes.to_vec()).await?,
                }
            }
        }
        made = part.made.or(made);
    }
    let Some(made) = made else {
        let text = "The connection broke before all codes had come. token list --kind registration shows what was made.";
        return context.refuse(Exit::Unreachable, text).await;
    };
    if !context.json {
        context.say(&render::registration(&made)).await?;
    }
    Ok(if made.failed.is_none() { Exit::Done } else { Exit::Refused })
}

pub(super) async fn sealed(context: &mut Context<'_>, command: tree::Sealed) -> Done {
    let station = context.station;
    match command {
        tree::Sealed::List => {
            let files = context.call(station.sealed_list()).await?;
            context.print(&files, render::sealed).await
        }
        tree::Sealed::Show { run: Some(run), .. } => {
            let mut texts = context.call(station.sealed_run(&SealedOfRun { run })).await?;
            while let Some(text) = context.console.during(texts.next()).await? {
                let text = text?;
                let shown = if context.json {
                    json(&text)
                } else {
                    format!("# {}\n{}\n", render::clean(&text.name), render::clean_lines(&text.text))
                };
                context.console.out(&shown).await?;
            }
            Ok(Exit::Done)
        }
        tree::Sealed::Show { name, .. } => {
            let name = name.unwrap_or_default();
            let shown = context.call(station.sealed_show(&BySealed { name })).await?;
            context.print(&shown, |shown| format!("{}\n", render::clean_lines(&shown.text))).await
        }
        tree::Sealed::Remove { name } => {
            let done = context.call(station.sealed_remove(&BySealed { name })).await?;
            context.print(&done, |_| "The sealed file is gone.\n".to_owned()).await
        }
    }
}

pub(super) async fn welcome(context: &mut Context<'_>, command: tree::Welcome) -> Done {
    let station = context.station;
    let pending = super::access::pending;
    match command {
        tree::Welcome::List => {
            let rules = context.call(station.welcome_list()).await?;
            context.print(&rules, render::welcome).await
        }
        tree::Welcome::Add(rule) => {
            let toml = toml_of(&rule);
            let text = context.call(station.welcome_add(&WelcomeAdd { toml })).await?;
            context.print(&text, pending).await
        }
        tree::Welcome::Remove { number } => {
            let text = context.call(station.welcome_remove(&WelcomeRemove { number })).await?;
            context.print(&text, pending).await
        }
    }
}

/// A rule as TOML. JSON's quotes are also TOML's.
fn toml_of(rule: &tree::WelcomeAdd) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let mut toml = String::new();
    let texts = [
        ("name", &rule.name),
        ("vendor", &rule.vendor),
        ("model", &rule.model),
        ("firmware", &rule.firmware),
        ("form-factor", &rule.form_factor),
    ];
    for (field, text) in texts {
        if let Some(text) = text {
            toml.push_str(&format!("{field} = {}\n", quoted(text)));
        }
    }
    if !rule.serials.is_empty() {
        let serials: Vec<String> = rule.serials.iter().map(|serial| quoted(serial.trim())).collect();
        toml.push_str(&format!("serials = [{}]\n", serials.join(", ")));
    }
    for (field, wanted) in [("fips", rule.fips), ("config-locked", rule.config_locked)] {
        if let Some(wanted) = wanted {
            toml.push_str(&format!("{field} = {wanted}\n"));
        }
    }
    toml
}

pub(super) async fn swap(context: &mut Context<'_>, key: String, unlock: bool) -> Done {
    let station = context.station;
    let unlock = context.secret(unlock, "Access code of the slots (12 hexadecimal digits)").await?;
    let handled = context.call(station.key_swap(&KeySwap { key, unlock })).await?;
    context.print(&handled, |handled| render::handled(handled, "the slots 1 and 2 are exchanged")).await
}

pub(super) async fn wipe(
    context: &mut Context<'_>,
    key: String,
    slot: u8,
    unlock: bool,
    key_pin: bool,
) -> Done {
    let station = context.station;
    let wanted = KeyWipe {
        key,
        slot,
        unlock: context.secret(unlock, "Access code of the slot (12 hexadecimal digits)").await?,
        key_pin: context.secret(key_pin, "Administrator PIN of the key").await?,
    };
    let handled = context.call(station.key_wipe(&wanted)).await?;
    context.print(&handled, |handled| render::handled(handled, &format!("slot {slot} is empty"))).await
}

pub(super) async fn import(context: &mut Context<'_>, name: String) -> Done {
    let station = context.station;
    // There may be passwords in it.
    let text = Zeroizing::new(context.text().await?);
    if text.lines().any(|line| line.len() > LONGEST_LINE) {
        let why = "This is no parameter file: a line has over 1000 characters.";
        return context.refuse(Exit::Usage, why).await;
    }
    let lines = text.lines().map(|line| Secret::new(Zeroizing::new(line.to_owned()))).collect();
    let imported = context.call(station.profile_import(&ProfileImport { name, lines })).await?;
    let text = |imported: &ImportedProfile| format!("{}\n", render::clean_lines(imported.toml.trim()));
    context.print(&imported, text).await?;
    if imported.profile {
        return Ok(Exit::Done);
    }
    context.refuse(Exit::Refused, "The file says nothing about keys: there is no profile in it.").await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_becomes_toml() {
        let line = "welcome add --vendor yubico --serials 7,100-199 --firmware -5.7 --name 'our \"stock\"' --fips false";
        let order = crate::command::parse(line).unwrap_or_default();
        let Some(tree::Command::Welcome(tree::Welcome::Add(rule))) = order.map(|order| order.line.command)
        else {
            panic!("{line}")
        };
        assert_eq!(
            toml_of(&rule),
            "name = \"our \\\"stock\\\"\"\nvendor = \"yubico\"\nfirmware = \"-5.7\"\nserials = [\"7\", \"100-199\"]\nfips = false\n"
        );
        assert!(crate::command::parse("welcome add --name x").is_err());
    }
}
