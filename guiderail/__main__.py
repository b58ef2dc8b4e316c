"""``python -m guiderail`` is the ``guiderail`` command."""

from guiderail.cli.main import main

main()
