"""Folders that the tests of this room share."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from guiderail.model.tokenizer import Tokenizer
from tests.helpers.tiny import tiny_tokenizer_folder


@pytest.fixture(scope="session")
def tokenizer_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Tokenizer]:
    """The tiny tokenizer of a family, read from its folder once a session."""

    @cache
    def read(family: str) -> Tokenizer:
        folder: Path = tmp_path_factory.mktemp(family)
        return Tokenizer.from_folder(tiny_tokenizer_folder(family, folder))

    return read
