//! What drawing costs, and how soon a view is on the wire.
//!
//! The aims are at most 1 ms for a picture, and 20 ms from [`Panel::show`] to
//! the display's last byte on a bus that costs nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use panel::hardware::{Breadboard, DisplayConfig, Panel, PanelConfig, PinError, changes};
use panel::{Frame, Glass, Language, Scene, View, samples, twin};

fn drawing(c: &mut Criterion) {
    for glass in Glass::ALL {
        let views = samples::all(Language::German);
        c.bench_function(&format!("draw every view, {} of them, {}", views.len(), glass.name()), |b| {
            b.iter(|| {
                for sample in &views {
                    black_box(Scene::new(&sample.view, glass, Language::German, sample.elapsed).frame());
                }
            });
        });
        for name in ["touch", "refused", "ports-eight"] {
            let sample = views.iter().find(|sample| sample.name == name).unwrap();
            c.bench_function(&format!("draw {name}, {}", glass.name()), |b| {
                b.iter(|| Scene::new(&sample.view, glass, Language::German, sample.elapsed).frame());
            });
        }
    }
    let long = "Donaudampfschifffahrtsgesellschaft ".repeat(11);
    let view = View::Locked { reason: Some(long.as_str().into()) };
    c.bench_function("draw 400 characters, 128x64", |b| {
        b.iter(|| Scene::new(&view, Glass::Tall, Language::German, Duration::ZERO).frame());
    });
}

fn sending(c: &mut Criterion) {
    let views = [View::ShuttingDown { restart: false }, View::ShuttingDown { restart: true }];
    let frames: Vec<Frame> = views
        .iter()
        .map(|view| Scene::new(view, Glass::Tall, Language::English, Duration::ZERO).frame())
        .collect();
    c.bench_function("find what differs", |b| b.iter(|| changes(&frames[0], black_box(&frames[1]))));
    c.bench_function("PNG of a frame", |b| b.iter(|| twin::png(&frames[0], 3).unwrap()));

    let board = Breadboard::new(Glass::Tall, 0x3c);
    let config = PanelConfig { display: Some(DisplayConfig::default()), ..PanelConfig::default() };
    let no_pins = Err(PinError::NoPins("none".to_owned()));
    let (panel, _presses) = Panel::start(&config, board.opener(0x3c), no_pins, views[0].clone());
    c.bench_function("from show to the glass", |b| {
        b.iter_custom(|count| {
            let mut spent = Duration::ZERO;
            for at in 0..count {
                let at = usize::try_from(at % 2).unwrap();
                while board.picture() != frames[1 - at] {
                    panel.show(views[1 - at].clone());
                }
                let start = Instant::now();
                panel.show(views[at].clone());
                while board.picture() != frames[at] {
                    std::thread::yield_now();
                }
                spent += start.elapsed();
            }
            spent
        });
    });
}

criterion_group!(benches, drawing, sending);
criterion_main!(benches);
