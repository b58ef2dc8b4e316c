"""The command that editors start."""

import pytest

from guiderail.cli.main import run
from guiderail.errors import UsageError
from guiderail.lsp.network import Address, address_of


@pytest.mark.parametrize(
    "arguments",
    [
        ("--tcp", "nowhere"),
        ("--tcp", "127.0.0.1:99999"),
        ("--tcp", "1", "--stdio"),
        ("--token", "x"),
        ("--device", "tpu"),
        ("--nonsense",),
    ],
)
def test_wrong_arguments_are_one_line(arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    """Wrong use ends at once with exit code 2 and one line."""
    assert run(["lsp", *arguments]) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_an_address_is_loopback_unless_said_otherwise() -> None:
    """A port alone means this machine; IPv6 stands in brackets; others are told apart."""
    assert address_of("5007") == Address("127.0.0.1", 5007)
    assert address_of("[::1]:0") == Address("::1", 0)
    assert address_of("localhost:1").is_loopback
    assert not address_of("0.0.0.0:1").is_loopback
    assert not address_of("example.org:1").is_loopback
    with pytest.raises(UsageError):
        address_of("")
