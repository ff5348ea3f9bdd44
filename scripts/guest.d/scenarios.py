"""What is done to the keys, and what the station has to make of it.

Each scenario leaves every port empty. What happens is read from `watch --json`, and what came of it
from the server, by a second administrator.
"""

import os
import re
import time
from datetime import datetime

import scan
from stage import PATIENCE

# Within so many seconds after pulling keys and logging out, nothing of them is left in the daemon (docs/hardening.md).
GONE = 20
SCENARIOS = {}


def scenario(*machines):
    def register(function):
        function.machines = machines
        SCENARIOS[function.__name__] = function
        return function

    return register


@scenario("virt", "raspi3b")
def one(stage):
    """a key is plugged in, enrolled at the server, touched, proven and pulled out"""
    order = stage.operator.follow("enroll --profile desk --events --json", "enroll")
    order.wait(lambda event: event["kind"] == "accepted", "an accepted order")
    mark = stage.mark()
    stage.keys[0].tell("PLUG")
    port = stage.recognised(stage.serial(0), mark)
    stage.touched(stage.keys[0], port, mark)
    token = stage.enrolled(port, mark)
    assert order.end() == 0
    stage.counts([token])
    # Asked once more, it answers for its token.
    mark, verify = stage.mark(), stage.operator.follow(f"verify {stage.serial(0)}", "verify")
    stage.touched(stage.keys[0], port, mark)
    assert verify.end() == 0, verify.lines.since(0)
    stage.pull({0: port})


@scenario("virt", "raspi3b")
def eight(stage):
    """eight keys in one run, all at once, each touched when it is asked for"""
    numbers = list(range(min(8, len(stage.keys) - 1) + 1))[1:]
    stage.operator.say(f"run start --count {len(numbers)} --profile desk --name eight")
    mark = stage.mark()
    ports = stage.plug(numbers)
    tokens = []
    for number in numbers:
        stage.touched(stage.keys[number], ports[number], mark)
    for number in numbers:
        tokens.append(stage.enrolled(ports[number], mark))
        assert stage.serial(number) in tokens[-1], (tokens[-1], stage.serial(number))
    stage.counts(tokens)
    run = stage.operator.ask("run status")["run"] or stage.operator.ask("run status")["earlier"][0]
    assert run["state"] == "finished" and run["counts"]["enrolled"] == len(numbers), run
    stage.pull(ports)


@scenario("virt", "raspi3b")
def together(stage):
    """as many keys as there are ports, plugged together, are all told apart"""
    ports = stage.plug(range(len(stage.keys)))
    keys = {(key["serial"] or "").lstrip("0"): key["port"] for key in stage.operator.ask("keys")["keys"]}
    assert keys == {stage.serial(number): port for number, port in ports.items()}, (keys, ports)
    stage.pull(ports)


