"""The recorded station, started and ended."""

import pathlib
import subprocess


class Station:
    def __init__(self, program, *arguments):
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port, directory = self.process.stdout.readline().split()
        self.port, self.directory = port, pathlib.Path(directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ssh(self, operator="ada"):
        options = ["IdentitiesOnly=yes", "IdentityAgent=none", "StrictHostKeyChecking=no", "LogLevel=ERROR", "UserKnownHostsFile=/dev/null"]
        words = ["ssh", "-F", "none", "-p", self.port, "-i", str(self.directory / operator)]
        return words + [word for option in options for word in ("-o", option)]
