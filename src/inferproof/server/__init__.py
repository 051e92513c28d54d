"""How processes run: uvicorn by its documented options, and the processes that settle and prove.

listening    sockets
limits       what uvicorn is told, and what is left to a proxy
application  the gateway as an ASGI application whose parts live as long as the server
operations   health, readiness and metrics of one process, at a port of its own
processes    the gateway in one process or several, `inferproof settle`, `inferproof worker`
"""
