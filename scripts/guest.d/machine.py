"""The emulated machine, and the keys at its ports."""

import json
import os
import re
import socket
import subprocess
import threading
import time


# The PCI slot of the first hostile device's controller.
LIARS = 0x10


class Trouble(Exception):
    """Something that was waited for did not come."""


def free_port():
    """A TCP port of the loopback interface that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Lines:
    """Lines of a stream, kept, and waited for."""

    def __init__(self, stream, log):
        self.kept, self.changed, self.over = [], threading.Condition(), False
        threading.Thread(target=self._read, args=(stream, log), daemon=True).start()

    def _read(self, stream, log):
        try:
            with open(log, "w") as file:
                for raw in iter(stream.readline, b""):
                    line = raw.decode("utf-8", "replace").strip("\r\n")
                    file.write(line + "\n")
                    file.flush()
                    with self.changed:
                        self.kept.append(line)
                        self.changed.notify_all()
        except OSError:
            # The machine ended in the middle of a line.
            pass
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def mark(self):
        with self.changed:
            return len(self.kept)

    def since(self, mark):
        with self.changed:
            return self.kept[mark:]

    def wait(self, wanted, mark=0, within=60, what=None):
        """The first line from `mark` on that matches, as a match."""
        pattern, end, at = re.compile(wanted), time.monotonic() + within, mark
        with self.changed:
            while True:
                while at < len(self.kept):
                    if found := pattern.search(self.kept[at]):
                        return found
                    at += 1
                left = end - time.monotonic()
                if self.over or left <= 0:
                    last = " | ".join(self.kept[mark:][-4:])
                    raise Trouble(f"{what or wanted} did not come within {within} s; last: {last}")
                self.changed.wait(left)


class Key:
    """A twin as a USB device, and its desk."""

    def __init__(self, program, place, name, *arguments):
        self.usb, desk = os.path.join(place, f"{name}.usb"), os.path.join(place, f"{name}.desk")
        # What it holds, where it was told to keep that.
        self.state = os.path.join(place, f"{name}.state")
        command = [program, *arguments, "--usbredir", self.usb, "--control", desk, "--unplugged"]
        self.process = subprocess.Popen(command)
        end = time.monotonic() + 20
        while True:
            self.desk = socket.socket(socket.AF_UNIX)
            try:
                self.desk.connect(desk)
                break
            except OSError:
                self.desk.close()
                if self.process.poll() is not None or time.monotonic() > end:
                    self.end()
                    raise Trouble(f"the twin {name} does not serve") from None
                time.sleep(0.02)
        self.file = self.desk.makefile("rw")

    def ask(self, line):
        """What it says to a command, which may be that it cannot."""
        self.file.write(line + "\n")
        self.file.flush()
        return self.file.readline().strip()

    def tell(self, line):
        reply = self.ask(line)
        if not reply.startswith("OK"):
            raise Trouble(f"{line}: {reply}")
        return reply[3:]

    def seed(self):
        """The 20 bytes in slot 1 (struct config_st of ykdef.h: 16 in `key`, 4 in `uid`)."""
        with open(self.state) as file:
            (slot,) = [line.split()[1] for line in file if line.startswith("slot1 ")]
        config = bytes.fromhex(slot)
        return config[22:38] + config[16:20]

    def end(self):
        self.process.terminate()
        self.process.wait()


class Machine:
    """QEMU, with a shell in it and its kernel's log beside."""

    def __init__(self, kind, kernel, device_tree, root, place, keys, liars=()):
        self.place, self.qmp_path, self.ssh = place, os.path.join(place, "qmp"), free_port()
        self.shell_path = os.path.join(place, "shell")
        # A Pi has no clock, and certificates are not valid in 1970.
        append = f"quiet loglevel=6 panic=5 usbcore.authorized_default=0 guest.date={int(time.time())} "
        # It ends with this program, however that ends.
        command = ["setpriv", "--pdeathsig", "KILL", "nice", "-n", "5", "qemu-system-aarch64", "-display", "none", "-no-reboot", "-monitor", "none"]
        command += ["-qmp", f"unix:{self.qmp_path},server=on,wait=off", "-kernel", kernel, "-initrd", root]
        network = f"user,id=net,hostfwd=tcp:127.0.0.1:{self.ssh}-:2222"
        shell = f"socket,id=shell,path={self.shell_path},server=on,wait=off"
        if kind == "virt":
            command += ["-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", "1G", "-serial", "stdio"]
            # Fifteen ports for keys, and some for whatever else is plugged in.
            command += ["-device", "qemu-xhci,id=xhci,p2=15,p3=1", "-device", "qemu-xhci,id=more,p2=4,p3=1", "-device", "virtio-rng-pci"]
            command += ["-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile="]
            command += ["-chardev", shell, "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=shell"]
            append += "console=ttyAMA0,115200 guest.shell=hvc0"
        else:
            # The first serial line is the Bluetooth module's by the device tree: the kernel prints to it, and nobody else has it.
            command += ["-M", "raspi3b", "-dtb", device_tree, "-serial", "stdio", "-chardev", shell, "-serial", "chardev:shell"]
            command += ["-netdev", network, "-device", "usb-net,netdev=net"]
            append += "console=ttyAMA0,115200 guest.shell=ttyS1"
        command += ["-append", append]
        for number, key in enumerate(keys):
            command += ["-chardev", f"socket,id=key{number},path={key.usb}"]
            command += ["-device", f"usb-redir,id=usb{number},chardev=key{number}" + (",bus=xhci.0" if kind == "virt" else "")]
        for number, liar in enumerate(liars):
            # A controller each: the kernel looks at one device of a hub after the other, and waits seconds for one that hangs.
            command += ["-device", f"qemu-xhci,id=liar{number},p2=4,p3=1,addr={LIARS + number:x}", "-chardev", f"socket,id=liar{number},path={liar.usb}"]
            command += ["-device", f"usb-redir,id=liarusb{number},chardev=liar{number},bus=liar{number}.0"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.kernel = Lines(self.process.stdout, os.path.join(place, "kernel.log"))
        self.shell = self._connect(self.shell_path)
        self.lines = Lines(self.shell.makefile("rb"), os.path.join(place, "shell.log"))
        self.count = 0

    def _connect(self, path):
        end = time.monotonic() + 30
        while True:
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(path)
                return connection
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise Trouble("QEMU did not start") from None
                time.sleep(0.05)

    def ready(self, within):
        self.lines.wait("GUEST-READY", within=within, what="the guest's shell")

    def liar_port(self, number):
        """What the guest calls the port of that hostile device."""
        lines = self.run("for bus in /sys/bus/usb/devices/usb*; do echo $(cat $bus/busnum $bus/speed) $(readlink $bus); done")
        (bus,) = [line.split()[0] for line in lines if f"0000:00:{LIARS + number:x}.0/" in line and line.split()[1] == "480"]
        return f"{bus}-1"

    def processor_seconds(self):
        """What its emulation has cost."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run(self, command, within=60):
        """What a command prints in the guest."""
        self.count += 1
        mark, end = self.lines.mark(), f"END-{self.count}"
        self.shell.sendall(f"{command}; echo {end[:3]}''{end[3:]}\n".encode())
        self.lines.wait(f"^{end}$", mark, within, command)
        lines = self.lines.since(mark)
        return lines[: lines.index(end)]

    def qmp(self, name, **arguments):
        """A command to QEMU itself."""
        connection = self._connect(self.qmp_path)
        file = connection.makefile("rw")
        file.readline()
        for command in ({"execute": "qmp_capabilities"}, {"execute": name, "arguments": arguments}):
            file.write(json.dumps(command) + "\n")
            file.flush()
            while True:
                reply = json.loads(file.readline())
                if "error" in reply:
                    raise Trouble(f"{name}: {reply['error']['desc']}")
                if "return" in reply:
                    break
        connection.close()
        return reply["return"]

    def end(self):
        self.process.kill()
        self.process.wait()

