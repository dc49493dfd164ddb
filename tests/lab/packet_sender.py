"""Sends packets that open connections, all at once, and says which arrived: run inside a network namespace.

Input: [[protocol, source, target, port], …] as JSON. What reaches a host without a listener is answered, by TCP's reset
or ICMP's "port unreachable"; what is dropped is not.
"""

import json
import select
import socket
import struct
import sys
import time

_KINDS = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}


def _open(protocol: str, source: str, target: str, port: int) -> socket.socket:
    if protocol == "ICMP":
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    else:
        sender = socket.socket(socket.AF_INET, _KINDS[protocol])
    sender.setblocking(False)
    sender.bind((source, 0))
    sender.connect_ex((target, port))
    if protocol == "UDP":
        sender.send(b"?")
    if protocol == "ICMP":
        sender.send(struct.pack("!BBHHH", 8, 0, 0, 0, 1))
    return sender


def _is_answered(sender: socket.socket) -> bool:
    if sender.type == socket.SOCK_DGRAM and sender.proto == socket.IPPROTO_ICMP:
        try:
            return sender.recv(100)[0] == 0
        except OSError:
            return False
    return sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 111


def main() -> None:
    senders = [_open(*packet) for packet in json.load(sys.stdin)]
    ends = time.monotonic() + 1.0
    while (left := ends - time.monotonic()) > 0:
        select.select([], [], [], left)
    json.dump([_is_answered(sender) for sender in senders], sys.stdout)


main()
