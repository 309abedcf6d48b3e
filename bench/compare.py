#!/usr/bin/env python3
"""Runs pg_retrain and its peers in turn and prints one table per question. Called by bench/run."""

import argparse
import csv
import io
import json
import os
import shutil
import statistics
import subprocess
import sys

from peer import calibration_error_by_chance, expected_calibration_error

HERE = os.path.dirname(os.path.abspath(__file__))

# name -> (what the table says, the row of ours that it is compared with)
CONTESTANTS = {
    "classic": ("pg_retrain, preset classic", "classic"),
    "sklearn-classic": ("scikit-learn, classic recipe", "classic"),
    "sklearn-classic-2": ("scikit-learn, classic, n_jobs=2", "classic"),
    "liblinear": ("liblinear train, classic features", "classic"),
    "logistic": ("pg_retrain, classic, logistic", "logistic"),
    "sklearn-logistic": ("scikit-learn, classic, logistic", "logistic"),
    "default": ("pg_retrain, preset default", "default"),
    "accurate": ("pg_retrain, preset accurate", "default"),
    "sklearn-union": ("scikit-learn, union recipe", "default"),
    "fasttext": ("fastText, 2 threads", "default"),
}
OURS = {
    "classic": {"preset": "classic"},
    "logistic": {"preset": "classic", "classifier": "logistic_regression"},
    "default": {"preset": "default"},
    "accurate": {"preset": "accurate"},
}
TITLES = {
    "clinc150": "CLINC150 without out-of-scope",
    "banking77": "BANKING77",
    "assistant_skills": "Assistant skills (Spanish)",
    "helpdesk_glpi": "Helpdesk (Spanish)",
    "mtod": "MTOD (Spanish)",
    "nlpjs_support": "Support, five examples an intent (Spanish)",
}
# question, what a run's result calls it, how it is shown, and whether more is better (None: no ratio).
QUESTIONS = [
    ("Fit, seconds", "fit_seconds", "{:.2f}", False),
    ("One message, milliseconds", "one_message_ms", "{:.3f}", False),
    ("The intents of all test messages at once, messages a second", "labels_per_second", "{:,.0f}", True),
    ("The same with probabilities, messages a second", "messages_per_second", "{:,.0f}", True),
    ("Peak memory of the fitting process, MB", "peak_mb", "{:.0f}", None),
    ("Memory that the fit added, MB", "growth_mb", "{:.0f}", None),
    ("Stored model, MB", "artifact_mb", "{:.2f}", None),
    ("Accuracy, %", "accuracy", "{:.2f}", None),
    ("Expected calibration error", "ece", "{:.3f}", None),
    ("Expected calibration error by chance", "ece_by_chance", "{:.3f}", None),
]
NOTES = """\
Median of the runs, in parentheses minimum and maximum where they differ. The contestants take turns, every other run backwards.
"x": of the nearest contestant of pg_retrain above it in the same run, how many times as long it takes, or how many times as
many messages that one reads; median over the runs.
Fit: pg_retrain: one train_intent_model() call in a new connection, which also reads the rows, scores the test rows and stores
the model; calibration is part of the fit here and in scikit-learn. scikit-learn: features and 5-fold CalibratedClassifierCV of
LinearSVC, or of LogisticRegression with up to 1000 iterations, a process each. fastText: its whole training process, at -lr 0.5
(its default of 0.1 learns too little here). liblinear: only its train program on features made beforehand; no text processing,
one fit, no class weights, no calibration.
One message: median of single calls (predict_proba; predict_intent from PL/pgSQL; fastText: a line to a running process).
All at once: one process. Intents alone: classify_intent; predict; fastText's predict; liblinear from ready features. With
probabilities: predict_intent with the first five intents; predict_proba; fastText's predict-prob with the first.
Memory: peak is the highest resident memory (pg_retrain: the backend, shared buffers it touched included).
Calibration error: of the first answer, 15 bins, lower is better; by chance: what it would be on average on so many rows, were
every answer right with just the probability that it states.
-: not available, the program has no such thing."""

