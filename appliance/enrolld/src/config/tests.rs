use super::*;

/// A key that nobody has: its last half is a pattern.
pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ";

const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEJ6DjgMdyiMfDAMjHe2K9vXt3vNk4jS0xWjeVTUcWxP";

struct None_;

impl Files for None_ {
    fn read(&self, name: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        match name {
            "alice.pub" => Ok(Zeroizing::new(format!("# laptop\n{KEY} a\n\n{OTHER} b\n").into_bytes())),
            "empty.pem" => Ok(Zeroizing::new(Vec::new())),
            "api.key" => Ok(Zeroizing::new(b"aaa.bbb.ccc\n".to_vec())),
            "codes.csv" => Ok(Zeroizing::new(b"12345678,0a0b0c0d0e0f\n".to_vec())),
            "fixed.code" => Ok(Zeroizing::new(b"0a0b0c0d0e0f\n".to_vec())),
            "station.secret" => Ok(Zeroizing::new(b"000102030405060708090a0b0c0d0e0f\n".to_vec())),
            "weak.secret" => Ok(Zeroizing::new(b"00000000000000000000000000000000\n".to_vec())),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn base() -> String {
    format!(
        "[station]\nname = \"desk-1\"\n[server]\nurl = \"https://pi.example.org\"\n[[operators]]\nname = \"alice\"\n\
         role = \"admin\"\nkeys = [\"{KEY}\"]\n[profile.desk]\nkind = \"hotp\"\n"
    )
}

fn read(text: &str) -> Parsed {
    parse(text, &None_)
}

/// The problems of the base with more behind it.
fn with(more: &str) -> Vec<Problem> {
    read(&format!("{}{more}", base())).problems
}

fn only(problems: &[Problem]) -> &Problem {
    let [problem] = problems else { panic!("{problems:#?}") };
    problem
}

#[test]
fn a_small_configuration_is_enough_and_the_rest_has_defaults() {
    let Parsed { config, problems } = read(&base());
    assert_eq!(problems, []);
    assert_eq!(config.station.name.as_str(), "desk-1");
    assert_eq!(config.operators[0].role, OperatorRole::Admin);
    assert_eq!(config.shell.listen, [Listen("[::]:22".parse().unwrap())]);
    assert_eq!(config.run, RunSection::default());
    assert!(config.profiles["desk"].fits == station::engine::mode::Fits::default());
}

#[test]
fn everything_that_is_wrong_is_found_at_once_and_has_a_place_and_a_remedy() {
    let text = "[station]\nnmae = \"x\"\nmode = \"armd\"\n\n[shell]\nidle-minutes = 0\nlisten = [\"everywhere\", 22]\n\
                [server]\nurl = 5\n[panel]\ni2c-address = 0x3e\ndisplay = \"big\"\n";
    let Parsed { config, problems } = read(text);
    let found: Vec<(usize, usize, &str)> = problems
        .iter()
        .map(|problem| {
            let (line, column) = problem.place.unwrap();
            (line, column, problem.field.as_str())
        })
        .collect();
    assert_eq!(
        found,
        [
            (2, 1, "station.nmae"),
            (3, 8, "station.mode"),
            (6, 16, "shell.idle-minutes"),
            (7, 11, "shell.listen.1"),
            (7, 25, "shell.listen.2"),
            (9, 7, "server.url"),
            (11, 15, "panel.i2c-address"),
            (12, 11, "panel.display"),
            (7, 1, "shell.listen"),
            (1, 1, "operators"),
            (1, 1, "profile"),
        ]
    );
    assert!(problems.iter().all(|problem| !problem.remedy.is_empty()));
    assert_eq!(problems[0].remedy, "Did you mean name?");
    assert_eq!(problems[1].remedy, "Write \"armed\" or \"attended\" or \"locked\".");
    // What is wrong is as if it were not there.
    assert_eq!(config.station, StationSection::default());
}

#[test]
fn what_is_no_toml_has_a_place_too() {
    let problems = with("[run\nin-flight = 2\n");
    let problem = &problems[0];
    assert!(problem.text.contains("not TOML"), "{problem:?}");
    assert_eq!(problem.place.map(|(line, _)| line), Some(11));
}

#[test]
fn one_letter_in_another_encoding_shuts_nobody_out() {
    let mut file = base().into_bytes();
    file.extend(b"# f\xfcr alle\n");
    let (_, Parsed { config, problems }) = read_bytes(&file, &None_);
    assert_eq!(only(&problems).place, Some((11, 4)));
    assert_eq!(config.operators.len(), 1);
    let file: Vec<u8> = format!("\u{feff}{}", base()).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (_, Parsed { config, problems }) = read_bytes(&file, &None_);
    assert!(only(&problems).text.contains("UTF-16"));
    assert_eq!(config.operators.len(), 1);
    let (_, parsed) = read_bytes(format!("\u{feff}{}", base()).as_bytes(), &None_);
    assert_eq!(parsed.problems, [], "a byte order mark is no mistake");
}

#[test]
fn a_letter_in_another_encoding_comes_before_what_may_follow_from_it_and_after_the_rest() {
    let lines = |text: &str| {
        let file: Vec<u8> =
            format!("{}{text}", base()).chars().map(|letter| u8::try_from(letter).unwrap()).collect();
        let (_, parsed) = read_bytes(&file, &None_);
        let of = |problem: &Problem| (problem.place.map(|(line, _)| line), problem.text.contains("UTF-8"));
        parsed.problems.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(lines("[run]\nin-flight = 0\n# f\u{fc}r alle\n"), [(Some(12), false), (Some(13), true)]);
    assert_eq!(lines("[run]\n# f\u{fc}r alle\nin-flight = 0\n"), [(Some(12), true), (Some(13), false)]);
    assert_eq!(lines("[r\u{fc}n]\n")[0], (Some(11), true));
}

#[test]
fn the_engines_own_errors_get_a_place_and_a_field() {
    for (more, place, field) in [
        ("digits = 7\n", (11, 1), "profile.desk.digits"),
        ("digts = 6\n", (11, 1), "profile.desk.digts"),
        ("realm = 5\n", (11, 9), "profile.desk"),
        ("match = { vendor = 5 }\n", (11, 20), "profile.desk.match"),
        ("[profile.second]\nslot = 1\n", (11, 1), "profile.second.kind"),
        ("[[welcome]]\nvendr = \"yubico\"\n", (12, 1), "welcome.vendr"),
    ] {
        let problems = with(more);
        let problem = only(&problems);
        assert_eq!((problem.place, problem.field.as_str()), (Some(place), field), "{more}: {problem}");
    }
}

#[test]
fn a_profile_whose_match_rule_is_wrong_is_for_no_key() {
    let parsed = read(&format!("{}match = {{ firmware = \"new\" }}\n", base()));
    assert_eq!(parsed.problems.len(), 1);
    assert!(parsed.config.profiles.is_empty());
}

#[test]
fn contradictions_are_found() {
    let server = |more: &str| read(&base().replace("url = \"https://pi.example.org\"\n", more)).problems;
    let any = "accept any certificate, so that anybody in between gets the seeds";
    let plain = "send everything unencrypted, seeds and passwords included";
    let pin = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    for (more, field) in [
        (format!("url = \"https://x\"\ninsecure = \"{any}\"\npin = [\"{pin}\"]\n"), "server.insecure"),
        ("url = \"http://x\"\n".to_owned(), "server.url"),
        (format!("url = \"https://x\"\ninsecure = \"{plain}\"\n"), "server.insecure"),
        (format!("url = \"http://x\"\ninsecure = \"{any}\"\n"), "server.url"),
        (format!("pin = [\"{pin}\"]\n"), "server.pin"),
        (
            "url = \"https://x\"\napi-key = \"a.b.c\"\napi-key-file = \"api.key\"\n".to_owned(),
            "server.api-key",
        ),
    ] {
        assert_eq!(only(&server(&more)).field, field, "{more}");
    }
    assert_eq!(server(&format!("url = \"http://x\"\ninsecure = \"{plain}\"\n")), []);
    assert_eq!(with("[panel]\ni2c-address = 0x3d\n"), []);
    for (more, field) in [
        ("[run]\nprofile = \"nope\"\n".to_owned(), "run.profile"),
        ("[panel]\nlamp = [1, 4]\n".to_owned(), "panel.lamp"),
        ("[panel]\nbuzzer = 17\nbutton = 17\n".to_owned(), "panel.button"),
        ("[panel]\nbuzzer = 2\n".to_owned(), "panel.buzzer"),
        ("[network]\ngateway = \"192.0.2.1\"\n".to_owned(), "network.gateway"),
        ("[network]\nvlan = 4095\n".to_owned(), "network.vlan"),
        ("[log]\nto = \"logs.example.org:514\"\n".to_owned(), "log.to"),
        ("[log]\nprotocol = \"tcp\"\n".to_owned(), "log.to"),
        ("[log]\nto = \"192.0.2.5:6514\"\nprotocol = \"tls\"\n".to_owned(), "log.protocol"),
        ("[shell]\nlisten = []\n".to_owned(), "shell.listen"),
        (format!("[[operators]]\nname = \"bob\"\nkeys = [\"{KEY}\"]\n"), "operators"),
        (format!("[[operators]]\nname = \"alice\"\nkeys = [\"{OTHER}\"]\n"), "operators"),
        ("[[operators]]\nname = \"bob\"\nkeys = []\n".to_owned(), "operators"),
    ] {
        assert_eq!(only(&with(&more)).field, field, "{more}");
    }
}

#[test]
fn an_armed_station_has_nobody_to_ask() {
    let armed = |more: &str| {
        read(
            &base()
                .replace("\"desk-1\"\n", "\"desk-1\"\nmode = \"armed\"\n")
                .replace("kind = \"hotp\"\n", &format!("kind = \"hotp\"\n{more}")),
        )
        .problems
    };
    assert_eq!(armed(""), []);
    assert_eq!(only(&armed("overwrite = \"confirmed\"\n")).place, Some((12, 1)));
    assert_eq!(only(&armed("key-pin = \"asked\"\n")).field, "profile.desk.key-pin");
    assert_eq!(only(&armed("[profile.b]\nkind = \"hotp\"\n")).field, "station.mode");
    assert_eq!(armed("[profile.b]\nkind = \"hotp\"\nmatch = { vendor = \"nitrokey\" }\n"), []);
}

#[test]
fn files_stand_beside_the_configuration() {
    let keys = |entry: &str| read(&base().replace(&format!("\"{KEY}\""), entry));
    let parsed = keys("\"alice.pub\"");
    assert_eq!(parsed.problems, []);
    assert_eq!(parsed.config.operators[0].ssh_keys().count(), 2);
    for entry in ["\"../alice.pub\"", "\"/etc/alice.pub\"", "\"nobody.pub\"", "\"ssh-rsa AAAA\""] {
        let problems = keys(entry).problems;
        assert!(
            problems.iter().any(|problem| problem.field == "operators.1.keys.1"),
            "{entry}: {problems:?}"
        );
    }
    let server = |line: &str| {
        with("").len()
            + read(&base().replace("[[operators]]", &format!("{line}\n[[operators]]"))).problems.len()
    };
    assert_eq!(server("ca = \"empty.pem\""), 1);
    assert_eq!(server("api-key-file = \"api.key\""), 0);
    assert_eq!(server("api-key-file = \"alice.pub\""), 1);
}

#[test]
fn a_secret_is_in_no_problem_and_in_no_debug_output() {
    let text = base().replace("[[operators]]", "api-key = \"hunter2\"\n[[operators]]");
    let said = format!("{:?}", read(&text).problems);
    assert!(said.contains("api-key") && !said.contains("hunter2"), "{said}");
    let text = base().replace("[[operators]]", "api-key = \"hunter.2.x\"\n[[operators]]");
    let parsed = read(&text);
    assert_eq!(parsed.problems, []);
    assert_eq!(parsed.config.server.key().unwrap().expose(), "hunter.2.x");
    assert!(!format!("{parsed:?}").contains("hunter"));
}

#[test]
fn access_codes_come_from_files_and_are_never_shown() {
    let files = "[access-codes]\ntable-file = \"codes.csv\"\nfixed-file = \"fixed.code\"\nsecret-file = \"station.secret\"\n";
    let parsed = read(&format!("{}new-access-code = \"derived\"\n{files}", base()));
    assert_eq!(parsed.problems, []);
    let codes = &parsed.config.access_codes;
    assert_eq!(codes.table_file.as_ref().unwrap().secret.len(), 1);
    assert_eq!(codes.fixed_file.as_ref().unwrap().secret.expose(), &[10, 11, 12, 13, 14, 15]);
    let shown = format!("{parsed:?}");
    assert!(shown.contains("fixed.code (secret)") && !shown.contains("10, 11, 12"), "{shown}");
    for (more, place, words) in [
        ("table-file = \"fixed.code\"\n", (12, 14), "line 1: wanted are"),
        ("fixed-file = \"codes.csv\"\n", (12, 14), "no code of 12"),
        ("secret-file = \"fixed.code\"\n", (12, 15), "32 hexadecimal"),
        ("secret-file = \"weak.secret\"\n", (12, 15), "all alike"),
        ("secret-file = \"nothing\"\n", (12, 15), "cannot be read"),
    ] {
        let problems = with(&format!("[access-codes]\n{more}"));
        let problem = only(&problems);
        assert_eq!(problem.place, Some(place), "{more}: {problem}");
        assert!(problem.text.contains(words) && !problem.text.contains("0a0b"), "{more}: {problem}");
    }
}

#[test]
fn what_is_handed_over_needs_somebody_who_can_read_it() {
    let age = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let readers = |to: &str| read(&format!("{}[hand-over]\nto = [{to}]\n", base()));
    for to in [format!("\"{KEY}\""), format!("\"{age}\""), "\"alice\"".to_owned()] {
        let parsed = readers(&to);
        assert_eq!(parsed.problems, [], "{to}");
        assert!(parsed.config.readers().is_some(), "{to}");
    }
    assert!(read(&base()).config.readers().is_none());
    for (to, words) in [
        ("\"bob\"", "no operator bob"),
        ("\"ssh-rsa AAAA\"", "neither ssh-ed25519"),
        ("\"Not A Name\"", "neither ssh-ed25519"),
        ("\"N!\"", "does not do"),
    ] {
        let problems = readers(to).problems;
        assert!(only(&problems).text.contains(words), "{to}: {problems:?}");
    }
    let ecdsa = "[[operators]]\nname = \"bob\"\nkeys = [\"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\"]\n[hand-over]\nto = [\"bob\"]\n";
    assert!(only(&with(ecdsa)).text.contains("no ssh-ed25519 key"));
    for (more, place, field) in [
        ("key-pin = \"random\"\n", (11, 1), "profile.desk.key-pin"),
        (
            "new-access-code = \"random\"\naccess-code-to = \"hand-over\"\n",
            (12, 1),
            "profile.desk.access-code-to",
        ),
        ("new-access-code = \"fixed\"\n", (11, 1), "profile.desk.new-access-code"),
        ("new-access-code = \"derived\"\n", (11, 1), "profile.desk.new-access-code"),
    ] {
        let problems = with(more);
        let problem = only(&problems);
        assert_eq!((problem.place, problem.field.as_str()), (Some(place), field), "{more}: {problem}");
    }
    assert_eq!(with("key-pin = \"random\"\n[hand-over]\nto = [\"alice\"]\n"), []);
}

#[test]
fn without_a_server_tokens_need_somebody_who_imports_them() {
    let files = |more: &str| {
        read(
            &base()
                .replace("url = \"https://pi.example.org\"\n", "output = \"pskc\"\n")
                .replace("[profile", &format!("{more}[profile")),
        )
        .problems
    };
    assert_eq!(files("[hand-over]\nto = [\"alice\"]\n"), []);
    assert_eq!(only(&files("")).field, "server.output");
    let both = read(
        &base().replace("[[operators]]", "output = \"csv\"\n[hand-over]\nto = [\"alice\"]\n[[operators]]"),
    );
    assert_eq!(only(&both.problems).field, "server.output");
}

#[test]
fn origins_contain_what_they_say() {
    let inside =
        |origin: &str, address: &str| Origin::parse(origin).unwrap().contains(address.parse().unwrap());
    assert!(inside("192.0.2.0/24", "192.0.2.77"));
    assert!(inside("192.0.2.0/24", "::ffff:192.0.2.77"));
    assert!(!inside("192.0.2.0/24", "192.0.3.1"));
    assert!(!inside("0.0.0.0/0", "2001:db8::1"));
    assert!(inside("2001:db8::/32", "2001:db8:1::1"));
    assert!(inside("192.0.2.7", "192.0.2.7"));
    for wrong in ["192.0.2.0/33", "x", "", "192.0.2.0/", "::1/129"] {
        assert!(Origin::parse(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn the_reference_page_is_what_the_code_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let said = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        said,
        reference::markdown(),
        "write it anew: cargo run -p enrolld -- reference > docs/configuration.md"
    );
}

#[test]
fn the_shipped_example_is_right() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/enrollment.toml");
    let (_, parsed) = load(&file).unwrap();
    assert_eq!(parsed.problems, []);
}

#[test]
fn what_may_be_told_of_a_field_is_known_for_every_field_and_for_no_other() {
    for (name, list, _, fields) in outline() {
        let section = name.replace("NAME", "desk") + if list { ".1" } else { "" };
        for field in fields {
            let path = format!("{section}.{}", field.name);
            let wanted = if path == "server.api-key" { Holds::Secret } else { Holds::Plain };
            assert_eq!(holds(&path), Some(wanted), "{path}");
            for wrong in [
                path.replace('-', "_") + "_",
                path.to_uppercase(),
                format!("{path}.more"),
                format!("x{path}"),
            ] {
                assert_eq!(holds(&wrong), None, "{wrong}");
            }
        }
    }
    for wrong in [
        "server.api_key",
        "server",
        "",
        "4711",
        "api-key",
        "operators.ada.role",
        "server.api-key.x",
        "profile",
    ] {
        assert_eq!(holds(wrong), None, "{wrong}");
    }
    // Each secret field is one of the table.
    for secret in control::SECRET_FIELDS {
        let (section, name) = secret.split_once('.').unwrap();
        let known = outline().into_iter().find(|(known, ..)| *known == section).unwrap().3;
        assert!(known.iter().any(|field| field.name == name), "{secret}");
    }
}

#[test]
fn the_cause_is_shown_before_what_follows_from_it() {
    let first = |text: &str| read(text).problems.first().cloned().unwrap();
    let curly = base().replace(&format!("\"{KEY}\""), "“alice.pub”");
    let parsed = read(&curly);
    assert_eq!(only(&parsed.problems).place, Some((8, 9)), "{:?}", parsed.problems);
    assert_eq!(parsed.config.operators[0].ssh_keys().count(), 2, "and it is read");
    assert!(first(&base().replace("[[operators]]", "[[operators")).text.contains("TOML"));
    let damaged = first(&base().replace("AAAAC3Nz", "AAAAC3Mz"));
    assert_eq!(damaged.place, Some((8, 9)), "{damaged:?}");
    assert!(read(&base().replace("\"desk-1\"", "\"desk-1”")).problems[0].text.contains('”'));
    let space = read(&base().replace("name = \"desk-1\"", "name\u{a0}= \"desk-1\""));
    assert!(only(&space.problems).text.contains("space"));
    assert_eq!(space.config.station.name.as_str(), "desk-1");
}

struct Card(&'static [(&'static str, &'static [u8])]);

impl Files for Card {
    fn read(&self, name: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        let file = self.0.iter().find(|(known, _)| *known == name);
        file.map(|(_, bytes)| Zeroizing::new(bytes.to_vec())).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[test]
fn a_key_is_read_in_whatever_form_an_editor_or_another_program_has_saved_it() {
    let text = base().replace(&format!("\"{KEY}\""), "\"a.pub\"");
    let with = |bytes: &'static [u8]| parse(&text, &Card(Vec::leak(vec![("a.pub", bytes)])));
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ";
    let marked = with(Vec::leak(format!("\u{feff}{line} a\r\n").into_bytes()));
    assert_eq!((marked.problems.len(), marked.config.operators[0].ssh_keys().count()), (0, 1));
    let wide = format!("\u{feff}{line} a\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let wide = with(Vec::leak(wide));
    assert_eq!((wide.problems.len(), wide.config.operators[0].ssh_keys().count()), (0, 1));
    let blob = line.split(' ').nth(1).unwrap();
    let ssh2 = format!(
        "---- BEGIN SSH2 PUBLIC KEY ----\r\nComment: \"a\"\r\n{blob}\r\n---- END SSH2 PUBLIC KEY ----\r\n"
    );
    let ssh2 = with(Vec::leak(ssh2.into_bytes()));
    assert_eq!((ssh2.problems.len(), ssh2.config.operators[0].ssh_keys().count()), (0, 1));
    let private = with(b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n");
    assert!(
        private.problems.iter().any(|problem| problem.text.contains("compromised"))
            && private.config.operators.iter().all(|one| one.ssh_keys().count() == 0)
    );
}

#[test]
fn what_was_found_on_the_card_comes_first() {
    let notes: &[u8] = b"alice\tthis is a private key\tDelete it.\nno note\n";
    let (_, parsed) = read_bytes(b"[station]\nnmae = \"x\"\n", &Card(Vec::leak(vec![("card.notes", notes)])));
    assert_eq!(
        parsed.problems[0].line("enrollment.toml"),
        "enrollment.toml: alice: this is a private key. Delete it."
    );
    assert_eq!(parsed.problems[1].field, "station.nmae");
}
