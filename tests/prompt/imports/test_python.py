"""Python imports lead to the declarations after them."""

from pathlib import Path

from tests.prompt.projects import definitions, write

FILES = {
    "app/__init__.py": "from .models import User as Person\nfrom .store import *\n",
    "app/models.py": '''
class User(Base):
    """A user.

    With more to say.
    """

    name: str = ""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tags: list[str] = []
        self._hidden = 1

    @property
    def label(self) -> str:
        return self.name

    def _private(self): ...
''',
    "app/store.py": "LIMIT = 3\n\ndef save(user, *, force=False) -> bool:\n    '''Save it.'''\n    return True\n",
    "app/util/__init__.py": "",
    "app/util/text.py": "def slug(title: str) -> str:\n    return title\n\ndef unused(): ...\n",
    "src/lib/core.py": "def run(): ...\n",
}
USER = '''class User(Base):
    """A user."""
    name: str = ""
    def __init__(self, name: str) -> None:
        self.name = name
        self.tags: list[str] = []
    @property
    def label(self) -> str: ...
'''
SAVE = 'def save(user, *, force=False) -> bool:\n    """Save it."""\n'


def test_relative_and_absolute_imports_and_aliases(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    text = "from .models import User as U\nfrom app.store import save\nU(save‸"
    assert definitions(tmp_path, "app/main.py", text) == {"app/models.py": USER, "app/store.py": SAVE}


def test_re_exports_of_a_package_are_followed(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    text = "from app import Person, save\nx = Person(save)‸"
    assert definitions(tmp_path, "main.py", text) == {"app/models.py": USER, "app/store.py": SAVE}


def test_a_module_gives_the_members_that_are_used_and_others_below_them(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    slug = "def slug(title: str) -> str:\n"
    for text in ("import app.util.text\napp.util.text.slug(‸", "from app.util import text as t\nt.slug(‸"):
        assert definitions(tmp_path, "main.py", text)["app/util/text.py"].startswith(slug)
    for text in ("from ..util import text\ntext.slug(‸", "from . import deep\nfrom ..util.text import slug\nslug(‸"):
        assert definitions(tmp_path, "app/web/main.py", text)["app/util/text.py"].startswith(slug)


def test_star_imports_give_the_used_names_only(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    assert definitions(tmp_path, "main.py", "from app.store import *\nsave(‸") == {"app/store.py": SAVE}


def test_packages_under_src_are_found(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    assert definitions(tmp_path, "tests/t.py", "from lib.core import run\n‸") == {"src/lib/core.py": "def run():\n"}


def test_imports_of_other_projects_lead_nowhere(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    assert definitions(tmp_path, "main.py", "import os\nfrom numpy import array\nfrom .... import x\n‸") == {}


def test_imports_are_found_in_broken_code(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    text = "from app.store import save\n\ndef f(:\n    if x ==\n    save(‸\n\nclass ("
    assert definitions(tmp_path, "main.py", text) == {"app/store.py": SAVE}
