//! `station-sim`: the station's wiring with twins in place of hardware and server.
//!
//! ```text
//! station-sim enroll                           a twin key at an embedded server twin
//! station-sim station                          the whole station, to log in to by SSH
//! station-sim enroll --attach yubikey@PATH     a key behind the line protocol
//! station-sim phone                            a phone, played by this program
//! station-sim enroll --server URL --ca FILE …  a real privacyIDEA
//! station-sim run --ports 8 --keys 40          many keys, several ports at a time
//! ```
//!
//! What runs is the code of the appliance: the same engine, the same drivers, the
//! same client over real TCP. Only what is plugged in differs. Nothing here is
//! part of the appliance's image.

pub mod args;
pub mod enroll;
pub mod explore;
mod hand_over;
pub mod key;
pub mod phone;
pub mod report;
pub mod run;
pub mod server;
pub mod tell;
pub mod whole;
