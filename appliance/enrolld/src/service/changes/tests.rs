//! Changes, with the files that they leave.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

const TEXT: &str = include_str!("../../../../../docs/enrollment.toml");

fn opened(directory: &Path) -> Changes {
    reopened(directory).0
}

fn reopened(directory: &Path) -> (Changes, Brought) {
    let (card, state) = (directory.join("card"), directory.join("state"));
    for part in [&card, &state] {
        std::fs::create_dir_all(part).unwrap();
    }
    let file = card.join("enrollment.toml");
    if !file.exists() {
        std::fs::write(&file, TEXT).unwrap();
    }
    let (changes, brought) = Changes::open(&file, Some(&state));
    assert_eq!(brought.parsed.problems, []);
    (changes, brought)
}

#[test]
fn a_change_is_seen_committed_kept_and_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut changes = opened(directory.path());
    changes.set("server.url", Some("https://other.example.org")).unwrap();
    changes.set("shell.idle-minutes", Some("5")).unwrap();
    let diff = changes.diff().unwrap();
    assert!(diff.contains("+url = \"https://other.example.org\""), "{diff}");
    assert!(changes.text(Some("server"), false).unwrap().contains("pi.example.org"));
    let brought = changes.commit(None, Instant::now()).unwrap();
    assert_eq!(brought.parsed.config.shell.idle_minutes.number(), 5);
    assert!(changes.shown().changed && !changes.shown().pending);
    let mut again = opened(directory.path());
    assert!(again.text(Some("server.url"), false).unwrap().contains("other.example.org"));
    assert_eq!(again.rollback().unwrap_err().code, Code::NoChange.to_string());
    changes.rollback().unwrap().unwrap();
    assert!(opened(directory.path()).text(Some("server.url"), false).unwrap().contains("pi.example.org"));
}

#[test]
fn a_commit_that_nobody_confirms_is_gone_with_the_power_or_after_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut changes = opened(directory.path());
    changes.set("station.name", Some("\"other\"")).unwrap();
    changes.commit(Some(MINUTE), Instant::now()).unwrap();
    assert!(!opened(directory.path()).shown().changed);
    assert!(changes.overdue(Instant::now()).is_none());
    let late = Instant::now() + MINUTE;
    assert_eq!(changes.overdue(late).unwrap().parsed.config.station.name.as_str(), "desk-1");
    assert!(changes.overdue(late).is_none());
    changes.set("station.name", Some("other")).unwrap();
    changes.commit(Some(MINUTE), Instant::now()).unwrap();
    changes.confirm().unwrap();
    assert!(opened(directory.path()).shown().changed);
}

#[test]
fn what_comes_back_is_what_the_disk_says() {
    let directory = tempfile::tempdir().unwrap();
    let mut changes = opened(directory.path());
    changes.set("station.name", Some("for-good")).unwrap();
    changes.commit(None, Instant::now()).unwrap();
    changes.set("station.name", Some("for-a-minute")).unwrap();
    changes.commit(Some(MINUTE), Instant::now()).unwrap();
    let late = Instant::now() + MINUTE;
    changes.overdue(late).unwrap();
    let kept = opened(directory.path()).text(Some("station"), false).unwrap();
    assert_eq!(changes.text(Some("station"), false).unwrap(), kept, "what the disk says is not in force");
}

#[test]
fn a_card_that_was_prepared_anew_wins() {
    let directory = tempfile::tempdir().unwrap();
    let mut changes = opened(directory.path());
    changes.set("station.name", Some("other")).unwrap();
    changes.commit(None, Instant::now()).unwrap();
    let card = directory.path().join("card/enrollment.toml");
    std::fs::write(&card, TEXT.replace("desk-1", "desk-2")).unwrap();
    let changes = opened(directory.path());
    assert!(!changes.shown().changed);
    assert!(directory.path().join("state/put-aside.toml").exists());
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut changes = opened(directory.path());
    for (path, value) in [
        ("server.ulr", "x"),
        ("station.name", "Nö"),
        ("station", "x"),
        ("a..b", "x"),
        ("station.name.x", "1"),
        ("eyJ0.4711.x", "server.api-key"),
    ] {
        assert!(changes.set(path, Some(value)).is_err(), "{path}");
        assert!(!changes.shown().pending, "{path}");
    }
    // A field that may be there may be taken away though it is not, and what nobody knows may not.
    changes.set("server.pin", None).unwrap();
    for path in ["eyJ0.4711.x", "server.4711", "profile.4711"] {
        assert!(changes.set(path, None).is_err(), "{path}");
        assert!(!changes.document().unwrap().to_string().contains("4711"), "{path}");
    }
    changes.set("station.mode", Some("armed")).unwrap();
    changes.set("profile.desk.key-pin", Some("asked")).unwrap_err();
    changes.set("profile.desk", None).unwrap();
    assert_eq!(
        changes.commit(None, Instant::now()).map(|_| ()).unwrap_err().code,
        Code::ConfigurationInvalid.to_string()
    );
    changes.rollback().unwrap();
    assert!(!changes.shown().pending);
}

