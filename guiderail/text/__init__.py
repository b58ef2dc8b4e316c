"""The text of a file as an editor sees it: documents, edits, positions."""
