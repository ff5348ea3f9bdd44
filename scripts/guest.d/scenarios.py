"""What is done to the keys, and what the station has to make of it.

Each scenario leaves every port empty. What happens is read from `watch --json`, and what came of it
from the server, by a second administrator.
"""

import re
import time
from datetime import datetime

from machine import Trouble

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
    stage.machine.run("udevadm monitor --kernel --subsystem-match=usb >/tmp/uevents 2>&1 & monitor=$!; sleep 1")
    order = stage.operator.follow("enroll --profile desk --events --json", "enroll")
    order.wait(lambda event: event["kind"] == "accepted", "an accepted order")
    mark = stage.mark()
    stage.keys[0].tell("PLUG")
    reading = stage.event("arrived", mark)
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
    found = stage.machine.run("kill $monitor; cat /tmp/uevents")
    seen = [re.search(r"KERNEL\[([0-9.]+)\] add .*/(\d+-[0-9.]+) ", line) for line in found]
    (kernel,) = [float(one.group(1)) for one in seen if one and one.group(2) == port][:1]
    told = datetime.fromisoformat(reading["at"].replace("Z", "+00:00")).timestamp() - stage.clock()
    print(f"   from the kernel's event to reading: {(told - kernel) * 1000:.0f} ms", flush=True)


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
    order = stage.operator.follow("enroll --profile desk --events --json", "enroll")
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
    """a key that hangs for its kernel's time limit holds no other up"""
    hung, well = stage.keys[10], stage.keys[11]
    ports = stage.plug([10])
    hung.tell("DEAD")
    ports |= stage.plug([11])
    mark = stage.mark()
    hung.tell("UNPLUG")
    stage.event("left", mark, port=ports[10])
    hung.tell("ALIVE")
    mark = stage.mark()
    well.tell("UNPLUG")
    stage.event("left", mark, port=ports[11])


@scenario("virt")
def strangers(stage):
    """a mouse is named as what it is, and no driver of the guest gets at it"""
    mark = stage.mark()
    stage.machine.qmp("device_add", driver="usb-mouse", id="mouse", bus="more.0")
    told = stage.event("stranger", mark)
    port = told["port"]
    assert re.search("mouse|input", told["text"]), told
    lines = stage.machine.run(f"cat /sys/bus/usb/devices/{port}/authorized; ls -d /sys/bus/usb/devices/{port}:* 2>/dev/null | wc -l")
    assert lines[-2:] == ["0", "0"], lines
    mark = stage.mark()
    stage.machine.qmp("device_del", id="mouse")
    stage.event("left", mark, port=port)


@scenario("virt")
def cycles(stage, count=100):
    """a hundred times a key is pulled out or plugged in at some instant; nothing is left behind"""
    numbers = list(range(1, 9))
    before, mark, plugged = stage.health(), stage.mark(), set()
    for _ in range(2 * count):
        number = stage.random.choice(numbers)
        stage.keys[number].tell("UNPLUG" if number in plugged else "PLUG")
        plugged ^= {number}
        time.sleep(stage.random.choice([0.05, 0.3, 0.8, 1.5]))
    for number in plugged:
        stage.keys[number].tell("UNPLUG")
    # Whatever happened: each key is still found, and is the one that it is, and then every port is empty.
    time.sleep(8)
    ports = stage.plug(numbers)
    stage.pull(ports)
    last = {}
    for event in stage.news.events(mark):
        if event["kind"] in ("arrived", "left"):
            last[event["port"]] = event["kind"]
    assert set(last.values()) == {"left"}, last
    after = stage.settled(before)
    print(f"   threads and descriptors before {before}, after {after}", flush=True)
    assert after[0] <= before[0] and after[1] <= before[1], (before, after)
    stage.kernel_is_well()


@scenario("virt")
def hostile(stage, count=200):
    """two hundred hostile devices during a run: none is enrolled, and everything goes on"""
    tokens = len(stage.server.tokens())
    stage.operator.say("run start --endless --profile desk --name hostile")
    liar, mark = stage.odd["liar"], stage.mark()
    liar.tell("PLUG")
    for seed in range(1, count + 1):
        liar.tell(f"SEED {seed}")
        if stage.random.random() < 0.3:
            liar.tell("TOUCH 1")
        time.sleep(stage.random.choice([0.2, 0.6, 1.5]))
        if seed % 50 == 0:
            # Beside it, a healthy key is enrolled.
            number, beside = 11 + seed // 50 % 4, stage.mark()
            ports = stage.plug([number])
            stage.touched(stage.keys[number], ports[number], beside)
            stage.counts([stage.enrolled(ports[number], beside)])
            stage.pull(ports)
            tokens += 1
            print(f"   {seed} devices", flush=True)
    liar.tell("UNPLUG")
    time.sleep(8)
    stage.operator.say("run stop --yes")
    told = stage.news.events(mark)
    count_of = lambda kind: sum(event["kind"] == kind for event in told)
    print(f"   {count_of('arrived')} news of arrivals, {count_of('stranger')} of what is no key", flush=True)
    assert len(stage.server.tokens()) == tokens, "a liar was enrolled"
    stage.kernel_is_well()
    stage.is_alive()


@scenario("virt")
def idle(stage):
    """an idle daemon sleeps, with eight keys in its ports as with none; strace sees no call of its own accord"""
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
        stage.pull(ports)
    time.sleep(10)
    lines = stage.machine.run(f"timeout 60 strace -f -p {stage.pid} -o /tmp/calls; grep -v -e restart_syscall -e resumed -e detached /tmp/calls", 120)
    calls = [line for line in lines if re.match(r"\d+ +\w+\(", line) and "<unfinished" not in line]
    waking = [line for line in lines if re.match(r"\d+ +\w+\(", line)]
    print(f"   calls in 60 s: {len(waking)}", flush=True)
    for line in waking[:20]:
        print(f"     {line[:100]}", flush=True)
    assert counts[1] <= counts[0] + 4, counts
    assert len(calls) <= 4, calls
