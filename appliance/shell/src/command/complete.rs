//! Tab and `?`: what may stand at the cursor, by the command table. What only the station
//! knows (the serials of keys, names of profiles …) is asked by its [`Kind`].

use clap::{Arg, Command};

use crate::editor::{Candidate, Offer};
use crate::words::{self, quote};

/// A kind of value that the station knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Serials and ports of keys.
    Key,
    /// Names of profiles.
    Profile,
    /// People at the server.
    User,
    /// Serials of tokens.
    Token,
    /// Numbers of runs.
    Run,
    /// Numbers of receipts.
    Receipt,
    /// Codes of refusals.
    Code,
}

impl Kind {
    fn of(argument: &Arg) -> Option<Self> {
        let name = argument.get_value_names()?.first()?;
        Some(match name.as_str() {
            "KEY" => Self::Key,
            "PROFILE" => Self::Profile,
            "USER" => Self::User,
            "TOKEN" => Self::Token,
            "RUN" => Self::Run,
            "RECEIPT" => Self::Receipt,
            "CODE" => Self::Code,
            _ => return None,
        })
    }
}

/// A value that the station knows, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The value, unquoted.
    pub value: String,
    /// A few words about it.
    pub about: String,
}

/// What may stand at the cursor.
#[derive(Debug)]
pub struct Place {
    /// What was typed of the word, as it stands in the line.
    typed: String,
    /// The same without quotes.
    pub word: String,
    /// What the table knows.
    fixed: Vec<Known>,
    /// What to ask the station for.
    pub kind: Option<Kind>,
    /// The argument that stands here, and what it is.
    argument: Option<(String, String)>,
}

/// Looks at a line up to the cursor.
pub fn place(before: &str) -> Place {
    let seen = words::partial(before);
    let tree = super::tree();
    let mut place =
        Place { typed: seen.typed, word: seen.last, fixed: Vec::new(), kind: None, argument: None };
    let mut walk = Walk { command: &tree, positional: 0, value_of: None, given: Vec::new() };
    for word in &seen.words {
        walk.step(word);
    }
    if matches!(walk.command.get_name(), "help" | "schema") {
        let first = seen.words.iter().position(|word| word == walk.command.get_name()).unwrap_or(0) + 1;
        walk = Walk { command: &tree, positional: 0, value_of: None, given: Vec::new() };
        seen.words.iter().skip(first).for_each(|word| walk.step(word));
        place.fixed = walk.subcommands();
        place.cut();
        return place;
    }
    let option = place.word.starts_with('-');
    match walk.value_of {
        Some(argument) => place.value(argument),
        None if option => place.fixed = walk.options(),
        None => {
            place.fixed = walk.subcommands();
            if let Some(argument) = walk.argument() {
                place.value(argument);
            }
            if place.word.is_empty() && !walk.command.has_subcommands() {
                place.fixed.extend(walk.options().into_iter().filter(|known| known.value != "--help"));
            }
        }
    }
    place.cut();
    place
}

impl Place {
    /// The answer to Tab: what the table knows and what the station said.
    pub fn offer(self, station: Vec<Known>) -> Offer {
        let mut all: Vec<Known> = self.fixed;
        let known = station.into_iter().filter(|known| known.value.starts_with(&self.word));
        // Options are offered when nothing else is, or when they were begun.
        let mut values: Vec<Known> = known.collect();
        values.extend(all.extract_if(.., |known| !known.value.starts_with('-')));
        let options = if values.is_empty() || self.word.starts_with('-') { all } else { Vec::new() };
        let candidate =
            |known: Known| Candidate { value: quote(&known.value), about: known.about, blank: true };
        Offer { typed: self.typed, candidates: values.into_iter().chain(options).map(candidate).collect() }
    }

    /// The answer to `?`.
    pub fn explain(self, station: Vec<Known>, complete: bool) -> String {
        let mut rows: Vec<(String, String)> = Vec::new();
        if let Some((name, about)) = self.argument {
            rows.push((name, about));
        }
        let known = station.into_iter().filter(|known| known.value.starts_with(&self.word));
        rows.extend(known.map(|known| (format!("  {}", quote(&known.value)), known.about)));
        rows.extend(self.fixed.into_iter().map(|known| (known.value, known.about)));
        if complete && self.word.is_empty() {
            rows.push(("(Return)".to_owned(), "do it".to_owned()));
        }
        if rows.is_empty() {
            return "Nothing of that name may stand here.".to_owned();
        }
        let widest = rows.iter().map(|(value, _)| value.chars().count()).max().unwrap_or(0).min(30);
        let rows =
            rows.into_iter().map(|(value, about)| format!("{value:widest$}  {about}").trim_end().to_owned());
        rows.collect::<Vec<_>>().join("\n")
    }

    fn value(&mut self, argument: &Arg) {
        self.kind = Kind::of(argument);
        let possible = argument.get_possible_values();
        let about = argument.get_help().map(ToString::to_string).unwrap_or_default();
        if possible.is_empty() {
            let name = argument.get_value_names().and_then(|names| names.first());
            self.argument = name.map(|name| (format!("<{name}>"), about));
        }
        self.fixed.extend(possible.iter().filter(|value| !value.is_hide_set()).map(|value| Known {
            value: value.get_name().to_owned(),
            about: value.get_help().map(ToString::to_string).unwrap_or_default(),
        }));
    }

