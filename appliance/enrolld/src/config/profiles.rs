//! Profiles and the list of welcome keys, as the engine reads them; with a rule that says
//! which keys a profile is for.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};
use station::engine::mode::Fits;
use station::profile::Profile;
use station::welcome::{Rule, Welcome};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use settings::problem::meant;
use settings::read::{FieldInfo, Reader, Value};
use settings::values::Name;

/// A profile and the keys it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileSection {
    pub profile: Profile,
    /// The keys it is for; every key that is able when it says nothing.
    pub fits: Fits,
}

/// Reads `[profile.NAME]` tables.
pub(super) fn profiles(value: &Value<'_>, reader: &mut Reader<'_>) -> BTreeMap<String, ProfileSection> {
    let mut read = BTreeMap::new();
    let DeValue::Table(table) = value.get_ref() else {
        reader.problem(&value.span(), "profiles have names", "Write [profile.NAME] above its fields.");
        return read;
    };
    for (name, value) in table {
        let word = name.get_ref().to_string();
        let section = reader.below(&word, |reader| {
            if Name::parse(&word).is_none() {
                reader.problem(
                    &name.span(),
                    "this is no name for a profile",
                    "Use 1 to 63 of a-z, 0-9 and -.",
                );
            }
            profile(value, reader)
        });
        read.extend(section.map(|section| (word, section)));
    }
    read
}

