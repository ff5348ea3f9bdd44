//! Every call by everybody: before a login, as viewer, operator, admin, and as somebody who was removed, before or
//! after logging in. The calls come from the interface's table, the expected verdicts from the one below, written by
//! hand.

use std::collections::BTreeMap;

use control::Role;
use control::shape::{Body, Shape};

use super::*;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Nobody,
    Viewer,
    Operator,
    Admin,
    /// Who logs in after being removed.
    Removed,
    /// Who was removed while logged in.
    Gone,
}

/// What kind of call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// What the SSH server needs before anybody can log in.
    Door,
    /// Looking, and what each session needs.
    Look,
    /// Everyday deeds.
    Deed,
    /// What changes the station itself, or shows what is not for everybody.
    Rule,
}

/// Who may make which kind of call.
const MAY: [(Who, [bool; 4]); 6] = [
    //              Door  Look   Deed   Rule
    (Who::Nobody, [true, false, false, false]),
    (Who::Viewer, [true, true, false, false]),
    (Who::Operator, [true, true, true, false]),
    (Who::Admin, [true, true, true, true]),
    (Who::Removed, [true, false, false, false]),
    (Who::Gone, [true, false, false, false]),
];

/// Which kind each call is; with a call that is new, this does not build until somebody has thought about it.
const fn class(method: Method) -> Class {
    match method {
        Method::LogIn | Method::Door | Method::DoorKnows | Method::DoorOpened => Class::Door,
        Method::Stay
        | Method::Audit
        | Method::Status
        | Method::Watch
        | Method::Version
        | Method::Explain
        | Method::Keys
        | Method::Key
        | Method::Profiles
        | Method::ProfileCheck
        | Method::WelcomeList
        | Method::RunStatus
        | Method::TokenShow
        | Method::TokenList
        | Method::UserFind
        | Method::ServerStatus
        | Method::ReceiptsList
        | Method::ReceiptsShow
        | Method::ReceiptsVerify
        | Method::Operators
        | Method::Panel
        | Method::PanelWatch => Class::Look,
        Method::SetMode
        | Method::ProfileImport
        | Method::Enroll
        | Method::Cancel
        | Method::Verify
        | Method::Release
        | Method::KeySwap
        | Method::KeyWipe
        | Method::KeyHandOver
        | Method::PhoneEnroll
        | Method::PhoneAnswer
        | Method::RegistrationCreate
        | Method::RunStartList
        | Method::RunStart
        | Method::RunPause
        | Method::RunResume
        | Method::RunStop
        | Method::RunSkip
        | Method::RunRetry
        | Method::RunAdd
        | Method::Report
        | Method::SealedList
        | Method::SealedShow
        | Method::SealedRun
        | Method::TokenEnable
        | Method::TokenDisable
        | Method::TokenDelete
        | Method::TokenAssign
        | Method::TokenUnassign
        | Method::TokenSetPin
        | Method::TokenResync
        | Method::ServerLogIn
        | Method::ServerLogOut
        | Method::ReceiptsExport
        | Method::ConfigShow
        | Method::ConfigDiff
        | Method::ConfigCheck
        | Method::Logs => Class::Deed,
        Method::AuditList
        | Method::AuditVerify
        | Method::AuditExport
        | Method::SealedRemove
        | Method::WelcomeAdd
        | Method::WelcomeRemove
        | Method::ConfigSet
        | Method::ConfigLoad
        | Method::ConfigToSign
        | Method::ConfigCommit
        | Method::ConfigConfirm
        | Method::ConfigRollback
        | Method::OperatorAdd
        | Method::OperatorSet
        | Method::OperatorRemove
        | Method::Sessions
        | Method::SessionEnd
        | Method::Reboot
        | Method::PowerOff => Class::Rule,
    }
}

fn may(who: Who, class: Class) -> bool {
    let (_, row) = MAY.iter().find(|(one, _)| *one == who).unwrap();
    row[[Class::Door, Class::Look, Class::Deed, Class::Rule].iter().position(|one| *one == class).unwrap()]
}

