"""The whole simulated station through its SSH server. Called by scripts/ssh-clients --whole; prints a
line for each check."""

import json
import subprocess
import sys
import traceback

import jsonschema
from clients import check, notes, report
from login import CLIENTS, KILL, Paramiko, in_terminal, openssh
from orders import ORDERS
from station import PATIENCE, Gone, Tunnel, Watcher, Whole
from story import KEY, arrived, story

PROMPT = "station-sim> "
NO_JSON = ["help", "exit"]


def schemas(station):
    """What `schema` says of each command, once each is a schema."""
    found = json.loads(station.run("schema")[1])
    for name, schema in found.items():
        jsonschema.Draft202012Validator.check_schema(schema)
    check(f"the JSON Schemas of {len(found)} commands are right", len(found) > 50)
    return {name: jsonschema.Draft202012Validator(schema) for name, schema in found.items()}


def path(line, paths):
    """The words of a line that name its command."""
    words = line.split(" ")
    return next((name for count in range(len(words), 0, -1) if (name := " ".join(words[:count])) in paths), None)


class Player:
    """Plays the story with one client, on a station of its own."""

    def __init__(self, program, client):
        self.program, self.make = program, client

    def play(self, name, one):
        """Each step through `one(step)`, which gives what is wrong with it."""
        bad, count = [], 0
        with Whole(self.program) as self.station:
            self.client = self.make(self.station)
            watcher = Watcher(self.station)
            watcher.finger = True
            self.begin()
            for step in story(self.codes, self.receipt):
                step = step() if callable(step) else step
                begun = watcher.now()
                count += 1
                try:
                    if wrong := one(step):
                        bad.append((step.line, wrong))
                except (Gone, subprocess.TimeoutExpired) as error:
                    bad.append((step.line, str(error)))
                    break
                if step.wait:
                    watcher.wait(f"what follows {step.line!r}", begun, step.wait)
            self.end(bad)
            watcher.end()
            self.client.close()
        check(f"{self.client.name} {name} {count} commands", not bad and self.station.status == 0, (bad, self.station.status))

    def begin(self):
        pass

    def end(self, bad):
        pass

    def codes(self):
        """Two codes in a row, from two touches while nobody waits for one."""
        return [self.station.json("touch")["typed"] for _ in range(2)]


    def receipt(self):
        return self.station.json("receipts list")["receipts"][0]["number"]


class Exec(Player):
    """One command at a time, with its exit status."""

    def text(self, step):
        code, out, err = self.client.run(step.line + (" --yes" if step.asks else ""), step.stdin)
        good = code == step.code and step.shows in out and step.refused in err and "\r" not in out + err
        return "" if good else (code, out[-300:], err[-300:])

    def json(self, step):
        name = path(step.line, self.checkers)
        if name in NO_JSON or name is None:
            return self.text(step)
        code, out, err = self.client.run(step.line + " --json" + (" --yes" if step.asks else ""), step.stdin)
        if code != step.code:
            return code, out[-300:], err[-300:]
        if step.refused:
            refusal = json.loads(err.splitlines()[-1])
            self.checkers["(refusal)"].validate(refusal)
            return "" if refusal["code"] == step.refused else err
        for line in out.splitlines():
            if errors := list(self.checkers[name].iter_errors(json.loads(line))):
                return errors[0].message, line[:300]
        return ""


def helped(program, paths):
    """Every command says what it is for, to those who may not even use it."""
    with Whole(program) as station:
        client, bad = Paramiko(station, "vera"), []
        for name in sorted(paths):
            code, out, err = client.run(f"{name} --help")
            if code or not out.startswith(("Usage:", "usage:")) and "Usage:" not in out:
                bad.append((name, code, out, err))
        check(f"{len(paths)} commands explain themselves", not bad, bad)
        client.close()


class Typed(Player):
    """Every command typed at a prompt, in one session."""

    def begin(self):
        self.terminal = self.client.terminal()
        self.terminal.prompt(PROMPT)

    def step(self, step):
        said = self.terminal.command(step.line, PROMPT, step.keys())
        return "" if step.shows in said and step.refused in said else said[-400:]

    def end(self, bad):
        if bad:
            return
        self.terminal.send("watch\r")
        self.terminal.wait("watch", lambda text: "q leaves" in text)
        self.terminal.raw = b""
        self.terminal.send("q")
        self.terminal.prompt(PROMPT)
        self.terminal.enter("exit")
        if status := self.terminal.end():
            bad.append(("exit", status))


def calm(station):
    """What a refused command must not change."""
    status = station.json("status")
    kept = {name: status[name] for name in ("mode", "counts", "run", "configuration")}
    kept["ports"] = [(port["activity"], port["key"]) for port in status["ports"]]
    return kept, station.json("token list"), station.json("config show --pending"), station.json("server status")["credential"]


