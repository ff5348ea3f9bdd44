//! Who logs in, and whether there is anybody to log in to.

use station::refusal::Code;

use crate::plan::{Expect, Login, Plan, Route};

use Expect::{Enrolled, Refused};

/// Minutes that clocks may be apart are five.
const TEN_MINUTES: i64 = 600;
const TWO_DAYS: i64 = 172_800;

pub(super) fn plans() -> Vec<Plan> {
    let plan = |name: &str, expect| Plan::new(format!("logins / {name}"), expect);
    vec![
        plan("API key of an administrator", Enrolled).login(Login::ApiKey("admin")).person("bob"),
        plan("API key of an administrator, verify-enrollment", Enrolled)
            .login(Login::ApiKey("admin"))
            .policies(&["verify-enrollment"])
            .twin_only(),
        plan("API key for validation", Refused(Code::NotAnAdministrator)).login(Login::ApiKey("validate")),
        plan("wrong password", Refused(Code::WrongCredentials)).login(Login::Password("admin", "wrong")),
        plan("unknown administrator", Refused(Code::WrongCredentials))
            .login(Login::Password("nobody", "admin-password")),
        plan("a user", Refused(Code::NotAnAdministrator)).login(Login::Password("alice", "alice-password")),
        plan("the station's clock ten minutes ahead", Refused(Code::ClockWrong)).ahead(TEN_MINUTES),
        plan("the station's clock ten minutes behind", Refused(Code::ClockWrong)).ahead(-TEN_MINUTES),
        plan("the station's clock before the certificate", Refused(Code::ClockWrong)).ahead(-TWO_DAYS),
        // A real server has no part in these.
        plan("nobody listens", Refused(Code::ServerUnreachable)).route(Route::Nobody).twin_only(),
        plan("a web server that is not privacyIDEA", Refused(Code::AnswerUnreadable))
            .route(Route::WebServer)
            .twin_only(),
    ]
}
