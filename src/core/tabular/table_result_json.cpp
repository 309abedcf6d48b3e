// The result of a table model's training as JSON text, in the keys of the tables that keep it.
#include <cstdio>

#include "core/base/json.h"
#include "core/tabular/table_trainer.h"

namespace retrain {
namespace {

void WriteEvaluation(JsonWriter& json, const TableResult& r, const TableEvaluation& e) {
  json.Object().Key("rows").Integer(static_cast<int64_t>(e.rows));
  if (r.task == TableTask::kClassification) {
    const Metrics& m = e.classes;
    json.Key("accuracy").Number(m.accuracy).Key("f1_score").Number(m.macro_f1);
    json.Key("precision").Number(m.macro_precision).Key("recall").Number(m.macro_recall);
    json.Key("log_loss").Number(m.log_loss).Key("expected_calibration_error").Number(m.expected_calibration_error);
    if (r.labels.size() == 2) json.Key("auc").Number(e.auc).Key("brier").Number(e.brier);
  } else if (r.task == TableTask::kRegression) {
    json.Key("rmse").Number(e.values.rmse).Key("mae").Number(e.values.mae);
    json.Key("r2").Number(e.values.r2).Key("mape").Number(e.values.mape);
  } else {
    json.Key("silhouette").Number(e.silhouette).Key("mean_squared_distance").Number(e.mean_distance);
  }
  json.Close();
}

void WriteEvaluationOrNull(JsonWriter& json, const TableResult& r, const TableEvaluation& e, bool is_there) {
  is_there ? WriteEvaluation(json, r, e) : void(json.Null());
}

void WriteGate(JsonWriter& json, const TableResult& r) {
  json.Object().Key("promote").Bool(r.verdict.promote);
  json.Key("verdict").String(r.verdict.promote ? "promoted" : "rejected");
  json.Key("rule").String(r.verdict.rule).Key("reason").String(r.verdict.reason).Key("candidate");
  WriteEvaluationOrNull(json, r, r.candidate, r.test_rows > 0);
  json.Key("live");
  WriteEvaluationOrNull(json, r, r.live, r.compared);
  json.Close();
}

void WriteClasses(JsonWriter& json, const TableResult& r) {
  const Metrics& m = r.candidate.classes;
  json.Key("intent_accuracy").Number(m.accuracy).Key("intent_precision").Number(m.macro_precision);
  json.Key("intent_recall").Number(m.macro_recall).Key("intent_f1_score").Number(m.macro_f1);
  json.Key("avg_confidence").Number(m.mean_confidence).Key("per_intent_metrics").Object();
  for (const auto& c : m.classes) {
    json.Key(r.all_labels[c.label]).Object().Key("precision").Number(c.precision).Key("recall").Number(c.recall);
    json.Key("f1").Number(c.f1).Key("support").Integer(static_cast<int64_t>(c.support));
    json.Key("predicted").Integer(static_cast<int64_t>(c.predicted)).Close();
  }
  json.Close().Key("confusion_matrix").Object();
  uint32_t open = UINT32_MAX;
  for (const auto& [pair, rows] : m.confusion) {
    if (pair.first != open) {
      if (open != UINT32_MAX) json.Close();
      json.Key(r.all_labels[pair.first]).Object();
      open = pair.first;
    }
    json.Key(r.all_labels[pair.second]).Integer(static_cast<int64_t>(rows));
  }
  if (open != UINT32_MAX) json.Close();
  json.Close();
  if (!r.compared) return;
  json.Key("baseline_intent_accuracy").Number(r.live.classes.accuracy);
  json.Key("baseline_f1_score").Number(r.live.classes.macro_f1);
}

void WriteImprovement(JsonWriter& json, const TableResult& r) {
  if (!r.compared) return;
  json.Key("improvement").Object();
  if (r.task == TableTask::kClassification) {
    json.Key("accuracy").Number(r.candidate.classes.accuracy - r.live.classes.accuracy);
    json.Key("f1_score").Number(r.candidate.classes.macro_f1 - r.live.classes.macro_f1);
  } else if (r.task == TableTask::kRegression) {
    json.Key("rmse").Number(r.live.values.rmse - r.candidate.values.rmse);
    json.Key("mae").Number(r.live.values.mae - r.candidate.values.mae);
    json.Key("r2").Number(r.candidate.values.r2 - r.live.values.r2);
  } else {
    json.Key("silhouette").Number(r.candidate.silhouette - r.live.silhouette);
  }
  json.Close();
}

void WriteMetrics(JsonWriter& json, const TableResult& r) {
  json.Key("metrics").Object().Key("task").String(NameOf(r.task)).Key("target");
  r.target.empty() ? void(json.Null()) : void(json.String(r.target));
  json.Key("columns").Array();
  for (const auto& column : r.columns) json.String(column);
  json.Close().Key("features").Integer(static_cast<int64_t>(r.features));
  if (r.trees > 0) json.Key("trees").Integer(static_cast<int64_t>(r.trees));
  if (r.task == TableTask::kClassification) json.Key("calibration").String(r.calibration);
  if (r.task == TableTask::kClustering) {
    json.Key("k").Integer(static_cast<int64_t>(r.clusters.k)).Key("inertia").Number(r.clusters.inertia);
    json.Key("sizes").Object();
    for (size_t j = 0; j < r.clusters.k; ++j)
      json.Key(std::to_string(r.cluster_numbers[j])).Integer(static_cast<int64_t>(r.clusters.sizes[j]));
    json.Close();
    if (!r.clusters.tried.empty()) {
      json.Key("tried").Array();
      for (const auto& [k, silhouette] : r.clusters.tried)
        json.Object().Key("k").Integer(k).Key("silhouette").Number(silhouette).Close();
      json.Close();
    }
  }
  json.Key("test");
  WriteEvaluationOrNull(json, r, r.candidate, r.test_rows > 0);
  json.Key("importance_by").String(r.importance_kind).Key("feature_importance").Array();
  for (const auto& f : r.importance)
    json.Object().Key("column").String(f.column).Key("importance").Number(f.importance).Close();
  json.Close().Close();
}

void WriteWarnings(JsonWriter& json, const TableResult& r) {
  json.Key("warnings").Array();
  for (const auto& w : r.warnings) {
    json.Object().Key("code").String(w.code);
    if (!w.column.empty()) json.Key("column").String(w.column);
    json.Key("message").String(w.message).Close();
  }
  json.Close();
}

}  // namespace

std::string ToJson(const TableResult& r) {
  JsonWriter json;
  json.Object().Key("status").String(r.failed ? "failed" : "completed");
  if (r.failed) json.Key("error_message").String(r.failure);
  json.Key("training_samples").Integer(static_cast<int64_t>(r.training_rows));
  json.Key("validation_samples").Integer(static_cast<int64_t>(r.validation_rows));
  json.Key("test_samples").Integer(static_cast<int64_t>(r.test_rows));
  json.Key("algorithm").String(NameOf(r.algorithm));
  json.Key("model_config").Raw(ToJson(r.config, r.algorithm));
  char digest[33];
  std::snprintf(digest, sizeof digest, "%016llx%016llx", static_cast<unsigned long long>(r.digest.high),
                static_cast<unsigned long long>(r.digest.low));
  json.Key("dataset_filters").Object().Key("digest").String(digest);
  json.Key("ignored").Integer(static_cast<int64_t>(r.ignored));
  if (r.config.split.kind == SplitRule::Kind::kRow) {
    json.Key("dealt_by").Object();
    for (const auto& [name, kind] : r.dealt_by) json.Key(name).String(NameOf(kind));
    json.Close();
  }
  json.Close();
  WriteWarnings(json, r);
  if (!r.failed) {
    json.Key("labels").Array();
    for (const auto& label : r.labels) json.String(label);
    for (const uint32_t number : r.cluster_numbers) json.String(std::to_string(number));
    json.Close();
    if (r.task == TableTask::kClassification) {
      json.Key("total_intents").Integer(static_cast<int64_t>(r.labels.size()));
      if (r.test_rows > 0) WriteClasses(json, r);
    }
    json.Key("gate");
    WriteGate(json, r);
    WriteImprovement(json, r);
    WriteMetrics(json, r);
  }
  return json.Close().Take();
}

}  // namespace retrain
