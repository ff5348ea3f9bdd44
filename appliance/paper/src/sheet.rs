//! Tables on paper: the report of a run, and the sheet on which people sign for their keys.

use zeroize::Zeroizing;

use crate::document::{A4, Document};
use crate::drawable::check;
use crate::letter::{NotPrinted, wrapped};
use crate::words::Language;

/// A table with a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Its heading.
    pub title: String,
    /// Lines below the heading.
    pub lines: Vec<String>,
    /// What the columns are called.
    pub columns: Vec<String>,
    /// The rows; each has a text for each column.
    pub rows: Vec<Vec<String>>,
    /// What stands over an empty column at the end, in which people write by hand.
    pub by_hand: Option<String>,
}

const MARGIN: f32 = 42.0;
/// Points between two columns.
const GAP: f32 = 8.0;
/// The width of the column in which people write.
const BY_HAND: f32 = 170.0;
const SIZE: f32 = 9.0;
const SMALLEST: f32 = 6.0;

/// A table as a PDF on A4 across. Columns are as wide as what stands in them; where the page is too narrow, the letters
/// get smaller, and then texts are divided into lines. Nothing is left out.
///
/// # Errors
/// A text that cannot be drawn, with its row; then there is no file.
pub fn sheet(what: &Sheet, language: Language) -> Result<Zeroizing<Vec<u8>>, NotPrinted> {
    let what = drawn(what)?;
    let mut document = Document::new([A4[1], A4[0]])?;
    let hand = if what.by_hand.is_some() { BY_HAND } else { 0.0 };
    let room = A4[1] - 2.0 * MARGIN - hand;
    let (size, widths) = layout(&document, &what, room);
    let leading = size * 1.35;
    let mut place = Place { page: 0, y: 0.0 };
    let rows = what.rows.iter().map(|row| {
        let cells = row.iter().zip(&widths);
        cells.map(|(text, width)| wrapped(&document, text, size, width - GAP)).collect::<Vec<_>>()
    });
    let rows: Vec<_> = rows.collect();
    begin(&mut document, &mut place, &what, size, &widths);
    for cells in &rows {
        let lines = cells.iter().map(Vec::len).max().unwrap_or(1);
        let lines = f32::from(u16::try_from(lines).unwrap_or(u16::MAX));
        // Room to write by hand.
        let height = (lines * leading + 4.0).max(if what.by_hand.is_some() { 26.0 } else { 0.0 });
        if place.y - height < MARGIN + 14.0 {
            begin(&mut document, &mut place, &what, size, &widths);
        }
        let mut x = MARGIN;
        for (cell, width) in cells.iter().zip(&widths) {
            let mut y = place.y - leading;
            for line in cell {
                document.text(place.page, [x, y], size, line);
                y -= leading;
            }
            x += width;
        }
        place.y -= height;
        document.line(place.page, [MARGIN, place.y], [A4[1] - MARGIN, place.y]);
    }
    let pages = document.pages();
    for page in 0..pages {
        let text = language.page(page + 1, pages);
        let x = A4[1] - MARGIN - document.face.width(&text, 8.0);
        document.text(page, [x, MARGIN - 14.0], 8.0, &text);
    }
    Ok(document.finish(&what.title, language)?)
}

/// Where the next row goes.
struct Place {
    page: usize,
    y: f32,
}

/// Begins a page: heading on the first, the columns' names on each.
fn begin(document: &mut Document, place: &mut Place, what: &Sheet, size: f32, widths: &[f32]) {
    document.page();
    *place = Place { page: document.pages() - 1, y: A4[0] - MARGIN };
    if place.page == 0 {
        place.y -= 14.0;
        document.text(0, [MARGIN, place.y], 14.0, &what.title);
        for line in &what.lines {
            place.y -= 14.0;
            document.text(0, [MARGIN, place.y], SIZE, line);
        }
        place.y -= 12.0;
    }
    place.y -= size * 1.35;
    let mut x = MARGIN;
    for (column, width) in what.columns.iter().zip(widths) {
        document.text(place.page, [x, place.y], size, column);
        x += width;
    }
    if let Some(by_hand) = &what.by_hand {
        document.text(place.page, [A4[1] - MARGIN - BY_HAND, place.y], size, by_hand);
    }
    place.y -= 4.0;
    document.line(place.page, [MARGIN, place.y], [A4[1] - MARGIN, place.y]);
}

