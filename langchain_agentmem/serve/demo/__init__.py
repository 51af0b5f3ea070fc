"""`agentmem demo`: an agent that remembers across processes, shown on a private server.

`stage` runs the acts, each in a process of its own; `acts` holds what is said in them; `agent` and `model` are who
speaks; `stopwatch` and `inventory` measure; `screen` shows.
"""
