"""Floor 1: what was done: an append-only log of events, replayed and subscribed to."""
