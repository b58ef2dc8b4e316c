"""Names of files are bytes, and a repository chooses them: none stops a completion or leaves its line."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.prompt.context import gather
from guiderail.prompt.fim import find_fim
from guiderail.prompt.prompt import build_prompt
from guiderail.text.document import Document

FIM = find_fim(["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "<|repo_name|>"])
TEXT = "def greet(alpha, beta):\n    return alpha "


def encoded(text: str) -> int:
    """The cost of a text; raises UnicodeEncodeError, as tokenizers do in their own way, for half a character."""
    return len(text.encode()) // 4


@pytest.fixture(params=[b"caf\xff.py", b"new\nline.py", b"\x1b]0;x\x07.py"])
def named(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of such a name, in a folder of such a name."""
    folder = tmp_path / os.fsdecode(request.param)
    folder.mkdir()
    path = folder / os.fsdecode(request.param)
    path.write_text(TEXT + "+ beta\n\n\n" + "greet(1, 2)\n" * 3)
    return path


@pytest.mark.skipif(os.name != "posix", reason="names of files are texts there")
@pytest.mark.parametrize("fim", [None, FIM, replace(FIM, file_sep=None, repo_name=None) if FIM else None])
def test_a_file_of_any_name_stops_no_completion(named: Path, fim) -> None:
    """Neither as context nor as the file that is completed: its name stands in the prompt, in one line."""
    layout = "prefix" if fim is None else "psm"
    for own in (named.with_name("a.py"), named):
        document = Document(TEXT, own, "python")
        other = replace(document, path=named.with_name("a.py"))
        snippets = gather(other, len(TEXT), named.parent, budget=500, count=encoded, seconds=9)
        assert [snippet.path for snippet in snippets] == [named.name]
        prompt = build_prompt(
            document, len(TEXT), fim=fim, layout=layout, root=named.parent, snippets=snippets, budget=500, count=encoded
        )
        said = "".join(segment.text for segment in prompt.segments)
        assert said.encode()
        assert named.name not in said
        assert "greet(1, 2)" in said
