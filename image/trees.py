#!/usr/bin/env python3
"""Makes the kernel's device trees fit the card: `image/trees.py FILE...` changes them in place.

U-Boot numbers the controllers of cards by the aliases of the tree that the firmware hands to it, else by their places in it. Linux's
own trees have no such alias, and on a Pi 4 the first controller is that of the Wi-Fi chip: U-Boot's `mmc 0` would not be the card, so it
would find neither its settings nor the boot record.
"""

import os
import sys

import fdt
import walk


def fit(tree, name):
    """The card is mmc 0; power management switches off a Pi 400, too."""
    slot = walk.card_slot(tree)
    others = [node for node in tree.root.all() if node.enabled() and node.name.startswith("mmc@") and node is not slot]
    aliases = tree.root.at("aliases")
    for number, node in enumerate([slot, *others]):
        aliases.properties[f"mmc{number}"] = node.path.encode() + b"\0"
    if name == "bcm2711-rpi-400.dtb":
        # Its tree leaves that to a driver which Debian's kernel does not have (CONFIG_POWER_RESET_GPIO).
        for node in tree.root.all():
            if {"brcm,bcm2711-pm", "brcm,bcm2835-pm-wdt"} & set(node.strings("compatible")):
                node.properties["system-power-controller"] = b""


def main(paths):
    for path in paths:
        with open(path, "rb") as file:
            tree = fdt.Tree(file.read())
        fit(tree, os.path.basename(path))
        with open(path, "wb") as file:
            file.write(tree.bytes())


if __name__ == "__main__":
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__.strip())
    else:
        main(sys.argv[1:])
