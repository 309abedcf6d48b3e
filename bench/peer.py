#!/usr/bin/env python3
"""Fits one peer in this process (or a child of it) and prints what was measured as one JSON object.

usage: peer.py PEER PREFIX

PREFIX is what prepare.py wrote to. Keys: fit_seconds, peak_mb (highest resident memory of the fitting process), growth_mb
(the part of it above what was resident when the fit began), accuracy (percent), ece, ece_by_chance, artifact_mb, one_message_ms,
messages_per_second, labels_per_second.
"""

import csv
import json
import os
import pickle
import random
import resource
import statistics
import subprocess
import sys
import time

BINS = 15
CHANCE_DRAWS = 50
SINGLE_CALLS = 200


def load(prefix, split):
    with open(prefix + ".csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    return [row["text"] for row in rows], [row["intent"] for row in rows]


def expected_calibration_error(confidence, correct):
    """Mean distance of confidence and accuracy over bins of equal width, weighted by their rows."""
    sums = [[0, 0.0, 0] for _ in range(BINS)]
    for value, hit in zip(confidence, correct):
        entry = sums[min(int(value * BINS), BINS - 1)]
        entry[0] += 1
        entry[1] += value
        entry[2] += hit
    return sum(abs(value - hits) for _, value, hits in sums) / len(confidence)


def calibration_error_by_chance(confidence):
    """What expected_calibration_error() is on average where every answer is right with just the probability it states."""
    rng = random.Random(42)
    values = [float(value) for value in confidence]
    draws = (expected_calibration_error(values, [rng.random() < value for value in values]) for _ in range(CHANCE_DRAWS))
    return sum(draws) / CHANCE_DRAWS


def resident_mb(key):
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
    raise KeyError(key)


def repeat_for(seconds, call):
    """Seconds per call, over at least one call and about `seconds`."""
    calls, start = 0, time.perf_counter()
    while True:
        call()
        calls += 1
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return elapsed / calls


# scikit-learn ---------------------------------------------------------------------------------------------------------

FOLD = str.maketrans("áéíóúüñ", "aeiouun")


def fold(text):
    return text.lower().translate(FOLD)


def classic_features():
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(preprocessor=fold, ngram_range=(1, 3), max_features=10000)


def union_features():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion

    return FeatureUnion(
        [
            ("word", TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=3)),
            ("char", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=3)),
        ]
    )


def linear_svc():
    from sklearn.svm import LinearSVC

    return LinearSVC(C=1, class_weight="balanced", random_state=42)


def logistic_regression():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1, class_weight="balanced", max_iter=1000)


def sklearn_recipe(features, classifier, jobs):
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import make_pipeline

    return make_pipeline(features, CalibratedClassifierCV(classifier, cv=5, n_jobs=jobs))


def run_sklearn(prefix, features, classifier, jobs):
    import joblib
    import numpy

    texts, intents = load(prefix, "train")
    intents = numpy.array(intents)
    pipeline = sklearn_recipe(features, classifier, jobs)
    before = resident_mb("VmRSS")
    start = time.perf_counter()
    # Threads, not processes: the solver releases the interpreter lock and one process' peak memory says it all.
    with joblib.parallel_backend("threading"):
        pipeline.fit(texts, intents)
    seconds = time.perf_counter() - start
    peak = resident_mb("VmHWM")
    result = {"fit_seconds": seconds, "peak_mb": peak, "growth_mb": peak - before}
    test_texts, truth = load(prefix, "test")
    probabilities = pipeline.predict_proba(test_texts)
    confidence = probabilities.max(axis=1)
    correct = [pipeline.classes_[k] == intent for k, intent in zip(probabilities.argmax(axis=1), truth)]
    single = []
    for text in test_texts[:SINGLE_CALLS]:
        start = time.perf_counter()
        pipeline.predict_proba([text])
        single.append(time.perf_counter() - start)
    result.update(
        accuracy=100 * sum(correct) / len(correct),
        ece=expected_calibration_error(confidence, correct),
        ece_by_chance=calibration_error_by_chance(confidence),
        artifact_mb=len(pickle.dumps(pipeline)) / 1e6,
        one_message_ms=1000 * statistics.median(single),
        messages_per_second=len(test_texts) / repeat_for(1.0, lambda: pipeline.predict_proba(test_texts)),
        labels_per_second=len(test_texts) / repeat_for(1.0, lambda: pipeline.predict(test_texts)),
    )
    return result


# Command-line peers ---------------------------------------------------------------------------------------------------


