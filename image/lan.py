"""A LAN with one station in it, and somebody who looks at it from there: frame by frame, without a system's own network.

For what QEMU's user network cannot show: VLANs, addresses of one's own, names by mDNS, router advertisements, and which ports
are open to a stranger.
"""

import ipaddress
import os
import select
import socket
import struct
import threading
import time

# IEEE 802.1Q-2018, table 9-1; the numbers that IANA keeps of EtherTypes and protocols.
VLAN, IPV4, IPV6, ARP = 0x8100, 0x0800, 0x86DD, 0x0806
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
SYN, RST, ACK = 2, 4, 16
MAC = bytes.fromhex("02005e000001")
LINK_LOCAL = ipaddress.ip_address("fe80::1")


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def summed(protocol, source, target, segment, at):
    """A segment with its checksum, which stands at that place."""
    pseudo = source.packed + target.packed
    pseudo += struct.pack(">BBH", 0, protocol, len(segment)) if source.version == 4 else struct.pack(">IxxxB", len(segment), protocol)
    sum_of = checksum(pseudo + segment)
    if protocol == UDP:
        sum_of = sum_of or 0xFFFF
    return segment[:at] + struct.pack(">H", sum_of) + segment[at + 2:]


def packet(protocol, source, target, segment):
    """An IP packet."""
    at = {TCP: 16, UDP: 6, ICMP6: 2}[protocol]
    segment = summed(protocol, source, target, segment, at)
    if source.version == 6:
        return struct.pack(">IHBB", 6 << 28, len(segment), protocol, 255) + source.packed + target.packed + segment
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 255, protocol, 0) + source.packed + target.packed
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + segment


