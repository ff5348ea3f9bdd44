"""Clients of the SSH server. Called by scripts/ssh-clients; prints a line for each check."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

from station import Recorded

# Each answers without an argument.
COMMANDS = [
    "status", "keys", "profiles", "mode", "run status", "token list", "server status", "receipts list",
    "receipts export", "config show", "config diff", "operators", "audit", "panel", "logs", "explain",
    "schema status", "version", "history", "help", "key 12345678", "token show UBOM12345678_1",
    "enroll --profile desk", "user find 'van der'", "cancel", "reboot --yes",
]
failures = 0


def check(what, good, why=""):
    global failures
    failures += not good
    print(f"{'ok' if good else 'FAILED'}: {what}{'' if good else ': ' + str(why)[-3000:]}", flush=True)


def report():
    """Ends the program with what came of all checks."""
    sys.exit(failures > 0)


def run(command, text="", timeout=60):
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout)
    return done.returncode, done.stdout, done.stderr


def notes(station, older=False):
    """What ssh-audit fails or warns of: what for, how bad, why. It makes as many connections as one address
    may, and for a moment after it the SSH server refuses the next."""
    command = [sys.executable, "-m", "ssh_audit.ssh_audit", "--json", "-p", station.port, "127.0.0.1"]
    environment = dict(os.environ)
    if older:
        environment["PYTHONPATH"] = str(pathlib.Path(sys.prefix) / "ssh-audit-3.3.0")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    try:
        found = json.loads(done.stdout)
    except json.JSONDecodeError:
        return [("none", "fail", done.stdout)]
    return [
        (entry["algorithm"], level, note)
        for kind in ("kex", "key", "enc", "mac")
        for entry in found[kind]
        for level in ("fail", "warn")
        for note in entry.get("notes", {}).get(level, [])
    ]


def audit(program):
    with Recorded(program) as station:
        found = notes(station, older=True)
    check("ssh-audit 3.3.0 finds no failure and nothing to warn of", not found, found)
    # Since 3.4 it warns of every key exchange that is not post-quantum. X25519 alone is still there for
    # clients that do not know ML-KEM: OpenSSH before 9.9, dropbear before 2025.87, PuTTY before 0.83.
    with Recorded(program) as station:
        found = notes(station)
    why = "does not provide protection against post-quantum attacks"
    known = [(name, "warn", why) for name in ("curve25519-sha256", "curve25519-sha256@libssh.org")]
    check("ssh-audit 3.9.0 warns of nothing but X25519, for clients that do not know ML-KEM", found == known, found)


def one_by_one(name, client):
    """Runs every command with a client, a connection each."""
    bad = []
    for command in COMMANDS:
        code, out, err = client(command)
        expected = 1 if command.startswith("profile check") else 0
        if code != expected or not out and command != "history" or "\r" in out:
            bad.append((command, code, out[:80], err[:200]))
    check(f"{name} runs {len(COMMANDS)} commands", not bad, bad)
    code, _, err = client("token show MISSING")
    check(f"{name} gets the exit status and the words of a refusal", code == 1 and "E2041" in err, (code, err))


def typed(name, command):
    """A prompt, with what is typed piped in."""
    lines = "".join(f"{line}\n" for line in ["status", "statsu", "token list", "exit"])
    code, out, err = run(command, lines)
    wanted = ["desk-1> ", "Unrecognized", "UBOM12345678_1", "Host key: SHA256:"]
    missing = [text for text in wanted if text not in out]
    check(f"{name} has a prompt and leaves it", code == 0 and not missing, (code, missing, out, err))


def plink(station):
    key = station.directory / "ada.ppk"
    run(["puttygen", station.directory / "ada", "-O", "private", "-o", key])
    code, _, err = run(["plink", "-batch", "-P", station.port, "-i", key, "ada@127.0.0.1", "version"])
    fingerprint = re.search(r"SHA256:\S+", err)
    check("plink shows the host key to a newcomer", code != 0 and fingerprint is not None, err)
    base = ["plink", "-batch", "-P", station.port, "-i", key, "-hostkey", fingerprint[0] if fingerprint else "", "ada@127.0.0.1"]
    one_by_one("plink", lambda command: run(base[:1] + base[1:] + [command]))
    typed("plink", base[:1] + ["-t"] + base[1:])


def dbclient(station):
    key = station.directory / "ada.db"
    run(["dropbearconvert", "openssh", "dropbear", station.directory / "ada", key])
    base = ["dbclient", "-y", "-y", "-p", station.port, "-i", str(key), "ada@127.0.0.1"]
    one_by_one("dbclient", lambda command: run(base + [command]))
    # It wants a terminal of its own before it asks for one there.
    terminal = " ".join(base[:1] + ["-t"] + base[1:])
    typed("dbclient", ["script", "-qfec", terminal, "/dev/null"])


def paramiko_client(station):
    import paramiko

    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", int(station.port), "ada", key_filename=str(station.directory / "ada"), allow_agent=False, look_for_keys=False)

    def execute(command):
        stdin, stdout, stderr = client.exec_command(command, timeout=30)
        stdin.channel.shutdown_write()
        out, err = stdout.read().decode(), stderr.read().decode()
        return stdout.channel.recv_exit_status(), out, err

    one_by_one("Paramiko, over one connection,", execute)
    channel = client.invoke_shell(term="xterm", width=100, height=30)
    channel.settimeout(20)
    out = ""
    for line, wanted in [("", "desk-1> "), ("keys\r", "YubiKey 5 NFC"), ("\x04", None)]:
        channel.send(line)
        while wanted is None or wanted not in out:
            piece = channel.recv(4096).decode(errors="replace")
            out += piece
            if not piece:
                break
        if wanted:
            out = out.split(wanted)[-1]
    check("Paramiko has a prompt and leaves it", channel.recv_exit_status() == 0, out)
    client.close()


def programs(station):
    """Programs that wait for a prompt (expect, Ansible's network_cli) find it by the pattern of docs/shell.md, at the end of what came."""
    import paramiko

    page = (pathlib.Path(__file__).parents[2] / "docs/shell.md").read_text()
    pattern = re.compile(re.search(r"expect -re \{(.*)\}", page)[1])
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", int(station.port), "ada", key_filename=str(station.directory / "ada"), allow_agent=False, look_for_keys=False)
    for term in ("xterm-256color", "vt100", "dumb", ""):
        channel = client.invoke_shell(term=term, width=80, height=24)
        channel.settimeout(20)
        said, bad = "", []
        for line in ("", "version\r", "statsu\r", "\r", "token list\r"):
            channel.send(line)
            out = ""
            try:
                # The prompt of before is still there: what comes after it counts.
                while not (pattern.search(out) and (not line or "\n" in out)):
                    out += channel.recv(4096).decode()
            except TimeoutError:
                bad.append((line, out))
            said += out
        dumb = term in ("dumb", "")
        check(f"a program finds the prompt with TERM={term}", not bad, bad)
        check(f"and {'no' if dumb else 'an'} escape sequence", ("\x1b" in said) != dumb, said)
        channel.send("exit\r")
        check("and leaves", channel.recv_exit_status() == 0)
    client.close()
    # Without a terminal there is no prompt, and nothing but what commands print.
    code, out, err = run(station.ssh() + ["-T", "127.0.0.1"], "version\nkeys\n")
    check("without a terminal there is no prompt", code == 0 and "> " not in out and "\x1b" not in out + err, (code, out, err))


def shut_out(station):
    """Clients that docs/shell.md names: what each has, and what OpenSSH says of the first thing that is missing."""
    nist = "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521"
    groups = "diffie-hellman-group16-sha512,diffie-hellman-group14-sha256"
    clients = [
        ("in FIPS mode", [f"KexAlgorithms={nist},{groups}"], "key exchange method"),
        ("without Ed25519", ["HostKeyAlgorithms=ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,rsa-sha2-512,rsa-sha2-256"], "host key type"),
        ("like libssh2 1.10 and Conch", ["Ciphers=aes256-ctr,aes128-ctr", "MACs=hmac-sha2-256,hmac-sha2-512,hmac-sha1"], "MAC"),
        ("like net-ssh 7.0", [f"KexAlgorithms={nist},diffie-hellman-group14-sha256"], "key exchange method"),
    ]
    for name, options, missing in clients:
        loud = [word.replace("LogLevel=ERROR", "LogLevel=INFO") for word in station.ssh("ada", None, *options)]
        code, _, err = run(loud + ["127.0.0.1", "version"])
        check(f"a client {name} is told what is missing", code == 255 and f"no matching {missing} found" in err, (code, err))


class Tmux:
    """A terminal that somebody types into."""

    def __init__(self, station, *words):
        self.name = f"station-{os.getpid()}"
        command = station.ssh() + ["-t", "127.0.0.1", *words]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "90", "-y", "30", " ".join(command) + "; echo left with $?; exec cat")

    def tmux(self, *words):
        return run(["tmux", "-L", self.name, *words])[1]

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def shows(self, what, *texts, without=()):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            screen = self.screen()
            # A long line is broken wherever the terminal ends.
            whole = screen + screen.replace("\n", "")
            good = all(text in whole for text in texts) and not any(text in whole for text in without)
            if good:
                break
            time.sleep(0.02)
        check(what, good, screen)

    def end(self):
        self.tmux("kill-server")


