"""The process that carries packets between the two hosts of ``wide_area``. Started by it.

It speaks in lines: on standard output first the process ids that hold the two network namespaces,
then ``ok`` for each wish (JSON) that came on standard input. It ends when its input does.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import random
import selectors
import signal
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.wide_area import Conditions, Host

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG = 1
#: linux/if_tun.h, linux/sockios.h, linux/if.h
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_SIOCSIFADDR, _SIOCSIFNETMASK = 0x8916, 0x891C
_SIOCSIFFLAGS, _SIOCSIFMTU = 0x8914, 0x8922
_IFF_UP = 0x1
_DEVICE: Final = b"wan0"
#: Large packets, since each costs a turn of this process.
_MTU: Final = 9000
_PACKET_BYTES: Final = 65536
#: Packets read from one end before the other has its turn.
_BURST: Final = 64
#: Seconds of data that a router on the way would hold; what comes on top is dropped.
_QUEUE_SECONDS: Final = 0.5


@dataclass
class Direction:
    """One way of the link: packets that wait until they are due at the other end."""

    origin: int
    destination: int
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    free_at: float = 0.0
    """When the line has sent what was accepted, by the monotonic clock."""

    def accept(self, conditions: Conditions, *, is_cut: bool) -> None:
        """Take what the origin has sent."""
        for _ in range(_BURST):
            try:
                packet = os.read(self.origin, _PACKET_BYTES)
            except BlockingIOError:
                return
            if is_cut or random.random() < conditions.loss:  # noqa: S311 - no secret
                continue
            now = time.monotonic()
            on_line = len(packet) / conditions.rate if conditions.rate else 0.0
            sent = max(self.free_at, now) + on_line
            if sent - now <= _QUEUE_SECONDS:
                self.free_at = sent
                self.waiting.append((sent + conditions.delay, packet))

    def deliver(self) -> None:
        """Pass on what is due."""
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, packet = self.waiting.popleft()
            try:
                os.write(self.destination, packet)
            except BlockingIOError:
                continue  # the host's queue is full: lost, as on any link

    def seconds_to_next(self) -> float | None:
        """Until a packet is due; None when none waits."""
        return max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else None


def hold_host(address: str, channel: socket.socket) -> None:
    """In a child: make a namespace with the device, hand its file over, and hold both until the
    parent has gone.
    """
    _call("prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        _call("unshare", _CLONE_NEWNET)
    else:
        _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", _DEVICE, _IFF_TUN | _IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in (
            (_SIOCSIFADDR, _address(address)),
            (_SIOCSIFNETMASK, _address("255.255.255.0")),
            (_SIOCSIFMTU, struct.pack("i", _MTU)),
            (_SIOCSIFFLAGS, struct.pack("h", _IFF_UP)),
        ):
            fcntl.ioctl(control, request, struct.pack("16s16s", _DEVICE, value))
        up = struct.pack("16s16s", b"lo", struct.pack("h", _IFF_UP))
        fcntl.ioctl(control, _SIOCSIFFLAGS, up)
    socket.send_fds(channel, [b"up"], [device])
    signal.pause()


def open_host(host: Host) -> tuple[int, int]:
    """The process that holds a host, and the file of its device."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            ours.close()
            hold_host(host.value, theirs)
            status = 0
        except OSError as error:
            print(f"{host.name}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    theirs.close()
    said, files, _, _ = socket.recv_fds(ours, 16, 1)
    if said != b"up":
        raise SystemExit(f"The host {host.name} did not come up.")
    return pid, files[0]


def carry(near: int, far: int) -> None:
    """Until standard input ends."""
    directions = (Direction(near, far), Direction(far, near))
    conditions, is_cut = Conditions(), False
    with selectors.DefaultSelector() as selector:
        for direction in directions:
            selector.register(direction.origin, selectors.EVENT_READ, direction)
        selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        while True:
            pauses = [s for d in directions if (s := d.seconds_to_next()) is not None]
            for key, _ in selector.select(min(pauses, default=None)):
                if isinstance(key.data, Direction):
                    key.data.accept(conditions, is_cut=is_cut)
                    continue
                wish = _next_wish()
                if wish is None:
                    return
                is_cut = bool(wish.pop("cut", False))
                if is_cut:
                    for direction in directions:
                        direction.waiting.clear()
                else:
                    conditions = Conditions(**wish)
                print("ok", flush=True)
            for direction in directions:
                direction.deliver()


def _next_wish() -> dict[str, Any] | None:
    """One line a wish; each is answered before the next is sent, so that one read has one line."""
    line = os.read(sys.stdin.fileno(), 4096)
    if not line:
        return None
    wish: dict[str, Any] = json.loads(line)
    return wish


def _address(address: str) -> bytes:
    """A ``sockaddr_in``."""
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def _call(name: str, *arguments: int) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def main() -> None:
    """Two hosts, and the link between them."""
    near_holder, near = open_host(Host.NEAR)
    far_holder, far = open_host(Host.FAR)
    print(json.dumps([near_holder, far_holder]), flush=True)
    carry(near, far)


if __name__ == "__main__":
    main()
