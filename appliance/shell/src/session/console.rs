//! One session's two ends: what the operator does, and what the operator sees.
//!
//! Whatever a command waits for, it waits for through [`Console::during`], so that Ctrl-C, a new
//! size of the terminal and the end of the connection are seen while it runs.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use zeroize::{Zeroize, Zeroizing};

use super::inbox::{Came, Inbox};
use crate::editor::{Editor, Event};
use crate::ssh::alive::{Asking, Client};

/// How long before the end an idle session is warned.
const WARNING: Duration = Duration::from_secs(60);

/// The largest piece that is sent at once; a client's window may be small.
const PIECE: usize = 16 * 1024;

/// Something for the client.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Standard output.
    Out(Vec<u8>),
    /// Standard error.
    Err(Vec<u8>),
    /// The end, with the exit status.
    Exit(u8),
}

/// Why a command does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Ctrl-C.
    Interrupted,
    /// The client is gone, or was idle for too long.
    Gone,
}

pub(crate) struct Console {
    inbox: Arc<Inbox>,
    out: mpsc::Sender<Piece>,
    editor: Option<Editor>,
    idle: Duration,
}

impl Console {
    pub(crate) fn new(
        inbox: Arc<Inbox>,
        out: mpsc::Sender<Piece>,
        editor: Option<Editor>,
        idle: Duration,
    ) -> Self {
        Self { inbox, out, editor, idle }
    }

    /// Whether there is a terminal.
    pub(crate) fn terminal(&self) -> bool {
        self.editor.is_some()
    }

