"""Trains and asks table models here and in Python, in turns. Run by bench/tabular, which prepares the server."""
import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import time

import numpy as np
import sklearn
import xgboost
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

DATASETS = {
    "telco": ("tab_telco_churn.csv", "churn", ["customer_id"]),
    "ames": ("tab_ames_housing.csv", "sale_price", []),
    "delivery": ("tab_delivery_time.csv", "time_to_delivery", []),
    "taxi": ("tab_taxi_fare.csv", "fare_amount", []),
}
TUNED = {"n_estimators": 300, "max_depth": 4, "learning_rate": 0.05}


def number(text):
    text = text.strip()
    if not text:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        return None


class Data:
    """A dataset as columns of numbers or texts, and as the array that Python's models take."""

    def __init__(self, name, folder):
        file, self.target, left_out = DATASETS[name]
        self.name = name
        with open(os.path.join(folder, file), newline="") as lines:
            rows = list(csv.DictReader(lines))
        self.train = np.array([r["split"] == "train" for r in rows])
        self.columns = [c for c in rows[0] if c not in (self.target, "split", *left_out)]
        self.classes = rows[0][self.target] in ("Yes", "No")
        self.y = np.array([float(r[self.target] == "Yes") if self.classes else float(r[self.target]) for r in rows])
        self.values = {}
        for column in self.columns:
            texts = [r[column] for r in rows]
            numbers = [number(t) for t in texts]
            self.values[column] = texts if None in numbers else np.array(numbers)
        self.load(rows)

    def load(self, rows):
        kinds = ", ".join(
            f"{c} {'text' if isinstance(self.values[c], list) else 'float8'}" for c in self.columns)
        target = "text" if self.classes else "float8"
        sql(f"create table {self.name} (row_no int, {kinds}, {self.target} {target}, split text)")
        out = []
        for i, r in enumerate(rows):
            cells = [str(i)]
            for c in self.columns:
                v = self.values[c]
                cells.append(r[c] if isinstance(v, list) else "" if np.isnan(v[i]) else repr(float(v[i])))
            out.append([*cells, r[self.target], r["split"]])
        with subprocess.Popen(["psql", "-Xq", "-c", f"\\copy {self.name} from pstdin csv"], stdin=subprocess.PIPE,
                              text=True, encoding="utf-8") as psql:
            csv.writer(psql.stdin).writerows(out)
        sql(f"analyze {self.name}")

    def source(self, columns=None, where=""):
        columns = columns or [*self.columns, self.target]
        return f"select {', '.join(columns)}, split from {self.name} {where}"

    def array(self, standardised=False):
        """Numbers as they are (or standardised, the mean for a missing one and a column that says so), then a column for each text."""
        parts, texts = [], []
        for column in self.columns:
            v = self.values[column]
            if isinstance(v, list):
                known = sorted({t for t, is_train in zip(v, self.train) if is_train})
                if len(known) > 1:
                    texts += [np.array([t == k for t in v], float) for k in known]
                continue
            missing = np.isnan(v)
            if standardised:
                mean = np.nanmean(v[self.train])
                filled = np.where(missing, mean, v)
                if filled[self.train].std() > 0:
                    parts.append((filled - mean) / filled[self.train].std())
                if missing[self.train].any():
                    parts.append(missing.astype(float))
            else:
                parts.append(v)
        return np.array(parts + texts).T.copy()


def sql(statement):
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], input=statement, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.strip()


def literal(value):
    return "'" + str(value).replace("'", "''") + "'"


def train_here(model, task, source, target, algorithm, config, threads):
    """Milliseconds of train_model() in the server, and the run's metrics. The session has loaded the libraries before."""
    call = (f"train_model({literal(model)}, '{task}', {literal(source)}, {literal(target) if target else 'null'}, "
            f"'{algorithm}', {literal(json.dumps(config))}, 'always')")
    small = "select n, n % 2 as m, n % 3 as y, case when n < 30 then 'train' else 'test' end as split from generate_series(1, 60) n"
    warm = f"train_model('warm {task} {algorithm}', '{task}', {literal(small)}, {literal('y') if target else 'null'}, '{algorithm}', "
    warm += "'{\"k\": 2}'" if algorithm == "kmeans" else "'{}'"
    out = sql(f"set pg_retrain.max_threads = {threads};\nselect from {warm});\n"
              f"select clock_timestamp() as t0 \\gset\n"
              f"select metrics from {call};\n"
              f"select extract(epoch from clock_timestamp() - :'t0'::timestamptz) * 1000;\n").split("\n")
    return float(out[-1]), json.loads(out[-2])


def timed(work):
    start = time.perf_counter()
    result = work()
    return (time.perf_counter() - start) * 1000, result


def score(data, predicted):
    truth = data.y[~data.train]
    return roc_auc_score(truth, predicted) if data.classes else float(np.sqrt(np.mean((predicted - truth) ** 2)))


def fits(data, threads):
    """name, algorithm, our configuration, Python's model, whether on standardised columns"""
    xgb = xgboost.XGBClassifier if data.classes else xgboost.XGBRegressor
    forest = RandomForestClassifier if data.classes else RandomForestRegressor
    yield "xgboost, defaults", "xgboost", {}, lambda: xgb(tree_method="hist", n_jobs=threads), False
    if data.name == "ames":
        yield "xgboost, one_hot", "xgboost", {"encoding": "one_hot"}, lambda: xgb(tree_method="hist", n_jobs=threads), False
    yield "xgboost, tuned", "xgboost", TUNED, lambda: xgb(tree_method="hist", n_jobs=threads, **TUNED), False
    yield "random_forest", "random_forest", {}, lambda: forest(n_jobs=threads, random_state=0), False
    if data.classes:
        yield "logistic_regression", "logistic_regression", {}, lambda: LogisticRegression(max_iter=1000), True
    else:
        yield "ridge", "ridge", {}, lambda: Ridge(alpha=1), True


