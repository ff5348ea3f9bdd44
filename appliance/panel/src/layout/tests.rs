//! What must hold for every view with every legal value.

use std::time::Duration;

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::Rectangle};
use proptest::prelude::*;

use crate::frame::Frame;
use crate::glass::Glass;
use crate::item::Item;
use crate::scene::Scene;
use crate::text::Text;
use crate::view::{
    Activity, Fingerprint, Notice, Port, PortLine, PortState, Progress, Run, ServerTrouble, Station, View,
};
use crate::words::Language;

/// Words with their own letters for each field, so that a line can be told from
/// another field's: wide and narrow ones, high and deep ones.
fn words(letters: &'static str, most: usize) -> impl Strategy<Value = Text> {
    let letters: Vec<char> = letters.chars().collect();
    let word = prop::collection::vec(prop::sample::select(letters), 1..=45);
    let word = word.prop_map(|letters| letters.into_iter().collect::<String>());
    let words = prop_oneof![
        6 => prop::collection::vec(word.clone(), 1..4),
        1 => prop::collection::vec(word, 4..20),
    ];
    words.prop_map(move |words| {
        let text: String = words.join(" ").chars().take(most).collect();
        Text::new(&text)
    })
}

fn first() -> impl Strategy<Value = Text> {
    words("WÅŮg1", 400)
}

fn second() -> impl Strategy<Value = Text> {
    words("MÄĻy2.:", 400)
}

fn third() -> impl Strategy<Value = Text> {
    words("QÜçj3@/", 400)
}

fn port() -> impl Strategy<Value = Option<Port>> {
    prop_oneof![Just(None), (1_u8..=99).prop_map(Port::new)]
}

fn progress() -> impl Strategy<Value = Progress> {
    any::<(u8, u8)>().prop_map(|(step, of)| Progress::new(step, of))
}

fn activity() -> impl Strategy<Value = Activity> {
    prop::sample::select(vec![Activity::Reading, Activity::Writing, Activity::Checking])
}

fn notice() -> impl Strategy<Value = Notice> {
    ("E[0-9]{4}", first(), second(), third()).prop_map(|(code, title, cause, remedy)| Notice {
        code: code.into(),
        title,
        cause,
        remedy,
    })
}

fn port_line() -> impl Strategy<Value = PortLine> {
    let state = prop_oneof![
        Just(PortState::Empty),
        activity().prop_map(PortState::Work),
        Just(PortState::Touch),
        Just(PortState::Done),
        Just(PortState::Remove),
        Just(PortState::Refused),
        Just(PortState::Quarantined),
    ];
    (1_u8..=99, state, prop::option::of(progress())).prop_map(|(port, state, progress)| PortLine {
        port: Port::new(port).unwrap(),
        state,
        progress,
    })
}

