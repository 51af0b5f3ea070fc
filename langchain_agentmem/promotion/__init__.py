"""Floor 2: the way from a thread to long-term memory: extraction, a durable outbox and its workers."""