    /// Columns and rows; 80 columns where there is no terminal.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.editor.as_ref().map_or((80, 24), Editor::size)
    }

    pub(crate) fn editor(&mut self) -> Option<&mut Editor> {
        self.editor.as_mut()
    }

    /// Has the client asked whether it is there, for as long as the guard lives. Without an answer the
    /// session ends.
    pub(crate) fn ask_whether_there(&self) -> Option<Asking> {
        self.inbox.client().map(Client::ask)
    }

    pub(crate) fn set_idle(&mut self, idle: Duration) {
        self.idle = idle;
    }

    /// Prints to standard output. Without a terminal the text goes out as it is.
    pub(crate) async fn out(&mut self, text: &str) -> Result<(), Stop> {
        let bytes = self.bytes(text);
        self.send(bytes, Piece::Out).await
    }

    /// Prints to standard error.
    pub(crate) async fn err(&mut self, text: &str) -> Result<(), Stop> {
        let bytes = self.bytes(text);
        let terminal = self.terminal();
        // Clients with a terminal have one screen, and some show standard error late.
        self.send(bytes, if terminal { Piece::Out } else { Piece::Err }).await
    }

    /// Leaves a terminal as it was found, whatever was under way on it.
    pub(crate) async fn abandon(&mut self, draws: bool) -> Result<(), Stop> {
        let Some(editor) = self.editor.as_mut() else { return Ok(()) };
        editor.stop();
        let mut last = editor.output();
        if draws {
            // Out of the screen of `watch`, with the cursor seen (xterm's control sequences, DECRST 1049, DECSET 25).
            last.extend_from_slice(b"\x1b[?1049l\x1b[?25h");
        }
        last.extend_from_slice(b"\r\n");
        self.raw(last).await
    }

    /// Sends bytes for the terminal.
    pub(crate) async fn raw(&mut self, bytes: Vec<u8>) -> Result<(), Stop> {
        self.send(bytes, Piece::Out).await
    }

    fn bytes(&self, text: &str) -> Vec<u8> {
        if self.terminal() { text.replace('\n', "\r\n").into_bytes() } else { text.as_bytes().to_vec() }
    }

    async fn send(&mut self, bytes: Vec<u8>, piece: fn(Vec<u8>) -> Piece) -> Result<(), Stop> {
        for part in bytes.chunks(PIECE) {
            let out = self.out.clone();
            match self.during(out.send(piece(part.to_vec()))).await? {
                Ok(()) => {}
                Err(_) => return Err(Stop::Gone),
            }
        }
        Ok(())
    }

    /// Waits for something, unless the operator stops it or is gone.
    pub(crate) async fn during<F: Future>(&mut self, wanted: F) -> Result<F::Output, Stop> {
        let mut wanted = std::pin::pin!(wanted);
        let bytes = self.terminal();
        loop {
            let came = tokio::select! {
                biased;
                done = &mut wanted => return Ok(done),
                came = self.inbox.next(bytes) => came,
            };
            match (came, &mut self.editor) {
                (Came::Closed, _) => return Err(Stop::Gone),
                (Came::Interrupt, _) => return Err(Stop::Interrupted),
                (Came::Size(columns, rows), Some(editor)) => editor.resize(columns, rows),
                (Came::Data(bytes), Some(editor)) => {
                    editor.feed(&bytes);
                    if editor.poll() == Some(Event::Interrupt) {
                        return Err(Stop::Interrupted);
                    }
                }
                // The input of a terminal has no end before the session has.
                (Came::End, _) => {
                    return tokio::select! {
                        done = &mut wanted => Ok(done),
                        () = self.inbox.closed() => Err(Stop::Gone),
                    };
                }
                _ => {}
            }
        }
    }

    /// The next event of the editor, which asks something.
    pub(crate) async fn event(&mut self) -> Result<Event, Stop> {
        let begun = Instant::now();
        let mut deadline = begun + self.idle;
        let mut warned = self.idle <= WARNING * 2;
        loop {
            let Some(editor) = self.editor.as_mut() else { return Err(Stop::Gone) };
            let event = editor.poll();
            let output = editor.output();
            if !output.is_empty() {
                let out = self.out.clone();
                tokio::select! {
                    sent = out.send(Piece::Out(output)) => sent.map_err(|_| Stop::Gone)?,
                    () = self.inbox.closed() => return Err(Stop::Gone),
                }
            }
            if let Some(event) = event {
                return Ok(event);
            }
            let warning = if warned { deadline } else { deadline - WARNING };
            let came = tokio::select! {
                came = self.inbox.next(true) => came,
                () = tokio::time::sleep_until(warning) => {
                    let Some(editor) = self.editor.as_mut() else { return Err(Stop::Gone) };
                    if warned {
                        editor.stop();
                        let mut last = editor.output();
                        last.extend_from_slice(b"Closed after a long time without a key.\r\n");
                        let _ = self.out.try_send(Piece::Out(last));
                        return Err(Stop::Gone);
                    }
                    warned = true;
                    editor.show("No key was pressed for a long time: this session is closed in one minute.");
                    continue;
                }
            };
            let Some(editor) = self.editor.as_mut() else { return Err(Stop::Gone) };
            match came {
                Came::Data(bytes) => {
                    editor.feed(&bytes);
                    deadline = Instant::now() + self.idle;
                    warned = self.idle <= WARNING * 2;
                }
                Came::Size(columns, rows) => editor.resize(columns, rows),
                Came::Interrupt => editor.feed(b"\x03"),
                Came::End | Came::Closed => return Err(Stop::Gone),
            }
        }
    }

    /// A question to be answered with yes or no. `None` when nobody can be asked.
    pub(crate) async fn confirm(&mut self, question: &str) -> Result<Option<bool>, Stop> {
        let Some(editor) = self.editor.as_mut() else { return Ok(None) };
        editor.ask_answer(&format!("{question} [y/N] "));
        match self.event().await? {
            Event::Line(answer) => Ok(Some(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))),
            Event::Interrupt => Err(Stop::Interrupted),
            _ => Ok(Some(false)),
        }
    }

    /// Asks for a secret: without echo at a terminal, else the next line of standard input.
    pub(crate) async fn secret(
        &mut self,
        prompt: &str,
        stdin: &mut Stdin,
    ) -> Result<Option<control::Secret>, Stop> {
        if self.terminal() {
            if let Some(editor) = self.editor.as_mut() {
                editor.ask_secret(&format!("{prompt}: "));
            }
            return match self.event().await? {
                Event::Secret(secret) => Ok(Some(control::Secret::new(secret.into_inner()))),
                Event::Interrupt => Err(Stop::Interrupted),
                _ => Ok(None),
            };
        }
        while !stdin.has_line() {
            self.more(stdin).await?;
        }
        Ok(stdin.line().map(control::Secret::new))
    }

    /// Asks for something that may be seen while it is typed, and that nothing keeps: a code, say. Without
    /// a terminal it is the next line of standard input, as soon as it comes. `None` when there is none.
    pub(crate) async fn answer(
        &mut self,
        prompt: &str,
        stdin: &mut Stdin,
    ) -> Result<Option<control::Secret>, Stop> {
        if !self.terminal() {
            self.err(&format!("{prompt}:\n")).await?;
            return self.secret(prompt, stdin).await;
        }
        if let Some(editor) = self.editor.as_mut() {
            editor.ask_answer(&format!("{prompt}: "));
        }
        match self.event().await? {
            Event::Line(line) => Ok(Some(control::Secret::new(Zeroizing::new(line)))),
            Event::Interrupt => Err(Stop::Interrupted),
            _ => Ok(None),
        }
    }

    /// Reads standard input to its end; at a terminal, up to Ctrl-D.
    pub(crate) async fn read(&mut self, stdin: &mut Stdin) -> Result<(), Stop> {
        while self.terminal() && !stdin.ended {
            if let Some(editor) = self.editor.as_mut() {
                editor.ask_answer("");
            }
            match self.event().await? {
                Event::Line(line) if stdin.text.len() + line.len() < super::inbox::LONGEST => {
                    stdin.text.extend_from_slice(line.as_bytes());
                    stdin.text.push(b'\n');
                }
                Event::Interrupt => return Err(Stop::Interrupted),
                _ => stdin.ended = true,
            }
        }
        while !stdin.ended {
            self.more(stdin).await?;
        }
        Ok(())
    }

    /// The next piece of standard input, where there is no terminal.
    async fn more(&mut self, stdin: &mut Stdin) -> Result<(), Stop> {
        match self.inbox.next(true).await {
            Came::Data(bytes) => {
                if stdin.text.len() + bytes.len() > super::inbox::LONGEST || self.inbox.overflowed() {
                    stdin.too_long = true;
                    stdin.ended = true;
                    return Ok(());
                }
                stdin.append(&bytes);
            }
            Came::End => stdin.ended = true,
            Came::Closed => return Err(Stop::Gone),
            Came::Interrupt => return Err(Stop::Interrupted),
            Came::Size(..) => {}
        }
        Ok(())
    }

    /// Waits for keys or a new size, while something is drawn over the whole screen.
    pub(crate) async fn keys(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        match self.inbox.next(self.terminal()).await {
            Came::Data(bytes) => Ok(Some(bytes.to_vec())),
            Came::Size(columns, rows) => {
                if let Some(editor) = self.editor.as_mut() {
                    editor.resize(columns, rows);
                }
                Ok(None)
            }
            Came::Interrupt => Err(Stop::Interrupted),
            Came::End | Came::Closed => Err(Stop::Gone),
        }
    }

    /// Whether something could be sent at once: a slow client gets fewer pictures.
    pub(crate) fn clear(&self) -> bool {
        self.out.capacity() > 0
    }
}

