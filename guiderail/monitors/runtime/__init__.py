"""Who may add names to a class or module at run time, as syntax trees of the sources say."""
