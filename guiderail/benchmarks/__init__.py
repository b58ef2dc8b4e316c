"""Side-by-side speed measurements, each with its rival in the same run."""
