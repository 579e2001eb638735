"""The command line, one file for each family of commands.

A command calls the functions of `gateway.admin` by `apply_change` and `run_query`:
the gateway that runs does it, or the command in the database (`running`). It never
holds a rule of its own.
"""
