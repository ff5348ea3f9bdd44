//! The panel's own words, once per language.
//!
//! A language is a value of [`Words`]: a phrase that is missing does not
//! compile. Soft hyphens (U+00AD) mark where a long word may be divided.

use std::time::Duration;

use crate::view::Port;

/// The language of the panel (`panel.language`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Language {
    /// `en`
    #[default]
    English,
    /// `de`
    German,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The two-letter code of ISO 639-1.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language of a two-letter code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    pub(crate) const fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }
}

/// Everything the panel says by itself.
pub(crate) struct Words {
    pub(crate) starting: &'static str,
    pub(crate) no_network: &'static str,
    pub(crate) plug_cable: &'static str,
    pub(crate) address: &'static str,
    pub(crate) host_key: &'static str,
    pub(crate) unreachable: &'static str,
    pub(crate) unreachable_todo: &'static str,
    pub(crate) untrusted: &'static str,
    pub(crate) untrusted_todo: &'static str,
    pub(crate) clock_wrong: &'static str,
    pub(crate) clock_wrong_todo: &'static str,
    pub(crate) locked: &'static str,
    pub(crate) locked_todo: &'static str,
    pub(crate) ready: &'static str,
    pub(crate) insert: &'static str,
    pub(crate) insert_next: &'static str,
    pub(crate) insert_this: &'static str,
    pub(crate) order_waits: &'static str,
    pub(crate) reading: &'static str,
    pub(crate) writing: &'static str,
    pub(crate) checking: &'static str,
    pub(crate) leave_it: &'static str,
    pub(crate) touch: &'static str,
    pub(crate) touch_port: fn(Port) -> String,
    pub(crate) torn: &'static str,
    pub(crate) torn_todo: &'static str,
    pub(crate) attempt: fn(u8, u8) -> String,
    pub(crate) done: &'static str,
    pub(crate) remove: &'static str,
    pub(crate) remove_port: fn(Port) -> String,
    pub(crate) fault: &'static str,
    pub(crate) quarantined: &'static str,
    pub(crate) quarantined_cause: &'static str,
    pub(crate) quarantined_todo: &'static str,
    pub(crate) port: fn(Port) -> String,
    pub(crate) keys_at_work: fn(usize) -> String,
    pub(crate) of: fn(u32, u32) -> String,
    pub(crate) done_so_far: fn(u32) -> String,
    pub(crate) refused_so_far: fn(u32) -> String,
    pub(crate) per_hour: fn(u32) -> String,
    pub(crate) left: fn(&str) -> String,
    pub(crate) updating: &'static str,
    pub(crate) keep_power: &'static str,
    pub(crate) shutting_down: &'static str,
    pub(crate) restarting: &'static str,
    pub(crate) list_empty: &'static str,
    pub(crate) list_reading: &'static str,
    pub(crate) list_writing: &'static str,
    pub(crate) list_checking: &'static str,
    pub(crate) list_touch: &'static str,
    pub(crate) list_done: &'static str,
    pub(crate) list_remove: &'static str,
    pub(crate) list_refused: &'static str,
    pub(crate) list_quarantined: &'static str,
}

