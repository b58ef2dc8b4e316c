"""Who may add names to classes and modules, from the sources of a project and of stand-ins for what is installed."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event

import pytest

from guiderail.monitors.analysis import workspaces
from guiderail.monitors.cursor_context import CursorContext
from guiderail.monitors.runtime import sources
from guiderail.monitors.runtime.facts import FileFacts
from guiderail.monitors.runtime.openness import Openness, Runtime, open_by
from guiderail.monitors.runtime.reader import read_facts
from guiderail.monitors.runtime.sources import Sources, read_project
from guiderail.text.document import Document
from tests.monitors.python.layouts import environment, write

PATIENCE_S = 30.0

STAND_INS = {
    "pydantic/__init__.py": "from .main import BaseModel, create_model\n",
    "pydantic/main.py": "class Meta(type):\n    def __new__(mcs, *given): ...\n\n\n"
    "class BaseModel(metaclass=Meta): ...\n"
    "def create_model(name): ...\n",
    "django/__init__.py": "",
    "django/db/__init__.py": "",
    "django/db/models/__init__.py": "from django.db.models.base import Model\nfrom .enums import TextChoices\n",
    "django/db/models/base.py": "class Model: ...\n",
    "django/db/models/enums.py": "class TextChoices: ...\n",
    "sqlmodel/__init__.py": "from .main import SQLModel\n",
    "sqlmodel/main.py": "class SQLModel: ...\n",
    "flask_sqlalchemy/__init__.py": "class SQLAlchemy: ...\n",
    "plain/__init__.py": "class Base:\n    def __init__(self): self.made = 1\n\n\ndef quiet(cls): return cls\n"
    "def fill(it, n): setattr(it, n, 1)\n",
}


def runtime(root: Path, text: str, files: Mapping[str, str] = STAND_INS, trust: str = "listed") -> Runtime:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return Runtime(Sources(root, root / "module.py", read_facts(text) or FileFacts(), trust=trust))


def openness(root: Path, text: str, name: str = "A") -> Openness:
    found = runtime(root, text).of_name(name, root / "module.py")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("from pydantic import BaseModel\nclass A(BaseModel): x: int", False),
        ("from pydantic import BaseModel\nclass A(BaseModel): model_config = {'extra': 'allow'}", True),
        ("from pydantic import BaseModel\nclass A(BaseModel):\n    class Config:\n        extra = 'allow'", True),
        ("from pydantic import BaseModel\nclass A(BaseModel, extra='allow'): ...", True),
        ("import pydantic\nclass B(pydantic.BaseModel, extra='allow'): ...\nclass A(B): ...", True),
        ("from pydantic import create_model\nA = create_model('A', size=(int, 3))", True),
        ("from django.db import models\nclass A(models.Model): ...", True),
        ("from django.db import models\nclass B(models.Model): ...\nclass A(B): ...", True),
        ("from django.db import models as m\nclass A(m.TextChoices): ...", True),
        ("from sqlmodel import SQLModel\nclass A(SQLModel, table=True): ...", True),
        ("from flask_sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()\nclass A(db.Model): ...", True),
        ("import threading\nclass A(threading.local): ...", True),
        ("from plain import Base\nclass A(Base): ...", False),
        ("from plain import quiet\n@quiet\nclass A: ...", False),
        ("from nowhere import loud\n@loud\nclass A: ...", True),
        ("from dataclasses import dataclass\n@dataclass(frozen=True)\nclass A: ...", False),
        ("class A(make_base()): ...", True),
        ("class A(metaclass=Unknown): ...", True),
        ("from abc import ABCMeta\nclass A(metaclass=ABCMeta): ...", False),
        ("from typing import NamedTuple\nclass A(NamedTuple): x: int", False),
        ("from enum import Enum\nclass A(Enum): X = 1", False),
        ("class A: ...\nfor name in names:\n    setattr(A, name, 1)", True),
        ("class A(B): ...\nclass B(A): ...", False),
        ("class A:\n    def f(self, k): fill(self, k)\ndef fill(it, n): setattr(it, n, 1)", True),
        ("from plain import fill\nclass A:\n    def f(self, k): fill(n=k, it=self)", True),
        ("import plain\nclass A:\n    def f(self, k): plain.quiet(self)", False),
        ("from nowhere import fill\nclass A:\n    def f(self, k): fill(self)", False),
        ("found = (B,)\nclass A(found[0]): ...", True),
        ("class A:\n    def __get__(self, one, owner): ...", True),
        ("class A(property): ...", False),
    ],
)
def test_who_may_add_names(tmp_path: Path, text: str, is_open: bool) -> None:
    """By bases, metaclass, decorators and configuration, wherever they are defined."""
    assert openness(tmp_path, text).open is is_open


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("from dataclasses import dataclass\n@dataclass\nclass A: ...", "__dataclass_fields__"),
        ("import attrs\n@attrs.define(slots=True)\nclass B: ...\nclass A(B): ...", "__attrs_attrs__"),
        ("from enum import Enum\nclass A(Enum): X = 1", "_value2member_map_"),
        ("from enum import Flag\nNAMES = ['X', 'Y']\nA = Flag('A', NAMES)", "X"),
        ("from enum import Enum\nA = Enum(value='A', names='X, Y')", "Y"),
        ("from collections import namedtuple\nFIELDS = ('x', 'y')\nA = namedtuple('A', FIELDS)", "y"),
    ],
)
def test_names_that_decorators_and_calls_add(tmp_path: Path, text: str, name: str) -> None:
    """They are known, and so nothing else is free."""
    found = openness(tmp_path, text)
    assert name in found.names
    assert not found.open


def test_a_program_that_was_packed_says_so(tmp_path: Path) -> None:
    """By members of a module that no stub describes."""
    made = runtime(tmp_path, "", STAND_INS | {"stubs/sys/__init__.pyi": "path: list[str]\n"})
    assert "_MEIPASS" in made.of_module(tmp_path / "stubs/sys/__init__.pyi").names


def test_names_of_bases_are_known(tmp_path: Path) -> None:
    """Also those that their methods set."""
    assert "made" in openness(tmp_path, "from plain import Base\nclass A(Base): ...").names


def test_a_class_has_the_members_of_its_metaclass(tmp_path: Path) -> None:
    """And its objects have not."""
    text = "class Meta(type):\n    def describe(cls): ...\n\n\nclass A(metaclass=Meta): ...\n"
    made = runtime(tmp_path, text)
    assert "describe" in made.of_class(tmp_path / "module.py", 4, "A", itself=True).names
    assert "describe" not in made.of_class(tmp_path / "module.py", 4, "A").names


def test_classes_that_are_combined_know_each_others_names(tmp_path: Path) -> None:
    """A class's bases, subclasses and what these are mixed with; not a class that has nothing to do with it."""
    text = "class A: ...\nclass B:\n    def f(self): self.b\nclass C(A, B):\n    c = 1\nclass D:\n    d = 1\n"
    facts = read_facts(text)
    assert facts is not None
    one = facts.class_named("A")
    assert one is not None
    related = runtime(tmp_path, text).related(facts, one)
    assert {"b", "c"} <= related
    assert "d" not in related


