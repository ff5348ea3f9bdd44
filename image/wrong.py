#!/usr/bin/env python3
"""Forty-one ways to write a wrong `enrollment.toml`: the line and the words that have to be named of each.

    image/wrong.py ENROLLD      asks this program's `check` about each, and about the right one
"""

import os
import subprocess
import sys
import tempfile

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ"

GOOD = """[station]
name = "trial"
mode = "attended"
[server]
url = "https://pi.invalid"
ca = "ca.pem"
[[operators]]
name = "trial"
role = "admin"
keys = ["{key}"]
[profile.desk]
kind = "hotp"
"""

# What is wrong: what is replaced, by what; the line where it is; a word of the field or of what is said.
KINDS = {
    "a bracket is missing": ("[server]", "[server", 4, "TOML"),
    "a quote is missing": ('name = "trial"\nmode', 'name = "trial\nmode', 2, "TOML"),
    "a value is missing": ('mode = "attended"', "mode =", 3, "TOML"),
    "a line is no setting": ('mode = "attended"', "attended", 3, "TOML"),
    "a field stands twice": ('mode = "attended"', 'name = "again"', 3, "TOML"),
    "a field is unknown": ("mode =", "moode =", 3, "station.moode"),
    "a section is unknown": ("[station]", "[statoin]", 1, "statoin"),
    "the name is no host name": ('name = "trial"\nmode', 'name = "no name"\nmode', 2, "station.name"),
    "the mode is unknown": ('"attended"', '"armd"', 3, "station.mode"),
    "a number stands for a text": ('"https://pi.invalid"', "5", 5, "server.url"),
    "the address has no scheme": ('"https://pi.invalid"', '"pi.invalid"', 5, "server.url"),
    "the address is unencrypted": ("https:", "http:", 5, "server"),
    "the address names a user": ("https://", "https://me@", 5, "server.url"),
    "there is no server": ('url = "https://pi.invalid"\nca', "ca", 5, "url"),
    "the authority's file is missing": ('"ca.pem"', '"missing.pem"', 6, "missing.pem"),
    "the authority's file is no certificate": ('"ca.pem"', '"enrollment.toml"', 6, "server.ca"),
    "the file leads elsewhere": ('"ca.pem"', '"../ca.pem"', 6, "server.ca"),
    "the time limit is out of range": ('ca = "ca.pem"', "timeout-seconds = 4", 6, "server.timeout-seconds"),
    "the pin is no hash": ('ca = "ca.pem"', 'pin = ["abc"]', 6, "server.pin"),
    "there is no operator": ('[[operators]]\nname = "trial"\nrole = "admin"\nkeys = ["{key}"]\n', "", None, "operators"),
    "an operator's key is broken": ("AAAAC3Nz", "AAAAC3Mz", 10, "operators"),
    "an operator's key is RSA": ("ssh-ed25519", "ssh-rsa", 10, "operators"),
    "an operator has no key": ('keys = ["{key}"]\n', "", 7, "operators"),
    "the role is unknown": ('"admin"', '"root"', 9, "operators"),
    "a profile's kind is unknown": ('"hotp"', '"hopt"', 12, "profile.desk"),
    "a profile has no kind": ('kind = "hotp"\n', "digits = 6\n", 11, "profile.desk"),
    "a profile's digits are none": ('"hotp"\n', '"hotp"\ndigits = 7\n', 13, "profile.desk.digits"),
    "there is no profile": ('[profile.desk]\nkind = "hotp"\n', "", None, "profile"),
    "the run's profile is not there": ('"hotp"\n', '"hotp"\n[run]\nprofile = "other"\n', 14, "run.profile"),
    "the station's own address is none": ('"hotp"\n', '"hotp"\n[network]\naddress = "192.0.2.300/24"\n', 14, "network.address"),
    "a VLAN's number is none": ('"hotp"\n', '"hotp"\n[network]\nvlan = 4095\n', 14, "network.vlan"),
    "the log goes to a name": ('"hotp"\n', '"hotp"\n[log]\nto = "logs.example.org:514"\n', 14, "log.to"),
    "the log is encrypted for anybody": ('"hotp"\n', '"hotp"\n[log]\nto = "192.0.2.5:6514"\nprotocol = "tls"\n', 15, "log.protocol"),
    "a file of access codes is missing": ('"hotp"\n', '"hotp"\n[access-codes]\nsecret-file = "codes.key"\n', 14, "access-codes.secret-file"),
    "the quotes are typographic": ('"trial"\nrole', "“trial”\nrole", 8, "typographic"),
    "a quote is closed by another": ('keys = ["{key}"]', 'keys = ["{key}”]', 10, "typographic"),
    "a space is none": ('mode = "att', 'mode\u00a0= "att', 3, "typographic space"),
    "a private key stands for a public one": ('"{key}"', '"-----BEGIN OPENSSH PRIVATE KEY-----"', 10, "compromised"),
    "a display's address is none": ('"hotp"\n', '"hotp"\n[panel]\ni2c-address = 0x3e\n', 14, "panel.i2c-address"),
}

