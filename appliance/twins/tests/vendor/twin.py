"""A key twin as a Python program uses it, and a way to count checks.

The twin is the program in $KEY_TWIN, spoken to over its Unix socket. Its time
passes only when it is told so; `Twin.sleep` stands in for the sleep of vendors'
code, so that nothing here waits for real.
"""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
import traceback

MODHEX = "cbdefghijklnrtuv"

# Usages of a US keyboard (HID usage tables, page 7), as this test understands them.
LETTERS = {0x04 + n: chr(ord("a") + n) for n in range(26)}
DIGITS = {0x1E + n: "1234567890"[n] for n in range(10)}
KEYPAD = {0x59 + n: "1234567890"[n] for n in range(10)}
OTHERS = {0x28: "\n", 0x2B: "\t", 0x37: "."}


class Gone(Exception):
    """The twin answered ERR."""


class Twin:
    """A running `key-twin yubikey`."""

    def __init__(self, firmware, *options, real_time=False):
        self.firmware = firmware
        self.version = tuple(int(number) for number in firmware.split("."))
        self._folder = tempfile.TemporaryDirectory(prefix="key-twin-")
        path = os.path.join(self._folder.name, "socket")
        command = [os.environ["KEY_TWIN"], "yubikey", "--firmware", firmware, "--listen", path]
        if "--slot1" not in options:
            command += ["--slot1", "empty"]
        command += ["--clock", "real" if real_time else "manual", *options]
        self._process = subprocess.Popen(command)
        self._socket = self._connect(path)
        self._lines = self._socket.makefile("rb")

    def _connect(self, path):
        for _ in range(200):
            with contextlib.suppress(OSError):
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(path)
                return connection
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError("key-twin does not listen")

    def close(self):
        self._lines.close()
        self._socket.close()
        self._process.terminate()
        status = self._process.wait(10)
        left = os.listdir(self._folder.name)
        self._folder.cleanup()
        assert status == 0, f"key-twin ended with {status}"
        assert not left, f"key-twin left {left}"

    def ask(self, line):
        self._socket.sendall(line.encode() + b"\n")
        reply = self._lines.readline().decode().rstrip("\n")
        if reply.startswith("ERR"):
            raise Gone(reply)
        return reply

    def get_feature(self):
        return bytes.fromhex(self.ask("GET_FEATURE"))

    def set_feature(self, report):
        assert self.ask(f"SET_FEATURE {bytes(report).hex()}") == "OK"

    def apdu(self, command):
        return bytes.fromhex(self.ask(f"APDU {bytes(command).hex()}"))

    def power(self):
        self.ask("POWER")

    def sleep(self, seconds):
        self.ask(f"ADVANCE {round(seconds * 1000)}")

    def touch(self, press=1):
        """The keyboard reports that a press brings; 2 is a long press."""
        words = self.ask(f"TOUCH {press}").split(" ")
        assert words[0] == "REPORTS"
        return [bytes.fromhex(report) for report in words[1].split(",")] if words[1:] else []

    def typed(self, press=1):
        """What a press types on a US keyboard."""
        return text(self.touch(press))


def text(reports):
    """Reports as text; every press must be followed by its release."""
    assert all(len(report) == 8 for report in reports)
    presses, releases = reports[::2], reports[1::2]
    assert len(presses) == len(releases)
    assert all(release == bytes(8) for release in releases)
    usages = {**LETTERS, **DIGITS, **KEYPAD, **OTHERS}
    written = ""
    for press in presses:
        assert press[1] == 0 and press[3:] == bytes(5)
        character = usages[press[2]]
        if press[0] == 0x02:
            character = "!" if character == "1" else character.upper()
        else:
            assert press[0] == 0
        written += character
    return written


def modhex_decode(word):
    digits = "".join("0123456789abcdef"[MODHEX.index(character)] for character in word)
    return bytes.fromhex(digits)


class Checks:
    """Tests by firmware; each gets a twin of its own."""

    def __init__(self):
        self._tests = []

    def test(self, since="2.0.0", before="9.0.0", options=(), only=None, but=None, real_time=False):
        """Makes a function a test for firmware of `since` and later, before `before`;
        or `only` those; `but` leaves out a major version."""

        def register(function):
            wanted = lambda firmware: (
                numbers(since) <= numbers(firmware) < numbers(before)
                and (only is None or firmware in only)
                and numbers(firmware)[0] != but
            )
            self._tests.append((function, wanted, options, real_time))
            return function

        return register

    def run(self, firmwares, prepare):
        """Runs all; `prepare(twin)` is entered as a context around each."""
        passed = failed = 0
        for firmware in firmwares:
            for function, wanted, options, real_time in self._tests:
                if not wanted(firmware):
                    continue
                name = function.__name__.replace("_", " ")
                try:
                    with contextlib.closing(Twin(firmware, *options, real_time=real_time)) as twin:
                        with prepare(twin) if not real_time else contextlib.nullcontext():
                            function(twin)
                except Exception as error:  # A failed check must not hide the others.
                    failed += 1
                    print(f"FAILED {firmware} {name}: {error!r}")
                    traceback.print_exc()
                else:
                    passed += 1
                    print(f"ok {firmware} {name}")
        print(f"{passed} passed, {failed} failed")
        return 0 if failed == 0 and passed > 0 else 1


def numbers(version):
    return tuple(int(number) for number in version.split("."))


@contextlib.contextmanager
def raises(*kinds):
    """The block must raise one of these."""
    try:
        yield
    except kinds:
        return
    raise AssertionError(f"not refused ({', '.join(kind.__name__ for kind in kinds)} expected)")
