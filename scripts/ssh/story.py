"""A day at the station, command by command. Played as exec or at a prompt, with any client."""

from dataclasses import dataclass, field

PASSWORD = "admin-password"  # The embedded server's.
KEY, TOKEN = "12345678", "UBOM12345678_1"
EVE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL+xgtWaz4ijw6gth1ZowypC9EiRPMhEt8Ch7FQlXAJQ eve"


@dataclass
class Step:
    """A command and what comes of it."""

    line: str
    shows: str = ""
    """What its text holds."""
    code: int = 0
    refused: str = ""
    """The refusal's code, where there is one."""
    asks: str = ""
    """The question that it asks unless it is given --yes."""
    stdin: str = ""
    """What it reads in exec."""
    typed: list = field(default_factory=list)
    """The same at a prompt: what is waited for, and the keys that are pressed then."""
    wait: object = None
    """The event that follows, and comes before the next step."""

    def keys(self):
        return [*self.typed, *([(self.asks, "y\r")] if self.asks else [])]


def arrived(event):
    return event["kind"] == "arrived" and (event.get("key") or {}).get("serial") is not None


def left(event):
    return event["kind"] == "left"


def story(codes, receipt):
    """The steps; `codes()` are two codes in a row of the first key, `receipt()` the newest receipt's
    number. One that is a function of nothing is called when its turn has come."""
    def resynced():
        one, two = codes()
        typed = [("A code of the key: ", f"{one}\r"), ("The next code: ", f"{two}\r")]
        return Step(f"token resync {TOKEN}", "alice", stdin=f"{one}\n{two}\n", typed=typed)

    def shown():
        return Step(f"receipts show {receipt()}", TOKEN)

    return [
        Step("version", "enroll-shell"),
        Step("status", "attended"),
        Step("keys"),
        Step("plug", KEY, wait=arrived),
        Step("keys", KEY),
        Step(f"key {KEY}", "1: empty"),
        Step("profiles", "hotp8"),
        Step("profile show hotp6", "digits"),
        Step(f"profile check hotp6 --key {KEY}", "would be enrolled"),
        Step("mode", "attended"),
        Step("mode locked", "locked"),
        Step("mode attended", "attended"),
        Step(f"enroll --profile hotp6 --user alice@office --key {KEY}", TOKEN),
        Step(f"verify {KEY}", TOKEN),
        Step(f"token show {TOKEN}", "alice"),
        Step("token list", TOKEN),
        Step("token list --user alice@office", TOKEN),
        Step(f"token disable {TOKEN}", asks="Keep this token from counting?"),
        Step(f"token enable {TOKEN}"),
        Step(f"token pin {TOKEN}", stdin="4711\n", typed=[("New PIN: ", "4711\r"), ("The same again: ", "4711\r")]),
        resynced,
        Step(f"token unassign {TOKEN}", asks="Take this token from its person?"),
        Step(f"token assign {TOKEN} bob@office", "bob"),
        Step("user find ali", "Archer"),
        Step("server status", "privacyIDEA"),
        Step("server logout", asks="Nothing can be enrolled then."),
        Step("server login admin", "admin", stdin=f"{PASSWORD}\n", typed=[("Password of admin: ", f"{PASSWORD}\r")]),
        Step("receipts list", TOKEN),
        shown,
        Step("receipts verify", "right"),
        Step("receipts export"),
        Step("config show", "hotp8"),
        Step("config show server", "url"),
        Step("config set shell.idle-minutes 20", "+idle-minutes = 20"),
        Step("config diff", "+idle-minutes = 20"),
        Step("config check", "right"),
        Step("config commit confirmed 5", "UNLESS CONFIRMED"),
        Step("config confirm"),
        Step("config set shell.idle-minutes 30", "+idle-minutes = 30"),
        Step("config commit", asks="Bring the changes into force?"),
        Step("config rollback", asks="Take the changes back?"),
        Step(
            "profile import old",
            "old",
            stdin="--url=https://pi.example.org\nyubikey_mass_enroll\n",
            typed=[("Ctrl-D ends them.", "--url=https://pi.example.org\ryubikey_mass_enroll\r\x04")],
        ),
        Step("welcome list"),
        Step("welcome add --vendor yubico --name ours", "yubico"),
        Step("welcome remove 1"),
        Step("sealed list"),
        Step("registration create --realm office"),
        Step("operators", "vera"),
        Step(
            "operators add eve --role viewer",
            '+name = "eve"',
            stdin=f"{EVE}\n",
            typed=[("Ctrl-D ends them.", f"{EVE}\r\x04")],
        ),
        Step("operators set eve --from 192.0.2.0/24", '+from = ["192.0.2.0/24"]'),
        Step("config diff --to-sign", "operators.eve.role"),
        # What changes who may come in takes a signature.
        Step("config commit", code=1, refused="E3021", asks="Bring the changes into force?"),
        Step("operators remove eve"),
        Step(
            "config load -",
            "-name",
            stdin="[station]\n",
            typed=[("Ctrl-D ends them.", "[station]\r\x04")],
        ),
        Step("config rollback", asks="Take the changes back?"),
        Step("config diff --to-sign --rollback", code=1, refused="E3013"),
        Step("sessions", "ada"),
        Step("sessions end 4000000", code=1, refused="E3023"),
        Step("audit --newest 500", "TokenAssign"),
        Step("panel"),
        Step("logs", "INFO"),
        Step("explain e2041", "E2041"),
        Step("schema status", "host_key"),
        Step(f"release {KEY}", "eleased", asks="erase its slot?"),
        # Both are empty: there is nothing to exchange, which is no mistake.
        Step(f"swap {KEY}", "exchanged", asks="Exchange what is in the slots 1 and 2 of the key?"),
        Step(f"wipe {KEY} --slot 2", asks="Erase what is in the slot, whosever it is, for ever?"),
        Step(
            "run start --list - --name autumn --profile hotp6",
            "autumn",
            stdin="user,realm\nalice,office\ncarol,office\n",
            typed=[("Ctrl-D ends them.", "user,realm\ralice,office\rcarol,office\r\x04")],
        ),
        Step("run status", "autumn"),
        Step("run pause", "paused"),
        Step("run resume", "running"),
        Step("run stop", "stopped", asks="End the run?"),
        Step("token delete UBOM0", code=1, refused="E2064", asks="Delete this token for ever?"),
        Step(f"cancel {KEY}", code=1, refused="E4010"),
        Step("touch"),
        Step("pull", "not plugged in", wait=left),
        Step("reboot", code=1, refused="E5005", asks="Start the station anew?"),
        Step("poweroff", code=1, refused="E5005", asks="Switch the station off?"),
        Step("token show MISSING", code=1, refused="E2064"),
        Step("history"),
        Step("help", "run start"),
        Step("help token", "resync"),
    ]
