"""The assistant: finds the intent, answers or hands over, and records the message."""

import time
from dataclasses import dataclass

from .dataset import Message
from .db import Role

RECORD = """
select record_interaction(%(text)s, p_ai_response => %(response)s, p_model_name => %(model)s,
  p_conversation_id => %(conversation)s, p_message_id => %(key)s, p_user_id => %(user)s,
  p_escalated => %(escalated)s, p_escalation_reason => %(reason)s, p_response_source => %(source)s,
  p_response_time_ms => %(milliseconds)s, p_idempotency_key => %(key)s) as id
"""


@dataclass
class Answer:
    id: object
    text: str
    intent: str | None
    escalated: bool


class SupportAssistant:
    def __init__(self, app: Role, model: str):
        self.app = app
        self.model = model

    def predict(self, text: str, top: int = 5) -> dict:
        return self.app.value(
            "select to_jsonb(p) from predict_intent(%s, %s, p_top => %s) as p", (text, self.model, top))

    def reply(self, prediction: dict) -> tuple[str, bool]:
        """The FAQ's article about the intent, or a person when the model is not sure."""
        if not prediction["model_trained"] or prediction["is_uncertain"]:
            return "A colleague will answer you in a moment.", True
        return f"See our article \"{prediction['predicted_intent'].replace('_', ' ')}\".", False

    def handle(self, message: Message, user: str) -> Answer:
        started = time.monotonic()
        prediction = self.predict(message.text)
        text, escalated = self.reply(prediction)
        # The intent is left out: the model's own guess is stored as a guess, and not learnt before somebody looks at it.
        row_id = self.app.value(RECORD, {
            "text": message.text, "response": text, "model": self.model, "conversation": f"chat-{message.key}",
            "key": message.key, "user": user, "escalated": escalated,
            "reason": "not sure enough" if escalated else None,
            "source": "escalation" if escalated else "local_model",
            "milliseconds": int((time.monotonic() - started) * 1000),
        })
        return Answer(row_id, text, prediction["predicted_intent"], escalated)

    def already_recorded(self, messages: list[Message]) -> set[str]:
        """Keys that are stored: an interrupted run goes on where it stopped."""
        return {row["idempotency_key"] for row in self.app.rows(
            "select idempotency_key from ai_training_data where model_name = %s and idempotency_key = any (%s)",
            (self.model, [message.key for message in messages]))}

    def load_history(self, messages: list[Message]) -> None:
        """What the desk answered before, with the intents that it filed the messages under."""
        self.app.many(
            """
            select record_interaction(%s, p_detected_intent => %s, p_confidence_score => 100, p_model_name => %s,
              p_response_source => 'faq', p_source => 'imported', p_idempotency_key => %s)
            """,
            [(message.text, message.intent, self.model, message.key) for message in messages])
