//! The policies that tests switch on by name: the same names, and the same
//! policies, as `scripts/privacyidea-fixture policy set`.

use std::collections::BTreeMap;

use super::Version;
use super::policy::{Policy, actions};

/// One policy of a preset.
struct Part {
    scope: &'static str,
    action: &'static str,
    /// As soon as an admin policy exists, the scope is a white list. A preset
    /// that needs an admin action therefore grants every right with it, but these.
    every_right_but: Option<&'static [&'static str]>,
    adminuser: &'static str,
}

const fn set(scope: &'static str, action: &'static str) -> Part {
    Part { scope, action, every_right_but: None, adminuser: "" }
}

const fn admin(action: &'static str) -> Part {
    Part { scope: "admin", action, every_right_but: Some(&[]), adminuser: "" }
}

const fn admin_without(rights: &'static [&'static str]) -> Part {
    Part { scope: "admin", action: "", every_right_but: Some(rights), adminuser: "" }
}

const PRESETS: &[(&str, &[Part])] = &[
    // Every right, but granted by a policy instead of by the absence of policies.
    ("admin-rights", &[admin("")]),
    // The new token has to prove itself with a valid OTP before it is usable.
    ("verify-enrollment", &[set("enrollment", "verify_enrollment=hotp totp")]),
    // The secret is derived from a server part and a client part.
    (
        "twostep-allow",
        &[
            admin("hotp_2step=allow, totp_2step=allow"),
            set(
                "enrollment",
                "hotp_2step_clientsize=8, hotp_2step_serversize=20, hotp_2step_difficulty=10000, \
                 totp_2step_clientsize=8, totp_2step_serversize=20, totp_2step_difficulty=10000",
            ),
        ],
    ),
    (
        "twostep-force",
        &[
            admin("hotp_2step=force, totp_2step=force"),
            set(
                "enrollment",
                "hotp_2step_clientsize=10, hotp_2step_serversize=32, hotp_2step_difficulty=20000, \
                 totp_2step_clientsize=10, totp_2step_serversize=32, totp_2step_difficulty=20000",
            ),
        ],
    ),
    ("twostep-defaults", &[admin("hotp_2step=allow, totp_2step=allow")]),
    // The server insists on making the secret itself.
    ("server-generates", &[admin("hotp_force_server_generate")]),
    // The administrator's HOTP tokens get these settings, whatever is asked for.
    ("hotp-defaults", &[admin("hotp_otplen=8, hotp_hashlib=sha256")]),
    // OTP PIN: quality rule, random PIN, and an administrator who may not set one.
    ("pin-quality", &[admin("otp_pin_minlength=6, otp_pin_contents=cn")]),
    ("pin-random", &[set("enrollment", "otp_pin_random=8")]),
    ("pin-forbidden", &[admin_without(&["enrollpin", "setpin"])]),
    ("no-enroll", &[admin_without(&["enrollHOTP", "enrollTOTP", "enrollYUBIKEY", "enrollREGISTRATION"])]),
    (
        "helpdesk-readonly",
        &[
            Part { scope: "admin", action: "", every_right_but: Some(&[]), adminuser: "admin" },
            Part {
                scope: "admin",
                action: "tokenlist, userlist, auditlog",
                every_right_but: None,
                adminuser: "helpdesk",
            },
        ],
    ),
    ("max-token-per-user", &[set("enrollment", "max_token_per_user=1")]),
    ("max-token-per-realm", &[set("enrollment", "max_token_per_realm=1")]),
    ("require-description", &[set("enrollment", "require_description=hotp yubikey")]),
    // Rate limits on authentication.
    ("auth-max-fail", &[set("authorization", "auth_max_fail=3/1m")]),
    ("auth-max-success", &[set("authorization", "auth_max_success=2/1m")]),
    ("api-key-required", &[set("authorization", "api_key_required")]),
    // The user's own password is the PIN.
    ("userstore-pin", &[set("authentication", "otppin=userstore")]),
    ("passthru", &[set("authentication", "passthru=userstore")]),
    ("registration-digits", &[set("enrollment", "registration.length=12, registration.contents=-cs")]),
    // Administrator sessions that expire while the client is at work (seconds).
    ("short-session", &[set("webui", "jwt_validity=4")]),
    ("yubikey-access-code", &[set("enrollment", "yubikey_access_code=0123456789ab")]),
    ("hide-version", &[set("hardening", "hide_version")]),
];

/// The names of the presets.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

/// The policies of one preset, by name; `None` if there is no such preset.
pub(super) fn preset(version: Version, name: &str) -> Option<Vec<(String, Policy)>> {
    let (_, parts) = PRESETS.iter().find(|(known, _)| *known == name)?;
    let policies = parts.iter().enumerate().map(|(number, part)| {
        let mut granted = part.every_right_but.map_or_else(BTreeMap::new, |but| full_admin(version, but));
        granted.extend(actions(part.action));
        let policy = Policy {
            scope: part.scope.into(),
            actions: granted,
            active: true,
            adminuser: Some(part.adminuser).filter(|a| !a.is_empty()).map(String::from).into_iter().collect(),
            realm: Vec::new(),
            user: Vec::new(),
            number: 0,
        };
        (format!("{name}.{number}"), policy)
    });
    Some(policies.collect())
}

/// The boolean admin actions, without those that restrict instead of allow.
fn full_admin(version: Version, without: &[&str]) -> BTreeMap<String, Option<String>> {
    let granted = version.recorded().admin_actions.iter().filter(|(name, kind)| {
        *kind == "bool"
            && !name.contains("force_server_generate")
            && !name.starts_with("hide_")
            && !without.contains(&name.as_str())
    });
    granted.map(|(name, _)| (name.clone(), None)).collect()
}
