"""Specs: what a method, stage, constraint or drafter declares, so that it can be chosen by name.

A spec is a frozen dataclass. Its fields are its parameters (`parameter`), `metadata` says where it comes from and what
it composes with, and `build` makes the object that works. Other packages register specs by entry points (`registry`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from guiderail.decoding.sampling import Sampling
from guiderail.rule import Rule

if TYPE_CHECKING:
    from pathlib import Path

    from guiderail.decoding.constraints.constraint import Constraint
    from guiderail.decoding.constraints.vocabulary import Vocabulary
    from guiderail.decoding.drafting.draft import Drafter
    from guiderail.decoding.drafting.selector import DraftSelector
    from guiderail.decoding.method import Finish, Method
    from guiderail.decoding.session import Session
    from guiderail.decoding.stages.ngram_counts import NgramCounts
    from guiderail.decoding.stages.stage import LogitsStage
    from guiderail.model.info import ModelInfo
    from guiderail.model.model import Model
    from guiderail.prompt.snippet import Snippet
    from guiderail.text.document import Document

T = TypeVar("T")
Kind = Literal["method", "stage", "constraint", "drafter"]


def parameter(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
) -> Any:
    """A field of a spec; the type of the default (int, float, bool or str) is the parameter's.

    A number needs a lower bound (`low`, or `above` for an exclusive one) and a highest value.
    """
    rule = Rule(help=help, choices=choices, low=low, high=high, above=above, empty=True)
    return field(default=default, metadata={"rule": rule})


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a spec is for, and what it composes with; other combinations are refused before decoding begins.

    Parameters
    ----------
    summary
        One line: what it does.
    paper
        The paper it comes from, with the section; "" for none.
    cost
        Forward passes a token over greedy's one, and what else it takes.
    use
        One line: when to use it, and when not.
    stages, constraints, drafters
        Of a method: whether it works with logits stages, with constraints (monitors are some), with drafters.
    all_texts
        Of a method: whether it writes all the texts of a request in one go.
    one_by_one
        Of a stage: whether it follows one text at a time, so that drawing several side by side would be slower.
    runs_code
        Whether it runs the project's code. If so, only an explicit request uses it, never typing.
    sampling
        Of a method or a stage: "greedy" or "sampled" where it makes sense with a temperature of 0 or above 0 only.
    needs
        Names of specs of which one must be chosen too.
    refuses
        Names of specs that it cannot be chosen with.
    order
        Of a stage or a constraint: the lowest is applied first. 10 for what estimates the distribution anew
        (contrast, mixtures), 50 for what penalises, 90 for what decides how much of it is kept.
    """

    summary: str
    paper: str
    cost: str
    use: str = ""
    stages: bool = True
    constraints: bool = True
    drafters: bool = False
    all_texts: bool = False
    one_by_one: bool = False
    runs_code: bool = False
    sampling: Literal["any", "greedy", "sampled"] = "any"
    needs: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    order: int = 50


class TextVerifier(Protocol):
    """Judges texts where they are to stand; for methods that search."""

    def faults(self, texts: Sequence[tuple[str, Finish]]) -> Sequence[float]:
        """How wrong each text is, with why it ended: from 0 (nothing is known against it) to 1.

        Of one that ends with "length" only what no continuation could make right.
        """
        ...

    def normal_form(self, text: str) -> Hashable:
        """Equal for texts that differ in formatting alone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """What a spec may use when it is built, once for every text.

    Parameters
    ----------
    model, vocabulary
        The model that decodes, and its tokens by their bytes.
    session
        The model's encoded sequence, for drafters that run the model themselves; None where there is none to share.
    sampling, index
        How tokens are chosen, and which text of the request this is.
    drafting
        The drafters that were chosen, for methods that work with them.
    document, offset, root
        The text, the cursor, and the project; None where tokens alone are decoded.
    snippets
        What the prompt shows of other files.
    typed
        The text before the cursor that is decoded once more (`constraints.typed_text`).
    prompt
        The ids after which decoding begins.
    encode
        The prompt's ids for another document, offset and snippets, laid out as this one's; None as `document`.
    project
        The counts and the ids of the project's other files; None where they are not kept.
    verifier
        Judges texts of this request; None where tokens alone are decoded.
    store
        Objects that are kept from request to request; use `kept`.
    """

    model: Model
    vocabulary: Vocabulary
    session: Session | None = None
    sampling: Sampling = field(default_factory=Sampling)
    index: int = 0
    drafting: DraftSelector | None = None
    document: Document | None = None
    offset: int = 0
    root: Path | None = None
    snippets: Sequence[Snippet] = ()
    typed: str = ""
    prompt: Sequence[int] = ()
    encode: Callable[[Document, int, Sequence[Snippet]], list[int]] | None = None
    project: NgramCounts | None = None
    verifier: TextVerifier | None = None
    store: dict[Any, Any] = field(default_factory=dict)

    def kept(self, key: Any, make: Callable[[], T]) -> T:
        """The object of this key (a spec, say) from an earlier request with the same model, or a new one."""
        if key not in self.store:
            self.store[key] = make()
        return self.store[key]


@dataclass(frozen=True, kw_only=True)
class Spec(ABC):
    """The parameters of one method, stage, constraint or drafter."""

    metadata: ClassVar[Metadata]
    kind: ClassVar[Kind]

    @abstractmethod
    def build(self, context: BuildContext) -> Any:
        """Build the object: a `Method`, `LogitsStage`, `Constraint` or `Drafter`, depending on the kind.

        Raises
        ------
        GuiderailError
            If it cannot be made here: a file is missing, say.
        """

    @property
    def runs_code(self) -> bool:
        """Whether it runs the project's code with these parameters."""
        return self.metadata.runs_code

    def check(self, info: ModelInfo) -> None:  # noqa: B027  most specs work with any model
        """Raise for a model that the spec does not support, before it is loaded; by default any is supported.

        Raises
        ------
        GuiderailError
            If it cannot.
        """

    @classmethod
    def rules(cls) -> dict[str, tuple[Rule, Any]]:
        """The rule and the default of every parameter."""
        return {item.name: (item.metadata["rule"], item.default) for item in fields(cls)}


@dataclass(frozen=True, kw_only=True)
class MethodSpec(Spec):
    """A way to decode; one is chosen."""

    kind: ClassVar[Kind] = "method"

    @abstractmethod
    def build(self, context: BuildContext) -> Method:
        """The method, for one text (or one request, with `Metadata.all_texts`)."""


@dataclass(frozen=True, kw_only=True)
class StageSpec(Spec):
    """A change of each step's scores."""

    kind: ClassVar[Kind] = "stage"

    @abstractmethod
    def build(self, context: BuildContext) -> LogitsStage:
        """The stage, for one text. It may be asked about several continuations in turn, and about one twice."""


@dataclass(frozen=True, kw_only=True)
class ConstraintSpec(Spec):
    """A constraint on what may be decoded."""

    kind: ClassVar[Kind] = "constraint"

    @abstractmethod
    def build(self, context: BuildContext) -> Constraint:
        """The constraint, for one text."""


@dataclass(frozen=True, kw_only=True)
class DrafterSpec(Spec):
    """A source of drafts: tokens that are proposed and then verified."""

    kind: ClassVar[Kind] = "drafter"

    @abstractmethod
    def build(self, context: BuildContext) -> Drafter:
        """The drafter; it is kept from request to request."""
