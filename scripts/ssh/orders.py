"""Whose an order is: what becomes of it when its client goes away, in each way that clients go."""

import json
import os
import signal
import subprocess
import time

from clients import check
from login import in_terminal
from station import PATIENCE, Tunnel, Watcher, Whole
from story import KEY, TOKEN, arrived

PROMPT = "station-sim> "
NOTICED = 30
"""Seconds within which a client that vanished without a word is noticed."""


def order(station, line, port=None, options=()):
    """A command of otto's, running."""
    command = station.ssh("otto", port) + [*options, "127.0.0.1", line]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals
    )


def heed_signals():
    """A program that is started under nohup or in the background ignores signals, and so would its children."""
    for one in [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]:
        signal.signal(one, signal.SIG_DFL)


def wants_touch(event):
    return event["kind"] == "touch"


def over(event):
    return event.get("outcome")


def waiting(count):
    return lambda event: event["kind"] == "orders" and len(event["orders"]) == count


def tokens(station):
    return [token["serial"] for token in station.json("token list")["tokens"]]


def end(client, how):
    client.send_signal(how)
    client.wait(PATIENCE)


def gone_at_the_touch(program):
    """A client that is killed, or hangs up, while its order waits for a touch."""
    for how in [signal.SIGKILL, signal.SIGHUP, signal.SIGINT, signal.SIGTERM]:
        with Whole(program, "--keys", "1") as station:
            watcher = Watcher(station)
            client = order(station, f"enroll --profile hotp6 --user alice@office --key {KEY}")
            touch = watcher.wait("a touch is wanted", 0, wants_touch)
            begun = watcher.now()
            end(client, how)
            event = watcher.wait("it ends", begun, over)
            watcher.touch(touch)
            outcome = event["outcome"]
            good = outcome["ending"] == "undone" and outcome["refusal"]["code"] == "E4003"
            check(f"a client that ends by {how.name} at the touch leaves no token", good and tokens(station) == [], outcome)
            watcher.end()


def gone_before_the_key(program):
    """A client that goes while its order waits for a key: the next key is nobody's."""
    with Whole(program) as station:
        watcher = Watcher(station)
        client = order(station, "enroll --profile hotp6 --user alice@office")
        watcher.wait("the order waits", 0, waiting(1))
        shown = [station.json("status")["orders"], station.json("keys")["orders"]]
        seen = all(len(orders) == 1 and orders[0]["person"] == "alice@office" for orders in shown)
        words = " ".join(json.loads(station.run("panel --json")[1].splitlines()[0])["words"])
        check("an order that waits stands in status and keys", seen, shown)
        check("and the display says so, and names nobody", "order" in words and "alice" not in words, words)
        begun = watcher.now()
        end(client, signal.SIGKILL)
        watcher.wait("the order ends", begun, waiting(0))
        station.run("plug")
        watcher.wait("the key is known", begun, arrived)
        time.sleep(1)
        ports = station.json("status")["ports"]
        check("the next key is nobody's when the client has gone", tokens(station) == [] and ports[0]["activity"] == "idle", ports)
        watcher.end()


def vanished(program):
    """A client that says nothing any more: a network that is cut, a laptop that sleeps."""
    for what in ["cut off", "asleep"]:
        with Whole(program, "--keys", "1") as station:
            watcher = Watcher(station)
            tunnel = Tunnel(station.port)
            client = order(station, f"enroll --profile hotp6 --key {KEY}", tunnel.port)
            # The key that it waits for, once with a touch that does not come.
            watcher.wait("a touch is wanted", 0, wants_touch)
            end_waiting = order(station, "enroll --profile hotp6 --key 99999999", tunnel.port)
            watcher.wait("another order waits", 0, waiting(1))
            begun, at = watcher.now(), time.monotonic()
            if what == "cut off":
                tunnel.dead.set()
            else:
                os.kill(client.pid, signal.SIGSTOP)
                os.kill(end_waiting.pid, signal.SIGSTOP)
            watcher.wait("the order that waits ends", begun, waiting(0))
            took = time.monotonic() - at
            event = watcher.wait("the enrollment ends", begun, over)
            all_took = time.monotonic() - at
            code = (event["outcome"].get("refusal") or {}).get("code")
            # A touch that nobody makes ends by itself, too.
            good = took < NOTICED + 5 and event["outcome"]["ending"] == "undone" and code in ("E4001", "E4003")
            check(f"a client that is {what} is noticed within {NOTICED} s", good and tokens(station) == [], (took, all_took, code))
            for one in [client, end_waiting]:
                one.kill()
                one.wait(PATIENCE)
            tunnel.end()
            watcher.end()


