"""The inside of the sandbox: the processes between guiderail and an untrusted program.

It runs as a process of its own and uses the standard library alone, so that it starts fast. `namespaces` leaves the
host's namespaces, `init` is process 1 of the new ones, `filesystem` builds the file system that the program sees, and
`program` drops all privileges and executes the program.
"""
