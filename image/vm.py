"""The station's card in an emulated machine: started, watched over its serial line, ended.

For `scripts/boot-image` and the tests of the image. It needs QEMU 7.2 or newer with usb-redir, and nothing else:
a card's partitions are read and written by this module, without mounting anything.
"""

import contextlib
import gzip
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import zlib

import cut

SIGNATURE = 0x656E726C
RECORDS = (1 << 20, 2 << 20)


class Gone(Exception):
    """The machine did not show what was waited for."""


def partition(image, number):
    """First byte and length of a partition."""
    with open(image, "rb") as file:
        table = file.read(512)
    if table[510:] != b"\x55\xaa" or struct.unpack_from("<I", table, 440)[0] != SIGNATURE:
        raise Gone(f"{image} is no card of an enrollment station")
    start, length = struct.unpack_from("<II", table, 446 + 16 * (number - 1) + 8)
    return start * 512, length * 512


def record(image):
    """The boot record that counts, as a dictionary; None when neither copy can be read."""
    best = None
    with open(image, "rb") as file:
        for at in RECORDS:
            file.seek(at)
            copy = file.read(4096)
            if zlib.crc32(copy[4:]) == struct.unpack_from("<I", copy)[0]:
                pairs = copy[4:].split(b"\0\0")[0].split(b"\0")
                names = dict(pair.decode().split("=", 1) for pair in pairs)
                if best is None or int(names["BOOT_GEN"], 16) > int(best["BOOT_GEN"], 16):
                    best = names
    return best


def write_record(image, **changes):
    """Changes both copies of the boot record."""
    names = record(image) | changes
    data = b"".join(f"{name}={value}\0".encode() for name, value in sorted(names.items())) + b"\0"
    data = data.ljust(4092, b"\0")
    with open(image, "r+b") as file:
        for at in RECORDS:
            file.seek(at)
            file.write(struct.pack("<I", zlib.crc32(data)) + data)


def card(image, to, size=1 << 30):
    """A copy of the image on a card of that size. QEMU wants a power of two for a Pi's."""
    subprocess.run(["cp", "--sparse=always", image, to], check=True)
    os.truncate(to, size)
    return to


def put(image, files):
    """Writes files (name to bytes) to the FAT partition, with mtools."""
    start, _ = partition(image, 1)
    with tempfile.TemporaryDirectory() as directory:
        for name, content in files.items():
            path = os.path.join(directory, name)
            with open(path, "wb") as file:
                file.write(content)
            subprocess.run(["mcopy", "-o", "-i", f"{image}@@{start}", path, f"::{name}"], check=True)


def get(image, name):
    """Reads a file of the FAT partition."""
    start, _ = partition(image, 1)
    return subprocess.run(["mcopy", "-n", "-i", f"{image}@@{start}", f"::{name}", "-"], check=True, capture_output=True).stdout


def tell_uboot(image, name, value):
    """Sets a variable in uboot.env of the FAT partition; what was there before."""
    before = get(image, "uboot.env")
    data = before[4:].split(b"\0\0")[0] + f"\0{name}={value}\0".encode()
    data = data.ljust(len(before) - 4, b"\0")
    put(image, {"uboot.env": struct.pack("<I", zlib.crc32(data)) + data})
    return before


def slot_file(image, slot, path, to):
    """Copies a file out of a slot, with debugfs."""
    start, length = partition(image, 2 if slot == "A" else 3)
    with tempfile.NamedTemporaryFile() as part:
        subprocess.run(["dd", f"if={image}", f"of={part.name}", "bs=1M", f"skip={start >> 20}", f"count={length >> 20}",
                        "conv=sparse", "status=none"], check=True)
        subprocess.run(["/sbin/debugfs", "-R", f"dump {path} {to}", part.name], check=True, capture_output=True)
    if not os.path.getsize(to):
        raise Gone(f"slot {slot} has no {path}")
    return to