const ENGLISH: Words = Words {
    starting: "Starting",
    no_network: "No network",
    plug_cable: "Plug in the network cable.",
    address: "Address",
    host_key: "SSH host key",
    unreachable: "No server",
    unreachable_todo: "Trying again. If it lasts, call an operator.",
    untrusted: "Unknown server",
    untrusted_todo: "Call an operator to check its certificate.",
    clock_wrong: "Clock is wrong",
    clock_wrong_todo: "Waiting for a time server.",
    locked: "Locked",
    locked_todo: "An operator has to unlock the station.",
    ready: "Ready",
    insert: "Insert a\u{a0}key",
    insert_next: "Insert the next key",
    insert_this: "Insert this\u{a0}key",
    order_waits: "An order waits",
    reading: "Reading",
    writing: "Writing",
    checking: "Checking",
    leave_it: "Leave the key in",
    touch: "Touch the\u{a0}key",
    touch_port: |port| format!("Touch key\u{a0}{port}"),
    torn: "The code came torn.",
    torn_todo: "Another port, or a Pi\u{a0}4.",
    attempt: |n, of| format!("Try {n} of {of}"),
    done: "Done",
    remove: "Remove the\u{a0}key",
    remove_port: |port| format!("Remove key\u{a0}{port}"),
    fault: "Fault",
    quarantined: "Quarantined",
    quarantined_cause: "It was pulled out while it was written.",
    quarantined_todo: "Insert it again, or hand it to an operator.",
    port: |port| format!("Port {port}"),
    keys_at_work: |n| if n == 1 { "1 key".to_owned() } else { format!("{n} keys") },
    of: |done, total| format!("{done} of {total}"),
    done_so_far: |done| format!("{done} done"),
    refused_so_far: |n| format!("{n} refused"),
    per_hour: |n| format!("{n} an hour"),
    left: |time| format!("{time} left"),
    updating: "Updating",
    keep_power: "Do not switch off",
    shutting_down: "Turning off",
    restarting: "Restarting",
    list_empty: "Free",
    list_reading: "Reads",
    list_writing: "Writes",
    list_checking: "Checks",
    list_touch: "Touch",
    list_done: "Done",
    list_remove: "Remove",
    list_refused: "Refused",
    list_quarantined: "Aside",
};

const GERMAN: Words = Words {
    starting: "Startet",
    no_network: "Kein Netzwerk",
    plug_cable: "Bitte Netzwerkkabel ein\u{ad}stecken.",
    address: "Adresse",
    host_key: "SSH-Schlüssel",
    unreachable: "Kein Server",
    unreachable_todo: "Neuer Versuch läuft. Wenn es dauert: Operator rufen.",
    untrusted: "Fremder Server",
    untrusted_todo: "Operator rufen: Zertifikat prüfen.",
    clock_wrong: "Uhr geht falsch",
    clock_wrong_todo: "Warte auf einen Zeitserver.",
    locked: "Gesperrt",
    locked_todo: "Ein Operator muss die Station entsperren.",
    ready: "Bereit",
    insert: "Schlüssel einstecken",
    insert_next: "Nächster Schlüssel",
    insert_this: "Diesen Schlüssel ein\u{ad}stecken",
    order_waits: "Ein Auftrag wartet",
    reading: "Lesen",
    writing: "Schreiben",
    checking: "Prüfen",
    leave_it: "Stecken lassen",
    touch: "Schlüssel berühren",
    touch_port: |port| format!("Schlüssel\u{a0}{port} berühren"),
    torn: "Code kam nicht ganz an.",
    torn_todo: "Anderer Anschluss oder Pi\u{a0}4.",
    attempt: |n, of| format!("Versuch {n} von {of}"),
    done: "Fertig",
    remove: "Schlüssel abziehen",
    remove_port: |port| format!("Schlüssel\u{a0}{port} abziehen"),
    fault: "Störung",
    quarantined: "Quarantäne",
    quarantined_cause: "Beim Schreiben abgezogen.",
    quarantined_todo: "Noch einmal einstecken oder einem Operator geben.",
    port: |port| format!("Port {port}"),
    keys_at_work: |n| format!("{n} Schlüssel"),
    of: |done, total| format!("{done} von {total}"),
    done_so_far: |done| format!("{done} fertig"),
    refused_so_far: |n| format!("{n} abgelehnt"),
    per_hour: |n| format!("{n} pro Stunde"),
    left: |time| format!("noch {time}"),
    updating: "Update läuft",
    keep_power: "Nicht ausschalten",
    shutting_down: "Schaltet ab",
    restarting: "Startet neu",
    list_empty: "Frei",
    list_reading: "Liest",
    list_writing: "Schreibt",
    list_checking: "Prüft",
    list_touch: "Berühren",
    list_done: "Fertig",
    list_remove: "Abziehen",
    list_refused: "Fehler",
    list_quarantined: "Beiseite",
};

