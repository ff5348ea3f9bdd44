//! Nobody's looks empty the audit, and no deed is lost.

use journal::receipts::compare;

use super::*;

fn entry(operator: &str, what: &str, second: i64) -> AuditEntry {
    AuditEntry {
        at: jiff::Timestamp::from_second(1_795_219_200 + second).unwrap(),
        operator: operator.to_owned(),
        address: "192.0.2.1:5".to_owned(),
        session: "s".to_owned(),
        what: what.to_owned(),
        result: "ok".to_owned(),
        took_ms: 1,
        number: None,
    }
}

fn whats(entries: &[Arc<AuditEntry>]) -> Vec<&str> {
    entries.iter().map(|entry| entry.what.as_str()).collect()
}

#[tokio::test]
async fn looks_push_no_deed_out_and_no_look_of_others() {
    let store = Store::in_memory().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let audit = Audit::open(Some(directory.path()), &store, "desk");
    audit.deed(entry("ada", "ConfigCommit", 1)).await;
    audit.look(entry("otto", "status", 2));
    for second in 0..5000 {
        audit.look(entry("eve", "version", 3 + second));
        audit.stranger(entry(&format!("SHA256:{second}"), "LogIn", 3 + second));
    }
    assert!(audit.newest(0).is_empty());
    for count in [8, 50, 1000] {
        let shown = audit.newest(count);
        assert!(whats(&shown).contains(&"ConfigCommit") && whats(&shown).contains(&"status"), "{count}");
        assert!(shown.len() <= count && shown.is_sorted_by_key(|entry| entry.at));
    }
    assert_eq!(audit.newest(1)[0].what, "ConfigCommit", "one place is a deed's");
    let looks = lock(&audit.looks);
    assert!(looks.rings.values().all(|ring| ring.kept.len() <= LOOKS));
    assert_eq!(looks.rings.len(), 3);
    assert!(!std::fs::read_dir(directory.path().join("audit")).unwrap().any(|file| {
        std::fs::read_to_string(file.unwrap().path()).is_ok_and(|text| text.contains("version"))
    }));
}

#[tokio::test]
async fn deeds_are_chained_read_back_and_bounded() {
    let store = Store::in_memory().unwrap();
    let directory = tempfile::tempdir().unwrap();
    // As an earlier version left it, the last line torn.
    let old = serde_json::to_string(&entry("ada", "from before", 0)).unwrap();
    std::fs::write(directory.path().join("audit.jsonl"), format!("{old}\n{{\"at\":\"19")).unwrap();
    let long = "x".repeat(100_000);
    {
        let audit = Audit::open(Some(directory.path()), &store, "desk");
        for second in 1..=20 {
            audit.deed(entry("ada", &format!("{second} {long}"), second)).await;
        }
    }
    let audit = loop {
        // The thread of the one before lets go of the files when it ends.
        let audit = Audit::open(Some(directory.path()), &store, "desk");
        if audit.directory().is_some() {
            break audit;
        }
        tokio::task::yield_now().await;
    };
    audit.deed(entry("ada", "last", 21)).await;
    let shown = audit.newest(1000);
    assert_eq!(shown.len(), 22);
    assert_eq!((shown[0].what.as_str(), shown[0].number), ("from before", None));
    assert!(shown[1].what.chars().count() < LONGEST + 5);
    // A checkpoint is the chain's first line.
    assert_eq!((shown[21].what.as_str(), shown[21].number), ("last", Some(22)));
    let known = store.with(|journal| journal.known(Book::Audit)).await.unwrap();
    let checked = compare(Book::Audit, &directory.path().join("audit"), &known).unwrap();
    assert_eq!((checked.receipts, Some(checked.head)), (21, known.head));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_operators_deeds_is_slowed_and_nobody_elses() {
    let store = Store::in_memory().unwrap();
    let audit = Audit::open(None, &store, "desk");
    let begun = Instant::now();
    for number in 0..1000 {
        audit.pace("eve").await;
        audit.deed(entry("eve", "SetMode", number)).await;
    }
    let took = begun.elapsed();
    assert!(took >= DEEDS_EACH * 790 && took <= DEEDS_EACH * 810, "{took:?}");
    let begun = Instant::now();
    audit.pace("ada").await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(audit.newest(1000).len(), 1000, "none is dropped");
    tokio::time::sleep(DEEDS_EACH * 1000).await;
    let begun = Instant::now();
    audit.pace("eve").await;
    assert_eq!(begun.elapsed(), Duration::ZERO, "it is forgiven");
}

#[test]
fn what_changes_something_is_a_deed() {
    let deeds = [
        Method::Enroll,
        Method::ConfigCommit,
        Method::ConfigSet,
        Method::TokenDelete,
        Method::SetMode,
        Method::SealedShow,
        Method::Reboot,
        Method::SessionEnd,
    ];
    for method in deeds {
        assert!(is_deed(Some(method), method.role()), "{method:?}");
    }
    let looks = [
        Method::Status,
        Method::Version,
        Method::Logs,
        Method::AuditList,
        Method::ReceiptsExport,
        Method::ConfigShow,
        Method::Sessions,
    ];
    for method in looks {
        assert!(!is_deed(Some(method), method.role()), "{method:?}");
    }
    assert!(is_deed(None, Role::Operator) && !is_deed(None, Role::Viewer));
}
