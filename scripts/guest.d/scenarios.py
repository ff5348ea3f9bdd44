"""What is done to the keys, and what the station has to make of it.

Each scenario leaves every port empty. The program says what happens in lines, each with the
seconds since the guest's start: "@ 12.34 enrolled 1-3".
"""

import random
import re
import time

from machine import Trouble

SCENARIOS = {}
# Everything takes long there; a healthy key is through in two seconds on a quiet machine.
PATIENCE = 120


def scenario(*machines):
    def register(function):
        function.machines = machines
        SCENARIOS[function.__name__] = function
        return function

    return register


class Stage:
    """A guest with the program running, and keys beside it."""

    def __init__(self, machine, keys, odd, arguments):
        self.machine, self.keys, self.odd, self.arguments = machine, keys, odd, arguments
        self.random = random.Random(arguments.seed)
        self.pid = None

    def start(self):
        mark = self.machine.lines.mark()
        self.machine.run("start-stop-daemon -S -q -c enroll:enroll-keys -x /bin/guest & echo pid $!")
        self.machine.lines.wait("^@ .* started", mark, 120)
        self.pid = re.search(r"pid (\d+)", "\n".join(self.machine.lines.since(mark))).group(1)

    def mark(self):
        return self.machine.lines.mark()

    def wait(self, wanted, mark, within=PATIENCE):
        return self.machine.lines.wait("^@ ([0-9.]+) " + wanted, mark, within)

    def serial(self, number):
        return 7_000_001 + number

    def enroll(self, numbers, mark):
        """Touches each key when it is asked for; the ports."""
        ports = {}
        for number in numbers:
            # Serials in one run are those of the keys, wherever they are plugged in.
            found = self.wait(rf"recognised (\S+) .* 0*{self.serial(number)}$", mark)
            ports[number] = found.group(2)
        for number in numbers:
            self.wait(rf"touch {re.escape(ports[number])}$", mark)
            if self.keys[number].tell("TOUCH 1") == "0":
                raise Trouble(f"key {number} typed nothing")
        for number in numbers:
            self.wait(rf"enrolled {re.escape(ports[number])}$", mark)
        return ports

    def pull(self, numbers, ports=None):
        mark = self.mark()
        for number in numbers:
            self.keys[number].tell("UNPLUG")
        for port in (ports or {}).values():
            self.wait(rf"left {re.escape(port)}$", mark)

    def clear(self):
        """Pulls everything out, after something went wrong."""
        for key in [*self.keys, *self.odd.values()]:
            if "plugged" in key.tell("STATE").split():
                key.tell("UNPLUG")
        time.sleep(6)

    def health(self):
        """Threads and descriptors of the program."""
        tasks = self.machine.run(f"ls /proc/{self.pid}/task | wc -l; ls /proc/{self.pid}/fd | wc -l")
        return int(tasks[0]), int(tasks[1])

    def switches(self):
        lines = self.machine.run(f"cat /proc/{self.pid}/task/*/status | grep -h '^voluntary_ctxt'")
        return sum(int(line.split()[1]) for line in lines)

    def kernel_is_well(self):
        log = "\n".join(self.machine.run("dmesg | grep -E 'Oops|BUG:|WARNING:|Call trace|panic|KASAN' | head -5"))
        if log.strip():
            raise Trouble(f"the guest's kernel says: {log}")


@scenario("virt", "raspi3b")
def one(stage):
    """a key is plugged in, enrolled, touched, proven and pulled out"""
    # The clock of the kernel's log is another one; this one is the program's.
    stage.machine.run("udevadm monitor --kernel --subsystem-match=usb >/tmp/uevents 2>&1 & monitor=$!; sleep 1")
    mark = stage.mark()
    stage.keys[0].tell("PLUG")
    reading = stage.wait(r"reading (\S+)", mark)
    ports = stage.enroll([0], mark)
    stage.pull([0], ports)
    found = stage.machine.run("kill $monitor; cat /tmp/uevents")
    seen = [re.search(r"KERNEL\[([0-9.]+)\] add .*/(\d+-[0-9.]+) ", line) for line in found]
    if seen := [float(one.group(1)) for one in seen if one and one.group(2) == ports[0]]:
        print(f"   from the kernel's event to reading: {(float(reading.group(1)) - seen[0]) * 1000:.0f} ms", flush=True)


