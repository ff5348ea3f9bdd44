"""A card that fails while the station runs: the host answers each write with an error from then on."""

import json
import os
import time

import vm
import wrong
from whole import client

# blkdebug's word for all writes from now on (QEMU, qapi/block-core.json, BlkdebugInjectErrorOptions). 5 is EIO.
ERRORS = {"event": "none", "iotype": "write", "errno": 5, "once": False, "immediately": False}


def break_writes(machine, disk, directory):
    """What the card holds can be read as before; writes go to an overlay that takes none."""
    overlay = f"{directory}/overlay"
    with open(overlay, "wb"):
        pass

    def ask(command, **words):
        said = machine.qmp(command, **words)
        if "error" in said:
            raise vm.Gone(f"{command}: {said['error']}")
        return said["return"]

    ask("blockdev-add", **{"node-name": "overlay", "driver": "file", "filename": overlay})
    ask("blockdev-create", **{"job-id": "create", "options": {"driver": "qcow2", "file": "overlay", "size": os.path.getsize(disk)}})
    while not any(job["id"] == "create" and job["status"] == "concluded" for job in ask("query-jobs")):
        time.sleep(0.1)
    ask("job-dismiss", id="create")
    card = next(device["inserted"]["node-name"] for device in ask("query-block") if device.get("inserted"))
    broken = {"driver": "blkdebug", "image": "overlay", "inject-error": [ERRORS]}
    ask("blockdev-add", **{"node-name": "broken", "driver": "qcow2", "backing": None, "file": broken})
    ask("blockdev-snapshot", node=card, overlay="broken")


def fails(trial, check, seconds):
    """The daemon hears of it, takes no key, and says what to do; what is there can be read."""
    public = client.keygen(trial.directory)
    settings = wrong.GOOD.replace("{key}", public).replace('ca = "ca.pem"\n', "")
    vm.put(trial.disk, {"enrollment.toml": settings.encode()})
    # A card fails when it is old. What a first start has written a minute ago would still be in the file system's journal alone, which cannot be
    # replayed on a card that takes no writes; the second start has replayed it.
    with trial.start() as machine, machine.reading():
        client.Operator(machine.ssh, trial.directory).arrive(seconds)
    with trial.start() as machine, machine.reading():
        operator = client.Operator(machine.ssh, trial.directory)
        operator.arrive(seconds)
        before = operator.ask("status")
        check("the card is well at first", before["records"]["health"] == "good" and before["mode"] == "attended", json.dumps(before["records"]))
        break_writes(machine, trial.disk, trial.directory)
        begun = time.monotonic()
        operator.try_to("mode armed")
        status = operator.ask("status")
        while (status["records"]["health"] == "good" or status["board"]["health"] != "bad") and time.monotonic() < begun + 120:
            time.sleep(1)
            status = operator.ask("status")
        took = f"{time.monotonic() - begun:.0f} s"
        said = json.dumps({name: status[name] for name in ("records", "board", "not_ready", "mode")})
        check("no key is taken from then on, and the remedy is said", (status["not_ready"] or {}).get("code") == "E5014" and status["mode"] == "locked",
              f"after {took}: {said}")
        check("the kernel's words of it are in status", "vda" in status["board"]["text"], status["board"]["text"])
        status, out, errors = operator.try_to("reboot --yes", within=120)
        check("it can be restarted, as it says", status == 0 and "reboot" in said, f"exit {status}: {out.strip()} {errors.strip()}")
    with trial.start(broken=True) as machine, machine.reading():
        operator = client.Operator(machine.ssh, trial.directory)
        operator.arrive(seconds)
        status = operator.ask("status")
        exported, _, errors = operator.try_to("receipts export")
        check("a start with a card that answers each write with an error can be read, and no key is taken",
              (status["not_ready"] or {}).get("code") == "E5014" and status["host_key"] == before["host_key"] and exported == 0,
              f"{json.dumps(status['not_ready'])}, host key {before['host_key']} and then {status['host_key']}, export {exported} {errors.strip()}")
