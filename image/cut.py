"""Power cuts, with what a card does then to what it had not written yet.

QEMU logs each write and each flush (its driver `blklogwrites`, in the format of the kernel's dm-log-writes). After a cut the card
is made anew: as it was before the start, with everything that was written before the last flush, and of what came later
some writes, some not, and some only their first sectors, as chance will have it.
"""

import os
import struct
import subprocess

SECTOR = 512
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4


def drive(disk, log):
    """QEMU's words for a card whose writes are logged."""
    with open(log, "wb") as file:
        file.truncate(0)
    return (f"driver=blklogwrites,log-sector-size={SECTOR},log-super-update-interval=1,"
            f"file.driver=raw,file.file.driver=file,file.file.filename={disk},log.driver=file,log.filename={log},"
            # This machine goes on; it is the card that forgets.
            f"cache=writeback,file.cache.no-flush=on,log.cache.no-flush=on")


def entries(log):
    """Each write in its order: place in bytes, flags, content."""
    with open(log, "rb") as file:
        head = file.read(SECTOR)
        if len(head) < SECTOR:
            return
        magic, _, count, sector = struct.unpack_from("<QQQI", head)
        if magic != MAGIC or sector != SECTOR:
            raise ValueError(f"{log} is no log of writes")
        for _ in range(count):
            start, length, flags, _ = struct.unpack_from("<QQQQ", file.read(SECTOR))
            yield start * SECTOR, flags, b"" if flags & DISCARD else file.read(length * SECTOR)


def count(log):
    """How many writes there are in the log by now."""
    with open(log, "rb") as file:
        head = file.read(SECTOR)
    return struct.unpack_from("<QQQ", head)[2] if len(head) == SECTOR else 0


def survivors(written, chance, torn=None):
    """What a cut after these writes leaves of them, each with its number; how many were lost or torn.

    With `torn`, the last of them is under way, and so many of its bytes are there."""
    safe = max((number + 1 for number, (_, flags, _) in enumerate(written) if flags & FLUSH), default=0)
    kept, lost = [], 0
    for number, (place, flags, content) in enumerate(written):
        if torn is not None and number == len(written) - 1:
            lost += 1
            content = content[:torn]
        elif number >= safe and not flags & FUA and content:
            fate = chance.random()
            if fate < 0.6:
                lost += 1
            if fate < 0.4:
                continue
            if fate < 0.6:
                content = content[:chance.randrange(len(content) // SECTOR) * SECTOR]
        if content:
            kept.append((number, place, content))
    return kept, lost


def make(before, to, kept):
    """The card as it was, with these writes."""
    subprocess.run(["cp", "--sparse=always", before, to], check=True)
    with open(to, "r+b") as card:
        for _, place, content in kept:
            card.seek(place)
            card.write(content)


def after(before, log, to, chance):
    """Makes the card as it is after a cut; how many writes there were, and how many of them were lost or torn."""
    written = list(entries(log))
    kept, lost = survivors(written, chance)
    make(before, to, kept)
    os.remove(log)
    return len(written), lost
