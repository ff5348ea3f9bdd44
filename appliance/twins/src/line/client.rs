//! A key at the other end of a line.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use zeroize::Zeroizing;

use crate::key::{KeyTwin, KeyboardReport, Press, TwinError};

use super::{Lines, Reply, Request};

/// A twin answers at once; one that does not for so long is taken for dead.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A key that is reached by the line protocol. Calls block.
pub struct LineKey {
    line: Line,
    received: Lines,
}

enum Line {
    Socket(UnixStream),
    /// The fields are dropped in this order: closing its input ends the child.
    Program {
        input: Option<ChildStdin>,
        output: ChildStdout,
        child: Child,
    },
}

impl LineKey {
    /// `unix:/path` connects to a socket; `cmd:program argument…` starts a program,
    /// without a shell, and talks to its standard input and output.
    pub fn open(address: &str) -> io::Result<Self> {
        match address.split_once(':') {
            Some(("unix", path)) => Self::connect(Path::new(path)),
            Some(("cmd", command)) => {
                let mut words = command.split_whitespace();
                let program = words.next().ok_or_else(|| invalid("no program after cmd:"))?;
                Self::spawn(Command::new(program).args(words))
            }
            _ => Err(invalid("the address of a twin begins with unix: or cmd:")),
        }
    }

    /// Connects to a socket.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let socket = UnixStream::connect(path)?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { line: Line::Socket(socket), received: Lines::new() })
    }

    /// Starts a program; it is ended when the key is dropped.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| invalid("the program has no output"))?;
        Ok(Self { line: Line::Program { input, output, child }, received: Lines::new() })
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, TwinError> {
        let mut line = request.line();
        line.push('\n');
        self.send(line.as_bytes()).map_err(broken)?;
        let reply = self.receive().map_err(broken)?;
        match Reply::parse(&reply) {
            Ok(Reply::Failed(error)) => Err(error),
            Ok(reply) => Ok(reply),
            Err(error) => Err(broken(error)),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.line {
            Line::Socket(socket) => socket.write_all(bytes),
            Line::Program { input: Some(input), .. } => input.write_all(bytes).and_then(|()| input.flush()),
            Line::Program { input: None, .. } => Err(invalid("the program has no input")),
        }
    }

    fn receive(&mut self) -> io::Result<Zeroizing<String>> {
        let mut chunk = Zeroizing::new([0; 1024]);
        loop {
            if let Some(line) = self.received.next().map_err(|error| invalid(&error.to_string()))? {
                return Ok(line);
            }
            let length = match &mut self.line {
                Line::Socket(socket) => socket.read(chunk.as_mut())?,
                Line::Program { output, .. } => output.read(chunk.as_mut())?,
            };
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.received.add(chunk.get(..length).unwrap_or_default());
        }
    }

    fn done(&mut self, request: &Request) -> Result<(), TwinError> {
        match self.ask(request)? {
            Reply::Done => Ok(()),
            _ => Err(unfit()),
        }
    }

    fn bytes(&mut self, request: &Request) -> Result<Vec<u8>, TwinError> {
        match self.ask(request)? {
            Reply::Bytes(bytes) => Ok(bytes.to_vec()),
            _ => Err(unfit()),
        }
    }
}

impl KeyTwin for LineKey {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), TwinError> {
        self.done(&Request::SetFeature(Zeroizing::new(report.to_vec())))
    }

    fn get_feature(&mut self) -> Result<Vec<u8>, TwinError> {
        self.bytes(&Request::GetFeature)
    }

    fn out(&mut self, packet: &[u8]) -> Result<(), TwinError> {
        self.done(&Request::Out(Zeroizing::new(packet.to_vec())))
    }

    fn input(&mut self) -> Result<Option<Vec<u8>>, TwinError> {
        match self.ask(&Request::In)? {
            Reply::Bytes(bytes) => Ok(Some(bytes.to_vec())),
            Reply::Nothing => Ok(None),
            _ => Err(unfit()),
        }
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TwinError> {
        self.bytes(&Request::Apdu(Zeroizing::new(command.to_vec())))
    }

    fn touch(&mut self, press: Press) -> Result<Vec<KeyboardReport>, TwinError> {
        match self.ask(&Request::Touch(press))? {
            Reply::Reports(reports) => Ok(reports.to_vec()),
            _ => Err(unfit()),
        }
    }

    fn power(&mut self) -> Result<(), TwinError> {
        self.done(&Request::Power)
    }

    fn advance(&mut self, by: Duration) -> Result<(), TwinError> {
        self.done(&Request::Advance(by))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Self::Program { input, child, .. } = self {
            *input = None;
            // It ends when its input does; without this it would stay a zombie.
            let _ = child.wait();
        }
    }
}

fn broken(error: impl core::fmt::Display) -> TwinError {
    TwinError::Line(error.to_string())
}

fn unfit() -> TwinError {
    TwinError::Line("the reply does not fit the request".to_owned())
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.to_owned())
}
