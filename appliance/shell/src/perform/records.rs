//! Receipts and the configuration.

use control::types::{
    AuditEntries, AuditList, ByReceipt, ConfigCheck, ConfigCommit, ConfigLoad, ConfigRollback, ConfigSet,
    ConfigShow, ConfigText, ConfigToSign, ReceiptLines, ReceiptVerdict, Receipts, ReceiptsExport,
    ReceiptsList, ReportForm, ReportMake,
};
use control::{Incoming, Secret};
use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::{Context, Done, Failure, json};
use crate::command::exit::Exit;
use crate::command::tree;
use crate::render;

pub(super) async fn receipts(context: &mut Context<'_>, command: tree::Receipts) -> Done {
    let station = context.station;
    match command {
        tree::Receipts::List { newest, about } => {
            let wanted = ReceiptsList { newest: Some(newest), about };
            let pages = context.call(async { station.receipts_list(&wanted).await?.all().await }).await?;
            let total = pages.first().map_or(0, |page| page.total);
            let receipts = pages.into_iter().flat_map(|page| page.receipts).collect();
            context.print(&Receipts { receipts, total }, render::receipts).await
        }
        tree::Receipts::Show { number } => {
            let receipt = context.call(station.receipts_show(&ByReceipt { number })).await?;
            context.print(&receipt, render::receipt).await
        }
        tree::Receipts::Verify => {
            let verdict = context.call(station.receipts_verify()).await?;
            judged(context, &verdict, "receipts").await
        }
        tree::Receipts::Export { from } => {
            let lines = context.call(station.receipts_export(&ReceiptsExport { from })).await?;
            export(context, lines).await
        }
    }
}

/// A report, as a file: a PDF is no answer for a terminal.
pub(super) async fn report(context: &mut Context<'_>, wanted: &ReportMake) -> Done {
    if wanted.form == Some(ReportForm::Pdf) && context.console.terminal() && !context.json {
        let text = "A PDF is a file: ssh station run report … --format pdf > report.pdf. Nothing was made.";
        return context.refuse(Exit::Usage, text).await;
    }
    let mut parts = context.call(context.station.report(wanted)).await?;
    let mut text = Vec::new();
    while let Some(part) = context.console.during(parts.next()).await? {
        let part = part?;
        if context.json {
            context.console.out(&json(&part)).await?;
            continue;
        }
        for piece in &part.pieces {
            let bytes = BASE64.decode(piece.as_bytes()).unwrap_or_default();
            match wanted.form {
                Some(ReportForm::Pdf) => context.console.raw(bytes).await?,
                // A letter may be divided between two pieces.
                _ => text.extend(bytes),
            }
        }
    }
    // The station's tables end lines as spreadsheets do, and the shell's answers do not.
    let text = String::from_utf8_lossy(&text).replace('\r', "");
    let text = if context.console.terminal() { control::clean::shown_piece(&text) } else { text };
    context.console.out(&text).await?;
    Ok(Exit::Done)
}

pub(super) async fn audit(context: &mut Context<'_>, newest: u32, what: Option<tree::Audit>) -> Done {
    let station = context.station;
    match what {
        None => {
            let wanted = AuditList { newest: Some(newest) };
            let pages = context.call(async { station.audit_list(&wanted).await?.all().await }).await?;
            let entries = pages.into_iter().flat_map(|page| page.entries).collect();
            context.print(&AuditEntries { entries }, render::audit).await
        }
        Some(tree::Audit::Verify) => {
            let verdict = context.call(station.audit_verify()).await?;
            judged(context, &verdict, "deeds").await
        }
        Some(tree::Audit::Export { from }) => {
            let lines = context.call(station.audit_export(&ReceiptsExport { from })).await?;
            export(context, lines).await
        }
    }
}

async fn judged(context: &mut Context<'_>, verdict: &ReceiptVerdict, what: &'static str) -> Done {
    context.print(verdict, |verdict| render::verdict(verdict, what)).await?;
    Ok(if verdict.good { Exit::Done } else { Exit::Wrong })
}

