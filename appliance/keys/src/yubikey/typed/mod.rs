//! What keys type: strokes on a keyboard, put together into codes.

pub mod usage;
