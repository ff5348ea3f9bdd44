"""Flattened device trees: read, changed, written (Devicetree Specification 0.4, chapter 5)."""

import struct

MAGIC, BEGIN, END, PROP, NOP, DONE = 0xD00DFEED, 1, 2, 3, 4, 9


class Node:
    """A node: its name, properties in their order, children, and the node it is in."""

    def __init__(self, name, parent=None):
        self.name, self.parent = name, parent
        self.properties, self.children = {}, []

    @property
    def path(self):
        return "/" if self.parent is None else f"{self.parent.path.rstrip('/')}/{self.name}"

    def all(self):
        """It and everything below it."""
        yield self
        for child in self.children:
            yield from child.all()

    def at(self, path):
        """The node of that path below this one; none where there is none."""
        node = self
        for part in path.strip("/").split("/"):
            if part:
                node = next((child for child in node.children if child.name == part), None)
                if node is None:
                    return None
        return node

    def cells(self, name):
        """A property as numbers of 32 bits."""
        value = self.properties.get(name, b"")
        return list(struct.unpack(f">{len(value) // 4}I", value[:len(value) // 4 * 4]))

    def cell(self, name, otherwise=None):
        """Its first number."""
        return next(iter(self.cells(name)), otherwise)

    def strings(self, name):
        """A property as texts."""
        return [part.decode(errors="replace") for part in self.properties.get(name, b"").split(b"\0")[:-1]]

    def enabled(self):
        """Whether it is switched on, and everything that it is in."""
        return self.properties.get("status", b"okay\0") in (b"okay\0", b"ok\0") and (self.parent is None or self.parent.enabled())


class Tree:
    """A whole tree."""

    def __init__(self, data):
        magic, _, structure, strings, reserved = struct.unpack_from(">5I", data)
        if magic != MAGIC:
            raise ValueError("this is no device tree")
        self.version, _, self.cpu = struct.unpack_from(">3I", data, 20)
        self.reserved = []
        while (entry := struct.unpack_from(">2Q", data, reserved + 16 * len(self.reserved))) != (0, 0):
            self.reserved.append(entry)
        self.root, node, at = None, None, structure
        while True:
            token, at = struct.unpack_from(">I", data, at)[0], at + 4
            if token == BEGIN:
                end = data.index(b"\0", at)
                child = Node(data[at:end].decode(), node)
                if node is None:
                    self.root = child
                else:
                    node.children.append(child)
                node, at = child, end + 4 & ~3
            elif token == END:
                node = node.parent
            elif token == PROP:
                length, name = struct.unpack_from(">2I", data, at)
                name = data[strings + name:data.index(b"\0", strings + name)].decode()
                node.properties[name] = data[at + 8:at + 8 + length]
                at = at + 8 + length + 3 & ~3
            elif token == DONE:
                break
            elif token != NOP:
                raise ValueError(f"a device tree has no token {token}")

    def phandles(self):
        """Each node that others refer to, by its number."""
        return {node.cell("phandle"): node for node in self.root.all() if "phandle" in node.properties}

    def bytes(self):
        """As a file."""
        names, body = bytearray(), bytearray()
        places = {}

        def number(*values):
            return struct.pack(f">{len(values)}I", *values)

        def write(node):
            body.extend(number(BEGIN) + node.name.encode() + b"\0")
            body.extend(b"\0" * (-len(body) % 4))
            for name, value in node.properties.items():
                if name not in places:
                    places[name] = len(names)
                    names.extend(name.encode() + b"\0")
                body.extend(number(PROP, len(value), places[name]) + value + b"\0" * (-len(value) % 4))
            for child in node.children:
                write(child)
            body.extend(number(END))

        write(self.root)
        body.extend(number(DONE))
        reserved = b"".join(struct.pack(">2Q", *entry) for entry in [*self.reserved, (0, 0)])
        structure = 40 + len(reserved)
        strings = structure + len(body)
        head = number(MAGIC, strings + len(names), structure, strings, 40, 17, 16, self.cpu, len(names), len(body))
        return head + reserved + bytes(body) + bytes(names)
