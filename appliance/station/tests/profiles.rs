#![cfg(test)]
//! The profiles in docs/profiles are what they say they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use station::profile::Profile;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profile: BTreeMap<String, Profile>,
}

fn shipped() -> Vec<(String, String, Profile)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/profiles");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let file: File =
                toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(text.starts_with('#'), "{} does not say what it is for", path.display());
            all.extend(file.profile.into_iter().map(|(name, profile)| (name, text.clone(), profile)));
        }
    }
    all
}

#[test]
fn every_shipped_profile_can_be_used_and_told() {
    let all = shipped();
    let kinds: BTreeSet<String> = all.iter().map(|(_, _, profile)| format!("{:?}", profile.kind)).collect();
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    for (name, _, profile) in &all {
        let again: Profile = toml::from_str(&toml::to_string(profile).unwrap()).unwrap();
        assert_eq!(again, *profile, "{name}");
        assert!(profile.in_words().ends_with('.'), "{name}");
    }
    let names: BTreeSet<&str> = all.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names.len(), all.len(), "two profiles of one name");
}

#[test]
fn the_page_of_profiles_names_every_field_that_they_use() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/profiles/README.md");
    let page = std::fs::read_to_string(page).unwrap();
    for word in
        ["two-step", "public-id", "token-id", "new-access-code", "access-code-to", "verify", "overwrite"]
    {
        assert!(page.contains(&format!("`{word}`")), "{word}");
        assert!(shipped().iter().any(|(_, text, _)| text.contains(word)), "{word} is in no profile");
    }
}

/// The old client made secrets of 80 bits for Nitrokeys.
#[test]
fn old_client_fault_short_secrets_are_not_made() {
    assert!(toml::from_str::<Profile>("kind = 'hotp'\nseed-length = 10").is_err());
    for (name, _, profile) in shipped() {
        assert!(profile.seed_length >= 20, "{name}");
    }
}
