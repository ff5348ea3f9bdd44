"""Looks for secrets in what was read of a program's memory."""

import base64

# Begins what was read of a mapping.
HEAD = "@@MAPPING"


def received(listener):
    """All that somebody sends who connects."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(120)
        while piece := connection.recv(1 << 20):
            yield piece


def mappings(text):
    """(name and range, bytes) of each mapping; what could not be read of one is missing at its end."""
    found = []
    for part in text.split(HEAD.encode() + b" ")[1:]:
        head, _, data = part.partition(b"\n")
        span, _, name = head.decode().partition(" ")
        begin, end = (int(side, 16) for side in span.split("-"))
        found.append((f"{name} {span}", data[: end - begin]))
    return found


def forms(secret):
    """What a secret looks like in memory, by name. A text stays what it is."""
    if isinstance(secret, str):
        return {"": secret.encode()}
    return {
        "": secret,
        "in hexadecimal digits": secret.hex().encode(),
        "in hexadecimal capitals": secret.hex().upper().encode(),
        "in base32": base64.b32encode(secret).rstrip(b"="),
        "in base64": base64.b64encode(secret).rstrip(b"="),
    }


def pieces(secret):
    """A secret in its forms, and parts of them that do not turn up by chance. Of a text, the whole."""
    for name, form in forms(secret).items():
        # Eight bytes, or as many digits as say six.
        width = len(form) if isinstance(secret, str) else 12 if name else 8
        # Every fourth place is enough to find three more than that in a row.
        for at in {*range(0, len(form) - width, 4), len(form) - width}:
            yield name, at, form[at : at + width]


def places(data, wanted):
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)


def found(memory, secrets):
    """(what, which form, how many bytes of it in a row, mapping, offset) for each copy or part of one."""
    copies = []
    for what, secret in secrets.items():
        for mapping, data in memory:
            runs = {}
            for name, at, piece in pieces(secret):
                for place in places(data, piece):
                    # Windows of the same copy begin at the same place.
                    runs.setdefault((name, place - at), []).append((place, place + len(piece)))
            for (name, origin), spans in runs.items():
                length = max(end for _, end in spans) - min(begin for begin, _ in spans)
                copies.append((what, name, length, mapping, origin, data))
    return copies


def around(data, origin):
    """What stands before a copy, where it can be read: it often says whose it is."""
    before = data[max(0, origin - 48) : max(0, origin)]
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in before)


def tell(when, copies):
    print(f"   {when}: {len(copies)} copies", flush=True)
    for what, name, length, mapping, origin, data in copies:
        form = f" {name}" if name else ""
        print(f"     {what}{form}, {length} bytes in {mapping} at {origin:#x}, after {around(data, origin)!r}", flush=True)
