"""An operator: OpenSSH's own client, and a key of its own."""

import codecs
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time

from machine import Lines, Trouble

OPTIONS = ["IdentitiesOnly=yes", "IdentityAgent=none", "StrictHostKeyChecking=no", "LogLevel=ERROR",
           "UserKnownHostsFile=/dev/null", "ConnectTimeout=60"]


def keygen(place):
    """Makes an SSH key; the public half."""
    path = os.path.join(place, "operator")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "trial", "-f", path], check=True)
    with open(path + ".pub") as file:
        return file.read().strip()


class Operator:
    """Somebody who logs in with the key of that place."""

    def __init__(self, port, place):
        self.place = place
        self.base = ["ssh", "-F", "none", "-p", str(port), "-i", os.path.join(place, "operator")]
        self.base += [word for option in OPTIONS for word in ("-o", option)]

    def try_to(self, command, text="", within=120):
        """Exit status, output, errors."""
        done = subprocess.run([*self.base, "127.0.0.1", command], input=text, capture_output=True, text=True, timeout=within)
        return done.returncode, done.stdout, done.stderr

    def say(self, command, text="", within=120):
        """What a command prints; it has to end well."""
        status, out, errors = self.try_to(command, text, within)
        if status:
            raise Trouble(f"{command}: exit status {status}: {errors.strip() or out.strip()}")
        return out

    def ask(self, command, within=120):
        """The same as an object."""
        return json.loads(self.say(f"{command} --json", within=within))

    def arrive(self, within):
        """Waits until the SSH server is open; the emulated network takes a connection before there is one."""
        until = time.monotonic() + within
        while True:
            status, out, errors = self.try_to("version", within=within)
            if not status:
                return out
            if time.monotonic() > until:
                raise Trouble(f"nobody can log in: {errors.strip()}")
            time.sleep(0.5)

    def follow(self, command, name):
        """Starts a command that goes on, and whose lines are waited for."""
        return Following([*self.base, "127.0.0.1", command], os.path.join(self.place, f"{name}.log"))

    def watch(self):
        """Watches in a terminal of its own."""
        return Terminal([*self.base, "-tt", "127.0.0.1", "watch"])


class Following:
    """A command that goes on. Its lines are objects."""

    def __init__(self, command, log):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = Lines(self.process.stdout, log)

    def events(self, mark=0):
        """The lines that are objects."""
        return [json.loads(line) for line in self.lines.since(mark) if line.startswith("{")]

    def wait(self, fits, what, mark=0, within=120):
        """The first object from `mark` on that fits, and the mark behind it."""
        until, at = time.monotonic() + within, mark
        while True:
            for line in self.lines.since(at):
                at += 1
                if not line.startswith("{"):
                    continue
                event = json.loads(line)
                if "code" in event and "kind" not in event:
                    raise Trouble(f"instead of {what}: {line}")
                if fits(event):
                    return event, at
            left = until - time.monotonic()
            if left <= 0 or (self.lines.over and self.lines.mark() == at):
                raise Trouble(f"{what} did not come within {within} s; last: {' | '.join(self.lines.since(0)[-3:])}")
            with self.lines.changed:
                if len(self.lines.kept) == at and not self.lines.over:
                    self.lines.changed.wait(left)

    def end(self, within=60):
        """Its exit status."""
        return self.process.wait(within)

    def stop(self):
        """Ends it here."""
        self.process.terminate()
        self.process.wait()


class Terminal:
    """What a full-screen program shows, as a terminal would draw it."""

    COLUMNS, ROWS = 110, 34

    def __init__(self, command):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", self.ROWS, self.COLUMNS, 0, 0))
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self.changed, self.rest = threading.Condition(), ""
        self.place, self.cells = [0, 0], {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while piece := os.read(self.ours, 65536):
                with self.changed:
                    self._draw(decoder.decode(piece))
                    self.changed.notify_all()
        except OSError:
            pass  # The other end is closed.

    # What the station's screens use of ECMA-48: places, clearing; colours do not matter here.
    _PART = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][A-Z0-9]|\r\n?|([^\x00-\x1f\x1b])|[\x00-\x1a\x1c-\x1f]")

    def _draw(self, text):
        text, at = self.rest + text, 0
        while part := self._PART.match(text, at):
            at = part.end()
            if part.group(3):
                self.cells[tuple(self.place)] = part.group(3)
                self.place[1] += 1
            elif part.group(2) == "H":
                row, _, column = part.group(1).partition(";")
                self.place = [int(row or 1) - 1, int(column or 1) - 1]
            elif part.group(2) == "J" and part.group(1) == "2":
                self.cells = {}
            elif part.group(0).startswith("\r"):
                self.place = [self.place[0] + part.group(0).count("\n"), 0]
        self.rest = text[at:]

    def screen(self):
        """The lines that can be seen."""
        with self.changed:
            return self._screen()

    def _screen(self):
        rows = ("".join(self.cells.get((row, column), " ") for column in range(self.COLUMNS)) for row in range(self.ROWS))
        return "\n".join(row.rstrip() for row in rows)

    def wait(self, wanted, within=120):
        """Waits until the screen shows this (a pattern)."""
        until = time.monotonic() + within
        with self.changed:
            while not (found := re.search(wanted, self._screen())):
                left = until - time.monotonic()
                if left <= 0:
                    raise Trouble(f"the terminal does not show {wanted!r} within {within} s but\n{self._screen()}")
                self.changed.wait(left)
            return found

    def leave(self):
        """q, and the exit status that follows."""
        os.write(self.ours, b"q")
        try:
            return self.process.wait(60)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
