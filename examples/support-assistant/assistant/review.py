"""The review desk: takes the least certain messages and says what they really are."""

from .dataset import Message
from .db import Role

BATCH = 25


class ReviewDesk:
    def __init__(self, reviewer: Role, model: str):
        self.reviewer = reviewer
        self.model = model

    def approve_history(self) -> int:
        """The desk filed these itself: they need no second look."""
        return len(self.reviewer.rows(
            """
            update ai_training_data set dataset_status = 'approved'
            where model_name = %s and source = 'imported' and dataset_status = 'pending'
            returning id
            """, (self.model,)))

    def history(self) -> int:
        """Approved messages, whether a training has used them or not."""
        return self.reviewer.value(
            "select count(*) from ai_training_data where model_name = %s and source = 'imported' and intent_correct",
            (self.model,))

    def correct(self, row_id, intent: str, notes: str | None = None) -> dict:
        return self.reviewer.value(
            "select submit_intent_correction(%s, %s, p_notes => %s)", (row_id, intent, notes))

    def claim(self, name: str) -> list[dict]:
        """The next messages, which nobody else gets meanwhile."""
        return self.reviewer.rows(
            "select id, user_message from claim_review_items(%s, %s, p_model_name => %s)", (name, BATCH, self.model))

    def work_off(self, name: str, truth: dict[str, Message]) -> dict[str, int]:
        """Reviews what waits, batch by batch, and leaves what the person cannot tell.

        Here the dataset's label is what the person knows.
        """
        counts = {"reviewed": 0, "mismatches": 0}
        while known := [item for item in self.claim(name) if item["user_message"] in truth]:
            for item in known:
                verdict = self.correct(item["id"], truth[item["user_message"]].intent)
                if not verdict["success"]:
                    raise RuntimeError(verdict["error"])
                counts["reviewed"] += 1
                counts["mismatches"] += verdict["was_mismatch"]
        return counts
