"""What an operator may do, each change written once: plain functions on the tables.

They run inside a transaction of the caller's: the admin API on the writer's thread,
which then has the gateway reload, or the command line where no gateway runs. Every
change leaves an audit row, and raises a number that a gateway elsewhere notices.
"""
