"""Runs the checks one after another, prints the table, and ends with 'N passed, N failed'."""
import argparse
import time

from . import places, plan
from .outcome import Counts, Failed, Skip, of_failed


def run() -> int:
    """The whole of `scripts/test`; the value is the exit code."""
    arguments = read_arguments()
    chosen = [c for c in plan.CHECKS if wanted(c, arguments)]
    if arguments.list:
        print("\n".join(c.name + (" (with --all)" if c.long else "") for c in plan.CHECKS))
        return 0
    print(f"logs: {places.LOGS}", flush=True)
    rows, total = [], Counts()
    for check in chosen:
        print(f"  … {check.name}", flush=True)
        began = time.monotonic()
        state, counts, note = attempt(check)
        rows.append((check.name, state, counts, note, time.monotonic() - began))
        total += counts
    print_table(rows)
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs every check of Ironbow that this machine can run.")
    parser.add_argument("--all", action="store_true", help="also the long ones: soak, fuzzing, a real model")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="only the checks whose name starts so")
    parser.add_argument("--list", action="store_true", help="name the checks and stop")
    return parser.parse_args()


def wanted(check, arguments) -> bool:
    if arguments.only:
        return any(check.name.startswith(name) for name in arguments.only)
    return arguments.all or not check.long


def attempt(check) -> tuple:
    """Runs one check: its state, its counts and a note for the table."""
    try:
        counts = check.run()
    except Skip as reason:
        if check.required:
            return "SKIPPED", Counts(0, 1), f"required, but {reason}"
        return "skipped", Counts(), str(reason)
    except Failed as reason:
        return "FAILED", of_failed(reason.output), str(reason)
    return ("FAILED" if counts.failed else "passed"), counts, ""


def print_table(rows: list) -> None:
    width = max((len(name) for name, *_ in rows), default=0)
    print()
    for name, state, counts, note, seconds in rows:
        print(f"{name:<{width}}  {state:<7}  {counts.passed:>5} passed  {counts.failed:>3} failed  {seconds:>6.1f} s  {note}".rstrip())
    print()
