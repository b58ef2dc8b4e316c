"""Which of several GGUF files of one model to take: one in a folder, or one of a repository for this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from guiderail.errors import UsageError
from guiderail.model.errors import ModelFolderError

# The types that repositories offer, best first: up to eight bits a weight by precision, then the unquantised ones,
# which take two and four times the room for hardly more. IQ types are slow to unpack: after the others of their size.
TYPES = (
    "Q8_0", "Q6_K_L", "Q6_K", "Q5_K_L", "Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0", "Q4_K_L", "Q4_K_M", "Q4_K_S", "Q4_1",
    "Q4_0", "IQ4_NL", "IQ4_XS", "Q3_K_XL", "Q3_K_L", "Q3_K_M", "Q3_K_S", "IQ3_M", "IQ3_S", "IQ3_XS", "IQ3_XXS",
    "Q2_K_L", "Q2_K_S", "Q2_K", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S", "BF16", "F16", "FP16",
    "F32", "FP32",
)  # fmt: skip
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)", re.IGNORECASE)
_TYPE = re.compile(
    rf"(?<![A-Za-z0-9])({'|'.join(sorted(TYPES, key=len, reverse=True))})(?![A-Za-z0-9_])", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class GgufVariant:
    """One model of a repository.

    Parameters
    ----------
    name
        Its file, or the first of its shards.
    files
        All its files.
    size
        Bytes of all.
    kind
        The type that its name states, one of `TYPES`, or empty.
    """

    name: str
    files: tuple[str, ...]
    size: int
    kind: str


def variants(sizes: Mapping[str, int]) -> list[GgufVariant]:
    """The models among a repository's files: shards joined, incomplete ones and what is no text model left out."""
    groups: dict[tuple[str, int], dict[int, str]] = {}
    for name in sizes:
        if not name.lower().endswith(".gguf") or "mmproj" in name.lower() or "imatrix" in name.lower():
            continue
        shard = _SHARD.search(name)
        group = _SHARD.sub("", name), int(shard[2]) if shard else 1
        groups.setdefault(group, {})[int(shard[1]) if shard else 1] = name
    found: dict[str, GgufVariant] = {}
    for (stem, count), numbered in sorted(groups.items()):
        # Some repositories have one model in a single file and in shards too: the fewest files are taken.
        if sorted(numbered) == list(range(1, count + 1)) and stem not in found:
            files = tuple(numbered[number] for number in sorted(numbered))
            found[stem] = GgufVariant(files[0], files, sum(sizes[name] for name in files), stated_type(stem))
    return list(found.values())


def stated_type(name: str) -> str:
    """The type that a file's name states, or empty."""
    found = _TYPE.findall(PurePosixPath(name).name)
    return found[-1].upper() if found else ""


def named(given: Sequence[GgufVariant], name: str) -> GgufVariant:
    """The variant that a person names: by its file, any of its shards, or its type.

    Raises
    ------
    UsageError
        If there is none, or more than one.
    """
    exact = [variant for variant in given if name in (variant.name, *variant.files)]
    found = exact or [variant for variant in given if variant.kind and variant.kind == name.upper()]
    if len(found) == 1:
        return found[0]
    what = "no file" if not found else "several files"
    raise UsageError(f"There is {what} {name} among {_listed(given)}", "Name one: --file NAME")


def best(given: Sequence[GgufVariant], free: int | None) -> GgufVariant:
    """The file for a machine: the most exact up to eight bits that leaves half of the free memory.

    The half is for what the file is unpacked to, its cache and everything else.

    Raises
    ------
    UsageError
        If none fits, none states its type, or two of the best type are different models.
    """
    known = sorted((variant for variant in given if variant.kind), key=lambda variant: TYPES.index(variant.kind))
    if len(given) == 1:
        return given[0]
    if not known:
        raise UsageError(f"Which file is wanted of {_listed(given)}?", "Name one: --file NAME")
    fitting = [variant for variant in known if free is None or 2 * variant.size <= free]
    if not fitting:
        least = min(known, key=lambda variant: variant.size)
        raise UsageError(
            f"No file fits: the smallest, {least.name}, has {_gb(least.size)}, and {_gb(free or 0)} of memory are free",
            f"Free some memory, choose a smaller model, or take it all the same: --file {least.name}",
        )
    alike = [variant for variant in fitting if variant.kind == fitting[0].kind]
    if len(alike) > 1:
        raise UsageError(f"Which file is wanted of {_listed(alike)}?", "Name one: --file NAME")
    return fitting[0]


def only_file(folder: Path, chosen: str | None = None) -> Path | None:
    """The model of a folder that has GGUF files: the chosen one, or the only one; None where there is none.

    Raises
    ------
    ModelFolderError
        If there are several, and none of them is chosen.
    """
    if chosen and "/" not in chosen and "\\" not in chosen and (folder / chosen).is_file():
        return folder / chosen
    found = variants({path.name: 0 for path in folder.glob("*.gguf")})
    if len(found) > 1:
        raise ModelFolderError(f"{folder} has several models: {_listed(found)}", "Name one of these files")
    return folder / found[0].name if found else None


def _listed(given: Sequence[GgufVariant]) -> str:
    names = [variant.name for variant in given]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _gb(size: int) -> str:
    from guiderail.model.memory import readable

    return readable(size)