def terminal(station):
    tmux = Tmux(station)
    tmux.shows("tmux: the greeting and a prompt", "desk-1>", "Host key: SHA256:")
    tmux.keys("tok", "Tab")
    tmux.shows("tmux: Tab completes a command", "desk-1> token")
    tmux.keys("sh", "Tab", "Tab")
    tmux.shows("tmux: Tab offers tokens that the station knows", "desk-1> token show UBOM", "UBOM12345678_1", "UBOM87654321_1", "alice@example")
    tmux.keys("Tab", "Enter")
    tmux.shows("tmux: Return takes what was chosen", "desk-1> token show UBOM12345678_1", without=["UBOM87654321_1"])
    tmux.keys("Enter")
    tmux.shows("tmux: the token is shown", "alice@example", "counter")
    tmux.keys("enroll --", "?")
    tmux.shows("tmux: ? explains the options", "--profile", "--overwrite", "desk-1> enroll --")
    tmux.keys("C-u", "version", "Enter")
    tmux.shows("tmux: a second command", "aarch64")
    tmux.keys("C-r", "tok")
    tmux.shows("tmux: Ctrl-R finds the earlier command", "(search)'tok': token show UBOM12345678_1")
    tmux.keys("C-g", "C-l", "user find 'an address that is long enough to need two rows of this terminal' --realm example")
    tmux.shows("tmux: a long line is broken", "desk-1> user find", "realm example")
    tmux.tmux("resize-window", "-x", "50", "-y", "20")
    tmux.keys("X")
    tmux.shows("tmux: and broken anew in a smaller terminal", "desk-1> user find", "exampleX")
    broken = [line for line in tmux.screen().splitlines() if line.startswith("desk-1>")]
    check("tmux: there is one prompt after the resize", len(broken) == 1, broken)
    tmux.tmux("resize-window", "-x", "90", "-y", "30")
    tmux.keys("C-c", "C-l")
    tmux.keys("server login admin", "Enter")
    tmux.shows("tmux: a password is asked for", "Password of admin:")
    tmux.keys("hunter2", "Enter")
    tmux.shows("tmux: and not shown", "privacyIDEA", without=["hunter2"])
    tmux.keys("history", "Enter")
    tmux.shows("tmux: nor remembered", "server login admin", without=["hunter2"])
    tmux.keys("C-l", "watch", "Enter")
    tmux.shows("tmux: watch fills the screen", "ports", "what happened", "q leaves", without=["desk-1>"])
    tmux.tmux("resize-window", "-x", "70", "-y", "24")
    tmux.shows("tmux: watch follows a new size", "q leaves", "ports")
    tmux.keys("q")
    tmux.shows("tmux: watch leaves the terminal as it was", "desk-1> watch", without=["q leaves"])
    tmux.keys("C-l", "enroll --user nobody", "Enter")
    tmux.shows("tmux: an enrollment waits for a touch", "Touch the key shortly.")
    tmux.keys("C-c")
    tmux.shows("tmux: Ctrl-C calls it off and says how it ended", "Cancelling", "E6001", "The enrollment was undone", "desk-1>")
    tmux.keys("C-d")
    tmux.shows("tmux: Ctrl-D leaves", "left with 0")
    tmux.end()


def idle(program):
    with Recorded(program, "--idle", "2") as station:
        tmux = Tmux(station)
        tmux.shows("tmux: a session without a key pressed is closed", "Closed after a long time", "left with 0")
        tmux.end()


def main():
    program = sys.argv[1]
    audit(program)
    with Recorded(program) as station:
        one_by_one("OpenSSH", lambda command: run(station.ssh() + ["127.0.0.1", command]))
        typed("OpenSSH", station.ssh() + ["-tt", "127.0.0.1"])
        plink(station)
        dbclient(station)
        paramiko_client(station)
        programs(station)
        shut_out(station)
        terminal(station)
    idle(program)
    report()


if __name__ == "__main__":
    main()
