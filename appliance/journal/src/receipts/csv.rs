//! Receipts as a table (RFC 4180), for people with a spreadsheet.

use station::papers::receipt::Receipt;

use super::Entry;

/// The first row.
pub const HEADER: &str = "number,time,outcome,code,token,vendor,model,serial,firmware,port,operator,station,profile,\
                          profile hash,run,proof,counter,attempts,server,milliseconds,recovered,enrollment,hash\r\n";

/// One receipt as a row.
pub fn row(entry: &Entry) -> String {
    let Receipt { at, enrollment, by, station, key, token, profile, run, proof, outcome, code, .. } =
        &entry.receipt;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let of_key = |part: fn(&station::papers::receipt::KeyFacts) -> Option<String>| {
        key.as_ref().and_then(part).unwrap_or_default()
    };
    let cells = [
        entry.number.to_string(),
        at.to_string(),
        outcome.clone(),
        text(code),
        text(token),
        of_key(|key| key.vendor.clone()),
        of_key(|key| key.model.clone()),
        of_key(|key| key.serial.clone()),
        of_key(|key| key.firmware.clone()),
        of_key(|key| Some(key.port.clone())),
        by.clone(),
        station.clone(),
        profile.name.clone(),
        profile.hash.map(|hash| hash.to_string()).unwrap_or_default(),
        text(run),
        proof.as_ref().map(|proof| proof.kind.clone()).unwrap_or_default(),
        proof.as_ref().map(|proof| proof.counter.to_string()).unwrap_or_default(),
        proof.as_ref().map(|proof| proof.attempts.to_string()).unwrap_or_default(),
        text(&entry.receipt.server),
        entry.receipt.took.as_ref().map(|took| took.total_ms.to_string()).unwrap_or_default(),
        if entry.receipt.recovered { "yes" } else { "" }.to_owned(),
        enrollment.clone(),
        entry.hash.to_string(),
    ];
    let mut row = cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",");
    row.push_str("\r\n");
    row
}

/// A cell that no spreadsheet takes for a formula, and that holds together.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn cells_hold_together_and_are_no_formulas() {
        for (cell, wanted) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("-1,2", "\"'-1,2\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(quoted(cell), wanted);
        }
    }
}
