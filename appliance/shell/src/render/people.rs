//! Phones, registration codes, sealed files, welcome keys.

use control::types::{Ending, KeyHandled, PhoneOutcome, RegistrationMade, SealedFiles, WelcomeRules};
use zeroize::Zeroizing;

use super::{clean, or_dash, table, time};

/// Light modules that have to be around a QR code (ISO/IEC 18004, 9.1).
const QUIET: usize = 4;

/// A QR code as lines of half blocks, two rows of modules a line. Terminals write light on dark; for those
/// that write dark on light, `inverted`.
pub fn half_blocks(rows: &[&str], inverted: bool) -> Zeroizing<String> {
    let size = rows.len();
    let dark = |column: usize, row: usize| {
        let (column, row) = (column.checked_sub(QUIET), row.checked_sub(QUIET));
        let module = row.and_then(|row| rows.get(row)).zip(column);
        module.and_then(|(row, column)| row.as_bytes().get(column)) == Some(&b'1')
    };
    let wide = size + 2 * QUIET;
    let mut text = Zeroizing::new(String::with_capacity(wide * (wide / 2 + 2) * 3));
    for row in (0..wide).step_by(2) {
        for column in 0..wide {
            // A last row without a second one is followed by what surrounds the code.
            text.push(match (dark(column, row) == inverted, dark(column, row + 1) == inverted) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        text.push('\n');
    }
    text
}

/// How the enrollment of a phone ended.
pub fn phone(outcome: &PhoneOutcome) -> String {
    let person = clean(&outcome.person);
    let mut text = match outcome.ending {
        Ending::Enrolled => {
            format!("The phone of {person} is enrolled as {}.\n", or_dash(outcome.token.as_deref()))
        }
        Ending::Refused => "The phone was refused; nothing was changed.\n".to_owned(),
        Ending::Undone => {
            "The enrollment was undone: there is no token. What the app shows is worth nothing; delete it there.\n".to_owned()
        }
        _ => "Something is left to be done, and the station does it by itself as soon as it can.\n".to_owned(),
    };
    if let Some(refusal) = &outcome.refusal {
        text.push_str(&super::refusal(refusal));
    }
    text
}

/// What became of registration codes.
pub fn registration(made: &RegistrationMade) -> String {
    let mut text = format!("{} of {} people have a code now.\n", made.codes, made.people);
    if let Some(name) = &made.sealed {
        text.push_str(&format!("They are in the sealed file {0}: sealed show {0}\n", clean(name)));
    } else if made.codes > 0 {
        text.push_str("Nobody can see them again: keep what was printed, and keep it secret.\n");
    }
    if let Some(warning) = &made.warning {
        text.push_str(&format!("WARNING: {}.\n", clean(warning)));
    }
    if let Some(refusal) = &made.failed {
        text.push_str(
            "It ended before everybody had one. Run it again for the rest, with --without-token.\n",
        );
        text.push_str(&super::refusal(refusal));
    }
    text
}

pub fn sealed(files: &SealedFiles) -> String {
    if files.files.is_empty() {
        return "There is no sealed file.\n".to_owned();
    }
    let rows = files.files.iter().map(|file| [time(file.at), clean(&file.what), clean(&file.name)]);
    let rows: Vec<_> = rows.collect();
    table(["AT", "WHAT", "SEALED"], &rows)
}

/// Which keys are welcome.
pub fn welcome(rules: &WelcomeRules) -> String {
    if rules.rules.is_empty() {
        return "There is no rule: every key is welcome. welcome add makes one.\n".to_owned();
    }
    let rows = rules.rules.iter().map(|rule| {
        let says = rule.toml.lines().filter(|line| !line.starts_with("name "));
        [rule.number.to_string(), or_dash(rule.name.as_deref()), clean(&says.collect::<Vec<_>>().join(", "))]
    });
    let rows: Vec<_> = rows.collect();
    table(["RULE", "NAME", "SAYS"], &rows)
}

/// What was done with a key's slots.
pub fn handled(handled: &KeyHandled, done: &str) -> String {
    format!("{} {}: {done}.\n", or_dash(handled.model.as_deref()), or_dash(handled.key.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_light_around_it_and_every_module_in_its_place() {
        let rows = ["101", "010", "111"];
        for inverted in [false, true] {
            let text = half_blocks(&rows, inverted);
            let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
            assert_eq!((lines.len(), lines[0].len()), (6, 11));
            let lit = |column: usize, row: usize| {
                let block = lines[row / 2][column];
                block == '█' || block == if row.is_multiple_of(2) { '▀' } else { '▄' }
            };
            for row in 0..11 {
                for column in 0..11 {
                    let inside = (4..7).contains(&row) && (4..7).contains(&column);
                    let dark = inside && rows[row - 4].as_bytes()[column - 4] == b'1';
                    assert_eq!(lit(column, row), dark == inverted, "{column} {row}");
                }
            }
        }
    }
}
