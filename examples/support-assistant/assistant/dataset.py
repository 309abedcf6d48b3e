"""The messages of a bank's card desk: the questions about cards of BANKING77.

The desk has answered most topics for long. Virtual cards are new: nobody has told the model about them.
"""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_FILE = Path(__file__).resolve().parents[3] / "test" / "data" / "intent_en_banking77.csv"
HISTORY_PER_TOPIC = 50
QUESTIONS_PER_NEW_TOPIC = 30
QUESTIONS_PER_KNOWN_TOPIC = 5


@dataclass(frozen=True)
class Message:
    key: str  # identifies the message wherever it comes from: recording it twice records it once
    text: str
    intent: str


@dataclass
class Dataset:
    history: list[Message]  # labelled by the desk before there was an assistant
    questions: list[Message]  # what customers ask the assistant; the intent is what a reviewer will say
    held_out: list[Message]  # never recorded: what the versions are measured on
    new_topics: set[str]


def load() -> Dataset:
    path = Path(os.environ.get("SUPPORT_MESSAGES", DEFAULT_FILE))
    topics: dict[str, list[Message]] = {}
    held_out = []
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if "card" not in row["intent"]:
                continue
            message = Message(f"banking77-{number}", row["text"], row["intent"])
            if row["split"] == "test":
                held_out.append(message)
            else:
                topics.setdefault(row["intent"], []).append(message)

    new_topics = {intent for intent in topics if "virtual_card" in intent or "disposable_card" in intent}
    history, questions = [], []
    for intent, messages in sorted(topics.items()):
        if intent in new_topics:
            questions += messages[:QUESTIONS_PER_NEW_TOPIC]
        else:
            known = messages[: HISTORY_PER_TOPIC + QUESTIONS_PER_KNOWN_TOPIC]
            history += known[:-QUESTIONS_PER_KNOWN_TOPIC]
            questions += known[-QUESTIONS_PER_KNOWN_TOPIC:]
    return Dataset(history, questions, held_out, new_topics)
