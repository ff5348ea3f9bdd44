"""The whole path, no part replaced: the card, a real privacyIDEA, OpenSSH's client, a key on a USB port."""

import json
import os
import subprocess
import sys
import time

import vm

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "scripts/guest.d"))
import client  # noqa: E402
from machine import Key, Trouble  # noqa: E402, F401 - Trouble is what its callers catch
from server import Server, twin  # noqa: E402

SERIAL = "7000001"


def authority(place):
    """A certificate authority that vouches for nobody."""
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
             "-subj", "/CN=nobody", "-keyout", f"{place}/ca.key", "-out", f"{place}/ca.pem"]
    subprocess.run(words, check=True, capture_output=True)
    with open(f"{place}/ca.pem", "rb") as file:
        return file.read()


def plugs(keys):
    """QEMU's words for keys, each on a port of its own."""
    words = []
    for number, key in enumerate(keys):
        words += ["-chardev", f"socket,id=key{number},path={key.usb}"]
        words += ["-device", f"usb-redir,id=usb{number},chardev=key{number},bus=xhci.0"]
    return words


def whole(trial, check, seconds, good):
    """First start to a proven key: TLS with a private authority, OpenSSH's client, a YubiKey on USB."""
    server = Server()
    vm.put(trial.disk, server.settings(trial.directory))
    key = Key(twin(), trial.directory, "key", "yubikey", "--slot1", "empty", "--serial", SERIAL)
    try:
        with trial.start(extra=plugs([key])) as machine:
            _, at = machine.wait_for(good, within=seconds)
            up = machine.processor_seconds()
            print(f"   {machine.line(at)}; {machine.seconds():.1f} s, {up:.1f} s of processor time", flush=True)
            operator = client.Operator(machine.ssh, trial.directory)
            with machine.reading():
                enroll(server, key, operator, machine, check, seconds)
    finally:
        key.end()


def enroll(server, key, operator, machine, check, seconds):
    """With an operator who watches, and one who orders."""
    print(f"   {operator.arrive(seconds).strip()}", flush=True)
    panel = operator.follow("panel --follow --json", "panel")
    # For a minute after the start the host key has its turns, so that somebody can compare it.
    picture, _ = panel.wait(lambda picture: "Insert a key" in " ".join(picture["words"]), "the call for a key", within=seconds)
    check("the display says to insert a key", True, f"{' '.join(picture['words'])}; seen {machine.seconds():.1f} s after the start")
    status = operator.ask("status")
    check("the station is ready", not status.get("not_ready"), json.dumps(status)[:300])
    watching = operator.watch()
    watching.wait("No key is plugged in", seconds)
    order = operator.follow("enroll --profile desk --events --json", "enroll")
    order.wait(lambda event: event["kind"] == "accepted", "an accepted order", within=seconds)
    begun = time.monotonic()
    key.tell("PLUG")
    watching.wait(SERIAL, seconds)
    order.wait(lambda event: event["kind"] == "touch", "a touch", within=seconds)
    check("the key types when it is touched", key.tell("TOUCH 1") != "0")
    outcome, _ = order.wait(lambda event: event["kind"] == "outcome", "an outcome", within=seconds)
    outcome = outcome["outcome"]
    check("the key is enrolled and has proven itself", outcome["ending"] == "enrolled" and order.end() == 0,
          f"{outcome.get('token')}, {time.monotonic() - begun:.1f} s after it was plugged in")
    watching.wait("enrolled", seconds)
    check("the operator who watches sees it", True)
    (token,) = server.tokens(outcome["token"])
    check("the server counts it", token["active"] and token["tokentype"] == "hotp" and token["realms"] == [server.realm],
          f"{token['serial']} {token['tokentype']} {token['info'].get('enrollment.receipt', '')}")
    verify = operator.follow(f"verify {SERIAL}", "verify")
    verify.lines.wait("[Tt]ouch", within=seconds)
    key.tell("TOUCH 1")
    check("its next code is accepted by the server", verify.end(seconds) == 0, " ".join(verify.lines.since(0))[-200:])
    receipts = operator.ask("receipts verify")
    check("there is a receipt, and it is right", receipts["good"] and receipts["receipts"] == 1, json.dumps(receipts))
    key.tell("UNPLUG")
    watching.wait("No key is plugged in", seconds)
    panel.stop()
    check("the display of the one who watches leaves in order", watching.leave() == 0)
