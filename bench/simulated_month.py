#!/usr/bin/env python3
"""Tells and draws what bench/simulated_month measured.

usage: simulated_month.py MONTH.csv [--plot FILE.svg]

Each number is the median over the seeds. Fails when the CSV has random and margin review and margin needs more than 60 %
of the reviews for the accuracy that random ends with.
"""

import argparse
import csv
import statistics
import sys

COLOURS = {"none": "#8a8a8a", "random": "#c2571a", "margin": "#1f5fa8"}
OTHER_COLOURS = ["#2f7d4f", "#7b4fa0", "#a8871f", "#b03060"]
MOST_NEEDED = 0.60


class Arm:
    """One way to review: the medians of its evenings."""

    def __init__(self, name, rows):
        self.name = name
        self.strategy, reviews, *rest = name.split(":")
        self.reviews, self.late = int(reviews), rest == ["late"]
        self.by_seed = {}
        for row in rows:
            self.by_seed.setdefault(row["seed"], []).append(row)
        self.accuracy = self.median("accuracy")
        self.macro_f1 = self.median("macro_f1")
        self.recorded = self.median("recorded")
        self.reviewed = self.median("reviewed")
        self.wrong_found = self.median("wrong_found")
        self.wrong_left = self.median("wrong_left")
        verdicts = [[row["verdict"] for row in days] for days in self.by_seed.values()]
        self.trainings = statistics.median(sum(v != "" for v in days) for days in verdicts)
        self.rejected = statistics.median(sum(v == "rejected" for v in days) for days in verdicts)

    def median(self, column):
        days = zip(*self.by_seed.values())
        return [statistics.median(float(row[column]) for row in same_day) for same_day in days]

    def label(self):
        if self.strategy == "none":
            return "no review"
        return "%s, %d a day%s" % (self.strategy, self.reviews, " after the training" if self.late else "")


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = list(dict.fromkeys(row["arm"] for row in rows))
    return [Arm(name, [row for row in rows if row["arm"] == name]) for name in names]


