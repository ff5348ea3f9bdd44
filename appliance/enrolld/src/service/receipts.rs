//! Receipts, as they stand on the disk.

use std::path::PathBuf;

use control::types::{
    ByReceipt, Receipt, ReceiptDetails, ReceiptLines, ReceiptVerdict, Receipts, ReceiptsExport, ReceiptsList,
};
use control::{Refusal, Replies};
use journal::receipts::{Broken, Entry, check, entries};
use station::refusal::Code;

use super::Desk;
use super::credential::at;
use super::refuse::no;

/// How many lines go into one answer of an export. Each has at most 4 KiB.
const LINES: usize = 100;

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
        self.read(move |directory| {
            let wanted = u64::try_from(request.number).unwrap_or(0);
            for entry in entries(&directory).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if entry.number != wanted {
                    continue;
                }
                let good = match check(&directory, None) {
                    Ok(checked) => checked.first <= wanted,
                    Err(Broken::At { number: Some(number), .. }) => number > wanted,
                    Err(_) => false,
                };
                let document = serde_json::from_str(&entry.line).unwrap_or_default();
                return Ok(ReceiptDetails { receipt: shown(&entry), document, good, line: entry.line });
            }
            Err(no(Code::InputInvalid, format!("there is no receipt {}", request.number)))
        })
        .await
    }

    pub(super) async fn receipts_verified(&self) -> Result<ReceiptVerdict, Refusal> {
        self.read(|directory| {
            Ok(match check(&directory, None) {
                Ok(checked) => ReceiptVerdict {
                    good: true,
                    receipts: i64::try_from(checked.receipts).unwrap_or(i64::MAX),
                    head: Some(checked.head.hash.to_string()),
                    public_key: checked.keys.last().map(ToString::to_string),
                    first_wrong: None,
                    text: checked
                        .torn
                        .then(|| "the very last line is torn; it counts for nothing".to_owned()),
                },
                Err(broken) => ReceiptVerdict {
                    good: false,
                    receipts: 0,
                    head: None,
                    public_key: None,
                    first_wrong: match &broken {
                        Broken::At { number, .. } => number.and_then(|number| i64::try_from(number).ok()),
                        _ => None,
                    },
                    text: Some(broken.to_string()),
                },
            })
        })
        .await
    }

    pub(super) async fn receipts_exported(
        &self,
        request: ReceiptsExport,
    ) -> Result<Replies<ReceiptLines>, Refusal> {
        let chunks = self
            .read(move |directory| {
                let from = u64::try_from(request.from.unwrap_or(0)).unwrap_or(0);
                let mut chunks = vec![ReceiptLines { lines: Vec::new() }];
                for entry in entries(&directory).map_err(failed)? {
                    let entry = entry.map_err(failed)?;
                    if entry.number < from {
                        continue;
                    }
                    match chunks.last_mut() {
                        Some(chunk) if chunk.lines.len() < LINES => chunk.lines.push(entry.line),
                        _ => chunks.push(ReceiptLines { lines: vec![entry.line] }),
                    }
                }
                Ok(chunks)
            })
            .await?;
        Ok(control::interface::finite(chunks))
    }
}

fn failed(error: journal::receipts::ReceiptError) -> Refusal {
    no(Code::ReceiptsFailed, error.to_string())
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
