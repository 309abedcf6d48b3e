"""Claims that are checked: each one is printed, and those that fail are counted."""


class Checks:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def true(self, claim: str, holds: bool, seen: object = None) -> None:
        if holds:
            self.passed += 1
            print(f"  ok       {claim}")
        else:
            self.failed += 1
            print(f"  MISMATCH {claim}" + ("" if seen is None else f": {seen}"))

    def equal(self, claim: str, found: object, expected: object) -> None:
        self.true(f"{claim}: {expected}", found == expected, f"found {found}")

    def summary(self) -> str:
        return f"{self.passed} checks passed, {self.failed} failed"
