//! The display over a bus that fails: what the glass would show, seen through
//! the bytes that were sent.
#![cfg(feature = "hardware")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use panel::hardware::{Breadboard, Display, DisplayConfig, DisplayStatus, Trouble};
use panel::{Brightness, Frame, Glass, Language, Scene, View, samples};
use proptest::prelude::*;

const ADDRESS: u8 = 0x3c;

fn config(glass: Glass) -> DisplayConfig {
    DisplayConfig { glass, ..DisplayConfig::default() }
}

fn connected(glass: Glass) -> (Breadboard, Display) {
    let board = Breadboard::new(glass, ADDRESS);
    let display = Display::new(config(glass), board.opener(ADDRESS));
    (board, display)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn picture(view: &View, glass: Glass, elapsed: Duration) -> Frame {
    Scene::new(view, glass, Language::German, elapsed).frame()
}

fn two_pictures(glass: Glass) -> (Frame, Frame) {
    let shown = View::ShuttingDown { restart: false };
    let next = View::ShuttingDown { restart: true };
    (picture(&shown, glass, ms(0)), picture(&next, glass, ms(0)))
}

/// Lets time pass, as the display's thread does, until `until`.
fn pass(display: &mut Display, from: Duration, until: Duration, frame: &Frame) {
    let mut now = from;
    while now <= until {
        display.refresh(now, frame, Brightness::Full);
        now = display.wake_at().max(now + ms(1));
    }
}

fn trouble(display: &Display) -> Trouble {
    match display.status() {
        DisplayStatus::Troubled { trouble, .. } => trouble.clone(),
        other => panic!("no trouble: {other:?}"),
    }
}

#[test]
fn an_sh1106_is_named_when_it_says_so_and_shown_what_it_can_show() {
    let (frame, _) = two_pictures(Glass::Tall);
    for (says, other) in [(0x48, true), (0x08, true), (0x43, false), (0x07, false), (0x00, false)] {
        let (board, mut display) = connected(Glass::Tall);
        board.says(says);
        pass(&mut display, ms(0), ms(20), &frame);
        assert_eq!(!display.status().is_working(), other, "{says:#04x}");
        if other {
            assert_eq!(trouble(&display), Trouble::Sh1106 { bus: 1, address: 0x3c });
            assert!(display.status().remedy().is_some_and(|remedy| remedy.contains("SSD1306")));
        }
        assert_eq!(board.picture(), frame);
    }
}

#[test]
fn the_glass_shows_every_view() {
    for glass in Glass::ALL {
        let (board, mut display) = connected(glass);
        for (at, sample) in (0..).zip(samples::all(Language::German)) {
            let frame = picture(&sample.view, glass, sample.elapsed);
            display.refresh(ms(50 * at), &frame, Brightness::Full);
            assert_eq!(board.picture(), frame, "{}", sample.name);
        }
        assert_eq!(board.chip().unwrap().strange(), []);
        assert!(display.status().is_working());
    }
}

#[test]
fn an_upside_down_glass_shows_it_upside_down_to_its_own_eyes() {
    let board = Breadboard::new(Glass::Tall, ADDRESS);
    let config = DisplayConfig { upside_down: true, ..config(Glass::Tall) };
    let mut display = Display::new(config, board.opener(ADDRESS));
    let (frame, _) = two_pictures(Glass::Tall);
    display.refresh(ms(0), &frame, Brightness::Full);
    let seen = board.picture();
    for (x, y) in (0..64).flat_map(|y| (0..128).map(move |x| (x, y))) {
        assert_eq!(seen.lit(127 - x, 63 - y), frame.lit(x, y));
    }
}

#[test]
fn nobody_sees_the_noise_of_a_fresh_display() {
    let (frame, _) = two_pictures(Glass::Tall);
    for cut in 0..1100 {
        let (board, mut display) = connected(Glass::Tall);
        board.lose_after(cut);
        display.refresh(ms(0), &frame, Brightness::Full);
        let seen = board.picture();
        assert!(seen == Frame::new(Glass::Tall) || seen == frame, "cut after {cut} bytes");
    }
}

#[test]
fn the_glass_dims_and_wakes() {
    let (board, mut display) = connected(Glass::Tall);
    let (frame, _) = two_pictures(Glass::Tall);
    display.refresh(ms(0), &frame, Brightness::Full);
    let full = board.chip().unwrap().contrast();
    display.refresh(ms(10), &frame, Brightness::Dim);
    assert!(board.chip().unwrap().contrast() < full);
    display.refresh(ms(20), &frame, Brightness::Full);
    assert_eq!(board.chip().unwrap().contrast(), full);
    display.switch_off();
    assert!(!board.chip().unwrap().is_on());
}

#[test]
fn an_unplugged_display_is_noticed_and_taken_back() {
    let (board, mut display) = connected(Glass::Tall);
    let (frame, _) = two_pictures(Glass::Tall);
    pass(&mut display, ms(0), ms(2500), &frame);
    board.unplug();
    pass(&mut display, ms(2500), ms(3600), &frame);
    assert_eq!(trouble(&display), Trouble::Missing { bus: 1, address: ADDRESS });
    assert!(display.status().remedy().unwrap().contains("wires"));
    board.plug();
    pass(&mut display, ms(3600), ms(5200), &frame);
    assert!(display.status().is_working());
    assert_eq!(board.picture(), frame);
}

#[test]
fn a_display_that_was_away_between_two_questions_is_written_anew() {
    let (board, mut display) = connected(Glass::Flat);
    let (frame, _) = two_pictures(Glass::Flat);
    pass(&mut display, ms(0), ms(5100), &frame);
    board.unplug();
    board.plug();
    assert_eq!(board.picture(), Frame::new(Glass::Flat), "dark, and it acknowledges everything");
    pass(&mut display, ms(5100), ms(9300), &frame);
    assert_eq!(board.picture(), frame);
}

#[test]
fn tries_become_rare_and_start_over() {
    let (board, mut display) = connected(Glass::Tall);
    let (frame, _) = two_pictures(Glass::Tall);
    board.unplug();
    let mut now = ms(0);
    let mut waits = Vec::new();
    for _ in 0..7 {
        display.refresh(now, &frame, Brightness::Full);
        waits.push(display.wake_at() - now);
        display.refresh(now + ms(1), &frame, Brightness::Full);
        now = display.wake_at();
    }
    assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 8000, 8000].map(ms));
    assert!(matches!(display.status(), DisplayStatus::Troubled { failures: 7, .. }));
    board.plug();
    display.refresh(now, &frame, Brightness::Full);
    assert_eq!(board.picture(), frame);
    board.unplug();
    pass(&mut display, now, now + ms(1100), &frame);
    assert!(
        matches!(display.status(), DisplayStatus::Troubled { failures: 1, .. }),
        "{:?}",
        display.status()
    );
}

