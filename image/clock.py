"""A board without a clock: what the station says until a time server has answered, and where the time goes on at the next start."""

import datetime
import json
import socket
import struct
import threading
import time

import vm
import wrong
from whole import client

# The emulated machine has a clock; without its driver it is as a Pi is (drivers/rtc/rtc-pl031.c).
CLOCKLESS = "initcall_blacklist=pl031_driver_init"
# Where QEMU's user network has the host.
HOST = "10.0.2.2"
# Later than any clock that this is tried with, so that it can only be from here.
TIME = datetime.datetime(2031, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
# NTP counts from 1900 (RFC 5905).
EPOCH = 2208988800


class TimeServer:
    """Answers every question with that time, which goes on (RFC 4330)."""

    def __init__(self, at):
        self.begin, self.at = time.monotonic(), at
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 123))
        self.socket.settimeout(0.2)
        self.over = False
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        self.socket.close()

    def now(self):
        return self.at + datetime.timedelta(seconds=time.monotonic() - self.begin)

    def _serve(self):
        while not self.over:
            try:
                question, peer = self.socket.recvfrom(1024)
            except TimeoutError:
                continue
            now = self.now().timestamp() + EPOCH
            stamp = struct.pack(">II", int(now), int(now % 1 * (1 << 32)))
            # Version 4, server; stratum 1; its own time of reference, the question's, when that came, now.
            head = struct.pack(">BBbbII4s", 4 << 3 | 4, 1, 6, -20, 0, 0, b"GPS\0")
            self.socket.sendto(head + stamp + question[40:48] + stamp + stamp, peer)


def at(status):
    """The time that the station takes it for."""
    return datetime.datetime.fromisoformat(status["at"].replace("Z", "+00:00"))


def clock(trial, check, seconds):
    """Three starts: nobody knows the time; a time server answers, and the power goes; nobody knows the time again."""
    public = client.keygen(trial.directory)
    settings = wrong.GOOD.replace("{key}", public).replace('ca = "ca.pem"\n', "") + f'[network]\nntp = ["{HOST}"]\n'
    vm.put(trial.disk, {"enrollment.toml": settings.encode()})

    def start():
        return trial.start(words=CLOCKLESS)

    def arrived(machine):
        operator = client.Operator(machine.ssh, trial.directory)
        operator.arrive(seconds)
        return operator, operator.ask("status")

    with start() as machine, machine.reading():
        _, status = arrived(machine)
        check("without a time server it says that the time is not known, and what to do",
              status["clock"]["health"] == "bad" and "ntp" in (status["clock"]["remedy"] or ""), json.dumps(status["clock"]))
        check("the time is not before that of the image", at(status).year >= 2026, status["at"])
    with TimeServer(TIME) as server, start() as machine, machine.reading():
        operator, status = arrived(machine)
        until = time.monotonic() + seconds
        while status["clock"]["health"] != "good" and time.monotonic() < until:
            time.sleep(0.5)
            status = operator.ask("status")
        apart = abs((at(status) - server.now()).total_seconds())
        check("a time server's answer is taken, and told", status["clock"]["health"] == "good" and apart < 60,
              f"{status['at']}, {apart:.0f} s apart, {machine.seconds():.0f} s after the start")
        check("and where it is from", HOST in status["clock"]["text"], status["clock"]["text"])
        known = at(status)
        # What was written when it became known has to reach the card; then the power goes.
        operator.ask("mode locked")
    with start() as machine, machine.reading():
        _, status = arrived(machine)
        check("after a power cut the time goes on from there", known <= at(status) < known + datetime.timedelta(minutes=30), f"{known} {status['at']}")
        check("and is said to be not known again", status["clock"]["health"] == "bad", json.dumps(status["clock"]))
