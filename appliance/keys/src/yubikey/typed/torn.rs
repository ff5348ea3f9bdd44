//! Whether a text is a code of which reports were lost or repeated on their way.
//!
//! A full-speed key behind a high-speed hub is polled by split transactions, and some USB hosts lose a report of it now and then
//! (raspberrypi/linux, issue 6936). What arrives is the code with a letter missing, doubled, or exchanged with its neighbour.

/// Whether `typed` is `whole` with a few of its letters missing, doubled, or exchanged with their neighbours. A letter that does
/// not stand there makes it something else, and so do more faults than one in sixteen letters and one more. `whole` itself is not torn.
pub fn is_torn(whole: &str, typed: &str) -> bool {
    let most = whole.len() / 16 + 1;
    typed != whole && faults(whole.as_bytes(), typed.as_bytes()).is_some_and(|faults| faults <= most)
}

/// The fewest faults that make `typed` of `whole`; `None` where none do.
///
/// The way of Damerau and Levenshtein, row by row, without their substitution, and with an insertion only of the letter before.
fn faults(whole: &[u8], typed: &[u8]) -> Option<usize> {
    // What it takes to make the first so many letters of `typed` of the letters of `whole` before this row, and before the last.
    let mut last: Vec<Option<usize>> = Vec::new();
    let mut row: Vec<Option<usize>> = std::iter::once(Some(0)).chain(typed.iter().map(|_| None)).collect();
    for (at, letter) in whole.iter().enumerate() {
        let before_last = std::mem::replace(&mut last, row);
        row = Vec::with_capacity(last.len());
        for place in 0..last.len() {
            let cell = |row: &[Option<usize>], place: usize| row.get(place).copied().flatten();
            let more = |cell: Option<usize>| cell.map(|faults| faults.saturating_add(1));
            let get = |back: usize| place.checked_sub(back).and_then(|at| typed.get(at));
            let missing = more(cell(&last, place));
            let same = (get(1) == Some(letter)).then(|| cell(&last, place.checked_sub(1)?)).flatten();
            let doubled = (get(1) == Some(letter) && get(2) == Some(letter))
                .then(|| more(cell(&row, place.checked_sub(1)?)))
                .flatten();
            let neighbour = at.checked_sub(1).and_then(|at| whole.get(at));
            let exchanged = (neighbour.is_some()
                && get(1) == neighbour
                && get(2) == Some(letter)
                && neighbour != Some(letter))
            .then(|| more(cell(&before_last, place.checked_sub(2)?)))
            .flatten();
            row.push([missing, same, doubled, exchanged].into_iter().flatten().min());
        }
    }
    row.last().copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_letter_missing_doubled_or_exchanged_is_torn_and_another_is_not() {
        for typed in
            ["55224", "75224", "75522", "7755224", "7552244", "7555224", "575224", "752524", "755242"]
        {
            assert!(is_torn("755224", typed), "{typed}");
        }
        for typed in ["755224", "755225", "765224", "77555224", "755", "", "287082", "x755224", "422557"] {
            assert!(!is_torn("755224", typed), "{typed}");
        }
    }

    #[test]
    fn longer_codes_may_have_more_faults() {
        let whole = "ccccccbchvthbknkhfdlikfudjnhfhdivuccgttrvkhu";
        assert_eq!(whole.len(), 44);
        assert!(
            is_torn(whole, "cccccbchvthbknkhfdlikfudjnhfhdivuccgttrvkh"),
            "the first and the last are missing"
        );
        assert!(is_torn(whole, "ccccccbchvthbknkhdflikfudjnhfhdivuccgtrvkhu"), "exchanged, and one of two");
        assert!(!is_torn(whole, "ccccccbchvthbknkhfdlikfudjnhfhdivuccg"), "too much is missing");
        assert!(!is_torn(whole, "ccccccbchvthvfknjtbbneeltgjrrckruuhtjkil"), "another one of the same key");
    }

    proptest! {
        #[test]
        fn one_fault_is_found_wherever_it_is(
            whole in "[0-9]{6,18}", what in 0usize..3, at in any::<prop::sample::Index>(),
        ) {
            let mut letters: Vec<char> = whole.chars().collect();
            let at = at.index(letters.len() - 1);
            match what {
                0 => drop(letters.remove(at)),
                1 => letters.insert(at, letters[at]),
                _ => letters.swap(at, at + 1),
            }
            let typed: String = letters.into_iter().collect();
            prop_assert_eq!(is_torn(&whole, &typed), typed != whole);
        }

        #[test]
        fn any_texts_are_compared(whole in "\\PC{0,20}", typed in "\\PC{0,20}") {
            prop_assert!(!is_torn(&whole, &whole));
            let _ = is_torn(&whole, &typed);
        }
    }
}