def detached(program):
    """An order that goes on without its client, and one whose client only has no standard input."""
    with Whole(program, "--keys", "1") as station:
        watcher = Watcher(station)
        code, out, err = station.run("enroll --profile hotp6 --user alice@office --detach --json", operator="otto")
        given = json.loads(out) if code == 0 else {}
        check("--detach gives the order and comes back", given.get("detached") is True and given.get("ticket"), (code, out, err))
        touch = watcher.wait("a touch is wanted", 0, wants_touch)
        begun = watcher.now()
        watcher.touch(touch)
        event = watcher.wait("it ends", begun, over)
        token = station.json(f"token show {TOKEN}")
        good = event["outcome"]["ending"] == "enrolled" and token["active"] and token["person"] == "alice@office"
        check("and the token of a detached order counts", good, (event, token))
        begun = watcher.now()
        client = order(station, "enroll --profile hotp8 --user bob@office", options=["-n"])
        touch = watcher.wait("a touch is wanted", begun, wants_touch)
        watcher.touch(touch)
        out, err = client.communicate(timeout=PATIENCE)
        check("ssh -n enrolls, although its standard input ends at once", client.returncode == 0 and "bob@office" in out, (out, err))
        watcher.end()


def limited(program):
    """Orders that wait for a key that does not come."""
    with Whole(program) as station:
        watcher = Watcher(station)
        at = time.monotonic()
        code, out, err = station.run("enroll --profile hotp6 --key 99999999 --timeout 2s", operator="otto")
        took = time.monotonic() - at
        said = "Waiting for key 99999999" in err and "E4013" in out + err
        check("an order waits no longer than --timeout, and names its key", code == 1 and said and took < 60, (code, out, err, took))
        begun = watcher.now()
        clients = [order(station, f"enroll --profile hotp6 --key {key}") for key in ["99999998", "99999997"]]
        watcher.wait("two orders wait", begun, waiting(2))
        code, out, err = station.run("cancel 99999998", operator="otto")
        ended = clients[0].wait(PATIENCE)
        check("cancel reaches the order for a key that is not there", code == 0 and ended == 1, (code, out, err, ended))
        code, out, err = station.run("cancel", operator="otto")
        ended = clients[1].wait(PATIENCE)
        check("cancel without a key calls everything off", code == 0 and "order" in out and ended == 1, (code, out, err, ended))
        check("and nothing waits any more", station.json("status")["orders"] == [])
        watcher.end()


def key_comes_later(program):
    """verify and release, for a key that is plugged in later."""
    with Whole(program, "--keys", "1") as station:
        watcher = Watcher(station)
        watcher.finger = True
        station.run("enroll --profile hotp6 --user alice@office")
        station.run("pull")
        code, out, err = station.run(f"verify {KEY}", operator="otto")
        check("verify of a key that is not there does not wait", code == 1 and "E4010" in out + err, (code, out, err))
        code, out, err = station.run(f"verify {KEY} --timeout 1s", operator="otto")
        check("with --timeout it waits so long", code == 1 and f"Waiting for key {KEY}" in err and "E4013" in out + err, (code, out, err))
        for line, shows in [(f"verify {KEY} --timeout 2m", "accepts"), (f"release {KEY} --timeout 2m --yes", "")]:
            begun = watcher.now()
            client = order(station, line)
            watcher.wait("the order waits", begun, waiting(1))
            station.run(f"plug --serial {KEY}")
            out, err = client.communicate(timeout=PATIENCE)
            check(f"{line.split()[0]} takes the key that comes", client.returncode == 0 and shows in out, (client.returncode, out, err))
            station.run("pull")
        check("and the token is gone after the release", tokens(station) == [])
        watcher.end()


def replaced(program):
    """The question whether what is finished on a key may go, at terminals and where there is none."""
    line = "enroll --profile hotp6 --user bob@office"
    question = f"Replace token {TOKEN}? [y/N]"
    with Whole(program, "--keys", "1") as station:
        watcher = Watcher(station)
        watcher.finger = True
        station.run("enroll --profile hotp6 --user alice@office")

        def owner():
            return station.json(f"token show {TOKEN}")["person"]

        for option in ["", " --yes", " --json"]:
            code, out, err = station.run(line + option, operator="otto")
            good = code == 1 and question not in out + err and owner() == "alice@office"
            check(f"without a terminal nobody is asked, and it stays{' with' if option else ''}{option}", good, (code, out, err))
        terminal = in_terminal([*station.ssh("otto"), "-tt", "127.0.0.1"])
        terminal.prompt(PROMPT)
        for answer in ["n\r", "\r", "\x03"]:
            said = terminal.command(line, PROMPT, [(question, answer)])
            named = all(text in said for text in ["alice@office", "proven", "does not come back"])
            check(f"at a prompt it names what would go, and {answer!r} leaves it", named and owner() == "alice@office", said)
        said = terminal.command(f"{line} --yes", PROMPT)
        check("at a prompt --yes does not stand for the answer", question not in said and owner() == "alice@office", said)
        said = terminal.command(line, PROMPT, [(question, "y\r")])
        check("and the answer y replaces it", "bob@office" in said and owner() == "bob@office", said)
        terminal.enter("exit")
        terminal.end()
        alone = in_terminal([*station.ssh("otto"), "-tt", "127.0.0.1", "enroll --profile hotp6 --user carol@office"])
        said = alone.wait("the question", lambda text: question in text)
        alone.send("y\r")
        said += alone.wait("the end", lambda text: "carol@office (" in text)
        status = alone.end()
        check("ssh -tt with one command asks, too", status == 0 and owner() == "carol@office" and "bob@office" in said, (status, said))
        watcher.end()


ORDERS = [gone_at_the_touch, gone_before_the_key, vanished, detached, limited, key_comes_later, replaced]
