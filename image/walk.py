#!/usr/bin/env python3
"""Whether the kernel has a driver for all that a board's device tree needs, as far as the station uses the board.

    image/walk.py KERNEL [TREE...]     KERNEL is what the step "kernel" of the build makes; its own trees without others
    image/walk.py --plant KERNEL       the same with three faults made up in a tree: each has to be found

A device waits for ever for a supply, a clock, a reset, a power sequence or an interrupt whose node has no driver
(drivers/base/core.c, EPROBE_DEFER), and module dependencies do not say so, since only the device tree does. So each is
walked from where the station begins: card slot, Ethernet, USB, I2C, GPIO, watchdog, random numbers, and what switches the board off.
A driver is one of the kernel itself, by its tables of `struct of_device_id` in the image, or of a module that is loaded by then: for
the card slot, those of the initial file system. Prints a line for each tree: "ok: ..." or "FAILED: ...".
"""

import gzip
import os
import re
import sys

import fdt

# Names of properties that hold references, and of the property of the provider that says how many numbers follow each.
REFERENCES = {
    "clocks": "#clock-cells", "assigned-clocks": "#clock-cells", "resets": "#reset-cells", "power-domains": "#power-domain-cells", "mmc-pwrseq": None,
    "dmas": "#dma-cells", "phys": "#phy-cells", "usb-phy": None, "mboxes": "#mbox-cells", "interrupts-extended": "#interrupt-cells", "pinctrl-0": None,
    "firmware": None, "brcm,firmware": None, "nvmem-cells": None, "iommus": "#iommu-cells", "phy-handle": None, "gpio": "#gpio-cells",
    "msi-parent": None, "thermal-sensors": "#thermal-sensor-cells",
}
# Drivers that wait for these only if they are there, and say so: without one they go on (dmaengine, phylib).
OPTIONAL = {"thermal-sensors"}

# Where each walk begins: a name, the compatible strings of the node, whether the modules of the initial file system have to do, and
# whether every board has one.
BEGINNINGS = [
    ("card slot", None, True, True),
    ("Ethernet", ("brcm,bcm2711-genet-v5",), False, False),
    ("USB", ("brcm,bcm2835-usb", "brcm,bcm2711-pcie"), False, True),
    ("I2C", ("brcm,bcm2835-i2c", "brcm,bcm2711-i2c"), False, True),
    ("GPIO", ("brcm,bcm2835-gpio", "brcm,bcm2711-gpio"), False, True),
    ("LED", ("gpio-leds",), False, False),
    ("watchdog", ("brcm,bcm2835-pm-wdt", "brcm,bcm2711-pm"), True, True),
    ("random numbers", ("brcm,bcm2835-rng", "brcm,bcm2711-rng200"), True, True),
]

# Nodes without a driver of their own, and why nobody waits for them.
PASSIVE = {
    "simple-bus": "the kernel looks into it (drivers/of/platform.c)",
    "simple-mfd": "the kernel looks into it (drivers/of/platform.c)",
    "syscon": "whoever needs it maps it (drivers/mfd/syscon.c)",
}
# What a node refers to and need not have: property, what is referred to, and why nobody waits for it.
DISPLAY = "only the display's own clocks come from it (drivers/clk/bcm/clk-bcm2835.c), and what feeds others does not wait for it"
EXCUSED = {
    (own, "clocks", other): DISPLAY
    for own in ("brcm,bcm2835-cprman", "brcm,bcm2711-cprman")
    for other in ("brcm,bcm2835-dsi0", "brcm,bcm2835-dsi1", "brcm,bcm2711-dsi0", "brcm,bcm2711-dsi1")
}
# Ethernet and hubs of a USB port need no driver by the tree's word: they are found by their USB numbers.
USB_CHILD = re.compile(r"usb[0-9a-f]{1,4},[0-9a-f]{1,4}$")


class Kernel:
    """What has a driver, and from when on."""

    def __init__(self, place):
        path = f"{place}/Image.gz"
        with gzip.open(path) as file:
            self.image = file.read()
        with open(f"{place}/early") as file:
            early = {module(line) for line in file}
        self.modules = {}
        with open(f"{place}/aliases") as file:
            for line in file:
                found = re.match(r"alias of:N\S*?T\S*?C(\S+?)(?:C\*)? (\S+)$", line)
                if found:
                    self.modules.setdefault(found[1], set()).add(module(found[2]))
        self.early = early

    def built_in(self, compatible):
        """Whether the kernel itself has a table with it: name and type are empty there, and zeros fill up its 128 bytes."""
        wanted = bytes(64) + compatible.encode().ljust(128, b"\0")
        return wanted in self.image

    def driver(self, node, early):
        """What drives a node at that time; none where nothing does."""
        for compatible in node.strings("compatible"):
            if compatible in PASSIVE:
                return PASSIVE[compatible]
            if USB_CHILD.match(compatible):
                return "found by its numbers"
            modules = self.modules.get(compatible, set())
            if early:
                modules = modules & self.early
            if modules:
                return f"module {min(modules)}"
            if self.built_in(compatible):
                return "built in"
        return None


def module(path):
    """A module's name as modprobe knows it."""
    return os.path.basename(path.strip()).split(".ko")[0].replace("-", "_")


def card_slot(tree):
    """The controller that the card is in."""
    hosts = [node for node in tree.root.all() if node.enabled() and "compatible" in node.properties]
    for compatible in ("brcm,bcm2711-emmc2", "brcm,bcm2835-sdhost", "brcm,bcm2712-sdhci"):
        found = [node for node in hosts if compatible in node.strings("compatible")]
        if found:
            return found[0]
    return None


