"""What is known of frameworks that make names at run time: small records, to which packages may add their own.

    [project.entry-points."guiderail.frameworks"]
    myframework = "myframework.completion:RECORD"

Entry points are those of the environment that guiderail runs in, never of the workspace.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

log = logging.getLogger(__name__)
GROUP = "guiderail.frameworks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """What a framework does to names. Classes and functions are given by their dotted names, also public ones.

    Parameters
    ----------
    name
        Of the framework.
    makes_up
        Classes whose objects and subclasses get members that no source shows.
    settles
        Classes whose bases and metaclass need not be looked at: their members are those that the analyser lists.
    allows_more
        Of classes, the text in a subclass's configuration that lets objects have any members.
    vague
        Classes that many values are said to have that are objects of unknown subclasses.
    instrumented
        Classes whose subclasses' members are other objects, seen on the class, than the annotations say.
    results
        Functions whose result has members that no source shows.
    mistaken
        Types, by their last names, in whose place a function returns other objects than stubs say.
    harmless
        Class decorators that add nothing.
    adds
        Members of values that are said to be objects of a class, of classes with a decorator, and of modules.
    """

    name: str
    makes_up: frozenset[str] = frozenset()
    settles: frozenset[str] = frozenset()
    allows_more: tuple[tuple[str, str], ...] = ()
    vague: frozenset[str] = frozenset()
    instrumented: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()
    mistaken: frozenset[str] = frozenset()
    harmless: frozenset[str] = frozenset()
    adds: tuple[tuple[str, str], ...] = ()


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pairs(names: str, members: str) -> tuple[tuple[str, str], ...]:
    """Each member with each name."""
    return tuple((name, member) for name in names.split() for member in members.split())


BUILT_IN = (
    Framework(
        name="standard library",
        makes_up=_set(
            "threading.local _thread._local _threading_local.local argparse.Namespace types.SimpleNamespace "
            "optparse.Values logging.LogRecord ast.AST ctypes.Structure ctypes.Union ctypes.BigEndianStructure "
            "ctypes.LittleEndianStructure _ctypes.Structure _ctypes.Union unittest.mock.Base unittest.mock.Mock "
            "unittest.mock.NonCallableMock unittest.mock.MagicMock xmlrpc.client.ServerProxy types.ModuleType "
            "multiprocessing.managers.BaseManager multiprocessing.managers.Namespace importlib.machinery.ModuleSpec"
        ),
        settles=_set(
            "abc.ABC abc.ABCMeta enum.Enum enum.IntEnum enum.StrEnum enum.Flag enum.IntFlag enum.EnumMeta "
            "enum.EnumType enum.ReprEnum typing.Protocol typing.Generic typing.NamedTuple typing.TypedDict "
            "builtins.type type object "
            "typing_extensions.Protocol typing_extensions.TypedDict typing_extensions.NamedTuple"
        ),
        harmless=_set(
            "dataclasses.dataclass functools.total_ordering typing.final typing.runtime_checkable "
            "typing.dataclass_transform typing_extensions.final typing_extensions.runtime_checkable "
            "typing_extensions.deprecated warnings.deprecated enum.unique enum.verify enum.global_enum "
            "unittest.skip unittest.skipIf unittest.skipUnless unittest.expectedFailure unittest.mock.patch "
            "unittest.mock.patch.object unittest.mock.patch.dict typing.no_type_check abc.ABC.register"
        ),
        adds=(
            *_pairs("enum.Enum", "_member_names_ _member_map_ _value2member_map_ _member_type_ __members__"),
            *_pairs("dataclasses.dataclass", "__dataclass_fields__ __dataclass_params__ __match_args__ __replace__"),
            *_pairs("sys", "frozen _MEIPASS"),  # of programs that are packed into one file
        ),
    ),
    Framework(
        name="django",
        makes_up=_set(
            "django.db.models.base.Model django.db.models.Model django.db.models.enums.Choices "
            "django.db.models.TextChoices django.db.models.IntegerChoices django.db.models.Choices "
            "django.db.models.enums.TextChoices django.db.models.enums.IntegerChoices "
            "django.db.models.manager.BaseManager django.db.models.Manager django.db.models.query.QuerySet "
            "django.http.request.HttpRequest django.http.HttpRequest django.core.handlers.wsgi.WSGIRequest "
            "django.conf.LazySettings django.db.models.options.Options django.test.client.Client "
            "django.http.response.HttpResponseBase"
        ),
        settles=_set("django.views.generic.base.View django.views.generic.View django.views.View"),
        harmless=_set(
            "django.contrib.admin.register django.contrib.admin.decorators.register "
            "django.utils.decorators.method_decorator django.test.override_settings "
            "django.test.utils.override_settings django.test.tag django.utils.deconstruct.deconstructible"
        ),
    ),
    Framework(
        name="sqlalchemy",
        makes_up=_set(
            "sqlalchemy.orm.DeclarativeBase sqlalchemy.orm.decl_api.DeclarativeBase "
            "sqlalchemy.orm.decl_api.DeclarativeBaseNoMeta sqlalchemy.orm.DeclarativeBaseNoMeta "
            "sqlalchemy.orm.decl_api.MappedAsDataclass sqlalchemy.orm.MappedAsDataclass "
            "sqlalchemy.sql.base.ColumnCollection sqlalchemy.engine.row.Row sqlalchemy.Row"
        ),
        instrumented=_set("sqlalchemy.orm.DeclarativeBase sqlalchemy.orm.decl_api.DeclarativeBase"),
        results=_set("sqlalchemy.orm.declarative_base sqlalchemy.ext.declarative.declarative_base"),
    ),
    Framework(
        name="sqlmodel",
        makes_up=_set("sqlmodel.SQLModel sqlmodel.main.SQLModel"),
        instrumented=_set("sqlmodel.SQLModel sqlmodel.main.SQLModel"),
    ),
    Framework(
        name="flask",
        makes_up=_set("flask_sqlalchemy.model.Model flask_sqlalchemy.Model flask.ctx._AppCtxGlobals "
                      "flask_sqlalchemy.extension.SQLAlchemy flask_sqlalchemy.SQLAlchemy"),
        instrumented=_set("flask_sqlalchemy.model.Model flask_sqlalchemy.Model"),
        adds=_pairs("flask.app.Flask flask.wrappers.Request flask.sessions.SessionMixin",
                    "_get_current_object"),  # of the proxies that are said to be these
    ),
    Framework(
        name="pydantic",
        settles=_set("pydantic.main.BaseModel pydantic.BaseModel pydantic.v1.main.BaseModel pydantic.v1.BaseModel "
                     "pydantic_settings.main.BaseSettings pydantic_settings.BaseSettings"),
        allows_more=tuple((f"pydantic{name}", "allow") for name in
                          (".main.BaseModel", ".BaseModel", ".v1.main.BaseModel", ".v1.BaseModel",
                           "_settings.main.BaseSettings", "_settings.BaseSettings")),
        vague=_set("pydantic.main.BaseModel pydantic.BaseModel pydantic.v1.main.BaseModel"),
        results=_set("pydantic.create_model pydantic.main.create_model"),
        harmless=_set("pydantic.dataclasses.dataclass pydantic.with_config"),
        adds=_pairs("pydantic.dataclasses.dataclass", "__dataclass_fields__ __dataclass_params__ __match_args__ "
                    "__pydantic_config__ __pydantic_fields__ __pydantic_validator__ __pydantic_serializer__ "
                    "__pydantic_core_schema__"),
    ),
    Framework(
        name="traitlets",
        settles=_set("traitlets.traitlets.HasTraits traitlets.traitlets.HasDescriptors traitlets.HasTraits "
                     "traitlets.traitlets.MetaHasTraits traitlets.traitlets.MetaHasDescriptors "
                     "traitlets.MetaHasTraits traitlets.config.configurable.Configurable "
                     "traitlets.config.Configurable"),
        makes_up=_set("traitlets.config.loader.Config traitlets.config.Config"),
    ),
    Framework(
        name="attrs",
        results=_set("attr.fields attrs.fields attr.fields_dict attr.make_class attrs.make_class"),
        harmless=_set("attr.s attr.attrs attr.define attr.frozen attr.mutable attr.dataclass attrs.define attrs.frozen "
                      "attrs.mutable attr.attributes"),
        adds=_pairs("attr.s attr.attrs attr.define attr.frozen attr.mutable attr.dataclass attrs.define attrs.frozen "
                    "attrs.mutable attr.attributes", "__attrs_attrs__ __attrs_props__ __match_args__"),
    ),
    Framework(
        name="protobuf",
        makes_up=_set("google.protobuf.message.Message google.protobuf.descriptor.Descriptor"),
        vague=_set("google.protobuf.message.Message"),
    ),
    Framework(
        name="numpy",
        makes_up=_set("numpy.recarray numpy.rec.recarray numpy.record numpy.rec.record numpy._core.records.recarray "
                      "numpy.core.records.recarray"),
        results=_set("numpy.rec.array numpy.rec.fromarrays numpy.rec.fromrecords"),
    ),
    Framework(
        name="pandas",
        makes_up=_set("pandas.DataFrame pandas.Series pandas.core.frame.DataFrame pandas.core.series.Series "
                      "pandas.core.groupby.generic.DataFrameGroupBy"),
        results=_set("pandas.DataFrame.itertuples"),
    ),
    Framework(
        name="scikit-learn",
        makes_up=_set("sklearn.utils.Bunch sklearn.utils._bunch.Bunch"),
        mistaken=_set("Bunch"),  # of a data set: stubs show a tuple of it and of arrays
    ),
    Framework(
        name="starlette",
        vague=_set("starlette.routing.BaseRoute starlette.types.ASGIApp"),
    ),
    Framework(
        name="testing",
        harmless=_set("pytest.mark pytest.fixture hypothesis.given hypothesis.settings ddt.ddt freezegun.freeze_time"),
    ),
    Framework(
        name="others",
        makes_up=_set("box.Box addict.Dict munch.Munch easydict.EasyDict omegaconf.DictConfig peewee.Model "
                      "mongoengine.Document mongoengine.document.Document tortoise.models.Model factory.Factory "
                      "factory.base.Factory faker.Faker zope.interface.Interface marshmallow.Schema "
                      "torch.nn.Module torch.nn.modules.module.Module"),
        harmless=_set("zope.interface.implementer zope.interface.provider six.python_2_unicode_compatible "
                      "beartype.beartype typeguard.typechecked strawberry.type"),
    ),
)  # fmt: skip


@cache
def frameworks() -> tuple[Framework, ...]:
    """All records: guiderail's own, then those that other packages register; one that cannot be had is left out."""
    registered = (_record(point) for point in entry_points(group=GROUP))
    return (*BUILT_IN, *(record for record in registered if record is not None))


def _record(point: EntryPoint) -> Framework | None:
    """What a package registers; None, which is logged, if it cannot be loaded or is no record."""
    try:
        record = point.load()
    except Exception as error:  # whatever the package raises: without its record the monitors still work
        log.warning("the framework %r is left out: %s cannot be loaded: %s", point.name, point.value, error)
        return None
    if not isinstance(record, Framework):
        log.warning("the framework %r is left out: %s is no record", point.name, point.value)
        return None
    return record


@cache
def merged(part: str) -> frozenset[str]:
    """The names in one part of all records."""
    return frozenset(name for record in frameworks() for name in getattr(record, part))


def added_to(qualified: str) -> frozenset[str]:
    """The members that values have which are said to be objects of a class."""
    return frozenset(member for record in frameworks() for name, member in record.adds if name == qualified)


def allowing_words(qualified: str) -> tuple[str, ...]:
    """The texts by which subclasses of a class say that objects may have any members."""
    return tuple(text for record in frameworks() for name, text in record.allows_more if name == qualified)
