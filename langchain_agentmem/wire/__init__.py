"""Ground floor: everything that speaks to Redis: connection, keys, scripts and the embedded server."""