/// The lines of a log, byte for byte as they were signed, so that they can be verified elsewhere.
async fn export(context: &mut Context<'_>, mut lines: Incoming<ReceiptLines>) -> Done {
    while let Some(some) = context.console.during(lines.next()).await? {
        let some = some?;
        let mut text = String::new();
        if context.json {
            text = json(&some);
        } else {
            for line in &some.lines {
                // At a terminal nobody verifies it, and JSON says the same escaped.
                match context.console.terminal() {
                    true => text.push_str(&control::clean::json(line)),
                    false => text.push_str(line),
                }
                text.push('\n');
            }
        }
        context.console.out(&text).await?;
    }
    Ok(Exit::Done)
}

pub(super) async fn config(context: &mut Context<'_>, command: tree::Config) -> Done {
    let station = context.station;
    let text = |text: &ConfigText| format!("{}\n", render::clean_lines(&text.text));
    let difference = |text: &ConfigText| match text.text.trim_end() {
        "" => "There is no change that is not committed.\n".to_owned(),
        _ => format!("{}\n", render::clean_lines(&text.text)),
    };
    let configuration = match command {
        tree::Config::Show { path, pending } => {
            let shown = context.call(station.config_show(&ConfigShow { path, pending })).await?;
            return context.print(&shown, text).await;
        }
        tree::Config::Diff { to_sign: true, rollback } => return to_sign(context, rollback).await,
        tree::Config::Diff { to_sign: false, .. } => {
            let shown = context.call(station.config_diff()).await?;
            return context.print(&shown, difference).await;
        }
        tree::Config::Load { file: _ } => {
            let text = context.text().await?;
            let lines = text.lines().map(|line| Secret::new(Zeroizing::new(line.to_owned()))).collect();
            let shown = context.call(station.config_load(&ConfigLoad { lines })).await?;
            return context.print(&shown, difference).await;
        }
        tree::Config::Set { path, value } => {
            let holds_secret = control::SECRET_FIELDS.contains(&path.as_str());
            if holds_secret && value.is_some() {
                let why = format!("{path} holds a secret: leave the value out, and it is asked for.");
                return context.refuse(Exit::Usage, &why).await;
            }
            let prompt = format!("{path} (nothing to remove it)");
            let secret = context.secret(holds_secret, &prompt).await?;
            let shown = context.call(station.config_set(&ConfigSet { path, value, secret })).await?;
            return context.print(&shown, difference).await;
        }
        tree::Config::Check { file } => {
            let text = match file {
                Some(_) => Some(context.text().await?),
                None => None,
            };
            let problems = context.call(station.config_check(&ConfigCheck { text })).await?;
            context.print(&problems, render::problems).await?;
            return Ok(if problems.problems.is_empty() { Exit::Done } else { Exit::Wrong });
        }
        tree::Config::Commit { how, signed } => {
            let confirmed_minutes = how.map(|tree::Commit::Confirmed { minutes }| minutes);
            let signature = signature(context, signed.is_some()).await?;
            context.call(station.config_commit(&ConfigCommit { confirmed_minutes, signature })).await?
        }
        tree::Config::Confirm => context.call(station.config_confirm()).await?,
        tree::Config::Rollback { signed } => {
            let signature = signature(context, signed.is_some()).await?;
            context.call(station.config_rollback(&ConfigRollback { signature })).await?
        }
    };
    context.print(&configuration, render::configuration).await
}

/// Prints the text to be signed, byte for byte.
async fn to_sign(context: &mut Context<'_>, rollback: bool) -> Done {
    let station = context.station;
    let text = context.call(station.config_to_sign(&ConfigToSign { rollback })).await?;
    context.print(&text, |text| text.text.clone()).await
}

/// A signature from standard input.
async fn signature(context: &mut Context<'_>, wanted: bool) -> Result<Option<Vec<String>>, Failure> {
    if !wanted {
        return Ok(None);
    }
    Ok(Some(context.text().await?.lines().map(str::to_owned).collect()))
}
