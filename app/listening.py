"""The server's listening socket, opened before anything is started, so that an occupied port is said at once."""

import errno
import socket

from app.trouble import Trouble

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Binds and listens; several processes may accept from it. Raises Trouble if the port is taken or not allowed."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise Trouble(f"“{host}” is no address of this machine: correct ZJW_HOST.") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Trouble(_sentence(error, host, port)) from None
    listener.set_inheritable(True)
    return listener


def _sentence(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else 8080
        return (
            f"Port {port} is in use by another program: stop that program,"
            f" or choose another port with `make demo PORT={other}` (ZJW_PORT={other} for `zjw serve`)."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs root: choose a port from 1024 on with ZJW_PORT, and put a reverse proxy before it."
    return f"The server cannot listen on {host}:{port} ({error.strerror}): correct ZJW_HOST and ZJW_PORT."
