"""The errors of this package, as one tree.

```
AgentMemoryError
├── ConfigurationError (ValueError)      how an object was set up cannot work
│   ├── EmbeddedServerError              no private server could be started
│   ├── IndexMismatchError               a search index exists with other dimensions or metric
│   └── UnsupportedServerError           the server lacks what the call needs
├── InvalidInputError (ValueError)       an argument of this call cannot be used
│   ├── InvalidTypeError (TypeError)     it is of a type that would be taken for something else
│   └── MissingScopeError                a run does not say whose memories it is about
├── BudgetExceededError                  a limit on model calls or tokens is reached for today
├── ExtractionError                      a model found no memories that can be used: it refused, or its answer is broken
├── VersionConflictError                 a writer worked from a version that is no longer current
└── CorruptDataError                     stored bytes are not what this package writes
```

Every message names the argument at fault and the remedy, and never holds a secret. What goes wrong between this
process and the server (down, refused, timed out) is not wrapped: redis-py's own exception reaches the caller.
"""

from __future__ import annotations

from datetime import datetime


class AgentMemoryError(Exception):
    """Base of every error that this package raises itself."""


class ConfigurationError(AgentMemoryError, ValueError):
    """How an object was set up cannot work: a URL, an option, a missing extra."""


class EmbeddedServerError(ConfigurationError):
    """No private server could be started."""


class IndexMismatchError(ConfigurationError):
    """A search index of that name exists with other dimensions or another metric."""


class UnsupportedServerError(ConfigurationError):
    """The server lacks what the call needs, for example Redis Search."""


class InvalidInputError(AgentMemoryError, ValueError):
    """An argument of this call cannot be used."""


class InvalidTypeError(InvalidInputError, TypeError):
    """An argument of this call is of a type that would be taken for something else, as one text for a list of ids."""


class MissingScopeError(InvalidInputError):
    """A run does not say whose memories it is about."""


class BudgetExceededError(AgentMemoryError):
    """A limit on model calls or tokens is reached for today.

    Args:
        message: Which one.
        until: When it begins anew.
    """

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until

    def __reduce__(self) -> tuple[type[BudgetExceededError], tuple[str, datetime]]:
        return type(self), (str(self), self.until)


class ExtractionError(AgentMemoryError):
    """A model gave no answer that memories can be read from: it refused, was cut short, or wrote something else."""


class VersionConflictError(AgentMemoryError):
    """A writer worked from a version that is no longer the current one."""


class CorruptDataError(AgentMemoryError):
    """Stored bytes are not what this package writes, so they are refused rather than guessed at."""
