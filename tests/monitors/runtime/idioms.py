"""Idioms by which names come into being at run time, as parts of programs that run.

Each is a module of its own, or a few, in which ``N`` stands for a number. Stand-ins do what frameworks do, which
need not be installed.
"""

from __future__ import annotations

# A package that does what Django, Flask-SQLAlchemy, pydantic, protobuf's builder and scikit-learn do.
FRAMEWORK = {
    "framework/__init__.py": "from .models import Model, create_model\nfrom .bunch import load\n",
    "framework/models.py": """class Meta(type):
    def __new__(mcs, name, bases, attrs):
        made = super().__new__(mcs, name, bases, attrs)
        for key in list(attrs):
            if not key.startswith("_"):
                setattr(made, f"get_{key}", lambda self, key=key: key)
        made.add_to_class("objects", [1])
        return made

    def add_to_class(cls, name, value):
        setattr(cls, name, value)


class Model(metaclass=Meta):
    def __init__(self, **values):
        for key, value in values.items():
            setattr(self, key, value)


def create_model(name, **fields):
    return type(name, (Model,), fields)
""",
    "framework/bunch.py": """class Bunch(dict):
    def __getattr__(self, key):
        return self[key]


def load():
    return Bunch(data=1)
""",
    "framework/builder.py": """def build(names, module):
    for name in names:
        module[name] = type(name, (), {"SIZE": 1})
""",
    "framework/db.py": "from .models import Model as _Model\n\n\nclass Database:\n    Model = _Model\n",
}

