//! The SSH door's rights in other hands, and an operator who was removed: what they get, before it is mended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use control::types::{ConfigCommit, ConfigSet};
use tokio::net::TcpListener;

use super::*;

fn config(ada: &Person, vera: &Person, port: u16) -> String {
    format!(
        "[server]\nurl = \"http://127.0.0.1:{port}\"\n\
         insecure = \"send everything unencrypted, seeds and passwords included\"\n\
         api-key = \"aaaaaaaa.bbbbbbbb.cccccccc\"\n{}{}",
        ada.table("admin"),
        vera.table("viewer")
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "it is told who may come in")]
async fn before_a_login_nothing_is_told_of_operators() {
    let directory = tempfile::tempdir().unwrap();
    let [ada, vera] = ["ada", "vera"].map(Person::new);
    let station = Station::start(directory.path(), &config(&ada, &vera, 9)).await;
    let told = said(&station.control(), vec![call(Method::Door, &json!({}))]).await[0].to_string();
    assert!(!told.contains(&ada.fingerprint()), "it is told who may come in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "the API key went elsewhere")]
async fn a_fingerprint_moves_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let [ada, vera] = ["ada", "vera"].map(Person::new);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let came = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&came);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let station = Station::start(directory.path(), &config(&ada, &vera, 9)).await;
    let thief = ada.enter(&station, "thief").await;
    thief.config_set(&ConfigSet { path: "server.url".to_owned(), value: Some(url), ..ConfigSet::default() }).await.unwrap();
    let _ = thief.config_commit(&ConfigCommit::default()).await;
    let _ = thief.server_status().await;
    assert_eq!(came.load(Ordering::SeqCst), 0, "the API key went elsewhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "a removed operator is told what happens")]
async fn a_removed_operator_is_told_nothing_more() {
    let directory = tempfile::tempdir().unwrap();
    let [ada, vera] = ["ada", "vera"].map(Person::new);
    let station = Station::start(directory.path(), &config(&ada, &vera, 9)).await;
    let mut watch = vera.enter(&station, "v").await.watch().await.unwrap();
    watch.next().await.unwrap().unwrap();
    let admin = ada.enter(&station, "a").await;
    let role = ConfigSet {
        path: "operators.2.name".to_owned(),
        value: Some("another".to_owned()),
        ..ConfigSet::default()
    };
    admin.config_set(&role).await.unwrap();
    let _ = admin.config_commit(&ConfigCommit::default()).await;
    while let Ok(Some(told)) = tokio::time::timeout(Duration::from_secs(2), watch.next()).await {
        if told.is_err() {
            return;
        }
    }
    panic!("a removed operator is told what happens");
}