#[test]
fn a_stuck_bus_is_told_apart() {
    let (board, mut display) = connected(Glass::Tall);
    let (frame, next) = two_pictures(Glass::Tall);
    display.refresh(ms(0), &frame, Brightness::Full);
    board.hold(true);
    display.refresh(ms(10), &next, Brightness::Full);
    assert_eq!(trouble(&display), Trouble::Stuck { bus: 1 });
    assert!(display.status().sentence().contains("held low"));
    board.hold(false);
    pass(&mut display, ms(10), ms(600), &next);
    assert_eq!(board.picture(), next);
}

#[test]
fn a_wrong_address_is_named_with_the_right_one() {
    let board = Breadboard::new(Glass::Tall, 0x3d);
    let mut display = Display::new(config(Glass::Tall), board.opener(ADDRESS));
    let (frame, _) = two_pictures(Glass::Tall);
    display.refresh(ms(0), &frame, Brightness::Full);
    assert_eq!(trouble(&display), Trouble::WrongAddress { bus: 1, address: 0x3c, other: 0x3d });
    assert_eq!(display.status().remedy().unwrap(), "Set panel.i2c-address to 0x3d.");
    assert_eq!(board.picture(), Frame::new(Glass::Tall), "the other address was only asked");
    assert_eq!(board.take_log(), []);
}

#[test]
fn a_missing_bus_may_come_later() {
    let (board, mut display) = connected(Glass::Tall);
    let (frame, _) = two_pictures(Glass::Tall);
    board.remove_bus(true);
    display.refresh(ms(0), &frame, Brightness::Full);
    assert_eq!(trouble(&display), Trouble::NoBus { bus: 1 });
    board.remove_bus(false);
    pass(&mut display, ms(0), ms(500), &frame);
    assert_eq!(board.picture(), frame);
}

/// Milliseconds on a bus of 400 kHz: nine bits a byte, the address included,
/// and a start and a stop condition of about one bit each.
fn bus_time(log: &[usize]) -> f64 {
    let bits: usize = log.iter().map(|bytes| (bytes + 1) * 9 + 2).sum();
    bits as f64 / 400.0
}