/// `left` as people say it: `45 s`, `12 min`, `3:08 h`, `2 d 4 h`.
pub(crate) fn time(left: Duration) -> String {
    let seconds = left.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let nbsp = '\u{a0}';
    if minutes == 0 {
        format!("{seconds}{nbsp}s")
    } else if hours == 0 {
        format!("{minutes}{nbsp}min")
    } else if days == 0 {
        format!("{hours}:{:02}{nbsp}h", minutes % 60)
    } else {
        format!("{days}{nbsp}d {}{nbsp}h", hours % 24)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face;
    use crate::text::Text;

    impl Words {
        /// Every phrase, filled with the longest numbers.
        pub(crate) fn all(&self) -> Vec<String> {
            let port = Port::new(99).unwrap();
            let mut all: Vec<String> = [
                self.starting,
                self.no_network,
                self.plug_cable,
                self.address,
                self.host_key,
                self.unreachable,
                self.unreachable_todo,
                self.untrusted,
                self.untrusted_todo,
                self.clock_wrong,
                self.clock_wrong_todo,
                self.locked,
                self.locked_todo,
                self.ready,
                self.insert,
                self.insert_next,
                self.insert_this,
                self.order_waits,
                self.reading,
                self.writing,
                self.checking,
                self.leave_it,
                self.touch,
                self.torn,
                self.torn_todo,
                self.done,
                self.remove,
                self.fault,
                self.quarantined,
                self.quarantined_cause,
                self.quarantined_todo,
                self.updating,
                self.keep_power,
                self.shutting_down,
                self.restarting,
                self.list_empty,
                self.list_reading,
                self.list_writing,
                self.list_checking,
                self.list_touch,
                self.list_done,
                self.list_remove,
                self.list_refused,
                self.list_quarantined,
            ]
            .map(str::to_owned)
            .to_vec();
            all.extend([
                (self.touch_port)(port),
                (self.attempt)(9, 9),
                (self.remove_port)(port),
                (self.port)(port),
                (self.keys_at_work)(8),
                (self.keys_at_work)(1),
                (self.of)(99_999, 99_999),
                (self.done_so_far)(99_999),
                (self.refused_so_far)(99_999),
                (self.per_hour)(9_999),
                (self.left)(&time(Duration::from_secs(86_399))),
            ]);
            all
        }
    }

    #[test]
    fn each_language_says_everything_and_only_drawable_characters() {
        for language in Language::ALL {
            let all = language.words().all();
            assert_eq!(all.len(), ENGLISH.all().len());
            for phrase in &all {
                assert!(!phrase.trim().is_empty());
                assert_eq!(Text::new(phrase).as_str(), phrase, "{}: {phrase}", language.code());
                assert!(phrase.chars().all(face::has), "{phrase}");
            }
            assert_eq!(Language::from_code(language.code()), Some(language));
        }
        assert_eq!(Language::from_code("fr"), None);
    }

    #[test]
    fn german_is_german() {
        let same: Vec<_> = ENGLISH.all().into_iter().zip(GERMAN.all()).filter(|(en, de)| en == de).collect();
        // "Port 99" is the same in both.
        assert_eq!(same.len(), 1, "{same:?}");
    }

    #[test]
    fn time_is_rounded_to_what_matters() {
        let said = |s| time(Duration::from_secs(s)).replace('\u{a0}', " ");
        assert_eq!([said(0), said(59), said(60)], ["0 s", "59 s", "1 min"]);
        assert_eq!([said(3599), said(11_300), said(90_000)], ["59 min", "3:08 h", "1 d 1 h"]);
    }
}
