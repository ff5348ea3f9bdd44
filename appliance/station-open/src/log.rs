//! The program's own log: who got what printed, when, and by whom. It holds no secret.
//!
//! ```text
//! 2026-12-01T10:21:07+01:00 anna letters UBOM12345678_1 lcapek@office first
//! 2026-12-01T11:02:44+01:00 anna letters UBOM12345678_1 lcapek@office again
//! ```

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Form;
use crate::secrets::Handed;

/// Where it is when nobody names another place.
pub(crate) fn usual() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = if cfg!(windows) {
        named("LOCALAPPDATA")
    } else {
        named("XDG_STATE_HOME").or_else(|| Some(std::env::home_dir()?.join(".local").join("state")))
    };
    Some(directory?.join("station-open").join("printed.log"))
}

/// Writes a line for each person, and says how many of them were printed in this form before.
pub(crate) fn written(path: &Path, form: Form, handed: &[Handed]) -> io::Result<usize> {
    let before = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let printed: BTreeSet<(&str, &str)> = before
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(2);
            Some((words.next()?, words.next()?))
        })
        .collect();
    let who = ["USER", "USERNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let who = word(&who);
    let now = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let mut lines = String::new();
    let mut again = 0;
    for one in handed {
        let token = word(&one.token);
        let repeated = printed.contains(&(form.word(), token.as_str()));
        again += usize::from(repeated);
        let how = if repeated { "again" } else { "first" };
        lines.push_str(&format!("{now} {who} {} {token} {} {how}\n", form.word(), word(&one.login())));
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()?;
    Ok(again)
}

/// A text as one word of a line.
fn word(text: &str) -> String {
    let word: String =
        text.chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}
