"""A wrong `enrollment.toml`: on the card, and asked about through the SSH server."""

import json

import vm
import whole
import wrong as kinds
from whole import client

# What is on the card when it starts, in an encoding that is wrong, too.
CHOSEN, ENCODING = "the mode is unknown", "latin-1"


def wrong(trial, check, seconds):
    """One start with a mistake; all the other mistakes are asked about in the same session."""
    public = client.keygen(trial.directory)
    texts = {kind: (text, line, word) for kind, text, line, word in kinds.texts(public.rsplit(" ", 1)[0])}
    text, line, _ = texts[CHOSEN]
    vm.put(trial.disk, {"enrollment.toml": kinds.encoded(text, ENCODING), "ca.pem": whole.authority(trial.directory)})
    with trial.start() as machine:
        machine.wait_for("slot A is", within=seconds)
        operator = client.Operator(machine.ssh, trial.directory)
        with machine.reading():
            operator.arrive(seconds)
            check("operators whose keys could be read get in", True)
            panel = operator.follow("panel --follow --json", "panel")
            # The cause takes several pages, which take turns, and the host key comes first.
            picture, _ = panel.wait(lambda picture: f"ine {line}" in " ".join(picture["words"]), "the line", within=seconds)
            check("the display names the line", True, " ".join(picture["words"]))
            panel.stop()
            status = operator.ask("status")
            check("nothing is enrolled meanwhile", status["mode"] == "locked" and bool(status.get("not_ready")), json.dumps(status.get("not_ready")))
            missed = []
            for kind, (text, line, word) in texts.items():
                code, out, errors = operator.try_to("config check - --json", text)
                problems = json.loads(out)["problems"] if out.startswith("{") else []
                named = [one for one in problems if line in (None, one["line"]) and word in f"{one.get('field')} {one['text']} {one['remedy']}"]
                if code != 6 or not named or not all(one["remedy"] for one in problems):
                    missed.append((kind, code, out or errors))
            check(f"{len(texts)} mistakes are named with line and remedy", not missed, str(missed)[:600])
