//! The reference of the commands, for `docs/shell.md`: written by the table itself.

use std::fmt::Write as _;

use super::exit::Exit;
use super::table;

/// The lines between which the reference stands in `docs/shell.md`.
pub const BEGIN: &str = "<!-- The reference below is written by the command table: scripts/bless-shell -->\n";

/// The reference, in Markdown.
pub fn reference() -> String {
    let mut text = format!("{BEGIN}\n## Commands\n\n");
    text.push_str("| command | for | |\n|---|---|---|\n");
    let mut tree = super::tree();
    tree.build();
    let mut details = String::new();
    walk(&mut tree, "", &mut text, &mut details);
    text.push_str("\nWhere the last column says \"asks\", the command asks first, and needs `--yes` where nobody can be asked.\n");
    text.push_str("\n## Exit statuses\n\n| status | |\n|---|---|\n");
    for (exit, means) in Exit::ALL {
        let _ = writeln!(text, "| {} | {means} |", exit.status());
    }
    text.push_str("\n## Each command\n");
    text.push_str(&details);
    text
}

fn walk(command: &mut clap::Command, before: &str, text: &mut String, details: &mut String) {
    for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set()) {
        let path = format!("{before}{}", inner.get_name());
        if let Some(entry) = table::entry(&path) {
            let about = inner.get_about().map(ToString::to_string).unwrap_or_default();
            let asks = if entry.question.is_some() { "; asks" } else { "" };
            let _ = writeln!(text, "| `{path}` | {} | {about}{asks} |", entry.role);
            let usage = inner.render_usage().to_string().replace("Usage: station ", "");
            let usage = usage.trim().replace(" [OPTIONS]", "");
            let _ = write!(details, "\n### {path}\n\n    {usage}\n\n{about}.\n");
            arguments(inner, details);
        }
        walk(inner, &format!("{path} "), text, details);
    }
}

fn arguments(command: &clap::Command, details: &mut String) {
    let mut rows = String::new();
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        if matches!(argument.get_id().as_str(), "help" | "json" | "yes") {
            continue;
        }
        let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        let value = value.filter(|_| argument.get_action().takes_values());
        let name = match (argument.get_long(), value) {
            (Some(long), Some(value)) => format!("--{long} {value}"),
            (Some(long), None) => format!("--{long}"),
            (None, value) => value.unwrap_or_default(),
        };
        let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let words: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|value| value.get_name() != "-" && argument.get_action().takes_values())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !words.is_empty() {
            let _ = write!(help, ": {}", words.join(", "));
        }
        let default: Vec<_> =
            argument.get_default_values().iter().filter_map(|value| value.to_str()).collect();
        if !default.is_empty() && argument.get_action().takes_values() {
            let _ = write!(help, " (default {})", default.join(" "));
        }
        let _ = writeln!(rows, "| `{name}` | {help} |");
    }
    if !rows.is_empty() {
        let _ = write!(details, "\n| | |\n|---|---|\n{rows}");
    }
}