def needed(node, phandles):
    """What a node refers to: property and provider."""
    for name, value in node.properties.items():
        if name.endswith("-supply"):
            yield name, phandles.get(node.cell(name))
        elif name in REFERENCES or (name.endswith(("-gpios", "-gpio")) and not name.startswith("#")):
            cells, at = node.cells(name), 0
            count = REFERENCES.get(name, "#gpio-cells")
            while at < len(cells):
                provider = phandles.get(cells[at])
                if provider is None:
                    break
                yield name, provider
                at += 1 + (provider.cell(count, 0) if count else 0)
    if "interrupts" in node.properties:
        above = node
        while above is not None and "interrupt-parent" not in above.properties:
            above = above.parent
        if above is not None:
            yield "interrupts", phandles.get(above.cell("interrupt-parent"))


def device(node):
    """The node that a driver would be for: a group of pins or a partition is part of the one that it is in."""
    while node is not None and "compatible" not in node.properties:
        node = node.parent
    return node


def excused(node, name, provider):
    """Whether it stands in the list of what nobody waits for."""
    return any((own, name, other) in EXCUSED for own in node.strings("compatible") for other in provider.strings("compatible"))


def walk(tree, kernel, begin, early):
    """A sentence for each node without a driver that `begin` waits for."""
    phandles, seen, wrong = tree.phandles(), set(), []

    def visit(node, way):
        node = device(node)
        if node is None or node.parent is None or node.path in seen:
            return
        seen.add(node.path)
        way = [*way, node.path]
        if not node.enabled():
            wrong.append(f"{' → '.join(way)} is switched off")
            return
        if kernel.driver(node, early) is None:
            wrong.append(f"{' → '.join(way)} ({node.strings('compatible')[0]}) has no driver")
        for name, provider in needed(node, phandles):
            if provider is None:
                wrong.append(f"{' → '.join(way)}: {name} leads nowhere")
            elif name not in OPTIONAL and not excused(node, name, provider):
                visit(provider, [*way, name])
        # The bus that it is on.
        visit(node.parent, [*way, "bus"])

    visit(begin, [])
    return wrong


def switches_off(tree, kernel):
    """A sentence where nothing switches the board off."""
    marked = [node for node in tree.root.all() if "system-power-controller" in node.properties and node.enabled()]
    other = [node for node in tree.root.all() if "gpio-poweroff" in node.strings("compatible") and node.enabled()]
    if any(kernel.driver(node, False) for node in marked + other):
        return []
    return ["poweroff: neither the power management nor anything else is there to switch it off, or has a driver"]


def faults(tree, kernel):
    """All sentences about a tree."""
    found = []
    for name, compatibles, early, always in BEGINNINGS:
        if compatibles is None:
            begins = [node for node in [card_slot(tree)] if node]
        else:
            begins = [node for node in tree.root.all() if node.enabled() and set(compatibles) & set(node.strings("compatible"))]
        if not begins and always:
            found.append(f"{name}: the tree has none")
        for begin in begins:
            found += [f"{name}: {one}" for one in walk(tree, kernel, begin, early)]
    slot, aliases = card_slot(tree), tree.root.at("aliases")
    if slot is not None and (aliases is None or aliases.strings("mmc0") != [slot.path]):
        found.append("card slot: U-Boot's mmc 0 is not the card (no alias mmc0)")
    return list(dict.fromkeys(found + switches_off(tree, kernel)))


def planted(tree):
    """Three trees with a fault each: a name, and what has to be in what is said of it."""
    top = max(node for node in tree.phandles()) + 1

    def with_provider(kind, property_name, extra):
        copy = fdt.Tree(tree.bytes())
        provider = fdt.Node(f"planted-{kind}", copy.root)
        provider.properties = {"compatible": f"planted,{kind}\0".encode(), "phandle": top.to_bytes(4, "big"), **extra}
        copy.root.children.append(provider)
        cells = top.to_bytes(4, "big") + b"\0\0\0\0" * len(extra)
        card_slot(copy).properties[property_name] = cells
        return copy

    one = (1).to_bytes(4, "big")
    yield "supply", with_provider("supply", "vmmc-supply", {})
    yield "reset", with_provider("reset", "resets", {"#reset-cells": one})
    yield "power sequence", with_provider("sequence", "mmc-pwrseq", {})


def main(words):
    plant = "--plant" in words
    place, *trees = [word for word in words if word != "--plant"]
    trees = trees or sorted(f"{place}/broadcom/{name}" for name in os.listdir(f"{place}/broadcom"))
    kernel, failures = Kernel(place), 0
    for path in trees:
        with open(path, "rb") as file:
            tree = fdt.Tree(file.read())
        name = os.path.basename(path).removesuffix(".dtb")
        if plant:
            for kind, copy in planted(tree):
                fresh = [one for one in faults(copy, kernel) if "planted" in one]
                failures += not fresh
                print(f"{'ok' if fresh else 'FAILED'}: in {name}, a {kind} without a driver is found{': ' + fresh[0] if fresh else ''}")
            continue
        found = faults(tree, kernel)
        failures += bool(found)
        print(f"{'FAILED' if found else 'ok'}: {name} has a driver for all that the station needs{''.join(chr(10) + '  ' + one for one in found)}")
    return failures > 0


if __name__ == "__main__":
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__.strip())
    else:
        sys.exit(main(sys.argv[1:]))
