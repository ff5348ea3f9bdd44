use tempfile::TempDir;

use super::*;

const TOML: &str = "[server]\nurl = \"https://pi.example\"\napi-key = \"aaa.bbb.ccc\"\nca = \"ca.pem\"\n";

struct Bench {
    fat: TempDir,
    state: TempDir,
}

impl Bench {
    fn new(files: &[(&str, &str)]) -> Self {
        let bench = Self { fat: TempDir::new().unwrap(), state: TempDir::new().unwrap() };
        for (name, text) in files {
            bench.write(name, text);
        }
        bench
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.fat.path().join(name), text).unwrap();
    }

    fn kept(&self) -> std::path::PathBuf {
        self.state.path().join("kept")
    }

    /// A start; `cut` before the card is blanked.
    fn start(&self, cut: bool) -> bool {
        let kept = Kept::new(&self.kept());
        let settings = Settings::read(self.fat.path(), &kept).unwrap();
        let group = rustix::process::getgid().as_raw();
        let new = settings.keep(&self.kept(), group).unwrap();
        match (settings.has_secrets(), cut) {
            (true, false) => settings.blank(&kept).unwrap(),
            (true, true) => {}
            (false, _) => kept.settle().unwrap(),
        }
        new
    }

    /// A power cut while these files are overwritten, of which some bytes are new by then.
    fn torn(&self, files: &[(&str, &str)], new: &[bool]) {
        let files: Vec<(&str, Bytes)> =
            files.iter().map(|(name, text)| (*name, Zeroizing::new(text.as_bytes().to_vec()))).collect();
        note(&Kept::new(&self.kept()).notes(), files.iter().map(|(name, bytes)| (*name, bytes))).unwrap();
        let mut new = new.iter().cycle();
        for (name, bytes) in &files {
            let after = blank_of(name, bytes);
            let mixture = bytes
                .iter()
                .zip(after.iter())
                .map(|(old, after)| if *new.next().unwrap() { *after } else { *old });
            fs::write(self.fat.path().join(name), mixture.collect::<Vec<_>>()).unwrap();
        }
    }

    fn card(&self, name: &str) -> String {
        fs::read_to_string(self.fat.path().join(name)).unwrap()
    }

    fn copy(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.kept().join(name)).ok()
    }
}

#[test]
fn a_secret_moves_from_the_card_to_the_daemon() {
    let bench = Bench::new(&[(FILE, TOML), ("ca.pem", "PEM"), ("start.elf", "firmware")]);
    assert!(bench.start(false));
    assert!(!bench.card(FILE).contains("aaa"));
    assert_eq!(bench.card(FILE).len(), TOML.len());
    assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("aaa.bbb.ccc"));
    assert!(bench.copy(FILE).unwrap().contains("api-key-file = \"server.api-key\""));
    assert!(!bench.copy(FILE).unwrap().contains("aaa"));
    assert_eq!(bench.copy("ca.pem").as_deref(), Some("PEM"));
    assert_eq!(bench.copy("start.elf"), None);
    assert!(!bench.start(false), "nothing is new at the next start");
    assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("aaa.bbb.ccc"));
}

#[test]
fn a_file_with_the_secret_is_blanked_too() {
    let toml = "[server]\napi-key-file = \"key.txt\"\n";
    let bench = Bench::new(&[(FILE, toml), ("key.txt", "aaa.bbb.ccc\n")]);
    bench.start(false);
    assert_eq!(bench.card("key.txt").trim(), "");
    assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("aaa.bbb.ccc\n"));
    assert_eq!(bench.copy("key.txt"), None);
    bench.start(false);
    assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("aaa.bbb.ccc\n"));
}

#[test]
fn a_power_cut_before_the_blanking_is_made_good() {
    let bench = Bench::new(&[(FILE, TOML)]);
    bench.start(true);
    assert!(bench.card(FILE).contains("aaa"));
    bench.start(false);
    assert!(!bench.card(FILE).contains("aaa"));
    assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("aaa.bbb.ccc"));
}

#[test]
fn what_a_cut_left_half_written_is_no_obstacle() {
    let bench = Bench::new(&[(FILE, TOML)]);
    fs::create_dir_all(bench.kept().with_extension("part").join("x")).unwrap();
    assert!(bench.start(false));
    assert!(!bench.kept().with_extension("part").exists());
}

#[test]
fn a_new_secret_replaces_the_kept_one_and_a_deleted_line_forgets_it() {
    let bench = Bench::new(&[(FILE, TOML)]);
    bench.start(false);
    bench.write(FILE, &TOML.replace("aaa", "ddd"));
    bench.start(false);
    assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("ddd.bbb.ccc"));
    bench.write(FILE, "[server]\n");
    bench.start(false);
    assert_eq!(bench.copy(KEPT_IN), None);
}

