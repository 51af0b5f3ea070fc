"""Floor 1: what was learned: memories and facts that outlive a thread."""
