//! Every view, both glasses, both languages: as text, as PNG, and in the gallery.
//!
//! `scripts/bless-panel` writes them anew; the change is then reviewed as a diff.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use panel::twin::{braille, film, png};
use panel::{Frame, Glass, Lamp, Language, Pattern, Scene, Signal, samples};

/// Pixels of a picture for each pixel of the glass.
const SCALE: u8 = 3;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn golden(name: &str) -> PathBuf {
    root().join("tests/golden").join(name)
}

fn blessing() -> bool {
    env::var_os("BLESS").is_some()
}

/// Compares bytes with a file, or writes the file when blessing.
fn check(path: &Path, fresh: &[u8], same: impl Fn(&[u8], &[u8]) -> bool) {
    if blessing() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !fs::read(path).is_ok_and(|old| old == fresh) {
            fs::write(path, fresh).unwrap();
        }
        return;
    }
    let stored = fs::read(path)
        .unwrap_or_else(|error| panic!("{}: {error}. Run scripts/bless-panel.", path.display()));
    assert!(
        same(&stored, fresh),
        "{} has changed. Look at it, then run scripts/bless-panel.",
        path.display()
    );
}

/// The pixels of a PNG: two encoders may compress the same picture differently.
fn pixels(file: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let frames = reader.info().animation_control().map_or(1, |control| control.num_frames);
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    (0..frames)
        .map(|_| {
            let info = reader.next_frame(&mut data).unwrap();
            data[..info.buffer_size()].to_vec()
        })
        .collect()
}

fn same_pixels(a: &[u8], b: &[u8]) -> bool {
    pixels(a) == pixels(b)
}

fn picture_name(glass: Glass, language: Language, name: &str) -> String {
    format!("{}-{}-{name}.png", glass.name(), language.code())
}

#[test]
fn every_view_looks_as_blessed() {
    for glass in Glass::ALL {
        for language in Language::ALL {
            let mut text = String::new();
            for sample in samples::all(language) {
                let scene = Scene::new(&sample.view, glass, language, sample.elapsed);
                let page = scene.page();
                let pages = if page.count > 1 {
                    format!(", page {} of {}", page.index + 1, page.count)
                } else {
                    String::new()
                };
                writeln!(text, "{} after {} ms{pages}", sample.name, sample.elapsed.as_millis()).unwrap();
                writeln!(text, "{}", braille(&scene.frame())).unwrap();
                let file = png(&scene.frame(), SCALE).unwrap();
                check(&golden(&picture_name(glass, language, sample.name)), &file, same_pixels);
            }
            let name = format!("{}-{}.txt", glass.name(), language.code());
            check(&golden(&name), text.as_bytes(), |stored, fresh| stored == fresh);
        }
    }
}

#[test]
fn the_golden_folder_holds_nothing_else() {
    let mut expected: Vec<String> = vec!["enrollment.png".to_owned()];
    for glass in Glass::ALL {
        for language in Language::ALL {
            expected.push(format!("{}-{}.txt", glass.name(), language.code()));
            expected.extend(samples::all(language).iter().map(|s| picture_name(glass, language, s.name)));
        }
    }
    let stored =
        fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for name in stored.collect::<Vec<_>>() {
        if !expected.contains(&name) {
            assert!(blessing(), "{name} belongs to no view. Run scripts/bless-panel.");
            fs::remove_file(golden(&name)).unwrap();
        }
    }
}

#[test]
fn an_enrollment_as_a_film() {
    let mut frames: Vec<(Frame, Duration)> = Vec::new();
    for (view, stays) in samples::enrollment() {
        let mut at = Duration::ZERO;
        while at < stays {
            let scene = Scene::new(&view, Glass::Tall, Language::English, at);
            let until = scene.next_change().unwrap_or(stays).min(stays);
            frames.push((scene.frame(), until - at));
            at = until;
        }
    }
    let file = film(&frames, 2).unwrap();
    check(&golden("enrollment.png"), &file, same_pixels);
}

