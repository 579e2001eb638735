"""What an operator may do, each change written once: plain functions on the tables.

They run inside a transaction of the caller's, who is the command line with the
database open, or the admin API on the writer's thread. Either then has the running
gateway reload. Every change leaves an audit row.
"""
