//! Each variant of a parameter file, and what becomes of it. The outcomes stand beside
//! the files; `BLESS=1 cargo test -p station --test import` writes them anew, to be
//! reviewed as a diff.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use keys::device::{Digits, Kind, Slot};
use proptest::prelude::*;
use station::papers::import::{self, Imported};
use station::profile::{KeyPin, NewCode, Profile, PublicId};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parameter-files")
}

fn imported(name: &str) -> Imported {
    import::read(name, &fs::read_to_string(folder().join(format!("{name}.args"))).unwrap())
}

/// The profile that stands in TOML, without the rule which keys it is for.
fn profile_of(text: &str) -> Option<Profile> {
    let mut whole: toml::Table = toml::from_str(text).unwrap();
    let mut profiles: toml::Table = whole.remove("profile")?.try_into().unwrap();
    assert_eq!(profiles.len(), 1);
    let name = profiles.keys().next().unwrap().clone();
    let mut profile: toml::Table = profiles.remove(&name).unwrap().try_into().unwrap();
    assert!(profile.remove("match").is_some());
    Some(profile.try_into().unwrap())
}

#[test]
fn every_variant_becomes_what_stands_beside_it() {
    let mut names = 0;
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "args") {
            continue;
        }
        names += 1;
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let got = imported(&name);
        assert_eq!(profile_of(&got.toml), got.profile, "{name}");
        let beside = path.with_extension("toml");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&beside, &got.toml).unwrap();
        }
        assert_eq!(got.toml, fs::read_to_string(&beside).unwrap(), "{name}");
    }
    assert_eq!(names, 19);
}

#[test]
fn profiles_are_what_the_files_mean() {
    let profile = |name: &str| imported(name).profile.unwrap();
    let plain = |name: &str| (profile(name).kind, profile(name).slot);
    assert_eq!(plain("oath"), (Kind::Hotp, Slot(1)));
    assert_eq!(plain("oath-30"), (Kind::Hotp, Slot(2)));
    assert_eq!(profile("oath-30").realm.as_deref(), Some("office"));
    assert_eq!(plain("challenge-response"), (Kind::ChallengeResponse, Slot(2)));
    assert_eq!(plain("static"), (Kind::StaticPassword, Slot(2)));
    assert_eq!(profile("static").description, "kiosk, second floor");
    assert_eq!(plain("yubico"), (Kind::YubicoOtp, Slot(1)));
    assert_eq!(profile("yubico").public_id, PublicId::Random);
    let fixed = vec![0xff, 1, 2, 3, 4, 5];
    assert_eq!(profile("yubico-fixed").public_id, PublicId::Fixed(fixed));
    assert_eq!(profile("yubico-serial").public_id, PublicId::Serial);
    assert_eq!(profile("access").new_access_code, NewCode::Fixed);
    assert_eq!(profile("access-none").new_access_code, NewCode::None);
    let nitrokey = profile("nitrokey");
    assert_eq!((nitrokey.slot, nitrokey.digits, nitrokey.key_pin), (Slot(1), Digits::Eight, KeyPin::Asked));
    assert_eq!(nitrokey.label, "office:{token}");
    assert_eq!(plain("nitrokey-totp"), (Kind::Totp, Slot(3)));
    assert_eq!(imported("credentials").profile, None);
    assert_eq!(imported("credentials").url.as_deref(), Some("https://pi.example.com"));
    assert_eq!(imported("plain-http").url, None);
}

#[test]
fn what_is_left_is_named_by_line_with_a_way_out() {
    let left: Vec<String> = imported("odd").left.iter().map(ToString::to_string).collect();
    for (line, words) in [
        (1, "another file"),
        (6, "more than one option"),
        (7, "slots are 1 to 2"),
        (8, "another kind of key"),
        (9, "none of the old client's"),
        (10, "--otplen"),
        (11, "value is missing"),
    ] {
        let line = format!("line {line}");
        assert!(left.iter().any(|left| left.starts_with(&line) && left.contains(words)), "{line}: {left:#?}");
    }
}

#[test]
fn secrets_are_never_repeated() {
    for (name, secrets) in [
        ("access", &["0a0b0c0d0e0f", "112233445566"][..]),
        ("nitrokey", &["12345678"]),
        ("credentials", &["Tr0ub4dor"]),
        ("insecure", &["hunter2"]),
        ("odd", &["hunter2"]),
    ] {
        let got = format!("{:?}", imported(name));
        for secret in secrets {
            assert!(!got.contains(secret), "{name}: {got}");
        }
    }
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "--(url|admin|access|newaccess|password|pin|yubimode|yubislot|yubiprefix|yubiprefixrandom|description|slotname|realm|digits|slot)(=[ -~]{0,20})?",
        "(token|yubikey_mass_enroll|nitrokey-mass-enroll|--yubicr|--yubiprefixserial|OATH|YUBICO|STATIC|TOTP|1|2|h:ff01|m:vv)",
        "\\PC{0,30}",
    ]
}

proptest! {
    #[test]
    fn any_file_gives_a_profile_that_reads_back(lines in prop::collection::vec(line(), 0..12)) {
        let got = import::read("any", &lines.join("\n"));
        prop_assert_eq!(profile_of(&got.toml), got.profile);
    }

    #[test]
    fn a_secret_shows_up_nowhere(
        option in prop::sample::select(vec!["--password", "-p", "--access", "--newaccess", "--pin", "--pass", "--unknown", ""]),
        way in prop::sample::select(vec!["\n", "=", " ", ""]),
        secret in "[!-~]{12,20}",
    ) {
        let got = import::read("any", &format!("token\nyubikey_mass_enroll\n{option}{way}{secret}\n"));
        prop_assert!(!format!("{got:?}").contains(&secret), "{:?}", got);
    }
}
