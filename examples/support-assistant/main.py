#!/usr/bin/env python3
"""The whole loop: messages, review, correction, retraining, better answers, metrics.

Exit status: 0 when every claim held, 1 when one did not, 2 when the database said no.
"""

import json
import sys

import psycopg

from assistant import dataset, db
from assistant.checks import Checks
from assistant.metrics import Metrics
from assistant.review import ReviewDesk
from assistant.support import SupportAssistant
from assistant.training import Trainer

MODEL = "support"


def refused(role: db.Role, sql: str, parameters=None) -> str | None:
    """The SQLSTATE that a statement is refused with."""
    try:
        role.rows(sql, parameters)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def run(database: db.Database, checks: Checks) -> None:
    messages = dataset.load()
    assistant = SupportAssistant(database.app, MODEL)
    desk = ReviewDesk(database.reviewer, MODEL)
    trainer = Trainer(database.trainer, MODEL)
    metrics = Metrics(database.reviewer, MODEL)

    print("Step 0: who may do what")
    for role in database.roles:
        checks.equal(f"{role.user} is no superuser", role.value("show is_superuser"), "off")
    checks.equal("the assistant may not train",
                 refused(database.app, "select train_intent_model(%s)", (MODEL,)), "42501")
    checks.equal("the assistant may not read what others wrote",
                 refused(database.app, "select user_message from ai_training_data"), "42501")

    print(f"Step 1: sending the history ({len(messages.history)} messages)")
    assistant.load_history(messages.history)
    desk.approve_history()
    checks.equal("messages filed and approved", desk.history(), len(messages.history))

    print("Step 2: the first training")
    first_time = trainer.live_version() is None
    if first_time:
        checks.true("without a version every message goes to a person",
                    assistant.reply(assistant.predict("where is my card?"))[1])
        result = trainer.train("first")
        checks.true("training completed and live", result["status"] == "completed" and result["deployed"], result)
        print(f"  train {result['training_samples']}, test {result['test_samples']}, intents {result['total_intents']}")
    else:
        print(f"  not needed: version {trainer.live_version()['version']} is live")
    first_version = trainer.versions()[0]
    live_before = trainer.live_version()

    print(f"Step 3: customers ask ({len(messages.questions)} messages)")
    before = metrics.review()
    recorded = assistant.already_recorded(messages.questions)
    new = [message for message in messages.questions if message.key not in recorded]
    answers = {message.key: assistant.handle(message, f"customer-{number % 40}") for number, message in enumerate(new)}
    escalated = sum(answer.escalated for answer in answers.values())
    print(f"  {len(new)} new, {escalated} of them handed over to a person")
    if new:
        again = assistant.handle(new[-1], "customer-0")
        checks.equal("a message that is sent twice is one row", again.id, answers[new[-1].key].id)

    after = metrics.review()
    checks.equal("messages counted", after["total_messages"], len(messages.questions))
    checks.equal("new messages counted", after["total_messages"] - before["total_messages"], len(new))
    checks.equal("handed over", after["escalated"], before["escalated"] + escalated)

    print("Step 4: people review")
    wrong = next((message for message in new if message.intent in messages.new_topics
                  and answers[message.key].intent != message.intent), None)
    mismatches = 0
    if wrong:
        answered = assistant.predict(wrong.text)
        checks.equal("before its correction the model answers", answered["decision_source"], "model")
        verdict = desk.correct(answers[wrong.key].id, wrong.intent, "virtual cards are a topic of their own")
        checks.equal("the correction says what it replaced", verdict, {
            "success": True, "was_mismatch": True,
            "original_intent": answers[wrong.key].intent, "correct_intent": wrong.intent})
        mismatches += 1
    elif first_time:
        checks.true("the first version does not know the new topics", False)
    counts = desk.work_off("ana", {message.text: message for message in messages.questions})
    mismatches += counts["mismatches"]
    print(f"  {counts['reviewed'] + bool(wrong)} reviewed, {mismatches} were wrong")

    corrected = next(message for message in messages.questions if message.intent in messages.new_topics)
    answer = assistant.predict(corrected.text)
    checks.equal("a corrected message is answered right at once",
                 (answer["predicted_intent"], answer["confidence"], answer["decision_source"]),
                 (corrected.intent, 1, "correction"))
    checks.equal("with the same live version", trainer.live_version()["version"], live_before["version"])
    checks.equal("a correction of nothing is refused",
                 refused(database.reviewer, "select submit_intent_correction(gen_random_uuid(), '')"), "22023")
    unknown = desk.correct("00000000-0000-0000-0000-000000000000", "card_arrival")
    checks.equal("a correction of no message says so", unknown,
                 {"success": False, "error": "Training data not found"})

    review = metrics.review()
    checks.equal("corrections counted", review["human_corrections"], len(messages.questions))
    checks.equal("mismatches counted", review["intent_mismatches"], before["intent_mismatches"] + mismatches)
    checks.equal("errors listed", len(metrics.errors()), review["intent_mismatches"])
    checks.equal("nothing waits for review", review["pending_review"], 0)

    print("Step 5: the model retrains itself")
    due = trainer.should_retrain()
    print(f"  {due['reason']}")
    checks.equal("due when there is enough to learn", due["due"], due["new_samples"] >= due["threshold"])
    if new:
        checks.true("the corrections are enough", due["due"], due)
    runs = trainer.retrain_if_due()
    checks.equal("trainings", len(runs), int(due["due"]))
    live = trainer.live_version()
    for result in runs:
        checks.true("the new version went live", result["status"] == "completed" and result["deployed"], result)
        checks.true("the live version changed", live["version"] != live_before["version"], live["version"])
        print(f"  {result['reason']}")

    print(f"Step 6: better answers ({len(messages.held_out)} messages that no version has seen)")
    share = {}
    for name, version in (("first", first_version), ("live", live)):
        hits = trainer.hits(version["id"], messages.held_out)
        for topics in ("new", "known"):
            chosen = [hit for hit, message in zip(hits, messages.held_out)
                      if (message.intent in messages.new_topics) == (topics == "new")]
            share[name, topics] = sum(chosen) / len(chosen)
        share[name, "all"] = sum(hits) / len(hits)
        print(f"  {name} version {version['version']}: all topics {share[name, 'all']:.1%}, "
              f"new topics {share[name, 'new']:.1%}, known topics {share[name, 'known']:.1%}")
    checks.true("more messages are understood", share["live", "all"] > share["first", "all"])
    checks.true("the new topics are learnt", share["first", "new"] == 0 and share["live", "new"] > 0.6)
    checks.true("the known ones are not forgotten", share["live", "known"] > share["first", "known"] - 0.05)

    print("Step 7: metrics")
    shown = metrics.live()
    print("  " + json.dumps({"live_metrics": {key: shown["live_metrics"][key] for key in (
        "total_messages", "ai_resolved", "escalated", "avg_confidence", "escalation_rate")},
        "pipeline_stats": shown["pipeline_stats"]}))
    checks.equal("messages answered and handed over add up", shown["live_metrics"]["total_messages"],
                 shown["live_metrics"]["ai_resolved"] + shown["live_metrics"]["escalated"])
    topics = {message.intent for message in messages.held_out}
    checks.equal("pipeline", shown["pipeline_stats"],
                 {"model_trained": True, "model_intents": len(topics), "samples_since_last_train": 0})
    snapshot, counted = metrics.month(database.trainer)
    checks.equal("the month's snapshot", snapshot, counted)


def main() -> int:
    checks = Checks()
    try:
        database = db.Database()
        try:
            run(database, checks)
        finally:
            database.close()
    except psycopg.Error as error:
        print(f"error {db.explain(error)}", file=sys.stderr)
        return 2
    print(checks.summary())
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
