"""The command line, one file for each family of commands.

A command changes the database by the functions of `gateway.admin`, and has the
running gateway take the change over; it never holds a rule of its own.
"""
