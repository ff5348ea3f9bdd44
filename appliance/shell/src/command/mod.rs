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
    /// Whether a value was given that could be any text.
    pub values: bool,
}

impl Order {
    /// What the table says about it.
    pub fn entry(&self) -> Option<&'static table::Entry> {
        table::entry(&self.path)
    }
}

/// What may be kept of a line, in the history and in the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its words, without a comment.
    pub text: String,
    /// Whether that is all of it.
    pub whole: bool,
}

impl Order {
    /// What may be kept of the `line` that it was read from, by whether it was `done`.
    ///
    /// No command takes a secret on its line; but people mistype, and what was meant for an
    /// option that asks for one may have been read as a name. So of a command that asks for secrets, or that
    /// sets a field which may be one, what was not done is kept without its values.
    pub fn kept(&self, line: &str, done: bool) -> Kept {
        let doubtful = !done && self.entry().is_none_or(|entry| entry.secrets);
        if doubtful && self.values {
            return Kept { text: format!("{} (values left out)", self.path), whole: false };
        }
        // The line was read before, so it is words.
        let words = words::split(line).unwrap_or_default();
        let text = words.iter().map(|word| words::quote(word)).collect::<Vec<_>>().join(" ");
        Kept { text, whole: true }
    }
}

/// The words of commands that a line begins with: all that is told of one that was not understood. It
/// may hold a password that somebody typed where none is taken.
pub fn known_words(line: &str) -> String {
    let words = words::partial(line);
    let mut tree = tree();
    let mut known = Vec::new();
    for word in words.words.into_iter().chain([words.last]) {
        let Some(inner) = tree.find_subcommand(&word).cloned() else { break };
        known.push(word);
        tree = inner;
    }
    known.join(" ")
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
    let mut command = &tree;
    while let Some((name, inner)) = matches.subcommand() {
        path.push(name);
        matches = inner;
        command = command.find_subcommand(name).unwrap_or(command);
    }
    let given = |arg: &&clap::Arg| {
        let id = arg.get_id().as_str();
        matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine)
    };
    let values = command.get_arguments().filter(given).any(any_text);
    Ok(Some(Order { path: path.join(" "), line, values }))
}

/// Whether an argument takes a value that is not one of a few words.
fn any_text(arg: &clap::Arg) -> bool {
    arg.get_action().takes_values() && arg.get_possible_values().is_empty()
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
    let mut out = control::clean::shown_lines(&lines.join("\n"));
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
        let Command::Config(tree::Config::Commit {
            how: Some(tree::Commit::Confirmed { minutes: 5 }), ..
        }) = line.line.command
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

    /// What is kept of a line that was not done, for the history and for the audit.
    fn kept(line: &str) -> Vec<String> {
        match parse(line) {
            Ok(None) => Vec::new(),
            Ok(Some(order)) => vec![order.kept(line, false).text],
            Err(_) => vec![known_words(line)],
        }
    }

    /// Lines that somebody may have meant for a command, with the secret in them that it would have asked for.
    fn mistyped(path: &str, options: &[&str], secret: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let commands = [
            path.to_owned(),
            path.get(1..).unwrap().to_owned(),
            path.replace(' ', ""),
            format!("{path}{}", path.chars().next_back().unwrap()),
            path.to_uppercase(),
        ];
        let mut ends = vec![
            secret.to_owned(),
            format!("'{secret}"),
            format!("\"{secret}\\"),
            format!("-- {secret}"),
            format!("-p{secret}"),
            format!("--json {secret}"),
            format!("{secret} --help"),
            format!("# {secret}"),
            format!("server.api-key {secret}"),
            format!("server.api_key = '{secret}'"),
            format!("{secret} {secret}"),
            format!("{secret} --yes"),
        ];
        for option in options {
            let short: String = option.chars().filter(|c| *c != '-').take(3).collect();
            for option in
                [format!("--{option}"), format!("-{option}"), format!("--{short}"), (*option).to_owned()]
            {
                ends.extend([
                    format!("{option} {secret}"),
                    format!("{option}={secret}"),
                    format!("{option}{secret}"),
                    format!("{secret} {option}"),
                    format!("--user alice@office {option} {secret}"),
                    format!("--key {secret}"),
                    format!("UBOM00000001_1 {option} {secret}"),
                    format!("--profile desk {option} {secret} --json"),
                ]);
            }
        }
        for command in &commands {
            lines.extend(ends.iter().map(|end| format!("{command} {end}")));
            lines.extend(ends.iter().map(|end| format!("{end} {command}")));
        }
        lines
    }

    #[test]
    fn of_a_mistyped_line_no_secret_is_kept() {
        let tree = tree();
        let mut tried = 0;
        for entry in table::ENTRIES.iter().filter(|entry| entry.secrets) {
            let command = entry.path.split(' ').fold(&tree, |tree, word| tree.find_subcommand(word).unwrap());
            let mut options: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
            options.extend(["pin", "unlock", "key-pin", "password", "code"]);
            for secret in ["47110815", "s3cr3t!x"] {
                // Every seventh, another for each command and secret: to try all takes minutes.
                for line in mistyped(entry.path, &options, secret).into_iter().skip(tried % 7).step_by(7) {
                    tried += 1;
                    let kept = kept(&line);
                    assert!(kept.iter().all(|kept| !kept.contains(secret)), "{line}: {kept:?}");
                }
            }
        }
        assert!(tried > 300, "{tried}");
    }

    #[test]
    fn what_was_done_is_kept_and_what_holds_no_value_too() {
        let kept = |line: &str, done| parse(line).unwrap().unwrap().kept(line, done);
        let whole = |text: &str| Kept { text: text.to_owned(), whole: true };
        let line = "enroll --user \"o'hara x\" --pin  # for room 7";
        assert_eq!(kept(line, true), whole("enroll --user \"o'hara x\" --pin"));
        let part = Kept { text: "enroll (values left out)".to_owned(), whole: false };
        assert_eq!(kept(line, false), part);
        assert_eq!(kept("enroll --pin --overwrite", false), whole("enroll --pin --overwrite"));
        assert_eq!(kept("token show UBOM00000001_1", false), whole("token show UBOM00000001_1"));
        assert_eq!(kept("config set server.url https://pi", true), whole("config set server.url https://pi"));
        assert_eq!(known_words("token pin UBOM1 4711"), "token pin");
        assert_eq!(known_words("enrol --pin 4711"), "");
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