def compare_fits(datasets, runs, threads):
    print(f"### Fit and accuracy, {threads} thread{'s' if threads > 1 else ''}, median of {runs} paired runs\n")
    print("| data | model | measure | here | Python | train_model() ms | Python's fit() ms | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for data in datasets:
        for name, algorithm, config, peer, standardised in fits(data, threads):
            x = data.array(standardised)
            if algorithm == "random_forest":
                x = np.nan_to_num(x, nan=-1)
            task = "classification" if data.classes else "regression"
            here, there, ratios = [], [], []
            for _ in range(runs):
                ours, metrics = train_here(f"{data.name} {name}", task, data.source(), data.target, algorithm, config, threads)
                theirs, model = timed(lambda: peer().fit(x[data.train], data.y[data.train]))
                here.append(ours)
                there.append(theirs)
                ratios.append(ours / theirs)
            rest = x[~data.train]
            predicted = model.predict_proba(rest)[:, 1] if data.classes else model.predict(rest)
            measure = "AUC" if data.classes else "RMSE"
            value = metrics["test"]["auc" if data.classes else "rmse"]
            print(f"| {data.name} | {name} | {measure} | {value:.6g} | {score(data, predicted):.6g} | "
                  f"{statistics.median(here):.0f} | {statistics.median(there):.0f} | {statistics.median(ratios):.2f} |", flush=True)
    print()


def compare_scoring(datasets, runs):
    print(f"### Rows a second on one core, through SQL, median of {runs} runs\n")
    print("| data | model | rows | rows a second |")
    print("|---|---|---|---|")
    for data in datasets:
        for name, algorithm, config, *_ in fits(data, 1):
            model = f"{data.name} {name}"
            if not sql(f"select 1 from ai_model_versions where model_name = {literal(model)} limit 1"):
                train_here(model, "classification" if data.classes else "regression", data.source(), data.target, algorithm, config, 1)
            repeat = max(1, 50000 // len(data.y))
            call = f"(predict_class({literal(model)}, t)).probability" if data.classes else f"predict_value({literal(model)}, t)"
            rates = []
            for _ in range(runs):
                ms = sql("set max_parallel_workers_per_gather = 0; set jit = off;\n"
                         f"select from (select * from {data.name} limit 1) t where {call} is null;\n"
                         "select clock_timestamp() as t0 \\gset\n"
                         f"select sum({call}) as ignored from {data.name} t, generate_series(1, {repeat}) \\gset\n"
                         "select extract(epoch from clock_timestamp() - :'t0'::timestamptz) * 1000;").split("\n")[-1]
                rates.append(repeat * len(data.y) / float(ms) * 1000)
            print(f"| {data.name} | {name} | {repeat * len(data.y)} | {statistics.median(rates):.0f} |", flush=True)
    print()


def compare_parity(datasets, threads):
    print("### The same numbers as scikit-learn\n")
    print("| data | model | what | difference |")
    print("|---|---|---|---|")
    for data in datasets:
        x = data.array(standardised=True)
        if not data.classes:
            model = f"parity {data.name}"
            train_here(model, "regression", data.source(), data.target, "ridge", {}, threads)
            here = np.array([float(v) for v in sql(
                f"select predict_value({literal(model)}, t) from {data.name} t order by row_no").split("\n")])
            peer = Ridge(alpha=1, solver="cholesky").fit(x[data.train], data.y[data.train])
            there = peer.predict(x)
            worst = np.max(np.abs(here - there) / np.maximum(np.abs(there), np.std(data.y)))
            print(f"| {data.name} | ridge | largest relative difference of {len(here)} predictions | {worst:.1e} |", flush=True)
        numbers = [c for c in data.columns if not isinstance(data.values[c], list) and not np.isnan(data.values[c]).any()
                   and np.std(data.values[c][data.train]) > 0]
        z = np.array([data.values[c] for c in numbers]).T
        z = (z - z[data.train].mean(axis=0)) / z[data.train].std(axis=0)
        for k in (4, 8):
            ms, metrics = train_here(f"clusters {data.name} {k}", "clustering", data.source(numbers), None, "kmeans", {"k": k}, threads)
            peer_ms, peer = timed(lambda: KMeans(k, n_init=10, random_state=0).fit(z[data.train]))
            print(f"| {data.name} | kmeans, k = {k}, {len(numbers)} columns | inertia, {ms:.0f} ms here, {peer_ms:.0f} ms there | "
                  f"{100 * (metrics['inertia'] / peer.inertia_ - 1):+.3f} % |", flush=True)
    print()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", required=True)
    parser.add_argument("--only", default="all")
    options = parser.parse_args()
    datasets = [Data(name, options.data) for name in DATASETS]
    print(f"{sql('select version()').split(' on ')[0]}, scikit-learn {sklearn.__version__}, xgboost {xgboost.__version__}, "
          f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, "
          f"{time.strftime('%Y-%m-%d')}\n")
    if options.only in ("all", "fit"):
        compare_fits(datasets, options.runs, options.threads)
    if options.only in ("all", "scoring"):
        compare_scoring(datasets, options.runs)
    if options.only in ("all", "parity"):
        compare_parity(datasets, options.threads)


main()
