"""Training, and what the versions are worth on messages that none of them has seen."""

from .dataset import Message
from .db import Role


class Trainer:
    def __init__(self, trainer: Role, model: str):
        self.trainer = trainer
        self.model = model

    def versions(self) -> list[dict]:
        """All versions, the oldest first."""
        return self.trainer.rows(
            "select id, version, is_active, accuracy, f1_score from ai_model_metadata where model_name = %s order by id",
            (self.model,))

    def live_version(self) -> dict | None:
        return next((version for version in self.versions() if version["is_active"]), None)

    def train(self, run_name: str) -> dict:
        return self.trainer.row(
            "select status, deployed, training_samples, test_samples, total_intents, error_message "
            "from train_intent_model(%s, p_run_name => %s)", (self.model, run_name))

    def should_retrain(self) -> dict:
        return self.trainer.value("select should_retrain(%s)", (self.model,))

    def retrain_if_due(self) -> list[dict]:
        return self.trainer.rows(
            "select status, deployed, gate ->> 'reason' as reason, error_message from retrain_if_due(%s)",
            (self.model,))

    def hits(self, version_id: int, messages: list[Message]) -> list[bool]:
        """Whether a version finds each message's intent. Corrections are left aside: the version itself answers."""
        return [row["hit"] for row in self.trainer.rows(
            """
            select p.predicted_intent = m.intent as hit
            from predict_intents(%(texts)s::text[], %(model)s, p_top => 1, p_version_id => %(version)s)
              with ordinality as p (message, predicted_intent, confidence, top_intents, decision, is_uncertain,
                model_version, model_trained, decision_source, uncertain_reason, familiarity, place)
            join unnest(%(intents)s::text[]) with ordinality as m (intent, place) using (place)
            order by place
            """,
            {"texts": [message.text for message in messages], "intents": [message.intent for message in messages],
             "model": self.model, "version": version_id})]
