"""The training room: from pinned public packages to the embedded completion model."""
