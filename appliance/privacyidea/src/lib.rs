//! A client for the privacyIDEA API, for programs that enroll and manage tokens.
