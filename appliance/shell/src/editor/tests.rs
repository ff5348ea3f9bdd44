use super::screen::Screen;
use super::*;
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

/// An editor and the terminal that it writes to.
struct Console {
    editor: Editor,
    screen: Screen,
}

impl Console {
    fn new(columns: usize, rows: usize) -> Self {
        Self::with(Terminal { columns, rows, dumb: false })
    }

    fn with(terminal: Terminal) -> Self {
        let mut editor = Editor::new(terminal, Arc::default());
        editor.ask_command("station> ");
        let mut console = Self { editor, screen: Screen::new(terminal.columns, terminal.rows) };
        console.show();
        console
    }

    fn show(&mut self) {
        let out = self.editor.output();
        self.screen.write(&out);
    }

    /// Presses keys; the events, with commands asked for again after each line.
    fn press(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.editor.feed(bytes);
        let mut events = Vec::new();
        while let Some(event) = self.editor.poll() {
            if let Event::Line(line) = &event {
                self.editor.history.lock().unwrap().remember(line);
            }
            if matches!(event, Event::Line(_) | Event::Interrupt | Event::Secret(_)) {
                self.editor.ask_command("station> ");
            }
            events.push(event);
        }
        self.show();
        events
    }

    fn line(&mut self, bytes: &[u8]) -> String {
        let events = self.press(&[bytes, b"\r"].concat());
        match events.as_slice() {
            [Event::Line(line)] => line.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn offer(&mut self, typed: &str, values: &[&str]) {
        let candidates = values
            .iter()
            .map(|value| Candidate { value: (*value).into(), about: format!("about {value}"), blank: true })
            .collect();
        self.editor.offer(Offer { typed: typed.into(), candidates });
        self.show();
    }
}

/// Programs that wait for the prompt (expect, Ansible's network_cli) look for it at the end of what came.
#[test]
fn nothing_follows_a_prompt() {
    for (columns, dumb) in [(80, false), (80, true), (20, false), (132, false), (11, true)] {
        let mut editor = Editor::new(Terminal { columns, rows: 24, dumb }, Arc::default());
        for _ in 0..3 {
            editor.ask_command("desk-1> ");
            let out = String::from_utf8(editor.output()).unwrap();
            assert!(out.ends_with("desk-1> "), "{columns} {dumb}: {out:?}");
            assert!(!dumb || !out.contains('\x1b'), "{out:?}");
            editor.feed(b"status\r");
            while editor.poll().is_some() {}
            editor.output();
        }
        editor.ask_secret("Password: ");
        assert!(String::from_utf8(editor.output()).unwrap().ends_with("Password: "));
    }
}

#[test]
fn lines_are_edited_like_in_emacs() {
    let cases: &[(&[u8], &str)] = &[
        (b"status", "status"),
        (b"tatus\x01s", "status"),
        (b"\x1b[D\x1b[Cstus\x02\x02at\x05", "status"),
        (b"status now\x17", "status "),
        (b"token show X\x1bb\x1bb\x0b", "token "),
        (b"one two\x15\x19\x19", "one twoone two"),
        (b"sattus\x01\x06\x06\x14", "status"),
        (b"abc\x1b[D\x1b[3~\x7f", "a"),
        (b"abc \x1f", "abc"),
        (b"one-two\x1b\x7f", "one-"),
        (b"one two\x01\x1bd\x1bd", ""),
        ("größe 鍵\x7f\x7f\x7f".as_bytes(), "größ"),
        ("e\u{301}x\x1b[D\x7f".as_bytes(), "x"),
        (b"a\x16?b", "a?b"),
        (b"'why ?'", "'why ?'"),
        (b"\x1b[1;5D\x1b[5~\x1b[200~a\tb\x1b[201~", "a b"),
    ];
    for (keys, line) in cases {
        let mut console = Console::new(40, 10);
        assert_eq!(console.line(keys), *line, "{:?}", String::from_utf8_lossy(keys));
        assert!(console.screen.unknown.is_empty(), "{:?}", console.screen.unknown);
    }
}

#[test]
fn earlier_lines_come_back() {
    let mut console = Console::new(40, 10);
    for line in ["status", "keys", "token list"] {
        console.line(line.as_bytes());
    }
    assert_eq!(console.line(b"\x1b[A\x1b[A"), "keys");
    assert_eq!(console.line(b"half\x10\x10\x0e\x0e"), "half");
    assert_eq!(console.line(b"\x1b<"), "status");
}

#[test]
fn a_line_that_is_not_kept_comes_back_once_in_its_own_session() {
    let mut console = Console::new(60, 10);
    console.line(b"status");
    console.editor.feed(b"enroll --pin 4711\r");
    assert_eq!(console.editor.poll(), Some(Event::Line("enroll --pin 4711".into())));
    console.editor.ask_command("station> ");
    assert_eq!(console.editor.history.lock().unwrap().iter().collect::<Vec<_>>(), ["status"]);
    // Up shows it, then what the history has, and down the other way.
    assert_eq!(console.line(b"\x1b[A\x1b[A\x1b[B\x7f\x7f\x7f\x7f\x7f"), "enroll --pin");
    assert_eq!(console.line(b"\x1b[A"), "enroll --pin");
    assert_eq!(console.line(b"\x1b[A\x1b[A"), "status");
}

#[test]
fn earlier_lines_are_searched() {
    let mut console = Console::new(60, 10);
    for line in ["token show A", "status", "token show B", "keys"] {
        console.line(line.as_bytes());
    }
    console.press(b"\x12tok");
    assert_eq!(console.screen.text().last().unwrap(), "(search)'tok': token show B");
    console.press(b"\x12");
    assert_eq!(console.screen.text().last().unwrap(), "(search)'tok': token show A");
    assert_eq!(console.line(b" --json"), "token show A");
    assert_eq!(console.line(b"kept\x12zzz\x07"), "kept");
    assert!(console.screen.bells > 0);
    assert_eq!(console.line(b"\x12sta\x05 x"), "status x");
}

#[test]
fn a_secret_is_not_shown_and_not_kept() {
    let mut console = Console::new(60, 10);
    console.editor.stop();
    console.editor.ask_secret("Password: ");
    let events = console.press("geheim\x7fm!鍵 \x15p\u{e4}ss?\r".as_bytes());
    let [Event::Secret(secret)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(*secret.0, *"päss?");
    assert!(!console.screen.text().concat().contains('p') || !console.screen.text().concat().contains("ss?"));
    assert!(console.editor.history.lock().unwrap().is_empty());
    assert_eq!(console.line(b"\x19"), "", "what was cut is not kept either");
}

#[test]
fn completion_inserts_what_is_certain() {
    let mut console = Console::new(60, 10);
    assert_eq!(console.press(b"tok\t"), [Event::Complete("tok".into())]);
    console.offer("tok", &["token"]);
    assert_eq!(console.press(b"\t"), [Event::Complete("token ".into())]);
    console.offer("", &["show", "list", "disable"]);
    assert_eq!(
        console.screen.text(),
        ["station> token", "show     about show", "list     about list", "disable  about disable"]
    );
    console.press(b"\t\t");
    assert_eq!(console.screen.text()[0], "station> token list");
    console.press(b"\x1b[Z\r");
    assert_eq!(console.screen.text(), ["station> token show"]);
    assert_eq!(console.line(b"X"), "token show X");
}

#[test]
fn completion_extends_left_and_leaves_as_it_was() {
    let mut console = Console::new(60, 10);
    console.press(b"key 1\t");
    console.offer("1", &["12345678", "12349999"]);
    assert_eq!(console.screen.text()[0], "station> key 1234");
    console.press(b"\t\x07");
    assert_eq!(console.screen.text(), ["station> key 1234"]);
    console.press(b"\t");
    console.offer("1234", &[]);
    assert!(console.screen.bells > 0);
    assert_eq!(console.line(b"5"), "key 12345");
}

#[test]
fn keys_wait_while_an_event_is_answered() {
    let mut console = Console::new(60, 10);
    assert_eq!(console.press(b"tok\tshow X\r"), [Event::Complete("tok".into())]);
    console.offer("tok", &["token"]);
    assert_eq!(console.press(b""), [Event::Line("token show X".into())]);
}

#[test]
fn help_is_shown_above_the_line() {
    let mut console = Console::new(60, 10);
    assert_eq!(console.press(b"token ?"), [Event::Help("token ".into())]);
    console.editor.show("show  a token\nlist  all tokens");
    console.show();
    assert_eq!(console.screen.text(), ["show  a token", "list  all tokens", "station> token"]);
    assert_eq!(console.line(b"list"), "token list");
}

#[test]
fn pasted_lines_do_not_run() {
    let mut console = Console::new(60, 10);
    assert_eq!(console.press(b"\x1b[200~keys\rpoweroff\nstatus\x03?\x1b[201~"), []);
    assert_eq!(console.line(b""), "keys");
    assert_eq!(console.screen.text().last().unwrap(), "station> poweroff");
    assert_eq!(console.press(b"\x03"), [Event::Interrupt]);
    assert_eq!(console.line(b""), "", "what waited is gone with Ctrl-C");
}

#[test]
fn control_c_and_d_leave() {
    let mut console = Console::new(60, 10);
    assert_eq!(console.press(b"abc\x03"), [Event::Interrupt]);
    assert_eq!(console.press(b"abc\x04\x15\x04"), [Event::Leave]);
    // While a command runs, Ctrl-C is what counts, and what was typed before is dropped.
    assert_eq!(console.press(b"status\r"), []);
    console.editor.feed(b"\x03keys");
    assert_eq!(console.editor.poll(), Some(Event::Interrupt));
    assert_eq!(console.editor.poll(), None);
    console.editor.ask_command("> ");
    assert_eq!(console.line(b""), "keys");
}

#[test]
fn control_c_gets_through_when_too_much_was_typed() {
    let mut console = Console::new(60, 10);
    console.press(b"\x04");
    console.editor.feed(&vec![b'x'; 2 * AHEAD]);
    console.editor.feed(b"\x03");
    assert_eq!(console.editor.poll(), Some(Event::Interrupt));
}

#[test]
fn a_dumb_terminal_sees_no_escape_sequence() {
    let mut editor = Editor::new(Terminal { columns: 80, rows: 24, dumb: true }, Arc::default());
    let mut screen = Screen::new(80, 24);
    editor.ask_command("station> ");
    editor.feed(b"tokenn\x7f shoo\x7fw X\x01\x1b[C\x04\x05\t");
    assert_eq!(editor.poll(), Some(Event::Complete("tken show X".into())));
    let about = |value: &str| Candidate { value: value.into(), about: String::new(), blank: true };
    editor.offer(Offer { typed: "X".into(), candidates: vec![about("X1"), about("X2")] });
    editor.show("a word");
    let out = editor.output();
    assert!(!out.contains(&0x1b), "{}", String::from_utf8_lossy(&out));
    screen.write(&out);
    assert_eq!(
        screen.text(),
        ["station> tken show X", "X1", "X2", "station> tken show X", "a word", "station> tken show X"]
    );
    assert_eq!(screen.cursor(), (5, 20));
}

#[test]
fn typing_at_the_end_sends_the_character_alone() {
    let mut console = Console::new(80, 24);
    console.press(b"s");
    console.editor.feed(b"t");
    assert_eq!(console.editor.poll(), None);
    assert_eq!(console.editor.output(), b"t");
}

#[test]
fn a_new_size_is_drawn() {
    let mut console = Console::new(40, 10);
    console.press(b"token show UBOM12345678_1");
    console.editor.resize(20, 10);
    // The terminal broke the row in two.
    console.screen = Screen::new(20, 10);
    console.screen.write(b"station> token show UBOM12345678_1");
    console.show();
    assert_eq!(console.screen.text(), ["station> token show ", "UBOM12345678_1"].map(str::trim_end));
    assert_eq!(console.screen.cursor(), (1, 14));
}

/// The rows that a prompt and a line take, and where the cursor is.
fn expected(line: &Line, columns: usize) -> (Vec<String>, (usize, usize)) {
    let text = format!("station> {}", line.text());
    let before = "station> ".len() + line.before.graphemes(true).count();
    let mut rows = vec![(String::new(), 0)];
    let mut cursor = None;
    for (number, cluster) in text.graphemes(true).chain([" "]).enumerate() {
        let wide = line::width(cluster);
        if rows.last().unwrap().1 + wide > columns {
            rows.push((String::new(), 0));
        }
        let count = rows.len() - 1;
        if number == before {
            cursor = Some((count, rows[count].1));
        }
        rows[count].0.push_str(cluster);
        rows[count].1 += wide;
    }
    let mut rows: Vec<String> =
        rows.into_iter().map(|(row, _)| row.trim_end_matches(' ').to_owned()).collect();
    while rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    (rows, cursor.unwrap())
}

fn pressed() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![
        8 => "[a-z äß鍵語]".prop_map(String::into_bytes),
        1 => Just("e\u{301}".as_bytes().to_vec()),
        6 => prop::sample::select(vec![
            "\x01", "\x05", "\x02", "\x06", "\x08", "\x04", "\x0b", "\x15", "\x17", "\x19", "\x14", "\x1f",
            "\x1bb", "\x1bf", "\x1bd", "\x1b\x7f", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[3~", "\x1b[H",
        ])
        .prop_map(|keys| keys.as_bytes().to_vec()),
    ];
    prop::collection::vec(key, 0..60).prop_map(|keys| keys.concat())
}

proptest! {
    #[test]
    fn the_terminal_shows_the_line(keys in pressed(), columns in 12usize..50) {
        let mut console = Console::new(columns, 40);
        // Ctrl-D in an empty line leaves, which is another test's.
        for byte in keys {
            if byte == 4 && console.editor.line.is_empty() { continue }
            console.press(&[byte]);
            if console.editor.line.after.starts_with('\u{301}') { return Ok(()) }
        }
        let (rows, cursor) = expected(&console.editor.line, columns);
        prop_assert_eq!(console.screen.text(), rows);
        prop_assert_eq!(console.screen.cursor(), cursor);
        prop_assert!(console.screen.unknown.is_empty(), "{:?}", console.screen.unknown);
    }

    #[test]
    fn a_dumb_terminal_shows_it_too(keys in pressed()) {
        let mut console = Console::with(Terminal { columns: 900, rows: 4, dumb: true });
        for byte in keys {
            if byte == 4 && console.editor.line.is_empty() { continue }
            console.press(&[byte]);
            if console.editor.line.after.starts_with('\u{301}') { return Ok(()) }
        }
        let (rows, cursor) = expected(&console.editor.line, 900);
        prop_assert_eq!(console.screen.text(), rows);
        prop_assert_eq!(console.screen.cursor(), cursor);
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..400), columns in 0usize..30) {
        fuzz(&bytes, columns);
    }
}
