//! Values to read off: the host key, and several ports at once.

use std::time::Duration;

use embedded_graphics::{pixelcolor::BinaryColor, prelude::*, primitives::Rectangle};

use super::bar::Bar;
use super::hero::{Art, Hero};
use super::{Room, area};
use crate::face::Face;
use crate::icon::{Icon, Pose, Size as IconSize};
use crate::view::{Activity, Fingerprint, Port, PortLine, PortState};
use crate::wrap::fit;

/// Characters of a fingerprint between two gaps, and groups on a line.
const GROUP: usize = 4;
const GROUPS: usize = 3;

/// Pixels between two groups.
const GAP: usize = 5;

impl Room<'_> {
    /// 43 characters to compare with those of an SSH client, in groups of four.
    pub(super) fn host_key(&mut self, fingerprint: &Fingerprint) {
        let groups: Vec<String> = fingerprint
            .as_str()
            .chars()
            .collect::<Vec<char>>()
            .chunks(GROUP)
            .map(|group| group.iter().collect())
            .collect();
        let lines: Vec<&[String]> = groups.chunks(GROUPS).collect();
        let (on_a_page, left, top, pitch) = if self.flat() { (2, 16, 13, 15) } else { (4, 10, 26, 12) };
        let pages: Vec<_> = lines.chunks(on_a_page).collect();
        for (index, page) in pages.iter().enumerate() {
            if self.flat() {
                self.fill(area(0, 0, 13, 32), 0, BinaryColor::On);
                self.icon(Icon::Fingerprint, IconSize::Small, Point::new(3, 3), BinaryColor::Off);
                self.page_marks(index, pages.len(), area(14, 0, 128, 32));
            } else {
                self.header(Some(Icon::Fingerprint), self.words.host_key, "", false);
            }
            for (line, baseline) in page.iter().zip((top..).step_by(pitch)) {
                for (group, at) in line.iter().zip((left..).step_by(GROUP * 8 + GAP)) {
                    self.text(Face::Fixed, group, Point::new(at, baseline), BinaryColor::On);
                }
            }
            self.end_page(Fingerprint::CHARS * 2);
        }
    }

    /// Several ports with one state each; what needs a hand comes first.
    pub(super) fn ports(&mut self, ports: &[PortLine]) {
        for page in ports.chunks(ON_A_PAGE) {
            match (self.flat(), page.len()) {
                (false, _) => self.tall_ports(ports, page),
                (true, 0..=3) => self.flat_lines(page),
                (true, _) => self.flat_cells(page),
            }
            self.end_page(page.len() * 8);
        }
        if self.flat() {
            for line in ports.iter().filter(|line| line.state == PortState::Touch) {
                self.hero(Hero {
                    art: Some(Art::Key(Pose::Calling(2))),
                    title: (self.words.touch_port)(line.port),
                    calls: true,
                    ..Hero::default()
                });
            }
        }
        if ports.is_empty() {
            self.hero(Hero { title: self.words.ready.to_owned(), ..Hero::default() });
        }
    }

    fn tall_ports(&mut self, all: &[PortLine], page: &[PortLine]) {
        let (call, calls) = self.call(all);
        self.header(None, &call, "", calls);
        let two_columns = page.len() > 4;
        let numbers = number_width(page);
        for (at, line) in (0_i32..).zip(page) {
            let (left, right) = match (two_columns, at < 4) {
                (false, _) => (1, 127),
                (true, true) => (0, 63),
                (true, false) => (64, 128),
            };
            let top = 16 + 12 * (at % 4);
            self.port_row(line, numbers, area(left, top, right, top + 12));
        }
    }

    /// What the header of a list says: the first thing that needs a hand.
    fn call(&self, ports: &[PortLine]) -> (String, bool) {
        let in_state = |state: PortState| -> Vec<Port> {
            ports.iter().filter(|line| line.state == state).map(|line| line.port).collect()
        };
        let turn = |ports: &[Port]| -> Option<Port> {
            match ports {
                [] => None,
                [only] => Some(*only),
                many => {
                    let turn = self.clock.frame(CALL, u64::try_from(many.len()).unwrap_or(1));
                    usize::try_from(turn).ok().and_then(|turn| many.get(turn)).copied()
                }
            }
        };
        if let Some(port) = turn(&in_state(PortState::Touch)) {
            ((self.words.touch_port)(port).replace('\u{a0}', " "), true)
        } else if let Some(port) = turn(&[in_state(PortState::Done), in_state(PortState::Remove)].concat()) {
            ((self.words.remove_port)(port).replace('\u{a0}', " "), true)
        } else {
            let busy = ports.iter().filter(|line| line.state != PortState::Empty).count();
            ((self.words.keys_at_work)(busy), false)
        }
    }

    fn port_row(&mut self, line: &PortLine, numbers: i32, row: Rectangle) {
        let (left, top) = (row.top_left.x, row.top_left.y);
        let right = left + row.size.width.cast_signed();
        let ink = self.port_ink(line, row);
        let baseline = top + if self.flat() { 9 } else { 10 };
        self.text_before(Face::Label, &line.port.to_string(), left + 2 + numbers, baseline, ink);
        let mut at = left + numbers + 4;
        let wide = right - left > 80;
        let word = self.state_word(line.state);
        // Numbers of two digits in two columns: the word goes before the icon.
        let roomy = at + 10 + Face::Text.width(word) <= right;
        if let Some(icon) = icon(line.state).filter(|_| roomy) {
            self.icon(icon, IconSize::Small, Point::new(at, baseline - 8), ink);
        }
        at += if roomy { 10 } else { 0 };
        let word = fit(word, &[Face::Label, Face::Text], if wide { 50 } else { right - at }, 12, 1);
        for text in &word.lines {
            self.text(word.face, text, Point::new(at, baseline), ink);
        }
        if let Some(progress) = line.progress.filter(|_| wide && ink.is_on()) {
            self.bar(Bar::Steps(progress), area(left + 82, baseline - 7, right - 1, baseline - 1));
        }
    }

    fn flat_lines(&mut self, page: &[PortLine]) {
        let numbers = number_width(page);
        for (line, top) in page.iter().zip([0, 11, 21]) {
            self.port_row(line, numbers, area(1, top, 127, top + 10));
        }
    }

    fn flat_cells(&mut self, page: &[PortLine]) {
        for (at, line) in (0_i32..).zip(page) {
            let (left, top) = (at % 4 * 32, at / 4 * 16);
            let ink = self.port_ink(line, area(left + 1, top + 1, left + 31, top + 15));
            self.text_before(Face::Label, &line.port.to_string(), left + 15, top + 12, ink);
            if let Some(icon) = icon(line.state) {
                self.icon(icon, IconSize::Small, Point::new(left + 19, top + 4), ink);
            }
        }
    }

    /// The ink for a port; one that waits for a finger is lit.
    fn port_ink(&mut self, line: &PortLine, row: Rectangle) -> BinaryColor {
        if matches!(line.state, PortState::Touch) {
            self.fill(row, 2, BinaryColor::On);
            BinaryColor::Off
        } else {
            BinaryColor::On
        }
    }

    fn state_word(&self, state: PortState) -> &'static str {
        match state {
            PortState::Empty => self.words.list_empty,
            PortState::Work(Activity::Reading) => self.words.list_reading,
            PortState::Work(Activity::Writing) => self.words.list_writing,
            PortState::Work(Activity::Checking) => self.words.list_checking,
            PortState::Touch => self.words.list_touch,
            PortState::Done => self.words.list_done,
            PortState::Remove => self.words.list_remove,
            PortState::Refused => self.words.list_refused,
            PortState::Quarantined => self.words.list_quarantined,
        }
    }
}

const ON_A_PAGE: usize = 8;

/// The width of the widest number.
fn number_width(page: &[PortLine]) -> i32 {
    page.iter().map(|line| Face::Label.ink(&line.port.to_string()).right).max().unwrap_or(0)
}

/// How long the header names one of several ports.
const CALL: Duration = Duration::from_secs(2);

fn icon(state: PortState) -> Option<Icon> {
    Some(match state {
        PortState::Empty => return None,
        PortState::Work(activity) => super::notice::activity_icon(activity),
        PortState::Touch => Icon::Finger,
        PortState::Done => Icon::Check,
        PortState::Remove => Icon::Eject,
        PortState::Refused => Icon::Cross,
        PortState::Quarantined => Icon::Ban,
    })
}