def test_members_set_anywhere_in_a_project_belong_to_what_has_the_name(tmp_path: Path) -> None:
    """However the words of the name are written."""
    files = {"boot/set.py": "import app\napp.App.registry = {}\nother.hidden = 1\n"}
    made = runtime(tmp_path, "", files)
    read_project(tmp_path).result(PATIENCE_S)
    assert made.set_in_project(["App", "_app", "thing"]) == {"registry"}


def test_nobody_waits_for_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was known is told while it is read, and read again."""
    going_on, is_first_read = Event(), Event()

    def files(root: Path) -> Iterator[Path]:
        yield root / "first.py"
        is_first_read.set()
        going_on.wait(PATIENCE_S)
        yield root / "second.py"

    monkeypatch.setattr(sources, "_files_of", files)
    made = runtime(tmp_path, "", {"first.py": "app.shown = 1\n", "second.py": "app.later = 1\n"})
    for known in ({"shown"}, {"shown", "later"}):
        sources._reading.cache_clear()
        task = read_project(tmp_path)
        assert is_first_read.wait(PATIENCE_S)
        began = time.perf_counter()
        for _ in range(200):
            assert made.set_in_project(["app"]) == known
        assert time.perf_counter() - began < 2  # waiting a tenth of a second each time takes 20
        going_on.set()
        task.result(PATIENCE_S)
        assert made.set_in_project(["app"]) == {"shown", "later"}
        is_first_read.clear()
        going_on.clear()


@pytest.mark.parametrize("link", ["loop", "outside"])
def test_links_of_a_project_are_not_followed(tmp_path: Path, link: str) -> None:
    """Neither in a circle nor out of it."""
    root = tmp_path / "project"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "set.py").write_text("thing.secret = 1\n")
    root.mkdir()
    (root / "inner").symlink_to(root if link == "loop" else tmp_path / "elsewhere", target_is_directory=True)
    made = runtime(root, "", {"set.py": "thing.shown = 1\n"})
    read_project(root).result(PATIENCE_S)
    assert made.set_in_project(["thing"]) == {"shown"}


def test_modules_that_import_everything_of_each_other_are_searched_once(tmp_path: Path) -> None:
    """Not along each of the paths through them, of which there are millions."""
    names = [f"m{number}" for number in range(12)]
    stars = {f"{name}.py": "".join(f"from {one} import *\n" for one in names if one != name) for name in names}
    made = runtime(tmp_path, "from m0 import *\n", stars | {"m11.py": "class Far: ...\n"})
    began = time.thread_time()
    assert made.of_name("missing", tmp_path / "module.py") is None
    assert made.of_name("Far", tmp_path / "module.py") == Openness()
    assert time.thread_time() - began < 2


def test_a_class_that_is_far_away_may_have_any_members(tmp_path: Path) -> None:
    """What is not looked for to the end is not known."""
    chain = {f"n{number}.py": f"from n{number + 1} import *\n" for number in range(200)}
    made = runtime(tmp_path, "from n0 import *\n", chain)
    assert made.of_name("A", tmp_path / "module.py") == open_by("set by name", "__getattr__")


@pytest.mark.parametrize("place", ["svc/.venv", "elsewhere/chosen"])
def test_classes_are_looked_for_where_the_edited_file_finds_them(tmp_path: Path, place: str) -> None:
    """In the environment of its own folder, or in the one that a person named."""
    root = tmp_path / "project"
    site = environment(root / place if place.startswith("svc") else tmp_path / place, "magic")
    write(site, {"magic.py": "class Magic:\n    def __init__(self, n):\n        setattr(self, n, 1)\n"})
    write(root / "svc", {"app.py": "from magic import Magic\nclass Mine(Magic): ...\n"})
    path, python = root / "svc" / "app.py", "" if place.startswith("svc") else str(tmp_path / place)
    document = Document(path.read_text(), language="python")
    found = CursorContext(document, len(document.text), path, root=root, python=python).runtime
    assert found.of_class(path, 1, "Mine").open


MAGIC = "class Magic:\n    def __init__(self, name):\n        setattr(self, name, 1)\n\n\nclass Quiet: ...\n"


@pytest.mark.parametrize(
    ("is_listed", "trust", "is_trusted"),
    [(True, "listed", True), (False, "listed", False), (True, "never", False), (False, "always", True)],
)
def test_an_environment_outside_is_read_where_the_project_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_listed: bool, trust: str, is_trusted: bool
) -> None:
    """Elsewhere nothing is known of its classes: they may have any members."""
    monkeypatch.setattr(workspaces, "trusted", lambda: [tmp_path / "project"] if is_listed else [])
    root, site = tmp_path / "project", environment(tmp_path / "outside", "magic")
    write(site, {"magic.py": MAGIC})
    text = "from magic import Magic, Quiet\nclass A(Magic): ...\nclass B(Quiet): ...\n"
    made = runtime(root, text, {"module.py": text}, trust=trust)
    (root / ".venv").symlink_to(tmp_path / "outside", target_is_directory=True)
    module = root / ".venv" / site.relative_to(tmp_path / "outside") / "magic.py"
    assert made.of_class(root / "module.py", 1, "A").open
    assert made.of_class(root / "module.py", 2, "B").open is not is_trusted
    assert made.of_class(module, 0, "Magic").open
    assert made.of_class(module, 5, "Quiet").open is not is_trusted


def test_a_file_that_is_too_large_may_add_anything(tmp_path: Path) -> None:
    """To its classes, its subclasses and itself."""
    text = "from large import Quiet\nclass A(Quiet): ...\n"
    made = runtime(tmp_path, text, {"large.py": MAGIC + "#" * (sources.LARGEST + 1)})
    assert made.of_class(tmp_path / "large.py", 0, "Magic").open
    assert made.of_class(tmp_path / "module.py", 1, "A").open
    assert made.of_module(tmp_path / "large.py").open


def test_a_long_chain_of_classes_is_followed_in_time(tmp_path: Path) -> None:
    """A class at a time: its square takes many seconds."""
    chain = "".join(f"class C{n}(C{n - 1}):\n    def f{n}(self): ...\n" for n in range(1, 6_000))
    facts = read_facts("class C0: ...\n" + chain)
    assert facts is not None
    began = time.thread_time()
    found = runtime(tmp_path, "", {}).related(facts, facts.classes[0])
    assert time.thread_time() - began < 1
    assert {"f1", "f5999"} <= found


@pytest.mark.parametrize(
    ("statement", "is_open"),
    [
        ("setattr(self, name, 1)", True),
        ("setattr(made, name, 1)", True),
        ("self.__dict__.update(given)", True),
        ("self.__dict__ = given", True),
        ("vars(self).update(given)", True),
        ("return self.__dict__", False),
        ("if self.__dict__ == given: pass", False),
        ("return vars(self)", False),
        ("setattr(made, 'name', 1)", False),
    ],
)
def test_members_that_are_set_by_name_are_unknown(tmp_path: Path, statement: str, is_open: bool) -> None:
    """In a method above the cursor, below it, or of a base in the file, however far; another class's do not count."""
    setter = f"    def g(self, **given):\n        {statement}\n"
    method = "    def f(self):\n        return self.\n"
    above = f"class A:\n{setter}\n{method}"
    below = f"class A:\n{method}\n\n{setter}\n\nclass B:\n    def g(self): setattr(self, 'a', 1)\n"
    base = f"class B:\n{setter}\n\nclass A(x.Y, B[int]):\n{method}"
    far = f"class C:\n{setter}\n\nclass B(C): ...\nclass A(B):\n{method}"
    other = f"class B:\n{setter}\n\nclass A(C):\n{method}"
    found = [openness(tmp_path, text).open for text in (above, below, base, far, other)]
    assert found == [is_open, is_open, is_open, is_open, False]