#[test]
fn secrets_are_masked() {
    let directory = tempfile::tempdir().unwrap();
    let mut changes = opened(directory.path());
    changes.set("server.api-key", Some("aaa.bbb.ccc")).unwrap();
    let shown = changes.text(None, true).unwrap() + &changes.diff().unwrap();
    assert!(shown.contains(edit::MASK) && !shown.contains("bbb"), "{shown}");
}

#[test]
fn a_cut_while_it_is_written_leaves_the_old_one_or_the_new() {
    for replaced in [false, true] {
        for cut in 0..8 {
            let directory = tempfile::tempdir().unwrap();
            let mut changes = opened(directory.path());
            let mut old = "desk-1";
            changes.set("station.name", Some("first")).unwrap();
            changes.commit(None, Instant::now()).unwrap();
            if replaced {
                // Somebody prepared the card anew meanwhile, and the old commit could not be put aside.
                let card = directory.path().join("card/enrollment.toml");
                std::fs::write(&card, TEXT.replace("idle-minutes = 15", "idle-minutes = 16") + "\n").unwrap();
                changes = opened(directory.path());
                let aside = directory.path().join("state/put-aside.toml");
                std::fs::rename(aside, directory.path().join("state/committed.toml")).unwrap();
            } else {
                old = "first";
            }
            changes.set("station.name", Some("second")).unwrap();
            let version = changes.next().clone();
            let steps = changes.disk.steps(&version, &changes.base);
            steps.iter().take(cut).for_each(|step| step.take().unwrap());
            let after = opened(directory.path());
            let name = after.text(Some("station.name"), false).unwrap();
            assert!(name.contains(old) || name.contains("second"), "{cut}: {name}");
            if cut >= steps.len() {
                assert!(name.contains("second"), "{name}");
            }
        }
    }
}

#[test]
fn a_key_belongs_to_the_server_that_it_was_given_for() {
    let directory = tempfile::tempdir().unwrap();
    let mut changes = opened(directory.path());
    let now = Instant::now();
    changes.set("server.api-key", Some("aaa.bbb.ccc")).unwrap();
    assert!(!changes.commit(None, now).unwrap().key_withheld);
    changes.set("server.url", Some("https://other.example.org")).unwrap();
    assert!(changes.commit(Some(MINUTE), now).unwrap().key_withheld);
    assert!(!changes.overdue(now + MINUTE).unwrap().key_withheld, "it is for the first one still");
    changes.set("server.url", Some("https://other.example.org")).unwrap();
    assert!(changes.commit(None, now).unwrap().key_withheld);
    assert!(reopened(directory.path()).1.key_withheld, "after a power cut, too");
    // Given anew, though it is the same.
    changes.set("server.api-key", Some("aaa.bbb.ccc")).unwrap();
    assert!(changes.shown().pending);
    assert!(!changes.commit(None, now).unwrap().key_withheld);
    assert!(!reopened(directory.path()).1.key_withheld);
    // What is said of the server besides does not matter.
    changes.set("server.name", Some("other")).unwrap();
    assert!(!changes.commit(None, now).unwrap().key_withheld);
}

/// What an operator, time, and the power do.
#[derive(Clone, Debug)]
enum Deed {
    Set(u8),
    Commit,
    Try(u8),
    Confirm,
    Rollback,
    Pass(u8),
    Cut,
}

