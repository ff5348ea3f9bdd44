use proptest::prelude::*;

use super::*;

const TEXT: &str = "[station]\nname = \"desk\"\n\n[server]\nurl = \"https://pi\"\r\napi-key = \"aaa.bbb.ccc\" # mine\r\n[run]\n";

/// As words, which may be compared.
fn said(text: &str) -> String {
    match find(text) {
        None => "nothing".to_owned(),
        Some(Found::Value(value)) => format!("value {}", value.as_str()),
        Some(Found::File(name)) => format!("file {name}"),
        Some(Found::Kept) => "kept".to_owned(),
        Some(Found::Several) => "several".to_owned(),
    }
}

fn blanked(text: &str) -> String {
    String::from_utf8(super::blanked(text.as_bytes()).to_vec()).unwrap()
}

fn completed(text: &str) -> String {
    String::from_utf8(super::completed(text.as_bytes()).to_vec()).unwrap()
}

/// What the daemon gets, by its own parser.
fn for_the_daemon(text: &str) -> toml::Table {
    completed(text).parse().unwrap()
}

#[test]
fn a_comment_takes_the_place_of_the_line() {
    assert_eq!(said(TEXT), "value aaa.bbb.ccc");
    let card = blanked(TEXT);
    assert_eq!(card.len(), TEXT.len());
    assert!(card.contains("\r\n#api-key: kept                \r\n[run]"), "{card:?}");
    assert_eq!(said(&card), "kept");
    assert_eq!(blanked(&card), card);
    let daemon = completed(&card);
    assert!(daemon.contains("api-key-file = \"server.api-key\"\r\n[run]"), "{daemon}");
    assert_eq!(daemon.lines().count(), TEXT.lines().count());
}

#[test]
fn every_way_of_writing_it() {
    for (text, expected) in [
        ("server.api-key='x.y.z'", "value x.y.z"),
        ("server . \"api-key\" = 'x.y.z' # mine", "value x.y.z"),
        ("[server]\n  api-key-file = \"key.txt\"", "file key.txt"),
        ("[ \"server\" ]\n\"api-key\" = \"x.y.z\"", "value x.y.z"),
        ("\u{feff}[server]\napi-key = \"x.y.z\"", "value x.y.z"),
        ("[server]\napi-key='x'", "value x"),
        ("[server]\napi-key = '''x.y.z'''", "value x.y.z"),
        ("[server]\napi-key = \"\"\"\nx.\\\n  y.z\"\"\"\nurl = 'x'", "value x.y.z"),
        ("[server]\r\napi-key = '''\r\nx.y.z'''\r\n", "value x.y.z"),
        ("[server]\napi-key = \"x\\\"y\\u0041\"", "value x\"yA"),
        ("[server]\napi-key = \"tür.y.z\"", "value tür.y.z"),
        ("server = { url = \"https://pi\", api-key = \"x.y.z\", ca = \"ca.pem\" }", "value x.y.z"),
        ("server = { api-key-file = 'key.txt' }", "file key.txt"),
        ("server = { api-key = \"\"\"x\n.y\n\"\"\", ca = \"ca.pem\" }\nname = 'x'", "value x\n.y\n"),
    ] {
        assert_eq!(said(text), expected, "{text}");
        let card = blanked(text);
        assert_eq!(card.len(), text.len(), "{card}");
        assert_eq!(said(&card), "kept", "{card}");
        assert!(!card.contains("x.y") && !card.contains("key.txt") && !card.contains("tür"), "{card}");
        assert_eq!(blanked(&card), card);
        let count = |text: &str| text.matches('\n').count();
        assert_eq!(count(&card), count(text), "{card}");
        for text in [text, &card] {
            let table = for_the_daemon(text);
            let server = table["server"].as_table().unwrap();
            assert_eq!(server["api-key-file"].as_str(), Some(KEPT_IN), "{text}");
            assert!(!server.contains_key("api-key"), "{text}");
            assert_eq!(count(&completed(text)), count(text), "{text}");
        }
    }
}

#[test]
fn what_is_no_secret_of_the_server() {
    for text in [
        "",
        "[profile.a]\napi-key = \"x\"",
        "# api-key = \"x\"\n[server]\napi-key = \"\"",
        "server = { api-key = '' }",
        "[server]\napi-key = 5",
        "[[server]]\napi-key = 'x.y.z'",
        "[server.api-key]\nx = 'y'",
    ] {
        assert_eq!(said(text), "nothing", "{text}");
        assert_eq!(blanked(text), text);
        assert_eq!(completed(text), text);
    }
}

