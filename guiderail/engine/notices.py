"""What a person should hear once of why suggestions are not checked, in a sentence each."""

from __future__ import annotations

from guiderail.choices import ANALYSERS
from guiderail.errors import sentences
from guiderail.settings import Settings
from guiderail.text.languages.table import BY_NAME

# What editors call data, settings and small scripts, in which nobody expects checks.
_UNCHECKED = frozenset({
    "bat", "bibtex", "conf", "csv", "diff", "dosbatch", "dosini", "dotenv", "editorconfig", "git-commit", "git-rebase",
    "gitattributes", "gitcommit", "gitconfig", "gitignore", "gitrebase", "help", "ignore", "json5", "jsonc", "jsonl",
    "log", "man", "pip-requirements", "properties", "requirements", "scminput", "search-result", "snippets",
    "sshconfig", "ssh_config", "systemd", "text", "tsv", "vimdoc",
})  # fmt: skip
NO_LANGUAGE = "a text has no language that guiderail knows, so nothing in it is checked"


def notices(settings: Settings, language: str | None, remedy: str) -> list[str]:
    """The notices for a text.

    Parameters
    ----------
    settings
        Those of the text.
    language
        Its language; None, or a name that guiderail may not know.
    remedy
        How its language can be chosen, if it has none.
    """
    found = (
        [] if language in BY_NAME or language in _UNCHECKED else [sentences(NO_LANGUAGE, "" if language else remedy)]
    )
    missing = missing_analyser(settings)
    return [*found, missing] if missing else found


def missing_analyser(settings: Settings) -> str:
    """Why the analyser that the settings choose cannot be asked; empty if it can, or none is chosen."""
    if settings.analyser not in ANALYSERS or not settings.monitors:
        return ""
    from guiderail.monitors.analysis.servers import known

    chosen = [server for server in known() if server.name == settings.analyser]
    if not chosen or any(server.find(None) for server in chosen):
        return ""
    languages = ", ".join(chosen[0].languages)
    return sentences(
        f"the analyser {settings.analyser} is not installed, so nothing in {languages} is checked",
        "See guiderail analysers ls",
    )