/// Any view, and the texts in it that have to be readable in full.
fn any_view() -> impl Strategy<Value = (View, Vec<Text>)> {
    let trouble = prop::sample::select(vec![
        ServerTrouble::Unreachable,
        ServerTrouble::Untrusted,
        ServerTrouble::ClockWrong,
    ]);
    let run = (first(), any::<(u32, Option<u32>, u32, Option<u32>, Option<u64>)>());
    prop_oneof![
        first().prop_map(|t| (View::Starting { step: Some(t.clone()) }, vec![t])),
        first().prop_map(|t| (View::NoNetwork { detail: Some(t.clone()) }, vec![t])),
        (first(), second(), third()).prop_map(|(name, one, two)| {
            let addresses = vec![one.clone(), two.clone()];
            let why = Box::new(View::Locked { reason: None });
            (View::Operator { why, name: name.clone(), addresses }, vec![name, one, two])
        }),
        first().prop_map(|t| (View::Order { key: Some(t.clone()) }, vec![t])),
        "[a-zA-Z0-9+/]{43}".prop_map(|digest| {
            (View::HostKey(Fingerprint::parse(&digest).unwrap()), vec![Text::new(&digest)])
        }),
        (trouble, first()).prop_map(|(trouble, t)| (View::Server { trouble, host: t.clone() }, vec![t])),
        first().prop_map(|t| (View::Locked { reason: Some(t.clone()) }, vec![t])),
        (first(), second(), third()).prop_map(|(name, address, state)| {
            let all = vec![name.clone(), address.clone(), state.clone()];
            (View::Ready(Station { name, address, state, warnings: Vec::new() }), all)
        }),
        (activity(), port(), progress(), first()).prop_map(|(activity, port, progress, t)| {
            (View::Work { activity, port, progress, subject: Some(t.clone()) }, vec![t])
        }),
        (port(), any::<u16>(), progress(), 0_u8..9).prop_map(|(port, seconds_left, attempt, torn)| {
            (View::Touch { port, seconds_left, attempt, torn }, vec![])
        }),
        (port(), first(), second()).prop_map(|(port, serial, user)| {
            (View::Done { port, serial: serial.clone(), user: Some(user.clone()) }, vec![serial, user])
        }),
        port().prop_map(|port| (View::Remove { port }, vec![])),
        (port(), notice()).prop_map(|(port, notice)| {
            let texts = vec![notice.title.clone(), notice.cause.clone(), notice.remedy.clone()];
            (View::Refused { port, notice }, texts)
        }),
        (port(), first()).prop_map(|(port, key)| (View::Quarantined { port, key: key.clone() }, vec![key])),
        run.prop_map(|(name, (done, total, refused, per_hour, left))| {
            let left = left.map(Duration::from_secs);
            (View::Run(Run { name: name.clone(), done, total, refused, per_hour, left }), vec![name])
        }),
        prop::collection::vec(port_line(), 0..20).prop_map(|ports| (View::Ports(ports), vec![])),
        (first(), any::<u8>())
            .prop_map(|(t, percent)| { (View::Updating { version: Some(t.clone()), percent }, vec![t]) }),
        any::<bool>().prop_map(|restart| (View::ShuttingDown { restart }, vec![])),
        notice().prop_map(|notice| {
            let texts = vec![notice.title.clone(), notice.cause.clone(), notice.remedy.clone()];
            (View::Fault(notice), texts)
        }),
    ]
}

fn glass() -> impl Strategy<Value = Glass> {
    prop::sample::select(Glass::ALL.to_vec())
}

fn language() -> impl Strategy<Value = Language> {
    prop::sample::select(Language::ALL.to_vec())
}

/// Every page of a view, from a moment on when all of them take turns.
fn all_pages(view: &View, glass: Glass, language: Language) -> Vec<Scene> {
    let mut at = Duration::from_secs(20);
    let mut pages: Vec<(usize, Scene)> = Vec::new();
    let count = Scene::new(view, glass, language, at).page().count;
    for _ in 0..count {
        let scene = Scene::new(view, glass, language, at);
        let page = scene.page();
        assert_eq!(page.count, count);
        pages.push((page.index, scene));
        at = page.until.unwrap_or(at);
    }
    pages.sort_by_key(|(index, _)| *index);
    let indexes: Vec<usize> = pages.iter().map(|(index, _)| *index).collect();
    assert_eq!(indexes, (0..count).collect::<Vec<_>>(), "each page had its turn");
    pages.into_iter().map(|(_, scene)| scene).collect()
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}' | '\u{ad}')).collect()
}

/// Whether the lines, in order, spell `text` and have other lines only between.
fn spelled(lines: &[String], text: &Text) -> bool {
    let text = letters(text.as_str());
    let mut rest = text.as_str();
    for line in lines {
        // A line may begin with our own label, such as the code of a refusal.
        let starts = line.char_indices().filter_map(|(at, _)| line.get(at..)).map(letters);
        let mut starts = starts.filter(|start| !start.is_empty());
        if let Some(left) = starts.find_map(|start| rest.strip_prefix(start.as_str())) {
            rest = left;
        }
    }
    rest.is_empty()
}

fn texts(scene: &Scene) -> Vec<String> {
    scene.words().into_iter().map(str::to_owned).collect()
}