# What editors make of the right one with "für alle" in its last line.
ENCODINGS = {
    "a letter is in another encoding": ("latin-1", 13, "UTF-8"),
    "it is all in another encoding": ("utf-16", 1, "UTF-16"),
}


def texts(key=KEY):
    """Each kind as a whole file."""
    for kind, (old, new, line, word) in KINDS.items():
        right, old = GOOD.replace("{key}", key), old.replace("{key}", key)
        assert old in right, kind
        yield kind, right.replace(old, new, 1), line, word


def files(key=KEY):
    """The same as bytes, and those that are wrong as bytes."""
    for kind, text, line, word in texts(key):
        yield kind, text.encode(), line, word
    for kind, (encoding, line, word) in ENCODINGS.items():
        yield kind, encoded(GOOD.replace("{key}", key), encoding), line, word


def encoded(text, encoding):
    """A text as an editor writes it."""
    return f"{text}# für alle\n".encode(encoding)


def ask(program, directory, content):
    """Exit status and what `check` says of a file, without its directory."""
    path = os.path.join(directory, "enrollment.toml")
    with open(path, "wb") as file:
        file.write(content)
    done = subprocess.run([program, "check", path], capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).replace(f"{directory}/", "")


def named(said, line, word):
    """Whether a line of it has the place, the word, and something to do behind it."""
    place = f"enrollment.toml:{line}:" if line else "enrollment.toml:"
    return any(one.startswith(place) and word in one and one.rstrip()[-1:] in ".?" for one in said.splitlines())


# What follows from a mistake and is said as well, never before its cause.
FOLLOWS = ("it is missing", "nobody may log in")


def first(said, line, word):
    """Whether the first of several problems is none that only follows from another."""
    lines = [one for one in said.splitlines() if one.startswith("enrollment.toml:")]
    return len(lines) < 2 or not any(follows in lines[0] for follows in FOLLOWS) or word in lines[0]


def main(program):
    failures = 0
    with tempfile.TemporaryDirectory() as directory:
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                 "-subj", "/CN=nobody", "-keyout", f"{directory}/ca.key", "-out", f"{directory}/ca.pem"]
        subprocess.run(words, check=True, capture_output=True)
        right, said = ask(program, directory, GOOD.replace("{key}", KEY).encode())
        failures += right != 0
        print(f"{'FAILED' if right else 'ok'}: the right one{f': {said.strip()}' if right else ''}")
        for kind, content, line, word in files():
            status, said = ask(program, directory, content)
            good = status == 1 and named(said, line, word) and first(said, line, word)
            failures += not good
            print(f"{'ok' if good else 'FAILED'}: {kind}{'' if good else f': {said.strip()}'}")
    return failures > 0


if __name__ == "__main__":
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__.strip())
    else:
        sys.exit(main(*sys.argv[1:]))
