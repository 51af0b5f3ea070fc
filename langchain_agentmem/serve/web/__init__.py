"""The demo page (`agentmem demo --web`, extra `web`): an agent's memory to watch and to play with, on this machine.

`serving` runs the server; `app` maps requests to the `playground`, which holds the memory and an agent; `guard` lets
nobody in but the page itself; `feed` tells the page what happens; `plain` and `keyspace` put it into JSON.
"""

from langchain_agentmem.serve.web.serving import serve

__all__ = ["serve"]
