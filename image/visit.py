"""The station on a LAN that is looked at frame by frame, and in the hands of somebody who means it no good."""

import ipaddress
import re
import socket
import ssl
import subprocess
import threading
import time

import vm
import whole
from lan import ICMP6, UDP, Lan
from whole import client

ADDRESS, VLAN, OTHER = "192.0.2.7", 7, "192.0.2.1"
PREFIX = "2001:db8:7::/64"
NAME = "desk-7"
SETTINGS = """[station]
name = "{name}"

[network]
address = "{address}/24"
vlan = {vlan}

[log]
to = "{other}:514"

[server]
url = "https://pi.invalid"

[[operators]]
name = "trial"
role = "admin"
keys = ["{key}"]
"""
# RFC 5424: priority, version, time, host, program.
LINE = re.compile(r"^<\d+>1 (\S+) (\S+) (\S+) ")


def network(trial, check, seconds, good):
    """An address of its own in a VLAN, a name, a router's prefix, log lines; and nothing else that answers."""
    public = client.keygen(trial.directory)
    text = SETTINGS.format(name=NAME, address=ADDRESS, vlan=VLAN, other=OTHER, key=public)
    vm.put(trial.disk, {"enrollment.toml": text.encode()})
    lan = Lan(trial.directory, OTHER, VLAN)
    try:
        with trial.start(network=lan.words()) as machine, machine.reading():
            check("in its VLAN it answers at the address that it was given", lan.neighbour(ADDRESS, seconds) is not None)
            greeting = lan.greeting(ADDRESS, 22, seconds)
            check("there is the SSH server", greeting.startswith(b"SSH-2.0-"), greeting.decode(errors="replace").strip())
            lan.advertise(PREFIX)
            inside = lan.wait(asks_whether_free, 30)
            check("it takes an address of the router's prefix", inside is not None)
            found = lan.ask_name(f"{NAME}.local", 60)
            check("it owns its name with .local", any(str(address) == ADDRESS for address in found), " ".join(sorted(map(str, found))))
            ports, closed = lan.open_ports(ADDRESS, range(1, 65536))
            check("of all TCP ports one is open", ports == [22] and closed == 65534, f"open: {ports}; closed: {closed}")
            probed = [53, 67, 68, 69, 111, 123, 137, 161, 500, 514, 546, 1900, 5355]
            shut = lan.closed_to(ADDRESS, probed)
            check("of the usual UDP ports none is open", shut == probed, f"closed: {shut}")
            lan.wait(lambda protocol, _, __, data: protocol == UDP and data[2:4] == b"\2\2" and b" enrolld " in data, 60)
            lines = [LINE.match(line) for line in lan.lines(514)]
            programs = sorted({found[3] for found in lines if found})
            check("log lines come to the syslog server", bool(lines) and all(lines) and "enrolld" in programs,
                  f"{len(lines)} lines of {' '.join(programs)}")
            check("they have its name", all(found and found[2] == NAME for found in lines), lan.lines(514)[-1] if lines else "")
            outside = [frame for vlan, kind, frame in lan.strays if vlan is None]
            check("nothing leaves it outside of its VLAN", not outside, f"{len(outside)} frames")
    finally:
        lan.end()


def asks_whether_free(protocol, _, __, data):
    """Whether the station asks if anybody has an address of the prefix, before it takes it (RFC 4862, 5.4)."""
    return protocol == ICMP6 and data[0] == 135 and ipaddress.ip_address(data[8:24]) in ipaddress.ip_network(PREFIX)


# What may come out of a pocket: QEMU's words for it, and what it is.
POCKET = (
    ("usb-storage,drive=stick", "a memory stick"), ("usb-net,netdev=second", "a network adapter"), ("usb-kbd", "a keyboard"),
    ("usb-tablet", "a pointer"), ("usb-ccid", "a foreign smart-card reader"), ("usb-audio,audiodev=none", "a sound card"),
)
REFUSED = b"not authorized for usage"


