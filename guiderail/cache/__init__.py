"""Keys and values of one sequence, in preallocated buffers."""
