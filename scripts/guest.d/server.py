"""The privacyIDEA that `scripts/privacyidea-fixture run --tls emulated` has started, and what the station is told of it."""

import json
import os
import ssl
import subprocess
import urllib.request

import client

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
FIXTURE = os.path.join(TOP, "scripts/privacyidea-fixture")
# What an emulated machine calls this one.
HOST = "10.0.2.2"
SETTINGS = """[station]
name = "trial"
mode = "attended"

[server]
url = "{url}"
ca = "ca.pem"
api-key-file = "api.key"

[shell]
listen = ["[::]:{port}"]

[[operators]]
name = "trial"
role = "admin"
keys = ["{key}"]

[profile.desk]
kind = "hotp"
realm = "{realm}"
"""


class Server:
    """It, as a second administrator sees it."""

    def __init__(self):
        self.here = os.environ["PI_URL"]
        self.there = self.here.replace("127.0.0.1", HOST)
        self.realm = os.environ["PI_REALM"]
        self.context = ssl.create_default_context(cafile=os.environ["PI_CA"])
        # Its certificate names what the guest calls it.
        self.context.check_hostname = False
        self.token = None
        with open(os.environ["PI_PASSWORD_FILE"]) as file:
            password = file.read().strip()
        self.token = self.call("/auth", {"username": os.environ["PI_USER"], "password": password})["value"]["token"]

    def call(self, path, body=None):
        # A request without a body that says it is JSON is refused.
        headers = {"Content-Type": "application/json"} if body else {}
        headers |= {"Authorization": self.token} if self.token else {}
        request = urllib.request.Request(self.here + path, json.dumps(body).encode() if body else None, headers)
        with urllib.request.urlopen(request, context=self.context, timeout=120) as answer:
            return json.load(answer)["result"]

    def tokens(self, serial=""):
        """All tokens, or the one with that serial."""
        return self.call(f"/token/?pagesize=1000&serial={serial}")["value"]["tokens"]

    def settings(self, place, port=22, more=""):
        """What an operator puts beside each other on a card; the operator's SSH key is made in `place`. `more` ends the configuration."""
        public = client.keygen(place)
        with open(os.environ["PI_CA"], "rb") as file:
            authority = file.read()
        made = subprocess.run([FIXTURE, "apikey"], check=True, capture_output=True, text=True).stdout
        text = SETTINGS.format(url=self.there, port=port, key=public, realm=self.realm) + more
        self.api_key = json.loads(made)["token"]
        return {"enrollment.toml": text.encode(), "ca.pem": authority, "api.key": self.api_key.encode() + b"\n"}


def twin():
    """The program that is a key, named by KEY_TWIN or built here."""
    if named := os.environ.get("KEY_TWIN"):
        return named
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--workspace", "--bin", "key-twin"], cwd=TOP, check=True)
    return os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(TOP, "target"), "debug/key-twin")