/// The pixels that one item alone lights, or darkens.
fn pixels(item: &Item, glass: Glass) -> Frame {
    let mut frame = Frame::new(glass);
    match item {
        Item::Text { face, text, at, .. } => face.draw(text, *at, BinaryColor::On, &mut frame).unwrap(),
        other => other.draw(&mut frame).unwrap(),
    }
    frame
}

fn share_a_pixel(a: &Frame, b: &Frame) -> bool {
    a.bytes().iter().zip(b.bytes()).any(|(a, b)| a & b != 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn no_text_is_cut_off((view, wanted) in any_view(), glass in glass(), language in language()) {
        let pages = all_pages(&view, glass, language);
        let lines: Vec<String> = pages.iter().flat_map(texts).collect();
        for text in &wanted {
            prop_assert!(spelled(&lines, text), "{:?} is not in {:#?}", text, lines);
        }
        let whole = Rectangle::new(Point::zero(), glass.size());
        for scene in &pages {
            let drawn: Vec<Frame> = scene.items.iter().map(|item| pixels(item, glass)).collect();
            for (item, mine) in scene.items.iter().zip(&drawn) {
                let Item::Text { text, ink, .. } = item else { continue };
                let Some(bounds) = item.bounds() else { continue };
                prop_assert_eq!(bounds.intersection(&whole), bounds, "{:?} leaves the glass", text);
                let mut on_ground = ink.is_on();
                for (other, theirs) in scene.items.iter().zip(&drawn) {
                    let fill = matches!(other, Item::Fill { .. });
                    if ink.is_off() && fill {
                        on_ground |= bounds.points().all(|at| theirs.lit(at.x, at.y));
                        continue;
                    }
                    let apart = std::ptr::eq(item, other) || !share_a_pixel(mine, theirs);
                    prop_assert!(apart, "{:?} touches {:?}", text, other);
                }
                prop_assert!(on_ground, "{:?} is dark on dark", text);
            }
        }
    }

    #[test]
    fn nothing_changes_before_it_is_announced(
        (view, _) in any_view(),
        glass in glass(),
        language in language(),
        at in prop_oneof![0_u64..60_000, 0_u64..4_000_000],
        part in 0.0_f64..1.0,
    ) {
        let at = Duration::from_millis(at);
        let scene = Scene::new(&view, glass, language, at);
        let later = match scene.next_change() {
            Some(next) => {
                prop_assert!(next > at);
                at + (next - at).mul_f64(part)
            }
            None => at + Duration::from_secs(1_000_000),
        };
        let same = Scene::new(&view, glass, language, later);
        prop_assert_eq!(scene.frame(), same.frame());
        prop_assert_eq!(scene.brightness(), same.brightness());
        prop_assert_eq!(scene.page(), same.page());
    }

    #[test]
    fn no_moment_is_too_late((view, _) in any_view(), glass in glass(), at in any::<Duration>()) {
        Scene::new(&view, glass, Language::German, at).frame();
    }

    #[test]
    fn wandering_keeps_every_text_on_the_glass((view, _) in any_view(), glass in glass(), minute in 0_u64..8) {
        let scene = Scene::new(&view, glass, Language::English, Duration::from_secs(60 * minute));
        let whole = Rectangle::new(Point::zero(), glass.size());
        for bounds in scene.items.iter().filter_map(Item::bounds) {
            let moved = bounds.translate(scene.shift);
            prop_assert_eq!(moved.intersection(&whole), moved);
        }
    }
}

#[test]
fn all_own_words_fit_their_places() {
    for language in Language::ALL {
        for glass in Glass::ALL {
            for sample in crate::samples::all(language) {
                let scene = Scene::new(&sample.view, glass, language, sample.elapsed);
                let page = scene.page();
                // A warning has its pages behind the three that an idle display shows in any case.
                let warned = matches!(&sample.view, View::Ready(station) if !station.warnings.is_empty());
                let most = if warned { 3 + 5 } else { 5 };
                assert!(page.count <= most, "{} takes {} pages", sample.name, page.count);
                let titles = scene.items.iter().filter_map(|item| match item {
                    Item::Text { face, .. } => Some(*face),
                    _ => None,
                });
                assert!(titles.count() > 0, "{} says nothing", sample.name);
            }
        }
    }
}
