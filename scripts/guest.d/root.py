"""The guest's kernel and root: Debian's own, unpacked; nothing of them is installed.

The root is an initial file system in memory with busybox, udev and our rules, and the
station's own programs as the card has them.
"""

import hashlib
import lzma
import os
import re
import shutil
import subprocess
import sys

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "enrollment-station")
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SUITE = "trixie"
# Besides what they need.
PACKAGES = ["udev", "busybox-static", "strace"]
# All that the guest has: no driver for storage, network or serial ports on USB.
MODULES = {
    "virt": ["virtio_net", "virtio_console", "virtio_rng", "xhci_pci", "usbhid", "hid_generic", "evdev"],
    "raspi3b": ["phy_generic", "dwc2", "usbhid", "hid_generic", "evdev", "usbnet", "cdc_ether"],
}
DEVICE_TREE = "bcm2837-rpi-3-b.dtb"

INIT = """#!/bin/busybox sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mount -t tmpfs run /run; mount -t tmpfs tmp /tmp
mkdir -p /run/udev; echo 1 >/proc/sys/kernel/panic_on_oops; echo 0 >/proc/sys/kernel/sysrq
# As on the card: what a hostile keyboard types before its nodes are ours starts nothing anew.
echo 0 >/proc/sys/kernel/ctrl-alt-del; trap '' INT
while read -r file options; do insmod /modules/$file $options; done </modules.list
/usr/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add --type=subsystems; udevadm trigger --action=add; udevadm settle
date -s "@$(sed -n 's/.*guest.date=\\([^ ]*\\).*/\\1/p' /proc/cmdline)" >/dev/null
console=$(sed -n 's/.*guest.shell=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
while ! [ -c /dev/$console ]; do sleep 0.1; done
exec </dev/$console >/dev/$console 2>&1
stty -echo -onlcr
tries=0; until ls -d /sys/class/net/[eu]* >/dev/null 2>&1 || [ $tries = 300 ]; do tries=$((tries + 1)); sleep 0.1; done
for card in /sys/class/net/[eu]*; do card=${card##*/}; ip link set "$card" up; ip addr add 10.0.2.15/24 dev "$card"; done
ip route add default via 10.0.2.2; ip link set lo up
echo GUEST-READY
while IFS= read -r line; do eval "$line"; done
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def apt(store, *arguments, **options):
    """An apt beside the host's: other suite, other architecture, nothing installed."""
    conf = os.path.join(store, "apt.conf")
    if not os.path.exists(conf):
        targets = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian"]
        mirror = os.environ.get("DEBIAN_MIRROR") or subprocess.run(targets, capture_output=True, text=True, check=True).stdout.split("\n")[0]
        for directory in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(store, directory), exist_ok=True)
        open(os.path.join(store, "status"), "w").close()
        with open(os.path.join(store, "sources.list"), "w") as file:
            file.write(f"deb [arch=arm64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} {SUITE} main\n")
        with open(conf + ".part", "w") as file:
            file.write(
                f'APT::Architecture "arm64"; APT::Architectures {{ "arm64"; }}; APT::Sandbox::User "root";\n'
                f'Dir::State::Lists "{store}/lists"; Dir::State::status "{store}/status"; Dir::Cache "{store}/cache";\n'
                f'Dir::Etc::SourceList "{store}/sources.list"; Dir::Etc::SourceParts "/dev/null"; Dir::Etc::PreferencesParts "/dev/null";\n'
                'Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";\n'
            )
        say(f"reading the package lists of Debian {SUITE}")
        subprocess.run(["apt-get", "-qq", "update"], env=os.environ | {"APT_CONFIG": conf + ".part"}, check=True, stdout=sys.stderr)
        os.rename(conf + ".part", conf)
    environment = os.environ | {"APT_CONFIG": conf}
    return subprocess.run(arguments, env=environment, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def packages(store):
    """Kernel and user land, unpacked below `store`, once."""
    tree = os.path.join(store, "tree-" + hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:8])
    if os.path.isdir(tree):
        return tree
    os.makedirs(store, exist_ok=True)
    for earlier in os.listdir(store):
        if earlier.startswith("tree"):
            shutil.rmtree(os.path.join(store, earlier))
    plan = apt(store, "apt-get", "-s", "install", "--no-install-recommends", *PACKAGES)
    wanted = re.findall(r"^Inst (\S+)", plan, re.M)
    kernel = re.search(r"^ *Depends: (linux-image-\S+)", apt(store, "apt-cache", "depends", "linux-image-arm64"), re.M)
    debs = os.path.join(store, "debs")
    os.makedirs(debs, exist_ok=True)
    say(f"fetching the guest's packages ({len(wanted) + 1})")
    apt(store, "apt-get", "-qq", "download", *wanted, kernel.group(1), cwd=debs)
    shutil.rmtree(tree + ".part", ignore_errors=True)
    os.makedirs(tree + ".part")
    for deb in sorted(os.listdir(debs)):
        data = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", os.path.join(debs, deb)], stdout=subprocess.PIPE)
        unpack = ["tar", "-x", "-C", tree + ".part", "--no-same-owner", "--keep-directory-symlink"]
        subprocess.run(unpack, stdin=data.stdout, check=True)
        if data.wait():
            raise SystemExit(f"{deb} cannot be unpacked")
    os.rename(tree + ".part", tree)
    shutil.rmtree(debs)
    return tree