    fn cut(&mut self) {
        self.fixed.retain(|known| known.value.starts_with(&self.word));
    }
}

struct Walk<'a> {
    command: &'a Command,
    positional: usize,
    /// The option whose value comes next.
    value_of: Option<&'a Arg>,
    given: Vec<String>,
}

impl<'a> Walk<'a> {
    fn step(&mut self, word: &str) {
        if self.value_of.take().is_some() {
            return;
        }
        if let Some(option) = word.strip_prefix("--") {
            let (name, value) =
                option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
            let found = self.command.get_arguments().find(|argument| argument.get_long() == Some(name));
            self.given.push(name.to_owned());
            self.value_of = found.filter(|argument| value.is_none() && argument.get_action().takes_values());
            return;
        }
        if word.len() > 1 && word.starts_with('-') {
            return;
        }
        match self.command.find_subcommand(word) {
            Some(inner) => {
                self.command = inner;
                self.positional = 0;
            }
            None => self.positional += 1,
        }
    }

    fn subcommands(&self) -> Vec<Known> {
        if self.positional > 0 {
            return Vec::new();
        }
        let visible = self.command.get_subcommands().filter(|command| !command.is_hide_set());
        let known = visible.map(|command| Known {
            value: command.get_name().to_owned(),
            about: command.get_about().map(ToString::to_string).unwrap_or_default(),
        });
        known.collect()
    }

    /// The argument without a name that comes next.
    fn argument(&self) -> Option<&'a Arg> {
        let mut all = self.command.get_positionals();
        let last = self.command.get_positionals().last();
        // The last may take many.
        let many = last.filter(|last| last.get_num_args().is_some_and(|range| range.max_values() > 1));
        all.nth(self.positional).or(many)
    }

    fn options(&self) -> Vec<Known> {
        let mut known: Vec<Known> = Vec::new();
        for argument in self.command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let Some(name) = argument.get_long() else { continue };
            if self.given.iter().any(|given| given == name) {
                continue;
            }
            known.push(Known {
                value: format!("--{name}"),
                about: argument.get_help().map(ToString::to_string).unwrap_or_default(),
            });
        }
        for (name, about) in
            [("json", "Print JSON instead of text"), ("yes", "Do not ask"), ("help", "Say more")]
        {
            let value = format!("--{name}");
            if !self.given.iter().any(|given| given == name)
                && !known.iter().any(|known| known.value == value)
            {
                known.push(Known { value, about: about.to_owned() });
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(before: &str) -> Vec<String> {
        let offer = place(before).offer(Vec::new());
        offer.candidates.into_iter().map(|candidate| candidate.value).collect()
    }

    #[test]
    fn commands_and_options_are_offered() {
        assert_eq!(values("tok"), ["token"]);
        assert_eq!(values("config c"), ["check", "commit", "confirm"]);
        assert_eq!(values("config commit "), ["confirmed"]);
        assert_eq!(values("mode "), ["armed", "attended", "locked"]);
        assert_eq!(values("enroll --pro"), ["--profile"]);
        assert_eq!(values("logs --level w"), ["warn"]);
        assert_eq!(values("schema token de"), ["delete"]);
        assert_eq!(values("help ru"), ["run"]);
        assert!(values("enroll --json --").iter().all(|value| value != "--json"));
        assert!(values("nonsense tok").is_empty());
        assert!(!values("").contains(&"plug".to_owned()));
    }

    #[test]
    fn the_station_is_asked_for_what_it_knows() {
        for (before, kind) in [
            ("key ", Kind::Key),
            ("enroll --profile ", Kind::Profile),
            ("enroll --user al", Kind::User),
            ("token assign UBOM1 ", Kind::User),
            ("token show 'UB", Kind::Token),
            ("receipts show ", Kind::Receipt),
            ("explain E2", Kind::Code),
            ("run status ", Kind::Run),
        ] {
            assert_eq!(place(before).kind, Some(kind), "{before}");
        }
        assert_eq!(place("token show X Y ").kind, None);
        let station = vec![
            Known { value: "UB OM".into(), about: "hotp".into() },
            Known { value: "TOTP1".into(), about: String::new() },
        ];
        let offer = place("token show 'UB").offer(station);
        assert_eq!((offer.typed.as_str(), offer.candidates.len()), ("'UB", 1));
        assert_eq!(offer.candidates[0].value, "'UB OM'");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        #[test]
        fn no_line_is_too_strange(line in "(token |run |start |--|help |-|config |commit |=|'|.){0,12}") {
            let _ = super::super::parse(&line);
            let _ = place(&line).offer(Vec::new());
            let _ = place(&line).explain(Vec::new(), true);
        }
    }

    #[test]
    fn question_mark_says_what_is_wanted() {
        let text =
            place("token show ").explain(vec![Known { value: "T1".into(), about: "hotp".into() }], false);
        assert!(text.starts_with("<TOKEN>") && text.contains("  T1"), "{text}");
        assert!(place("status ").explain(Vec::new(), true).contains("(Return)"));
        assert!(place("xyz").explain(Vec::new(), false).contains("Nothing"));
    }
}
