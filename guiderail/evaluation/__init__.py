"""Tasks, metrics and reports that measure completion quality."""
