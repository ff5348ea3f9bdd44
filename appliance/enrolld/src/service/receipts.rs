//! Receipts, as they stand on the disk.

use std::path::PathBuf;

use control::types::{
    ByReceipt, Receipt, ReceiptDetails, ReceiptLines, ReceiptVerdict, Receipts, ReceiptsExport, ReceiptsList,
};
use control::{Refusal, Replies};
use journal::receipts::{Entry, Known, compare, entries};
use station::receipt::Book;
use station::refusal::Code;

use super::Desk;
use super::credential::at;
use super::paging::{failed, lines};
use super::refuse::no;
use super::verdict::verdict;

impl Desk {
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

    pub(super) async fn receipts_told(&self, request: ReceiptsList) -> Result<Receipts, Refusal> {
        let newest = usize::try_from(request.newest.unwrap_or(50).clamp(1, 1000)).unwrap_or(1000);
        self.read(move |directory| {
            let mut kept = std::collections::VecDeque::new();
            let mut total = 0;
            for entry in entries(&directory).map_err(failed)? {
                let receipt = shown(&entry.map_err(failed)?);
                let about = |text: &str| {
                    let same = |other: &Option<String>| {
                        other.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(text))
                    };
                    same(&receipt.key) || same(&receipt.token)
                };
                if !request.about.as_deref().is_none_or(about) {
                    continue;
                }
                total += 1;
                kept.push_front(receipt);
                kept.truncate(newest);
            }
            Ok(Receipts { receipts: kept.into(), total })
        })
        .await
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
