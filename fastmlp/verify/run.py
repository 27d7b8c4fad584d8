"""Run random cases; report each failure with the command that repeats it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from fastmlp.errors import refuse
from fastmlp.kernels import prepare
from fastmlp.kernels.llvm.emitter import VECTOR_BYTES, WIDEST
from fastmlp.verify.cases import CASES, DRAWN_FROM, Draw
from fastmlp.verify.tables import rows_of

# With this many cases of a kind, the chance that a row is never drawn is about one in a million, so
# a row without a case is a failure
ENOUGH = 300


@dataclass
class Outcome:
    """The result of a verification.

    worst : for each kernel the largest error as a share of the allowed error; above 1 is a failure
    mistrusted : the number of cases whose results are nearly all zero, which prove little
    rows : for each kernel, the number of cases with each row of the tables, "hidden: relu"
    failures : a line for each failure, with the command that repeats it
    """

    cases: int = 0
    checks: int = 0
    mistrusted: int = 0
    worst: dict[str, float] = field(default_factory=dict)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    vector_bits: int = 8 * VECTOR_BYTES

    @property
    def passed(self) -> bool:
        """Whether there was no failure."""
        return not self.failures


def verify(
    cases: int = 3000,
    seed: int = 0,
    only: Sequence[str] = (),
    follow: Callable[[int, int], object] = lambda done, of: None,
) -> Outcome:
    """Run `cases` cases, the kernels in turn; case k depends only on `seed + k`.

    only : kernels to check, by default all; follow : called sometimes as follow(done, cases)
    """
    unknown = [name for name in only if name not in CASES]
    if unknown:
        known = ", ".join(CASES)
        raise refuse("kernel", "must be one that is checked", unknown[0], f"Choose from {known}.")
    for dtype in (np.float32, np.float64):
        prepare(np.dtype(dtype))
    names, outcome, began = tuple(only) or tuple(CASES), Outcome(), perf_counter()
    outcome.rows = {name: dict.fromkeys(rows_of(DRAWN_FROM[name]), 0) for name in names}
    # overflow and underflow are not errors here: the checks compare the results
    with np.errstate(all="ignore"):
        for number in range(cases):
            _run_case(names[number % len(names)], seed + number, outcome)
            if number % 100 == 0:
                follow(number, cases)
    for name in names:
        if cases // len(names) >= ENOUGH:
            missing = [row for row, count in outcome.rows[name].items() if not count]
            outcome.failures += [f"{name}: no case had the row {row!r}" for row in missing]
    outcome.seconds = perf_counter() - began
    return outcome


def _run_case(name: str, seed: int, outcome: Outcome) -> None:
    """Run one case, and add its result to the outcome."""
    draw = Draw(seed)
    case = CASES[name](draw)
    again = f"fastmlp verify --kernel {name} --cases 1 --seed {seed}"
    if VECTOR_BYTES != WIDEST:
        again = f"FASTMLP_VECTOR_BYTES={VECTOR_BYTES} {again}"
    outcome.cases += 1
    for drawn in draw.rows:
        outcome.rows[name][drawn] = outcome.rows[name].get(drawn, 0) + 1
    outcome.mistrusted += all(check.is_empty() for check in case.checks)
    for check in case.checks:
        outcome.checks += 1
        ratio = check.ratio()
        outcome.worst[name] = max(outcome.worst.get(name, 0.0), ratio)
        if not ratio <= 1:
            what = f"the error of {check.name} is {ratio:.3g} x the allowed error"
            outcome.failures.append(f"{name}: {what} ({case.what}); {again}")
