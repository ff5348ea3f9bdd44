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
        let kept = Kept::read(&self.kept());
        let settings = Settings::read(self.fat.path(), &kept).unwrap();
        let group = rustix::process::getgid().as_raw();
        let new = settings.keep(&self.kept(), group).unwrap();
        if settings.has_secrets() && !cut {
            settings.blank(self.fat.path()).unwrap();
        }
        new
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
