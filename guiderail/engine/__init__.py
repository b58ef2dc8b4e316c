"""From a cursor in a document to suggestions: the one path that every front end takes."""
