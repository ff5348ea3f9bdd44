"""The station in the guest, its operator and its keys."""

import random
import re
import socket
import threading
import time

import client
import scan
from machine import Trouble

FIRST_SERIAL = 7_000_001
# Where the SSH server listens; the guest's users have no right to 22.
PORT = 2222
# Everything takes long there; a healthy key is through in two seconds on a quiet machine.
PATIENCE = 180

# In the service manager's place somebody else writes down what it is told; the watchdog is the unit's.
MANAGER = "NOTIFY_SOCKET=/dev/log WATCHDOG_USEC=30000000"

START = f"""busybox syslogd -O /tmp/manager; mkdir -p /run/enrolld /run/state /run/shell; chown enrolld /run/enrolld /run/state; chown enroll-shell /run/shell; \
chmod 700 /run/state /run/shell; chmod 755 /run/enrolld
{MANAGER} ENROLLD_LOG=info start-stop-daemon -S -q -c enrolld:enroll-keys -x /bin/enrolld -- run --state /run/state 2>/tmp/enrolld.log & echo pid $!
start-stop-daemon -S -q -c enroll-shell:enroll-shell -x /bin/enroll-shell -- run --state /run/shell 2>/tmp/shell.log & echo door $!"""


class Stage:
    """A guest with the station running, and keys beside it."""

    def __init__(self, machine, keys, odd, server, arguments, place):
        self.machine, self.keys, self.odd, self.server, self.arguments = machine, keys, odd, server, arguments
        self.random = random.Random(arguments.seed)
        self.operator = client.Operator(machine.ssh, place)
        self.pid, self.news = None, None

    def start(self):
        lines = [line for command in START.split("\n") for line in self.machine.run(command)]
        self.pid = next(line for line in lines if line.startswith("pid ")).split()[1]
        try:
            self.operator.arrive(PATIENCE)
        except Trouble as trouble:
            said = "\n".join(self.machine.run("head -20 /tmp/enrolld.log /tmp/shell.log"))
            raise Trouble(f"{trouble}\n{said}") from None
        self.news = self.operator.follow("watch --json", "watch")
        self.news.wait(lambda event: event["kind"] == "snapshot", "a snapshot", within=PATIENCE)

    def end(self):
        if self.news:
            self.news.stop()

    def mark(self):
        """Events from now on."""
        return self.news.lines.mark()

    def event(self, what, mark, within=PATIENCE, **members):
        """The first event from `mark` on of that kind, with these members."""
        fits = lambda event: event["kind"] == what and all(event.get(name) == value for name, value in members.items())
        return self.news.wait(fits, f"{what} {members}", mark, within)[0]

    def serial(self, number):
        return str(FIRST_SERIAL + number)

    def recognised(self, serial, mark, within=PATIENCE):
        """The port in which a key of that serial was recognised."""
        known = lambda event: event["kind"] == "arrived" and ((event.get("key") or {}).get("serial") or "").lstrip("0") == serial
        return self.news.wait(known, f"the key {serial}", mark, within)[0]["port"]

    def plug(self, numbers):
        """Plugs keys in, all at once, and waits until each is known; their ports."""
        mark = self.mark()
        for number in numbers:
            self.keys[number].tell("PLUG")
        ports = {number: self.recognised(self.serial(number), mark) for number in numbers}
        assert len(set(ports.values())) == len(ports), ports
        return ports

    def pull(self, ports):
        """Pulls keys out, and waits until each port is empty."""
        mark = self.mark()
        for number in ports:
            self.keys[number].tell("UNPLUG")
        for port in ports.values():
            self.event("left", mark, port=port)

    def touched(self, key, port, mark):
        """Touches a key as soon as it is asked for."""
        self.event("touch", mark, port=port)
        if key.tell("TOUCH 1") == "0":
            raise Trouble(f"the key in {port} typed nothing")

    def enrolled(self, port, mark):
        """The token of an enrollment that ended well."""
        outcome = self.event("outcome", mark, port=port)["outcome"]
        if outcome["ending"] != "enrolled":
            raise Trouble(f"{port}: {outcome}")
        return outcome["token"]

    def counts(self, tokens):
        """Whether the server counts each of them."""
        for token in tokens:
            (there,) = self.server.tokens(token)
            assert there["active"] and there["tokentype"] == "hotp" and there["realms"] == [self.server.realm], there

    def clear(self):
        """Pulls everything out and ends what goes on, after something went wrong."""
        for key in [*self.keys, *self.odd.values()]:
            if "plugged" in key.tell("STATE").split():
                key.tell("UNPLUG")
        self.operator.try_to("run stop --yes")
        self.until(lambda: not self.there(0), "that every port is empty")

    def health(self):
        """Threads and descriptors of the daemon."""
        tasks = self.machine.run(f"ls /proc/{self.pid}/task | wc -l; ls /proc/{self.pid}/fd | wc -l")
        return int(tasks[0]), int(tasks[1])

    def settled(self, before, within=40):
        """Its threads and descriptors once workers that have nothing more to do are gone."""
        until = time.monotonic() + within
        while True:
            after = self.health()
            if (after[0] <= before[0] and after[1] <= before[1]) or time.monotonic() > until:
                return after
            time.sleep(2)

    def dump(self):
        """The daemon's memory that can be written: (name and range of a mapping, its bytes). It stands still meanwhile."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            listener.settimeout(PATIENCE)
            host, port = "10.0.2.2", listener.getsockname()[1]
            heads = 'echo "$HEAD $range ${name:--}"; dd if=/proc/$pid/mem bs=4096 skip=$((start / 4096)) count=$(((end - start) / 4096)) 2>/dev/null'
            loop = (
                f"while read -r range rights _ _ _ name; do case $rights in rw*) start=$((0x${{range%-*}})) end=$((0x${{range#*-}})); {heads};; esac; "
                "done </proc/$pid/maps"
            )
            command = f"pid={self.pid} HEAD={scan.HEAD}; kill -STOP $pid; {{ {loop}; }} | nc {host} {port}; kill -CONT $pid"
            parts = []
            taker = threading.Thread(target=lambda: parts.extend(scan.received(listener)))
            taker.start()
            self.machine.run(command, PATIENCE)
            taker.join(PATIENCE)
        return scan.mappings(b"".join(parts))

    def switches(self):
        lines = self.machine.run(f"cat /proc/{self.pid}/task/*/status | grep '^voluntary_ctxt'")
        return sum(int(line.split()[1]) for line in lines)

    def there(self, mark):
        """What `watch` has told since `mark`: the serial of the key in each port, None while it is not known."""
        ports = {}
        for event in self.news.events(mark):
            assert event["kind"] != "missed", event
            if event["kind"] == "arrived":
                key = event.get("key")
                ports[event["port"]] = ((key or {}).get("serial") or "").lstrip("0") or None
            elif event["kind"] == "left":
                ports.pop(event["port"], None)
        return ports

    def until(self, seen, what, within=PATIENCE):
        """Looks again with every line of `watch` until `seen` finds something."""
        end, lines = time.monotonic() + within, self.news.lines
        while True:
            mark = lines.mark()
            if found := seen():
                return found
            with lines.changed:
                left = end - time.monotonic()
                if left <= 0 or lines.over:
                    raise Trouble(f"{what} was not so within {within} s")
                if len(lines.kept) == mark:
                    lines.changed.wait(left)

    @staticmethod
    def settled_soon(seen, what, within=PATIENCE):
        """Waits for something at the server, which tells nobody."""
        end = time.monotonic() + within
        while not seen():
            if time.monotonic() > end:
                raise Trouble(what())
            time.sleep(1)

    def kernel_is_well(self):
        wrong = "Oops|BUG:|WARNING:|Call trace|Kernel panic|KASAN|Unable to handle"
        log = "\n".join(self.machine.run(f"dmesg | grep -E '{wrong}' | head -5"))
        if log.strip():
            raise Trouble(f"the guest's kernel says: {log}")

    def is_alive(self):
        assert self.machine.run(f"ls /proc/{self.pid}/status")[0].startswith("/proc"), "the daemon died"

    def clock(self):
        """The guest's time of day less its time since the start, in seconds, as the kernel has it."""
        lines = self.machine.run("grep -A1 ktime_get_real$ /proc/timer_list | head -2")
        return int(re.search(r"offset:\s+(\d+) nsecs", lines[1]).group(1)) / 1e9
