//! The command table: one declaration, from which come parser, help, `?`, Tab, the reference
//! page and the JSON schemas. The same grammar holds in a session and for `ssh station COMMAND`.

pub mod complete;
pub mod exit;
pub mod reference;
pub mod table;
pub mod tree;

use clap::{CommandFactory, FromArgMatches};
use thiserror::Error;

use crate::words::{self, WordsError};
pub use tree::{Command, Line};

/// Why a line is no command.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ParseError {
    /// It is not even words.
    #[error("{0}")]
    Words(#[from] WordsError),
    /// Help was asked for; this is it.
    #[error("{0}")]
    Help(String),
    /// An unknown command or argument, or one that is missing.
    #[error("{0}")]
    Usage(String),
}

/// A command that was understood.
#[derive(Debug)]
pub struct Order {
    /// Its words without arguments, such as `token show`.
    pub path: String,
    /// What was said.
    pub line: Line,
}

impl Order {
    /// What the table says about it.
    #[must_use]
    pub fn entry(&self) -> Option<&'static table::Entry> {
        table::entry(&self.path)
    }
}

/// Reads a command line. `None` when there is nothing on it.
///
/// # Errors
///
/// It is no command; the error is what to print. [`ParseError::Help`] is what
/// `--help` says.
pub fn parse(line: &str) -> Result<Option<Order>, ParseError> {
    let words = words::split(line)?;
    if words.is_empty() {
        return Ok(None);
    }
    let mut tree = tree();
    let matches = tree.try_get_matches_from_mut(words).map_err(refuse)?;
    let line = Line::from_arg_matches(&matches).map_err(|error| refuse(error.format(&mut tree)))?;
    let mut path = Vec::new();
    let mut matches = &matches;
    while let Some((name, inner)) = matches.subcommand() {
        path.push(name);
        matches = inner;
    }
    Ok(Some(Order { path: path.join(" "), line }))
}

/// What `help` says about a command; about all of them without words.
///
/// # Errors
///
/// There is no such command.
pub fn help(words: &[String]) -> Result<String, ParseError> {
    let mut tree = tree();
    tree.build();
    let mut command = &mut tree;
    for word in words {
        command = command.find_subcommand_mut(word).ok_or_else(|| {
            ParseError::Usage(format!("There is no command \"{}\"; help lists them.", words.join(" ")))
        })?;
    }
    if words.is_empty() {
        return Ok(overview(command));
    }
    Ok(tidy(&command.render_long_help().to_string()))
}

/// The tree as the parser and the completion see it.
#[must_use]
pub fn tree() -> clap::Command {
    Line::command().color(clap::ColorChoice::Never).term_width(100)
}

fn overview(tree: &clap::Command) -> String {
    let mut text = String::new();
    for command in tree.get_subcommands().filter(|command| !command.is_hide_set()) {
        let inner: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        let name = if inner.is_empty() {
            command.get_name().to_owned()
        } else {
            format!("{} {}", command.get_name(), inner.join("|"))
        };
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        if name.len() > 24 {
            text.push_str(&format!("{name}\n{:26}{about}\n", ""));
        } else {
            text.push_str(&format!("{name:26}{about}\n"));
        }
    }
    text.push_str(
        "\nhelp COMMAND says more, ? says what may come next, Tab completes. Every command takes --json.\n",
    );
    text
}

fn refuse(error: clap::Error) -> ParseError {
    use clap::error::ErrorKind;
    let text = tidy(&error.render().to_string());
    match error.kind() {
        ErrorKind::DisplayHelp => ParseError::Help(text),
        // Such as "token": what comes next is missing, and clap answers with its help.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => ParseError::Usage(text),
        _ => {
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let mut chars = text.chars();
            let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            ParseError::Usage(format!("{first}{}", chars.as_str()))
        }
    }
}

/// Clap's text as it looks here: the line of the usage has no name of a program, and what was
/// typed may hold nothing that moves a cursor.
fn tidy(text: &str) -> String {
    let text = text.replace("Usage: station ", "Usage: ");
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    let mut out: String = lines.join("\n").chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        tree().debug_assert();
    }

    #[test]
    fn commands_are_read() {
        let line = parse("enroll --profile desk --user 'alice@example' --json").unwrap().unwrap();
        assert!(line.line.json && !line.line.yes && line.path == "enroll");
        let Command::Enroll(enroll) = line.line.command else { panic!("{line:?}") };
        assert_eq!(
            (enroll.profile.as_deref(), enroll.user.as_deref()),
            (Some("desk"), Some("alice@example"))
        );
        let line = parse("config commit confirmed 5 -y").unwrap().unwrap();
        assert!(line.line.yes && line.path == "config commit confirmed");
        let Command::Config(tree::Config::Commit { how: Some(tree::Commit::Confirmed { minutes: 5 }) }) =
            line.line.command
        else {
            panic!("{line:?}")
        };
        assert!(parse("  # nothing").unwrap().is_none());
    }

    #[test]
    fn refusals_are_sentences() {
        let said = |line: &str| parse(line).map(|_| ()).unwrap_err().to_string();
        assert!(said("statsu").starts_with("Unrecognized subcommand 'statsu'"), "{}", said("statsu"));
        assert!(said("token show").contains("<TOKEN>"));
        assert!(said("run start").contains("--count"), "{}", said("run start"));
        assert!(!said("status \u{9b}31m").contains('\u{9b}'));
        assert!(matches!(parse("token --help"), Err(ParseError::Help(_))));
        assert!(matches!(parse("token"), Err(ParseError::Usage(_))));
    }

    #[test]
    fn help_lists_every_command() {
        let text = help(&[]).unwrap();
        for command in tree().get_subcommands().filter(|command| !command.is_hide_set()) {
            assert!(text.contains(command.get_name()));
        }
        assert!(help(&["token".into(), "pin".into()]).unwrap().contains("asked for"));
        assert!(help(&["tokn".into()]).is_err());
    }
}
