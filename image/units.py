#!/usr/bin/env python3
"""Whether the card's units can be with the card's own kernel settings.

    image/units.py [DIRECTORY...]     units and their drop-ins; those of this repository without one
    image/units.py --sysctl FILE      settings of the kernel; image/root/files/usr/lib/sysctl.d without one

A hardening of a service and one of the kernel may exclude each other: where `user.max_user_namespaces` is 0, a service
with `PrivateUsers=yes` is not started (status 217), and neither file shows that alone. Prints a line for each unit: "ok: ..." or "FAILED: ...".
"""

import glob
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
SYSCTL = f"{HERE}/root/files/usr/lib/sysctl.d"
OURS = [f"{HERE}/../systemd", f"{HERE}/../systemd/image"]
FALSE = {"", "no", "false", "off", "0"}

# Which namespaces a directive makes (systemd.exec(5)); where the kernel allows none of a kind, what asks for one is not started.
NAMESPACES = {
    "PrivateUsers": ["user"], "PrivateNetwork": ["net"], "NetworkNamespacePath": ["net"], "PrivateIPC": ["ipc"], "IPCNamespacePath": ["ipc"],
    "PrivatePIDs": ["pid"], "ProtectHostname": ["uts"],
    **{name: ["mnt"] for name in (
        "PrivateMounts", "PrivateTmp", "PrivateDevices", "ProtectSystem", "ProtectHome", "ProtectKernelTunables", "ProtectKernelModules",
        "ProtectKernelLogs", "ProtectProc", "ProcSubset", "ReadOnlyPaths", "ReadWritePaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths",
        "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "RootDirectory", "RootImage", "DynamicUser", "MountAPIVFS")},
}
# Values that ask for nothing.
NOTHING = {"ProtectProc": {"default"}, "ProcSubset": {"all"}}
# A sentence for each other pair that cannot be: the kernel's setting, the values that mean it, the directive, what is in its value.
OTHERS = [
    ("kernel.kexec_load_disabled", {"1"}, "SuccessAction", "kexec", "the kernel loads no other kernel"),
    ("kernel.modules_disabled", {"1"}, "ExecStart", "modprobe", "the kernel loads no module any more"),
    ("kernel.modules_disabled", {"1"}, "ExecStart", "systemd-modules-load", "the kernel loads no module any more"),
    ("kernel.unprivileged_userfaultfd", {"0"}, "SystemCallFilter", "userfaultfd", "it may not be called"),
    ("vm.unprivileged_userfaultfd", {"0"}, "SystemCallFilter", "userfaultfd", "it may not be called"),
    ("kernel.yama.ptrace_scope", {"3"}, "AmbientCapabilities", "CAP_SYS_PTRACE", "nobody may trace a process"),
    ("kernel.io_uring_disabled", {"2"}, "SystemCallFilter", "io_uring_setup", "it may not be called"),
]


def settings(paths):
    """Names and values of sysctl.d files; the last counts."""
    found = {}
    for path in paths:
        for line in open(path):
            line = line.strip()
            if line and line[0] not in "#;" and "=" in line:
                name, value = line.split("=", 1)
                found[name.strip().lstrip("-").replace("/", ".")] = value.strip()
    return found


def directives(paths):
    """What a unit says with its drop-ins: pairs in their order. An empty value takes back what stood before."""
    pairs = []
    for path in paths:
        text = open(path, errors="replace").read().replace("\\\n", " ")
        for line in text.splitlines():
            line = line.strip()
            if not line or line[0] in "#;[" or "=" not in line:
                continue
            name, value = (part.strip() for part in line.split("=", 1))
            if not value:
                pairs = [(other, old) for other, old in pairs if other != name]
            pairs.append((name, value))
    # Of a directive that has one value, the last counts.
    last = dict(pairs)
    return [(name, value) for name, value in pairs if name not in NAMESPACES or value == last[name]]


def contradictions(pairs, kernel):
    """A sentence for each directive that the kernel's settings exclude."""
    said = []
    for name, value in dict.fromkeys(pairs):
        if name in NAMESPACES and value.lower() not in FALSE and value not in NOTHING.get(name, ()):
            for kind in NAMESPACES[name]:
                limit = kernel.get(f"user.max_{kind}_namespaces")
                if limit == "0":
                    said.append(f"{name}={value} needs a namespace, and user.max_{kind}_namespaces is 0")
        for setting, values, directive, word, why in OTHERS:
            # What is taken away by a filter is no wish for it.
            if name == directive and word in value and not value.startswith("~") and kernel.get(setting) in values:
                said.append(f"{name}={value}: {why} ({setting} = {kernel[setting]})")
    return said


def units(directories):
    """Each unit that runs something, with its files: itself and its drop-ins. A unit of a later directory replaces an earlier one's."""
    own, more = {}, {}
    for directory in directories:
        for path in sorted(glob.glob(f"{directory}/*.service") + glob.glob(f"{directory}/*.socket")):
            if os.path.isfile(path):
                own[os.path.basename(path)] = path
        for path in sorted(glob.glob(f"{directory}/*.service.d/*.conf") + glob.glob(f"{directory}/*.socket.d/*.conf")):
            more.setdefault(os.path.basename(os.path.dirname(path))[:-2], []).append(path)
    return {name: [path, *more.get(name, [])] for name, path in own.items()}


def main(words):
    kernel = settings(sorted(glob.glob(f"{SYSCTL}/*.conf")))
    if "--sysctl" in words:
        at = words.index("--sysctl")
        kernel = settings([words[at + 1]])
        del words[at:at + 2]
    failures = 0
    for name, paths in sorted(units(words or OURS).items()):
        said = contradictions(directives(paths), kernel)
        failures += bool(said)
        print(f"{'FAILED' if said else 'ok'}: {name} can be with the kernel's settings{': ' + '; '.join(said) if said else ''}")
    return failures > 0


if __name__ == "__main__":
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__.strip())
    else:
        sys.exit(main(sys.argv[1:]))
