//! What `watch` shows.

use std::collections::VecDeque;

use control::types::{Activity, Event, EventKind, Port, Status};
use ratatui_core::layout::{Constraint, Layout, Rect};
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::terminal::Frame;
use ratatui_core::text::{Line, Span};
use ratatui_widgets::block::Block;
use ratatui_widgets::gauge::Gauge;
use ratatui_widgets::paragraph::Paragraph;
use ratatui_widgets::table::{Row, Table};

use crate::render;

/// Events that are kept to be shown.
const EVENTS: usize = 200;

#[derive(Default)]
pub(super) struct View {
    status: Option<Box<Status>>,
    events: VecDeque<String>,
}

impl View {
    /// Takes an event in; whether something looks different.
    pub(super) fn take(&mut self, event: Event) -> bool {
        let mut changed = false;
        if let Some(line) = super::line(&event).filter(|_| event.kind != EventKind::Snapshot) {
            for line in line.lines().take(1) {
                if self.events.len() == EVENTS {
                    self.events.pop_front();
                }
                self.events.push_back(line.to_owned());
            }
            changed = true;
        }
        if let Some(status) = event.status {
            self.status = Some(status);
            return true;
        }
        let Some(status) = &mut self.status else { return changed };
        changed |=
            event.now.is_some() || event.run.is_some() || event.mode.is_some() || event.server.is_some();
        if let Some(port) = event.now {
            take_port(&mut status.ports, port);
        }
        if let Some(outcome) = event.outcome.filter(|_| event.kind == EventKind::Outcome) {
            use control::types::Ending;
            let counts = &mut status.counts;
            match outcome.ending {
                Ending::Enrolled => counts.enrolled += 1,
                Ending::Refused => counts.refused += 1,
                Ending::Undone => counts.undone += 1,
                Ending::Quarantined => counts.quarantined += 1,
                Ending::Postponed => counts.postponed += 1,
                Ending::Released => {}
            }
        }
        status.mode = event.mode.unwrap_or(status.mode);
        if let Some(server) = event.server {
            status.server = server;
        }
        if let Some(orders) = event.orders {
            status.orders = orders;
            changed = true;
        }
        if event.run.is_some() {
            status.run = event.run;
        }
        changed
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let Some(status) = &self.status else {
            frame.render_widget(Paragraph::new("Waiting for the station ..."), area);
            return;
        };
        let ports = u16::try_from(status.ports.len().max(1)).unwrap_or(u16::MAX).saturating_add(3);
        let run = if status.run.is_some() { 3 } else { 0 };
        let [head, middle, gauge, events, foot] = Layout::vertical([
            Constraint::Length(3),
            Constraint::Length(ports.min(area.height / 2)),
            Constraint::Length(run),
            Constraint::Min(1),
            Constraint::Length(1),
        ])
        .areas(area);
        frame.render_widget(Paragraph::new(head_lines(status)), head);
        draw_ports(status, frame, middle);
        draw_run(status, frame, gauge);
        self.draw_events(frame, events);
        let hint = format!("q leaves   so far: {}", render::counts(&status.counts));
        frame.render_widget(Paragraph::new(hint).style(Style::new().add_modifier(Modifier::REVERSED)), foot);
    }

    fn draw_events(&self, frame: &mut Frame<'_>, area: Rect) {
        let block = Block::bordered().title("what happened");
        let room = usize::from(area.height.saturating_sub(2));
        let skip = self.events.len().saturating_sub(room);
        let lines: Vec<Line<'_>> =
            self.events.iter().skip(skip).map(|line| Line::from(line.as_str())).collect();
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }
}

fn take_port(ports: &mut Vec<Port>, port: Port) {
    let known = ports.iter().position(|known| known.port == port.port);
    match (known, port.activity) {
        (Some(known), Activity::Empty) => {
            ports.remove(known);
        }
        (Some(known), _) => {
            if let Some(known) = ports.get_mut(known) {
                *known = port;
            }
        }
        (None, Activity::Empty) => {}
        (None, _) => {
            ports.push(port);
            ports.sort_by(|one, other| one.port.cmp(&other.port));
        }
    }
}

fn head_lines(status: &Status) -> Vec<Line<'static>> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let ready = match &status.not_ready {
        None => Span::styled("ready", Style::new().fg(Color::Green)),
        Some(refusal) => {
            let text =
                format!("not ready: {} {}", render::clean(&refusal.code), render::clean(&refusal.title));
            Span::styled(text, Style::new().fg(Color::Red))
        }
    };
    let url = status.server.url.as_deref().map_or_else(|| "no server".to_owned(), render::clean);
    let trouble = status.server.trouble.as_ref().map(|trouble| {
        Span::styled(
            format!("  {} {}", render::clean(&trouble.code), render::clean(&trouble.title)),
            Style::new().fg(Color::Red),
        )
    });
    vec![
        Line::from(vec![
            Span::styled(render::clean(&status.station), bold),
            Span::raw(format!("   {}   ", status.mode)),
            ready,
        ]),
        Line::from([vec![Span::raw(url)], trouble.into_iter().collect()].concat()),
        Line::from(""),
    ]
}

