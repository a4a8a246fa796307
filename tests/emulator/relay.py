"""Carries bytes between two sockets. Whole machines have a copy of this file."""

import socket
import threading


def join(one, other, out=None, back=None):
    """Carries bytes both ways until both ends are done; `out` and `back` may change them."""
    threading.Thread(target=pump, args=(other, one, back), daemon=True).start()
    pump(one, other, out)


def pump(one, other, change=None):
    """Carries bytes in one direction until its end, which the other side hears of."""
    try:
        while data := one.recv(65536):
            other.sendall(change(data) if change else data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        for broken in (one, other):
            broken.close()
