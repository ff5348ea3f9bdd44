//! Which layout a view gets, and what goes where in it.

use std::time::Duration;

use super::Room;
use super::bar::Bar;
use super::hero::{Art, Detail, Hero};
use super::notice::{Sheet, activity_icon, refusal};
use crate::face::Face;
use crate::glass::Glass;
use crate::icon::{Icon, Pose};
use crate::text::Text;
use crate::view::{Activity, Port, Progress, Run, ServerTrouble, Station, View};
use crate::words;

const STEP: Duration = Duration::from_millis(400);

pub(crate) fn lay_out(view: &View, room: &mut Room<'_>) {
    let words = room.words;
    match view {
        View::Starting { step } => room.hero(Hero {
            art: Some(Art::Icon(Icon::Timer)),
            title: words.starting.to_owned(),
            details: facts(step.as_ref()),
            wide: true,
            bar: Some(Bar::Busy),
            ..Hero::default()
        }),
        View::NoNetwork { detail } => room.hero(Hero {
            art: Some(Art::Failed(Icon::Globe)),
            title: words.no_network.to_owned(),
            details: with(facts(detail.as_ref()), Detail::Todo(words.plug_cable.to_owned())),
            wide: true,
            ..Hero::default()
        }),
        View::Operator { why, name, addresses } => {
            lay_out(why, room);
            let mut all = addresses.iter();
            let title = all.next().map(ToString::to_string).unwrap_or_default();
            room.hero(Hero {
                heading: Some((Icon::Globe, words.address.to_owned())),
                title,
                details: std::iter::once(name)
                    .chain(all)
                    .map(|text| Detail::Fact(text.to_string()))
                    .collect(),
                ..Hero::default()
            });
        }
        View::HostKey(fingerprint) => room.host_key(fingerprint),
        View::Server { trouble, host } => server(*trouble, host, room),
        View::Locked { reason } => room.hero(Hero {
            art: Some(Art::Icon(Icon::Lock)),
            title: words.locked.to_owned(),
            details: match reason {
                Some(reason) => facts(Some(reason)),
                None => vec![Detail::Fact(words.locked_todo.to_owned())],
            },
            wide: true,
            ..Hero::default()
        }),
        View::Ready(station) => ready(station, room),
        View::Order { key } => room.hero(Hero {
            art: Some(Art::Key(Pose::Inserting(0))),
            title: if key.is_some() { words.insert_this } else { words.insert }.to_owned(),
            details: with(facts(key.as_ref()), Detail::Fact(words.order_waits.to_owned())),
            ..Hero::default()
        }),
        View::Work { activity, port, progress, subject } => room.hero(Hero {
            art: Some(Art::Icon(activity_icon(*activity))),
            title: match activity {
                Activity::Reading => words.reading,
                Activity::Writing => words.writing,
                Activity::Checking => words.checking,
            }
            .to_owned(),
            details: with(vec![Detail::Fact(words.leave_it.to_owned())], facts(subject.as_ref())),
            wide: true,
            port: *port,
            bar: Some(Bar::Steps(*progress)),
            ..Hero::default()
        }),
        View::Touch { port, seconds_left, attempt, torn } => {
            touch(*port, *seconds_left, *attempt, *torn, room);
        }
        View::Done { port, serial, user } => room.hero(Hero {
            art: Some(Art::Icon(Icon::CircleCheck)),
            heading: Some((Icon::CircleCheck, words.done.to_owned())),
            title: port.map_or_else(|| words.remove.to_owned(), words.remove_port),
            details: with(facts(Some(serial)), facts(user.as_ref())),
            calls: true,
            ..Hero::default()
        }),
        View::Remove { port } => {
            let frame = room.clock.frame(STEP, 5).min(3);
            room.hero(Hero {
                art: Some(Art::Key(Pose::Removing(u8::try_from(frame).unwrap_or(3)))),
                title: port.map_or_else(|| words.remove.to_owned(), words.remove_port),
                calls: true,
                ..Hero::default()
            });
        }
        View::Refused { port, notice } => room.sheet(&refusal(notice, *port)),
        View::Quarantined { port, key } => room.sheet(&Sheet {
            icon: Icon::Ban,
            label: words.quarantined.to_owned(),
            title: key.to_string(),
            cause: words.quarantined_cause.to_owned(),
            remedy: words.quarantined_todo.to_owned(),
            port: *port,
        }),
        View::Run(run) => running(run, room),
        View::Ports(ports) => room.ports(ports),
        View::Updating { version, percent } => room.hero(Hero {
            art: Some(Art::Icon(Icon::CloudDown)),
            title: words.updating.to_owned(),
            details: with(vec![Detail::Fact(words.keep_power.to_owned())], facts(version.as_ref())),
            wide: true,
            count: Some(format!("{}%", (*percent).min(100))),
            bar: Some(Bar::Level { now: (*percent).into(), all: 100 }),
            ..Hero::default()
        }),
        View::ShuttingDown { restart } => room.hero(Hero {
            art: Some(Art::Icon(if *restart { Icon::Reload } else { Icon::Power })),
            title: if *restart { words.restarting } else { words.shutting_down }.to_owned(),
            details: vec![Detail::Fact(words.keep_power.to_owned())],
            wide: true,
            ..Hero::default()
        }),
        View::Fault(notice) => {
            let label = format!("{} {}", words.fault, notice.code);
            room.sheet(&Sheet { icon: Icon::Warning, label, ..refusal(notice, None) });
        }
    }
}

