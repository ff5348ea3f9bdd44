"""A card against a signed bundle, byte by byte: for scripts/verify-card."""

import hashlib
import struct
import subprocess
import sys
import zlib

import vm

MIB = 1 << 20
FAT = 4 * MIB


def records(disk):
    """A line for each copy of the boot record, and one for what lies around them."""
    with open(disk, "rb") as file:
        front = file.read(FAT)
    for number, at in enumerate(vm.RECORDS, 1):
        copy = front[at:at + 4096]
        whole = zlib.crc32(copy[4:]) == struct.unpack_from("<I", copy)[0]
        text = copy[4:].rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
        yield whole, f"boot record {number}: {text if whole else 'its checksum is wrong: a power cut may have torn it'}"
    rest = bytearray(front[512:])
    for at in vm.RECORDS:
        rest[at - 512:at - 512 + 4096] = bytes(4096)
    yield not any(rest), f"between partition table, boot record and FAT: {'zeros' if not any(rest) else 'something that no build writes there'}"


def boot_files(disk, known):
    """A line for each file of the FAT partition."""
    listed = subprocess.run(["mdir", "-b", "-/", "-i", f"{disk}@@{FAT}", "::"], check=True, capture_output=True, text=True).stdout
    names = [line.strip().removeprefix("::/") for line in listed.splitlines() if line.strip()]
    for name in sorted({*names, *known}):
        if name not in names:
            yield False, f"boot partition: {name} is missing"
        elif name not in known:
            yield True, f"boot partition: {name} is no file of the release (the operator's?)"
        else:
            same = hashlib.sha256(vm.get(disk, name)).hexdigest() == known[name]
            yield same, f"boot partition: {name} is {'the release’s' if same else 'another one'}"


def main(tool, disk, bundle, keys=None):
    shown = subprocess.run([tool, "show", bundle, *([keys] if keys else [])], capture_output=True, text=True)
    if shown.returncode:
        raise SystemExit(f"{bundle}: {shown.stderr.strip()}")
    known = dict(reversed(line.split(" ")[1:]) for line in shown.stdout.splitlines() if line.startswith("boot "))
    print(shown.stdout.splitlines()[-1])
    wrong = 0
    for good, line in [*records(disk), *boot_files(disk, known)]:
        wrong += not good
        print(f"{'ok' if good else 'WRONG'}: {line}")
    slots = subprocess.run([tool, "card", disk, bundle], check=True, capture_output=True, text=True).stdout
    for line in slots.splitlines():
        if line.startswith(("slot ", "WRONG")):
            good = not line.startswith("WRONG")
            wrong += not good
            print(line if not good else f"ok: {line}")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