# Standard input of psql; prints one JSON object.
TRAIN_SQL = r"""
select substring(pg_read_file('/proc/self/status') from 'VmRSS:\s+(\d+)')::float8 / 1024 as resident \gset
select clock_timestamp() as start \gset
select status, coalesce(error_message, '') as error, model_version_id as version
  from train_intent_model(:'model', p_config => :'config', p_source => :'source', p_promote => 'always') \gset
select json_build_object(
    'status', :'status', 'error', :'error',
    'fit_seconds', extract(epoch from clock_timestamp() - :'start'),
    'peak_mb', peak, 'growth_mb', peak - :resident,
    'artifact_mb', (select artifact_bytes / 1e6 from ai_model_versions where id = nullif(:'version', '')::bigint))
  from (select substring(pg_read_file('/proc/self/status') from 'VmHWM:\s+(\d+)')::float8 / 1024 as peak) as memory;
"""

SCORE_SQL = r"""
copy (select t.intent, p.predicted_intent, p.confidence
        from {dataset} as t, predict_intent(t.text, '{model}') as p where t.split = 'test') to stdout csv;
"""

# One number a line: milliseconds of a single call, messages per second of the whole test split with probabilities, and without.
SPEED_SQL = r"""
set client_min_messages = warning;
create function pg_temp.single_calls(p_model text) returns setof float8 language plpgsql as $$
declare
  message text;
  start timestamptz;
begin
  for message in select text from {dataset} where split = 'test' limit 1000 loop
    start := clock_timestamp();
    perform predict_intent(message, p_model);
    return next 1000 * extract(epoch from clock_timestamp() - start);
  end loop;
end $$;
select percentile_cont(0.5) within group (order by ms) from pg_temp.single_calls('{model}') as ms;
set max_parallel_workers_per_gather = 0;
create temporary table messages as select text from {dataset}, generate_series(1, 10) where split = 'test';
select count((predict_intent(text, '{model}')).confidence) as n from {dataset} where split = 'test' \gset
select clock_timestamp() as start \gset
select count((predict_intent(text, '{model}')).confidence) as n from messages \gset
select :n / extract(epoch from clock_timestamp() - :'start');
select clock_timestamp() as start \gset
select count(classify_intent(text, '{model}')) as n from messages \gset
select count(*) / extract(epoch from clock_timestamp() - :'start') from messages;
"""


class Failed(Exception):
    pass


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", **options)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["exit status %d" % done.returncode]
        raise Failed(next((line for line in lines if "ERROR" in line), lines[-1]))
    return done.stdout


