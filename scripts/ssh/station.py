"""Stations to log in to, started and ended: one with a recorded daemon, one that is whole."""

import json
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import time

PATIENCE = 120
"""Seconds that nothing here takes, however busy the machine is."""


class Gone(Exception):
    """What was waited for does not come."""


class Station:
    """Whatever listens at `port`; in `directory` is a private key for each operator."""

    user = "operator"

    def ssh(self, operator="ada", port=None, *options):
        """The OpenSSH client, without anything of this machine's user."""
        given = ["IdentitiesOnly=yes", "IdentityAgent=none", "StrictHostKeyChecking=no", "LogLevel=ERROR", "UserKnownHostsFile=/dev/null"]
        words = ["ssh", "-F", "none", "-p", str(port or self.port), "-i", str(self.directory / operator)]
        return words + [word for option in [*given, *options] for word in ("-o", option)]


class Recorded(Station):
    """The SSH server with a daemon that answers from a record."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port, directory = self.process.stdout.readline().split()
        self.port, self.directory = port, pathlib.Path(directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


class Whole(Station):
    """`station-sim station`: daemon, door, server twin, software keys. `ada` is an admin, `otto` an
    operator, `vera` a viewer; `far` may come from elsewhere only, `near` from 127.0.0.2 only, and
    `mallory` not at all."""

    OPERATORS = [
        ("ada", "admin", ""),
        ("otto", "operator", ""),
        ("vera", "viewer", ""),
        ("far", "admin", 'from = ["192.0.2.0/24"]'),
        ("near", "viewer", 'from = ["127.0.0.2"]'),
    ]

    def __init__(self, program, *arguments, more=""):
        self.kept = tempfile.TemporaryDirectory(prefix="station-")
        self.directory = pathlib.Path(self.kept.name)
        for name, role, origin in [*self.OPERATORS, ("mallory", None, "")]:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.directory / name], check=True)
            public = (self.directory / f"{name}.pub").read_text().strip()
            if role:
                more += f'[[operators]]\nname = "{name}"\nrole = "{role}"\nkeys = ["{public}"]\n{origin}\n'
        (self.directory / "more.toml").write_text(more)
        self.house = self.directory / "house"
        command = [program, "station", "--listen", "127.0.0.1:0", "--directory", self.house, "--with", self.directory / "more.toml", *arguments]
        self.said = ""
        self.opened = threading.Event()
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.listening = threading.Thread(target=self.listen, daemon=True)
        self.listening.start()
        if not self.opened.wait(PATIENCE) or self.port is None:
            self.process.kill()
            raise Gone(f"the station does not start: {self.said}")

    def listen(self):
        self.port = None
        for line in self.process.stderr:
            self.said += line
            if found := re.search(r"^ +ssh .* -p (\d+) operator@127\.0\.0\.1$", line.rstrip()):
                self.line, self.port = line.strip(), found[1]
                self.opened.set()
        self.opened.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.status = "does not end"
        self.listening.join()
        self.kept.cleanup()

    def run(self, line, text="", operator="ada"):
        """A command through OpenSSH: status, standard output, standard error."""
        done = subprocess.run(self.ssh(operator) + ["127.0.0.1", line], input=text, capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    def json(self, line, text=""):
        code, out, err = self.run(f"{line} --json", text)
        if code:
            raise Gone(f"{line}: {err}")
        return json.loads(out)


class Watcher:
    """What `watch --json` tells, kept; and a finger that touches every key that wants to be."""

    def __init__(self, station):
        self.station, self.events, self.changed = station, [], threading.Condition()
        self.finger = False
        command = station.ssh() + ["127.0.0.1", "watch --json"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()
        self.wait("a snapshot", 0, lambda event: event["kind"] == "snapshot")

    def follow(self):
        for line in self.process.stdout:
            event = json.loads(line)
            with self.changed:
                self.events.append(event)
                self.changed.notify_all()
            if event["kind"] == "touch" and self.finger:
                self.touch(event)

    def touch(self, event):
        long = " --long" if event["touch"]["finger"] == "long" else ""
        self.station.run(f"touch {event['port']}{long}")

    def now(self):
        """How many events there are."""
        with self.changed:
            return len(self.events)

    def wait(self, what, begin, wanted):
        """The first event from number `begin` on that is wanted."""
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while True:
                for event in self.events[begin:]:
                    if wanted(event):
                        return event
                begin = max(begin, len(self.events))
                if not self.changed.wait(deadline - time.monotonic()):
                    raise Gone(f"{what} did not happen; seen: {[event['kind'] for event in self.events]}")

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join()


class Tunnel:
    """A network between client and door. When it dies, nothing comes through any more, and neither
    end hears of it."""

    def __init__(self, port):
        self.target, self.dead, self.sockets = ("127.0.0.1", int(port)), threading.Event(), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(self.target)
                self.sockets += [near, far]
                for one, other in [(near, far), (far, near)]:
                    threading.Thread(target=self.carry, args=(one, other), daemon=True).start()
        except OSError:
            pass

    def carry(self, one, other):
        try:
            while (data := one.recv(65536)) and not self.dead.is_set():
                other.sendall(data)
        except OSError:
            pass

    def end(self):
        for one in [self.listener, *self.sockets]:
            one.close()
