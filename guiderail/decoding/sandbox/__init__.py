"""Running a project's tests on a candidate text without trusting it."""