fn server(trouble: ServerTrouble, host: &Text, room: &mut Room<'_>) {
    let words = room.words;
    let (icon, title, todo) = match trouble {
        ServerTrouble::Unreachable => (Art::Failed(Icon::Cloud), words.unreachable, words.unreachable_todo),
        ServerTrouble::Untrusted => (Art::Failed(Icon::Shield), words.untrusted, words.untrusted_todo),
        ServerTrouble::ClockWrong => (Art::Icon(Icon::Clock), words.clock_wrong, words.clock_wrong_todo),
    };
    room.hero(Hero {
        art: Some(icon),
        title: title.to_owned(),
        details: with(facts(Some(host)), Detail::Todo(todo.to_owned())),
        wide: true,
        ..Hero::default()
    });
}

fn ready(station: &Station, room: &mut Room<'_>) {
    let words = room.words;
    let calm = room.clock.after(Station::CALM);
    // The key moves while somebody may just have come; then the glass rests.
    let frame = if calm { 0 } else { room.clock.frame(STEP, 6).min(3) };
    room.hero(Hero {
        art: Some(Art::Key(Pose::Inserting(u8::try_from(frame).unwrap_or(3)))),
        title: words.insert.to_owned(),
        ..Hero::default()
    });
    room.rest_from(Station::CALM);
    if calm {
        room.hero(Hero {
            heading: Some((Icon::Globe, words.address.to_owned())),
            title: station.name.to_string(),
            details: facts(Some(&station.address)),
            ..Hero::default()
        });
        for warning in &station.warnings {
            room.sheet(&Sheet { icon: Icon::Warning, ..refusal(warning, None) });
        }
        if !station.state.is_empty() {
            room.hero(Hero {
                heading: Some((Icon::Check, words.ready.to_owned())),
                title: station.state.to_string(),
                ..Hero::default()
            });
        }
    }
}

fn touch(port: Option<Port>, seconds_left: u16, attempt: Progress, torn: u8, room: &mut Room<'_>) {
    let words = room.words;
    let all = u64::from(seconds_left);
    // The last value stays: whoever counts for real decides what comes after.
    let passed = if room.clock.after(Duration::from_secs(all)) {
        all
    } else {
        room.clock.periods(Duration::from_secs(1))
    };
    let left = all.saturating_sub(passed);
    let rings = u8::try_from(room.clock.frame(STEP, 3)).unwrap_or(2);
    let (step, of) = (attempt.step(), attempt.of());
    room.hero(Hero {
        art: Some(Art::Key(Pose::Calling(rings))),
        title: port.map_or_else(|| words.touch.to_owned(), words.touch_port),
        details: if torn > 0 {
            vec![Detail::Fact(words.torn.to_owned()), Detail::Todo(words.torn_todo.to_owned())]
        } else {
            Vec::new()
        },
        port,
        corner: (of > 1).then(|| ((words.attempt)(step, of), format!("{step}/{of}"))),
        count: Some(if room.glass == Glass::Flat { left.to_string() } else { format!("{left} s") }),
        bar: Some(Bar::Level { now: left, all }),
        calls: true,
        ..Hero::default()
    });
}

fn running(run: &Run, room: &mut Room<'_>) {
    let words = room.words;
    let count = match run.total {
        Some(total) => (words.of)(run.done, total),
        None => (words.done_so_far)(run.done),
    };
    // The flat glass has no header for it, and no header holds ten million keys.
    let heads = room.glass == Glass::Tall && Face::Label.width(&count) <= MOST_HEADING;
    let numbers = [
        (!heads).then(|| count.clone()),
        run.left.map(|left| (words.left)(&words::time(left))),
        run.per_hour.map(words.per_hour),
        (run.refused > 0).then(|| (words.refused_so_far)(run.refused)),
    ];
    let numbers = numbers.into_iter().flatten().map(Detail::Fact).collect();
    room.hero(Hero {
        heading: heads.then_some((Icon::Chart, count)),
        art: Some(Art::Key(Pose::Inserting(0))),
        title: words.insert_next.to_owned(),
        details: with(numbers, facts(Some(&run.name))),
        bar: run.total.map(|total| Bar::Level { now: run.done.into(), all: total.into() }),
        ..Hero::default()
    });
}

/// The widest text beside an icon in the header, in pixels.
const MOST_HEADING: i32 = 108;

/// The text as a fact, if there is one.
fn facts(text: Option<&Text>) -> Vec<Detail> {
    text.filter(|text| !text.is_empty()).map(|text| Detail::Fact(text.to_string())).into_iter().collect()
}

fn with(mut details: Vec<Detail>, more: impl IntoIterator<Item = Detail>) -> Vec<Detail> {
    details.extend(more);
    details
}

impl IntoIterator for Detail {
    type Item = Self;
    type IntoIter = std::iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}
