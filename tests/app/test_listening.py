"""An occupied port is said in one sentence with a way out."""

import socket

import pytest

from app.listening import listen
from app.trouble import Trouble


def test_an_occupied_port_names_itself_and_the_next_one() -> None:
    with listen("127.0.0.1", 0) as holder:
        port: int = holder.getsockname()[1]
        with pytest.raises(Trouble, match=rf"Port {port} is in use by another program: .* `make demo PORT={port + 1}`"):
            listen("127.0.0.1", port)


def test_a_foreign_address_names_the_setting() -> None:
    with pytest.raises(Trouble, match="ZJW_HOST"):
        listen("203.0.113.1", 8080)
    with pytest.raises(Trouble, match="ZJW_HOST"):
        listen("no such host", 8080)


def test_the_socket_takes_connections_and_is_inherited() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.get_inheritable()
        with socket.create_connection(listener.getsockname(), timeout=5):
            pass
