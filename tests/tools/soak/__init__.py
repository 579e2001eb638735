"""Many conversations over the gateway's own process, in bad weather.

`conversations` are the clients, `weather` is what happens to the accounts, `verdict`
says what a run must not show.
"""