@pytest.mark.parametrize(
    ("method", "of_object", "of_class"),
    [
        ("def f(self, n): setattr(self, n, 1)", True, False),
        ("def f(self, n): self.__dict__.update(n)", True, False),
        ("def __getattr__(self, n): return n", True, False),
        ("def f(self, n): setattr(type(self), n, 1)", True, True),
        ("@classmethod\n    def f(cls, n): setattr(cls, n, 1)", True, True),
        ("def __init_subclass__(cls, n): setattr(cls, n, 1)", True, True),
        ("def f(self, n): setattr(A, n, 1)", True, True),
        ("exec(source)", True, True),
        ("def f(self): self.size = 1", False, False),
    ],
)
def test_what_an_object_gets_its_class_does_not(tmp_path: Path, method: str, of_object: bool, of_class: bool) -> None:
    """And what is set on a class its objects have too."""
    made = runtime(tmp_path, f"class A:\n    {method}\n")
    found = [made.of_class(tmp_path / "module.py", 0, "A", itself=itself).open for itself in (False, True)]
    assert found == [of_object, of_class]


META = "class Meta(type):\n    def __new__(mcs, name, bases, ns):\n        "
HANDED_ON = "made = super().__new__(mcs, name, bases, ns)\n        "


@pytest.mark.parametrize(
    ("text", "is_open", "names"),
    [
        (f"{META}{HANDED_ON}made.extra = 1\n        return made", False, "extra"),
        (f"{META}ns['extra'] = 1\n        {HANDED_ON}return made", False, "extra"),
        (f"{META}{HANDED_ON}for key in ns: setattr(made, f'get_{{key}}', 1)\n        return made", True, ""),
        (f"{META}{HANDED_ON}fill(made)\n        return made\ndef fill(it): setattr(it, it.word, 1)", True, ""),
        (f"{META}return super().__new__(mcs, name, bases, changed(ns))", True, ""),
        ("class Meta(type):\n    def __getattr__(cls, name): return name", False, ""),
        ("class Meta(type):\n    def __init__(cls, name, bases, ns): cls.extra = 1", False, "extra"),
    ],
)
def test_what_a_metaclass_gives_to_objects(tmp_path: Path, text: str, is_open: bool, names: str) -> None:
    """Their classes' names, but not its own methods, nor what it answers for classes."""
    found = openness(tmp_path, f"{text}\nclass A(metaclass=Meta): ...\n")
    assert found.open is is_open
    assert set(names.split()) <= found.names
    assert "__new__" not in found.names