@scenario("virt")
def wakes(stage):
    """a NEO plugged in by QEMU itself: silent for three seconds, an empty status at first, then enrolled"""
    key, mark = stage.odd["neo"], stage.mark()
    order = stage.operator.follow("enroll --key 6000001 --profile desk --events --json", "enroll")
    order.wait(lambda event: event["kind"] == "accepted", "an accepted order")
    key.tell("PLUG")
    backend = {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": key.usb}}, "server": False}}
    stage.machine.qmp("chardev-add", id="late", backend=backend)
    stage.machine.qmp("device_add", driver="usb-redir", id="latekey", chardev="late", bus="more.0")
    port = stage.recognised("6000001", mark)
    stage.touched(key, port, mark)
    stage.counts([stage.enrolled(port, mark)])
    mark = stage.mark()
    stage.machine.qmp("device_del", id="latekey")
    stage.event("left", mark, port=port)
    key.tell("UNPLUG")


@scenario("virt")
def names(stage):
    """a key switches its OTP off and on again: 0407, 0402, 0407"""
    key = stage.keys[9]
    ports = stage.plug([9])
    mark = stage.mark()
    key.tell("PRODUCT 0402")
    told = stage.event("stranger", mark, port=ports[9])["text"]
    assert "OTP" in told, told
    mark = stage.mark()
    key.tell("PRODUCT 0407")
    assert stage.recognised(stage.serial(9), mark) == ports[9]
    stage.pull(ports)


@scenario("virt")
def slow(stage):
    """a key that hangs in the middle of its enrollment holds no other up, and is told to be gone at once"""
    hung, well = stage.keys[10], stage.keys[11]
    ports = stage.plug([10])
    hung.tell("DEAD")
    order = stage.operator.follow(f"enroll --key {stage.serial(10)} --profile desk --events --json", "enroll")
    order.wait(lambda event: event["kind"] == "phase", "a phase of the enrollment")
    begun = time.monotonic()
    ports |= stage.plug([11])
    beside = time.monotonic() - begun
    mark, begun = stage.mark(), time.monotonic()
    hung.tell("UNPLUG")
    stage.event("left", mark, port=ports[10])
    print(f"   another key known after {beside:.1f} s; the hung one gone after {time.monotonic() - begun:.1f} s", flush=True)
    assert order.end(PATIENCE) != 0
    hung.tell("ALIVE")
    stage.pull({11: ports[11]})
    assert not stage.server.tokens(f"*{stage.serial(10)}*"), "a token is left of a key that hung"


@scenario("virt")
def strangers(stage):
    """a mouse is named as what it is, no driver of the guest gets at it, and an order for any key does not mean it"""
    mark = stage.mark()
    stage.machine.qmp("device_add", driver="usb-mouse", id="mouse", bus="more.0")
    told = stage.event("stranger", mark)
    port = told["port"]
    assert re.search("mouse|input", told["text"]), told
    lines = stage.machine.run(f"cat /sys/bus/usb/devices/{port}/authorized; ls -d /sys/bus/usb/devices/{port}:* 2>/dev/null | wc -l")
    assert lines[-2:] == ["0", "0"], lines
    # Before a key is there, and with one.
    for first in (True, False):
        key = stage.keys[12 if first else 13]
        ports = {} if first else stage.plug([13])
        mark = stage.mark()
        order = stage.operator.follow("enroll --profile desk --events --json", "enroll")
        order.wait(lambda event: event["kind"] == "accepted", "an accepted order")
        ports = ports or stage.plug([12])
        (of_key,) = ports.values()
        stage.touched(key, of_key, mark)
        stage.counts([stage.enrolled(of_key, mark)])
        assert order.end() == 0
        stage.pull(ports)
    mark = stage.mark()
    stage.machine.qmp("device_del", id="mouse")
    stage.event("left", mark, port=port)


@scenario("virt")
def reading(stage, count=10):
    """how long after the kernel's event the station says that it reads a key; nothing is expected of it"""
    stage.machine.run("udevadm monitor --kernel --subsystem-match=usb >/tmp/uevents 2>&1 & monitor=$!; sleep 1")
    told, ports = [], {}
    for number in range(count):
        mark = stage.mark()
        stage.keys[number].tell("PLUG")
        told.append(stage.event("arrived", mark))
        ports[number] = stage.recognised(stage.serial(number), mark)
    since = stage.clock()
    found = [re.search(r"KERNEL\[([0-9.]+)\] add .*/(\d+-[0-9.]+) ", line) for line in stage.machine.run("kill $monitor; cat /tmp/uevents")]
    kernel = {one.group(2): float(one.group(1)) for one in found if one}
    at = lambda event: datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp() - since
    took = sorted(round((at(event) - kernel[event["port"]]) * 1000) for event in told)
    print(f"   from the kernel's event to reading, ms: {' '.join(map(str, took))}", flush=True)
    stage.pull(ports)


@scenario("virt")
def cycles(stage, count=100):
    """a hundred times a key is plugged in and pulled out at some instant; none is lost or mixed up, nothing is left behind"""
    numbers = list(range(1, 9))
    home = stage.plug(numbers)
    stage.pull(home)
    before, mark, plugged, plugs = stage.settled((0, 0), 8), stage.mark(), set(), 0
    as_hands = lambda: stage.there(mark) == {home[number]: stage.serial(number) for number in plugged}
    while plugs < count:
        for _ in range(stage.random.randrange(1, 40)):
            number = stage.random.choice(numbers)
            stage.keys[number].tell("UNPLUG" if number in plugged else "PLUG")
            plugs += number not in plugged
            plugged ^= {number}
            time.sleep(stage.random.choice([0.05, 0.3, 0.8, 1.5]))
        # Whatever happened: what the station says is plugged in where is what is.
        stage.until(as_hands, f"what is told of {sorted(plugged)}")
    for number in plugged:
        stage.keys[number].tell("UNPLUG")
    plugged.clear()
    stage.until(as_hands, "that every port is empty")
    known, there = 0, {port: stage.serial(number) for number, port in home.items()}
    for event in stage.news.events(mark):
        if event["kind"] == "arrived" and event.get("key"):
            known += 1
            assert event["key"]["serial"].lstrip("0") == there[event["port"]], event
    after = stage.settled(before)
    print(f"   {plugs} times plugged in, {known} times long enough to be known", flush=True)
    print(f"   threads and descriptors before {before}, after {after}", flush=True)
    assert after[0] <= before[0] and after[1] <= before[1], (before, after)
    stage.kernel_is_well()


@scenario("virt")
def hostile(stage, count=200):
    """hundreds of hostile devices during a run: no liar is enrolled, other ports go on"""
    liars = [key for name, key in stage.odd.items() if name.startswith("liar")]
    ports = {stage.machine.liar_port(number): liar for number, liar in enumerate(liars)}
    before = {one["serial"] for one in stage.server.tokens()}
    stage.operator.say("run start --endless --profile desk --name hostile")
    mark, until, busy, more = stage.mark(), {port: 0.0 for port in ports}, set(), set()
    for liar in liars:
        liar.tell("PLUG")
    first, finger, healthy = stage.arguments.seed * 1_000_000, mark, [11, 12, 13, 14]
    seed = first
    while seed < first + count:
        port = min(until, key=until.get)
        time.sleep(max(0.0, until[port] - time.monotonic()))
        since, finger = finger, stage.mark()
        for event in stage.news.events(since):
            if event.get("port") not in ports:
                continue
            if event["kind"] == "arrived" and event.get("key"):
                busy.add(event["port"])
            elif event["kind"] in ("outcome", "left", "stranger"):
                busy.discard(event["port"])
            elif event["kind"] == "touch" and stage.random.random() < 0.5:
                # Some are touched when they ask for it; it may have pulled itself out.
                ports[event["port"]].ask("TOUCH 1")
        if port in busy and port not in more:
            # Being enrolled: most get the time to come to the end of it.
            more.add(port)
            until[port] = time.monotonic() + stage.random.choice([0.5, 8.0, 15.0])
            continue
        seed += 1
        ports[port].tell(f"SEED {seed}")
        busy.discard(port)
        more.discard(port)
        until[port] = time.monotonic() + stage.random.choice([0.4, 2.0, 4.0, 8.0])
        if (seed - first) % (count // 4) == 0:
            # Beside them, a healthy key is enrolled.
            number, beside, begun = healthy.pop(), stage.mark(), time.monotonic()
            its = stage.plug([number])
            stage.touched(stage.keys[number], its[number], beside)
            stage.counts([stage.enrolled(its[number], beside)])
            stage.pull(its)
            print(f"   {seed - first} devices; a healthy key took {time.monotonic() - begun:.0f} s beside them", flush=True)
    for liar in liars:
        liar.ask("UNPLUG")
    told = [event for event in stage.news.events(mark) if event.get("port") in ports]
    number_of = lambda kind: sum(event["kind"] == kind for event in told)
    endings = [event["outcome"] for event in told if event["kind"] == "outcome"]
    print(f"   {number_of('arrived')} news of arrivals, {number_of('stranger')} of what is no key, {number_of('touch')} touches asked for", flush=True)
    print(f"   {len(endings)} enrollments begun: " + ", ".join(sorted({one["ending"] for one in endings})), flush=True)
    stage.operator.say("run stop --yes")
    enrolled = {one["token"] for one in endings if one["ending"] == "enrolled"}
    # Whoever is enrolled has shown the server a code, which nobody can without the secret.
    for token in enrolled:
        (there,) = stage.server.tokens(token)
        assert there["count"] > 0, there
    honest = [stage.serial(number) for number in range(len(stage.keys))]
    left = lambda: [one["serial"] for one in stage.server.tokens() if one["serial"] not in before | enrolled and not any(key in one["serial"] for key in honest)]
    stage.settled_soon(lambda: not left(), lambda: f"tokens of liars are left: {left()}")
    stage.kernel_is_well()
    stage.is_alive()


@scenario("virt")
def memory(stage):
    """after keys were enrolled and pulled out and the server was logged out, the daemon's memory holds no seed and no password"""
    with open(os.environ["PI_PASSWORD_FILE"]) as file:
        password = file.read().strip()
    stage.operator.say(f"server login {os.environ['PI_USER']}", f"{password}\n")
    numbers = list(range(1, 5))
    stage.operator.say(f"run start --count {len(numbers)} --profile desk --name memory")
    mark = stage.mark()
    ports = stage.plug(numbers)
    stage.touched(stage.keys[1], ports[1], mark)
    stage.enrolled(ports[1], mark)
    # The others wait for a touch: seeds are written, and nothing is over.
    for number in numbers[1:]:
        stage.event("touch", mark, port=ports[number])
    secrets = {f"the seed of {stage.serial(number)}": stage.keys[number].seed() for number in numbers}
    secrets["the password"] = password
    # What stays as long as the daemon runs shows that one finds what there is.
    stays = {"the API key": stage.server.api_key}
    during = stage.dump()
    for number in numbers[1:]:
        stage.touched(stage.keys[number], ports[number], mark)
    for number in numbers[1:]:
        stage.enrolled(ports[number], mark)
    stage.pull(ports)
    stage.operator.say("server logout --yes")
    begun = time.monotonic()
    while True:
        after, dump = time.monotonic() - begun, stage.dump()
        left = scan.found(dump, secrets)
        scan.tell(f"{after:.0f} s after the logout", left)
        if not left:
            break
        assert after < GONE, f"{len(left)} copies are left after {after:.0f} s"
        time.sleep(1)
    copies = scan.found(during, secrets | stays)
    scan.tell("while three keys waited for a touch", copies)
    assert any(what == "the API key" for what, *_ in copies), "not even the API key is found"


@scenario("virt")
def idle(stage):
    """an idle daemon sleeps, with eight keys in its ports as with none; strace sees the watchdog and nothing else"""
    counts = []
    for numbers in ([], list(range(1, 9))):
        ports = stage.plug(numbers)
        # What the first look at a key leads to is over by then.
        time.sleep(20)
        before = stage.switches()
        time.sleep(60)
        counts.append(stage.switches() - before)
        threads, descriptors = stage.health()
        print(f"   {len(numbers)} keys: {counts[-1]} switches a minute, {threads} threads, {descriptors} descriptors", flush=True)
        if numbers:
            calls, beats = wakings(stage)
        stage.pull(ports)
    assert counts[1] <= counts[0] + 4, counts
    print(f"   {len(calls)} calls in 60 s, with {len(beats)} beats for the watchdog", flush=True)
    assert 3 <= len(beats) <= 5, calls[:5]
    # Every call belongs to a beat: there is none more than a second away from it.
    times = [float(line.split()[1]) for line in beats]
    apart = [line for line in calls if min(abs(float(line.split()[1]) - beat) for beat in times) > 1]
    assert not apart, apart[:5]


def wakings(stage):
    """The calls of an idle daemon in a minute, those that ended in it, since what it waits in was begun before; and its beats."""
    stage.machine.run(f"timeout 60 strace -f -ttt -s 40 -p {stage.pid} -o /tmp/calls", 150)
    lines = stage.machine.run("cat /tmp/calls")
    with open(os.path.join(stage.machine.place, "calls.log"), "w") as log:
        log.write("\n".join(lines) + "\n")
    # What strace itself interrupts begins anew at its start, and is not over at its end.
    first = float(lines[0].split()[1])
    ended = [line for line in lines if re.match(r"\d+ +[0-9.]+ ", line) and not line.endswith("<unfinished ...>")]
    late = [line for line in ended if float(line.split()[1]) > first + 3 and "<detached ...>" not in line and "restart_syscall" not in line]
    return late, [line for line in lines if "WATCHDOG=1" in line]
