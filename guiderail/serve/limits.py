"""How long a request of an HTTP client may wait for what makes its answer better."""

from __future__ import annotations

from guiderail.engine.time_limits import TimeLimits

# A language server hears of each key, and asks the analyser before the request comes. Here both come at once.
SERVING = TimeLimits(context_s=0.15, ngrams_s=0.0, analyser_s=0.5)
