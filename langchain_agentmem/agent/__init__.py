"""Floor 3: what an agent holds: context, nodes, middleware, tools and a retriever."""