IDIOMS: dict[str, dict[str, str]] = {
    "setattr in a constructor": {
        "mN.py": """class Record:
    def __init__(self, **values):
        for name, value in values.items():
            setattr(self, name, value)


class Narrow(Record):
    pass


print(Record(a=1).a, Narrow(b=2).b)
"""
    },
    "the dictionary of an object": {
        "mN.py": """class First:
    def __init__(self, **values):
        self.__dict__.update(values)


class Second:
    def __init__(this, **values):
        vars(this).update(values)


class Third:
    def __init__(self, **values):
        self.__dict__ = values


class Fourth:
    def __init__(self, name):
        self.__dict__[name] = 1


class Fifth:
    def __init__(self, **values):
        for name, value in values.items():
            object.__setattr__(self, name, value)


print(First(a=1).a, Second(b=1).b, Third(c=1).c, Fourth("d").d, Fifth(e=1).e)
"""
    },
    "attributes that are looked up": {
        "mN.py": """class Proxy:
    def __init__(self, target):
        self._target = target

    def __getattribute__(self, name):
        return getattr(object.__getattribute__(self, "_target"), name)


class Lazy:
    def _find(self, name):
        return name

    __getattr__ = _find


print(Proxy("x").upper(), Lazy().anything)
"""
    },
    "attributes set from outside": {
        "mN.py": """import logging


class Node:
    def __init__(self, name):
        self.name = name

    @classmethod
    def root(cls):
        node = cls.__new__(cls)
        node.is_root, (node.depth, *node.rest) = True, (1, 2)
        return node


def walk():
    walk.calls += 1
    return walk.calls


walk.calls = 0
logging.TRACE = 5
logging.Logger.trace = lambda self, text: text
node = Node("x")
node.extra: int = 3
for node.index in range(2):
    print(node.index)
print(Node.root().is_root, Node.root().rest, node.extra, walk(), walk.calls, logging.TRACE)
print(logging.getLogger("x").trace("y"))
"""
    },
    "attributes set by another file": {
        "mN.py": """class App:
    name = "app"


def make():
    return App()
""",
        "bootN.py": "import mN\n\nmN.App.registry = {}\nmN.plugins = []\n",
        "useN.py": """import bootN
import mN
from mN import App, make

print(App.registry, make().registry, mN.plugins, bootN)
""",
    },
    "chains of targets": {
        "mN.py": """class Parts:
    def fill(self):
        self.first = self.second = 2
        self.third, (self.fourth, *self.rest) = 1, (2, 3)
        [self.fifth, self.sixth] = 5, 6
        for self.seventh in (7,):
            pass
        return self


print(Parts().fill().rest, Parts().fill().second, Parts().fill().sixth, Parts().fill().seventh)
"""
    },
    "computed enumerations and tuples": {
        "mN.py": """import enum
from collections import namedtuple
from dataclasses import make_dataclass
from enum import Enum

NAMES = ["north", "south"]
Direction = Enum("Direction", NAMES)
Other = enum.IntEnum("Other", {name: at for at, name in enumerate(NAMES)})
Pair = namedtuple("Pair", tuple(NAMES))
Joined = namedtuple("Joined", " ".join(NAMES))
Made = make_dataclass("Made", NAMES)


class Point(namedtuple("Point", NAMES)):
    def total(self):
        return self.north + self.south


class Filled(Enum):
    vars().update({"NORTH": "n"})


print(Direction.north, Other.south, Pair(1, 2).north, Pair(1, 2)._replace(north=3).south, Joined(1, 2).north)
print(Made(1, 2).north, Point(1, 2).total(), Filled.NORTH.value)
"""
    },
    "members that are written nowhere": {
        "mN.py": """import enum
import sys
from dataclasses import dataclass, fields
from enum import Enum, Flag

NAMES = {"north": 1, "south": 2}
Direction = Enum("Direction", NAMES)
Access = Flag("Access", ["READ", "WRITE"])
Kind = enum.Enum(value="Kind", names=("ONE", "TWO"))


class Planet(Enum):
    EARTH = 1

    @classmethod
    def look(cls):
        return cls._value2member_map_[1], cls._member_names_, cls._member_map_


@dataclass
class Point:
    x: int = 1

    def names(self):
        return [one.name for one in fields(self)], self.__dataclass_fields__


def explain():
    error = ValueError("x")
    error.code = 3
    try:
        raise error
    except ValueError as caught:
        return caught.code


def folder():
    return sys._MEIPASS if getattr(sys, "frozen", False) else "."


print(Direction.north, Access.READ, Kind.TWO, Planet.look(), Point().names(), Point.__dataclass_params__)
print(explain(), folder())
"""
    },
    "descriptors": {
        "baseN.py": """class cached:
    def __init__(self, function):
        self.function = function

    def __get__(self, instance, owner=None):
        return self if instance is None else self.function(instance)

    def plain(self):
        return self.function.__name__


class Request:
    @cached
    def headers(self):
        return {"a": 1}
""",
        "mN.py": """from baseN import Request

print(Request().headers.get("a"), Request.headers.plain())
"""
    },
    "class decorators": {
        "mN.py": """import functools


def register(cls):
    cls.registered = True
    return cls


def named(*names):
    def wrap(cls):
        for name in names:
            setattr(cls, name, name)
        return cls

    return wrap


@register
class Plugin:
    name = "p"


@named("left", "right")
class Sides:
    pass


@functools.total_ordering
class Size:
    def __init__(self, number=0):
        self.number = number

    def __eq__(self, other):
        return self.number == other.number

    def __lt__(self, other):
        return self.number < other.number


print(Plugin.registered, Sides.left, Sides().right, Size(1) >= Size(0))
"""
    },
    "metaclasses": {
        "baseN.py": """class Meta(type):
    def describe(cls):
        return cls.__name__

    @property
    def size(cls):
        return 1


class Filling(type):
    def __init__(cls, name, bases, attrs):
        super().__init__(name, bases, attrs)
        for key in ("one", "two"):
            setattr(cls, key, key)
""",
        "mN.py": """from abc import ABC
from enum import Enum, Flag

from baseN import Filling, Meta


class Color(Enum):
    RED = 1

    @classmethod
    def names(cls):
        return list(cls.__members__)


class Shape(ABC):
    def area(self):
        return 1.0


class Service(metaclass=Meta):
    port = 80

    def show(self):
        return type(self).describe(), self.__class__.size


class Filled(metaclass=Filling):
    pass


class Square:
    pass


class Access(Flag):
    READ = 1


Shape.register(Square)
print(Color.__members__["RED"], Color.names(), Shape.mro(), Service.describe(), Service().show(), Service.size)
print(Filled.one, Filled().two, Access.__members__, Shape.__subclasses__())
""",
    },
    "modules that fill themselves": {
        "namesN.py": """import sys

kind = "animal"
for _name in ("cat", "dog"):
    globals()[_name] = len(_name)
globals().update(cow=1)
setattr(sys.modules[__name__], "hen", 2)
""",
        "lazyN.py": "def __getattr__(name):\n    return name\n",
        "builtN.py": "from framework.builder import build\n\n_here = globals()\nbuild(['Person'], _here)\n",
        "mN.py": """import builtN
import lazyN
import namesN
from builtN import Person
from lazyN import anything
from namesN import cat, cow

print(namesN.dog, namesN.cow, namesN.hen, namesN.kind, cat, cow, lazyN.something, anything)
print(builtN.Person.SIZE, Person().SIZE)
""",
    },
    "names that are imported by a star": {
        "shapesN/__init__.py": """from .round import *
from .round import __all__
from . import flat
from .flat import *

__all__ += flat.__all__
""",
        "shapesN/round.py": '__all__ = ["Circle"]\n\n\nclass Circle:\n    radius = 1\n',
        "shapesN/flat.py": '__all__ = ["Square"]\n\n\nclass Square:\n    side = 1\n',
        "kitN.py": 'from shapesN import *\n\nversion = "1"\n',
        "mN.py": """import kitN
from kitN import Circle, Square

print(kitN.Circle.radius, Circle, kitN.Square, Square, kitN.version)
""",
    },
    "asking whether there is a name": {
        "mN.py": """import os
import sys

WINDOWS = sys.platform == "win32"


class Plain:
    pass


def show(value: Plain):
    if hasattr(value, "size"):
        return value.size
    try:
        return value.length
    except AttributeError:
        return getattr(value, "weight", None)


def start(path):
    if WINDOWS:
        os.startfile(path)
    elif hasattr(os, "getuid"):
        print(os.getuid())


start("x")
print(show(Plain()))
"""
    },
    "properties": {
        "mN.py": """class Box:
    def __init__(self):
        self._size = 1

    @property
    def size(self):
        return self._size

    @size.setter
    def size(self, value):
        self._size = value

    @size.deleter
    def size(self):
        del self._size


box = Box()
box.size = 2
del box.size
"""
    },
    "threads and namespaces": {
        "mN.py": """import argparse
import threading
from types import SimpleNamespace


class Context(threading.local):
    user = None


context = Context()
context.request = "r"
other = threading.local()
other.name = "n"
space = SimpleNamespace(a=1)
parsed = argparse.Namespace(b=2)
print(context.request, other.name, space.a, parsed.b)
"""
    },
    "classes that are combined": {
        "mN.py": """class Reads:
    def read(self):
        return self.text


class Counts:
    def count(self):
        return len(self.text) + self.start


class Base:
    def run(self):
        return self.prepare() + self.limit


class Child(Base):
    limit = 1

    def prepare(self):
        return 2


class Both(Reads, Counts):
    def __init__(self):
        self.text, self.start = "abc", 1


class Odd:
    def __init__(_self, value):
        _self.value = value

    def show(_self):
        return _self.value


print(Both().read(), Both().count(), Child().run(), Odd(1).show())
"""
    },
    "dictionaries that others fill": {
        "mN.py": """def fill(values):
    values["b"] = 2


held = {"a": 1}
fill(held)
named = {"x": 1}
again = named
again["y"] = 2
print(held["a"], held["b"], named["y"])
"""
    },
    "a framework's models": {
        "mN.py": """from framework import Model, create_model, load
from framework.db import Database

db = Database()


class Author(Model):
    name = "a"

    def shout(self):
        return self.get_name(), self.age


class Post(db.Model):
    title = "t"


Made = create_model("Made", size=3)
author = Author(age=3)
post = Post(title="x")
print(Author.objects, author.shout(), author.age, author.get_name(), post.title, Post.objects, Made().size, load().data)
"""
    },
    "lines that go on": {
        "mN.py": """from typing import Literal


class Place:
    def __init__(self):
        self.left = 1
        self.right = 2


def show(a: int, b: int, kind: Literal["x", "y"] = "x"):
    return a, b, kind


place = Place()
print(
    show(
        place.left,
        place.right,
    ),
    place.left,
    show(1, place.right, "y"),
)
if (found := Place()) and found.left:
    print(found.right)
"""
    },
}  # fmt: skip
