"""Published benchmarks in their own layouts: a person brings the files, nothing of them is shipped."""
