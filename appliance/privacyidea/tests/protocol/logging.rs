//! What the client writes to the log: that a call was made, and nothing of it.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use privacyidea::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::script::*;

/// Keeps every event as a line of its fields.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("privacyidea")
    }

    fn event(&self, event: &Event<'_>) {
        struct Line<'a>(&'a mut String);
        impl Visit for Line<'_> {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                // How long it took is different every time.
                if field.name() != "ms" {
                    write!(self.0, "{}={value:?} ", field.name()).unwrap();
                }
            }
        }
        let mut log = self.0.lock().unwrap();
        event.record(&mut Line(&mut log));
        log.push('\n');
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn a_line_for_each_request_without_anything_of_it() {
    let log = Log::default();
    // While a process has just one subscriber, tracing asks only that of the thread which
    // first comes to a line; another test's thread has none, and the line is off for everybody
    // (tracing-core, callsite.rs). With two, it asks them all.
    let _second = tracing::Dispatch::new(Log::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tracing::subscriber::with_default(log.clone(), || {
        runtime.block_on(async {
            let (client, _) = client([
                recorded!(200, "init-hotp"),
                recorded!(200, "getserial"),
                recorded!(404, "error-not-found"),
                Err(TransportError::Unknown(Lost::Timeout)),
            ]);
            let s = serial("UBOM00000001_1");
            let init = Init::hotp(s.clone(), SecretBytes::copy_of(SEED), 6, HashAlgorithm::Sha1);
            client.init(&init.pin(text("geheim77"))).await.unwrap();
            client.serial_of(&text("755224"), Some("UBOM*")).await.unwrap();
            client.delete(&s).await.unwrap_err();
            client.enable(&s).await.unwrap_err();
        });
    });
    let expected = [
        r#"message=answered method="POST" template="/auth" status=200 "#,
        r#"message=answered method="POST" template="/token/init" status=200 "#,
        r#"message=answered method="GET" template="/token/getserial/{otp}" status=200 "#,
        r#"message=answered method="DELETE" template="/token/{serial}" status=404 "#,
        r#"message=not answered method="POST" template="/token/enable" error=the request was sent, but no complete answer came: it did not come in time "#,
    ];
    assert_eq!(log.0.lock().unwrap().lines().collect::<Vec<_>>(), expected);
}
