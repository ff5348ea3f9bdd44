#!/usr/bin/env python3
"""Completes "name version" lines from apt's package lists: lines of a lock file.

    described.py SET INDEXES <wanted >lines

INDEXES names a file with lines "path-of-a-list address-of-its-archive". A package that both
the security archive and the main one have is fetched from the main one, which keeps it longer.
"""

import subprocess
import sys

chosen, indexes = sys.argv[1:]
known = {}
for line in open(indexes):
    path, archive = line.split()
    name = "security" if "security" in archive else "debian"
    listing = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", path], capture_output=True, text=True, check=True)
    for stanza in listing.stdout.split("\n\n"):
        fields = dict(f.split(": ", 1) for f in stanza.splitlines() if not f.startswith(" ") and ": " in f)
        if "Filename" in fields:
            key = (fields["Package"], fields["Version"])
            if key not in known or name == "debian":
                known[key] = (fields["SHA256"], fields["Size"], name, fields["Filename"])
for line in sys.stdin:
    package, version = line.split()
    if (package, version) not in known:
        sys.exit(f"no package list has {package} {version}")
    print(chosen, package, version, *known[package, version])