def refusals(program):
    with Whole(program) as station:
        watcher = Watcher(station)
        station.run("plug")
        watcher.wait("the key is known", 0, arrived)
        before = calm(station)
        for operator in ["mallory", "far"]:
            code, out, err = station.run("status", operator=operator)
            check(f"{operator} does not come in", code == 255 and not out and "Permission denied (publickey)" in err, (code, out, err))
        bound = station.ssh("near", None, "BindAddress=127.0.0.2") + ["127.0.0.1", "status"]
        done = subprocess.run(bound, capture_output=True, text=True, timeout=PATIENCE)
        check("who may come from one address only comes from there", done.returncode == 0, done)
        code, _, err = station.run("status", operator="near")
        check("and from no other", code == 255 and "Permission denied" in err, err)
        wrong = [
            ("ada", "statsu", 2, "statsu"),
            ("ada", "enroll --profil hotp6", 2, "--profile"),
            ("ada", "logs --newest many", 2, "many"),
            ("ada", "run start", 2, "--count"),
            ("ada", "token show", 2, "TOKEN"),
            ("ada", "user find 'open", 2, "quote"),
            ("ada", "enroll --profile nothing", 1, "E"),
            ("ada", "config set shell.idle-minutes many", 1, "E"),
            ("ada", "poweroff", 4, "--yes"),
            ("ada", f"release {KEY}", 4, "--yes"),
            ("otto", "config set shell.idle-minutes 5", 3, "admin"),
            ("otto", "config commit --yes", 3, "admin"),
            ("otto", "reboot --yes", 3, "admin"),
            ("otto", "audit", 3, "admin"),
            ("vera", "enroll", 3, "operator"),
            ("vera", "run start --count 1", 3, "operator"),
            ("vera", "mode armed", 3, "operator"),
            ("vera", "token delete X --yes", 3, "operator"),
            ("vera", "server logout --yes", 3, "operator"),
            ("vera", "plug", 3, "operator"),
        ]
        bad = []
        for operator, line, status, text in wrong:
            code, out, err = station.run(line, operator=operator)
            if code != status or out or text not in err:
                bad.append((operator, line, code, out, err))
        check(f"{len(wrong)} wrong lines and roles are refused in clear words, with their status", not bad, bad)
        check("and nothing is changed by them", calm(station) == before, (before, calm(station)))
        may = [("vera", "status"), ("vera", "token list"), ("otto", "config show"), ("otto", "mode attended")]
        bad = [(operator, line) for operator, line in may if station.run(line, operator=operator)[0] != 0]
        check("each role may do what it may", not bad, bad)
        watcher.end()


def run_outlives(program, how):
    """A run whose session is gone goes on, and another session sees it."""
    with Whole(program) as station:
        watcher = Watcher(station)
        tunnel = Tunnel(station.port)
        terminal = in_terminal([*station.ssh("otto", tunnel.port), "-tt", "127.0.0.1"])
        terminal.prompt(PROMPT)
        terminal.command("run start --count 2 --name autumn --profile hotp6", PROMPT)
        station.run("plug")
        # Now the session itself waits for something that is going on.
        terminal.enter("watch")
        terminal.wait("watch", lambda text: "q leaves" in text)
        touch = watcher.wait("a touch is wanted", 0, lambda event: event["kind"] == "touch")
        if how == "killed":
            terminal.end(KILL)
        else:
            tunnel.dead.set()
        status = station.json("status")
        run = status["run"] or {}
        seen = run.get("state") == "running" and status["ports"][0]["activity"] == "touch"
        check(f"a run goes on when its session is {how}, and the next session sees it", seen, status)
        begun = watcher.now()
        watcher.touch(touch)
        watcher.wait("the first key is enrolled", begun, lambda event: (event.get("outcome") or {}).get("ending") == "enrolled")
        station.run("pull")
        watcher.finger = True
        station.run("plug")
        watcher.wait("the second key is enrolled", watcher.now() - 1, lambda event: (event.get("run") or {}).get("state") == "finished")
        ended = station.json("run status")["run"]
        check("and it comes to its end", (ended["state"], ended["counts"]["enrolled"]) == ("finished", 2), ended)
        if how != "killed":
            terminal.end(KILL)
        tunnel.end()
        watcher.end()


