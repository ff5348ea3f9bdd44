//! Whoever gave an order: it waits for its end, or goes away. Its order is called off then.

use std::collections::HashSet;

use station::engine::enrollment::{Order, Outcome};
use station::engine::record::{EnrollmentId, Record, State};
use station::engine::step::Phase;

use super::defect::Defect;
use super::power::PowerCut;
use super::world::World;

/// The client whose order is carried out, or waits. RAM, so a restart ends what it waits for.
#[derive(Default)]
pub struct Client {
    /// Its order, as long as that waits for a key.
    waiting: Option<Order>,
    /// After how many further steps of the engine it goes.
    goes_after: Option<u32>,
    /// In which phase it goes.
    goes_in: Option<Phase>,
    /// Whether it has gone.
    gone: bool,
    /// The enrollments that were not yet proven when their client had gone.
    left: HashSet<EnrollmentId>,
}

impl Client {
    /// It goes after so many further steps of the engine.
    pub fn goes_after(&mut self, steps: u32) {
        self.goes_after = Some(steps);
    }

    /// It goes in that phase.
    pub fn goes_in(&mut self, phase: Phase) {
        self.goes_in = Some(phase);
    }

    /// Another client gives an order, which waits for a key; a restart forgets it.
    pub fn orders(&mut self, order: Order) {
        self.comes();
        self.waiting = Some(order);
    }

    /// Another client is there, and stays. What was left stays left.
    pub fn comes(&mut self) {
        *self = Self { left: std::mem::take(&mut self.left), ..Self::default() };
    }

    /// Whether this enrollment's client had gone before its key was proven.
    pub fn has_left(&self, enrollment: EnrollmentId) -> bool {
        self.left.contains(&enrollment)
    }

    /// Notes what the journal hears of an enrollment.
    pub(super) fn note(&mut self, record: &Record) {
        if self.gone && matches!(record.state, State::Planned | State::Registered | State::Written) {
            self.left.insert(record.enrollment);
        }
    }

    /// The engine comes to its next step, in that phase. Whether the client has gone by now.
    pub(super) fn has_gone_by_now(&mut self, phase: Phase) -> bool {
        self.gone |= self.goes_in == Some(phase);
        match &mut self.goes_after {
            Some(0) => self.gone = true,
            Some(steps) => *steps -= 1,
            None => {}
        }
        self.gone
    }
}

impl World {
    /// The client goes away, and its order with it.
    pub fn client_goes(&mut self) {
        self.client.gone = true;
        if self.defect != Some(Defect::OutliveClient) {
            self.client.waiting = None;
        }
    }

    /// Plugs a key in at a station that does nothing by itself: it gets what is ordered, if anything is.
    pub fn plug(&mut self, key: usize) -> Result<Option<Outcome>, PowerCut> {
        match self.client.waiting.take() {
            Some(order) => self.insert(key, order).map(Some),
            None => Ok(None),
        }
    }
}
