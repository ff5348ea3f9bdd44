//! One of each view, with invented values: for the gallery, for tests and for a look at a new panel.

use std::time::Duration;

use crate::text::Text;
use crate::view::{
    Activity, Fingerprint, Notice, Port, PortLine, PortState, Progress, Run, ServerTrouble, Station, View,
};
use crate::words::Language;

/// A view at a moment, with a name for its picture.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Lower case words with hyphens.
    pub name: &'static str,
    /// What it shows.
    pub view: View,
    /// How long it has been shown.
    pub elapsed: Duration,
}

/// Every view of the panel in the order of a station's day. Texts that a caller
/// would provide are in `language`.
pub fn all(language: Language) -> Vec<Sample> {
    let text = |en: &str, de: &str| Text::new(if language == Language::German { de } else { en });
    let port = Port::new;
    let host = || Text::new("mfa.example.org");
    let serial = || Text::new("UBOM12345678_1");
    let notice = || refusal(language);
    let at = |name, ms, view| Sample { name, view, elapsed: Duration::from_millis(ms) };
    let server = |trouble| View::Server { trouble, host: host() };
    let work = |activity, step| View::Work {
        activity,
        port: port(3),
        progress: Progress::new(step, 6),
        subject: (step > 1).then(serial),
    };
    let station = || Station {
        name: "enroll-1".into(),
        address: "192.168.178.24".into(),
        state: text("12 keys today", "Heute 12 Schlüssel"),
        warnings: Vec::new(),
    };
    let warned = || {
        let cause = text(
            "The board has no clock, and no time server has answered yet.",
            "Das Gerät hat keine Uhr, und noch kein Zeitserver hat geantwortet.",
        );
        let remedy = text(
            "Set [network] ntp on the card, or let DHCP name a time server.",
            "[network] ntp auf der Karte setzen oder per DHCP einen Zeitserver nennen.",
        );
        let title = text("Time not known", "Uhrzeit unbekannt");
        Station { warnings: vec![Notice { code: "E5017".into(), title, cause, remedy }], ..station() }
    };
    let operator = || View::Operator {
        why: Box::new(View::Locked { reason: None }),
        name: "enroll-1.example.org".into(),
        addresses: vec!["192.168.178.24".into()],
    };
    vec![
        at("starting", 750, View::Starting { step: Some(text("Checking the card", "Karte wird geprüft")) }),
        at("no-network", 0, View::NoNetwork { detail: Some(text("No link on eth0", "Kein Signal an eth0")) }),
        at("operator", 0, operator()),
        at("operator-address", 6_000, operator()),
        at("host-key", 0, View::HostKey(fingerprint())),
        at("server-unreachable", 0, server(ServerTrouble::Unreachable)),
        at("server-untrusted", 0, server(ServerTrouble::Untrusted)),
        at("clock-wrong", 0, server(ServerTrouble::ClockWrong)),
        at("locked", 0, View::Locked { reason: None }),
        at("ready", 400, View::Ready(station())),
        at("idle-address", 28_000, View::Ready(station())),
        at("idle-state", 31_000, View::Ready(station())),
        at("idle-warning", 31_000, View::Ready(warned())),
        at("order", 0, View::Order { key: Some("12345678".into()) }),
        at("order-next", 0, View::Order { key: None }),
        at("reading", 0, work(Activity::Reading, 1)),
        at("writing", 0, work(Activity::Writing, 3)),
        at(
            "touch",
            3_000,
            View::Touch { port: port(3), seconds_left: 15, attempt: Progress::new(2, 3), torn: 0 },
        ),
        at(
            "touch-torn",
            3_000,
            View::Touch { port: port(3), seconds_left: 15, attempt: Progress::new(1, 3), torn: 1 },
        ),
        at(
            "touch-only",
            800,
            View::Touch { port: None, seconds_left: 15, attempt: Progress::new(1, 1), torn: 0 },
        ),
        at("checking", 0, work(Activity::Checking, 5)),
        at("done", 0, View::Done { port: port(3), serial: serial(), user: Some("jörg.müller".into()) }),
        at("remove", 800, View::Remove { port: port(3) }),
        at("refused", 0, View::Refused { port: port(3), notice: notice() }),
        at("refused-remedy", 6_000, View::Refused { port: port(3), notice: notice() }),
        at("quarantined", 0, View::Quarantined { port: port(3), key: "YubiKey 12345678".into() }),
        at("run", 0, View::Run(run(language))),
        at("ports-three", 0, View::Ports(ports(3))),
        at("ports-eight", 0, View::Ports(ports(8))),
        at("updating", 0, View::Updating { version: Some("1.4.0".into()), percent: 62 }),
        at("restarting", 0, View::ShuttingDown { restart: true }),
        at("shutting-down", 0, View::ShuttingDown { restart: false }),
        at(
            "fault",
            0,
            View::Fault(Notice {
                code: "E5001".into(),
                title: text("Storage failed", "Speicher defekt"),
                cause: text(
                    "The journal cannot be written, so nothing may be changed.",
                    "Das Journal kann nicht geschrieben werden, also darf nichts geändert werden.",
                ),
                remedy: text(
                    "Free space or replace the SD card; receipts can be exported first.",
                    "Platz schaffen oder SD-Karte tauschen; Belege vorher exportieren.",
                ),
            }),
        ),
    ]
}

