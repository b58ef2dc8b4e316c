"""Write the settings of the VS Code extension into its package.json, from the server's own description of them.

python editors/vscode/settings.py            write
python editors/vscode/settings.py --check    exit 1 if that would change anything
"""

import json
import sys
from pathlib import Path
from typing import Any

from guiderail.lsp.configuration import camel
from guiderail.settings import KEYS, basic, default_of, rule_of

PACKAGE = Path(__file__).with_name("package.json")
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_LIST = {"type": "array", "items": {"type": "string"}, "default": [], "scope": "resource"}  # each folder its own

# What is not a key of guiderail/settings.py: the extension's own settings, and those of the language server alone.
_OWN: dict[str, dict[str, Any]] = {
    "serverPath": {
        "type": "string", "default": "", "scope": "machine",
        "description": "The program guiderail. Empty: the workspace's .venv, PATH, then the extension's environment.",
    },
    "installSource": {
        "type": "string", "default": "", "scope": "machine",
        "description": "What pip installs as server: a package, a wheel, a folder. Empty: what the extension brings.",
    },
    "trace.server": {
        "type": "string", "default": "off", "enum": ["off", "messages", "verbose"], "scope": "machine",
        "description": "Log what editor and server say to each other; verbose logs source text.",
    },
    "enable": {
        "type": "boolean", "default": True, "scope": "resource",
        "description": "Suggestions at all; off frees the model's memory.",
    },
    "enableLanguages": _LIST | {
        "description": "The only languages with suggestions; empty or *: all but prose.",
    },
    "disableLanguages": _LIST | {"description": "Languages without suggestions."},
    "disablePaths": _LIST | {
        "description": "Files without suggestions: .gitignore patterns, relative to the folder of the workspace.",
    },
    "comments": {
        "type": "boolean", "default": True, "scope": "resource",
        "description": "Suggestions in comments while you type; asked for by hand they come everywhere.",
    },
    "strings": {
        "type": "string", "default": "code", "enum": ["code", "all", "none"], "scope": "resource",
        "enumDescriptions": [
            "In strings, but not in prose: docstrings, and strings with three words in a row.",
            "In all strings.",
            "In no strings.",
        ],
        "description": "In which strings there are suggestions while you type.",
    },
    "debounceMs": {
        "type": "integer", "default": 75, "minimum": 0, "maximum": 10000, "scope": "resource",
        "description": "Milliseconds that a request waits for the next key at most.",
    },
    "maxSuggestions": {
        "type": "integer", "default": 3, "minimum": 1, "maximum": 16, "scope": "resource",
        "description": "How many suggestions to offer when asked by hand.",
    },
    "menu": {
        "type": ["boolean", "string"], "default": "auto", "enum": ["auto", True, False], "scope": "resource",
        "description": "Show the suggestion in the completion menu too; auto: only in editors without ghost text.",
    },
    "speculate": {
        "type": "boolean", "default": True, "scope": "resource",
        "description": "Make the suggestion after a shown one in idle time.",
    },
    "nextEdits": {
        "type": "boolean", "default": True, "scope": "resource",
        "description": "Propose the edits that follow from a change of a name or of parameters, in all files.",
    },
}  # fmt: skip


def property_of(key: str) -> dict[str, Any]:
    """The JSON Schema of one key of guiderail/settings.py."""
    rule, default = rule_of(key), default_of(key)
    entry: dict[str, Any] = {"type": _TYPES[type(default)], "default": default}
    bounds = {"enum": list(rule.choices), "minimum": rule.low, "maximum": rule.high, "exclusiveMinimum": rule.above}
    # A workspace's own settings are a project's in effect: what is the person's is not taken from them.
    entry |= {"scope": "resource" if rule.owner == "both" else "machine"}
    return entry | {name: value for name, value in bounds.items() if value not in (None, [])} | {
        "description": rule.help[:1].upper() + rule.help[1:] + "."
    }  # fmt: skip


def properties() -> dict[str, dict[str, Any]]:
    """All settings of the extension. `suggestions` is the command line's; editors have maxSuggestions."""
    own = dict(_OWN)
    shared = {camel(key): property_of(key) for key in KEYS if key != "suggestions" and rule_of(key).from_editors}
    return {f"guiderail.{key}": entry for key, entry in (own | shared).items()}


def categories() -> list[dict[str, Any]]:
    """The settings as VS Code lists them: the basic ones before the advanced ones, each in its order."""
    described = properties()
    first = [f"guiderail.{camel(key)}" for key in basic(lambda key: f"guiderail.{camel(key)}" in described)]
    parts = {"guiderail": first, "Advanced": [key for key in described if key not in first]}
    return [
        {
            "title": title,
            "order": number,
            "properties": {key: {"order": place} | described[key] for place, key in enumerate(keys, start=1)},
        }
        for number, (title, keys) in enumerate(parts.items(), start=1)
    ]


def rendered() -> str:
    """The text of package.json with the settings in it."""
    package = json.loads(PACKAGE.read_text(encoding="utf-8"))
    package["contributes"]["configuration"] = categories()
    package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] = [*properties()]
    return json.dumps(package, indent=2) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(rendered() != PACKAGE.read_text(encoding="utf-8"))
    PACKAGE.write_text(rendered(), encoding="utf-8")