fn draw_ports(status: &Status, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered().title("ports");
    let waiting = match status.orders.as_slice() {
        [] => None,
        [one] => Some(format!("waiting: {}", render::order_words(one))),
        many => Some(format!("waiting: {} orders", many.len())),
    };
    let block = match waiting {
        Some(waiting) => block.title_bottom(waiting),
        None => block,
    };
    if status.ports.is_empty() {
        frame.render_widget(Paragraph::new("No key is plugged in.").block(block), area);
        return;
    }
    let rows = status.ports.iter().map(|port| {
        let color = match port.activity {
            Activity::Done => Color::Green,
            Activity::Touch => Color::Yellow,
            Activity::Refused | Activity::Quarantined | Activity::Stranger => Color::Red,
            Activity::Working => Color::Cyan,
            _ => Color::Reset,
        };
        Row::new(render::port(port)).style(Style::new().fg(color))
    });
    let widths =
        [Constraint::Length(12), Constraint::Length(30), Constraint::Length(12), Constraint::Min(10)];
    let head = Row::new(["port", "key", "state", ""]).style(Style::new().add_modifier(Modifier::DIM));
    frame.render_widget(Table::new(rows, widths).header(head).block(block), area);
}

fn draw_run(status: &Status, frame: &mut Frame<'_>, area: Rect) {
    let Some(run) = &status.run else { return };
    let block = Block::bordered().title(format!("run {}", render::run_line(run)));
    let target = run.target.unwrap_or(0);
    if target <= 0 {
        frame.render_widget(Paragraph::new(render::counts(&run.counts)).block(block), area);
        return;
    }
    let part = (run.counts.enrolled.max(0) as f64 / target as f64).clamp(0.0, 1.0);
    let label = format!("{} of {target}", run.counts.enrolled);
    frame.render_widget(Gauge::default().block(block).ratio(part).label(label), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui_core::terminal::Terminal;

    /// A status as the daemon would send it.
    fn status() -> Status {
        let at = "2026-11-21T12:00:00Z";
        let part = serde_json::json!({ "health": "good", "text": "fine", "remedy": null });
        serde_json::from_value(serde_json::json!({
            "station": "desk-1", "version": "0.1.0", "at": at, "started": at, "mode": "attended", "not_ready": null,
            "server": { "url": "https://pi.example", "trust": "ca.pem", "credential": "login", "user": "admin",
                "rights_known": true, "rights_missing": [] },
            "ports": [{ "port": "1-1.2", "number": 2, "activity": "touch", "since": at,
                "key": { "serial": "12345678", "model": "YubiKey 5", "firmware": "5.4.3", "slots": [] },
                "phase": "proving" }],
            "run": { "run": 3, "name": "autumn", "state": "running", "target": 10, "started": at, "operator": "ada",
                "counts": { "enrolled": 4, "refused": 1, "undone": 0, "quarantined": 0, "postponed": 0 } },
            "unsettled": [], "orders": [],
            "counts": { "enrolled": 4, "refused": 1, "undone": 0, "quarantined": 0, "postponed": 0 },
            "display": part, "usb": part, "door": part, "records": part, "clock": part, "board": part,
            "configuration": { "file": "enrollment.toml", "changed": false, "pending": false, "since": at },
            "addresses": ["192.0.2.7"], "host_key": "SHA256:x"
        }))
        .unwrap()
    }

    fn screen(view: &View) -> String {
        let mut terminal = Terminal::new(ratatui_core::backend::TestBackend::new(76, 18)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn ports_run_and_events_are_shown() {
        let mut view = View::default();
        assert!(screen(&view).contains("Waiting"));
        let now = "2026-11-21T12:00:01Z".parse().unwrap();
        let mut snapshot = Event::new(now, EventKind::Snapshot);
        snapshot.status = Some(Box::new(status()));
        assert!(view.take(snapshot));
        let mut touch = Event::new(now, EventKind::Left);
        touch.port = Some("1-1.2".into());
        let mut gone = status().ports.remove(0);
        gone.port = "1-1.3".into();
        gone.activity = Activity::Done;
        touch.now = Some(gone);
        assert!(view.take(touch));
        let screen = screen(&view);
        for text in [
            "desk-1",
            "ready",
            "YubiKey 5 12345678",
            "proving",
            "1-1.3",
            "autumn",
            "4 of 10",
            "The key is gone",
            "q leaves",
        ] {
            assert!(screen.contains(text), "{text} is missing in\n{screen}");
        }
    }

    #[test]
    fn a_port_that_is_empty_goes() {
        let mut ports = status().ports;
        let mut empty = ports[0].clone();
        empty.activity = Activity::Empty;
        take_port(&mut ports, empty);
        assert!(ports.is_empty());
    }

    #[test]
    fn no_terminal_is_too_small() {
        let mut view = View { status: Some(Box::new(status())), ..View::default() };
        view.events.push_back("something".into());
        for (columns, rows) in [(1, 1), (3, 40), (200, 2), (20, 5)] {
            let mut terminal = Terminal::new(super::super::backend::Remote::new(columns, rows)).unwrap();
            terminal.draw(|frame| view.draw(frame)).unwrap();
        }
    }
}
