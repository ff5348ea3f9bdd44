//! Whether the other end is the server it should be.

use station::refusal::Code;
use twins::privacyidea::tls::Variant;

use crate::plan::{Expect, Plan, Route};

use Expect::{Enrolled, Refused};

pub(super) fn plans() -> Vec<Plan> {
    let plan = |name: &str, route, expect| Plan::new(format!("certificates / {name}"), expect).route(route);
    vec![
        plan("untrusted", Route::Certificate(Variant::Untrusted), Refused(Code::CertificateUntrusted)),
        plan("expired", Route::Certificate(Variant::Expired), Refused(Code::CertificateExpired)),
        plan("wrong host", Route::Certificate(Variant::WrongHost), Refused(Code::CertificateWrongHost)),
        plan("pinned", Route::Pinned, Enrolled),
        plan("another key pinned", Route::PinnedOther, Refused(Code::PinMismatch)),
        plan("no TLS", Route::NoTls, Refused(Code::TlsFailed)).twin_only(),
    ]
}
