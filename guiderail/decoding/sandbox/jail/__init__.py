"""The inside of the sandbox: the processes between guiderail and an untrusted program.

Started as a process of its own (`door`), with the standard library alone, so that it starts fast. `door` leaves the
host's namespaces, `init` is process 1 of the new ones, `view` builds the file system that the program sees, `program`
gives up all rights and becomes the program.
"""
