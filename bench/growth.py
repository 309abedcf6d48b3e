#!/usr/bin/env python3
"""Makes the tables that bench/growth trains on, and reports what it measured.

usage: growth.py generate CLINC150.csv rows|intents|length SIZE     rows as csv on standard output
       growth.py report GROWTH.csv [PLOT.svg]                       a table with exponents, and a log-log plot

rows     SIZE rows of 150 intents. A word in seven is another message's, and a word in thirty is new: w0, w1, ... with a
         frequency that falls as 1 / rank, so that the vocabulary grows with the rows as that of a language does.
intents  20 000 rows of SIZE intents; beyond 150, an intent is one of CLINC150's with a word of its own in most messages.
length   5 000 rows of 150 intents, each message SIZE characters long: messages of its intent, joined and cut.
"""

import csv
import math
import random
import statistics
import sys

SWEEPS = {"rows": "rows", "intents": "intents", "length": "characters a message"}
COLOURS = {"classic": "#1f5fa8", "default": "#c2571a", "accurate": "#3a7d44"}


def generate(source, sweep, size):
    rng = random.Random(42)
    with open(source, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    by_intent = {}
    for row in rows:
        by_intent.setdefault(row["intent"], []).append(row["text"].split())
    intents = sorted(by_intent)
    words = [word for row in rows for word in row["text"].split()]
    write = csv.writer(sys.stdout, lineterminator="\n").writerow

    def noisy(message):
        out = []
        for word in message:
            dice = rng.random()
            if dice < 1 / 7:
                word = rng.choice(words)
            elif dice < 1 / 7 + 1 / 30:
                word = "w%d" % int(math.exp(rng.random() * math.log(1e7)))
            out.append(word)
        return out

    n = {"rows": size, "intents": 20000, "length": 5000}[sweep]
    for i in range(n):
        k = i % (size if sweep == "intents" else len(intents))
        name = intents[k % len(intents)]
        message = noisy(rng.choice(by_intent[name]))
        if sweep == "intents" and size > len(intents):
            name = "%s %d" % (name, k // len(intents))
            if rng.random() < 0.8:
                message.insert(rng.randrange(len(message) + 1), "tag%d" % k)
        text = " ".join(message)
        if sweep == "length":
            while len(text) < size:
                text += " " + " ".join(noisy(rng.choice(by_intent[name])))
            text = text[:size]
        write([text, name, "test" if i % 20 == 19 and sweep != "length" else "train"])


def exponent(points):
    """Slope of log(seconds) over log(size), least squares."""
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    mx, my = statistics.fmean(xs), statistics.fmean(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / sum((x - mx) ** 2 for x in xs)


def report(path, plot):
    groups = {}
    with open(path, newline="", encoding="utf-8") as file:
        for sweep, preset, size, seconds, peak, error in csv.reader(file):
            groups.setdefault((sweep, preset), {}).setdefault(int(size), []).append((float(seconds), int(peak), error))
    panels = {}
    for (sweep, preset), sizes in groups.items():
        print("\n%s, preset %s\n" % (SWEEPS[sweep], preset))
        print("| %s | seconds (min-max) | peak MB |\n|---:|---:|---:|" % SWEEPS[sweep])
        points = []
        for size, runs in sorted(sizes.items()):
            error = next((run[2] for run in runs if run[2]), "")
            seconds = [run[0] for run in runs]
            if error:
                print("| %d | %s | |" % (size, error))
                continue
            points.append((size, statistics.median(seconds)))
            print("| %d | %.2f (%.2f-%.2f) | %d |" % (
                size, points[-1][1], min(seconds), max(seconds), max(run[1] for run in runs)))
        if len(points) > 1:
            print("\nseconds grow as %s^%.2f" % (SWEEPS[sweep].split()[0], exponent(points)))
            panels.setdefault(sweep, {})[preset] = points
    if plot:
        draw(panels, plot)


def draw(panels, path):
    width, height, left, top = 260, 220, 46, 34
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">' % (
        (width + left) * len(panels) + 20, height + top + 44)]
    seconds = [y for curves in panels.values() for points in curves.values() for _, y in points]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    for number, (sweep, curves) in enumerate(panels.items()):
        x0 = left + number * (width + left)
        sizes = sorted({x for points in curves.values() for x, _ in points})
        span = math.log(sizes[-1] / sizes[0])

        def x(size):
            return x0 + (width - 40) * math.log(size / sizes[0]) / span

        def y(value):
            return top + height * (high - math.log10(value)) / (high - low)

        out.append('<text x="%d" y="18" fill="#222" font-size="13">seconds by %s</text>' % (x0, SWEEPS[sweep]))
        for power in range(low, high + 1):
            out.append('<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" fill="#444" text-anchor="end">%g</text>' % (
                x0, y(10 ** power), x0 + width - 40, x0 - 6, y(10 ** power) + 4, 10 ** power))
        for size in sizes:
            name = "%dM" % (size // 10 ** 6) if size >= 10 ** 6 else "%dk" % (size // 1000) if size >= 1000 else str(size)
            out.append('<text x="%.1f" y="%d" fill="#444" text-anchor="middle">%s</text>' % (x(size), top + height + 16, name))
        for preset, points in curves.items():
            colour = COLOURS.get(preset, "#666")
            out.append('<path d="M%s" fill="none" stroke="%s" stroke-width="2"/>' % (
                "L".join("%.1f %.1f" % (x(size), y(value)) for size, value in points), colour))
            out.append('<text x="%.1f" y="%.1f" fill="%s">%s ^%.2f</text>' % (
                x(points[-1][0]) - 60, y(points[-1][1]) - 8, colour, preset, exponent(points)))
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "generate" and sys.argv[3] in SWEEPS:
        generate(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    elif len(sys.argv) in (3, 4) and sys.argv[1] == "report":
        report(sys.argv[2], sys.argv[3] if len(sys.argv) == 4 else None)
    else:
        sys.exit(__doc__)