fn profile(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<ProfileSection> {
    let DeValue::Table(table) = value.get_ref() else {
        reader.problem(&value.span(), "a profile is a table", "Write [profile.NAME] above its fields.");
        return None;
    };
    let mut own: DeTable<'_> = table.clone();
    let fits =
        own.remove("match").map(|rule| reader.below("match", |reader| serde_read::<Fits>(&rule, reader)));
    let profile = serde_read::<Profile>(&Spanned::new(value.span(), DeValue::Table(own)), reader);
    // A rule that cannot be read must not become "every key".
    let fits = fits.unwrap_or_else(|| Some(Fits::default()));
    Some(ProfileSection { profile: profile?, fits: fits? })
}

/// Reads the `[[welcome]]` rules.
pub(super) fn welcome(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Welcome> {
    serde_read(value, reader)
}

/// Reads what the engine declares for serde, and puts its errors into our form.
fn serde_read<T: for<'de> Deserialize<'de>>(value: &Value<'_>, reader: &mut Reader<'_>) -> Option<T> {
    let error = match T::deserialize(ValueDeserializer::from(value.clone())) {
        Ok(read) => return Some(read),
        Err(error) => error,
    };
    let message = error.message().trim().trim_end_matches('.').to_owned();
    let span = error.span().unwrap_or_else(|| value.span());
    if let Some((wrong, known)) = unknown_field(&message) {
        let remedy = match meant(&wrong, known.iter().map(String::as_str)) {
            Some(known) => format!("Did you mean {known}?"),
            None => "Remove it; docs/configuration.md says what may stand here.".to_owned(),
        };
        reader.problem_in(&wrong, &span, "there is no such field", remedy);
        return None;
    }
    if let Some(missing) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        reader.problem_in(
            missing,
            &span,
            "it is missing",
            format!("Add {missing} = …; docs/configuration.md says what it may be."),
        );
        return None;
    }
    // The engine's own checks say `field: problem`, and know no place.
    if let (Some((field, problem)), DeValue::Table(table)) = (message.split_once(": "), value.get_ref())
        && let Some((key, _)) = table.get_key_value(field)
    {
        reader.problem_in(
            field,
            &key.span(),
            problem.to_owned(),
            "docs/configuration.md says what may stand here.",
        );
        return None;
    }
    reader.problem(&span, message, "docs/configuration.md says what may stand here.");
    None
}

/// The name in serde's "unknown field `x`, expected one of `a`, `b`", and the names that are known.
fn unknown_field(message: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (wrong, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((wrong.to_owned(), known))
}

/// The names of the fields that a type declares for serde, without reading anything.
pub(super) fn declared<T: for<'de> Deserialize<'de>>() -> Vec<String> {
    match T::deserialize(Names) {
        Ok(_) => Vec::new(),
        Err(Declared(names)) => names,
    }
}

struct Names;

#[derive(Debug)]
struct Declared(Vec<String>);

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for Declared {}

impl serde::de::Error for Declared {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(Vec::new())
    }
}

impl<'de> Deserializer<'de> for Names {
    type Error = Declared;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Declared> {
        Err(Declared::custom(""))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Declared> {
        Err(Declared(fields.iter().map(|name| (*name).to_owned()).collect()))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// What the fields of the engine's tables mean, for the reference: name, meaning, form, default.
type Row = (&'static str, &'static str, &'static str, Option<&'static str>);

const PROFILE: &[Row] = &[
    (
        "kind",
        "What is put into the key.",
        "\"hotp\", \"totp\", \"yubico-otp\", \"challenge-response\" or \"static-password\"",
        None,
    ),
    ("slot", "Where to: 1 or 2 of a YubiKey; the slot's number of a Nitrokey.", "a number", Some("1")),
    ("digits", "How many digits a code has.", "6 or 8", Some("6")),
    ("seed-length", "How many bytes the seed has. Most keys take 20.", "a number from 16 to 64", Some("20")),
    ("hash", "The hash of totp.", "\"sha1\", \"sha256\" or \"sha512\"", Some("\"sha1\"")),
    ("period", "Seconds a code of totp and challenge-response lasts.", "30 or 60", Some("30")),
    (
        "guard",
        "What the key shall want before it gives a code, where keys can be told.",
        "\"nothing\" or \"touch\"",
        Some("\"nothing\""),
    ),
    (
        "key-pin",
        "Which PIN unlocks keys that have one: the one they are sold with, one that the operator gives, or either and in the end a random one for each key, which is in the hand-over file.",
        "\"factory\", \"asked\" or \"random\"",
        Some("\"factory\""),
    ),
    (
        "label",
        "What keys that keep names call the credential; {server} and {token} are filled in.",
        "text with {token} in it",
        Some("\"{server}:{token}\""),
    ),
    (
        "attempts",
        "How often a wrong code or none is forgiven before everything is undone.",
        "a number from 1 to 10",
        Some("3"),
    ),
    ("touch-seconds", "How long one attempt waits for a touch.", "a number from 5 to 300", Some("30")),
    ("realm", "The realm that new tokens are put into.", "text", Some("")),
    (
        "description",
        "Written into the token; {station}, {key} and {profile} are filled in.",
        "text",
        Some("\"{station}: {key}\""),
    ),
    (
        "overwrite",
        "What may be overwritten: nothing of others, also the Yubico OTP that keys are sold with, or anything of others that an operator confirms. What this station finished is never among it: an order names its token.",
        "\"never\", \"factory\" or \"confirmed\"",
        Some("\"never\""),
    ),
    (
        "verify",
        "Whether the server must verify new tokens itself (its policy verify_enrollment).",
        "\"auto\" or \"required\"",
        Some("\"auto\""),
    ),
    (
        "two-step",
        "Whether key and server make the seed together.",
        "\"never\", \"when-offered\" or \"force\"",
        Some("\"never\""),
    ),
    (
        "public-id",
        "What a Yubico OTP begins with.",
        "\"random\", \"serial\", \"none\" or 2 to 32 letters of modhex",
        Some("\"random\""),
    ),
    (
        "token-id",
        "What an HOTP slot types in front of each code.",
        "\"serial\" or 2 to 32 letters of modhex",
        Some(""),
    ),
    ("password-length", "How many letters a static password has.", "a number from 16 to 38", Some("38")),
    (
        "allow-static",
        "Has to be true for a static password, which proves nothing but that it was typed.",
        "true or false",
        Some("false"),
    ),
    (
        "new-access-code",
        "What shall guard the slot from now on.",
        "\"none\", \"fixed\" (access-codes.fixed-file), \"derived\" (from access-codes.secret-file, for each key another) or \"random\"",
        Some("\"none\""),
    ),
    (
        "access-code-to",
        "Where a random access code is kept.",
        "\"server\" (in the token's notes) or \"hand-over\" (a file, encrypted for those in hand-over.to)",
        Some(""),
    ),
];

const RULE: &[Row] = &[
    ("name", "What people call the rule.", "text", Some("")),
    ("vendor", "Who made the key.", "\"yubico\" or \"nitrokey\"", Some("")),
    ("model", "What its model's name begins with.", "text", Some("")),
    ("firmware", "Its firmware.", "a range such as \"5.4-5.7\", \"5.4-\" or \"-5.7\"", Some("")),
    ("form-factor", "What its form is called.", "text such as \"USB-C keychain\"", Some("")),
    (
        "serials",
        "Its serial is one of these.",
        "a list of serials and ranges such as \"20000000-20000499\"",
        Some("[]"),
    ),
    ("fips", "Whether it must, or must not, be a FIPS edition.", "true or false", Some("")),
    (
        "config-locked",
        "Whether its configuration must, or must not, be locked by a code.",
        "true or false",
        Some(""),
    ),
];

/// The fields of a profile, for the reference.
pub(super) fn profile_fields() -> Vec<FieldInfo> {
    let mut fields = described::<Profile>(PROFILE);
    fields.push(FieldInfo {
        name: "match".to_owned(),
        doc: "The keys it is for; every key that is able when it is left out.".to_owned(),
        form: "a table of vendor (\"yubico\", \"nitrokey\", \"purism\"), model (a part of its name) and firmware, such as { vendor = \"yubico\", firmware = \">=5.4, <5.7\" }"
            .to_owned(),
        default: Some(String::new()),
        fields: Vec::new(),
    });
    fields
}

/// The fields of a rule, for the reference.
pub(super) fn rule_fields() -> Vec<FieldInfo> {
    described::<Rule>(RULE)
}

/// Every field that the type declares, with its description when there is one.
fn described<T: for<'de> Deserialize<'de>>(rows: &[Row]) -> Vec<FieldInfo> {
    let describe = |name: String| {
        let row = rows.iter().find(|(known, ..)| *known == name);
        let (_, doc, form, default) = row.copied().unwrap_or(("", "", "", Some("")));
        FieldInfo {
            name,
            doc: doc.to_owned(),
            form: form.to_owned(),
            default: default.map(str::to_owned),
            fields: Vec::new(),
        }
    };
    declared::<T>().into_iter().map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_engine_is_described_and_no_other() {
        for (declared, rows) in [(declared::<Profile>(), PROFILE), (declared::<Rule>(), RULE)] {
            let described: Vec<&str> = rows.iter().map(|(name, ..)| *name).collect();
            assert_eq!(declared, described);
        }
    }
}
