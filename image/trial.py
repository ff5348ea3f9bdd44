#!/usr/bin/env python3
"""Tries the card in emulated machines: it starts, notices decay, falls back, survives power cuts.

    image/trial.py IMAGE U-BOOT [TRIAL...]

U-BOOT is U-Boot for QEMU's "virt". Each trial prints lines "ok: ..." or "FAILED: ...". `TRIAL_SECONDS` is how long one
start may take (600); `TRIAL_CUTS`, `TRIAL_SWITCHES` and `TRIAL_ENROLLMENTS` are how many power cuts are tried of first starts (4),
of slot switches (4) and of enrollments (2), `TRIAL_SEED` chooses their instants (any number). `TRIAL_REPLAYS` is how many cuts
are made of each recording (100), and `TRIAL_REPLAYED_STARTS` how many of the cards that they leave are started (1).
Trials in which something is enrolled want a server: run all of them as

    scripts/privacyidea-fixture run --tls emulated -- image/trial.py IMAGE U-BOOT
"""

import os
import re
import sys
import tempfile

import board
import clock as unclocked
import fails as failing
import kept as keeping
import power
import powers as ends
import replay
import settings
import starts
import visit
import updates as updating
import vm
import whole

GOODS = ("slot A is", "slot B is")
GOOD = GOODS[0]
SECONDS = float(os.environ.get("TRIAL_SECONDS", 600))
KEY = "eyJ0eXAi.eyJ1c2VybmFtZSI6InRyaWFsIn0.c2lnbmF0dXJl"
failures = 0


def check(what, fine, detail=""):
    """One line to be counted."""
    global failures
    failures += not fine
    print(f"{'ok' if fine else 'FAILED'}: {what}{f' ({detail})' if detail else ''}", flush=True)


class Trial:
    """A card of its own in a directory of its own."""

    def __init__(self, image, uboot, directory):
        self.image, self.uboot, self.directory = image, uboot, directory
        self.disk = vm.card(image, f"{directory}/card.img")

    def start(self, **how):
        return vm.Machine(self.disk, log=os.environ.get("TRIAL_LOG"), parts=self.directory, **how)

    def damage(self, slot, text):
        """Flips one bit of that text, wherever it is in the slot."""
        begin, length = vm.partition(self.disk, 2 if slot == "A" else 3)
        with open(self.disk, "r+b") as file:
            file.seek(begin)
            at = file.read(length).find(text)
            if at < 0:
                raise vm.Gone(f"slot {slot} does not hold {text}")
            file.seek(begin + at)
            file.write(bytes([text[0] ^ 1]))

    def copy_a_to_b(self):
        from_a, length = vm.partition(self.disk, 2)
        to_b, _ = vm.partition(self.disk, 3)
        with open(self.disk, "r+b") as file:
            file.seek(from_a)
            slot = file.read(length)
            file.seek(to_b)
            file.write(slot)


# In the program that every start runs before the services.
TEXT = b"the station remembers nothing yet"


def first(trial):
    """The first start: settings are taken over, a secret is blanked, the slot is found good."""
    settings = f'[station]\nname = "trial"\n\n[server]\nurl = "https://pi.invalid"\napi-key = "{KEY}"\n'.encode()
    vm.put(trial.disk, {"enrollment.toml": settings})
    with trial.start() as machine:
        _, at = machine.wait_for(GOOD, within=SECONDS)
        line = machine.line(at)
        found = re.search(r"; ([\d.]+) s after the start, (\d+) MB used by (\d+) processes", line)
        check("the station starts and finds its slot good", True,
              f"{machine.seconds():.1f} s, {machine.processor_seconds():.1f} s of processor time")
        check("it uses at most 90 MB", bool(found) and int(found[2]) <= 90, found[2] + " MB" if found else line)
        check("at most 12 processes run", bool(found) and int(found[3]) <= 12, found[3] if found else line)
    left = vm.get(trial.disk, "enrollment.toml")
    check("the secret is blanked on the card", KEY.encode() not in left and len(left) == len(settings))
    check("all else that was written there still is", left.startswith(b'[station]\nname = "trial"'))


def uboot(trial):
    """U-Boot takes an attempt; the station gives it back."""
    with trial.start(uboot=trial.uboot) as machine:
        _, at = machine.wait_for("card: starting slot", within=SECONDS)
        check("U-Boot starts slot A and counts", "slot A; attempts left: A 2" in machine.line(at), machine.line(at))
        machine.wait_for(GOOD, within=SECONDS)
    record = vm.record(trial.disk)
    check("the attempts are given back", record["BOOT_A_LEFT"] == "3" and record["BOOT_GEN"] == "3", str(record))


def decay(trial):
    """A flipped bit in the root is noticed, and nothing is run from it."""
    trial.damage("A", TEXT)
    with trial.start() as machine:
        said, _ = machine.wait_for("is corrupted", GOOD, within=SECONDS)
        check("a flipped bit in the root is noticed", said == "is corrupted")
        while machine.read(SECONDS):
            pass
        check("the machine restarts at once", GOOD.encode() not in machine.text)