#[test]
fn a_mistake_elsewhere_hides_no_secret() {
    for (text, expected) in [
        ("[station\nname = \n[server]\napi-key = \"a.b.c\"\n", "value a.b.c"),
        (
            "[station]\nname = desk\n[server]\nurl = \"https://pi\nca = \"ca.pem\"\napi-key = 'a.b.c'\n",
            "value a.b.c",
        ),
        ("[server]\napi-key = \"a.b.c\nca = \"ca.pem\"\n", "value a.b.c"),
        ("name = \nserver.api-key = \"a.b.c\"\n", "value a.b.c"),
        ("[server]\napi-key='a.b.c\nx'[run]\n", "value a.b.c"),
        ("[server]\napi-key=\"a\nx\"[run]\n", "value a"),
        ("name = \nserver = { api-key = \"a.b.c\", ca = \"ca.pem\" }\n", "value a.b.c"),
        ("name = \n[server]\napi-key = \"\"\"a.b.c\"\"\"\n", "value a.b.c"),
        ("name = \n[server]\napi-key-file = 'key.txt'\n[run]\n", "file key.txt"),
    ] {
        assert_eq!(said(text), expected, "{text}");
        let card = blanked(text);
        assert_eq!(card.len(), text.len());
        assert!(!card.contains("a.b.c") && !card.contains("key.txt"), "{card}");
        assert_eq!(said(&card), "kept", "{card}");
        assert_eq!(completed(text).lines().count(), text.lines().count());
    }
}

#[test]
fn a_string_that_never_ends_takes_nothing_with_it() {
    let text = "[server]\napi-key = \"\"\"a.b.c\nurl = \"https://pi\"\n[run]\nmode = \"auto\"\n";
    let card = blanked(text);
    assert!(card.contains("url = \"https://pi\"\n[run]\nmode = \"auto\"\n"), "{card}");
    assert!(!card.contains("a.b.c"), "{card}");
}

#[test]
fn a_new_key_beside_the_comment_counts() {
    let text = "[server]\n#api-key: kept          \napi-key = \"new.key.x\"\n";
    assert_eq!(said(text), "value new.key.x");
    let card = blanked(text);
    assert_eq!(said(&card), "kept");
    assert!(!card.contains("new"), "{card}");
    for text in [text, &card] {
        assert_eq!(for_the_daemon(text)["server"]["api-key-file"].as_str(), Some(KEPT_IN));
    }
}

#[test]
fn two_at_once_are_left_to_the_daemon() {
    for text in [
        "[server]\napi-key = \"a.b.c\"\napi-key-file = \"key.txt\"\n",
        "[server]\napi-key = \"a.b.c\"\napi-key = \"d.e.f\"\n",
        "server = { api-key = \"a.b.c\" }\n[server]\napi-key = \"d.e.f\"\n",
    ] {
        assert_eq!(said(text), "several", "{text}");
        assert_eq!(blanked(text), text);
        assert_eq!(completed(text), text);
    }
}

#[test]
fn files_with_access_codes_are_found() {
    let text = "[access-codes]\ntable-file = \"codes.csv\"\n secret-file='secret.key' # keep a copy\nother = \"x\"\n[server]\nfixed-file = \"no\"\n";
    assert_eq!(files(text), ["codes.csv", "secret.key"]);
    assert_eq!(files(&format!("name =\n{text}")), ["codes.csv", "secret.key"]);
    assert_eq!(files("access-codes.fixed-file = \"code.txt\"\nfixed-file = \"no\""), ["code.txt"]);
    assert_eq!(files("access-codes = { secret-file = \"code.txt\" }"), ["code.txt"]);
    assert_eq!(said(text), "nothing");
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are_but_in_a_secret() {
    let file = b"# B\xfcro\n[server]\nserver = 1\napi-key = \"a\xff.b.c\" # k\xe4se\n# \xe4\n";
    assert_eq!(said(&text_of(file)), "value a?.b.c");
    let card = super::blanked(file);
    assert_eq!(card.len(), file.len());
    assert!(card.starts_with(b"# B\xfcro\n[server]\nserver = 1\n#api-key: kept  "), "{card:?}");
    assert!(card.ends_with(b"  \n# \xe4\n"), "{card:?}");
    let daemon = super::completed(file);
    assert_eq!(
        daemon.as_slice(),
        b"# B\xfcro\n[server]\nserver = 1\napi-key-file = \"server.api-key\"\n# \xe4\n"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_moves_and_nothing_stays(text in "(\\[server\\]\n|server *= *\\{|server\\.|api-key|-file|=|\"|\"\"\"|'|#| |,|\\}|\n|\r\n|\\\\|x|é|kept|\u{feff}){0,40}") {
        crate::examine::settings(text.as_bytes());
    }
}

#[test]
fn a_secret_in_typographic_quotes_is_found_and_blanked() {
    for text in [
        "[server]\napi-key = “aaa.bbb.ccc”\nurl = \"x\"\n",
        "[server]\napi-key = „aaa.bbb.ccc“ # so\n",
        "[server]\napi-key\u{a0}= ‘aaa.bbb.ccc’\n",
        "[server]\napi-key = “aaa.bbb.ccc\"\n",
        "[server]\napi-key = “aaa.bbb.ccc\nurl = 5\n",
    ] {
        assert!(matches!(find(text), Some(Found::Value(value)) if value.as_str() == "aaa.bbb.ccc"), "{text}");
        let card = blanked(text);
        assert_eq!(card.len(), text.len());
        assert!(!card.contains("aaa"), "{text}");
        assert!(
            String::from_utf8_lossy(&super::completed(text.as_bytes()))
                .contains("api-key-file = \"server.api-key\"")
        );
    }
}