/// An enrollment as the person at the desk sees it: each view and how
/// long it lasts.
pub fn enrollment() -> Vec<(View, Duration)> {
    let port = None;
    let serial = || Text::new("UBOM12345678_1");
    let work = |activity, step| View::Work {
        activity,
        port,
        progress: Progress::new(step, 6),
        subject: (step > 1).then(serial),
    };
    let station = Station { name: "enroll-1".into(), address: "192.168.178.24".into(), ..Station::default() };
    let list = [
        (View::Ready(station), 2_400),
        (work(Activity::Reading, 1), 700),
        (work(Activity::Writing, 2), 600),
        (work(Activity::Writing, 3), 900),
        (View::Touch { port, seconds_left: 15, attempt: Progress::new(1, 3), torn: 0 }, 3_200),
        (work(Activity::Checking, 5), 900),
        (work(Activity::Checking, 6), 500),
        (View::Done { port, serial: serial(), user: Some("jörg.müller".into()) }, 2_000),
    ];
    list.into_iter().map(|(view, ms)| (view, Duration::from_millis(ms))).collect()
}

fn refusal(language: Language) -> Notice {
    match language {
        Language::English => Notice {
            code: "E1005".into(),
            title: "Slot in use".into(),
            cause: "Its content is not this station's. New YubiKeys hold the maker's Yubico OTP in slot 1.".into(),
            remedy: "Use slot 2, confirm overwriting, or give up YubiCloud by overwrite = factory in the profile.".into(),
        },
        Language::German => Notice {
            code: "E1005".into(),
            title: "Slot belegt".into(),
            cause: "Der Inhalt ist nicht von dieser Station. In neuen YubiKeys: Yubico-OTP des Herstellers.".into(),
            remedy: "Slot 2 nehmen, Überschreiben bestätigen oder YubiCloud aufgeben (im Profil overwrite = factory).".into(),
        },
    }
}

fn fingerprint() -> Fingerprint {
    // Its own constant: 43 characters, so parsing it always works.
    Fingerprint::parse("p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM").unwrap_or_else(|_| Fingerprint::zero())
}

fn run(language: Language) -> Run {
    Run {
        name: Text::new(if language == Language::German { "Vertrieb" } else { "Sales" }),
        done: 37,
        total: Some(200),
        refused: 2,
        per_hour: Some(52),
        left: Some(Duration::from_secs(11_300)),
    }
}

fn ports(count: usize) -> Vec<PortLine> {
    let states = [
        (PortState::Work(Activity::Writing), Some(3)),
        (PortState::Touch, Some(4)),
        (PortState::Done, None),
        (PortState::Refused, None),
        (PortState::Work(Activity::Reading), Some(1)),
        (PortState::Work(Activity::Checking), Some(5)),
        (PortState::Remove, None),
        (PortState::Empty, None),
    ];
    (1..)
        .zip(states)
        .take(count)
        .filter_map(|(number, (state, step))| {
            let progress = step.map(|step| Progress::new(step, 6));
            Some(PortLine { port: Port::new(number)?, state, progress })
        })
        .collect()
}
