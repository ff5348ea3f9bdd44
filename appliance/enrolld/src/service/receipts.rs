//! Receipts, as they stand on the disk.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use control::types::{
    AuditEntries, AuditEntry, AuditList, ByReceipt, Receipt, ReceiptDetails, ReceiptLines, ReceiptVerdict,
    Receipts, ReceiptsExport, ReceiptsList,
};
use control::{Refusal, Replies};
use journal::receipts::{Entry, Known, compare, entries};
use station::papers::receipt::Book;
use station::refusal::Code;

use super::Service;
use super::credential::at;
use super::paging::{PAGE, failed, lines, pages};
use super::refuse::no;
use super::verdict::verdict;

/// How many receipts a page of a list has.
const LISTED: usize = 50;

impl Service {
    fn receipts_in(&self) -> Result<PathBuf, Refusal> {
        let directory = self.receipts.clone().filter(|directory| directory.exists());
        directory.ok_or_else(|| no(Code::ReceiptsFailed, "this station keeps none"))
    }

    /// Reads the log on a thread that may wait for the disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(PathBuf) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let directory = self.receipts_in()?;
        let read = tokio::task::spawn_blocking(move || read(directory)).await;
        read.unwrap_or_else(|_| Err(no(Code::ReceiptsFailed, "reading them was given up")))
    }

    /// The newest receipts, a page at a time. Between pages only their numbers are held.
    pub(super) async fn receipts_told(
        &self,
        operator: &str,
        request: ReceiptsList,
    ) -> Result<Replies<Receipts>, Refusal> {
        let place = self.places.take(operator)?;
        let newest = usize::try_from(request.newest.unwrap_or(50).clamp(1, 1000)).unwrap_or(1000);
        let listing = self.read(move |directory| {
            let mut listing = Listing { directory, numbers: VecDeque::new(), total: 0 };
            for entry in entries(&listing.directory).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if request.about.as_deref().is_none_or(|wanted| is_about(&entry, wanted)) {
                    listing.total += 1;
                    listing.numbers.push_front(entry.number);
                    listing.numbers.truncate(newest);
                }
            }
            Ok(listing)
        });
        Ok(pages(listing.await?, place, Listing::page))
    }

    pub(super) async fn receipt_told(&self, request: ByReceipt) -> Result<ReceiptDetails, Refusal> {
        let _turn = self.turn().await;
        let known = self.known_of(Book::Receipts).await?;
        self.read(move |directory| {
            let wanted = u64::try_from(request.number).unwrap_or(0);
            for entry in entries(&directory).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if entry.number != wanted {
                    continue;
                }
                let good = match compare(Book::Receipts, &directory, &known) {
                    Ok(checked) => checked.first <= wanted,
                    Err(broken) => broken.number().is_some_and(|number| number > wanted),
                };
                let document = serde_json::from_str(&entry.line).unwrap_or_default();
                return Ok(ReceiptDetails { receipt: shown(&entry), document, good, line: entry.line });
            }
            Err(no(Code::InputInvalid, format!("there is no receipt {}", request.number)))
        })
        .await
    }

    /// One after the other: a whole log takes seconds of processor time.
    pub(super) async fn turn(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        // Never closed.
        self.checking.acquire().await.ok()
    }

    /// What the journal knows of a log, each receipt included.
    pub(super) async fn known_of(&self, book: Book) -> Result<Known, Refusal> {
        let known = self.store.with(move |journal| {
            let mut known = journal.known(book)?;
            if book == Book::Receipts {
                known.marks = journal.marks(known.oldest.unwrap_or(0))?;
            }
            Ok(known)
        });
        known.await.map_err(|error| no(Code::JournalFailed, error))
    }

    pub(super) async fn receipts_verified(&self) -> Result<ReceiptVerdict, Refusal> {
        let _turn = self.turn().await;
        // Before the log is read: what is written meanwhile is only behind it.
        let known = self.known_of(Book::Receipts).await?;
        self.read(move |directory| {
            let result = compare(Book::Receipts, &directory, &known);
            Ok(verdict(Book::Receipts, &known, result))
        })
        .await
    }

    fn audit_in(&self) -> Result<PathBuf, Refusal> {
        let directory = self.audit.directory().map(std::path::Path::to_owned);
        directory
            .ok_or_else(|| no(Code::ReceiptsFailed, "this station keeps no chain of deeds; logs say why"))
    }

    /// The newest entries of the audit, a page at a time.
    pub(super) fn audit_told(
        &self,
        operator: &str,
        request: &AuditList,
    ) -> Result<Replies<AuditEntries>, Refusal> {
        let place = self.places.take(operator)?;
        let count = usize::try_from(request.newest.unwrap_or(100).min(1000)).unwrap_or(1000);
        let entries = VecDeque::from(self.audit.newest(count));
        Ok(pages(entries, place, |rest: &mut VecDeque<Arc<AuditEntry>>| {
            let (mut entries, mut bytes) = (Vec::new(), 0);
            while let Some(entry) = rest.front() {
                // Names of members, numbers and times.
                bytes += entry.what.len() + entry.result.len() + 300;
                if bytes > PAGE && !entries.is_empty() {
                    break;
                }
                entries.extend(rest.pop_front().map(|entry| AuditEntry::clone(&entry)));
            }
            Ok((AuditEntries { entries }, !rest.is_empty()))
        }))
    }

    pub(super) async fn audit_verified(&self) -> Result<ReceiptVerdict, Refusal> {
        let directory = self.audit_in()?;
        let _turn = self.turn().await;
        let known = self.known_of(Book::Audit).await?;
        self.read(move |_| {
            let result = compare(Book::Audit, &directory, &known);
            Ok(verdict(Book::Audit, &known, result))
        })
        .await
    }

    pub(super) fn audit_exported(
        &self,
        operator: &str,
        request: &ReceiptsExport,
    ) -> Result<Replies<ReceiptLines>, Refusal> {
        let place = self.places.take(operator)?;
        let from = u64::try_from(request.from.unwrap_or(0)).unwrap_or(0);
        lines(Book::Audit, &self.audit_in()?, from, place)
    }

    pub(super) fn receipts_exported(
        &self,
        operator: &str,
        request: &ReceiptsExport,
    ) -> Result<Replies<ReceiptLines>, Refusal> {
        let place = self.places.take(operator)?;
        let from = u64::try_from(request.from.unwrap_or(0)).unwrap_or(0);
        lines(Book::Receipts, &self.receipts_in()?, from, place)
    }
}

