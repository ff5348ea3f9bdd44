//! The person at the desk, as lines of text: one command a line, one reply a line.
//!
//! | command | what happens | reply |
//! |---|---|---|
//! | `PLUG` | it is plugged in | `OK` |
//! | `UNPLUG` | it is pulled out, in the middle of whatever goes on | `OK` |
//! | `PRODUCT 0402` | a YubiKey switches interfaces: gone, and back under that product id | `OK` |
//! | `SEED 17` | a hostile device becomes the one of that seed: gone, and back | `OK` |
//! | `TOUCH 1`, `TOUCH 2` | its button is pressed, shortly or for long | `OK <reports>` |
//! | `DEAD` | it answers no transfer any more | `OK` |
//! | `ALIVE` | it does again, from the next transfer on | `OK` |
//! | `SLOW 3000` | every answer takes so many milliseconds | `OK` |
//! | `STATE` | | `OK plugged connected configured 1050:0407` or less |
//!
//! Anything else, and what cannot be done, is `ERR` and a sentence.

use core::time::Duration;
use std::io;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::key::Press;
use crate::line::Listener;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Plug,
    /// Pull it out.
    Unplug,
    /// Become another product.
    Product(u16),
    /// Become the device of that seed.
    Seed(u64),
    /// Press the button.
    Touch(Press),
    /// Answer nothing.
    Dead,
    /// Answer again.
    Alive,
    /// Answer late.
    Slow(Duration),
    /// Say how it is.
    State,
}

/// A command and where its reply goes.
pub type Asked = (Command, oneshot::Sender<Result<String, String>>);

/// A line longer than this is no command.
const LONGEST: u64 = 80;

impl Command {
    /// Reads a line without its end.
    pub fn parse(line: &str) -> Option<Self> {
        let (word, argument) = line.split_once(' ').map_or((line, None), |(word, rest)| (word, Some(rest)));
        Some(match (word, argument) {
            ("PLUG", None) => Self::Plug,
            ("UNPLUG", None) => Self::Unplug,
            ("PRODUCT", Some(hex)) => Self::Product(u16::from_str_radix(hex, 16).ok()?),
            ("SEED", Some(seed)) => Self::Seed(seed.parse().ok()?),
            ("TOUCH", Some("1")) => Self::Touch(Press::Short),
            ("TOUCH", Some("2")) => Self::Touch(Press::Long),
            ("DEAD", None) => Self::Dead,
            ("ALIVE", None) => Self::Alive,
            ("SLOW", Some(milliseconds)) => {
                Self::Slow(Duration::from_millis(milliseconds.parse::<u32>().ok()?.into()))
            }
            ("STATE", None) => Self::State,
            _ => return None,
        })
    }
}

/// Serves commands on a Unix socket; never ends by itself.
pub async fn serve(path: &Path, to: mpsc::Sender<Asked>) -> io::Result<()> {
    let listener = Listener::bind(path)?;
    loop {
        let stream = listener.accept().await?;
        let to = to.clone();
        tokio::spawn(async move {
            // A client that breaks off is none of the others' business.
            let _ = talk(stream, to).await;
        });
    }
}

async fn talk(stream: UnixStream, to: mpsc::Sender<Asked>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        (&mut reader).take(LONGEST).read_until(b'\n', &mut line).await?;
        let Some(text) = line.strip_suffix(b"\n") else { return Ok(()) };
        let command = str::from_utf8(text).ok().and_then(Command::parse);
        let reply = match command {
            None => Err("there is no such command".to_owned()),
            Some(command) => {
                let (answer, heard) = oneshot::channel();
                let gone = || "the device is not served any more".to_owned();
                match to.send((command, answer)).await {
                    Ok(()) => heard.await.unwrap_or_else(|_| Err(gone())),
                    Err(_) => Err(gone()),
                }
            }
        };
        let line = match reply {
            Ok(text) if text.is_empty() => "OK\n".to_owned(),
            Ok(text) => format!("OK {text}\n"),
            Err(why) => format!("ERR {why}\n"),
        };
        writer.write_all(line.as_bytes()).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        assert_eq!(Command::parse("PLUG"), Some(Command::Plug));
        assert_eq!(Command::parse("PRODUCT 0402"), Some(Command::Product(0x0402)));
        assert_eq!(Command::parse("TOUCH 2"), Some(Command::Touch(Press::Long)));
        assert_eq!(Command::parse("SLOW 3000"), Some(Command::Slow(Duration::from_secs(3))));
        assert_eq!(Command::parse("SEED 17"), Some(Command::Seed(17)));
        for wrong in ["", "plug", "PLUG 1", "TOUCH", "TOUCH 3", "SLOW -1", "PRODUCT 12345", "SEED"] {
            assert_eq!(Command::parse(wrong), None, "{wrong}");
        }
    }
}
