//! Check: what would happen to the key that is plugged in, were it enrolled now. A dry
//! run that asks journal, key and server, and changes nothing at any of them.

use keys::device::{KeyInfo, ProofWay};

use crate::engine::flow::{Flow, FlowContext, Next};
use crate::engine::key_order;
use crate::engine::outcome::Order;
use crate::engine::preflight::{self, Preparation};
use crate::engine::proof;
use crate::engine::record::{EnrollmentId, Record, State};
use crate::engine::step::{Now, Phase};
use crate::profile::Warning;
use crate::refusal::{Code, Refusal};
use crate::token::{TokenKind, TokenSerial};

/// What an enrollment would come to, as far as looking tells.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// Why it would be refused; `None` when nothing stands in the way. What a server's
    /// policy does with a token shows only when it is made.
    pub refusal: Option<Refusal>,
    /// What the key is, when that could be found out.
    pub key: Option<KeyInfo>,
    /// The token that would be made.
    pub token: Option<TokenSerial>,
    /// What would become of the slot.
    pub slot: Option<SlotFate>,
    /// How the key would prove itself.
    pub proof: Option<ProofWay>,
    /// What the server calls itself.
    pub server: Option<String>,
    /// Enrollments of the key that would be put right before.
    pub unsettled: Vec<TokenSerial>,
    /// What should be known of the profile.
    pub warnings: Vec<Warning>,
}

/// What would become of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotFate {
    /// It is empty, and would be written.
    Written,
    /// What is in it would be erased first.
    Erased,
    /// The key would be touched, and what is in it erased if it is like what the key was sold with, and no
    /// token of the server has it.
    GivenUp,
    /// The enrollment of this token would be released first.
    Released(TokenSerial),
}

/// Finds out what [`enroll`](crate::engine::enrollment::enroll) would do with this order.
pub fn check(order: Order, now: Now) -> Next<Forecast> {
    Flow::start(now, move |cx| async move {
        let mut forecast = Forecast {
            refusal: None,
            key: None,
            token: None,
            slot: None,
            proof: None,
            server: None,
            unsettled: Vec::new(),
            warnings: order.profile.warnings(),
        };
        forecast.refusal = look(&cx, &order, &mut forecast).await.err();
        forecast
    })
}

async fn look(cx: &FlowContext, order: &Order, forecast: &mut Forecast) -> Result<(), Refusal> {
    let profile = &order.profile;
    cx.enter(Phase::Inspecting);
    // A key too old for the profile may be too old to tell its serial.
    let serial = key_order::inspect(cx, &mut forecast.key).await;
    let Some(info) = forecast.key.clone() else {
        return serial.map(drop);
    };
    if let Some(welcome) = &order.welcome {
        welcome.admit(&info)?;
    }
    let ability = preflight::able(&info, order)?;
    let serial = serial?;
    let token = TokenSerial::of(serial, profile.kind, profile.slot);
    forecast.token = Some(token.clone());
    forecast.proof = Some(proof::way(ability.proof, profile));
    preflight::unlockable(&info, order)?;
    preflight::code_at_hand(order)?;
    let kind = TokenKind::of(profile.kind);

    cx.enter(Phase::Checking);
    let mut records = cx.recall(serial).await?;
    for record in records.iter_mut().filter(|record| !record.state.is_final()) {
        forecast.unsettled.push(record.token.clone());
        // What recovery makes of it, when the server lets it.
        record.state = if record.state == State::Proven { State::Done } else { State::Undone };
    }
    if let Some(earlier) = preflight::in_the_way(&info, &records, order) {
        // What an order comes to that names it.
        forecast.slot = Some(SlotFate::Released(earlier.token));
    }
    let preparation = preflight::preparation(&info, &records, order, &token)?;
    forecast.slot = Some(match &preparation {
        Preparation::Free => SlotFate::Written,
        Preparation::ToErase | Preparation::Foreign => SlotFate::Erased,
        Preparation::Factory => SlotFate::GivenUp,
        Preparation::ToRelease(earlier) => SlotFate::Released(earlier.token.clone()),
    });
    let id = EnrollmentId::NONE;
    let readiness = cx.prepare(id).await?;
    forecast.server = Some(readiness.product.clone());
    preflight::rights(&readiness, kind, order)?;
    match cx.look(id, &token).await? {
        // Its own tokens an enrollment puts away by itself.
        Some(view) if !records.iter().any(|record: &Record| Some(record.enrollment) == view.enrollment) => {
            Err(Refusal::new(Code::SerialTaken, token.to_string()))
        }
        _ => Ok(()),
    }
}
