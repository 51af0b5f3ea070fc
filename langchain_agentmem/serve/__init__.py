"""The roof: command line, demo page and server targets, each an optional extra."""