def free_port():
    """A TCP port of the loopback interface that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Machine:
    """A running machine. To be used in a `with`: it is ended with it."""

    def __init__(self, disk, kind="virt", uboot=None, slot="A", ssh=0, log=None, extra=(), words="", snapshot=False, writes=None, parts=None,
                 emulator="qemu-system-aarch64", network=None, readonly=False, tree="bcm2837-rpi-3-b", broken=False):
        """`writes` names a file for all that is written to the card (see cut.py), `parts` a directory in which what a start
        takes out of the card's slots is kept for the next. `network` is QEMU's word for another than its own (see lan.py). A card that is
        `readonly` takes no writes, as one at its end. `tree` is the device tree of an emulated Pi 3. One
        that is `broken` answers each write with an error, and does not say that it is read-only."""
        self.directory = tempfile.mkdtemp(prefix="station-")
        self.ssh = ssh or free_port()
        self.begin = time.monotonic()
        self.text = b""
        self.restore = None
        self.log = open(log, "wb") if log else None
        # It ends with this program, however that ends.
        qemu = ["setpriv", "--pdeathsig", "KILL", emulator, "-display", "none", "-monitor", "none", "-nodefaults",
                "-serial", "stdio", "-qmp", f"unix:{self.directory}/qmp,server=on,wait=off"]
        drive = f"file={disk},format=raw,cache=unsafe,snapshot={'on' if snapshot else 'off'}"
        if readonly:
            drive += ",readonly=on"
        if broken:
            error = ",".join(f"file.inject-error.0.{name}={value}" for name, value in (("event", "none"), ("iotype", "write"), ("errno", 5), ("once", "off")))
            drive = f"driver=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename={disk},{error},werror=report"
        if writes:
            drive = cut.drive(disk, writes)
        network = network or f"user,id=net,hostfwd=tcp:127.0.0.1:{self.ssh}-:22"
        if kind == "virt":
            # Given a seed, the kernel parts its page tables from the programs'. Each entry into the kernel then costs
            # an emulator all that it has translated, half of a start; the boards' processors need none of it.
            board, separate = ("virt,dtb-randomness=off", "") if uboot else ("virt", " kpti=off")
            qemu += ["-M", board, "-cpu", "cortex-a53", "-smp", "2", "-m", "1G", "-drive", f"{drive},if=virtio",
                     "-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci",
                     "-device", "qemu-xhci,id=xhci,p2=15,p3=4"]
            console = f"console=ttyAMA0,115200{separate}"
            if uboot:
                qemu += ["-bios", uboot]
        elif kind == "raspi3b":
            qemu += ["-M", "raspi3b", "-drive", f"{drive},if=sd", "-serial", f"file:{self.directory}/mini-uart"]
            console = "console=ttyAMA0,115200"
            qemu += ["-dtb", self.part(disk, slot, f"broadcom/{tree}.dtb", parts)]
            # QEMU's Pi starts anew as soon as its watchdog is set.
            words += " systemd.watchdog_sec=0"
            if uboot:
                qemu += ["-kernel", uboot]
                self.restore = (disk, {"uboot.env": tell_uboot(disk, "more", words.strip())})
        elif kind == "raspi4b":
            # Only as far as U-Boot and the kernel's first lines: QEMU's Pi 4 has no PCIe, so no USB, and the kernel does not get far.
            qemu += ["-M", "raspi4b", "-drive", f"{drive},if=none,id=card", "-device", "sd-card,drive=card,bus=/generic-sdhci/sd-bus",
                     "-serial", f"file:{self.directory}/mini-uart", "-kernel", uboot,
                     "-dtb", self.part(disk, slot, "broadcom/bcm2711-rpi-4-b.dtb", parts)]
            self.restore = (disk, {"uboot.env": tell_uboot(disk, "more", words.strip())})
        else:
            raise ValueError(kind)
        if not uboot:
            # What U-Boot would do, for a quicker start.
            kernel, early, said = (self.part(disk, slot, name, parts) for name in ("Image.gz", "early.cpio.zst", "words"))
            with open(said) as file:
                usual = file.read().strip().removeprefix("words=")
            qemu += ["-kernel", kernel, "-initrd", early, "-no-reboot",
                     "-append", f"{console} card.slot={slot} card.contract=1 {usual} {words}"]
        qemu += list(extra)
        self.process = subprocess.Popen(qemu, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)

    def part(self, disk, slot, name, parts):
        """A file of a slot's /boot, unpacked."""
        to = os.path.join(parts or self.directory, f"{slot}-{os.path.basename(name)}")
        if not os.path.exists(to):
            slot_file(disk, slot, f"/boot/{name}", f"{to}.part")
            if name.endswith(".gz"):
                with gzip.open(f"{to}.part") as source, open(f"{to}.plain", "wb") as target:
                    shutil.copyfileobj(source, target)
                os.replace(f"{to}.plain", f"{to}.part")
            os.replace(f"{to}.part", to)
        return to

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def seconds(self):
        """Since it was started, by the wall clock."""
        return time.monotonic() - self.begin

    def processor_seconds(self):
        """What its emulation has cost."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def read(self, timeout):
        """Takes what came over the serial line; False when the machine has ended."""
        ready, _, _ = select.select([self.process.stdout], [], [], max(0, timeout))
        if not ready:
            return True
        got = self.process.stdout.read()
        if got:
            self.text += got
            if self.log:
                self.log.write(got)
                self.log.flush()
        return bool(got) or self.process.poll() is None

    def type(self, text):
        """Types on its serial line."""
        self.process.stdin.write(text)
        self.process.stdin.flush()

    @contextlib.contextmanager
    def reading(self):
        """Goes on taking what comes over the serial line while something else is waited for."""
        over = threading.Event()

        def read():
            while not over.is_set() and self.read(0.5):
                pass

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def wait_for(self, *wanted, within=180, since=0):
        """Waits until one of these is on the serial line; which one, and where it ends."""
        until = time.monotonic() + within
        while True:
            for one in wanted:
                at = self.text.find(one.encode(), since)
                if at >= 0 and b"\n" in self.text[at:]:
                    return one, at + len(one)
            left = until - time.monotonic()
            if left <= 0:
                raise Gone(f"none of {wanted} within {within} s; the last lines:\n{self.tail()}")
            if not self.read(left):
                raise Gone(f"the machine ended before {wanted}; the last lines:\n{self.tail()}")

    def other_line(self):
        """What came over a Pi's second serial line."""
        path = f"{self.directory}/mini-uart"
        if not os.path.exists(path):
            return b""
        with open(path, "rb") as file:
            return file.read()

    def line(self, at):
        """The line around a place in what was read."""
        begin = self.text.rfind(b"\n", 0, at) + 1
        return self.text[begin:self.text.find(b"\n", at)].decode(errors="replace").strip()

    def tail(self, count=15):
        """The last lines that were read."""
        return "\n".join(self.text.decode(errors="replace").splitlines()[-count:])

    def qmp(self, command, **arguments):
        """Asks QEMU itself, as soon as it listens."""
        while not os.path.exists(f"{self.directory}/qmp") and self.process.poll() is None:
            self.read(0.1)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(f"{self.directory}/qmp")
            stream = sock.makefile("rw")
            stream.readline()
            for one in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                stream.write(json.dumps(one) + "\n")
                stream.flush()
                while True:
                    answer = json.loads(stream.readline())
                    if "return" in answer or "error" in answer:
                        break
            return answer

    def end(self):
        """Ends it at once, as a power cut does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.restore:
            put(*self.restore)
        if self.log:
            self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)