def called_off(program):
    """An enrollment whose client asks for an end."""
    with Whole(program, "--keys", "1") as station:
        watcher = Watcher(station)
        terminal = openssh(station, "otto").terminal()
        terminal.prompt(PROMPT)
        begun = watcher.now()
        terminal.enter("enroll --profile hotp8")
        watcher.wait("a touch is wanted", begun, lambda event: event["kind"] == "touch")
        terminal.send("\x03")
        said = terminal.prompt(PROMPT)
        check("Ctrl-C takes an enrollment back, and says so", "Cancelling" in said and "E4003" in said, said)
        tokens = [token["serial"] for token in station.json("token list")["tokens"]]
        check("and there is no token of it", tokens == [], tokens)
        terminal.enter("exit")
        terminal.end()
        watcher.end()


def varlink(program):
    """Another implementation of Varlink at the control socket."""
    import varlink

    with Whole(program, "--keys", "1") as station:
        with varlink.Client(f"unix:{station.house}/control.sock") as client:
            interfaces = sorted(client.get_interfaces())
            check("python-varlink finds the interfaces", "org.enrollmentstation.Control" in interfaces, interfaces)
            description = client.get_interface("org.enrollmentstation.Control").get_description()
            check("python-varlink reads what they can do", "method Status" in description and "method Watch" in description, description[:300])
            with client.open("org.enrollmentstation.Control") as control:
                status = control.Status()
                check("python-varlink asks for the status", status["station"] == "station-sim", status)
                try:
                    control.TokenShow(serial="MISSING")
                    refused = None
                except varlink.VarlinkError as error:
                    refused = error.as_dict()
                check("python-varlink gets a refusal", refused and refused["parameters"]["code"] == "E2064", refused)
            with client.open("org.enrollmentstation.Control") as control:
                events = control.Watch(_more=True)
                kinds = [next(events)["kind"]]
                station.run("plug")
                while "arrived" not in kinds:
                    kinds.append(next(events)["kind"])
                check("python-varlink watches", kinds[0] == "snapshot", kinds)


def post_quantum(program):
    """An SSH server that exchanges keys in no way that a quantum computer could break."""
    with Whole(program, more='[shell]\nkey-exchange = "post-quantum"\n') as station:
        client = Paramiko(station)
        check("a client that knows ML-KEM comes in", client.run("version")[0] == 0)
        client.close()
        knows = "mlkem768x25519-sha256" in subprocess.run(["ssh", "-Q", "kex"], capture_output=True, text=True).stdout
        code, _, err = station.run("version")
        what = "so does an OpenSSH that knows it" if knows else "an OpenSSH that does not know it stays outside"
        check(what, code == (0 if knows else 255), (code, err))
        found = notes(station)
        check("with key-exchange = \"post-quantum\" ssh-audit 3.9.0 finds no failure and nothing to warn of", not found, found)


def newcomer(program):
    """The very line that the simulation prints, typed into a terminal."""
    with Whole(program) as station:
        check("the simulation prints the line to type", station.line.startswith("ssh -i "), station.line)
        terminal = in_terminal([*station.line.split()[:1], "-F", "none", *station.line.split()[1:]])
        terminal.prompt(PROMPT)
        watcher = Watcher(station)
        said = terminal.command("plug", PROMPT)
        watcher.wait("the key is known", 0, arrived)
        watcher.end()
        said += terminal.command("keys", PROMPT)
        terminal.enter("enroll --profile hotp8")
        terminal.wait("a touch is wanted", lambda text: "Touch the key" in text)
        touched, _, why = station.run("touch --long")
        terminal.prompt(PROMPT)
        said += terminal.command("token list", PROMPT) + terminal.command("pull", PROMPT)
        wanted = ["yubikey 12345678", "YubiKey 5 NFC", "UBOM12345678_2", "not plugged in"]
        check("plug, touch and pull are there", touched == 0 and all(text in said for text in wanted), (why, said))
        terminal.enter("exit")
        check("and the prompt is left", terminal.end() == 0)


def parts(program):
    """Everything there is to try."""
    yield newcomer, program
    with Whole(program) as station:
        checkers = schemas(station)
    for client in CLIENTS:
        player = Exec(program, client)
        player.checkers = checkers
        if client is openssh:
            yield player.play, "runs, with text for answers,", player.text
        yield player.play, "runs, with JSON that is as its schema says,", player.json
        typed = Typed(program, client)
        yield typed.play, "types", typed.step
    yield helped, program, set(checkers) - {"(refusal)"}
    yield refusals, program
    yield run_outlives, program, "killed"
    yield run_outlives, program, "cut off"
    yield called_off, program
    for part in ORDERS:
        yield part, program
    yield varlink, program
    yield post_quantum, program


def main():
    for part, *arguments in parts(sys.argv[1]):
        try:
            part(*arguments)
        except Exception as error:  # noqa: BLE001 - the next part is tried all the same
            traceback.print_exc()
            check(f"{part.__name__} comes to its end", False, repr(error))
    report()


if __name__ == "__main__":
    main()