@scenario("virt")
def qmp(stage):
    """a key is plugged in and pulled out by QEMU itself"""
    key, mark = stage.odd["neo"], stage.mark()
    key.tell("PLUG")
    backend = {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": key.usb}}, "server": False}}
    stage.machine.qmp("chardev-add", id="late", backend=backend)
    stage.machine.qmp("device_add", driver="usb-redir", id="latekey", chardev="late", bus="more.0")
    # A NEO that starts for 3 s, and shows an empty status before its first command.
    port = stage.wait(r"recognised (\S+) YubiKey NEO.* 0*6000001$", mark).group(2)
    stage.wait(rf"touch {port}$", mark)
    key.tell("TOUCH 1")
    stage.wait(rf"enrolled {port}$", mark)
    mark = stage.mark()
    stage.machine.qmp("device_del", id="latekey")
    stage.wait(rf"left {port}$", mark)
    key.tell("UNPLUG")


@scenario("virt")
def eight(stage):
    """eight keys at once, each touched when it is asked for"""
    mark, numbers = stage.mark(), range(1, 9)
    for number in numbers:
        stage.keys[number].tell("PLUG")
    ports = stage.enroll(numbers, mark)
    assert len(set(ports.values())) == 8
    stage.pull(numbers, ports)


@scenario("virt", "raspi3b")
def together(stage):
    """as many keys as there are ports, plugged together, are all told apart"""
    mark, numbers = stage.mark(), range(len(stage.keys))
    for number in numbers:
        stage.keys[number].tell("PLUG")
    ports = {n: stage.wait(rf"recognised (\S+) .* 0*{stage.serial(n)}$", mark, 240).group(2) for n in numbers}
    assert len(set(ports.values())) == len(ports), ports
    stage.pull(numbers, ports)


@scenario("virt")
def names(stage):
    """a key switches its OTP off and on again: 0407, 0402, 0407"""
    key, mark = stage.keys[9], stage.mark()
    key.tell("PLUG")
    port = stage.wait(rf"recognised (\S+) .* 0*{stage.serial(9)}$", mark).group(2)
    mark = stage.mark()
    key.tell("PRODUCT 0402")
    told = stage.wait(rf"nothing {port} (.*)", mark).group(2)
    assert "OTP" in told, told
    mark = stage.mark()
    key.tell("PRODUCT 0407")
    stage.wait(rf"recognised {port} .* 0*{stage.serial(9)}$", mark)
    stage.pull([9], {9: port})


@scenario("virt")
def slow(stage):
    """a key that hangs for its kernel's time limit holds no other up"""
    hung, well, mark = stage.keys[10], stage.keys[11], stage.mark()
    hung.tell("PLUG")
    port = stage.wait(rf"recognised (\S+) .* 0*{stage.serial(10)}$", mark).group(2)
    hung.tell("DEAD")
    mark = stage.mark()
    well.tell("PLUG")
    stage.wait(rf"recognised (\S+) .* 0*{stage.serial(11)}$", mark)
    mark = stage.mark()
    hung.tell("UNPLUG")
    stage.wait(rf"left {port}$", mark)
    hung.tell("ALIVE")
    stage.pull([11])


@scenario("virt")
def strangers(stage):
    """a mouse is named as what it is, and no driver of the guest gets at it"""
    mark = stage.mark()
    stage.machine.qmp("device_add", driver="usb-mouse", id="mouse", bus="more.0")
    told = stage.wait(r"nothing (\S+) (.*)", mark)
    port = told.group(2)
    assert re.search("mouse|input", told.group(3)), told.group(0)
    lines = stage.machine.run(f"cat /sys/bus/usb/devices/{port}/authorized; ls -d /sys/bus/usb/devices/{port}:* 2>/dev/null | wc -l")
    assert lines[-2:] == ["0", "0"], lines
    mark = stage.mark()
    stage.machine.qmp("device_del", id="mouse")
    stage.wait(rf"left {port}$", mark)


@scenario("virt")
def idle(stage):
    """an idle station sleeps, with eight keys in its ports as with none"""
    counts = []
    for numbers in ([], range(1, 9)):
        mark = stage.mark()
        for number in numbers:
            stage.keys[number].tell("PLUG")
        for number in numbers:
            stage.wait(rf"recognised (\S+) .* 0*{stage.serial(number)}$", mark)
        # What the first look at a key leads to is over by then.
        time.sleep(20)
        before = stage.switches()
        time.sleep(60)
        counts.append(stage.switches() - before)
        threads, descriptors = stage.health()
        print(f"   {len(numbers)} keys: {counts[-1]} switches a minute, {threads} threads, {descriptors} descriptors", flush=True)
        for number in numbers:
            stage.keys[number].tell("UNPLUG")
    time.sleep(3)
    assert counts[1] <= counts[0] + 4, counts


@scenario("virt")
def cycles(stage):
    """a hundred times a key is pulled out and plugged in at some instant; nothing is left behind"""
    numbers = list(range(1, 9))
    before, mark, plugged = stage.health(), stage.mark(), set()
    for _ in range(100):
        number = stage.random.choice(numbers)
        stage.keys[number].tell("UNPLUG" if number in plugged else "PLUG")
        plugged ^= {number}
        time.sleep(stage.random.choice([0.05, 0.3, 0.8, 1.5]))
    for number in plugged:
        stage.keys[number].tell("UNPLUG")
    time.sleep(8)
    told = stage.machine.lines.since(mark)
    there = {}
    for line in told:
        if found := re.match(r"@ \S+ (reading|left) (\S+)", line):
            there[found.group(2)] = found.group(1)
    assert set(there.values()) <= {"left"}, there
    # Whatever happened: each key is still found at its port, and is the one that it is.
    mark = stage.mark()
    for number in numbers:
        stage.keys[number].tell("PLUG")
    ports = {n: stage.wait(rf"recognised (\S+) .* 0*{stage.serial(n)}$", mark).group(2) for n in numbers}
    assert len(set(ports.values())) == len(numbers), ports
    stage.pull(numbers, ports)
    time.sleep(8)
    after = stage.health()
    print(f"   threads and descriptors before {before}, after {after}", flush=True)
    assert after[0] <= before[0] and after[1] <= before[1] + 1, (before, after)


@scenario("virt")
def hostile(stage, count=200):
    """two hundred hostile devices: none is enrolled, and everything goes on"""
    liar, mark = stage.odd["liar"], stage.mark()
    liar.tell("PLUG")
    for seed in range(1, count + 1):
        liar.tell(f"SEED {seed}")
        if stage.random.random() < 0.3:
            liar.tell("TOUCH 1")
        time.sleep(stage.random.choice([0.2, 0.6, 1.5]))
        if seed % 50 == 0:
            # Beside it, a healthy key is recognised.
            beside = stage.mark()
            stage.keys[12].tell("PLUG")
            port = stage.wait(rf"recognised (\S+) .* 0*{stage.serial(12)}$", beside).group(2)
            stage.pull([12], {12: port})
            print(f"   {seed} devices", flush=True)
    liar.tell("UNPLUG")
    time.sleep(8)
    told = stage.machine.lines.since(mark)
    count_of = lambda word: sum(f" {word} " in line for line in told)
    print(f"   {count_of('reading')} were read, {count_of('nothing')} not spoken to, {count_of('recognised')} inspected", flush=True)
    assert not count_of("enrolled"), "a liar was enrolled"
    stage.kernel_is_well()
    assert stage.machine.run(f"ls /proc/{stage.pid}/status")[0].startswith("/proc"), "the station died"
