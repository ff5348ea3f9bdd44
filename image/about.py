#!/usr/bin/env python3
"""What a slot says of itself: `image/about.py VERSION KIND RELEASE KEYS TREE...` prints it (docs/updates.md, "What a slot says of itself").

KIND is "release" or "development", RELEASE the file image/release, KEYS a list of public keys, each TREE a device tree of a board.
"""

import sys

import fdt

PRODUCT = "enrollment-station-arm64"
# What QEMU's machine without a board calls itself; for tests.
EMULATED = "linux,dummy-virt"
ROOM = 3072


def lines(path):
    with open(path) as file:
        return [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]


def board(path):
    """What a board calls itself."""
    with open(path, "rb") as file:
        return fdt.Tree(file.read()).root.strings("compatible")[0]


def about(version, kind, release, keys, trees):
    """The text."""
    if kind not in ("release", "development"):
        raise SystemExit(f"{kind} is no kind of a build")
    said = dict(line.split(" ", 1) for line in lines(release))
    boards = sorted({board(path) for path in trees} | ({EMULATED} if kind == "development" else set()))
    listed = lines(keys)
    if kind == "release" and (len(listed) < 2 or any(line.startswith("development ") for line in listed)):
        raise SystemExit(f"{keys} has no two keys of people's own: no release without (docs/releasing.md, \"Keys\")")
    text = f"product {PRODUCT}\nversion {version}\nnumber {said['number']}\nfloor {said['floor']}\ncontract {said['contract']}\n"
    text += f"kind {kind}\nboards {' '.join(boards)}\nforms {said['forms']}\n" + "".join(f"key {line}\n" for line in listed)
    if len(text) > ROOM:
        raise SystemExit("that is more than a slot has room for")
    return text


if __name__ == "__main__":
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__.strip())
    else:
        sys.stdout.write(about(*sys.argv[1:5], sys.argv[5:]))
