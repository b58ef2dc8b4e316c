"""Parts by name: our own and other packages', and loud refusals."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest

from guiderail.decoding import registry
from guiderail.decoding.registry import Registered, RegistryError, UnknownNameError, merged
from guiderail.decoding.spec import Kind, Metadata, MethodSpec

PLAIN = "guiderail.decoding.methods.plain:PlainSpec"
OWN: dict[Kind, dict[str, str]] = {"method": {"plain": PLAIN}}
HERE = __name__


@dataclass(frozen=True, kw_only=True)
class Mine(MethodSpec):
    """A spec of another package."""

    metadata = Metadata(summary="mine", paper="", cost="one pass a token")

    def build(self, context):
        raise NotImplementedError


class NoDataclass:
    """No spec at all."""


def point(name: str, value: str, group: str = "guiderail.methods") -> EntryPoint:
    return EntryPoint(name=name, value=value, group=group)


def test_every_built_in_part_loads_and_says_what_it_is() -> None:
    """All names of the table import, and each spec has a summary, a cost and advice, and parameters with ranges."""
    for one in merged(registry.BUILT_IN, []).values():
        spec = one.load()
        assert spec.kind == one.kind
        assert spec.metadata.summary and spec.metadata.cost and spec.metadata.use
        spec()  # every parameter has a default
        for rule, default in spec.rules().values():
            assert rule.help
            if isinstance(default, int | float) and not isinstance(default, bool):
                assert rule.high is not None and (rule.low is not None or rule.above is not None)


def test_another_packages_part_is_found() -> None:
    found = merged(OWN, [point("mine", f"{HERE}:Mine")])
    assert found["mine"].load() is Mine
    assert found["plain"].owner == "guiderail"


def test_a_collision_names_both() -> None:
    """Across kinds too: a name means one thing."""
    with pytest.raises(RegistryError, match=r"guiderail\.decoding\.methods\.plain:PlainSpec.*other:Thing"):
        merged(OWN, [point("plain", "other:Thing", "guiderail.stages")])


def test_one_part_registered_twice_is_no_collision() -> None:
    """As happens when a built-in spec is an entry point as well."""
    assert len(merged(OWN, [point("plain", PLAIN)])) == 1


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (f"{HERE}:NoDataclass", "no dataclass below"),
        (f"{HERE}:Missing", "cannot be imported"),
        ("no_such_module:X", "cannot be imported"),
        ("guiderail.decoding.spec:MethodSpec", "has no metadata"),
    ],
)
def test_what_is_no_part_is_refused_by_name(target: str, words: str) -> None:
    with pytest.raises(RegistryError, match=words) as caught:
        Registered("odd", "method", target, "a-package").load()
    assert "'odd' of a-package" in str(caught.value)


def test_a_part_of_another_kind_is_refused() -> None:
    with pytest.raises(RegistryError, match="StageSpec"):
        Registered("odd", "stage", f"{HERE}:Mine", "a-package").load()


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="The nearest is 'plain'"):
        registry.find("plane", "method")
