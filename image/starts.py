"""The boards' own U-Boot with the built card on emulated boards, as far as the kernel's first line."""

import subprocess
import time

import board
import vm

# QEMU's name of the board, and where its first serial line is for the kernel's earliest messages.
BOARDS = {"raspi4b": 0xFE201000, "raspi3b": 0x3F201000}


def boards(trial, check, seconds):
    """Settings found, no prompt, boot record read, counted and written on the right device, kernel started."""
    uboot = trial.uboot.replace("qemu_arm64", "rpi_arm64")
    emulator = subprocess.run([board.EMULATOR], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    for kind, serial in BOARDS.items():
        before = vm.record(trial.disk)
        left = int(before["BOOT_A_LEFT"]) - 1
        words = f" ignore_loglevel earlycon=pl011,{serial:#x}"
        with trial.start(kind=kind, uboot=uboot, emulator=emulator, words=words) as machine:
            until = time.monotonic() + seconds
            text = b""
            while b"Booting Linux on physical CPU" not in text and time.monotonic() < until and machine.read(1):
                text = machine.text + machine.other_line()
            text = (machine.text + machine.other_line()).decode(errors="replace")
            took = f"{machine.seconds():.0f} s, {machine.processor_seconds():.0f} s of processor time"
        check(f"{kind}: U-Boot finds its settings on the card", "Loading Environment from FAT... OK" in text, text[:400] if "Environment" not in text else "")
        check(f"{kind}: it asks nobody", "Hit any key" not in text and "=>" not in text)
        counted = f"card: starting slot A; attempts left: A {left}"
        check(f"{kind}: it reads the boot record and counts", counted in text and "bad CRC" not in text,
              next((line for line in text.splitlines() if "starting slot" in line or "card: " in line), text[-400:]))
        after = vm.record(trial.disk)
        check(f"{kind}: it writes the boot record", after["BOOT_A_LEFT"] == str(left) and int(after["BOOT_GEN"], 16) == int(before["BOOT_GEN"], 16) + 1, str(after))
        check(f"{kind}: the kernel starts", "Booting Linux on physical CPU" in text, took)
