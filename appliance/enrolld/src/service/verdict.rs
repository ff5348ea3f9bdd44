//! What was found out about a signed log, and what cannot be known here.

use control::types::{ReceiptVerdict, SetBack, SigningKey};
use journal::receipts::{Broken, Checked, Known};
use station::papers::receipt::Book;

use super::credential::at;

/// What is said of a log that was compared with what is known of it.
pub(super) fn verdict(book: Book, known: &Known, result: Result<Checked, Broken>) -> ReceiptVerdict {
    match result {
        Ok(checked) => good(book, known, &checked),
        Err(broken) => ReceiptVerdict {
            good: false,
            receipts: 0,
            first: None,
            last: None,
            head: None,
            public_key: None,
            keys: None,
            set_back: None,
            set_backs: None,
            checked: None,
            unknown: None,
            first_wrong: broken.number().map(number),
            text: Some(broken.to_string()),
        },
    }
}

fn good(book: Book, known: &Known, checked: &Checked) -> ReceiptVerdict {
    let key = |(key, since): &(station::papers::receipt::Bytes32, u64)| SigningKey {
        key: key.to_string(),
        since: number(*since),
    };
    let set_back = |one: &station::papers::receipt::SetBack| SetBack {
        number: number(one.number),
        from: at(one.from.unix()),
        to: at(one.to.unix()),
    };
    ReceiptVerdict {
        good: true,
        receipts: number(checked.receipts),
        first: Some(number(checked.first)),
        last: Some(number(checked.head.number)),
        head: Some(checked.head.hash.to_string()),
        public_key: checked.keys.last().map(|(key, _)| key.to_string()),
        keys: Some(checked.keys.iter().map(key).collect()),
        set_back: Some(number(checked.set_back)),
        set_backs: Some(checked.set_backs.iter().map(set_back).collect()),
        checked: Some(was_checked(book, known, checked)),
        unknown: Some(not_known(book, known, checked)),
        first_wrong: None,
        text: checked.torn.then(|| "the very last line is torn; it counts for nothing".to_owned()),
    }
}

fn was_checked(book: Book, known: &Known, checked: &Checked) -> Vec<String> {
    let Checked { first, head, keys, .. } = checked;
    let mut said = vec![format!(
        "Lines {first} to {}: each has the number that follows, names the hash of the one before it, and is signed.",
        head.number
    )];
    said.push(match keys.as_slice() {
        _ if known.keys.is_empty() => {
            "The journal knows no key of this station: whoever signed is taken as it is.".to_owned()
        }
        [_] => "One key signed all of them, and it is this station's.".to_owned(),
        several => format!(
            "{} keys signed them, all of this station; a new one begins with line {}.",
            several.len(),
            several.iter().skip(1).map(|(_, since)| since.to_string()).collect::<Vec<_>>().join(", ")
        ),
    });
    said.push(format!("Line {first} is the oldest that is to be kept."));
    if let Some(last) = known.head {
        said.push(match head.number.saturating_sub(last.number) {
            0 => format!("Line {} is the last that the journal knows of, and the same there.", last.number),
            more => format!(
                "Line {} is the last that the journal knows of, and the same there; {more} followed.",
                last.number
            ),
        });
    }
    let marks = known.marks.range(first..=&head.number).count();
    if book == Book::Receipts && marks > 0 {
        said.push(format!("{marks} receipts are the ones that the journal noted with their enrollments."));
    }
    said
}

fn not_known(book: Book, known: &Known, checked: &Checked) -> Vec<String> {
    let mut said = vec![
        "Whether somebody who can write all of the card replaced log and journal alike: compare the head with \
         the log at your log server, or with what you noted."
            .to_owned(),
    ];
    if checked.first > 1 {
        said.push(format!(
            "What lines 1 to {} said: the oldest files are deleted when the log is full; an export may have them.",
            checked.first - 1
        ));
    }
    match (known.head, known.since) {
        (None, _) => said.push(
            "Whether lines at the end are missing: the journal knows nothing of this log.".to_owned(),
        ),
        (Some(_), since) if since > checked.first && book == Book::Receipts => said.push(format!(
            "Whether the lines before {since} are those that were written: the journal has known the log since then."
        )),
        _ => {}
    }
    if checked.set_back > 0 {
        said.push(
            "What time it was where the clock was set back; the order is that of the numbers.".to_owned(),
        );
    }
    said
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