def fallback(trial):
    """A bad slot gives way to the good one by itself."""
    trial.copy_a_to_b()
    trial.damage("B", TEXT)
    vm.write_record(trial.disk, BOOT_ORDER="B A", BOOT_B_LEFT="1", BOOT_A_LEFT="3")
    with trial.start(uboot=trial.uboot) as machine:
        machine.wait_for("starting slot B", within=SECONDS)
        _, at = machine.wait_for("is corrupted", within=SECONDS)
        machine.wait_for("starting slot A", within=SECONDS, since=at)
        check("the damaged slot B gives way to A", True)
        machine.wait_for(GOOD, within=SECONDS, since=at)
        check("A is found good", True)
    record = vm.record(trial.disk)
    check("A comes first from now on", record["BOOT_ORDER"] == "A B" and record["BOOT_B_LEFT"] == "0", str(record))


def torn(trial):
    """A boot record of which a power cut left one copy half-written."""
    with open(trial.disk, "r+b") as file:
        file.seek(vm.RECORDS[1] + 10)
        file.write(b"torn")
    with trial.start(uboot=trial.uboot) as machine:
        _, at = machine.wait_for("card: starting slot", within=SECONDS)
        check("U-Boot goes by the copy that is whole", "attempts left: A 2" in machine.line(at))
    check("and mends the other", vm.record(trial.disk)["BOOT_GEN"] == "2")


def cuts(trial):
    """Power cuts at random instants of first starts and of the starts after them."""
    power.first_starts(trial, check, SECONDS, GOOD)


def switches(trial):
    """Power cuts at random instants while slots are switched, through U-Boot."""
    power.switches(trial, check, SECONDS, GOODS)


def replays(trial):
    """Many power cuts of recorded starts, without as many starts."""
    replay.starts(trial, check, SECONDS, GOOD)


def switch_replays(trial):
    """Many power cuts of recorded slot switches, through U-Boot."""
    replay.switches(trial, check, SECONDS, GOODS)


def enrollment_replays(trial):
    """Many power cuts of a recorded enrollment: the card knows what the operator had been told."""
    replay.enrollments(trial, check, SECONDS, GOOD)


def wrong(trial):
    """A wrong enrollment.toml: named on the display; operators whose keys could be read get in; nothing is enrolled."""
    settings.wrong(trial, check, SECONDS)


def broken(trial):
    """Power cuts at random instants of enrollments."""
    power.enrollments(trial, check, SECONDS, GOOD)


def network(trial):
    """A VLAN, an address of its own, IPv6, a name, log lines; and nothing but the SSH server that answers."""
    visit.network(trial, check, SECONDS, GOOD)


def attacked(trial):
    """What somebody at the serial line and at the USB ports gets: nothing."""
    visit.attacked(trial, check, SECONDS, GOOD)


def powers(trial):
    """`poweroff` and `reboot`, ordered through the SSH server."""
    ends.powers(trial, check, SECONDS, GOOD)


def kept(trial):
    """A state partition that lost what stands in front of it; a card that takes no writes."""
    keeping.kept(trial, check, SECONDS)


def damaged(trial):
    """A state partition without room, or of which nothing can be read, and one that is begun anew by order."""
    keeping.damaged(trial, check, SECONDS)


def clock(trial):
    """A board without a clock, with and without a time server. Binds port 123 of the host."""
    unclocked.clock(trial, check, SECONDS)


def fails(trial):
    """A card that takes no writes any more while the station runs."""
    failing.fails(trial, check, SECONDS)


def boards(trial):
    """U-Boot as it is on the card, on an emulated Pi 4B and Pi 3B, up to the kernel's first line."""
    starts.boards(trial, check, SECONDS)


def updates(trial):
    """A good update and bad ones: tried, found good or given up, by itself. Makes the updates first. Only when it is named."""
    updating.updates(trial, check, SECONDS)


def pi(trial):
    """A Pi 3B through U-Boot, with a display and a lamp. Only when it is named."""
    board.pi(trial, check, SECONDS, GOOD)


def led(trial):
    """A Pi 3B+ by its device tree: its own LED. Only when it is named."""
    board.led(trial, check, SECONDS)


def enrolls(trial):
    """First start to a proven key: TLS with a private authority, OpenSSH's client, a YubiKey on USB."""
    whole.whole(trial, check, SECONDS, GOOD)


ALL = (first, uboot, decay, fallback, torn, wrong, network, attacked, powers, kept, damaged, clock, fails, boards, cuts, replays, switches, switch_replays, enrolls, broken, enrollment_replays, updates, pi, led)
TRIALS = {trial.__name__: trial for trial in ALL}
# Those that want a server: PI_URL and what scripts/privacyidea-fixture says besides.
SERVED = {enrolls, broken, enrollment_replays}
# Long ones; QEMU's I2C bus brings the kernel's driver down now and then (docs/image.md).
NAMED = {updates, pi, led}


def main():
    image, uboot_path, *names = sys.argv[1:]
    for name in names or [name for name, trial in TRIALS.items() if trial not in NAMED and (trial not in SERVED or "PI_URL" in os.environ)]:
        print(f"{name}: {TRIALS[name].__doc__}", flush=True)
        with tempfile.TemporaryDirectory(prefix="station-") as directory:
            try:
                TRIALS[name](Trial(image, uboot_path, directory))
            except Exception as error:  # noqa: BLE001 - whatever it is, the others are tried as well.
                check(name, False, f"{type(error).__name__}: {error}")
    return failures > 0


if __name__ == "__main__":
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__.strip(), "", *(f"{name}: {trial.__doc__}" for name, trial in TRIALS.items()), sep="\n")
    else:
        sys.exit(main())
