"""Power cuts at random instants: of first starts, of slot switches, of enrollments."""

import os
import random
import time

import cut
import vm
import whole
from whole import Key, Server, client, twin

# Each trial has serials of its own, as all of them enroll at one server.
FIRST = 7_100_001
# As long as a server's are, so that a power cut can tear it: a sector ends within.
KEY = b"eyJ0eXAi.eyJ1c2VybmFtZSI6InRyaWFsIn0." + b"c2lnbmF0dXJl" * 50
SETTINGS = b'[station]\nname = "trial"\n\n[server]\nurl = "https://pi.invalid"\napi-key = "' + KEY + b'"\n'
# So many cuts follow each other, each of what the one before left; then the station has to start.
IN_A_ROW = 4


def number(name, usual):
    """A number from the environment."""
    return int(os.environ.get(name, usual))


class Cuts:
    """Makes power cuts, and counts what they cost."""

    def __init__(self, trial, name):
        self.trial, self.writes, self.lost, self.made = trial, 0, 0, 0
        self.seed = number("TRIAL_SEED", random.randrange(1 << 32))
        self.chance = random.Random(f"{name} {self.seed}")
        # How much processor time a start takes; known after the first.
        self.whole = None

    def running(self, **how):
        """A machine whose card forgets when `cut` is called after its end."""
        before = f"{self.trial.directory}/before.img"
        os.replace(self.trial.disk, before)
        vm.card(before, self.trial.disk)
        return self.trial.start(writes=f"{self.trial.directory}/writes", **how)

    def cut(self):
        """The card as it is after the cut."""
        writes, lost = cut.after(f"{self.trial.directory}/before.img", f"{self.trial.directory}/writes", self.trial.disk, self.chance)
        self.made, self.writes, self.lost = self.made + 1, self.writes + writes, self.lost + lost
        return f"{writes} writes, {lost} of them lost or torn"

    def start(self, seconds, *good, **how):
        """A start that is cut at some instant, by its processor time: a busy machine is slower than its clock. One that is done
        before that, and then takes next to none, is cut soon after."""
        end, soon = self.chance.uniform(0.05, 1.05) * self.whole, self.chance.uniform(0, 1)
        with self.running(**how) as machine:
            while machine.processor_seconds() < end and machine.seconds() < seconds and machine.read(0.05):
                if soon and any(one.encode() in machine.text for one in good):
                    end, soon = min(end, machine.processor_seconds() + soon), None
            end = machine.processor_seconds()
        print(f"   {self.made + 1}: after {end:.1f} s of processor time; {self.cut()}", flush=True)

    def said(self):
        return f"seed {self.seed}; {self.writes} writes, {self.lost} of them lost or torn; {self.whole or 0:.0f} s of processor time a start"


def taken_over(card):
    """Whether the settings are as they were, their secret is blanked, and the state partition has grown."""
    left = vm.get(card, "enrollment.toml")
    return b"c2lnbmF0" not in left and len(left) == len(SETTINGS) and left.startswith(SETTINGS[:60]) and vm.partition(card, 4)[1] > 300 << 20


def clean(machine):
    return b"it had errors" not in machine.text


def first_starts(trial, check, seconds, good):
    """Cuts of first starts, and of the starts that follow them; the station starts each time, and has its settings."""
    cuts, count = Cuts(trial, "first"), number("TRIAL_CUTS", 4)
    fresh, clean_ones, kept = f"{trial.directory}/fresh.img", 0, 0
    vm.put(trial.disk, {"enrollment.toml": SETTINGS})
    vm.card(trial.disk, fresh)
    rounds = 0
    while cuts.made < count:
        if cuts.whole:
            vm.card(fresh, trial.disk)
            for _ in range(min(IN_A_ROW, count - cuts.made)):
                cuts.start(seconds, good)
        with trial.start() as machine:
            machine.wait_for(good, within=seconds)
            cuts.whole = cuts.whole or machine.processor_seconds()
            clean_ones += clean(machine)
        kept += taken_over(trial.disk)
        rounds += 1
    check(f"it starts after {count} power cuts of first starts", True, cuts.said())
    check("the state partition is clean, or was replayed", clean_ones == rounds, f"{clean_ones} of {rounds} times")
    check("it has grown, the settings are as they were, the secret is blanked", kept == rounds, f"{kept} of {rounds} times")


