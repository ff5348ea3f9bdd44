use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;

/// A slot with an older version makes a partition anew that does not begin so, and the other is what says that making it was cut off.
#[test]
fn the_marks_of_a_partition_with_state_stay() {
    assert_eq!((MARK, BEGUN), (b"enrollment state", b"enrollment state: it is made now"));
}

fn image(length: u64) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(length).unwrap();
    file
}

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

/// e2fsprogs is essential on Debian; its programs are outside an ordinary user's PATH.
fn run(program: &str, arguments: &[&str]) -> String {
    let program = Path::new(PROGRAMS).join(program);
    assert!(program.exists(), "this test needs e2fsprogs: apt-get install e2fsprogs");
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned()
}

const FILES: [&str; 3] = ["host-key", "journal.db", "receipts"];

/// What a station has left there.
fn in_use(length: u64) -> tempfile::NamedTempFile {
    let file = image(length);
    assert_eq!(prepare(path(&file)).unwrap(), Done::Made);
    for name in FILES {
        let content = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(content.path(), name.repeat(3000)).unwrap();
        run("debugfs", &["-w", "-R", &format!("write {} {name}", path(&content)), path(&file)]);
    }
    assert!(whole(&file));
    file
}

/// Whether each file can be read, and has what was written there.
fn whole(file: &tempfile::NamedTempFile) -> bool {
    let orders = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(orders.path(), FILES.map(|name| format!("cat {name}\n")).concat()).unwrap();
    let read = run("debugfs", &["-f", path(&orders), path(file)]);
    FILES.iter().all(|name| read.contains(&name.repeat(3000)))
}

fn flip(file: &tempfile::NamedTempFile, bit: u64) {
    let mut byte = [0];
    file.as_file().read_exact_at(&mut byte, bit / 8).unwrap();
    file.as_file().write_all_at(&[byte[0] ^ 1 << (bit % 8)], bit / 8).unwrap();
}

/// A copy that takes no more room than the original.
fn copy(file: &tempfile::NamedTempFile) -> tempfile::NamedTempFile {
    let copy = tempfile::NamedTempFile::new().unwrap();
    let done = Command::new("cp").args(["--sparse=always", path(file), path(&copy)]).status().unwrap();
    assert!(done.success());
    copy
}

