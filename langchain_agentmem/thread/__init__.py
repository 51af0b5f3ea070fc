"""Floor 1: what is happening now: LangGraph checkpoints, working memory and chat history of a thread."""
