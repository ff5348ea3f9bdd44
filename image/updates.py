"""Updates on an emulated card, through U-Boot: a good one, and builds that cannot do the station's job."""

import json
import os
import subprocess

import vm
import wrong
from whole import client

VARIANT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "variant")
# What is wrong with each, and what the station has to say of it (image/variant).
BAD = {
    "dies": "the daemon is not ready",
    "hangs": "the daemon is not ready",
    "network": "there is no network interface",
    "usb": "there is no USB controller",
    "panics": "it never came so far",
}


def updates(trial, check, seconds):
    """Each is put beside enrollment.toml, installed at the next start, tried, and found good or given up."""
    limit = os.environ.get("TRIAL_LIMIT", "30")
    public = client.keygen(trial.directory)
    settings = wrong.GOOD.replace("{key}", public).replace('ca = "ca.pem"\n', "")
    for number, change in enumerate(os.environ.get("TRIAL_UPDATES", "good dies hangs network usb panics").split(), 2):
        bundle = f"{trial.directory}/{change}.update"
        subprocess.run([VARIANT, change, str(number), bundle], check=True, stdout=subprocess.DEVNULL)
        disk = trial.disk = vm.card(trial.image, f"{trial.directory}/{change}.img")
        vm.put(disk, {"enrollment.toml": settings.encode()})
        with trial.start(uboot=trial.uboot) as machine, machine.reading():
            operator = client.Operator(machine.ssh, trial.directory)
            operator.arrive(seconds)
            before = operator.ask("status")
            operator.ask("mode locked")
            machine.wait_for("slot A is", within=seconds)
        with open(bundle, "rb") as file:
            vm.put(disk, {"new.update": file.read()})
        os.unlink(bundle)
        # A release does not heed this word; this build is one for tests.
        vm.tell_uboot(disk, "more", f"card.trial={limit}")
        with trial.start(uboot=trial.uboot) as machine:
            _, at = machine.wait_for("is tried at the next start", within=seconds)
            took = f"{machine.seconds():.0f} s, {machine.processor_seconds():.0f} s of processor time"
            check(f"{change}: it is written at the start, and tried", "slot B" in machine.line(at), f"{took}: {machine.line(at)}")
            machine.wait_for("starting slot B", within=seconds, since=at)
            good, _ = machine.wait_for("slot B does its job", "the update is given up", within=6 * seconds, since=at)
            line = machine.line(machine.text.rfind(good.encode()))
            if change == "good":
                check("good: it is found good", good == "slot B does its job", line)
            else:
                check(f"{change}: the station falls back and says why", good == "the update is given up" and BAD[change] in line, line)
                tries = machine.text.count(b"starting slot B")
                check(f"{change}: after three tries", tries >= 3, f"{tries}")
                machine.wait_for("slot A is", within=seconds, since=at)
            with machine.reading():
                operator = client.Operator(machine.ssh, trial.directory)
                operator.arrive(seconds)
                after = operator.ask("status")
                exported, _, errors = operator.try_to("receipts export")
            check(f"{change}: host key and settings are those of before", after["host_key"] == before["host_key"] and after["station"] == before["station"] and exported == 0,
                  json.dumps([before["host_key"], after["host_key"], exported, errors.strip()]))
            check(f"{change}: it is tried once", machine.text.count(b"is tried at the next start") == 1)
        record = vm.record(disk)
        first = "B" if change == "good" else "A"
        check(f"{change}: what runs comes first, and nothing is on trial", record["BOOT_ORDER"].startswith(first) and record["BOOT_TRIAL"] == "-", str(record))
        os.unlink(disk)
