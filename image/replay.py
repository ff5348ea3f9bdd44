"""Many power cuts of a few starts: what a start writes is recorded, and cut off at many instants.

Of the machine a cut leaves nothing but the card, and the card is what had been written. So a thousand cuts
need no thousand starts: each makes a card of the record. Most instants leave a card that another one left, too; every one that
differs is examined here as U-Boot and the first process would, and some of them are started.
"""

import bisect
import os
import random
import sqlite3
import subprocess

import cut
import power
import vm

# appliance/card/src/layout.rs and state.rs: which partition it is, and what it begins with once its file system is whole.
STATE, MARK = 4, b"enrollment state"


class Record:
    """A start with all that it wrote, and when."""

    def __init__(self, trial, name, seconds, good):
        self.before, log = f"{trial.directory}/{name}.before", f"{trial.directory}/{name}.writes"
        vm.card(trial.disk, self.before)
        self.instants, self.counts = [], []
        with trial.start(writes=log) as machine:
            while good.encode() not in machine.text:
                if machine.seconds() > seconds or not machine.read(0.01):
                    raise vm.Gone(f"the {name} start did not come to its end; the last lines:\n{machine.tail()}")
                self.instants.append(machine.processor_seconds())
                self.counts.append(cut.count(log))
        self.written = list(cut.entries(log))
        os.remove(log)

    def at(self, instant):
        """What had been written by then."""
        return self.written[:self.counts[max(0, bisect.bisect_right(self.instants, instant) - 1)]]


def thousand(trial, check, seconds, good):
    """Cuts of a first start and of the one after it. Each card has to be whole, and those that are started start."""
    cuts, starts = power.number("TRIAL_REPLAYS", 200), power.number("TRIAL_REPLAYED_STARTS", 2)
    seed = power.number("TRIAL_SEED", random.randrange(1 << 32))
    chance = random.Random(f"replay {seed}")
    vm.put(trial.disk, {"enrollment.toml": power.SETTINGS})
    records = [Record(trial, name, seconds, good) for name in ("first", "second")]
    card, different, complaints, writes, lost = f"{trial.directory}/replayed.img", {}, [], 0, 0
    for turn in range(cuts):
        if turn and turn % 100 == 0:
            print(f"   {turn} cuts, {len(different)} cards that differ", flush=True)
        record = chance.choice(records)
        instant = chance.uniform(0, record.instants[-1])
        written = record.at(instant)
        kept, gone = cut.survivors(written, chance)
        writes, lost = writes + len(written), lost + gone
        name = (record.before, *((number, len(content)) for number, _, content in kept))
        if name in different:
            continue
        different[name] = instant
        cut.make(record.before, card, kept)
        complaints += [f"after {instant:.2f} s: {complaint}" for complaint in examined(card, trial.directory)]
    said = f"seed {seed}; {writes} writes, {lost} of them lost or torn; {len(different)} cards that differ"
    check(f"{cuts} power cuts of two recorded starts leave a whole card", not complaints, f"{said} {complaints[:3] or ''}")
    clean = 0
    for name in chance.sample(sorted(different), min(starts, len(different))):
        (record,) = [record for record in records if record.before == name[0]]
        kept = [(number, record.written[number][0], record.written[number][2][:length]) for number, length in name[1:]]
        cut.make(record.before, trial.disk, kept)
        with trial.start() as machine:
            machine.wait_for(good, within=seconds)
            clean += power.clean(machine) and power.taken_over(trial.disk)
    check(f"{starts} of these cards are started, and have their settings", clean == min(starts, len(different)))


def examined(card, directory):
    """What is wrong with a card."""
    if vm.record(card) is None:
        yield "no copy of the boot record is whole"
    left = vm.get(card, "enrollment.toml")
    # The line with the secret may be half-written, since the secret is kept by then; nothing else may.
    begin = power.SETTINGS.index(b"api-key")
    if len(left) != len(power.SETTINGS) or left[:begin] != power.SETTINGS[:begin]:
        yield f"the settings are not as they were: {left}"
    there = power.KEY in left
    state = f"{directory}/state.img"
    extracted(card, state)
    with open(state, "rb") as file:
        whole = file.read(len(MARK)) == MARK
    if whole:
        # As the first process has it done. What may be wrong beside what is in the journal is what e2fsck mends unasked, such as
        # sums that the kernel counts anew, and a superblock that was torn.
        mended = subprocess.run(["/sbin/e2fsck", "-f", "-p", state], capture_output=True, text=True)
        if mended.returncode not in (0, 1):
            mended = subprocess.run(["/sbin/e2fsck", "-f", "-y", state], capture_output=True, text=True)
        checked = subprocess.run(["/sbin/e2fsck", "-f", "-n", state], capture_output=True, text=True)
        if mended.returncode not in (0, 1) or checked.returncode:
            yield f"the state partition is not clean: {mended.stdout}{checked.stdout}"
        there = there or dumped(state, "/enrollment-station/server.api-key", directory).strip() == power.KEY
        yield from journal(state, directory)
    if not there:
        yield "the secret is nowhere"


def extracted(card, to):
    """The state partition, without its holes: e2fsck loses its place in a file when it has replayed a journal."""
    start, length = vm.partition(card, STATE)
    with open(card, "rb") as source, open(to, "wb") as target:
        target.truncate(length)
        at = start
        while at < start + length:
            try:
                at = os.lseek(source.fileno(), at, os.SEEK_DATA)
            except OSError:
                break  # Nothing but a hole is left.
            end = min(os.lseek(source.fileno(), at, os.SEEK_HOLE), start + length)
            while at < end:
                at += os.copy_file_range(source.fileno(), target.fileno(), end - at, at, at - start)


def dumped(state, path, directory):
    """A file of the state partition; nothing where there is none."""
    to = f"{directory}/dumped"
    if os.path.exists(to):
        os.remove(to)
    subprocess.run(["/sbin/debugfs", "-R", f"dump {path} {to}", state], capture_output=True)
    if not os.path.exists(to):
        return b""
    with open(to, "rb") as file:
        return file.read()


def journal(state, directory):
    """Whether SQLite finds the journal whole, with what is still in its log."""
    content = dumped(state, "/enrolld/journal.db", directory)
    if not content:
        return
    database = f"{directory}/journal.db"
    for ending in ("", "-wal"):
        with open(database + ending, "wb") as file:
            file.write(content if not ending else dumped(state, "/enrolld/journal.db-wal", directory))
    connection = sqlite3.connect(database)
    try:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
        if said != "ok":
            yield f"the journal is damaged: {said}"
    except sqlite3.DatabaseError as error:
        yield f"the journal cannot be read: {error}"
    finally:
        connection.close()
