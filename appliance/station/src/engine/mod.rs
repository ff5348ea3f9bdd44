//! The flows: an enrollment, taking one back, asking whether it still holds, recovery, and runs of many.
//!
//! A flow asks for [`Step`](step::Step)s and decides by their results. Nothing here knows a file format
//! or a language.

pub mod check;
pub mod enrollment;
pub mod flow;
pub mod key_order;
pub mod lag;
pub mod mode;
pub mod phone;
pub mod record;
pub mod recovery;
pub mod release;
pub mod run;
pub mod server;
pub mod slots;
pub mod step;
pub mod verify;

mod calls;
mod factory;
mod key_pin;
mod material;
mod openers;
mod outcome;
mod preflight;
mod proof;
mod register;
mod slot;
mod torn;
mod trial;
mod twostep;
mod undo;