#[test]
fn a_contradiction_costs_no_key_and_stays_for_the_daemon_to_refuse() {
    let bench = Bench::new(&[(FILE, TOML), ("key.txt", "ddd.eee.fff\n")]);
    bench.start(false);
    let both = TOML.replace("ca =", "api-key-file = \"key.txt\"\nca =");
    bench.write(FILE, &both);
    for _ in 0..2 {
        bench.start(false);
        assert_eq!(bench.card(FILE), both);
        assert_eq!(bench.card("key.txt"), "ddd.eee.fff\n");
        assert_eq!(bench.copy(FILE).as_deref(), Some(both.as_str()));
        assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("aaa.bbb.ccc"));
    }
    bench.write(FILE, &both.replace("api-key = \"aaa.bbb.ccc\"", "#api-key: kept"));
    bench.start(false);
    assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("ddd.eee.fff\n"));
    assert!(!bench.card(FILE).contains("key.txt"));
}

#[test]
fn names_are_the_same_in_capitals() {
    let toml = "[server]\napi-key-file = \"key.txt\"\nca = 'ca.pem'\n[[operators]]\nkeys = \"alice.pub\"\n";
    let card = [("Enrollment.TOML", toml), ("KEY.TXT", "a.b.c\n"), ("CA.PEM", "PEM"), ("Alice.pub", "key")];
    let bench = Bench::new(&card);
    for _ in 0..2 {
        bench.start(false);
        assert!(bench.card("Enrollment.TOML").contains("#api-key: kept"));
        assert_eq!(bench.card("KEY.TXT").trim(), "");
        assert!(bench.copy(FILE).unwrap().contains("server.api-key"));
        assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("a.b.c\n"));
        assert_eq!(bench.copy("ca.pem").as_deref(), Some("PEM"));
        assert_eq!(bench.copy("alice.pub").as_deref(), Some("key"));
    }
}

#[test]
fn many_files_are_taken_over_and_those_of_macos_are_not() {
    let names: Vec<String> = (0..200).map(|number| format!("operator-{number}.pub")).collect();
    let long = "x".repeat(1 << 20);
    let bench =
        Bench::new(&[(FILE, TOML), ("._operator-1.pub", "mac"), ("too-long.pem", &format!("{long}x"))]);
    names.iter().for_each(|name| bench.write(name, "key"));
    (0..20).for_each(|number| bench.write(&format!("z{number:02}.pem"), &long));
    bench.start(false);
    assert!(names.iter().all(|name| bench.copy(name).as_deref() == Some("key")));
    assert_eq!((bench.copy("._operator-1.pub"), bench.copy("too-long.pem")), (None, None));
    assert!(bench.copy("z14.pem").is_some() && bench.copy("z19.pem").is_none(), "not more than 16 MiB");
}

#[test]
fn a_secret_in_an_inline_table_moves_too() {
    let toml = "server = { url = \"https://pi.example\", api-key = \"aaa.bbb.ccc\", ca = \"ca.pem\" }\n";
    let bench = Bench::new(&[(FILE, toml), ("ca.pem", "PEM")]);
    for _ in 0..2 {
        bench.start(false);
        assert_eq!(bench.card(FILE), toml.replace("aaa.bbb.ccc", "kept       "));
        assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("aaa.bbb.ccc"));
        let daemon = toml.replace("api-key = \"aaa.bbb.ccc\"", "api-key-file = \"server.api-key\"");
        assert_eq!(bench.copy(FILE).as_deref(), Some(daemon.as_str()));
    }
}

#[test]
fn settings_that_are_no_text_are_kept_for_the_daemon_to_refuse() {
    let bench = Bench::new(&[]);
    fs::write(bench.fat.path().join(FILE), [0xff, 0xfe, 0x00]).unwrap();
    assert!(bench.start(false));
    assert_eq!(fs::read(bench.kept().join(FILE)).unwrap(), [0xff, 0xfe, 0x00]);
}

#[test]
fn a_card_without_settings_has_a_copy_without_settings() {
    let bench = Bench::new(&[]);
    assert!(bench.start(false));
    assert_eq!(bench.copy(FILE), None);
    assert!(!bench.start(false));
}

const NAMING: &str = "[server]\napi-key-file = \"key.txt\"\n[access-codes]\nsecret-file = \"codes.key\"\n";
const FILES: [(&str, &str); 3] =
    [(FILE, NAMING), ("key.txt", "aaa.bbb.ccc\n"), ("codes.key", "00112233445566778899aabbccddeeff\n")];

