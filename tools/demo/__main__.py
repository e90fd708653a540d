"""``make demo``: panels simulated, a daemon, a first sync shown, and compared with the truth."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

from tools.demo.book import WORDS, Look, differences, look
from tools.demo.children import ChildError
from tools.demo.show import Show, by_reason
from tools.demo.stage import Stage
from tools.demo.story import STOCKED, Story, Times

PIECES_RECEIVED: Final = 2_000
TOLD: Final = "flipkart"
SHARE: Final = 5
SHOWN_DIFFERENCES: Final = 20
RUN_ENDED: Final = (0, 1)  # done, or done with refused changes


class Demo:
    """The acts of the demo, in order. ``summary`` grows on the way."""

    def __init__(self, stage: Stage, show: Show) -> None:
        self.stage = stage
        self.show = show
        self.times = Times(datetime.now(UTC))
        # One account has the whole story, and its orders are told of; the others have less of it.
        self.told = next(one for one in stage.panels if one.channel == TOLD)
        self.stories = [Story(one, 1 if one is self.told else SHARE) for one in stage.panels]
        self.differences: dict[str, int] = {}
        self.before: list[Look] = []
        self.after: list[Look] = []
        self.wrong: list[str] = []
        self.refused: Counter[str] = Counter()
        self.seconds = 0.0

    def play(self) -> None:
        """All of it."""
        self.prepare()
        self.fill_the_book()
        self.let_things_happen()
        self.sync()
        self.mend()
        self.sync_again()
        self.put_away()
        self.compare()
        self.explain()

    def prepare(self) -> None:
        """A tenant that is not live; then stock, invoice numbers, and live."""
        self.show.heading("A new seller: nothing moves until a person says so")
        account = self.stories[0].people.account
        self.say("trigger", account, "--task", "dispatched", "--wait", codes=(6,))
        for facility in ("BLR", "DEL"):
            for sku in STOCKED:
                self.stage.ctl("stock", "receive", facility, sku, str(PIECES_RECEIVED))
        self.say("sequence", "set", "BLR", "--prefix", "BLR/26-", "--width", "6")
        self.say("tenant", "live", "acme")

    def fill_the_book(self) -> None:
        """Orders come from the channel and from a file."""
        self.show.heading("Orders come into the book, from the channel and from a file")
        for story in self.each():
            account = story.people.account
            story.place(self.times, late=False)
            path = self.stage.folder / f"{account}.csv"
            story.write_csv(path, "file")
            self.say("import", "--account", account, str(path))
            story.people.publish()
            self.say("trigger", account, "--task", "orders", "--wait")
            seen = self.look(story)
            orders = {order_id for order_id, _ in seen.words}
            self.show.line(f"  The book has {len(orders)} orders of {account} now.")
            self.before.append(seen)

    def let_things_happen(self) -> None:
        """People act at the panels; the book knows nothing of it."""
        self.show.heading("Meanwhile, at the panels")
        fates: Counter[str] = Counter()
        for story in self.stories:
            story.place(self.times, late=True)
            story.act(self.times)
            fates.update(fate.title for fate, _ in story.orders)
        listed = [f"{count} {title}" for title, count in fates.items()]
        self.show.line("  " + "; ".join(listed) + ".")

    def sync(self) -> None:
        """The sync itself."""
        self.show.heading("The sync")
        begun = monotonic()
        for story in self.each():
            story.people.publish()
            self.say("trigger", story.people.account, "--wait", codes=RUN_ENDED)
        self.seconds = monotonic() - begun
        failed = self.stage.ctl("failed", "--limit", "500")
        self.refused = by_reason([one for one in failed["facts"] if one["state"] == "REFUSED"])

    def mend(self) -> None:
        """What a person does about what could not be done."""
        self.show.heading("What needs a person")
        failed = self.stage.ctl("failed", "--limit", "500")["facts"]
        for code, count in by_reason(failed).items():
            example = next(one for one in failed if one["code"] == code)
            self.show.line(f"  {count} x {code}: {example['message'] or example['reason']}")
        self.say("sequence", "set", "DEL", "--prefix", "DEL/26-", "--width", "6")
        for story in self.each():
            account = story.people.account
            path = self.stage.folder / f"{account}-late.csv"
            story.write_csv(path, "late")
            self.say("import", "--account", account, str(path))

    def sync_again(self) -> None:
        """Some returns end, and a second sync hears of it."""
        self.show.heading("Later: returns arrive, others are withdrawn, and the next sync")
        for story in self.each():
            story.go_on(self.times)
            story.people.publish()
            self.say("trigger", story.people.account, "--wait", codes=RUN_ENDED)

    def put_away(self) -> None:
        """Pieces to put on a shelf; one of them is."""
        self.show.heading("What must be put on a shelf")
        waiting = self.stage.ctl("putaway")["putaways"]
        self.show.line(f"  {len(waiting)} pieces to put on a shelf, such as:")
        firsts = {one["kind"]: one for one in reversed(waiting)}
        for one in firsts.values():
            self.show.line(f"    {one['id']}  {one['sku']} of {one['order_id']}: {one['words']}")
        if waiting:
            self.say("putaway", "done", str(waiting[-1]["id"]), "--as", "GOOD")

    def compare(self) -> None:
        """The book beside the truth, piece by piece."""
        self.show.heading("Before and after, piece by piece")
        there: Counter[str] = Counter()
        for story in self.stories:
            truth = story.people.truth()
            # A panel may tell each piece as an order of its own, of which the story knows one.
            found = self.look(story, *(order_id for order_id, _ in truth))
            self.after.append(found)
            wrong = differences(truth, found)
            self.differences[story.people.account] = len(wrong)
            self.wrong += [f"{story.people.account}: {line}" for line in wrong]
            there.update(word for words in truth.values() for word in words.elements())
        before, after = positions(self.before), positions(self.after)
        before["not in the book"] = sum(
            placed.quantity
            for story, seen in zip(self.stories, self.before, strict=True)
            for _, placed in story.orders
            if (placed.order_id, placed.line_id) not in seen.words
        )
        self.show.before_after(before, after, at_the_panel(there))
        for line in self.wrong[:SHOWN_DIFFERENCES]:
            self.show.line(f"  differs: {line}")
        verdict = "every piece is" if not self.wrong else f"{len(self.wrong)} lines are NOT"
        self.show.line(f"  The book against the panels: {verdict} where the panel says.")
        for channel in dict.fromkeys(story.people.channel for story in self.stories):
            self.show.line(f"    {self.verdict_on(channel)}")

    def each(self) -> Iterator[Story]:
        """The stories by turns; only the whole one comes into the picture."""
        for story in self.stories:
            self.show.pictured = story.people is self.told
            yield story
        self.show.pictured = True

    def verdict_on(self, channel: str) -> str:
        """A line about all accounts of a channel."""
        stories = [story for story in self.stories if story.people.channel == channel]
        orders = " and ".join(str(len(story.orders)) for story in stories)
        wrong = sum(self.differences[story.people.account] for story in stories)
        return f"{channel}: {orders} orders, " + (f"{wrong} lines differ" if wrong else "true")

    def explain(self) -> None:
        """Five orders, told in full."""
        self.show.heading("Why is an order as it is?")
        for title, placed, account in self.examples():
            _, text = self.stage.run("explain", placed, "--account", account)
            self.show.example(title, text.splitlines())
            self.show.pictured = False  # one is enough for a picture

    def examples(self) -> list[tuple[str, str, str]]:
        """Title, order and account of what is worth telling."""
        return [
            (title, placed.order_id, story.people.account)
            for story in self.stories
            if story.people is self.told
            for title, placed in story.examples()
        ]

    def look(self, story: Story, *more: str) -> Look:
        """The book of one account now: the story's orders, and ``more`` of them."""
        orders = [*(placed.order_id for _, placed in story.orders), *more]
        return look(self.stage.api(), story.people.account, orders)

    def say(self, *arguments: str, codes: Sequence[int] = (0,)) -> None:
        """Run a command and show it with what it says."""
        code, text = self.stage.run(*arguments)
        self.show.did("syncctl " + " ".join(self.short(word) for word in arguments), text)
        if code not in codes:
            raise RuntimeError(f"syncctl {' '.join(arguments)} ended with {code}: {text}")

    def short(self, word: str) -> str:
        """Without the temporary folder's name."""
        return word.replace(f"{self.stage.folder}/", "")

    def summary(self) -> dict[str, Any]:
        """What ``ONCE=1`` prints last. Counts of facts are of the passes of all runs."""
        runs = self.stage.ctl("runs", "--limit", "500")["runs"]
        counts: Counter[str] = Counter()
        for run in runs:
            counts.update(run["counts"])
        return {
            "channels": list(dict.fromkeys(story.people.channel for story in self.stories)),
            "accounts": {
                account: "true" if not wrong else f"{wrong} lines differ"
                for account, wrong in self.differences.items()
            },
            "orders": sum(len(story.orders) for story in self.stories),
            "changes_seen": counts["new"],
            "applied": counts["applied"],
            "refused": dict(self.refused),
            "parked": counts["parked"],
            "tombstoned": counts["tombstoned"],
            "quarantined": counts["quarantined"],
            "seconds": round(self.seconds, 2),
            "differences": len(self.wrong),
            "true": not self.wrong,
        }


