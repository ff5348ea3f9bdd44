"""What switches the station off and what starts it anew, as operators do it."""

import time

import vm
from whole import client

# What the kernel says last (kernel/reboot.c).
LAST = {"poweroff": b"reboot: Power down", "reboot": b"reboot: Restarting system"}


def powers(trial, check, seconds, good):
    """`poweroff` and `reboot` do what they say, and the command ends well with the station."""
    public = client.keygen(trial.directory)
    vm.put(trial.disk, {"enrollment.toml": f'[[operators]]\nname = "trial"\nrole = "admin"\nkeys = ["{public}"]\n'.encode()})
    for word, last in LAST.items():
        with trial.start() as machine:
            machine.wait_for(good, within=seconds)
            operator = client.Operator(machine.ssh, trial.directory)
            with machine.reading():
                operator.arrive(seconds)
                begun = time.monotonic()
                status, out, errors = operator.try_to(f"{word} --yes", within=120)
                check(f"{word}: the command ends well, and says that the connection ends", status == 0 and "This connection ends." in out,
                      f"{time.monotonic() - begun:.1f} s, exit {status}: {out.strip()} {errors.strip()}")
                while machine.process.poll() is None and time.monotonic() < begun + 120:
                    time.sleep(0.2)
                ended = machine.process.poll() is not None
            check(f"{word}: the machine does it", ended and last in machine.text, f"{time.monotonic() - begun:.1f} s; {machine.tail(3)}")