def switches(trial, check, seconds, good):
    """Cuts while slots are switched, which U-Boot and the station write down; it starts each time."""
    cuts, count = Cuts(trial, "switch"), number("TRIAL_SWITCHES", 4)
    trial.copy_a_to_b()
    at, clean_ones, rounds, right = 0, 0, 0, 0
    while cuts.made < count:
        order = ("A B", "B A")[rounds % 2]
        vm.write_record(trial.disk, BOOT_ORDER=order, BOOT_A_LEFT="3", BOOT_B_LEFT="3")
        for _ in range(min(IN_A_ROW, count - cuts.made) if cuts.whole else 0):
            cuts.start(seconds, *good, uboot=trial.uboot)
        with trial.start(uboot=trial.uboot) as machine:
            _, at = machine.wait_for("card: starting slot", within=seconds)
            _, at = machine.wait_for(*good, within=seconds, since=at)
            cuts.whole = cuts.whole or machine.processor_seconds()
            clean_ones += clean(machine)
            slot = machine.line(at).split("slot ")[1][0]
        now = vm.record(trial.disk)
        right += now[f"BOOT_{slot}_LEFT"] == "3" and now["BOOT_ORDER"].startswith(slot)
        rounds += 1
    check(f"it starts after {count} power cuts of slot switches", True, cuts.said())
    check("the state partition is clean, or was replayed", clean_ones == rounds, f"{clean_ones} of {rounds} times")
    check("the slot that runs comes first and has its attempts", right == rounds, f"{right} of {rounds} times")


def enrollments(trial, check, seconds, good):
    """Cuts at random instants of enrollments. A key's token counts afterwards only if the key answers, and no receipt is lost."""
    cuts, count, server = Cuts(trial, "enroll"), number("TRIAL_ENROLLMENTS", 2), Server()
    vm.put(trial.disk, server.settings(trial.directory))
    program, keys, ends = twin(), [], []
    kept = told_of = sound = 0
    try:
        for turn in range(count + 1):
            if turn < count:
                keys.append(Key(program, trial.directory, f"k{turn}", "yubikey", "--slot1", "empty", "--serial", str(FIRST + turn), "--seed", str(turn)))
            with cuts.running(extra=whole.plugs(keys[max(0, turn - 1):])) as machine:
                machine.wait_for(good, within=seconds)
                cuts.whole = cuts.whole or machine.processor_seconds()
                operator = client.Operator(machine.ssh, trial.directory)
                with machine.reading():
                    operator.arrive(seconds)
                    if turn:
                        ends.append(judged(operator, server, keys[turn - 1], str(FIRST + turn - 1), seconds))
                        print(f"   {turn}: {ends[-1]}", flush=True)
                        pulled(operator, keys[turn - 1], seconds)
                    told = operator.ask("receipts verify")
                    sound += told["good"] and told["receipts"] >= kept + told_of
                    kept = told["receipts"]
                    if turn < count:
                        told_of = broken_off(operator, keys[turn], cuts.chance, seconds)
            if turn < count:
                print(f"   {turn + 1}: {cuts.cut()}; {'a receipt was promised' if told_of else 'no receipt was promised'}", flush=True)
            if turn:
                keys[turn - 1].end()
    finally:
        for key in keys:
            key.end()
    check(f"after {count} power cuts of enrollments no token counts whose key does not answer", count and None not in ends, f"{cuts.said()}; {counted(ends)}")
    check("the receipts are whole, and none is missing", sound == count + 1, f"{kept} receipts; {sound} of {count + 1} times")


def counted(ends):
    return ", ".join(f"{ends.count(end)} {end}" for end in sorted(set(ends), key=str))


def pulled(operator, key, seconds):
    """Pulls a key out; the station knows it, so that an order waits for the next."""
    news = operator.follow("watch --json", "news")
    _, mark = news.wait(lambda event: event["kind"] == "snapshot", "a snapshot", within=seconds)
    key.tell("UNPLUG")
    news.wait(lambda event: event["kind"] == "left", "the end of a key", mark, within=seconds)
    news.stop()


def broken_off(operator, key, chance, seconds):
    """An enrollment, up to some instant between the plug and a while after the touch; whether it was said to have ended well."""
    order = operator.follow("enroll --profile desk --events --json", "enroll")
    ended = lambda: any(one["kind"] == "outcome" for one in order.events())
    try:
        order.wait(lambda event: event["kind"] == "accepted", "an accepted order", within=seconds)
        key.tell("PLUG")
        if chance.random() < 0.5:
            # Before the touch: some of its steps.
            steps = chance.randrange(12)
            enough = lambda event: event["kind"] == "touch" or len([one for one in order.events() if one["kind"] == "step"]) > steps
            order.wait(enough, "a step", within=seconds)
        else:
            order.wait(lambda event: event["kind"] == "touch", "a touch", within=seconds)
            key.tell("TOUCH 1")
            time.sleep(chance.uniform(0, 3))
        return ended()
    finally:
        order.stop()


def judged(operator, server, key, serial, seconds):
    """How the enrollment ended, once the station that started anew has seen to it; None when that is wrong."""
    until = time.monotonic() + seconds
    while any(one["key"].lstrip("0") == serial for one in operator.ask("status")["unsettled"]):
        if time.monotonic() > until:
            return None
        time.sleep(2)
    tokens = server.tokens(f"UBOM{serial}_1") or server.tokens(f"UBOM0{serial}_1")
    if not tokens or not tokens[0]["active"]:
        return "taken back" if not tokens else "left that do not count"
    verify = operator.follow(f"verify {serial}", "verify")
    verify.lines.wait("[Tt]ouch", within=seconds)
    key.tell("TOUCH 1")
    return "enrolled" if verify.end(seconds) == 0 else None
