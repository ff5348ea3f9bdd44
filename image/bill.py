#!/usr/bin/env python3
"""Writes what is on the card: a bill of materials (CycloneDX 1.6), and a list with licences.

    bill.py VERSION WORK LOCK CARGO-LOCK STEM

Licences of Debian packages are the short names of their machine-readable copyright files; where a file is not
machine-readable, "see copyright" stands there. Those of crates come from `cargo metadata`.
"""

import json
import os
import re
import subprocess
import sys

version, work, lock, cargo_lock, stem = sys.argv[1:]


def lines(path):
    with open(path) as file:
        return file.read().split("\n")


def licences(path):
    try:
        text = open(path, errors="replace").read()
    except FileNotFoundError:
        return ["see copyright"]
    names = re.findall(r"^License: *(\S.*)$", text, re.M)
    return sorted(set(name.strip() for name in names)) or ["see copyright"]


used = set(filter(None, lines(f"{work}/root/packages")))
components = []
rows = []
for line in lines(lock):
    if not line or line.startswith("#"):
        continue
    kind, name, release, checksum, _, archive, path = line.split()
    if kind == "image" and name not in used:
        continue
    copyright_file = f"{work}/root/copyright/{name}" if kind == "image" else f"{work}/kernel/copyright"
    if name in ("raspi-firmware", "u-boot-rpi"):
        copyright_file = f"{work}/boot/copyright-{name}"
    if name == "u-boot-qemu":
        continue
    names = licences(copyright_file)
    purl = f"pkg:deb/debian/{name}@{release.replace('+', '%2B')}?arch=arm64"
    components.append({
        "type": "operating-system" if name.startswith("linux-image") else "library",
        "name": name,
        "version": release,
        "purl": purl,
        "bom-ref": purl,
        "hashes": [{"alg": "SHA-256", "content": checksum}],
        "licenses": [{"license": {"name": one}} for one in names],
    })
    rows.append((name, release, ", ".join(names)))

# The crates in the station's programs.
metadata = json.loads(subprocess.run(
    ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", "aarch64-unknown-linux-gnu",
     "--manifest-path", os.path.join(os.path.dirname(cargo_lock), "Cargo.toml")],
    check=True, capture_output=True, text=True).stdout)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
waiting = [p["id"] for p in metadata["packages"] if p["name"] in ("card", "enrolld") and p["source"] is None]
seen = set()
while waiting:
    one = waiting.pop()
    if one in seen:
        continue
    seen.add(one)
    for dependency in nodes[one]["deps"]:
        if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
            waiting.append(dependency["pkg"])
for one in sorted(seen, key=lambda one: (packages[one]["name"], packages[one]["version"])):
    package = packages[one]
    licence = package["license"] or "see crate"
    purl = f"pkg:cargo/{package['name']}@{package['version']}"
    components.append({
        "type": "application" if package["source"] is None else "library",
        "name": package["name"],
        "version": package["version"],
        "purl": purl,
        "bom-ref": purl,
        "licenses": [{"expression": licence}] if package["license"] else [],
    })
    rows.append((package["name"], package["version"], licence))

bill = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "version": 1,
    "metadata": {"component": {"type": "operating-system", "name": "enrollment-station", "version": version}},
    "components": components,
}
with open(f"{stem}.cdx.json", "w") as file:
    json.dump(bill, file, indent=1)
    file.write("\n")
with open(f"{stem}.packages.txt", "w") as file:
    file.writelines(f"{name}\t{release}\t{names}\n" for name, release, names in rows)
print(len(components), "components")
