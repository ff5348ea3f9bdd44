//! Calls and command lines as the audit keeps them: without secrets, and without what may be one.

use control::Method;
use control::shape::{Body, Shape};
use control::types::ConfigSet;
use control::wire::arguments;

use crate::config::{Holds, holds};

/// A call as the audit tells it. Of a field of the configuration, only what is known to hold no secret: somebody
/// may have meant another field, or typed the secret itself for its name. Of a call that takes a secret and was not
/// done, no text: it may have been the secret, such as a password for a name.
pub(super) fn shown(method: Method, given: &str, done: bool) -> String {
    let name = method.name();
    if !done && let Some(texts) = texts_beside_a_secret(method) {
        return format!("{name} {}", method.info().shown_without(given, &texts)).trim().to_owned();
    }
    if method == Method::ConfigSet {
        let path = arguments::<ConfigSet>(given).map(|set| set.path).unwrap_or_default();
        match holds(&path) {
            Some(Holds::Plain) => {}
            Some(Holds::Secret) => return format!("{name} path=\"{path}\" (secret)"),
            None => return format!("{name} (no such field)"),
        }
    }
    // Nothing can be taken out of the chain of deeds, so it is no place for the names of people.
    format!("{name} {}", method.info().shown_without(given, &["person"])).trim().to_owned()
}

/// The arguments of a call that are text, if it takes a secret.
fn texts_beside_a_secret(method: Method) -> Option<Vec<&'static str>> {
    let Body::Struct(members) = method.info().request.body else { return None };
    let bare = |shape: &Shape| match shape {
        Shape::Optional(inner) | Shape::List(inner) => (**inner).clone(),
        shape => shape.clone(),
    };
    if !members.iter().any(|member| matches!(bare(&member.shape), Shape::Secret)) {
        return None;
    }
    let texts = members.iter().filter(|member| matches!(bare(&member.shape), Shape::Text));
    Some(texts.map(|member| member.name).collect())
}

/// A command line as the audit keeps it: nothing of what follows the name of a field that holds a secret.
pub(super) fn redacted(text: String) -> String {
    for field in control::SECRET_FIELDS {
        let name = field.rsplit('.').next().unwrap_or(field);
        for name in [name.to_owned(), name.replace('-', "_")] {
            if let Some((before, after)) = text.split_once(&name)
                && !after.starts_with("-file")
                && !after.trim().is_empty()
            {
                return format!("{before}{name} (secret)");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and values that are of no field, or of one that holds a secret.
    #[test]
    fn of_a_field_only_what_is_known_to_hold_no_secret_is_told() {
        const KEY: &str = "eyJ0.4711.x";
        let told = |path: &str, value: &str| {
            let given = serde_json::json!({ "path": path, "value": value }).to_string();
            assert!(!shown(Method::ConfigSet, &given, false).contains(value), "{path}");
            shown(Method::ConfigSet, &given, true)
        };
        assert_eq!(told("server.url", "https://pi"), "ConfigSet path=\"server.url\" value=\"https://pi\"");
        let strange =
            ["server.api_key", "server.apikey", "api-key", KEY, "server.key", "Server.api-key", "server"];
        for path in strange.into_iter().chain(control::SECRET_FIELDS) {
            let told = told(path, KEY);
            assert!(!told.contains(KEY), "{path}: {told}");
        }
        // What does not fit the call at all is not told either.
        let misfit = format!("{{\"path\":\"server.url\",\"valeu\":\"{KEY}\"}}");
        assert!(!shown(Method::ConfigSet, &misfit, false).contains(KEY));
        // A password that somebody typed for a name.
        let misfit = format!("{{\"user\":\"{KEY}\",\"password\":\"eA==\"}}");
        assert_eq!(
            shown(Method::ServerLogIn, &misfit, false),
            "ServerLogIn user=(left out) password=(secret)"
        );
        for line in [
            format!("config set server.api-key {KEY}"),
            format!("config set server.api_key {KEY}"),
            format!("config set server.api-key={KEY}"),
        ] {
            assert!(!redacted(line.clone()).contains(KEY), "{line}");
        }
        for line in
            ["config set server.api-key", "config set server.api-key-file key.txt", "config show server"]
        {
            assert_eq!(redacted(line.to_owned()), line);
        }
    }
}