type Observed = BTreeMap<(Who, &'static str), bool>;

/// Where what was seen is not what the tables say.
fn wrong(observed: &Observed) -> Vec<String> {
    let mut wrong = Vec::new();
    for method in Method::ALL.iter().copied().filter(|method| *method != Method::LogIn) {
        for (who, _) in MAY {
            let seen = observed[&(who, method.name())];
            if seen != may(who, class(method)) {
                wrong.push(format!("{} by {who:?}: {seen}", method.name()));
            }
        }
    }
    wrong
}

/// Arguments that no call carries out: the key, token, run is not there.
fn arguments(method: Method) -> Value {
    let Body::Struct(members) = method.info().request.body else { panic!("a call takes an object") };
    let value = |shape: &Shape| match shape {
        Shape::Bool => json!(false),
        Shape::Int => json!(424_242),
        Shape::Secret => json!("eA=="),
        Shape::List(_) => json!([]),
        _ => json!("nothing"),
    };
    let needed = members.iter().filter(|member| !matches!(member.shape, Shape::Optional(_)));
    needed.map(|member| (member.name.to_owned(), value(&member.shape))).collect()
}

fn log_in(person: &Person, session: &str) -> String {
    let LogIn { operator, address, session } = person.log_in(session);
    call(Method::LogIn, &json!({ "operator": operator, "address": address, "session": session }))
}

/// Whether the daemon lets these messages end in a call.
async fn allowed(station: &Station, login: Option<&Person>, method: Method) -> bool {
    let log_in = login.map(|person| log_in(person, method.name()));
    let messages: Vec<_> = log_in.into_iter().chain([call(method, &arguments(method))]).collect();
    let count = messages.len();
    let answers = said(&station.control(), messages).await;
    assert_eq!(answers.len(), count, "{}: {answers:?}", method.name());
    made(answers.last().unwrap())
}

/// Whether an answer is one to a call that was made, whatever came of it.
fn made(answer: &Value) -> bool {
    !["E3010", "E3011", "E3026"].contains(&answer["parameters"]["code"].as_str().unwrap_or_default())
        && answer["error"] != "org.varlink.service.PermissionDenied"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_make_the_calls_of_the_table_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let [vera, otto, ada, rita] = ["vera", "otto", "ada", "rita"].map(Person::new);
    let config = format!(
        "[shell]\nsigned-changes = false\n[hand-over]\nto = [\"otto\"]\n{PROFILE}{}{}{}{}",
        vera.table("viewer"),
        otto.table("operator"),
        ada.table("admin"),
        rita.table("admin")
    );
    let station = Station::start(directory.path(), &config).await;
    let methods = || Method::ALL.iter().copied().filter(|method| *method != Method::LogIn);
    let admin = ada.enter(&station, "admin").await;
    // A connection for each call of somebody who is in already.
    let mut connections = Vec::new();
    for method in methods() {
        let (connection, answer) = asked(connect(&station.control()), log_in(&rita, "rita")).await;
        assert_eq!(answer["parameters"]["role"], "admin", "{answer}");
        connections.push((method, connection));
    }
    let remove = control::types::OperatorRemove { name: "rita".to_owned() };
    admin.operator_remove(&remove).await.unwrap();
    admin.config_commit(&control::types::ConfigCommit::default()).await.unwrap();
    let mut observed = Observed::new();
    for (method, connection) in connections {
        let (_, answer) = asked(connection, call(method, &arguments(method))).await;
        observed.insert((Who::Gone, method.name()), made(&answer));
    }
    let everybody = [
        (Who::Nobody, None),
        (Who::Viewer, Some(&vera)),
        (Who::Operator, Some(&otto)),
        (Who::Admin, Some(&ada)),
        (Who::Removed, Some(&rita)),
    ];
    for method in methods() {
        for (who, person) in everybody {
            observed.insert((who, method.name()), allowed(&station, person, method).await);
        }
    }
    assert_eq!(wrong(&observed), Vec::<String>::new());
    station.stop().await;

    // A wrong role of any one call, in either direction, is seen.
    for method in Method::ALL.iter().copied().filter(|method| class(*method) != Class::Door) {
        for planted in Role::ALL.iter().copied().filter(|role| *role != method.role()) {
            let mut observed = observed.clone();
            for (who, role) in
                [(Who::Viewer, Role::Viewer), (Who::Operator, Role::Operator), (Who::Admin, Role::Admin)]
            {
                observed.insert((who, method.name()), role >= planted);
            }
            assert!(!wrong(&observed).is_empty(), "{} for {planted}", method.name());
        }
        for out in [Who::Nobody, Who::Removed, Who::Gone] {
            let mut observed = observed.clone();
            observed.insert((out, method.name()), true);
            assert_eq!(wrong(&observed).len(), 1, "{} by {out:?}", method.name());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_gets_sealed_files_only_when_they_are_sealed_for_operators_like_them() {
    let directory = tempfile::tempdir().unwrap();
    let [otto, olga, ada] = ["otto", "olga", "ada"].map(Person::new);
    let config = format!(
        "[shell]\nsigned-changes = false\n[hand-over]\nto = [\"otto\"]\n{PROFILE}{}{}{}",
        otto.table("operator"),
        olga.table("operator"),
        ada.table("admin")
    );
    let station = Station::start(directory.path(), &config).await;
    for method in [Method::SealedList, Method::SealedShow, Method::SealedRun] {
        for (person, may) in [(&otto, true), (&olga, false), (&ada, true)] {
            assert_eq!(allowed(&station, Some(person), method).await, may, "{}", method.name());
        }
    }
    assert!(!allowed(&station, Some(&otto), Method::SealedRemove).await);
    station.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_removed_or_changed_is_out_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let [vera, otto, ada] = ["vera", "otto", "ada"].map(Person::new);
    let config = format!(
        "[shell]\nsigned-changes = false\n{PROFILE}{}{}{}",
        vera.table("viewer"),
        otto.table("operator"),
        ada.table("admin")
    );
    let station = Station::start(directory.path(), &config).await;
    let admin = ada.enter(&station, "admin").await;
    let (viewer, operator) = (vera.enter(&station, "v").await, otto.enter(&station, "o").await);
    let mut streams = Vec::new();
    for (client, logs) in [(&viewer, false), (&operator, true)] {
        let mut stay = client.stay().await.unwrap();
        assert!(stay.next().await.unwrap().unwrap().number > 0);
        let mut watch = client.watch().await.unwrap();
        watch.next().await.unwrap().unwrap();
        let watch = async move { while let Some(Ok(_)) = watch.next().await {} };
        let stay = async move { stay.next().await.unwrap().unwrap_err().refusal().unwrap().code.clone() };
        streams.push((tokio::spawn(watch), tokio::spawn(stay)));
        if logs {
            let follow = control::types::Logs { follow: true, ..control::types::Logs::default() };
            let mut logs = client.logs(&follow).await.unwrap();
            streams.push((
                tokio::spawn(async move { while let Some(Ok(_)) = logs.next().await {} }),
                tokio::spawn(async { "E3026".to_owned() }),
            ));
        }
    }
    let open = admin.sessions().await.unwrap();
    let told: Vec<_> =
        open.sessions.iter().map(|one| (one.operator.as_str(), one.streams.join(" "))).collect();
    assert_eq!(told, [("ada", String::new()), ("vera", "Watch".into()), ("otto", "Logs Watch".into())]);
    // One is removed, the other gets more than before: both begin anew, if they may.
    admin.operator_remove(&control::types::OperatorRemove { name: "vera".to_owned() }).await.unwrap();
    let role = Some(Role::Admin);
    let set = control::types::OperatorSet { name: "otto".to_owned(), role, ..Default::default() };
    admin.operator_set(&set).await.unwrap();
    admin.config_commit(&control::types::ConfigCommit::default()).await.unwrap();
    for (watch, stay) in streams {
        tokio::time::timeout(TIMEOUT, watch).await.expect("a stream went on").unwrap();
        assert_eq!(tokio::time::timeout(TIMEOUT, stay).await.expect("a session went on").unwrap(), "E3026");
    }
    assert!(viewer.version().await.unwrap_err().refusal().is_some());
    assert!(Client::connect(&station.control(), vera.log_in("again")).await.is_err());
    let (_, session) = Client::connect(&station.control(), otto.log_in("again")).await.unwrap();
    assert_eq!(session.role, Role::Admin);
    station.stop().await;
}
