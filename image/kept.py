"""A state partition that is damaged, full or cannot be written: operators get in, nothing is lost in doubt, and it is said."""

import os
import subprocess

import vm
import wrong
from whole import client

STATE = 4


class Partition:
    """The state partition of a card, aside as a file, and put back at the end."""

    def __init__(self, disk):
        self.disk = disk
        self.start, self.length = vm.partition(disk, STATE)
        self.file = f"{disk}.state"

    def __enter__(self):
        subprocess.run(["dd", f"if={self.disk}", f"of={self.file}", "bs=1M", f"skip={self.start >> 20}", f"count={self.length >> 20}",
                        "conv=sparse", "status=none"], check=True)
        os.truncate(self.file, self.length)
        return self

    def __exit__(self, *_):
        subprocess.run(["dd", f"if={self.file}", f"of={self.disk}", "bs=1M", f"seek={self.start >> 20}", "conv=notrunc", "status=none"], check=True)
        os.unlink(self.file)

    def write(self, at, content):
        """Overwrites some bytes."""
        with open(self.file, "r+b") as file:
            file.seek(at)
            file.write(content)

    def debugfs(self, words, write=False):
        """What debugfs says; the file system is not mounted."""
        done = subprocess.run(["/sbin/debugfs", *(["-w"] if write else []), "-R", words, self.file], capture_output=True, text=True, check=True)
        return done.stdout

    def replay(self):
        """Has the journal replayed, as a start does."""
        subprocess.run(["/sbin/e2fsck", "-p", self.file], capture_output=True, check=False)


def started(trial, seconds, **how):
    """Status of a station as its operator sees it, and what `receipts export` ends with."""
    with trial.start(**how) as machine:
        with machine.reading():
            operator = client.Operator(machine.ssh, trial.directory)
            operator.arrive(seconds)
            status = operator.ask("status")
            exported, _, _ = operator.try_to("receipts export")
    return status, exported


def said(status, exported):
    """What a check that fails has to show."""
    return f"{code(status)}, mode {status['mode']}, host key {status['host_key']}, export {exported}: {status['records']}"


def code(status):
    """Why nothing can be enrolled."""
    return (status.get("not_ready") or {}).get("code")


def prepared(trial, seconds):
    """The first start of a card without a mistake in its settings, so that what is said later is about the card; its host key."""
    settings = wrong.GOOD.replace("{key}", client.keygen(trial.directory)).replace('ca = "ca.pem"\n', "")
    vm.put(trial.disk, {"enrollment.toml": settings.encode()})
    first, _ = started(trial, seconds)
    return first["host_key"]


def kept(trial, check, seconds):
    """What was lost in front of the file system; a card at its end."""
    key = prepared(trial, seconds)
    with Partition(trial.disk) as state:
        state.replay()
        state.write(0, b"enrolkment state")
        state.write(1024, bytes(1024))
    status, exported = started(trial, seconds)
    check("a wrong mark and a lost superblock cost nothing, and are said",
          status["host_key"] == key and exported == 0 and "superblock" in status["records"]["text"], said(status, exported))
    status, exported = started(trial, seconds, readonly=True)
    check("a card that takes no writes can be read, and no key is taken",
          code(status) == "E5014" and status["host_key"] == key and exported == 0 and status["mode"] == "locked", said(status, exported))


def damaged(trial, check, seconds):
    """A card without room, one that nothing can be read of, and the order to begin anew; each on what the one before left."""
    key = prepared(trial, seconds)
    with Partition(trial.disk) as state:
        state.replay()
        with open(f"{trial.directory}/full", "wb") as file:
            file.truncate(state.length)
            file.write(b"x" * state.length)
        state.debugfs(f"write {trial.directory}/full full", write=True)
    status, exported = started(trial, seconds)
    check("a card that is full can be read, and no key is taken", code(status) == "E5015" and status["host_key"] == key and exported == 0, said(status, exported))

    with Partition(trial.disk) as state:
        state.replay()
        state.debugfs("rm full", write=True)
        inode = state.debugfs("imap <2>")
        block, offset = int(inode.split("located at block ")[1].split(",")[0]), int(inode.split("offset ")[1].split()[0], 16)
        size = int(state.debugfs("show_super_stats -h").split("Block size:")[1].split()[0])
        state.write(block * size + offset, b"\xff" * 128)
    status, exported = started(trial, seconds)
    check("where nothing can be read, nothing is made anew, and admins of the card's file get in",
          code(status) == "E5016" and status["host_key"] != key and status["records"]["health"] == "bad", said(status, exported))
    vm.put(trial.disk, {"begin-anew.txt": b""})
    status, exported = started(trial, seconds)
    check("it is made anew by order", code(status) not in ("E5014", "E5015", "E5016") and status["records"]["health"] == "good", said(status, exported))