def psql(args, script, **variables):
    command = [args.psql, "psql", args.cluster, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
    for name, value in variables.items():
        command += ["-v", "%s=%s" % (name, value)]
    return run(command + ["-f", "-"], input=script)


def measure_ours(args, name, dataset, number):
    model = "%s_%s_%d" % (dataset, name, number)
    source = "select text, intent, split from %s" % dataset
    result = json.loads(psql(args, TRAIN_SQL, model=model, config=json.dumps(OURS[name]), source=source))
    if result["status"] != "completed":
        raise Failed("training %s: %s" % (result["status"], result["error"]))
    rows = list(csv.reader(io.StringIO(psql(args, SCORE_SQL.format(dataset=dataset, model=model)))))
    correct = [truth == predicted for truth, predicted, _ in rows]
    result["accuracy"] = 100 * sum(correct) / len(correct)
    confidence = [float(row[2]) for row in rows]
    result["ece"] = expected_calibration_error(confidence, correct)
    result["ece_by_chance"] = calibration_error_by_chance(confidence)
    speeds = map(float, psql(args, SPEED_SQL.format(dataset=dataset, model=model)).split())
    result.update(zip(("one_message_ms", "messages_per_second", "labels_per_second"), speeds))
    return result


def measure(args, name, dataset, number):
    if name in OURS:
        return measure_ours(args, name, dataset, number)
    return json.loads(run([sys.executable, os.path.join(HERE, "peer.py"), name, os.path.join(args.work, dataset)]))


def missing(args, name):
    """Why a contestant cannot take part, or None."""
    if name in OURS:
        return None if args.psql else "pg_retrain is not installed here"
    if name == "fasttext":
        return None if shutil.which("fasttext") else "not installed (package fasttext)"
    try:
        import sklearn  # noqa: F401
    except ImportError:
        return "not installed (package python3-sklearn)"
    if name == "liblinear" and not shutil.which("liblinear-train"):
        return "not installed (package liblinear-tools)"
    return None


def compare(args, dataset):
    """name -> list of results, one for each run; or the reason why there are none."""
    results = {name: missing(args, name) or [] for name in CONTESTANTS if name in args.peers}
    if results.get("liblinear") == []:
        run([sys.executable, os.path.join(HERE, "peer.py"), "liblinear-features", os.path.join(args.work, dataset)])
    for number in range(args.runs):
        # Every other run backwards, so that a drift of the machine favours nobody.
        for name in list(results) if number % 2 == 0 else reversed(list(results)):
            if isinstance(results[name], str):
                continue
            sys.stderr.write("%s, run %d of %d: %s\n" % (dataset, number + 1, args.runs, CONTESTANTS[name][0]))
            try:
                results[name].append(measure(args, name, dataset, number))
            except Failed as error:
                results[name] = str(error)
    return results


def spread(values, form):
    middle, low, high = (form.format(f(values)) for f in (statistics.median, min, max))
    return middle if low == high else "%s (%s-%s)" % (middle, low, high)


def cell(results, name, key, form, more_is_better):
    runs = results[name]
    values = [one.get(key) for one in runs]
    if None in values:
        return "-"
    text = spread(values, form)
    ours = results.get(CONTESTANTS[name][1])
    if more_is_better is None or not isinstance(ours, list) or ours is runs:
        return text
    ratios = [value / its[key] for value, its in zip(values, ours)]
    return "%s, %.1fx" % (text, statistics.median(1 / ratio if more_is_better else ratio for ratio in ratios))


def print_question(question, results):
    """A Markdown table, aligned for reading as text: a contestant a row, a dataset a column. results: dataset -> compare()."""
    title, key, form, more_is_better = question
    rows, remarks = [["contestant"] + [TITLES[dataset] for dataset in results]], []
    for name in next(iter(results.values())):
        row = [CONTESTANTS[name][0]]
        for of_dataset in results.values():
            if isinstance(of_dataset[name], str):
                if of_dataset[name] not in remarks:
                    remarks.append(of_dataset[name])
                row.append("[%d]" % (1 + remarks.index(of_dataset[name])))
            else:
                row.append(cell(of_dataset, name, key, form, more_is_better))
        if set(row[1:]) != {"-"}:
            rows.append(row)
    print("\n### %s\n" % title)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])] + [text.rjust(width) for text, width in zip(row[1:], widths[1:])]
        print("| " + " | ".join(cells) + " |")
        if number == 0:
            print("|" + "|".join("-" * (w + 1) + (":" if i else "-") for i, w in enumerate(widths)) + "|")
    if remarks:
        print("\n" + "  \n".join("[%d] %s" % (i + 1, remark) for i, remark in enumerate(remarks)))


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--datasets", required=True)
    parser.add_argument("--peers", default=",".join(CONTESTANTS))
    parser.add_argument("--psql", help="scripts/cluster; without it pg_retrain is left out")
    parser.add_argument("--cluster")
    args = parser.parse_args()
    args.peers = args.peers.split(",")
    unknown = [name for name in args.peers if name not in CONTESTANTS]
    if unknown:
        parser.error("unknown contestant '%s'; known: %s" % (unknown[0], ", ".join(CONTESTANTS)))
    results = {}
    for dataset in args.datasets.split(","):
        results[dataset] = compare(args, dataset)
        with open(os.path.join(args.work, dataset + ".csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        counts = tuple(sum(row["split"] == split for row in rows) for split in ("train", "test"))
        intents = len({row["intent"] for row in rows})
        print("%s: %d training and %d test messages, %d intents  " % ((TITLES[dataset],) + counts + (intents,)))
    print("%d runs on %d cores of %s" % (args.runs, len(os.sched_getaffinity(0)), processor()))
    for question in QUESTIONS:
        print_question(question, results)
    print("\n" + NOTES)


if __name__ == "__main__":
    main()