#[test]
fn files_with_access_codes_move_too_and_stay_under_their_names() {
    let bench = Bench::new(&FILES);
    bench.start(false);
    for _ in 0..2 {
        assert!(is_blank(bench.card("codes.key").as_bytes()));
        assert_eq!(bench.card("codes.key").len(), FILES[2].1.len());
        assert_eq!(bench.copy("codes.key").as_deref(), Some(FILES[2].1));
        assert!(bench.card(FILE).contains("secret-file = \"codes.key\""));
        assert!(!bench.start(false), "nothing is new at the next start");
    }
    bench.write("codes.key", "ffeeddccbbaa99887766554433221100\n");
    assert!(bench.start(false));
    assert_eq!(bench.copy("codes.key").as_deref(), Some("ffeeddccbbaa99887766554433221100\n"));
    fs::remove_file(bench.fat.path().join("codes.key")).unwrap();
    bench.start(false);
    assert_eq!(bench.copy("codes.key"), None, "who deletes the file has it forgotten");
}

#[test]
fn a_key_file_that_is_blank_already_does_not_replace_the_key() {
    let bench = Bench::new(&FILES);
    bench.start(false);
    bench.write(FILE, NAMING);
    bench.start(false);
    assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("aaa.bbb.ccc\n"));
    assert!(bench.card(FILE).contains("#api-key: kept"));
}

#[test]
fn neither_the_settings_nor_the_firmware_are_taken_for_a_file_with_secrets() {
    let toml = "[access-codes]\nsecret-file = \"u-boot.bin\"\nfixed-file = \"enrollment.toml\"\ntable-file = \"config.txt\"\n";
    let bench = Bench::new(&[(FILE, toml), ("u-boot.bin", "U-Boot"), ("config.txt", "kernel=u-boot.bin")]);
    bench.start(false);
    assert_eq!(bench.card("u-boot.bin"), "U-Boot");
    assert_eq!(bench.card("config.txt"), "kernel=u-boot.bin");
    assert_eq!(bench.card(FILE), toml);
}

#[test]
fn an_earlier_note_stays_until_the_new_one_is_there() {
    let bench = Bench::new(&FILES);
    bench.start(true);
    bench.torn(&FILES, &[false, true]);
    let notes = Kept::new(&bench.kept()).notes();
    // It cannot be written down again: a directory with a file that is not to be had.
    let key = Zeroizing::new(b"x".to_vec());
    let wrong = [("codes.key", &key), ("no/such/place", &key)];
    assert!(note(&notes, wrong.into_iter()).is_err());
    assert!(notes.join("key.txt").exists());
    bench.start(false);
    assert_eq!(bench.copy(KEPT_IN).as_deref(), Some("aaa.bbb.ccc\n"));
    assert_eq!(bench.copy("codes.key").as_deref(), Some(FILES[2].1));
}

#[test]
fn who_edits_a_half_blanked_card_is_heeded() {
    let bench = Bench::new(&FILES);
    bench.start(true);
    bench.torn(&FILES, &[false, true]);
    bench.write(FILE, "[station]\nname = \"desk\"\n");
    bench.start(false);
    assert_eq!(bench.copy(KEPT_IN), None);
    assert!(!Kept::new(&bench.kept()).notes().exists(), "the note is forgotten, too");
}

proptest::proptest! {
    #[test]
    fn a_power_cut_in_the_middle_of_the_blanking_loses_nothing(new in proptest::collection::vec(proptest::bool::ANY, 1..200), value: bool) {
        let toml = NAMING.replace("api-key-file = \"key.txt\"", "api-key = \"aaa.bbb.ccc\"");
        let files = if value { [(FILE, toml.as_str()), FILES[2], ("ca.pem", "PEM")] } else { FILES };
        let bench = Bench::new(&files);
        bench.start(true);
        bench.torn(&files[..if value { 2 } else { 3 }], &new);
        for _ in 0..2 {
            bench.start(false);
            proptest::prop_assert_eq!(bench.copy(KEPT_IN).unwrap_or_default().trim().to_owned(), "aaa.bbb.ccc");
            let codes = bench.copy("codes.key");
            proptest::prop_assert_eq!(codes.as_deref(), Some(FILES[2].1));
            proptest::prop_assert!(!bench.card(FILE).contains("aaa"));
            proptest::prop_assert!(is_blank(bench.card("codes.key").as_bytes()));
            proptest::prop_assert!(!Kept::new(&bench.kept()).notes().exists());
        }
    }
}
