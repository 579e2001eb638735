"""The core: what happens to a request, without Tornado and without schemas.

Who calls whom, from the outside in:

    run.py      the command line: serves, or runs one of `commands`
    handlers    Tornado: read a request, call the core, write the answer
    schemas     what a payload may be, and the changes made to it

    core        Gateway: builds the parts below, starts and stops them in order
    access      who may come in, by address and headers; keys: tokens → Key
    bodies      one budget for all request bodies being read
    proxy       HTTP: one exchange, from its payload to its row in the log
    channel     WebSocket: one client socket, its turns, its upstream socket
    turns       what both have in common: reserve, lease, attempt, settle, log
    failover    a failure in, a decision out; pure
    commit      what is held back while a failure may still move elsewhere
    relay, socket_relay   events on their way to the client, after that point
    view        which of upstream's headers and events a client may see
    limits      Limiter: reserve before, settle after; pricing: tokens → dollars
    accounts    Pool: which account takes a request, and what it makes of answers
    upstream    the only code that opens connections; oauth keeps tokens fresh
    store       the database: models, queries, one writing thread, secrets
    admin       changes that operators make, for the API and the command line
    protocol    sans-IO: bytes and events in, facts out; imports nothing of ours
    exchange    the record of one exchange; errors: the one error vocabulary
    settings    what an owner may set, from GATEWAY_* and .env
    demo        the scripted upstream of `run.py demo` and of the tests

Imports go one way: run.py → handlers → gateway and schemas. Time is an argument in
pure parts, and nothing on the request path waits for the database.
"""
