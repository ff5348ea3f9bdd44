//! The server and the people it knows.

use control::types::{Credential, People, Server};

use super::{clean, facts, or_dash, span, table, time};

/// The server and the station's credential for it.
pub fn server(server: &Server) -> String {
    let credential = match server.credential {
        Credential::None => "none: nothing can be enrolled. server login gives it one".to_owned(),
        Credential::Login => format!("login of {}", or_dash(server.user.as_deref())),
        Credential::ApiKey => "API key from the configuration".to_owned(),
        Credential::Files => "none is needed: tokens become sealed files, see sealed list".to_owned(),
    };
    let by = server.entered_by.as_deref().map(|by| format!(" by {}", clean(by))).unwrap_or_default();
    let rights = match (server.rights_known, server.rights_missing.as_slice()) {
        (false, _) => "the server does not tell".to_owned(),
        (true, []) => "all that the profiles need".to_owned(),
        (true, missing) => {
            format!("MISSING: {}", missing.iter().map(|right| clean(right)).collect::<Vec<_>>().join(", "))
        }
    };
    let mut text = facts(&[
        ("server", or_dash(server.url.as_deref())),
        ("product", server.product.as_deref().map(clean).unwrap_or_default()),
        ("certificate", clean(&server.trust)),
        ("credential", credential),
        ("since", server.since.map(|at| format!("{}{by}", time(at))).unwrap_or_default()),
        ("until", server.until.map(time).unwrap_or_default()),
        ("rights", rights),
        ("answered", server.answered.map(time).unwrap_or_else(|| "never".to_owned())),
        ("its clock", server.ahead_ms.filter(|ms| ms.abs() > 2000).map(clock).unwrap_or_default()),
    ]);
    if let Some(trouble) = &server.trouble {
        text.push_str(&super::refusal(trouble));
    }
    text
}

fn clock(ahead: i64) -> String {
    format!("{} {}", span(ahead.abs()), if ahead > 0 { "ahead of ours" } else { "behind ours" })
}

pub fn people(people: &People) -> String {
    if people.people.is_empty() {
        return "Nobody is found.\n".to_owned();
    }
    let rows = people.people.iter().map(|one| {
        [
            format!("{}@{}", clean(&one.user), clean(&one.realm)),
            format!("{} {}", clean(&one.given_name), clean(&one.surname)),
            clean(&one.email),
            clean(&one.resolver),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let mut text = table(["USER", "NAME", "MAIL", "RESOLVER"], &rows);
    if people.more {
        text.push_str("(there are more; look for a longer text)\n");
    }
    text
}