#[test]
fn the_page_shows_every_view_and_every_signal() {
    let path = root().join("../../docs/panel.md");
    let page = fs::read_to_string(&path).unwrap();
    let page = with_part(&page, "gallery", &gallery());
    let page = with_part(&page, "light", &lights());
    check(&path, page.as_bytes(), |stored, fresh| stored == fresh);
}

/// `page` with what stands between the marks of `part` replaced.
fn with_part(page: &str, part: &str, fresh: &str) -> String {
    let begin = format!("<!-- {part}: written by scripts/bless-panel -->\n");
    let end = format!("<!-- end of {part} -->\n");
    let (before, rest) = page.split_once(&begin).expect("docs/panel.md has a place for it");
    let (_, after) = rest.split_once(&end).expect("docs/panel.md marks its end");
    format!("{before}{begin}\n{fresh}\n{end}{after}")
}

fn gallery() -> String {
    let mut gallery = String::from("| | English | Deutsch |\n|---|---|---|\n");
    for sample in samples::all(Language::English) {
        write!(gallery, "| {} |", sample.name.replace('-', " ")).unwrap();
        for language in Language::ALL {
            for glass in Glass::ALL {
                let file = picture_name(glass, language, sample.name);
                let alt = alt_text(glass, language, sample.name);
                write!(gallery, " ![{alt}](../appliance/panel/tests/golden/{file})").unwrap();
            }
            gallery.push_str(" |");
        }
        gallery.push('\n');
    }
    gallery
}

/// The signals as a table of words, played step by step.
fn lights() -> String {
    let mut table = String::from("| signal | light | buzzer |\n|---|---|---|\n");
    for signal in Signal::ALL {
        let name = format!("{signal:?}").to_lowercase();
        writeln!(table, "| {name} | {} | {} |", rhythm(signal.light(), true), rhythm(signal.tune(), false))
            .unwrap();
    }
    table
}

fn rhythm(pattern: Pattern, lamp: bool) -> String {
    let colour = |lit: Lamp| match (lit.red, lit.green, lit.blue) {
        (false, false, false) => "dark",
        _ if !lamp => "sound",
        (true, false, false) => "red",
        (false, true, false) => "green",
        (false, false, true) => "blue",
        (true, true, false) => "yellow",
        (true, true, true) => "white",
        _ => "mixed",
    };
    let mut words = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        let (lit, next) = pattern.at(at);
        let Some(next) = next else {
            if words.is_empty() && lit.is_lit() {
                words.push(colour(lit).to_owned());
            }
            break;
        };
        words.push(format!("{} {} ms", colour(lit), (next - at).as_millis()));
        at = next;
        if Some(at) == pattern.cycle() {
            break;
        }
    }
    let repeated = if pattern.cycle().is_some() { ", again" } else { "" };
    if words.is_empty() {
        "-".to_owned()
    } else {
        format!("{}{repeated}", words.join(", ")).replace("dark", if lamp { "dark" } else { "silent" })
    }
}

#[test]
fn the_crate_shows_some_of_its_pictures() {
    let mut text = String::new();
    for (name, glass) in [("ready", Glass::Tall), ("touch", Glass::Tall), ("refused", Glass::Flat)] {
        let all = samples::all(Language::English);
        let sample = all.iter().find(|sample| sample.name == name).unwrap();
        let scene = Scene::new(&sample.view, glass, Language::English, sample.elapsed);
        writeln!(text, "{}, {}:\n\n```text\n{}```\n", name, glass.name(), braille(&scene.frame())).unwrap();
    }
    check(&root().join("doc/pictures.md"), text.as_bytes(), |stored, fresh| stored == fresh);
}

/// What the picture says, for people who do not see it.
fn alt_text(glass: Glass, language: Language, name: &str) -> String {
    let sample = samples::all(language).into_iter().find(|sample| sample.name == name).unwrap();
    let scene = Scene::new(&sample.view, glass, language, sample.elapsed);
    scene.words().join(" ").replace(['[', ']', '|'], " ")
}
