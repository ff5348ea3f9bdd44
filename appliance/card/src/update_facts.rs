//! What `card begin` finds out about this start, for whoever handles updates: it alone may read all of the card.

use std::fmt::Write as _;
use std::fs;
use std::io;

use update::keys::Key;
use update::{About, Keys};

use crate::layout::Slot;

/// Where it is written at each start. Everybody may read it.
pub const FILE: &str = "/run/station-update";

/// A key as an owner writes it down: a name, a space, and the text of minisign.
pub fn own_key(text: &str) -> Option<Key> {
    let (name, key) = text.split_once(' ')?;
    Key::new(name, key)
}

/// The facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The slot that runs.
    pub slot: Slot,
    /// What it is.
    pub running: About,
    /// The version and number of the other slot, where it says so.
    pub other: Option<(String, u64)>,
    /// The other slot's node.
    pub node: String,
    /// The form of the card's boot files.
    pub contract: u64,
    /// What the board is.
    pub boards: Vec<String>,
    /// Whether this start is a try.
    pub on_trial: bool,
    /// Seconds in which a slot on trial has to show its job.
    pub limit: u64,
    /// Keys of the owner, from `[update] keys`.
    pub owner: Vec<Key>,
    /// Somebody has ordered the bundle; not written, since only the reader knows.
    pub ordered: bool,
}

impl Facts {
    /// Those of this start.
    ///
    /// # Errors
    /// When there are none, or not in this form.
    pub fn read() -> io::Result<Self> {
        Self::of(&fs::read_to_string(FILE)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Reads the text; none when anything is missing.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let (facts, about) = text.split_once("running\n")?;
        let field = |name: &str| facts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let owner = facts.lines().filter_map(|line| line.strip_prefix("owner ")?.split_once(' '));
        Some(Self {
            slot: Slot::named(field("slot")?)?,
            running: About::read(about)?,
            other: field("other")
                .and_then(|text| text.split_once(' '))
                .and_then(|(version, number)| Some((version.to_owned(), number.parse().ok()?))),
            node: field("node")?.to_owned(),
            contract: field("contract")?.parse().ok()?,
            boards: field("boards")?.split_ascii_whitespace().map(str::to_owned).collect(),
            on_trial: field("on-trial")? == "yes",
            limit: field("limit")?.parse().ok()?,
            owner: owner.filter_map(|(name, key)| Key::new(name, key)).collect(),
            ordered: true,
        })
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "slot {}\nnode {}\ncontract {}\nboards {}\non-trial {}\nlimit {}\n",
            self.slot,
            self.node,
            self.contract,
            self.boards.join(" "),
            if self.on_trial { "yes" } else { "no" },
            self.limit
        );
        if let Some((version, number)) = &self.other {
            let _ = writeln!(text, "other {version} {number}");
        }
        for key in &self.owner {
            let _ = writeln!(text, "owner {} {}", key.name, key.text);
        }
        text + "running\n" + &self.running.text()
    }

    /// Whose signature counts.
    #[must_use]
    pub fn keys(&self) -> Keys {
        self.running.keys.with(self.owner.iter().cloned())
    }
}