def kernel(tree, store):
    """The kernel as QEMU loads it, and its version."""
    version = os.listdir(os.path.join(tree, "usr/lib/modules"))[0]
    return os.path.join(tree, "boot", f"vmlinuz-{version}"), version


def modules(tree, version, names):
    """Files of the modules, each after those that it needs, with their decompressed content."""
    found = {}
    top = os.path.join(tree, "usr/lib/modules", version)
    for directory, _, files in os.walk(os.path.join(top, "kernel")):
        for file in files:
            found[file.split(".")[0].replace("-", "_")] = os.path.join(directory, file)
    with open(os.path.join(top, "modules.builtin")) as file:
        builtin = {os.path.basename(line.strip()).split(".")[0].replace("-", "_") for line in file}
    listed = {}

    def add(name):
        name = name.replace("-", "_")
        if name in listed or name in builtin:
            return
        with open(found[name], "rb") as file:
            content = file.read()
        content = lzma.decompress(content) if found[name].endswith(".xz") else content
        for need in re.search(rb"\0depends=([^\0]*)\0", b"\0" + content).group(1).decode().split(","):
            if need:
                add(need)
        listed[name] = content

    for name in names:
        add(name)
    return listed


def libraries(tree, program):
    """The shared libraries that a program needs, by path below the tree."""
    places = ["usr/lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu/systemd", "usr/lib"]
    needed, todo = {}, [program]
    while todo:
        dynamic = subprocess.run(["readelf", "-d", todo.pop()], capture_output=True, text=True, check=True).stdout
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
            if name in needed:
                continue
            path = next((p for place in places if os.path.exists(p := os.path.join(tree, place, name))), None)
            if path is None:
                raise SystemExit(f"the guest lacks the library {name}")
            needed[name] = path
            todo.append(path)
    return needed


