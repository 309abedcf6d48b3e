#!/usr/bin/env python3
"""Deals the messages of a small data set into training and test anew, many times, and compares what comes of it.

usage: resampled.py --work FOLDER --datasets A,B --splits N --psql scripts/cluster --cluster DIR

One test set of some hundred messages says little: two answers of 85 are 2.4 points. Every intent gives about the same share of
its messages to the test as in the data set's own split, but keeps five for scikit-learn's five folds. All contestants see
the same splits.
"""

import argparse
import csv
import io
import os
import random
import statistics
import warnings

from compare import SCORE_SQL, TITLES, psql
from peer import (
    calibration_error_by_chance,
    classic_features,
    expected_calibration_error,
    linear_svc,
    sklearn_recipe,
    union_features,
)

OURS = {"classic": "pg_retrain, preset classic", "default": "pg_retrain, preset default"}
THEIRS = {
    "classic": ("scikit-learn, classic recipe", classic_features),
    "default": ("scikit-learn, union recipe", union_features),
}
MIN_TRAINING = 5
TRAIN_SQL = r"""
truncate resampled;
\copy resampled from '{file}' csv
select status from train_intent_model('resampled', p_config => '{{"preset": "{preset}"}}', p_promote => 'always',
  p_source => 'select text, intent, split from resampled');
"""


def deal(rows, seed):
    """The rows with new splits; intents with fewer than MIN_TRAINING messages are left out."""
    rng = random.Random(seed)
    share = sum(row["split"] == "test" for row in rows) / len(rows)
    by_intent = {}
    for row in rows:
        by_intent.setdefault(row["intent"], []).append(row["text"])
    dealt = []
    for intent, texts in sorted(by_intent.items()):
        if len(texts) < MIN_TRAINING:
            continue
        rng.shuffle(texts)
        n_test = max(0, min(round(len(texts) * share), len(texts) - MIN_TRAINING))
        dealt += [(text, intent, "test" if i < n_test else "train") for i, text in enumerate(texts)]
    return dealt


def ours(args, preset, dealt):
    path = os.path.join(args.work, "resampled.csv")
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(dealt)
    psql(args, TRAIN_SQL.format(file=path, preset=preset))
    scored = csv.reader(io.StringIO(psql(args, SCORE_SQL.format(dataset="resampled", model="resampled"))))
    return [(truth == predicted, float(confidence)) for truth, predicted, confidence in scored]


def theirs(features, dealt):
    import numpy

    train = [(text, intent) for text, intent, split in dealt if split == "train"]
    test = [(text, intent) for text, intent, split in dealt if split == "test"]
    recipe = sklearn_recipe(features(), linear_svc(), 1)
    recipe.fit([text for text, _ in train], numpy.array([intent for _, intent in train]))
    probabilities = recipe.predict_proba([text for text, _ in test])
    best = probabilities.argmax(axis=1)
    return [(recipe.classes_[k] == intent, row[k]) for k, row, (_, intent) in zip(best, probabilities, test)]


def summary(scored):
    correct = [hit for hit, _ in scored]
    confidence = [float(value) for _, value in scored]
    return {
        "accuracy": 100 * sum(correct) / len(correct),
        "confidence": 100 * sum(confidence) / len(confidence),
        "ece": expected_calibration_error(confidence, correct),
        "by_chance": calibration_error_by_chance(confidence),
    }


def mean(values):
    return statistics.mean(values)


def report(name, runs, reference):
    ahead = [one["accuracy"] - other["accuracy"] for one, other in zip(runs, reference)]
    error = statistics.stdev(ahead) / len(ahead) ** 0.5
    print(
        "| %-28s | %10.2f | %18s | %12.2f | %5.3f | %9.3f |"
        % (
            name,
            mean([one["accuracy"] for one in runs]),
            "%+.2f (+-%.2f)" % (mean(ahead), error) if runs is not reference else "",
            mean([one["confidence"] for one in runs]),
            mean([one["ece"] for one in runs]),
            mean([one["by_chance"] for one in runs]),
        )
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True)
    parser.add_argument("--datasets", required=True)
    parser.add_argument("--splits", type=int, required=True)
    parser.add_argument("--psql", required=True)
    parser.add_argument("--cluster", required=True)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    psql(args, "create table resampled (text text not null, intent text not null, split text not null)")
    for dataset in args.datasets.split(","):
        with open(os.path.join(args.work, dataset + ".csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        splits = [deal(rows, seed) for seed in range(args.splits)]
        n_test = sum(split == "test" for _, _, split in splits[0])
        print("\n%s: %d splits into %d and %d messages\n" % (TITLES[dataset], args.splits, len(splits[0]) - n_test, n_test))
        print("| contestant                   | accuracy % | ahead of the peer  | confidence % |   ECE | by chance |")
        print("|------------------------------|-----------:|-------------------:|-------------:|------:|----------:|")
        for preset, title in OURS.items():
            peer, features = THEIRS[preset]
            reference = [summary(theirs(features, dealt)) for dealt in splits]
            report(title, [summary(ours(args, preset, dealt)) for dealt in splits], reference)
            report(peer, reference, reference)
    print(
        "\nMeans over the splits; ahead: mean and standard error of the differences within splits, in points.\n"
        "Confidence: in the first answer; what is above the accuracy is too much. By chance: what the calibration error would be"
        " on so many rows, were every answer right with just the probability that it states."
    )


if __name__ == "__main__":
    main()