class Lan:
    """The other end of the station's cable, as a machine with an address of its own."""

    def __init__(self, place, address, vlan=None):
        self.address, self.vlan = ipaddress.ip_address(address), vlan
        self.ours, self.theirs = f"{place}/lan", f"{place}/lan.station"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.ours)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.neighbours, self.heard, self.changed, self.over = {}, [], threading.Condition(), False
        # What came without the VLAN it should be in.
        self.strays = []
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def words(self):
        """QEMU's words for the station's end."""
        return f"dgram,id=net,remote.type=unix,remote.path={self.ours},local.type=unix,local.path={self.theirs}"

    def end(self):
        self.over = True
        self.thread.join()
        self.socket.close()
        for path in (self.ours, self.theirs):
            if os.path.exists(path):
                os.remove(path)

    def _listen(self):
        while not self.over:
            if select.select([self.socket], [], [], 0.2)[0]:
                self._take(self.socket.recv(65536))

    def _take(self, frame):
        kind, at, vlan = struct.unpack_from(">H", frame, 12)[0], 14, None
        if kind == VLAN:
            vlan, kind = struct.unpack_from(">HH", frame, 14)
            vlan, at = vlan & 0xFFF, 18
        if vlan != self.vlan:
            with self.changed:
                self.strays.append((vlan, kind, frame))
            return
        data = frame[at:]
        if kind == ARP and len(data) >= 28:
            self._arp(frame[6:12], data)
        elif kind == IPV4 and len(data) >= 20:
            length = struct.unpack_from(">H", data, 2)[0]
            begin = (data[0] & 15) * 4
            self._packet(frame[6:12], data[9], ipaddress.ip_address(data[12:16]), ipaddress.ip_address(data[16:20]), data[begin:length])
        elif kind == IPV6 and len(data) >= 40:
            self._packet(frame[6:12], data[6], ipaddress.ip_address(data[8:24]), ipaddress.ip_address(data[24:40]), data[40:])

    def _arp(self, mac, data):
        sender, target = ipaddress.ip_address(data[14:18]), ipaddress.ip_address(data[24:28])
        # A question with the sender 0.0.0.0 asks whether somebody has the address (RFC 5227).
        if int(sender):
            self._know(sender, mac)
        if data[7] == 1 and target == self.address:
            answer = struct.pack(">HHBBH", 1, IPV4, 6, 4, 2) + MAC + self.address.packed + data[8:18]
            self._send(mac, ARP, answer)

    def _packet(self, mac, protocol, source, target, data):
        if int(source):
            self._know(source, mac)
        if protocol == ICMP6 and data[0] == 135 and ipaddress.ip_address(data[8:24]) == LINK_LOCAL and int(source):
            # A neighbour asks for the router's address.
            answer = struct.pack(">BBHI", 136, 0, 0, 0xE0000000) + LINK_LOCAL.packed + b"\2\1" + MAC
            self._send(mac, IPV6, packet(ICMP6, LINK_LOCAL, source, answer))
        with self.changed:
            self.heard.append((protocol, source, target, data))
            self.changed.notify_all()

    def _know(self, address, mac):
        with self.changed:
            self.neighbours[address] = mac
            self.changed.notify_all()

    def _send(self, mac, kind, data):
        tag = struct.pack(">HH", VLAN, self.vlan) if self.vlan else b""
        try:
            self.socket.sendto(mac + MAC + tag + struct.pack(">H", kind) + data, self.theirs)
        except (FileNotFoundError, ConnectionRefusedError):
            pass  # The machine is not there yet, or not any more.

    def neighbour(self, address, within):
        """The station's hardware address; asked for until it answers, or None."""
        address = ipaddress.ip_address(address)
        question = struct.pack(">HHBBH", 1, IPV4, 6, 4, 1) + MAC + self.address.packed + b"\0" * 6 + address.packed
        until = time.monotonic() + within
        while time.monotonic() < until:
            self._send(b"\xff" * 6, ARP, question)
            with self.changed:
                if self.changed.wait_for(lambda: address in self.neighbours, 0.5):
                    return self.neighbours[address]
        return None

    def mark(self):
        """Where those packets begin that are yet to come."""
        with self.changed:
            return len(self.heard)

    def wait(self, fits, within, mark=0):
        """The first packet from there on that was heard and fits, or None."""
        until, at = time.monotonic() + within, mark
        with self.changed:
            while True:
                for one in self.heard[at:]:
                    if fits(*one):
                        return one
                at = len(self.heard)
                left = until - time.monotonic()
                if left <= 0:
                    return None
                self.changed.wait(left)

    def open_ports(self, address, ports):
        """Which TCP ports answer that they are open, and how many that they are not."""
        address = ipaddress.ip_address(address)
        mac, waiting, states = self.neighbours[address], list(ports), {}
        for _ in range(4):
            mark = self.mark()
            for number, port in enumerate(waiting):
                self._tcp(mac, address, port, SYN, 1, 0)
                if number % 64 == 63:
                    time.sleep(0.01)  # No faster than the station's interface takes them.
            end = time.monotonic() + 20
            while time.monotonic() < end and len(states) < len(ports):
                with self.changed:
                    self.changed.wait(0.5)
                    news, mark = self.heard[mark:], len(self.heard)
                for protocol, source, _, data in news:
                    if protocol == TCP and source == address and len(data) >= 20:
                        states[struct.unpack_from(">H", data)[0]] = data[13]
            waiting = [port for port in ports if port not in states]
            if not waiting:
                break
        for port, flags in states.items():
            if flags & SYN:
                self._tcp(mac, address, port, RST, 2, 0)
        return sorted(port for port, flags in states.items() if flags & SYN), sum(bool(flags & RST) for flags in states.values())

    def closed_to(self, address, ports):
        """Which UDP ports the station says are closed (RFC 792: it answers once a second)."""
        address, closed = ipaddress.ip_address(address), []
        for port in ports:
            refused = lambda protocol, source, _, data: (
                protocol == ICMP and source == address and data[:2] == b"\3\3" and struct.unpack_from(">H", data, 8 + 20 + 2)[0] == port)
            for _ in range(3):
                mark, datagram = self.mark(), struct.pack(">HHHH", 40000, port, 9, 0) + b"?"
                self._send(self.neighbours[address], IPV4, packet(UDP, self.address, address, datagram))
                if self.wait(refused, 2, mark):
                    closed.append(port)
                    break
        return closed

    def greeting(self, address, port, within):
        """What a server says first."""
        address = ipaddress.ip_address(address)
        mac, mine = self.neighbours[address], 41000
        until = time.monotonic() + within
        while time.monotonic() < until:
            mine += 1
            to_me = lambda protocol, source, _, data: protocol == TCP and source == address and struct.unpack_from(">HH", data) == (port, mine)
            self._tcp(mac, address, port, SYN, 1, 0, mine)
            answer = self.wait(to_me, 5)
            if answer and answer[3][13] & SYN:
                theirs = struct.unpack_from(">I", answer[3], 4)[0] + 1
                self._tcp(mac, address, port, ACK, 2, theirs, mine)
                said = self.wait(lambda *one: to_me(*one) and len(one[3]) > (one[3][12] >> 4) * 4, 20)
                self._tcp(mac, address, port, RST, 2, theirs, mine)
                if said:
                    return said[3][(said[3][12] >> 4) * 4:]
        return b""

    def _tcp(self, mac, target, port, flags, sequence, acknowledged, mine=40000):
        segment = struct.pack(">HHIIBBHHH", mine, port, sequence, acknowledged, 5 << 4, flags, 64240, 0, 0)
        self._send(mac, IPV4, packet(TCP, self.address, target, segment))

    def ask_name(self, name, within):
        """The addresses that the owner of a name with .local answers (RFC 6762), A and AAAA."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
        question = struct.pack(">HHHHHH", 0, 0, 2, 0, 0, 0) + labels + struct.pack(">HH", 1, 1) + labels + struct.pack(">HH", 28, 1)
        datagram = struct.pack(">HHHH", 5353, 5353, 8 + len(question), 0) + question
        group = ipaddress.ip_address("224.0.0.251")
        found, until = set(), time.monotonic() + within
        while time.monotonic() < until and not {address.version for address in found} >= {4, 6}:
            self._send(bytes.fromhex("01005e0000fb"), IPV4, packet(UDP, self.address, group, datagram))
            self.wait(lambda *_: False, 1)
            with self.changed:
                heard = list(self.heard)
            for protocol, source, _, data in heard:
                if protocol == UDP and source != self.address and data[:2] == struct.pack(">H", 5353):
                    found |= answers(data[8:], labels)
        return found

    def advertise(self, prefix):
        """Says that this is a router, and which addresses are to be had (RFC 4861, 4862)."""
        network = ipaddress.ip_network(prefix)
        said = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
        said += struct.pack(">BBBBIII", 3, 4, network.prefixlen, 0xC0, 3600, 3600, 0) + network.network_address.packed + b"\1\1" + MAC
        target = ipaddress.ip_address("ff02::1")
        self._send(bytes.fromhex("333300000001"), IPV6, packet(ICMP6, LINK_LOCAL, target, said))

    def lines(self, port):
        """What was sent to a UDP port here, as text."""
        with self.changed:
            return [data[8:].decode(errors="replace") for protocol, _, target, data in self.heard
                    if protocol == UDP and target == self.address and data[2:4] == struct.pack(">H", port)]


def answers(message, labels):
    """The addresses of that name in the answers of a DNS message (RFC 1035)."""
    found = set()
    flags, questions, count = struct.unpack_from(">HHH", message, 2)
    if not flags & 0x8000:
        return found
    at = 12
    for _ in range(questions):
        at = behind(message, at) + 4
    for _ in range(count):
        mine = whole_name(message, at) == labels.lower()
        at = behind(message, at)
        kind, _, _, length = struct.unpack_from(">HHIH", message, at)
        at += 10
        if mine and (kind, length) in ((1, 4), (28, 16)):
            found.add(ipaddress.ip_address(message[at:at + length]))
        at += length
    return found


def behind(message, at):
    """Where a name ends."""
    while message[at] and message[at] < 0xC0:
        at += 1 + message[at]
    return at + (2 if message[at] else 1)


def whole_name(message, at):
    """A name with the parts that it points to."""
    name = b""
    for _ in range(128):
        if message[at] >= 0xC0:
            at = struct.unpack_from(">H", message, at)[0] & 0x3FFF
        elif message[at]:
            name += message[at:at + 1 + message[at]]
            at += 1 + message[at]
        else:
            break
    return (name + b"\0").lower()
