"""What a check came to, and how its output is read for counts."""
import dataclasses
import re


class Skip(Exception):
    """Raised by a check that cannot run here; the text is the reason that the table shows."""


class Failed(Exception):
    """Raised by a check that ran and did not pass; `output` is what it printed, from which its counts are still read."""

    def __init__(self, reason: str, output: str = ""):
        super().__init__(reason)
        self.output = output


@dataclasses.dataclass
class Counts:
    """Tests that passed and failed."""

    passed: int = 0
    failed: int = 0

    def __add__(self, other):
        return Counts(self.passed + other.passed, self.failed + other.failed)


_CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed;", re.M)
_PLAIN = re.compile(r"^(\d+) passed, (\d+) failed$", re.M)


def of_cargo(output: str) -> Counts:
    """Adds up the closing lines of every test binary in `cargo test`'s output."""
    return sum((Counts(int(p), int(f)) for p, f in _CARGO.findall(output)), Counts())


def of_script(output: str) -> Counts:
    """Reads the last 'N passed, N failed' line of a client script."""
    found = _PLAIN.findall(output)
    if not found:
        raise Failed("it printed no 'N passed, N failed' line")
    passed, failed = found[-1]
    return Counts(int(passed), int(failed))


def of_failed(output: str) -> Counts:
    """What can be told of a command that failed: its own counts, and at least one failure."""
    counts = of_cargo(output)
    found = _PLAIN.findall(output)
    if found:
        counts += Counts(int(found[-1][0]), int(found[-1][1]))
    return Counts(counts.passed, max(counts.failed, 1))
