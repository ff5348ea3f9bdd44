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


def after(before, log, to, chance):
    """Makes the card as it is after a cut; how many writes there were, and how many of them were lost or torn."""
    subprocess.run(["cp", "--sparse=always", before, to], check=True)
    all_of_them = list(entries(log))
    safe = max((number + 1 for number, (_, flags, _) in enumerate(all_of_them) if flags & FLUSH), default=0)
    lost = 0
    with open(to, "r+b") as card:
        for number, (place, flags, content) in enumerate(all_of_them):
            if number >= safe and not flags & FUA and content:
                fate = chance.random()
                if fate < 0.4:
                    lost += 1
                    continue
                if fate < 0.6:
                    lost += 1
                    content = content[:chance.randrange(len(content) // SECTOR) * SECTOR]
            if content:
                card.seek(place)
                card.write(content)
    os.remove(log)
    return len(all_of_them), lost