def run_command(*command):
    """Seconds and peak megabytes of a child; exact as long as this process stays smaller than the child."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def bulk_rate(lines, predict, prefix):
    """Messages per second of a command that reads a file of lines, without its start-up: long file minus short one; or None."""
    few, many = prefix + ".few", prefix + ".many"
    repeats = max(1, 20000 // len(lines))
    with open(few, "w", encoding="utf-8") as file:
        file.write(lines[0])
    with open(many, "w", encoding="utf-8") as file:
        file.writelines(lines * repeats)
    seconds = [min(predict(name) for _ in range(3)) for name in (few, many)]
    # A difference that start-up noise can swallow is no measurement.
    if seconds[1] < 1.2 * seconds[0]:
        return None
    return (len(lines) * repeats - 1) / (seconds[1] - seconds[0])


def run_fasttext(prefix):
    model = prefix + ".fasttext"
    options = "-lr 0.5 -wordNgrams 2 -minn 2 -maxn 4 -loss ova -epoch 50 -thread 2".split()
    seconds, peak = run_command("fasttext", "supervised", "-input", prefix + ".train.ft", "-output", model, *options)
    result = {"fit_seconds": seconds, "peak_mb": peak}
    test = prefix + ".test.ft"
    output = subprocess.run(
        ["fasttext", "predict-prob", model + ".bin", test, "1"], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout.splitlines()
    with open(test, encoding="utf-8") as file:
        lines = file.readlines()
    guesses = [line.split() for line in output]
    correct = [guess[0] == line.split(None, 1)[0] for guess, line in zip(guesses, lines)]
    confidence = [min(max(float(guess[1]), 0.0), 1.0) for guess in guesses]
    predict = ("fasttext", "predict-prob", model + ".bin")
    result.update(
        accuracy=100 * sum(correct) / len(correct),
        ece=expected_calibration_error(confidence, correct),
        ece_by_chance=calibration_error_by_chance(confidence),
        artifact_mb=os.path.getsize(model + ".bin") / 1e6,
        one_message_ms=fasttext_latency(predict, lines),
        messages_per_second=bulk_rate(lines, lambda name: run_command(*predict, name, "1")[0], prefix),
        labels_per_second=bulk_rate(lines, lambda name: run_command("fasttext", "predict", *predict[2:], name)[0], prefix),
    )
    return result


def fasttext_latency(predict, lines):
    """Median milliseconds of one message sent to a running fastText and its answer."""
    child = subprocess.Popen(
        [*predict, "-", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1
    )
    single = []
    for line in lines[: SINGLE_CALLS + 20]:
        start = time.perf_counter()
        child.stdin.write(line.split(None, 1)[1])
        child.stdin.flush()
        child.stdout.readline()
        single.append(time.perf_counter() - start)
    child.stdin.close()
    child.wait()
    return 1000 * statistics.median(single[20:])


def write_liblinear_features(prefix):
    """The classic features as liblinear's text format; not part of its time."""
    from sklearn.datasets import dump_svmlight_file
    from sklearn.preprocessing import LabelEncoder

    vectorizer, labels = classic_features(), LabelEncoder()
    for split, fit in (("train", True), ("test", False)):
        texts, intents = load(prefix, split)
        rows = vectorizer.fit_transform(texts) if fit else vectorizer.transform(texts)
        numbers = labels.fit_transform(intents) if fit else labels.transform(intents)
        dump_svmlight_file(rows, numbers, "%s.%s.svm" % (prefix, split), zero_based=False)
    return {}


def run_liblinear(prefix):
    model, test, output = prefix + ".liblinear", prefix + ".test.svm", prefix + ".liblinear.out"
    seconds, peak = run_command("liblinear-train", *"-s 1 -c 1 -B 1 -q".split(), prefix + ".train.svm", model)
    result = {"fit_seconds": seconds, "peak_mb": peak}
    predict = lambda name: run_command("liblinear-predict", name, model, output)[0]
    predict(test)
    with open(test, encoding="ascii") as file:
        lines = file.readlines()
    with open(output, encoding="ascii") as file:
        correct = [float(guess) == float(line.split(None, 1)[0]) for guess, line in zip(file, lines)]
    result.update(
        accuracy=100 * sum(correct) / len(correct),
        artifact_mb=os.path.getsize(model) / 1e6,
        labels_per_second=bulk_rate(lines, predict, prefix),
    )
    return result


def main():
    peer, prefix = sys.argv[1:3]
    runners = {
        "sklearn-classic": lambda: run_sklearn(prefix, classic_features(), linear_svc(), None),
        "sklearn-classic-2": lambda: run_sklearn(prefix, classic_features(), linear_svc(), 2),
        "sklearn-logistic": lambda: run_sklearn(prefix, classic_features(), logistic_regression(), None),
        "sklearn-union": lambda: run_sklearn(prefix, union_features(), linear_svc(), None),
        "fasttext": lambda: run_fasttext(prefix),
        "liblinear": lambda: run_liblinear(prefix),
        "liblinear-features": lambda: write_liblinear_features(prefix),
    }
    print(json.dumps(runners[peer](), default=float))


if __name__ == "__main__":
    main()
