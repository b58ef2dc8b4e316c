"""Pure changes of one step's scores; each file is one stage."""
