"""The numbers that the admin panel shows."""

from .db import Role


class Metrics:
    def __init__(self, reader: Role, model: str):
        self.reader = reader
        self.model = model

    def live(self, hours: int = 24) -> dict:
        """The deployment guide's answer of GET /ai/training/metrics."""
        metrics = self.reader.value("select get_live_metrics(%s, %s)", (hours, self.model))
        stats = ("model_trained", "model_intents", "samples_since_last_train")
        return {
            "live_metrics": {key: value for key, value in metrics.items() if key not in stats},
            "pipeline_stats": {key: metrics[key] for key in stats},
        }

    def review(self, days: int = 3650) -> dict:
        return self.reader.value("select get_ai_training_metrics(%s, %s)", (days, self.model))

    def month(self, trainer: Role) -> tuple[dict, dict]:
        """The snapshot of this month, and the same counted by hand."""
        snapshot = trainer.row("select create_metrics_snapshot('monthly', %s) as id", (self.model,))
        return tuple(self.reader.row(sql, (snapshot["id"],)) for sql in (
            "select total_messages, escalated, human_corrections from ai_metrics_snapshots where id = %s",
            """
            select count(*) as total_messages, count(*) filter (where d.escalated) as escalated,
              count(*) filter (where d.corrected_by_human) as human_corrections
            from ai_metrics_snapshots s
            join ai_training_data d on d.model_name = s.model_name
              and d.created_at >= s.period_start and d.created_at < s.period_end
            where s.id = %s and d.source = 'live'
            """))

    def errors(self) -> list[dict]:
        return self.reader.rows(
            "select ai_said, should_be from v_classification_errors where model_name = %s", (self.model,))
