"""A Pi 3B, as far as QEMU has one: through U-Boot, with a display on its I2C bus and a lamp at pin 17."""

import os
import re
import subprocess

import vm
import wrong

PIN = 17
# There is no network there, so the key is of no use to anybody.
KEY = "eyJ0eXAi.eyJ1c2VybmFtZSI6InRyaWFsIn0.c2lnbmF0dXJl"
MORE = f'[server]\napi-key = "{KEY}"\n'
SETTINGS = wrong.GOOD.replace("{key}", wrong.KEY).replace("[server]\n", MORE).replace('ca = "ca.pem"\n', "") + f"[panel]\nlamp = [{PIN}]\n"
# BCM2835 ARM Peripherals, section 6.1: where the functions of pins 10 to 19 and the levels of pins 0 to 31 are read.
FUNCTIONS, LEVELS = 0x3F200004, 0x3F200034
HERE = os.path.dirname(os.path.realpath(__file__))
EMULATOR = os.path.join(HERE, "emulator")
GOLDEN = os.path.join(os.path.dirname(HERE), "appliance/panel/tests/golden/128x64-en.txt")
# Unicode, block "Braille Patterns": which bit is which dot.
BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
# SSD1306, table 9-1: commands that have arguments, and how many.
ARGUMENTS = {0x20: 1, 0x21: 2, 0x22: 2, 0x81: 1, 0xA8: 1, 0xD3: 1, 0xD5: 1, 0xD9: 1, 0xDA: 1, 0xDB: 1, 0x8D: 1}


def frames(trace):
    """Each picture that the bytes on the bus make, when its last byte has come: 64 rows of 128 characters."""
    memory, column, page, columns, pages = bytearray(1024), 0, 0, (0, 127), (0, 7)
    command, arguments, data, shown = None, [], None, []
    for kind, address, byte in re.findall(r"i2c_(event|send(?:_async)?) \w+\(addr:0x(\w\w)\)(?: data:0x(\w\w))?", trace):
        if int(address, 16) != 0x3C:
            continue
        if kind == "event":
            # The transfer is over, or another begins: its first byte says what the others are.
            data = None
            continue
        byte = int(byte, 16)
        if data is None:
            data = bool(byte & 0x40)
        elif data:
            memory[page * 128 + column] = byte
            column += 1
            if column > columns[1]:
                column, page = columns[0], pages[0] if page >= pages[1] else page + 1
                if (column, page) == (columns[0], pages[0]):
                    picture = rows(memory)
                    if not shown or shown[-1] != picture:
                        shown.append(picture)
        else:
            if command is None or len(arguments) == ARGUMENTS.get(command, 0):
                command, arguments = byte, []
            else:
                arguments.append(byte)
            if command == 0x21 and len(arguments) == 2:
                columns, column = tuple(arguments), arguments[0]
            if command == 0x22 and len(arguments) == 2:
                pages, page = tuple(arguments), arguments[0]
    return shown


def rows(memory):
    """The display's memory has columns of eight pixels, the lowest bit on top."""
    return ["".join("#" if memory[y // 8 * 128 + x] >> y % 8 & 1 else "." for x in range(128)) for y in range(64)]


def golden():
    """The pictures that the panel's tests hold to, by name. They stand there in Braille, eight dots a character."""
    found, name = {}, None
    with open(GOLDEN) as file:
        for line in file.read().splitlines():
            if line and line[0] >= "\u2800":
                dots = [ord(character) - 0x2800 for character in line]
                found[name] += ["".join("#" if dots[x // 2] & BRAILLE[y][x % 2] else "." for x in range(128)) for y in range(4)]
            elif line:
                name = line.split()[0]
                found[name] = []
    return found


# How many rows of a view are the same on every station: below them are names, numbers, and what moves.
SAME = {"starting": 40, "host-key": 9, "ready": 64, "no-network": 40}


def named(picture, known):
    """Which view it is, by the rows that are the same, dot by dot; `-` while one takes another's place."""
    return next((name for name, rows in SAME.items() if picture[:rows] == known[name][:rows]), "-")


def views(trace):
    """Which views the trace shows, in the order in which they came first, and all of its pictures."""
    with open(trace) as file:
        shown = frames(file.read())
    known = golden()
    return list(dict.fromkeys(name for name in (named(one, known) for one in shown) if name != "-")), shown


# bcm2837-rpi-3-b-plus.dts: the board's own LED is at this pin, and low is on.
LED = 29


def led(trial, check, seconds):
    """A Pi 3B+ by its device tree, started without U-Boot: its own LED beats, and then says that somebody is needed."""
    vm.put(trial.disk, {"enrollment.toml": SETTINGS.encode()})
    with trial.start(kind="raspi3b", tree="bcm2837-rpi-3-b-plus") as machine:
        peek = lambda: int(machine.qmp("human-monitor-command", **{"command-line": f"xp /1xw {LEVELS:#x}"})["return"].split()[-1], 16) >> LED & 1
        changes, last, begun = [], peek(), None
        while machine.seconds() < 3 * seconds and len(changes) < 4 and machine.read(0.05):
            level = peek()
            if level != last:
                last = level
                changes.append(machine.seconds())
        check("the board's LED beats", len(changes) == 4, f"first {changes[0] if changes else 0:.0f} s after the start")
        # Nobody has logged in, so the station is locked and wants somebody: five times a second by the guest's clock.
        machine.wait_for("slot A is", within=3 * seconds)
        begun, changes, last = machine.seconds(), 0, peek()
        while machine.seconds() < begun + 20 and machine.read(0.02):
            level = peek()
            changes, last = changes + (level != last), level
        check("then it blinks fast", changes > 40, f"{changes} changes in 20 s")


def pi(trial, check, seconds, good):
    """Starts it; the pictures on the bus and the lamp are those of a station that starts and has no credential."""
    vm.put(trial.disk, {"enrollment.toml": SETTINGS.encode()})
    events, trace = f"{trial.directory}/events", f"{trial.directory}/trace"
    with open(events, "w") as file:
        file.write("i2c_event\ni2c_send\ni2c_send_async\n")
    words = ["-device", "ssd0303,bus=i2c-bus.1,address=0x3c", "-trace", f"events={events},file={trace}"]
    through = trial.uboot.replace("qemu_arm64", "rpi_3")
    emulator = subprocess.run([EMULATOR], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    with trial.start(kind="raspi3b", uboot=through, extra=words, emulator=emulator) as machine:
        _, at = machine.wait_for(good, within=3 * seconds)
        check("a Pi 3B starts through U-Boot", True, f"{machine.line(at)}; {machine.processor_seconds():.0f} s of processor time")
        peek = lambda place: int(machine.qmp("human-monitor-command", **{"command-line": f"xp /1xw {place:#x}"})["return"].split()[-1], 16)
        function = peek(FUNCTIONS) >> 3 * (PIN - 10) & 7
        levels, until = set(), machine.seconds() + seconds
        while (len(levels) < 2 or len(views(trace)[0]) < 3) and machine.seconds() < until and machine.read(1):
            levels.add(peek(LEVELS) >> PIN & 1)
        check("the lamp's pin is driven, and blinks", function == 1 and len(levels) == 2)
    seen, shown = views(trace)
    check("the display's bytes are the pictures that the panel's tests hold to", seen[:1] == ["starting"] and len(seen) > 2 and "host-key" in seen,
          f"{' '.join(seen)}; {len(shown)} pictures")
    if shown:
        print("\n".join(row for row in shown[-1][0::2]), flush=True)
