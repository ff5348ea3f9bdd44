"""How quick the SSH door is. Called by scripts/ssh-clients --bench."""

import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import paramiko
from station import Station

ROUNDS = 25


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


def whole_process(station, directory):
    server, port = openssh(directory, station.directory / "ada")
    theirs = station.ssh() + ["127.0.0.1", "true"]
    theirs[theirs.index("-p") + 1] = port
    ours = station.ssh() + ["127.0.0.1", "status", "--json"]
    times = {"ours": [], "theirs": []}
    try:
        for _ in range(ROUNDS):
            times["theirs"].append(took(theirs))
            times["ours"].append(took(ours))
    finally:
        server.terminate()
        server.wait()
    ours, theirs = (statistics.median(times[name]) for name in ("ours", "theirs"))
    print(f"ssh station status --json: {ours * 1000:.0f} ms; ssh to OpenSSH's server, true: {theirs * 1000:.0f} ms; ratio {ours / theirs:.2f}")
    return ours / theirs <= 2


def echo(station):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", int(station.port), "ada", key_filename=str(station.directory / "ada"), allow_agent=False, look_for_keys=False)
    channel = client.invoke_shell(term="xterm", width=200, height=50)
    out = b""
    while b"desk-1>" not in out:
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
    print(f"echo of a key: median {times[len(times) // 2] * 1000:.2f} ms, 99 of 100 within {p99 * 1000:.2f} ms")
    return p99 <= 0.005


def ticks(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def watching(program):
    """Eight keys send about twenty events each while they are enrolled, in some three seconds."""
    with Station(program, "--pace", "20") as station:
        watchers = []
        for _ in range(4):
            command = ["script", "-qfec", " ".join(station.ssh() + ["-tt", "127.0.0.1", "watch"]), "/dev/null"]
            watchers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
        time.sleep(3)
        before, begun = ticks(station.process), time.perf_counter()
        time.sleep(15)
        used = (ticks(station.process) - before) / os.sysconf("SC_CLK_TCK") / (time.perf_counter() - begun)
        for watcher in watchers:
            watcher.stdin.close()
            watcher.terminate()
            watcher.wait()
    print(f"four times watch, 50 events a second each: {used * 100:.1f} % of a core (with the recorded daemon in it)")
    return used <= 0.05


def main():
    program = sys.argv[1]
    print(f"load of this machine: {os.getloadavg()[0]:.1f}")
    with Station(program) as station, tempfile.TemporaryDirectory() as directory:
        good = [whole_process(station, pathlib.Path(directory)), echo(station)]
    good.append(watching(program))
    sys.exit(not all(good))


main()