def cpio(entries, out):
    """An initial file system (newc) of (name, mode, content) entries."""
    with open(out, "wb") as file:
        for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
            fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
            file.write(b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0")
            file.write(b"\0" * (-file.tell() % 4) + content)
            file.write(b"\0" * (-file.tell() % 4))


def build(machine, programs, settings, out):
    """Writes the initial file system; returns the kernel. `programs` is a directory, `settings` are files by name."""
    store = os.path.join(CACHE, "guest")
    tree = packages(store)
    image, version = kernel(tree, store)
    entries = {}

    def add(name, mode, content):
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            entries.setdefault("/".join(parts[:depth]), (0o40755, b""))
        entries[name] = (mode, content)

    def take(name, path, mode=0o100755):
        with open(os.path.realpath(path), "rb") as file:
            add(name, mode, file.read())

    for directory in ("proc", "sys", "dev", "run", "tmp", "etc", "bin", "modules"):
        entries[directory] = (0o40755, b"")
    add("init", 0o100755, INIT.encode())
    add("etc/passwd", 0o100644, b"root:x:0:0::/:/bin/sh\nenrolld:x:900:902::/:/bin/sh\nenroll-shell:x:901:901::/:/bin/sh\n")
    groups = ["root:x:0:", "enroll-shell:x:901:", "enroll-keys:x:902:"]
    with open(os.path.join(tree, "usr/lib/udev/rules.d/50-udev-default.rules")) as file:
        named = sorted(set(re.findall(r'GROUP="([^"]+)"', file.read())) - {"root"})
    groups += [f"{name}:x:{6000 + at}:" for at, name in enumerate(named)]
    add("etc/group", 0o100644, "\n".join(groups).encode() + b"\n")
    add("etc/nsswitch.conf", 0o100644, b"passwd: files\ngroup: files\n")
    take("bin/busybox", os.path.join(tree, "usr/bin/busybox"))
    applets = "sh mount mkdir insmod sed sleep stty ip cat grep ls start-stop-daemon dmesg kill wc cut tr awk pidof poweroff head ps find readlink echo chown chmod touch stat timeout date dd nc".split()
    for applet in applets:
        entries[f"bin/{applet}"] = (0o120777, b"busybox")
    udevadm = os.path.join(tree, "usr/bin/udevadm")
    take("usr/bin/udevadm", udevadm)
    entries["bin/udevadm"] = (0o120777, b"../usr/bin/udevadm")
    add("usr/lib/systemd/systemd-udevd", 0o120777, b"../../bin/udevadm")
    strace = os.path.join(tree, "usr/bin/strace")
    take("bin/strace", strace)
    needed = libraries(tree, udevadm) | libraries(tree, strace)
    for name in ("enrolld", "enroll-shell"):
        take(f"bin/{name}", os.path.join(programs, name))
        needed |= libraries(tree, os.path.join(programs, name))
    for name, content in settings.items():
        add(f"etc/enrollment/{name}", 0o100644, content)
    for name, path in needed.items():
        take(f"usr/lib/{name}", path)
    entries["lib"] = (0o120777, b"usr/lib")
    rules = os.path.join(ROOT, "systemd/udev")
    take("usr/lib/udev/rules.d/50-udev-default.rules", os.path.join(tree, "usr/lib/udev/rules.d/50-udev-default.rules"), 0o100644)
    for rule in os.listdir(rules):
        take(f"usr/lib/udev/rules.d/{rule}", os.path.join(rules, rule), 0o100644)
    if machine == "raspi3b":
        # The machine's network is a stick, which the image's rules would keep out.
        its = 'ACTION=="add", SUBSYSTEM=="usb", ATTRS{idVendor}=="0525", ATTRS{idProduct}=="a4a2"'
        allow = its + ', ATTR{authorized}="1", ATTR{[subsystem/usb]drivers_probe}="%k"\n'
        # The driver of its first interface wants the second one, too.
        again = its + ', ATTR{bInterfaceNumber}=="01", ATTR{[subsystem/usb]drivers_probe}="$id:1.0"\n'
        add("usr/lib/udev/rules.d/72-test-network.rules", 0o100644, (allow + again).encode())
    lines = []
    for name, content in modules(tree, version, MODULES[machine]).items():
        add(f"modules/{name}.ko", 0o100644, content)
        lines.append(f"{name}.ko" + (" authorized_default=0" if name == "usbcore" else ""))
    add("modules.list", 0o100644, "\n".join(lines).encode() + b"\n")
    cpio([(name, mode, content) for name, (mode, content) in sorted(entries.items())], out)
    return image, os.path.join(tree, f"usr/lib/linux-image-{version}/broadcom", DEVICE_TREE)
