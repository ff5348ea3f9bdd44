//! Small helpers of answers.

use control::interface::Answer;
use control::wire::{self, Fault};
use serde::Serialize;

/// One answer, written.
pub(super) fn one<T: Serialize>(reply: &T) -> Result<Answer, Fault> {
    let message = wire::reply(reply, false);
    message.map(Answer::One).map_err(|error| Fault::InvalidParameter(error.to_string()))
}
