"""Many power cuts of a few machines: what one writes is recorded, and cut off at many instants.

Of the machine a cut leaves nothing but the card, and the card is what had been written. So a thousand cuts
need no thousand starts: each makes a card of the record. Most instants leave a card that another one left, too; every one that
differs is examined here as U-Boot and the first process would, and some of them are started.
"""

import bisect
import contextlib
import json
import os
import random
import sqlite3
import subprocess
import threading

import cut
import power
import vm
import whole
from whole import Key, Server, client, twin

# appliance/card/src/layout.rs and state.rs: which partition it is, and what it begins with once its file system is whole.
STATE, MARK = 4, b"enrollment state"
SERIAL = "7200001"
# appliance/station/src/record.rs, in the order in which an enrollment passes through them.
STATES = ("planned", "registered", "written", "proven", "done")


class Record:
    """What was written to a card, when, and what somebody had been told by then."""

    def __init__(self, trial, name, secret=power.KEY):
        """`secret` is what the settings hold before the first start, and the state partition after it."""
        self.trial, self.secret = trial, secret
        self.before, self.log = f"{trial.directory}/{name}.before", f"{trial.directory}/{name}.writes"
        vm.card(trial.disk, self.before)
        self.settings = vm.get(self.before, "enrollment.toml")
        self.instants, self.counts, self.told, self.begin = [0.0], [0], [], 0.0

    @contextlib.contextmanager
    def made(self, **how):
        """A machine that is recorded."""
        with self.trial.start(writes=self.log, **how) as machine:
            over = threading.Event()
            sampler = threading.Thread(target=self._sample, args=(machine, over), daemon=True)
            sampler.start()
            try:
                yield machine
            finally:
                over.set()
                sampler.join()
        self.written = list(cut.entries(self.log))
        os.remove(self.log)

    def _sample(self, machine, over):
        while not over.wait(0.01):
            self.counts.append(cut.count(self.log))
            self.instants.append(machine.processor_seconds())

    def tell(self, what):
        """Somebody is told this now, so no later cut may take it back."""
        self.told.append((cut.count(self.log), what))

    def at(self, instant):
        """How much had been written by then."""
        return self.counts[max(0, bisect.bisect_right(self.instants, instant) - 1)]

    def middles(self):
        """Where a write can be broken off: its number, counted from 1, and how much of it is there."""
        for count in range(self.at(self.begin) + 1, self.counts[-1] + 1):
            _, flags, content = self.written[count - 1]
            sectors = len(content) // cut.SECTOR
            if sectors > 1 and not flags & cut.FUA:
                yield from ((count, some * cut.SECTOR) for some in sorted({1, sectors // 2, sectors - 1}))

    def promised(self, count):
        """What had been told when so much was written."""
        return [what for after, what in self.told if after <= count]


def play(records, trial, check, what, seconds, good, right, uboot=None):
    """Cuts of records. Each card has to be whole; those that are started start, and are `right`."""
    cuts, starts = power.number("TRIAL_REPLAYS", 100), power.number("TRIAL_REPLAYED_STARTS", 1)
    seed = power.number("TRIAL_SEED", random.randrange(1 << 32))
    chance = random.Random(f"{what} {seed}")
    card, different, complaints, writes, lost, kept_promises = f"{trial.directory}/replayed.img", {}, [], 0, 0, 0
    middles = [(number, *middle) for number, record in enumerate(records) for middle in record.middles()]
    chance.shuffle(middles)
    for turn in range(cuts):
        if turn and turn % 100 == 0:
            print(f"   {turn} cuts, {len(different)} cards that differ", flush=True)
        number = chance.randrange(len(records))
        record = records[number]
        count, torn = record.at(chance.uniform(record.begin, record.instants[-1])), None
        # Half of them at some instant, half in the middle of a write, each another: most writes take no time.
        if turn % 2 and middles:
            number, count, torn = middles.pop()
            record = records[number]
        written, promised = record.written[:count], record.promised(count)
        kept, gone = cut.survivors(written, chance, torn)
        writes, lost, kept_promises = writes + len(written), lost + gone, kept_promises + len(promised)
        name = (number, len(promised), *((at, len(content)) for at, _, content in kept))
        if name in different:
            continue
        different[name] = promised
        cut.make(record.before, card, kept)
        complaints += [f"after {count} writes: {complaint}" for complaint in examined(card, record, promised)]
    said = f"seed {seed}; {writes} writes, {lost} of them lost or torn; {len(different)} cards that differ"
    said += f"; {len(middles)} places left where a write could break off"
    if kept_promises:
        said += f"; {kept_promises} things that were told"
    check(f"{cuts} power cuts of {what} leave a whole card", not complaints, f"{said} {complaints[:3] or ''}")
    chosen, fine, repaired = chance.sample(sorted(different), min(starts, len(different))), 0, 0
    for name in chosen:
        record = records[name[0]]
        kept = [(at, record.written[at][0], record.written[at][2][:length]) for at, length in name[2:]]
        cut.make(record.before, trial.disk, kept)
        with trial.start(uboot=uboot) as machine:
            machine.wait_for(good, within=seconds)
            repaired += not power.clean(machine)
            fine += right(machine, different[name])
    # What is whole after the repair, `examined` has seen.
    check(f"{len(chosen)} of these cards are started, and are right", fine == len(chosen), f"{fine} of {len(chosen)}; {repaired} repaired")


def starts(trial, check, seconds, good):
    """Cuts of a first start and of the one after it."""
    vm.put(trial.disk, {"enrollment.toml": power.SETTINGS})
    records = []
    for name in ("first", "second"):
        records.append(Record(trial, name))
        with records[-1].made() as machine:
            machine.wait_for(good, within=seconds)
    play(records, trial, check, "a first start and the one after it", seconds, good, lambda *_: power.taken_over(trial.disk))


def switches(trial, check, seconds, goods):
    """Cuts of a start through U-Boot that goes over to slot B, and of one that goes back."""
    vm.put(trial.disk, {"enrollment.toml": power.SETTINGS})
    trial.copy_a_to_b()
    with trial.start() as machine:
        machine.wait_for(goods[0], within=seconds)
    for to, order, good in (("B", "B A", goods[1]), ("A", "A B", goods[0])):
        vm.write_record(trial.disk, BOOT_ORDER=order, BOOT_A_LEFT="3", BOOT_B_LEFT="3")
        record = Record(trial, f"to-{to}")
        with record.made(uboot=trial.uboot) as machine:
            machine.wait_for(good, within=seconds)
        after = f"{trial.directory}/after.img"
        vm.card(trial.disk, after)

        def right(*_):
            now = vm.record(trial.disk)
            return now["BOOT_ORDER"] == order and now[f"BOOT_{to}_LEFT"] == "3" and power.taken_over(trial.disk)

        play([record], trial, check, f"a switch to slot {to}", seconds, good, right, trial.uboot)
        vm.card(after, trial.disk)


def enrollments(trial, check, seconds, good):
    """Cuts of an enrollment. What its operator had been told, the card knows."""
    server = Server()
    settings = server.settings(trial.directory)
    vm.put(trial.disk, settings)
    with trial.start() as machine:
        machine.wait_for(good, within=seconds)
    record = Record(trial, "enrollment", settings["api.key"].strip())
    key = Key(twin(), trial.directory, "key", "yubikey", "--slot1", "empty", "--serial", SERIAL)
    try:
        with record.made(extra=whole.plugs([key])) as machine:
            machine.wait_for(good, within=seconds)
            operator = client.Operator(machine.ssh, trial.directory)
            with machine.reading():
                operator.arrive(seconds)
                enroll(record, key, operator, machine, seconds)
    finally:
        key.end()

    def right(machine, promised):
        operator = client.Operator(machine.ssh, trial.directory)
        with machine.reading():
            operator.arrive(seconds)
            told = operator.ask("receipts verify")
        return told["good"] and told["receipts"] >= promised.count("a receipt")

    play([record], trial, check, "an enrollment", seconds, good, right)


def enroll(record, key, operator, machine, seconds):
    """One enrollment, with all that its operator is told noted down."""

    def noted(event):
        step = (event.get("step") or {}).get("step", "")
        if step.startswith("journal ") and step.split()[1] in STATES:
            record.tell(step.split()[1])
        if event["kind"] == "outcome":
            if event["outcome"]["ending"] != "enrolled":
                raise whole.Trouble(json.dumps(event))
            record.tell("done")
            record.tell("a receipt")
        return event["kind"]

    order = operator.follow("enroll --profile desk --events --json", "enroll")
    _, mark = order.wait(lambda event: noted(event) == "accepted", "an accepted order", within=seconds)
    record.begin = machine.processor_seconds()
    key.tell("PLUG")
    _, mark = order.wait(lambda event: noted(event) == "touch", "a touch", mark, within=seconds)
    key.tell("TOUCH 1")
    order.wait(lambda event: noted(event) == "outcome", "an outcome", mark, within=seconds)
    order.end(seconds)
    # What follows the last word is the next moment's: the clean-up, and quiet.
    end = machine.processor_seconds() + 1
    while machine.processor_seconds() < end and record.instants[-1] < end:
        threading.Event().wait(0.05)


def examined(card, record, promised):
    """What is wrong with a card."""
    slots = vm.record(card)
    if slots is None:
        yield "no copy of the boot record is whole"
    elif slots["BOOT_ORDER"] not in ("A B", "B A") or slots[f"BOOT_{slots['BOOT_ORDER'][0]}_LEFT"] not in ("2", "3"):
        yield f"the boot record is not right: {slots}"
    left = vm.get(card, "enrollment.toml")
    # The line with the secret may be half-written, since the secret is kept by then; nothing else may.
    begin = record.settings.index(b"api-key")
    if len(left) != len(record.settings) or left[:begin] != record.settings[:begin]:
        yield f"the settings are not as they were: {left}"
    there = record.secret in left
    blanked = b"#api-key: kept" in left and not left[begin:].replace(b"#api-key: kept", b"", 1).strip()
    directory = record.trial.directory
    state = f"{directory}/state.img"
    extracted(card, state)
    with open(state, "rb") as file:
        made = file.read(len(MARK)) == MARK
    if made:
        # As the first process has it done. What may be wrong beside what is in the journal is what e2fsck mends unasked, such as
        # sums that the kernel counts anew, and a superblock that was torn.
        mended = subprocess.run(["/sbin/e2fsck", "-f", "-p", state], capture_output=True, text=True)
        if mended.returncode not in (0, 1):
            mended = subprocess.run(["/sbin/e2fsck", "-f", "-y", state], capture_output=True, text=True)
        checked = subprocess.run(["/sbin/e2fsck", "-f", "-n", state], capture_output=True, text=True)
        if mended.returncode not in (0, 1) or checked.returncode:
            yield f"the state partition is not clean: {mended.stdout}{checked.stdout}"
        there = there or dumped(state, "/enrollment-station/server.api-key", directory).strip() == record.secret
        if left != record.settings and not blanked and dumped(state, "/enrollment-station.blanking/enrollment.toml", directory) != record.settings:
            yield f"a half-blanked card, and no note of what it was: {left}"
        yield from journal(state, directory, promised)
        receipts = dumped(state, "/enrolld/receipts/receipts-000001.jsonl", directory).splitlines()
        if sum(b'"receipt":' in line for line in receipts) < promised.count("a receipt"):
            yield f"a receipt is missing: {receipts}"
    elif promised:
        yield f"there is no state, and this had been told: {promised}"
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


def journal(state, directory, promised):
    """Whether SQLite finds the journal whole, with what is still in its log, and whether it knows what had been told."""
    promised = [what for what in promised if what in STATES]
    content = dumped(state, "/enrolld/journal.db", directory)
    if not content:
        if promised:
            yield f"there is no journal, and this had been told: {promised}"
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
        elif promised:
            known = [name for (name,) in connection.execute("SELECT state FROM enrollment")]
            if len(known) != 1 or known[0] not in STATES or STATES.index(known[0]) < max(map(STATES.index, promised)):
                yield f"the journal knows {known}, and this had been told: {promised}"
    except sqlite3.DatabaseError as error:
        yield f"the journal cannot be read: {error}"
    finally:
        connection.close()