/// The size of the letters, and the width of each column with the gap behind it.
fn layout(document: &Document, what: &Sheet, room: f32) -> (f32, Vec<f32>) {
    let widest = |column: usize, size: f32| {
        let texts = what.rows.iter().filter_map(|row| row.get(column)).chain(what.columns.get(column));
        texts.map(|text| document.face.width(text, size)).fold(0.0, f32::max) + GAP
    };
    let all = |size: f32| (0..what.columns.len()).map(|column| widest(column, size)).collect::<Vec<f32>>();
    let mut size = SIZE;
    let mut widths = all(size);
    while widths.iter().sum::<f32>() > room && size > SMALLEST {
        size -= 0.5;
        widths = all(size);
    }
    let total: f32 = widths.iter().sum();
    if total > room {
        // Narrow columns stay as they are; the wide ones share what is left.
        let fair = room / f32::from(u16::try_from(widths.len().max(1)).unwrap_or(u16::MAX));
        let narrow: f32 = widths.iter().filter(|width| **width <= fair).sum();
        let wide: f32 = total - narrow;
        for width in widths.iter_mut().filter(|width| **width > fair) {
            *width *= (room - narrow) / wide;
        }
    }
    (size, widths)
}

/// The same with every text as it is drawn.
fn drawn(what: &Sheet) -> Result<Sheet, NotPrinted> {
    let heading = |text: &String| check(text).map_err(NotPrinted::Text);
    let row = |row: &Vec<String>| {
        let person = || row.iter().find(|text| !text.is_empty()).cloned().unwrap_or_default();
        row.iter()
            .map(|text| check(text).map_err(|why| NotPrinted::Person { person: person(), why }))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(Sheet {
        title: heading(&what.title)?,
        lines: what.lines.iter().map(heading).collect::<Result<_, _>>()?,
        columns: what.columns.iter().map(heading).collect::<Result<_, _>>()?,
        rows: what.rows.iter().map(row).collect::<Result<_, _>>()?,
        by_hand: what.by_hand.as_ref().map(heading).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: usize, wide: usize) -> Sheet {
        let row = |n: usize| vec![format!("person{n}@office"), "12345678".to_owned(), "Ж".repeat(wide)];
        Sheet {
            title: "Run hq".to_owned(),
            lines: vec!["28 keys".to_owned()],
            columns: ["person", "key", "proof"].map(str::to_owned).to_vec(),
            rows: (0..rows).map(row).collect(),
            by_hand: None,
        }
    }

    #[test]
    fn a_long_table_goes_on_and_a_wide_one_is_divided() {
        let pages = |sheet_of: &Sheet| {
            let file = sheet(sheet_of, Language::English).unwrap();
            file.windows(11).filter(|part| *part == b"/Type /Page").count() - 1
        };
        assert_eq!(pages(&table(3, 3)), 1);
        assert!(pages(&table(100, 3)) > 2);
        assert!(pages(&table(60, 400)) > pages(&table(60, 3)));
        let to_sign = Sheet { by_hand: Some("received".to_owned()), ..table(60, 3) };
        assert!(pages(&to_sign) > pages(&table(60, 3)));
    }

    #[test]
    fn columns_keep_to_the_page() {
        let document = Document::new(A4).unwrap();
        for wide in [1, 30, 300] {
            let (size, widths) = layout(&document, &table(2, wide), 700.0);
            assert!(widths.iter().sum::<f32>() <= 700.5 && size >= SMALLEST, "{widths:?}");
            assert!(widths.iter().all(|width| *width > GAP + size));
        }
    }

    #[test]
    fn whose_row_cannot_be_drawn_is_said() {
        let mut wrong = table(2, 2);
        wrong.rows[1][2] = "名".to_owned();
        let error = sheet(&wrong, Language::German).unwrap_err().to_string();
        assert_eq!(error, "person1@office: '名' (U+540D): the font has no such letter");
    }
}