/// What one flipped bit comes to: never made anew, and each file is readable, or damage is said.
fn survives(file: &tempfile::NamedTempFile, bit: u64) -> Done {
    outcome(file, bit).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn outcome(file: &tempfile::NamedTempFile, bit: u64) -> Result<Done, String> {
    let copy = copy(file);
    flip(&copy, bit);
    let done = prepare(path(&copy)).unwrap();
    let wrong = match &done {
        Done::Made => Some("it was made anew"),
        Done::Damaged(said) => said.is_empty().then_some("nothing is said of the damage"),
        // Linux closes a file system with such a bitmap at the next write.
        Done::Checked | Done::Repaired(_)
            if !checksums::wrong_bitmaps(copy.as_file()).unwrap().is_empty() =>
        {
            Some("bitmaps are wrong")
        }
        Done::Checked | Done::Repaired(_) => (!whole(&copy)).then_some("files are lost"),
    };
    wrong.map_or(Ok(done.clone()), |wrong| Err(format!("bit {bit}: {wrong}, and it says {done:?}")))
}

#[test]
fn it_is_made_once_and_then_checked() {
    let file = image(16 << 20);
    assert_eq!(prepare(path(&file)).unwrap(), Done::Made);
    assert_eq!(prepare(path(&file)).unwrap(), Done::Checked);
    assert_eq!(checksums::in_front(file.as_file()).unwrap(), Verdict::Right);
}

#[test]
fn a_card_that_is_written_anew_over_one_in_use_forgets_it() {
    for front in [1 << 20, 2 << 20] {
        let file = in_use(64 << 20);
        file.as_file().write_all_at(&vec![0; front], 0).unwrap();
        assert_eq!(prepare(path(&file)).unwrap(), Done::Made);
        assert!(!whole(&file));
    }
}

#[test]
fn making_that_was_cut_off_is_done_again() {
    let behind = behind_of(64 << 20).unwrap();
    // Cut before the file system, in its middle, and when all but the last line was done; the same when it was by order.
    for (front, file_system) in [(0, false), (0, true), (512, true)] {
        let file = if file_system { in_use(64 << 20) } else { image(64 << 20) };
        file.as_file().write_all_at(&sector(BEGUN), behind).unwrap();
        file.as_file().write_all_at(&[0; SECTOR], 0).unwrap();
        file.as_file().write_all_at(&vec![0x55; front], 1024).unwrap();
        assert_eq!(prepare(path(&file)).unwrap(), Done::Made, "{front} {file_system}");
        assert_eq!(prepare(path(&file)).unwrap(), Done::Checked);
    }
    // Only the last line was missing, which takes the note away.
    let file = in_use(64 << 20);
    file.as_file().write_all_at(&sector(BEGUN), behind).unwrap();
    assert_eq!(prepare(path(&file)).unwrap(), Done::Checked);
    assert!(whole(&file));
    file.as_file().write_all_at(&[0; SECTOR], 0).unwrap();
    assert!(
        matches!(prepare(path(&file)).unwrap(), Done::Repaired(_)),
        "the note is gone, so this is a fault"
    );
    assert!(whole(&file));
}

#[test]
fn a_mark_that_is_wrong_costs_nothing_and_is_put_right() {
    let file = in_use(64 << 20);
    for bit in [0, 5, 63, 127] {
        assert!(matches!(survives(&file, bit), Done::Repaired(_)), "{bit}");
    }
    file.as_file().write_all_at(&[0; 1024], 0).unwrap();
    assert!(matches!(prepare(path(&file)).unwrap(), Done::Repaired(_)));
    assert_eq!(prepare(path(&file)).unwrap(), Done::Checked);
    assert!(whole(&file));
}

#[test]
fn one_whose_superblock_a_power_cut_tore_is_repaired_and_stays() {
    let file = in_use(64 << 20);
    // As long ago as its copies may be.
    for torn in [&[0x55; 512][..], &[0; 1024]] {
        // The superblock's end with its checksum; then all of it.
        file.as_file().write_all_at(torn, 2048 - torn.len() as u64).unwrap();
        assert!(matches!(prepare(path(&file)).unwrap(), Done::Repaired(_)));
        assert_eq!(prepare(path(&file)).unwrap(), Done::Checked);
        assert!(whole(&file));
    }
}

#[test]
fn a_wrong_group_descriptor_costs_no_journal() {
    // Seen with e2fsck -p alone: "journal has been deleted", and the file system no longer to be opened.
    let file = in_use(64 << 20);
    for bit in [16712, 16384 + 8 * 40] {
        assert!(matches!(survives(&file, bit), Done::Repaired(_)), "{bit}");
    }
}

#[test]
fn a_wrong_bitmap_that_e2fsck_does_not_see_is_made_anew() {
    let file = in_use(580 << 20);
    assert_eq!(checksums::wrong_bitmaps(file.as_file()).unwrap(), Vec::<u64>::new());
    // Of the inode table of group 3: seen, "clean", and Linux closes the file system at the next write.
    let copy = copy(&file);
    flip(&copy, 74 * 4096 * 8 + 1669);
    assert_eq!(checksums::wrong_bitmaps(copy.as_file()).unwrap(), [74 * 4096]);
    assert!(matches!(survives(&file, 74 * 4096 * 8 + 1669), Done::Repaired(said) if said.contains("bitmap")));
    // One of inodes, which it sees.
    survives(&file, 79 * 4096 * 8 + 7000);
}

#[test]
fn what_a_repair_would_throw_away_is_kept_until_somebody_orders_it() {
    let file = in_use(64 << 20);
    // The root directory's inode: what it was is not known any more.
    let table = run("dumpe2fs", &[path(&file)]);
    let at = table
        .split("Inode table at ")
        .nth(1)
        .unwrap()
        .split(['-', ' '])
        .next()
        .unwrap()
        .parse::<u64>()
        .unwrap();
    file.as_file().write_all_at(&[0xff; 128], at * 1024 + 256).unwrap();
    let before = std::fs::read(file.path()).unwrap();
    let Done::Damaged(said) = prepare(path(&file)).unwrap() else { panic!("it is damaged") };
    assert!(!said.is_empty());
    let after = std::fs::read(file.path()).unwrap();
    let files = |bytes: &[u8]| {
        FILES.iter().all(|name| bytes.windows(name.len() * 9).any(|part| part == name.repeat(9).as_bytes()))
    };
    assert!(files(&before) && files(&after), "what they hold is still there");
    assert!(matches!(prepare_by(path(&file), Order::Repair).unwrap(), Done::Repaired(_)));
    assert_eq!(prepare(path(&file)).unwrap(), Done::Checked);
    assert_eq!(
        prepare_by(path(&file), Order::Anew).unwrap(),
        Done::Checked,
        "an order that was forgotten on the card"
    );
    file.as_file().write_all_at(&[0xff; 40960], 1024).unwrap();
    (1..9).for_each(|group| file.as_file().write_all_at(&[0xff; 1024], (group * 8192 + 1) * 1024).unwrap());
    assert!(matches!(prepare(path(&file)).unwrap(), Done::Damaged(_)));
    assert_eq!(prepare_by(path(&file), Order::Anew).unwrap(), Done::Made);
    assert_eq!(prepare(path(&file)).unwrap(), Done::Checked);
}

#[test]
fn what_is_no_file_system_of_ours_stays_as_it_is() {
    let file = image(16 << 20);
    file.as_file().write_all_at(b"something else", 700_000).unwrap();
    let before = std::fs::read(file.path()).unwrap();
    assert!(matches!(prepare(path(&file)).unwrap(), Done::Damaged(_)));
    assert_eq!(std::fs::read(file.path()).unwrap(), before);
}

#[test]
fn a_write_is_tried_without_a_trace() {
    let file = in_use(64 << 20);
    let before = std::fs::read(file.path()).unwrap();
    assert!(takes_writes(path(&file)));
    assert_eq!(std::fs::read(file.path()).unwrap(), before);
    assert!(!takes_writes("/dev/full") && !takes_writes("/nowhere/at/all"));
}

#[test]
fn what_cannot_be_opened_is_said() {
    let error = prepare("/nowhere/at/all").unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all"), "{error}");
}

/// Every bit of the mark and of the superblock, and drawn bits of the first MiB, on the sizes that cards have. More than an hour of
/// processor time with temporary files in memory: `TMPDIR=/dev/shm cargo test --release -p card -- --ignored --nocapture flipped`.
/// `STATE_FLIPS=100` takes 100 of each size, of all kinds, `STATE_BIT=2426501` that one alone, `STATE_MINUTES=90` as many as that
/// gives time for, mark and superblock first.
#[test]
#[ignore = "by name: hours"]
fn each_flipped_bit_costs_nothing_that_is_not_said() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let until = number("STATE_MINUTES").map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let bits = match number("STATE_BIT") {
        Some(bit) => vec![bit],
        None => chosen(number("STATE_FLIPS").map_or(usize::MAX, |all| usize::try_from(all).unwrap())),
    };
    let cards = [580 << 20, 29 << 30].map(|length| (length, in_use(length), Mutex::new(Tally::default())));
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while until.is_none_or(|until| Instant::now() < until) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(bit) = bits.get(at / cards.len()) else { break };
                    let (_, file, tally) = &cards[at % cards.len()];
                    let outcome = outcome(file, *bit);
                    tally.lock().unwrap().count(outcome);
                    if at % 500 == 499 {
                        println!("{} of {}", at + 1, bits.len() * cards.len());
                    }
                }
            });
        }
    });
    let mut wrong = Vec::new();
    for (length, _, tally) in cards {
        let Tally { well, repaired, damaged, wrong: bad } = tally.into_inner().unwrap();
        let done = well + repaired + damaged + bad.len();
        println!(
            "{} MiB: {done} of {}: {well} well, {repaired} repaired, {damaged} said to be damaged, {} wrong",
            length >> 20,
            bits.len(),
            bad.len()
        );
        wrong.extend(bad);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What flipped bits of one card came to.
#[derive(Default)]
struct Tally {
    well: usize,
    repaired: usize,
    damaged: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn count(&mut self, outcome: Result<Done, String>) {
        match outcome {
            Ok(Done::Checked) => self.well += 1,
            Ok(Done::Repaired(_)) => self.repaired += 1,
            Ok(Done::Damaged(_) | Done::Made) => self.damaged += 1,
            Err(why) => {
                println!("{why}");
                self.wrong.push(why);
            }
        }
    }
}

/// So many of the bits, evenly of all kinds.
fn chosen(most: usize) -> Vec<u64> {
    // xorshift64 (Marsaglia 2003): the same bits each time.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let drawn = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % (8 << 20)
    });
    let bits: Vec<u64> = (0..128).chain(8192..16384).chain(drawn.take(10_000)).collect();
    let step = (bits.len() / most.max(1)).max(1);
    bits.into_iter().step_by(step).collect()
}
