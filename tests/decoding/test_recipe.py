"""From names and parameters to parts that compose, or to a refusal that says why."""

from dataclasses import dataclass

import pytest

from guiderail.decoding import registry
from guiderail.decoding.part import About, ConstraintPart, DrafterPart, MethodPart, StagePart, parameter
from guiderail.decoding.plain import PlainPart
from guiderail.decoding.recipe import CompositionError, ParameterError, recipe
from guiderail.decoding.registry import Registered, UnknownPartError


@dataclass(frozen=True, kw_only=True)
class _Built:
    def build(self, situation):
        raise NotImplementedError


def about(**changes) -> About:
    return About(summary="s", paper="", cost="c", **changes)


@dataclass(frozen=True, kw_only=True)
class Wide(_Built, MethodPart):
    about = about(stages=False, constraints=False, sampling="greedy")
    width: int = parameter(3, "how wide", low=1, high=9)
    share: float = parameter(0.5, "how much", above=0, high=1)
    file: str = parameter("", "a file")


@dataclass(frozen=True, kw_only=True)
class Late(_Built, StagePart):
    about = about(order=90, sampling="sampled")
    share: float = parameter(0.5, "how much", above=0, high=1)


@dataclass(frozen=True, kw_only=True)
class Middle(_Built, StagePart):
    about = about()
    share: float = parameter(0.5, "how much", above=0, high=1)


@dataclass(frozen=True, kw_only=True)
class Early(_Built, StagePart):
    about = about(order=10, refuses=("exact",))


@dataclass(frozen=True, kw_only=True)
class Rules(_Built, ConstraintPart):
    about = about()


@dataclass(frozen=True, kw_only=True)
class Exact(_Built, MethodPart):
    about = about(needs=("rules",), drafters=True)


@dataclass(frozen=True, kw_only=True)
class Guess(_Built, DrafterPart):
    about = about()
    length: int = parameter(4, "how long", low=1, high=8)


PARTS = {
    "wide": Wide, "late": Late, "middle": Middle, "early": Early, "rules": Rules, "exact": Exact, "guess": Guess,
    "plain": PlainPart,
}  # fmt: skip


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        name: Registered(name, part.kind, f"{part.__module__}:{part.__qualname__}", "guiderail")
        for name, part in PARTS.items()
    }
    monkeypatch.setattr(registry, "known", lambda: table)
    monkeypatch.setattr(registry, "AUTO_DRAFTERS", ("guess",))


def test_stages_stand_in_their_declared_order() -> None:
    """However they are named; without a method decoding is plain."""
    found = recipe("late+rules+early", greedy=False)
    assert [type(part) for part in found.stages] == [Early, Late]
    assert [type(part) for part in found.constraints] == [Rules]
    assert found.method == PlainPart()


def test_parameters_reach_their_part() -> None:
    """With and without the part's name, as a shell would read them; the last of two counts."""
    found = recipe("wide", "width=4 wide.share=0.25 'wide.file=my file' wide.width=5")
    assert found.method == Wide(width=5, share=0.25, file="my file")


def test_parameters_of_what_is_not_chosen_are_checked_and_wait() -> None:
    assert recipe("plain", "wide.width=5").method == PlainPart()
    with pytest.raises(ParameterError, match="from 1 to 9"):
        recipe("plain", "wide.width=10")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("wide.width=0", "wide.width must be an integer from 1 to 9, not '0'"),
        ("wide.width=two", "an integer from 1 to 9"),
        ("wide.share=0", "a number above 0 to 1"),
        ("wide.share=nan", "a number above 0 to 1"),
        ("wide.weight=1", "Its parameters: width, share, file"),
        ("weight=1", "wide.share"),
        ("width", "has no value"),
        ("wide.file='x", "cannot be read"),
    ],
)
def test_a_wrong_parameter_names_what_is_allowed(parameters: str, words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        recipe("wide", parameters)
    assert words in str(caught.value)


def test_an_ambiguous_parameter_names_its_owners() -> None:
    with pytest.raises(ParameterError, match="'share' is a parameter of late and of middle"):
        recipe("late+middle", "share=0.5", greedy=False)


@pytest.mark.parametrize(
    ("method", "changes", "words"),
    [
        ("wide+exact", {}, "'wide' and 'exact' are both ways to decode"),
        ("wide+early", {}, "'wide' does not work with the stage 'early'"),
        ("wide+rules", {}, "'wide' does not work with the constraint 'rules'"),
        ("wide", {"monitored": True}, "'wide' does not work with monitors"),
        ("wide", {"drafter": "guess"}, "'wide' does not work with the drafter 'guess'"),
        ("wide", {"greedy": False}, "'wide' does not sample"),
        ("late", {}, "'late' needs a temperature above 0"),
        ("exact", {}, "'exact' needs rules"),
        ("exact+rules+early", {}, "'early' and 'exact' do not compose"),
        ("early+early", {}, "'early' is named twice"),
    ],
)
def test_what_does_not_compose_is_refused_by_name(method: str, changes: dict, words: str) -> None:
    with pytest.raises(CompositionError) as caught:
        recipe(method, **changes)
    assert words in str(caught.value)


def test_drafters_are_chosen_or_left_to_auto() -> None:
    """Auto leaves them out where the method has no use for them."""
    assert recipe("plain", drafter="auto").drafters == (Guess(),)
    assert recipe("plain", "guess.length=7", "guess").drafters == (Guess(length=7),)
    assert recipe("plain", drafter="off").drafters == ()
    assert recipe("wide", drafter="auto").drafters == ()
    with pytest.raises(UnknownPartError, match="no drafter 'wide'"):
        recipe("plain", drafter="wide")
