//! The requests of an enrollment, and the ways in which each of them can fail.

use std::time::Duration;

use twins::privacyidea::{Fault, Mode};

/// The requests of an enrollment, in their order, and the one that only its undoing sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum At {
    Login,
    FirstLook,
    Init,
    SecondLook,
    Disable,
    Enable,
    Check,
    Verify,
    LastLook,
    Assign,
    Note,
    Delete,
}

pub(crate) const EVERYWHERE: [At; 12] = [
    At::Login,
    At::FirstLook,
    At::Init,
    At::SecondLook,
    At::Disable,
    At::Enable,
    At::Check,
    At::Verify,
    At::LastLook,
    At::Assign,
    At::Note,
    At::Delete,
];

impl At {
    /// Method and path of the request, and how many of the same go before it.
    pub(crate) const fn request(self) -> (&'static str, &'static str, u32) {
        match self {
            Self::Login => ("POST", "/auth", 0),
            Self::FirstLook => ("GET", "/token/", 0),
            Self::Init => ("POST", "/token/init", 0),
            Self::SecondLook => ("GET", "/token/", 1),
            Self::Disable => ("POST", "/token/disable", 0),
            Self::Enable => ("POST", "/token/enable", 0),
            Self::Check => ("POST", "/validate/check", 0),
            Self::Verify => ("POST", "/token/init", 1),
            Self::LastLook => ("GET", "/token/", 2),
            Self::Assign => ("POST", "/token/assign", 0),
            Self::Note => ("POST", "/token/info", 0),
            Self::Delete => ("DELETE", "/token/", 0),
        }
    }

    /// Whether it only looks or logs in, so that a lost answer leaves nothing open.
    pub(crate) const fn is_harmless(self) -> bool {
        matches!(self, Self::Login | Self::FirstLook | Self::SecondLook | Self::LastLook)
    }
}

/// A way to fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) mode: Mode,
    pub(crate) status: u16,
}

const fn way(name: &'static str, mode: Mode, status: u16) -> Way {
    Way { name, mode, status }
}

pub(crate) const WAYS: [Way; 9] = [
    way("429", Mode::Status, 429),
    way("500", Mode::Status, 500),
    way("502", Mode::Status, 502),
    way("503", Mode::Status, 503),
    way("html", Mode::Html, 0),
    way("truncate", Mode::Truncate, 0),
    way("slow", Mode::Slow, 0),
    way("cut", Mode::Cut, 0),
    way("lost", Mode::Lost, 0),
];

/// The fault that meets a request so often. `patience` is how long the client waits for an answer.
pub(crate) fn fault(at: At, way: Way, shots: u32, patience: Duration) -> Fault {
    let (method, path, skip) = at.request();
    Fault {
        method: method.to_owned(),
        status: if way.status == 0 { 503 } else { way.status },
        // Late by less than the shortest pause between two tries: a request that acts after the next
        // one of its kind is a race that no client can win.
        delay: patience + Duration::from_millis(120),
        shots,
        skip,
        ..Fault::new(path, way.mode)
    }
}

/// Each way and each request at least once.
pub(crate) const PART_ONCE: &[(At, &str)] = &[
    (At::Login, "503"),
    (At::Login, "lost"),
    (At::FirstLook, "html"),
    (At::Init, "429"),
    (At::Init, "502"),
    (At::Init, "cut"),
    (At::Init, "lost"),
    (At::Init, "slow"),
    (At::Init, "truncate"),
    (At::SecondLook, "500"),
    (At::Disable, "lost"),
    (At::Enable, "cut"),
    (At::Check, "lost"),
    (At::Check, "slow"),
    (At::Verify, "lost"),
    (At::Verify, "cut"),
    (At::LastLook, "lost"),
    (At::Assign, "lost"),
    (At::Assign, "503"),
    (At::Note, "html"),
    (At::Delete, "lost"),
];

/// One of each kind of ending.
pub(crate) const PART_LASTING: &[(At, &str)] =
    &[(At::Login, "html"), (At::Check, "500"), (At::Assign, "cut"), (At::Delete, "cut")];
