//! Long answers: produced as they are read, with a bound for each operator.
//!
//! A page is made only when the one before it has gone out. So an export that nobody reads holds one
//! page, whatever it is an export of.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use control::types::ReceiptLines;
use control::wire::Reply;
use control::{Refusal, Replies};
use futures_util::stream;
use journal::receipts::{ReceiptError, Rows, rows};
use station::receipt::Book;
use station::refusal::Code;

use super::lock;
use super::refuse::no;

/// How many bytes of text a page has; one line may be more.
pub(super) const PAGE: usize = 16 * 1024;

/// How many long answers an operator may have at a time.
const SHARE: usize = 16;

/// How many long answers each operator has.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<BTreeMap<String, usize>>>);

/// The place of an answer, until this is dropped.
pub(super) struct Place {
    places: Places,
    operator: String,
}

impl Places {
    /// A place for an answer to an operator.
    pub(super) fn take(&self, operator: &str) -> Result<Place, Refusal> {
        let mut taken = lock(&self.0);
        let count = taken.entry(operator.to_owned()).or_default();
        if *count >= SHARE {
            return Err(no(Code::TooManyAnswers, format!("{SHARE} at a time")));
        }
        *count += 1;
        Ok(Place { places: self.clone(), operator: operator.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.0);
        if let Some(count) = taken.get_mut(&self.operator) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.operator);
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
        drop(other);
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
