//! The interface as Varlink describes it: well formed, and not changed by accident.

#![cfg(test)]

use std::path::Path;

use control::Method;
use control::shape::{Body, Definition, Shape, json_schema};
use control::sim::HandsMethod;
use control::types::Status;

/// A field or a word: `[A-Za-z](_?[A-Za-z0-9])*` (https://varlink.org/Interface-Definition).
fn is_name(text: &str) -> bool {
    let mut before = '_';
    for letter in text.chars() {
        if !(letter.is_ascii_alphanumeric() || letter == '_' && before != '_') {
            return false;
        }
        before = letter;
    }
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && before != '_'
}

fn is_type(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
}

fn look(definition: &Definition) {
    assert!(is_type(definition.name), "{}", definition.name);
    assert!(!definition.doc.is_empty(), "{} says nothing of itself", definition.name);
    match &definition.body {
        Body::Enum(words) => words.iter().for_each(|word| assert!(is_name(word.name), "{}", word.name)),
        Body::Struct(members) => {
            for member in members {
                assert!(is_name(member.name), "{}.{}", definition.name, member.name);
                assert!(!member.doc.is_empty(), "{}.{}", definition.name, member.name);
                let twice =
                    matches!(&member.shape, Shape::Optional(inner) if matches!(**inner, Shape::Optional(_)));
                assert!(!twice, "{}.{}", definition.name, member.name);
            }
        }
    }
}

#[test]
fn types_methods_and_errors_have_names_of_their_own() {
    assert!(Method::description().contains("\nerror Refused ("));
    for description in [Method::description(), HandsMethod::description()] {
        let mut names = Vec::new();
        for line in description.lines() {
            let mut words = line.split([' ', '(']);
            if matches!(words.next(), Some("type" | "method" | "error")) {
                names.push(words.next().unwrap().to_owned());
            }
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

#[test]
fn every_call_and_type_has_a_name_and_a_description_that_varlink_takes() {
    let calls = Method::ALL.iter().map(|method| method.info());
    for call in calls.chain(HandsMethod::ALL.iter().map(|method| method.info())) {
        assert!(is_type(call.name) && !call.doc.is_empty(), "{}", call.name);
        for message in [&call.request, &call.reply] {
            look(message);
            let mut found = Vec::new();
            if let Body::Struct(members) = &message.body {
                members.iter().for_each(|member| member.shape.collect(&mut found));
            }
            found.iter().for_each(look);
        }
    }
}

#[test]
fn the_interface_is_the_one_that_was_agreed_on() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("org.enrollmentstation.Control.varlink");
    let text = Method::description();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let agreed = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, agreed, "a call has one form for ever; after a wanted change run it with BLESS=1");
}

#[test]
fn schemas_are_complete_in_themselves() {
    let schema = json_schema::<Status>();
    let text = schema.to_string();
    let defined = schema["$defs"].as_object().unwrap();
    for reference in text.split("#/$defs/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(defined.contains_key(name), "{name}");
    }
    assert!(defined["Status"]["required"].as_array().unwrap().iter().any(|name| name == "ports"));
}

#[test]
fn what_is_shown_of_a_call_has_no_secret() {
    let arguments = r#"{"user":"admin","realm":null,"password":"Z2VoZWlt"}"#;
    let shown = Method::ServerLogIn.info().shown(arguments);
    assert_eq!(shown, r#"user="admin" password=(secret)"#);
    assert_eq!(Method::ServerLogIn.info().shown("nonsense"), "");
    let arguments = r#"{"serial":"UBOM1_1","person":"alice@people"}"#;
    let shown = Method::TokenAssign.info().shown_without(arguments, &["person"]);
    assert_eq!(shown, r#"serial="UBOM1_1" person=(left out)"#);
}
