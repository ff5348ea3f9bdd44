"""How quick the SSH server is, and what it costs: the program enroll-shell before the whole simulated
station, both as they are shipped. Called by scripts/ssh-clients --bench."""

import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from login import Paramiko
from station import Station, Watcher, Whole

ROUNDS = 25
PROMPT = b"station-sim> "


class Door(Station):
    """`enroll-shell`, a process of its own, before a station."""

    def __init__(self, program, station):
        self.directory = station.directory
        state = station.directory / "shell"
        state.mkdir()
        command = [program, "run", "--control", station.house / "control.sock", "--state", state, "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"open at 127\.0\.0\.1:(\d+)", line):
                self.port = found[1]
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        while subprocess.run(self.ssh() + ["127.0.0.1", "version"], capture_output=True).returncode:
            # It listens before it knows the operators.
            time.sleep(0.05)

    def end(self):
        self.process.terminate()
        self.process.wait()

    def memory(self):
        """In KiB: what it holds now."""
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1])

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def seconds(process):
    """Processor time that a process has used."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def took(command):
    begun = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return time.perf_counter() - begun


def openssh(directory, key):
    """OpenSSH's own server on loopback, for whoever runs this."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host_key = directory / "host"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True)
    known = directory / "authorized"
    known.write_text(subprocess.run(["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=True).stdout)
    config = directory / "config"
    # bash reads a user's .bashrc for sshd, unless it is told that it is not the first shell.
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nAuthorizedKeysFile {known}\nStrictModes no\n"
        f"UsePAM no\nPidFile none\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nSetEnv SHLVL=2\n"
    )
    os.makedirs("/run/sshd", exist_ok=True)
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return server, str(port)
        except ConnectionRefusedError:
            time.sleep(0.01)


def whole_process(door, directory):
    server, port = openssh(directory, door.directory / "ada")
    theirs = door.ssh("ada", port) + ["127.0.0.1", "true"]
    ours = door.ssh() + ["127.0.0.1", "status", "--json"]
    times = {"ours": [], "theirs": []}
    try:
        for _ in range(ROUNDS):
            times["theirs"].append(took(theirs))
            times["ours"].append(took(ours))
    finally:
        server.terminate()
        server.wait()
    ours, theirs = (statistics.median(times[name]) for name in ("ours", "theirs"))
    print(f"ssh station status --json: {ours * 1000:.0f} ms; ssh to OpenSSH's server, true: {theirs * 1000:.0f} ms; ratio {ours / theirs:.2f} (at most 2)")
    return ours / theirs <= 2


def echo(door):
    client = Paramiko(door)
    channel = client.client.invoke_shell(term="xterm", width=200, height=50)
    out = b""
    while PROMPT not in out:
        out += channel.recv(4096)
    time.sleep(0.2)
    while channel.recv_ready():
        channel.recv(4096)
    times = []
    for number in range(1000):
        begun = time.perf_counter()
        channel.send(b"x")
        channel.recv(64)
        times.append(time.perf_counter() - begun)
        if number % 100 == 99:
            channel.send(b"\x15")
            time.sleep(0.05)
            while channel.recv_ready():
                channel.recv(4096)
    client.close()
    times.sort()
    p99 = times[len(times) * 99 // 100]
    print(f"echo of a key: median {times[len(times) // 2] * 1000:.2f} ms, 99 of 100 within {p99 * 1000:.2f} ms (at most 5)")
    return p99 <= 0.005


def run(station, door, watchers):
    """A run of eight keys, all plugged in, and a finger on one of them every second: what door and
    station use of a core meanwhile."""
    commands = [["script", "-qfec", " ".join(door.ssh() + ["-tt", "127.0.0.1", "watch"]), "/dev/null"]] * watchers
    watching = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in commands]
    events = Watcher(station)
    station.run("run start --count 8 --profile hotp6")
    for number in range(8):
        # Keys of their own for each run.
        station.run(f"plug --serial {20_000_000 + 100 * watchers + number}")
    wanted = set()
    begun = 0
    while len(wanted) < 8:
        event = events.wait("a touch is wanted", begun, lambda event: event["kind"] == "touch" and event["port"] not in wanted)
        wanted.add(event["port"])
    time.sleep(1)
    before, since = (seconds(door.process), seconds(station.process)), time.perf_counter()
    for port in sorted(wanted):
        station.run(f"touch {port}")
        time.sleep(1)
    events.wait("the run is over", 0, lambda event: (event.get("run") or {}).get("state") == "finished")
    past = time.perf_counter() - since
    used = [(after - one) / past for after, one in zip((seconds(door.process), seconds(station.process)), before)]
    events.end()
    for watcher in watching:
        watcher.stdin.close()
        watcher.terminate()
        watcher.wait()
    for number in range(8):
        station.run(f"pull {20_000_000 + 100 * watchers + number}")
    return used


def watching(station, door):
    alone = run(station, door, 0)
    watched = run(station, door, 4)
    cost = sum(watched) - sum(alone)
    print(
        f"a run of 8 keys, one touched each second, streamed to 4 watch sessions: enroll-shell {watched[0] * 100:.1f} % of a core; "
        f"the simulated station {watched[1] * 100:.1f} %, without them {alone[1] * 100:.1f} %; together {cost * 100:.1f} % more (at most 5)"
    )
    return cost <= 0.05


def crowd(door):
    """500 connections that say nothing, 500 that talk nonsense, 200 that are slow, from some hundred addresses."""
    for _ in range(3):
        took(door.ssh() + ["127.0.0.1", "version"])
    memory, files = door.memory(), door.files()
    nonsense = bytes(number * 167 % 256 for number in range(4096))
    sockets, slow = [], []
    for number in range(1200):
        place = number % 300 + 2
        one = socket.socket()
        one.bind((f"127.1.{place // 256}.{place % 256}", 0))
        try:
            one.connect(("127.0.0.1", int(door.port)))
            if number % 12 >= 7:
                one.send((b"SSH-2.0-crowd\r\n" if number % 2 else b"") + nonsense)
            elif number % 12 >= 5:
                slow.append(one)
        except OSError:
            pass
        one.setblocking(False)
        sockets.append(one)
    done = threading.Event()

    def trickle():
        for byte in b"SSH-2.0-slow_and_steady\r\n":
            for one in slow:
                try:
                    one.send(bytes([byte]))
                except OSError:
                    pass
            if done.wait(0.2):
                return

    thread = threading.Thread(target=trickle)
    thread.start()
    slowest, most = 0, memory
    for _ in range(10):
        slowest = max(slowest, took(door.ssh() + ["127.0.0.1", "version"]))
        most = max(most, door.memory())
    done.set()
    thread.join()
    for one in sockets:
        one.close()
    deadline = time.monotonic() + 12
    while door.files() > files and time.monotonic() < deadline:
        time.sleep(0.01)
    took(door.ssh() + ["127.0.0.1", "version"])
    print(
        f"500 silent, 500 garbage, 200 slow connections: slowest of 10 logins {slowest * 1000:.0f} ms (at most 1000); enroll-shell "
        f"{memory} KiB before, {most} KiB at most (8192 more), {door.memory()} KiB after; {files} open files before, {door.files()} after"
    )
    return slowest < 1 and most - memory <= 8192 and door.files() <= files + 1


def main():
    shell, simulation = sys.argv[1:]
    print(f"load of this machine: {os.getloadavg()[0]:.1f}")
    with Whole(simulation) as station, tempfile.TemporaryDirectory() as directory:
        door = Door(shell, station)
        good = [whole_process(door, pathlib.Path(directory)), echo(door), watching(station, door), crowd(door)]
        door.end()
    sys.exit(not all(good))


main()