/// What must be true, with the least that says it.
#[derive(Default)]
struct Model {
    kept: u8,
    trial: Option<(u8, u64)>,
    before: Option<u8>,
    pending: Option<u8>,
    minute: u64,
}

impl Model {
    fn in_force(&self) -> u8 {
        self.trial.map_or(self.kept, |(value, _)| value)
    }

    fn keep(&mut self, value: u8) {
        if value != self.kept {
            self.before = Some(self.kept);
        }
        (self.kept, self.trial) = (value, None);
    }

    /// Whether the deed is possible.
    fn act(&mut self, deed: &Deed) -> bool {
        match deed {
            Deed::Set(value) => self.pending = (*value != self.in_force()).then_some(*value),
            Deed::Commit => match self.pending.take() {
                Some(value) => self.keep(value),
                None => return false,
            },
            Deed::Try(minutes) => match self.pending.take() {
                Some(value) => self.trial = Some((value, self.minute + u64::from(*minutes))),
                None => return false,
            },
            Deed::Confirm => match self.trial {
                Some((value, _)) => self.keep(value),
                None => return false,
            },
            Deed::Rollback => match (self.pending.take(), self.trial.take()) {
                (Some(_), trial) => self.trial = trial,
                (None, Some(_)) => {}
                (None, None) => match self.before.take() {
                    Some(before) => self.kept = before,
                    None => return false,
                },
            },
            Deed::Pass(minutes) => {
                self.minute += u64::from(*minutes);
                self.trial = self.trial.filter(|(_, ends)| *ends > self.minute);
            }
            Deed::Cut => *self = Self { kept: self.kept, minute: self.minute, ..Self::default() },
        }
        true
    }
}

fn deeds() -> impl proptest::strategy::Strategy<Value = Vec<Deed>> {
    use proptest::prelude::*;
    let deed = prop_oneof![
        4 => (0..4_u8).prop_map(Deed::Set),
        3 => Just(Deed::Commit),
        3 => (1..4_u8).prop_map(Deed::Try),
        1 => Just(Deed::Confirm),
        2 => Just(Deed::Rollback),
        2 => (1..4_u8).prop_map(Deed::Pass),
        1 => Just(Deed::Cut),
    ];
    proptest::collection::vec(deed, 1..24)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]
    #[test]
    fn what_is_in_force_pending_and_coming_back_is_one_state(deeds in deeds()) {
        let directory = tempfile::tempdir().unwrap();
        let mut changes = opened(directory.path());
        let mut model = Model::default();
        let begun = Instant::now();
        for deed in &deeds {
            let at = begun + MINUTE * u32::try_from(model.minute).unwrap();
            let done = match deed {
                Deed::Set(0) => changes.set("station.name", Some("desk-1")).is_ok(),
                Deed::Set(value) => changes.set("station.name", Some(&format!("name-{value}"))).is_ok(),
                Deed::Commit => changes.commit(None, at).is_ok(),
                Deed::Try(minutes) => changes.commit(Some(MINUTE * u32::from(*minutes)), at).is_ok(),
                Deed::Confirm => changes.confirm().is_ok(),
                Deed::Rollback => changes.rollback().is_ok(),
                Deed::Pass(minutes) => {
                    changes.overdue(at + MINUTE * u32::from(*minutes));
                    true
                }
                Deed::Cut => {
                    changes = opened(directory.path());
                    true
                }
            };
            let possible = model.act(deed);
            proptest::prop_assert_eq!(done, possible, "{:?}", deed);
            let name = |text: &str| text.split('"').nth(1).unwrap().strip_prefix("name-").map_or(0, |n| n.parse().unwrap());
            let shown = changes.text(Some("station.name"), false).unwrap();
            proptest::prop_assert_eq!(name(&shown), model.in_force(), "{:?}", deed);
            let next = changes.text(Some("station.name"), true).unwrap();
            proptest::prop_assert_eq!(name(&next), model.pending.unwrap_or(model.in_force()), "{:?}", deed);
            let kept = opened(directory.path()).text(Some("station.name"), false).unwrap();
            proptest::prop_assert_eq!(name(&kept), model.kept, "{:?}", deed);
            proptest::prop_assert_eq!(changes.shown().confirm_by.is_some(), model.trial.is_some());
        }
    }
}