def positions(looks: Sequence[Look]) -> Counter[str]:
    """Pieces by position, of all accounts."""
    total: Counter[str] = Counter()
    for one in looks:
        total.update(one.positions)
    return total


def at_the_panel(words: Counter[str]) -> dict[str, int]:
    """The panel's counts beside the position that stands for each word."""
    firsts: dict[str, str] = {}
    for position, word in WORDS.items():
        firsts.setdefault(word, position)
    return {firsts.get(word, "FULFILLABLE"): count for word, count in words.items()}


def stay(stage: Stage, show: Show) -> None:
    """Serve until Ctrl-C."""
    show.heading("It stays up. In a second terminal:")
    show.line("  " + stage.command("status"))
    show.line("  Other words to try there: runs, tasks, failed, putaway, stock, explain ORDER.")
    show.line("  Ctrl-C here ends everything and removes the temporary folder.")
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signum, frame: end.set())
    while not end.wait(0.5):
        stage.check()


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """The program; returns its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="check the outcome and end")
    parser.add_argument("--picture", type=Path, help="write what is shown as an SVG file")
    wish = parser.parse_args()
    show = Show()
    with tempfile.TemporaryDirectory(prefix="syncd-demo-") as folder:
        try:
            with Stage(Path(folder)) as stage:
                demo = Demo(stage, show)
                demo.play()
                if wish.picture:
                    show.save_picture(wish.picture)
                summary = demo.summary()
                if not wish.once:
                    stage.start_timers()
                    stay(stage, show)
        except (ChildError, RuntimeError) as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    if wish.once:
        show.summary(summary)
        return 0 if summary["true"] else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