class LogServer:
    """A syslog server over TLS (RFC 5425), with a certificate of an authority of its own. It hangs up after the first lines."""

    def __init__(self, place):
        self.place, self.text, self.connections = place, b"", 0
        name = ["-subj", "/CN=logs", "-addext", "subjectAltName=IP:10.0.2.2"]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", *name,
                        "-keyout", f"{place}/logs.key", "-out", f"{place}/logs.pem"], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{place}/logs.pem", f"{place}/logs.key")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def authority(self):
        with open(f"{self.place}/logs.pem", "rb") as file:
            return file.read()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(connection, server_side=True) as stream:
                    self.connections += 1
                    while piece := stream.recv(65536):
                        self.text += piece
                        if self.connections == 1:
                            break
            except OSError:
                pass  # Whoever it was has gone.

    def end(self):
        self.listener.close()


def attacked(trial, check, seconds, good):
    """A console, a keyboard, a memory stick, a network adapter: none of them gets anywhere, and the station goes on."""
    public = client.keygen(trial.directory)
    logs = LogServer(trial.directory)
    text = f'[log]\nto = "10.0.2.2:{logs.port}"\nprotocol = "tls"\nca = "logs.pem"\n'
    text += f'[[operators]]\nname = "trial"\nrole = "admin"\nkeys = ["{public}"]\n'
    vm.put(trial.disk, {"enrollment.toml": text.encode(), "logs.pem": logs.authority()})
    stick = f"{trial.directory}/stick.img"
    with open(stick, "wb") as file:
        file.truncate(8 << 20)
    extra = ["-drive", f"if=none,id=stick,format=raw,file={stick}", "-netdev", "user,id=second,restrict=on", "-audiodev", "none,id=none"]
    with trial.start(extra=extra) as machine:
        machine.wait_for(good, within=seconds)
        operator = client.Operator(machine.ssh, trial.directory)
        with machine.reading():
            operator.arrive(seconds)
            begun = operator.ask("status")
            before = len(machine.text)
            for line in (b"\r\n", b"root\r\n", b"\x03\x04\x1a", b"login\r\n", b"\x1b[A\r\n"):
                machine.type(line)
            for letter in (b"b", b"c", b"o", b"e", b"k"):
                machine.qmp("chardev-send-break", id="serial0")
                machine.type(letter)
            operator.say("version")
            shown = machine.text[before:]
            check("nobody answers on the serial line", not re.search(rb"login|assword|\$ |# ", shown), shown[-200:].decode(errors="replace"))
            news = operator.follow("watch --json", "news")
            _, mark = news.wait(lambda event: event["kind"] == "snapshot", "a snapshot", within=seconds)
            for number, (words, what) in enumerate(POCKET):
                driver, *properties = words.split(",")
                refused = machine.text.count(REFUSED)
                plugged = machine.qmp("device_add", driver=driver, id=f"thing{number}", bus="xhci.0", **dict(one.split("=") for one in properties))
                if "error" in plugged:
                    check(f"{what} is plugged in", False, str(plugged["error"]))
                    continue
                event, mark = news.wait(lambda event: event["kind"] == "stranger", f"a word about {what}", mark, within=60)
                check(f"{what} is not used, and the operator hears of it", machine.text.count(REFUSED) > refused, event["text"])
                if driver == "usb-kbd":
                    for keys in (("ctrl", "alt", "delete"), ("alt", "sysrq", "b")):
                        machine.qmp("send-key", keys=[{"type": "qcode", "data": key} for key in keys])
                machine.qmp("device_del", id=f"thing{number}")
            news.stop()
            until = time.monotonic() + 60
            while logs.text.count(REFUSED) < machine.text.count(REFUSED) and time.monotonic() < until:
                time.sleep(0.5)
            check("the log server, which has hung up once, hears of each over TLS", logs.text.count(REFUSED) >= len(POCKET) and logs.connections > 1,
                  f"{logs.text.count(REFUSED)} of {len(POCKET)} in {logs.connections} connections")
            logs.end()
            now = operator.ask("status")
            check("the station is the same that it was, and did not start anew", now["started"] == begun["started"] and machine.process.poll() is None,
                  str(now["started"]))
