"""``python -m syncd.rules`` prints the decision table; event names pick parts of it."""

from __future__ import annotations

import sys

from syncd.rules.show import table_lines
from syncd.rules.words import Event


def main(words: list[str]) -> int:
    """Print the table, or the events named. Returns the exit code: 2 for an unknown event."""
    unknown = [word for word in words if word not in Event.__members__]
    if unknown:
        known = ", ".join(Event)
        print(f"unknown event {', '.join(unknown)}; the events are: {known}", file=sys.stderr)
        return 2
    print("Steps in brackets are implied. Positions in a row that fare alike carry a ditto mark.")
    print("\n".join(table_lines([Event(word) for word in words] or list(Event))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