def test_a_metaclass_that_answers_does_so_for_its_classes(tmp_path: Path) -> None:
    made = runtime(tmp_path, "class M(type):\n    def __getattr__(cls, name): return name\nclass A(metaclass=M): ...\n")
    assert made.of_class(tmp_path / "module.py", 2, "A", itself=True).causes == {"metaclass"}
    assert made.metaclasses_of(tmp_path / "module.py", 2, "A") == {"M"}


def test_a_metaclass_in_a_stub_may_answer_any_name(tmp_path: Path) -> None:
    """For its classes; how it makes them a stub does not say."""
    text = "class M(type):\n    def __new__(mcs, *args): ...\n    def __getattr__(self, name: str) -> A: ...\n"
    made = runtime(tmp_path, "", {"kit.pyi": f"{text}class A(metaclass=M): ...\n"})
    found = [made.of_class(tmp_path / "kit.pyi", 3, "A", itself=itself).causes for itself in (True, False)]
    assert found == [{"metaclass"}, set()]


def test_a_function_for_missing_names_of_a_module_opens_no_class_in_it(tmp_path: Path) -> None:
    """And the module itself only where no stub beside it names what it answers."""
    text = "def __getattr__(name): return load(name)\nclass Base: ...\n"
    made = runtime(tmp_path, "from lazy import Base\nclass A(Base): ...\n", {"lazy.py": text})
    assert made.of_name("A", tmp_path / "module.py") == Openness()
    assert made.of_module(tmp_path / "lazy.py").causes == {"module"}
    (tmp_path / "lazy.pyi").write_text("class Base: ...\nx: int\n")
    assert made.of_module(tmp_path / "lazy.pyi").causes == set()
    (tmp_path / "lazy.pyi").write_text("def __getattr__(name: str) -> object: ...\n")
    assert made.of_module(tmp_path / "lazy.pyi").causes == {"module"}
