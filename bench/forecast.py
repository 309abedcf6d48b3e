"""Prepares series for bench/forecast and scores what was forecast.

  forecast.py prepare DATA WORK               writes WORK/DATASET.known.csv and WORK/DATASET.future.csv
  forecast.py score WORK DATASET...           reads WORK/DATASET.METHOD.csv and WORK/times.csv, prints the table

MASE: mean absolute error over that of the seasonal naive forecast within the known part, each series' mean over its horizon,
averaged over series. sMAPE: 200 |error| / (|truth| + |forecast|), averaged in the same way. Coverage: share of all values.
"""

import collections
import csv
import statistics
import sys

HORIZON_OF_FREQUENCY = {12: 18, 4: 8, 1: 6}
MONTHS_OF_STEP = {12: 1, 4: 3, 1: 12}


def calendar(frequency, n):
    """Times for series whose file has none: from January 1900 on."""
    months = [i * MONTHS_OF_STEP[frequency] for i in range(n)]
    return [f"{1900 + m // 12:04d}-{m % 12 + 1:02d}-01" for m in months]


def prepare(data, work):
    def write(name, rows):
        with open(f"{work}/{name}.csv", "w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["series", "frequency", "horizon", "ds", "y"])
            out.writerows(rows)

    known, future = [], []
    with open(f"{data}/ts_tourism_monthly.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            part = known if row["split"] == "train" else future
            part.append([row["series_id"], 12, 24, row["ds"], row["value"]])
    write("tourism.known", known)
    write("tourism.future", future)

    series = collections.OrderedDict()
    with open(f"{data}/ts_classic.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            series.setdefault((row["series_id"], int(row["frequency"])), []).append((row["ds"], row["value"]))
    known, future = [], []
    for (name, frequency), values in series.items():
        horizon = HORIZON_OF_FREQUENCY[frequency]
        times = [ds for ds, _ in values] if values[0][0] else calendar(frequency, len(values))
        rows = [[name, frequency, horizon, ds, y] for ds, (_, y) in zip(times, values)]
        known += rows[:-horizon]
        future += rows[-horizon:]
    write("classic.known", known)
    write("classic.future", future)


def read_series(path):
    series, frequency = collections.OrderedDict(), {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            series.setdefault(row["series"], []).append(float(row["y"]))
            frequency[row["series"]] = int(row["frequency"])
    return series, frequency


def score_file(path, known, frequency, future, only=None):
    forecasts = collections.OrderedDict()
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if only is None or row["series"] in only:
                forecasts.setdefault(row["series"], []).append(row)
    mase = smape = inside80 = inside95 = values = 0
    for name, rows in forecasts.items():
        past, m, truths = known[name], frequency[name], future[name]
        if len(rows) != len(truths):
            sys.exit(f"{path}: {len(rows)} forecasts of {name} where {len(truths)} were wanted")
        scale = statistics.fmean(abs(b - a) for a, b in zip(past, past[m:]))
        errors = [abs(float(r["yhat"]) - y) for r, y in zip(rows, truths)]
        sizes = [abs(float(r["yhat"])) + abs(y) for r, y in zip(rows, truths)]
        mase += statistics.fmean(errors) / scale / len(forecasts)
        smape += statistics.fmean(200 * e / s if s else 0 for e, s in zip(errors, sizes)) / len(forecasts)
        for r, y in zip(rows, truths):
            values += 1
            inside80 += float(r["lower80"]) <= y <= float(r["upper80"])
            inside95 += float(r["lower95"]) <= y <= float(r["upper95"])
    return forecasts.keys(), mase, smape, 100 * inside80 / values, 100 * inside95 / values


def score(work, datasets):
    times = collections.defaultdict(list)
    with open(f"{work}/times.csv", newline="", encoding="utf-8") as file:
        for dataset, method, count, elapsed, cpu in csv.reader(file):
            times[dataset, method].append((int(count), float(elapsed), float(cpu)))
    print("| series | method | MASE | sMAPE % | in 80 % | in 95 % | seconds | of one core | series a second |")
    print("|---|---|---|---|---|---|---|---|---|")
    for dataset in datasets:
        known, frequency = read_series(f"{work}/{dataset}.known.csv")
        future, _ = read_series(f"{work}/{dataset}.future.csv")
        methods = [m for d, m in times if d == dataset]
        subsets = {}
        for method in methods:
            runs = times[dataset, method]
            names, *scores = score_file(f"{work}/{dataset}.{method}.csv", known, frequency, future)
            if len(names) < len(known):
                subsets[method] = names
            elapsed, cpu = (statistics.median(r[i] for r in runs) for i in (1, 2))
            line(f"{dataset}, {len(names)}", method, scores, elapsed, cpu, runs[0][0] / cpu)
        for method, names in subsets.items():
            _, *scores = score_file(f"{work}/{dataset}.pg_retrain.csv", known, frequency, future, names)
            line(f"{dataset}, the {len(names)} of {method}", "pg_retrain", scores)


def line(series, method, scores, elapsed=None, cpu=None, rate=None):
    mase, smape, in80, in95 = scores
    cells = [series, method, f"{mase:.3f}", f"{smape:.2f}", f"{in80:.1f}", f"{in95:.1f}"]
    cells += ["", "", ""] if cpu is None else [f"{elapsed:.2f}", f"{cpu:.2f}", f"{rate:.1f}"]
    print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "prepare":
        prepare(sys.argv[2], sys.argv[3])
    elif len(sys.argv) >= 4 and sys.argv[1] == "score":
        score(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(__doc__)
