"""The core: what happens to a request, without Tornado and without schemas.

Its packages in their order; each imports only what stands below it:

    cli         commands of `run.py`, for operators
    demo        the scripted upstream of `run.py demo` and of the tests
    doctor      `run.py doctor`: looks for what is wrong with an installation
    admin       changes that operators make, for the API and the command line
    app         Gateway: builds the parts below, starts and stops them
    cluster     processes that share one database: members, grants, handover
    process     the lock file, inherited sockets, the service manager
    monitoring  metrics; recorder: what the process did before its loop was blocked
    turns       the path of a turn: reserve, lease, attempt, relay, settle, log
    admission   who may come in, by address and headers; request bodies
    polling     asked regularly: model catalogues, usage of accounts
    repository  rows of the database as accounts, keys, state, options
    upstream    the only code that opens connections: HTTP, WebSocket, tokens
    accounts    Pool: which account takes a request, and what becomes of failures
    keys        Limiter: reserve before a turn, settle after it; prices
    store       the database: models, queries, one writing thread, encryption
    events      topics: a part publishes that something happened, others subscribe
    settings    what an owner may set, from GATEWAY_* and .env
    errors      the one vocabulary of errors
    secret      a text that no repr, log or pickle shows
    protocol    bytes and events in, facts out, without I/O; imports nothing of ours

Time is an argument in pure parts, and nothing on the path of a turn waits for the
database.
"""
