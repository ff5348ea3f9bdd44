//! What goes in and out as files: lists of people, parameter files of the old client, receipts, letters, and
//! tokens for a server that imports them. The engine needs of it only what a record or a note is made of.

pub mod export;
pub mod hand_over;
pub mod import;
pub mod people;
pub mod receipt;
pub mod registration;
pub mod report;
pub mod stamp;
