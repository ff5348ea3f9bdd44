//! Software stand-ins for the hardware and the server around the station.
//!
//! A twin behaves as the real thing does, byte for byte, including what the real
//! thing does badly. It is driven by calls and by an explicit clock, so that a
//! test can replay it. No twin is ever part of the appliance's image.