/// Whether a receipt is about that key or token.
fn is_about(entry: &Entry, serial: &str) -> bool {
    let key = entry.receipt.key.as_ref().and_then(|key| key.serial.as_ref());
    [key, entry.receipt.token.as_ref()].into_iter().flatten().any(|one| one.eq_ignore_ascii_case(serial))
}

/// Receipts that somebody lists and has not read yet.
struct Listing {
    directory: PathBuf,
    /// Newest first.
    numbers: VecDeque<u64>,
    total: i64,
}

impl Listing {
    /// The next ones, and whether others follow. One that was rotated away meanwhile is left out.
    fn page(&mut self) -> Result<(Receipts, bool), Refusal> {
        let wanted: Vec<u64> = self.numbers.drain(..self.numbers.len().min(LISTED)).collect();
        let mut receipts = Vec::new();
        if let (Some(last), Some(first)) = (wanted.first(), wanted.last()) {
            for entry in entries(&self.directory).map_err(failed)?.from(*first) {
                let entry = entry.map_err(failed)?;
                if entry.number > *last {
                    break;
                }
                if wanted.contains(&entry.number) {
                    receipts.push(shown(&entry));
                }
            }
        }
        receipts.reverse();
        Ok((Receipts { receipts, total: self.total }, !self.numbers.is_empty()))
    }
}

fn shown(entry: &Entry) -> Receipt {
    let receipt = &entry.receipt;
    Receipt {
        number: i64::try_from(entry.number).unwrap_or(i64::MAX),
        at: at(receipt.at.unix()),
        ending: receipt.outcome.clone(),
        key: receipt.key.as_ref().and_then(|key| key.serial.clone()),
        token: receipt.token.clone(),
        person: None,
        profile: receipt.profile.name.clone(),
        operator: receipt.by.clone(),
    }
}