#[test]
fn a_full_frame_takes_less_than_30_ms_of_the_bus() {
    for (glass, most) in [(Glass::Tall, 30.0), (Glass::Flat, 15.0)] {
        let (board, mut display) = connected(glass);
        display.refresh(ms(0), &two_pictures(glass).0, Brightness::Full);
        let time = bus_time(&board.take_log());
        assert!(time <= most, "{glass:?}: {time} ms");
    }
}

/// Every change of an enrollment with its animations, in milliseconds: new views,
/// and changes within a view.
fn enrollment_costs(glass: Glass) -> (Vec<f64>, Vec<f64>) {
    let (board, mut display) = connected(glass);
    let (mut views, mut steps) = (Vec::new(), Vec::new());
    let mut last = Frame::new(glass);
    let mut start = ms(0);
    for (view, stays) in samples::enrollment() {
        let mut at = ms(0);
        while at < stays {
            let scene = Scene::new(&view, glass, Language::English, at);
            let frame = scene.frame();
            display.refresh(start + at, &frame, scene.brightness());
            let cost = bus_time(&board.take_log());
            // Where nothing changes, the upkeep may write everything anew.
            if at.is_zero() {
                views.push(cost);
            } else if frame != last {
                steps.push(cost);
            }
            last = frame;
            at = scene.next_change().unwrap_or(stays).max(at + ms(1));
        }
        start += stays;
    }
    (views, steps)
}

#[test]
fn a_typical_change_takes_less_than_6_ms_of_the_bus() {
    for glass in Glass::ALL {
        let (views, steps) = enrollment_costs(glass);
        // What changes while a view stays: a step of the bar, a second of the
        // countdown, a stroke of the animation.
        assert!(steps.len() >= 12 && steps.iter().all(|cost| *cost <= 6.0), "{glass:?}: {steps:?}");
        // A whole new view costs less than setting up and writing everything.
        assert!(views.iter().skip(1).all(|cost| *cost < views[0]), "{glass:?}: {views:?}");
        let mut all: Vec<f64> = views.iter().chain(&steps).copied().collect();
        all.sort_by(f64::total_cmp);
        assert!(all[all.len() / 2] <= 6.0, "{glass:?}: {all:?}");
        println!("{glass:?}: new views {views:.1?} ms, changes within a view {steps:.1?} ms");
    }
}

/// What may happen to the bus between two pictures.
#[derive(Debug, Clone)]
enum Event {
    Show(usize, u64),
    Pass(u64),
    Unplug,
    Plug,
    Lose(usize),
    Hold(bool),
    Dim(bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0_usize..28, 0_u64..40_000).prop_map(|(view, at)| Event::Show(view, at)),
        4 => (1_u64..3000).prop_map(Event::Pass),
        1 => Just(Event::Unplug),
        1 => Just(Event::Plug),
        2 => (0_usize..1200).prop_map(Event::Lose),
        1 => any::<bool>().prop_map(Event::Hold),
        1 => any::<bool>().prop_map(Event::Dim),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_glass_shows_what_was_drawn_whatever_happened(
        events in prop::collection::vec(event(), 1..40),
        glass in prop::sample::select(Glass::ALL.to_vec()),
    ) {
        let views = samples::all(Language::German);
        let (board, mut display) = connected(glass);
        let mut frame = Frame::new(glass);
        let mut brightness = Brightness::Full;
        let mut now = ms(0);
        // A display that was away while nobody asked: dark until everything is written anew.
        let mut away = false;
        for event in events {
            match event {
                Event::Show(view, at) => frame = picture(&views[view % views.len()].view, glass, ms(at)),
                Event::Pass(time) => now += ms(time),
                Event::Unplug => { board.unplug(); away = true }
                Event::Plug => { board.plug(); away = true }
                Event::Lose(bytes) => board.lose_after(bytes),
                Event::Hold(stuck) => board.hold(stuck),
                Event::Dim(dim) => brightness = if dim { Brightness::Dim } else { Brightness::Full },
            }
            display.refresh(now, &frame, brightness);
            if display.status().is_working() && !away {
                prop_assert_eq!(&board.picture(), &frame);
            }
        }
        // Everything is well again: at the latest with the next full writing, or try.
        board.hold(false);
        board.lose_after(1_000_000);
        if board.chip().is_none() {
            board.plug();
        }
        pass(&mut display, now, now + ms(12_500), &frame);
        display.refresh(now + ms(12_600), &frame, brightness);
        prop_assert!(display.status().is_working(), "{:?}", display.status());
        prop_assert_eq!(&board.picture(), &frame);
    }
}
