//! Faults on demand, with the names and parameters of
//! `scripts/privacyidea-fixture fault add`.

use std::str::FromStr;
use std::time::Duration;

use serde_json::json;

use super::wire::Response;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// An error status instead of an answer; the server does not act.
    Status,
    /// A proxy's page (502, HTML) instead of an answer; the server does not act.
    Html,
    /// Half of the answer's body; the server acts.
    Truncate,
    /// The request waits before the server acts on it, which it does even if the
    /// client has gone by then.
    Slow,
    /// The connection ends; the server does not act.
    Cut,
    /// The connection ends after the server acted.
    Lost,
}

/// The name is none of the modes.
#[derive(Debug, thiserror::Error)]
#[error("no such fault: {0:?}; there are status, html, truncate, slow, cut and lost")]
pub struct UnknownMode(String);

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        Ok(match text {
            "status" => Self::Status,
            "html" => Self::Html,
            "truncate" => Self::Truncate,
            "slow" => Self::Slow,
            "cut" => Self::Cut,
            "lost" => Self::Lost,
            _ => return Err(UnknownMode(text.into())),
        })
    }
}

/// A fault that waits for its request.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The path begins with this.
    pub path: String,
    /// The method is this, or anything for `*`.
    pub method: String,
    /// What goes wrong.
    pub mode: Mode,
    /// The status of [`Mode::Status`].
    pub status: u16,
    /// How long [`Mode::Slow`] takes.
    pub delay: Duration,
    /// How many requests it hits.
    pub shots: u32,
    /// How many matching requests pass before it hits the first.
    pub skip: u32,
}

impl Fault {
    /// A fault that hits the next request whose path begins with `path`.
    pub fn new(path: &str, mode: Mode) -> Self {
        Self {
            path: path.into(),
            method: "*".into(),
            mode,
            status: 503,
            delay: Duration::from_secs(5),
            shots: 1,
            skip: 0,
        }
    }
}

/// The fault that this request meets. Only the first that matches counts, and
/// it loses a shot, or lets the request pass and loses a `skip`.
pub(super) fn take(faults: &mut Vec<Fault>, method: &str, path: &str) -> Option<Fault> {
    let matching = |f: &Fault| path.starts_with(&f.path) && (f.method == "*" || f.method == method);
    let index = faults.iter().position(matching)?;
    let fault = faults.get_mut(index)?;
    let hit = if fault.skip > 0 {
        fault.skip -= 1;
        None
    } else {
        fault.shots = fault.shots.saturating_sub(1);
        Some(fault.clone())
    };
    faults.retain(|f| f.shots > 0);
    hit
}

impl Fault {
    /// The answer in place of the server's, for the modes that have one.
    pub(super) fn answer(&self) -> Response {
        if self.mode == Mode::Html {
            let page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
            return Response::new(502, "text/html", page.into());
        }
        let error = json!({"code": -i32::from(self.status), "message": "fault of the fixture"});
        let body = json!({"result": {"status": false, "error": error}}).to_string();
        let mut response = Response::new(self.status, "application/json", body.into_bytes());
        if matches!(self.status, 429 | 503) {
            response.headers.push(("Retry-After".into(), "2".into()));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_hits_and_is_gone() {
        let mut faults =
            vec![Fault { skip: 1, shots: 2, method: "POST".into(), ..Fault::new("/token/", Mode::Cut) }];
        assert!(take(&mut faults, "GET", "/token/").is_none());
        assert!(take(&mut faults, "POST", "/auth").is_none());
        assert!(take(&mut faults, "POST", "/token/init").is_none());
        assert!(take(&mut faults, "POST", "/token/init").is_some());
        assert!(take(&mut faults, "POST", "/token/disable").is_some());
        assert!(faults.is_empty());
    }
}
