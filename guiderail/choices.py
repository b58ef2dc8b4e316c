"""The values of settings that are one of a few words."""

from __future__ import annotations

from typing import Literal

Device = Literal["auto", "cpu", "cuda"]
Dtype = Literal["auto", "float32", "bfloat16", "float16", "int8"]
Until = Literal["line", "block", "tokens"]
Layout = Literal["auto", "psm", "spm", "efim", "prefix"]
Ngrams = Literal["auto", "on", "off"]
VerdictUse = Literal["sure", "mark", "drop", "off"]
Confidence = Literal["quiet", "balanced", "eager", "off"]
Trust = Literal["listed", "always", "never"]
CachePolicy = Literal["auto", "exact", "patch"]
LogLevel = Literal["debug", "info", "warning", "error"]
ANALYSERS = (  # guiderail.monitors.analysis.servers describes them
    "pyrefly", "ty", "basedpyright", "jedi", "tsc", "typescript-language-server", "clangd", "gopls",
    "rust-analyzer",
    "multilspy-rust", "jdtls", "javac", "csharp-ls", "omnisharp", "multilspy-csharp",
)  # fmt: skip