def table(arms):
    print("| review | reviews | wrong intents found | wrong intents left | accuracy | macro F1 | trainings, rejected |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for arm in arms:
        print("| %s | %d | %d | %d | %.1f %% | %.1f %% | %d, %d |" % (
            arm.label(), arm.reviewed[-1], arm.wrong_found[-1], arm.wrong_left[-1], 100 * arm.accuracy[-1],
            100 * arm.macro_f1[-1], arm.trainings, arm.rejected))
    seeds = len(arms[0].by_seed)
    print("\nAfter %d days; accuracy of the live version on messages that nothing else sees; %s." % (
        len(arms[0].accuracy), "one seed" if seeds == 1 else "medians of %d seeds" % seeds))


def needed(arms):
    """Prints how many reviews margin needs for what random has at its end, and gives the shares."""
    plain = [arm for arm in arms if not arm.late]
    randoms = [arm for arm in plain if arm.strategy == "random"]
    if not randoms:
        return []
    random = max(randoms, key=lambda arm: arm.reviews)
    goal, budget = random.accuracy[-1], random.reviewed[-1]
    print("\nRandom review ends at %.1f %% after %d reviews." % (100 * goal, budget))
    shares = []
    for arm in plain:
        if arm.strategy != "margin":
            continue
        if arm.reviews < random.reviews:
            reached = arm.accuracy[-1] >= goal
            print("Margin review, %d a day over the same month, %s that: %.1f %% after %d reviews (%.0f %%)." % (
                arm.reviews, "reaches" if reached else "does not reach", 100 * arm.accuracy[-1], arm.reviewed[-1],
                100 * arm.reviewed[-1] / budget))
            if reached:
                shares.append(arm.reviewed[-1] / budget)
        else:
            # Harder: a day on which fewer messages have come than random had in the end.
            day = next((d for d, accuracy in enumerate(arm.accuracy) if accuracy >= goal), None)
            if day is None:
                print("Margin review, %d a day, does not reach that." % arm.reviews)
                shares.append(float("inf"))
                continue
            shares.append(arm.reviewed[day] / budget)
            print("Margin review, %d a day, has that on day %d, after %d reviews (%.0f %%) and %d of the %d messages." % (
                arm.reviews, day + 1, arm.reviewed[day], 100 * shares[-1], arm.recorded[day], arm.recorded[-1]))
    return shares


def draw(arms, path):
    """The accuracy of each evening, one line for each arm."""
    width, height, left, right, top, bottom = 760, 420, 56, 170, 44, 48
    days = len(arms[0].accuracy)
    low = 0.05 * int(min(min(arm.accuracy[4:]) for arm in arms) / 0.05)
    high = 0.05 * (int(max(max(arm.accuracy) for arm in arms) / 0.05) + 1)

    def x(day):
        return left + (width - left - right) * (day - 1) / (days - 1)

    def y(accuracy):
        return top + (height - top - bottom) * (high - accuracy) / (high - low)

    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (
            width, height),
        '<title>Accuracy of the live version in a simulated month</title>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="%d" y="22" font-size="14" fill="#222222">Accuracy of the live version, evening by evening</text>' % left,
        '<clipPath id="area"><rect x="%d" y="%d" width="%d" height="%d"/></clipPath>' % (
            left, top, width - left - right, height - top - bottom)]
    for step in range(round(low * 100), round(high * 100) + 1, 5):
        out.append('<path d="M%d %.1fH%d" stroke="#dddddd"/>' % (left, y(step / 100), width - right))
        out.append('<text x="%d" y="%.1f" text-anchor="end" fill="#444444">%d %%</text>' % (
            left - 6, y(step / 100) + 4, step))
    for day in (1, *range(5, days + 1, 5)):
        out.append('<text x="%.1f" y="%d" text-anchor="middle" fill="#444444">%d</text>' % (
            x(day), height - bottom + 18, day))
    out.append('<text x="%.1f" y="%d" text-anchor="middle" fill="#444444">day</text>' % (
        (left + width - right) / 2, height - 10))

    months = [evenings for arm in arms for evenings in arm.by_seed.values()]
    for day in range(1, days + 1):
        if not all(evenings[day - 1]["verdict"] == "rejected" for evenings in months):
            continue
        out.append('<path d="M%.1f %dV%d" stroke="#999999" stroke-dasharray="3 3"/>' % (x(day), top, height - bottom))
        out.append('<text x="%.1f" y="%d" text-anchor="middle" fill="#666666">poisoned import: rejected</text>' % (
            x(day), height - bottom - 8))

    # Where random review ends, and since when margin review has been there.
    randoms = [arm for arm in arms if arm.strategy == "random" and not arm.late]
    margins = [arm for arm in arms if arm.strategy == "margin" and not arm.late]
    if randoms and margins:
        goal = max(randoms, key=lambda arm: arm.reviews).accuracy[-1]
        best = max(margins, key=lambda arm: arm.reviews).accuracy
        since = next((day for day, accuracy in enumerate(best, 1) if accuracy >= goal), None)
        if since is not None:
            out.append('<path d="M%.1f %.1fH%.1f" stroke="%s" stroke-dasharray="2 3"/>' % (
                x(since), y(goal), x(days), COLOURS["random"]))
            out.append('<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>' % (x(since), y(best[since - 1]), COLOURS["margin"]))

    others = iter(OTHER_COLOURS * len(arms))
    label_ys = []
    for arm in sorted(arms, key=lambda arm: -arm.accuracy[-1]):
        colour = COLOURS.get(arm.strategy) or next(others)
        thin = any(a.strategy == arm.strategy and a.reviews > arm.reviews for a in arms)
        points = " ".join("%.1f,%.1f" % (x(day + 1), y(a)) for day, a in enumerate(arm.accuracy))
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"%s clip-path="url(#area)"/>' % (
            points, colour, ' stroke-dasharray="6 3"' if thin or arm.late else ""))
        label_y = y(arm.accuracy[-1]) + 4
        if label_ys and label_y < label_ys[-1] + 15:
            label_y = label_ys[-1] + 15
        label_ys.append(label_y)
        out.append('<text x="%.1f" y="%.1f" fill="%s">%s</text>' % (x(days) + 8, label_y, colour, arm.label()))
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("csv")
    parser.add_argument("--plot")
    options = parser.parse_args()
    arms = read(options.csv)
    table(arms)
    shares = needed(arms)
    if options.plot:
        draw(arms, options.plot)
    if shares and max(shares) > MOST_NEEDED:
        sys.exit("margin review did not reach random review with %.0f %% of the reviews" % (100 * MOST_NEEDED))


if __name__ == "__main__":
    main()