/// Standard input, read once and then used line by line.
#[derive(Default)]
pub(crate) struct Stdin {
    text: Zeroizing<Vec<u8>>,
    ended: bool,
    used: usize,
    pub(crate) too_long: bool,
}

impl Stdin {
    fn append(&mut self, bytes: &[u8]) {
        if self.text.capacity() < self.text.len() + bytes.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity((self.text.len() + bytes.len()) * 2));
            larger.extend_from_slice(&self.text);
            self.text.zeroize();
            self.text = larger;
        }
        self.text.extend_from_slice(bytes);
    }

    /// Whether a whole line is there that has not been used, or nothing more will come.
    fn has_line(&self) -> bool {
        self.ended || self.text.get(self.used..).is_some_and(|rest| rest.contains(&b'\n'))
    }

    fn line(&mut self) -> Option<Zeroizing<String>> {
        let rest = self.text.get(self.used..).filter(|rest| !rest.is_empty())?;
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        self.used += line.len() + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        std::str::from_utf8(line).ok().map(|line| Zeroizing::new(line.to_owned()))
    }

    /// What has not been used as a secret, as it came.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.text.get(self.used..).unwrap_or_default()
    }

    /// What has not been used as a secret, as text: UTF-8, or UTF-16 as shells of Windows write it.
    pub(crate) fn rest(&self) -> Option<Zeroizing<String>> {
        decoded(self.bytes())
    }
}

/// Text in UTF-8 or UTF-16, without a byte order mark.
fn decoded(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let order: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => {
            let text = std::str::from_utf8(bytes).ok()?;
            return Some(Zeroizing::new(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()));
        }
    };
    let (pairs, odd) = bytes.as_chunks::<2>();
    // Not grown later, which would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for letter in char::decode_utf16(pairs.iter().skip(1).map(|pair| order(*pair))) {
        text.push(letter.ok()?);
    }
    odd.is_empty().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_of_windows_is_text_too() {
        let text = "name = \"Büro 🔑\"\r\n";
        let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            order(0xfeff).into_iter().chain(text.encode_utf16().flat_map(order)).collect()
        };
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
        ] {
            assert_eq!(decoded(&bytes).unwrap().as_str(), text);
        }
        for bytes in [&b"\xff"[..], b"\xff\xfe\x00", b"\xff\xfe\x00\xd8"] {
            assert!(decoded(bytes).is_none(), "{bytes:?}");
        }
    }
}
