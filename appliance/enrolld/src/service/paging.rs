//! Long answers: produced as they are read, with a bound for each operator.
//!
//! A page is made only when the one before it has gone out. So an export that nobody reads holds one
//! page, whatever it is an export of. What cannot be made in pages, since a server or a run gives it whole, counts by its
//! size as long as it has not gone out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use control::types::ReceiptLines;
use control::wire::{LONGEST, Reply};
use control::{Refusal, Replies};
use futures_util::stream;
use journal::receipts::{ReceiptError, Rows, rows};
use station::papers::receipt::Book;
use station::refusal::Code;

use super::lock;
use super::refuse::no;

/// How many bytes of text a page has; one line may be more.
pub(super) const PAGE: usize = 16 * 1024;

/// How many answers in pages an operator may have at a time.
const SHARE: usize = 16;

/// How many bytes of other long answers an operator may leave unread: two of the longest.
const SHARE_BYTES: usize = 2 * LONGEST;

/// How many long answers each operator has.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<BTreeMap<String, Taken>>>);

#[derive(Clone, Copy, Default, PartialEq)]
struct Taken {
    answers: usize,
    bytes: usize,
}

/// The place of an answer, until this is dropped.
pub(super) struct Place {
    places: Places,
    operator: String,
    taken: Taken,
}

impl Places {
    /// A place for an answer to an operator.
    pub(super) fn take(&self, operator: &str) -> Result<Place, Refusal> {
        self.add(operator, Taken { answers: 1, bytes: 0 })
    }

    /// A place for an answer that is there already, until it has gone out. A short one needs none.
    pub(super) fn hold(&self, operator: &str, bytes: usize) -> Result<Option<Place>, Refusal> {
        if bytes <= PAGE {
            return Ok(None);
        }
        self.add(operator, Taken { answers: 0, bytes }).map(Some)
    }

    fn add(&self, operator: &str, more: Taken) -> Result<Place, Refusal> {
        let mut all = lock(&self.0);
        let taken = all.get(operator).copied().unwrap_or_default();
        let sum = Taken { answers: taken.answers + more.answers, bytes: taken.bytes + more.bytes };
        if sum.answers > SHARE || sum.bytes > SHARE_BYTES {
            let most = format!("{SHARE} in pages, and {} MiB of others, at a time", SHARE_BYTES >> 20);
            return Err(no(Code::TooManyAnswers, most));
        }
        all.insert(operator.to_owned(), sum);
        Ok(Place { places: self.clone(), operator: operator.to_owned(), taken: more })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = lock(&self.places.0);
        if let Some(taken) = all.get_mut(&self.operator) {
            taken.answers -= self.taken.answers;
            taken.bytes -= self.taken.bytes;
            if *taken == Taken::default() {
                all.remove(&self.operator);
            }
        }
    }
}

/// A stream of pages. `next` gives a page and whether another follows; it may wait for the disk.
pub(super) fn pages<S: Send + 'static, T: Send + 'static>(
    source: S,
    place: Place,
    next: impl Fn(&mut S) -> Result<(T, bool), Refusal> + Copy + Send + Sync + 'static,
) -> Replies<T> {
    Box::pin(stream::unfold(Some((source, place)), move |state| async move {
        let (mut source, place) = state?;
        let page = tokio::task::spawn_blocking(move || {
            let page = next(&mut source);
            (page, source)
        });
        match page.await {
            Ok((Ok((parameters, continues)), source)) => {
                Some((Ok(Reply { parameters, continues }), continues.then_some((source, place))))
            }
            Ok((Err(refusal), _)) => Some((Err(refusal), None)),
            Err(_) => Some((Err(no(Code::Internal, "reading was given up")), None)),
        }
    }))
}

/// The lines of a log from a number on, checkpoints included.
pub(super) fn lines(
    book: Book,
    directory: &Path,
    from: u64,
    place: Place,
) -> Result<Replies<ReceiptLines>, Refusal> {
    let rows = rows(book, directory).map_err(failed)?.from(from);
    Ok(pages(Reading { rows, from, next: None }, place, |reading: &mut Reading| {
        let page = reading.page().map_err(failed)?;
        Ok((ReceiptLines { lines: page }, reading.next.is_some()))
    }))
}

struct Reading {
    rows: Rows,
    from: u64,
    /// A line that was read and has not gone out yet.
    next: Option<String>,
}

impl Reading {
    fn page(&mut self) -> Result<Vec<String>, ReceiptError> {
        let mut page: Vec<String> = self.next.take().into_iter().collect();
        let mut bytes: usize = page.iter().map(String::len).sum();
        for row in &mut self.rows {
            let row = row?;
            if row.number < self.from {
                continue;
            }
            if bytes + row.line.len() > PAGE && !page.is_empty() {
                self.next = Some(row.line);
                break;
            }
            bytes += row.line.len();
            page.push(row.line);
        }
        Ok(page)
    }
}

pub(super) fn failed(error: ReceiptError) -> Refusal {
    no(Code::ReceiptsFailed, error.to_string())
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[test]
    fn an_operator_has_a_share_and_others_have_theirs() {
        let places = Places::default();
        let taken: Vec<_> = (0..SHARE).map(|_| places.take("eve").unwrap()).collect();
        assert_eq!(places.take("eve").err().unwrap().code, Code::TooManyAnswers.to_string());
        let other = places.take("ada").unwrap();
        drop(taken);
        assert!(places.take("eve").is_ok());
        // By their size, too, unless they are short.
        assert!(places.hold("eve", PAGE).unwrap().is_none());
        let held = places.hold("eve", LONGEST).unwrap().unwrap();
        let more = places.hold("eve", LONGEST - PAGE).unwrap().unwrap();
        assert!(places.hold("eve", PAGE + 1).is_err() && places.hold("ada", PAGE + 1).is_ok());
        drop(held);
        assert!(places.hold("eve", PAGE + 1).is_ok());
        drop((more, other));
        assert!(lock(&places.0).is_empty());
    }

    #[tokio::test]
    async fn a_page_is_made_when_the_one_before_it_was_taken() {
        let made = Arc::new(Mutex::new(0));
        let place = Places::default().take("ada").unwrap();
        let mut pages = pages(Arc::clone(&made), place, |made: &mut Arc<Mutex<i32>>| {
            let mut count = lock(made);
            *count += 1;
            Ok((*count, *count < 3))
        });
        assert_eq!(*lock(&made), 0);
        for wanted in 1..=3 {
            let page = pages.next().await.unwrap().unwrap();
            assert_eq!((page.parameters, page.continues, *lock(&made)), (wanted, wanted < 3, wanted));
        }
        assert!(pages.next().await.is_none());
    }
}
