"""From names and parameters to specs that compose, or to a refusal that says why."""

from dataclasses import dataclass

import pytest

from guiderail.decoding import registry
from guiderail.decoding.methods.plain import PlainSpec
from guiderail.decoding.pipeline import CompositionError, ParameterError, build_pipeline
from guiderail.decoding.registry import Registered, UnknownNameError
from guiderail.decoding.spec import ConstraintSpec, DrafterSpec, Metadata, MethodSpec, StageSpec, parameter


@dataclass(frozen=True, kw_only=True)
class _Built:
    def build(self, context):
        raise NotImplementedError


def metadata(**changes) -> Metadata:
    return Metadata(summary="s", paper="", cost="c", **changes)


@dataclass(frozen=True, kw_only=True)
class Wide(_Built, MethodSpec):
    metadata = metadata(stages=False, constraints=False, sampling="greedy")
    width: int = parameter(3, "how wide", low=1, high=9)
    share: float = parameter(0.5, "how much", above=0, high=1)
    file: str = parameter("", "a file")


@dataclass(frozen=True, kw_only=True)
class Late(_Built, StageSpec):
    metadata = metadata(order=90, sampling="sampled")
    share: float = parameter(0.5, "how much", above=0, high=1)


@dataclass(frozen=True, kw_only=True)
class Middle(_Built, StageSpec):
    metadata = metadata()
    share: float = parameter(0.5, "how much", above=0, high=1)


@dataclass(frozen=True, kw_only=True)
class Early(_Built, StageSpec):
    metadata = metadata(order=10, refuses=("exact",))


@dataclass(frozen=True, kw_only=True)
class Rules(_Built, ConstraintSpec):
    metadata = metadata()


@dataclass(frozen=True, kw_only=True)
class Exact(_Built, MethodSpec):
    metadata = metadata(needs=("rules",), drafters=True)


@dataclass(frozen=True, kw_only=True)
class Guess(_Built, DrafterSpec):
    metadata = metadata()
    length: int = parameter(4, "how long", low=1, high=8)


SPECS = {
    "wide": Wide, "late": Late, "middle": Middle, "early": Early, "rules": Rules, "exact": Exact, "guess": Guess,
    "plain": PlainSpec,
}  # fmt: skip


@pytest.fixture(autouse=True)
def specs(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        name: Registered(name, spec.kind, f"{spec.__module__}:{spec.__qualname__}", "guiderail")
        for name, spec in SPECS.items()
    }
    monkeypatch.setattr(registry, "known", lambda: table)
    monkeypatch.setattr(registry, "AUTO_DRAFTERS", ("guess",))


def test_stages_are_in_their_declared_order() -> None:
    """However they are named; without a method decoding is plain."""
    found = build_pipeline("late+rules+early", greedy=False)
    assert [type(spec) for spec in found.stages] == [Early, Late]
    assert [type(spec) for spec in found.constraints] == [Rules]
    assert found.method == PlainSpec()


def test_parameters_reach_their_part() -> None:
    """With and without the spec's name, as a shell would read them; the last of two counts."""
    found = build_pipeline("wide", "width=4 wide.share=0.25 'wide.file=my file' wide.width=5")
    assert found.method == Wide(width=5, share=0.25, file="my file")


def test_parameters_of_what_is_not_chosen_are_checked_and_wait() -> None:
    assert build_pipeline("plain", "wide.width=5").method == PlainSpec()
    with pytest.raises(ParameterError, match="from 1 to 9"):
        build_pipeline("plain", "wide.width=10")


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
        build_pipeline("wide", parameters)
    assert words in str(caught.value)


def test_an_ambiguous_parameter_names_its_owners() -> None:
    with pytest.raises(ParameterError, match="'share' is a parameter of late and of middle"):
        build_pipeline("late+middle", "share=0.5", greedy=False)


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
        build_pipeline(method, **changes)
    assert words in str(caught.value)


def test_drafters_are_chosen_or_left_to_auto() -> None:
    """Auto leaves them out where the method has no use for them."""
    assert build_pipeline("plain", drafter="auto").drafters == (Guess(),)
    assert build_pipeline("plain", "guess.length=7", "guess").drafters == (Guess(length=7),)
    assert build_pipeline("plain", drafter="off").drafters == ()
    assert build_pipeline("wide", drafter="auto").drafters == ()
    with pytest.raises(UnknownNameError, match="no drafter 'wide'"):
        build_pipeline("plain", drafter="wide")
