"""Speed against nginx and a bare relay, in one interleaved run on loopback.

`python -m tests.tools.bench` starts the upstream, the load generator and every
target as processes of their own; `scenarios` runs the same job against each
target in turn, `figures` and `picture` show it, `checks` compares it with the
bars. Only ratios within one run mean anything: machines differ and are shared.
"""
