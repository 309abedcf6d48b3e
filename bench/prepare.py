#!/usr/bin/env python3
"""Writes the rows that every contestant trains and is tested on: OUT.csv, OUT.train.ft and OUT.test.ft (fastText).

usage: prepare.py DATASET.csv OUT

Only splits train and test, without the out-of-scope messages. fastText gets lower-cased text with punctuation set apart,
as its manual advises.
"""

import csv
import re
import sys


def fasttext_line(text, intent):
    words = re.sub(r"([^\w\s])", r" \1 ", text.lower()).split()
    return "__label__%s %s\n" % (intent, " ".join(words))


def main():
    source, out = sys.argv[1:]
    with open(source, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] != "val" and row["intent"] != "oos"]
    with open(out + ".csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["text", "intent", "split"])
        writer.writerows([row["text"], row["intent"], row["split"]] for row in rows)
    for split in ("train", "test"):
        with open("%s.%s.ft" % (out, split), "w", encoding="utf-8") as file:
            file.writelines(fasttext_line(row["text"], row["intent"]) for row in rows if row["split"] == split)


if __name__ == "__main__":
    main()
