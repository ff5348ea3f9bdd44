"""The clients that operators have, each in the same shape: one command and its answer, or a terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from station import PATIENCE, Gone

ROWS, COLUMNS = 50, 220

# CSI and OSC sequences (ECMA-48, 5.4 and 5.6), and what moves the cursor without one.
CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[=>78]|[\r\x07]")


class Terminal:
    """A terminal that somebody types into, and what was written to it."""

    def __init__(self, send, receive, end):
        self.send_bytes, self.receive, self.end = send, receive, end
        self.raw = b""

    def text(self):
        return CONTROL.sub("", self.raw.decode(errors="replace"))

    def send(self, text):
        self.send_bytes(text.encode())

    def wait(self, what, good):
        """Reads until what stands there is good; all of it."""
        deadline = time.monotonic() + PATIENCE
        while not good(self.text()):
            left = deadline - time.monotonic()
            piece = self.receive(left) if left > 0 else b""
            if not piece:
                raise Gone(f"{what} did not come; there is: {self.text()[-800:]!r}")
            self.raw += piece
        return self.text()

    def prompt(self, prompt):
        return self.wait(f"the prompt {prompt!r}", lambda text: text.split("\n")[-1].endswith(prompt))

    def enter(self, line):
        """Types a line, sees that it stands there, and presses Return."""
        self.send(line)
        self.wait(f"the line {line!r}", lambda text: text.rstrip().endswith(line.rstrip()[-60:]))
        self.raw = b""
        self.send("\r")

    def command(self, line, prompt, typed=()):
        """Types a command, presses keys when it asks for them, and reads up to the next prompt."""
        self.enter(line)
        said = ""
        for question, keys in typed:
            said += self.wait(f"{question!r} after {line!r}", lambda text, question=question: question in text)
            self.raw = b""
            self.send(keys)
        return said + self.wait(f"a prompt after {line!r}", lambda text: "\n" in text and text.split("\n")[-1] == prompt)


def in_terminal(command, term="xterm"):
    """A program in a terminal of its own."""
    pid, master = pty.fork()
    if pid == 0:
        os.environ["TERM"] = term
        os.execvp(command[0], [str(word) for word in command])
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def receive(patience):
        if not select.select([master], [], [], patience)[0]:
            return b""
        try:
            return os.read(master, 65536)
        except OSError:
            return b""

    def end(kill=None):
        if kill is not None:
            os.kill(pid, kill)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(master)
        return status

    terminal = Terminal(lambda data: os.write(master, data), receive, end)
    terminal.pid = pid
    return terminal


class Program:
    """A client that is a program: how it runs one command, and how it gets a terminal."""

    def __init__(self, name, command, terminal):
        self.name, self.command, self.terminal_command = name, command, terminal

    def run(self, line, text=""):
        done = subprocess.run([*self.command, line], input=text, capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    def terminal(self):
        return in_terminal(self.terminal_command)

    def close(self):
        pass


def openssh(station, operator="ada"):
    base = station.ssh(operator)
    return Program("OpenSSH", [*base, "127.0.0.1"], [*base, "-tt", "127.0.0.1"])


def plink(station, operator="ada"):
    key = station.directory / f"{operator}.ppk"
    subprocess.run(["puttygen", station.directory / operator, "-O", "private", "-o", key], check=True, capture_output=True)
    base = ["plink", "-batch", "-P", station.port, "-i", key]
    who = f"{operator}@127.0.0.1"
    refused = subprocess.run([*base, who, "version"], capture_output=True, text=True, timeout=PATIENCE)
    found = re.search(r"SHA256:\S+", refused.stderr)
    base += ["-hostkey", found[0] if found else ""]
    return Program("plink", [*base, who], [*base, "-t", who])


def dbclient(station, operator="ada"):
    key = station.directory / f"{operator}.db"
    subprocess.run(["dropbearconvert", "openssh", "dropbear", station.directory / operator, key], check=True, capture_output=True)
    base = ["dbclient", "-y", "-y", "-p", station.port, "-i", str(key)]
    who = f"{operator}@127.0.0.1"
    return Program("dbclient", [*base, who], [*base, "-t", who])


class Paramiko:
    """Every command is a channel of one connection."""

    name = "Paramiko"

    def __init__(self, station, operator="ada"):
        import paramiko

        self.client = paramiko.SSHClient()
        self.client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        key = str(station.directory / operator)
        self.client.connect("127.0.0.1", int(station.port), operator, key_filename=key, allow_agent=False, look_for_keys=False)

    def run(self, line, text=""):
        stdin, stdout, stderr = self.client.exec_command(line, timeout=PATIENCE)
        stdin.write(text)
        stdin.channel.shutdown_write()
        out, err = stdout.read().decode(), stderr.read().decode()
        return stdout.channel.recv_exit_status(), out, err

    def terminal(self):
        channel = self.client.invoke_shell(term="xterm", width=COLUMNS, height=ROWS)

        def receive(patience):
            channel.settimeout(patience)
            try:
                return channel.recv(65536)
            except TimeoutError:
                return b""

        return Terminal(channel.sendall, receive, lambda kill=None: channel.recv_exit_status())

    def close(self):
        self.client.close()


CLIENTS = [openssh, plink, dbclient, Paramiko]

KILL = signal.SIGKILL
