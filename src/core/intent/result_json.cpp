// The result of a training as JSON text, in the keys of the tables that keep it.
#include "core/base/json.h"
#include "core/intent/trainer.h"

namespace retrain {
namespace {

// Of no rows nothing was measured: the numbers are null then, and a 0 is a measured one.
void WriteNumbers(JsonWriter& json, const Metrics& m) {
  const auto number = [&](const char* key, double value) {
    json.Key(key);
    m.rows > 0 ? void(json.Number(value)) : void(json.Null());
  };
  json.Object().Key("rows").Integer(static_cast<int64_t>(m.rows));
  number("accuracy", m.accuracy);
  number("f1_score", m.macro_f1);
  number("precision", m.macro_precision);
  number("recall", m.macro_recall);
  number("log_loss", m.log_loss);
  number("expected_calibration_error", m.expected_calibration_error);
  number("avg_confidence", m.mean_confidence);
  json.Close();
}

void WriteGate(JsonWriter& json, const TrainingResult& r) {
  json.Object().Key("promote").Bool(r.verdict.promote);
  json.Key("verdict").String(r.verdict.promote ? "promoted" : "rejected");
  json.Key("rule").String(r.verdict.rule).Key("reason").String(r.verdict.reason);
  json.Key("candidate");
  WriteNumbers(json, r.candidate.all);
  json.Key("live");
  r.compared ? WriteNumbers(json, r.live.all) : void(json.Null());
  json.Key("recent").Object().Key("candidate");
  WriteNumbers(json, r.candidate.recent);
  json.Key("live");
  r.compared ? WriteNumbers(json, r.live.recent) : void(json.Null());
  json.Close().Close();
}

void WritePerIntent(JsonWriter& json, const TrainingResult& r) {
  json.Object();
  for (const auto& c : r.candidate.all.classes) {
    json.Key(r.all_labels[c.label]).Object().Key("precision").Number(c.precision).Key("recall").Number(c.recall);
    json.Key("f1").Number(c.f1).Key("support").Integer(static_cast<int64_t>(c.support));
    json.Key("predicted").Integer(static_cast<int64_t>(c.predicted)).Close();
  }
  json.Close();
}

void WriteConfusion(JsonWriter& json, const TrainingResult& r) {
  json.Object();
  uint32_t open = UINT32_MAX;
  for (const auto& [pair, rows] : r.candidate.all.confusion) {
    if (pair.first != open) {
      if (open != UINT32_MAX) json.Close();
      json.Key(r.all_labels[pair.first]).Object();
      open = pair.first;
    }
    json.Key(r.all_labels[pair.second]).Integer(static_cast<int64_t>(rows));
  }
  if (open != UINT32_MAX) json.Close();
  json.Close();
}

void WriteMisclassified(JsonWriter& json, const TrainingResult& r) {
  json.Array();
  for (const auto& m : r.misclassified) {
    json.Object().Key("user_message").String(m.text).Key("true_intent").String(m.truth);
    json.Key("predicted_intent")
        .String(m.predicted)
        .Key("confidence")
        .Number(static_cast<double>(m.confidence))
        .Close();
  }
  json.Close();
}

void WriteHex(JsonWriter& json, const TextKey& key) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : key) (hex += kHex[byte >> 4]) += kHex[byte & 15];
  json.String(hex);
}

void WriteStart(JsonWriter& json, const TrainingStart& start) {
  json.Object().Key("from").String(start.from_live ? "live" : "nothing");
  json.Key("known_rows").Integer(static_cast<int64_t>(start.known_rows));
  json.Key("new_rows").Integer(static_cast<int64_t>(start.new_rows));
  json.Key("gone_rows").Integer(static_cast<int64_t>(start.gone_rows));
  json.Key("calibration").String(start.calibration_kept ? "kept" : "fitted");
  if (start.tuning_kept) json.Key("tuning").String("kept");
  json.Key("reason");
  start.reason.empty() ? void(json.Null()) : void(json.String(start.reason));
  json.Close();
}

void WriteTuning(JsonWriter& json, const TrainingResult& r) {
  json.Key("tuning").Object().Key("rows").Integer(static_cast<int64_t>(r.tuning_rows)).Key("trials").Array();
  for (const TuningTrial& trial : r.tuning) {
    json.Object().Key("word_ngrams").Array().Integer(trial.word_ngrams.min).Integer(trial.word_ngrams.max).Close();
    json.Key("char_ngrams").Array().Integer(trial.char_ngrams.min).Integer(trial.char_ngrams.max).Close();
    json.Key("c").Number(trial.c).Key("accuracy").Number(trial.accuracy).Key("log_loss").Number(trial.log_loss);
    json.Key("chosen").Bool(trial.chosen).Close();
  }
  json.Close().Close();
}

void WriteScores(JsonWriter& json, const TrainingResult& r) {
  const Metrics& m = r.candidate.all;
  if (m.rows > 0) {
    json.Key("intent_accuracy").Number(m.accuracy).Key("intent_precision").Number(m.macro_precision);
    json.Key("intent_recall").Number(m.macro_recall).Key("intent_f1_score").Number(m.macro_f1);
    json.Key("avg_confidence").Number(m.mean_confidence);
    json.Key("per_intent_metrics");
    WritePerIntent(json, r);
    json.Key("confusion_matrix");
    WriteConfusion(json, r);
    json.Key("misclassified");
    WriteMisclassified(json, r);
  }
  if (!r.compared || m.rows == 0) return;
  const Metrics& live = r.live.all;
  json.Key("baseline_intent_accuracy").Number(live.accuracy).Key("baseline_f1_score").Number(live.macro_f1);
  json.Key("baseline_avg_confidence").Number(live.mean_confidence);
  json.Key("improvement").Object().Key("accuracy").Number(m.accuracy - live.accuracy);
  json.Key("f1_score").Number(m.macro_f1 - live.macro_f1);
  json.Key("precision").Number(m.macro_precision - live.macro_precision);
  json.Key("recall").Number(m.macro_recall - live.macro_recall).Close();
}

// What is decided and what is left UNCERTAIN: what was asked for, on rows that the model had not seen, and what came of it on the test
// rows. Null where nothing was asked for.
void WriteDecisions(JsonWriter& json, const TrainingResult& r) {
  const char* const from = r.limits_from_validation ? "validation" : "out_of_fold";
  json.Key("target_precision");
  if (const PrecisionTarget& t = r.precision_target; t.target > 0) {
    json.Object().Key("target").Number(t.target).Key("reached").Bool(t.reached);
    json.Key("threshold").Number(static_cast<double>(t.threshold)).Key("rows").Integer(static_cast<int64_t>(t.rows));
    json.Key("coverage").Number(t.coverage).Key("precision");
    t.coverage > 0 ? void(json.Number(t.precision)) : void(json.Null());
    json.Key("rows_from").String(from).Close();
  } else {
    json.Null();
  }
  json.Key("out_of_scope");
  if (r.config.out_of_scope > 0) {
    json.Object().Key("share").Number(r.config.out_of_scope);
    json.Key("rows").Integer(static_cast<int64_t>(r.limit_rows)).Key("rows_from").String(from).Close();
  } else {
    json.Null();
  }
  json.Key("decisions");
  const Decisions& d = r.decisions;
  if (d.rows == 0 || (r.confidence_threshold <= 0 && r.config.out_of_scope <= 0)) {
    json.Null();
    return;
  }
  json.Object().Key("rows").Integer(static_cast<int64_t>(d.rows));
  json.Key("coverage").Number(static_cast<double>(d.decided) / static_cast<double>(d.rows)).Key("precision");
  d.decided > 0 ? void(json.Number(static_cast<double>(d.right) / static_cast<double>(d.decided))) : void(json.Null());
  json.Key("low_confidence").Integer(static_cast<int64_t>(d.low_confidence));
  json.Key("out_of_scope").Integer(static_cast<int64_t>(d.out_of_scope)).Close();
}

// What a person should look at. No key where there is nothing: a run's warnings are null then.
void WriteWarnings(JsonWriter& json, const TrainingResult& r) {
  if (r.held_out_labels.empty()) return;
  const size_t n = r.held_out_labels.size();
  json.Key("warnings").Array().Object().Key("code").String("intents_not_learnt");
  json.Key("intents").Integer(static_cast<int64_t>(n)).Key("example").String(r.held_out_labels[0]);
  json.Key("message").String(std::to_string(n) + (n == 1 ? " intent has" : " intents have") +
                             " validation or test rows alone and cannot be learnt, for example \"" +
                             r.held_out_labels[0] + "\": more rows, or a column split in the query, help");
  json.Close().Close();
}

}  // namespace

std::string ToJson(const TrainingResult& r) {
  JsonWriter json;
  json.Object().Key("status").String(r.failed ? "failed" : "completed");
  if (r.failed) json.Key("error_message").String(r.failure);
  json.Key("training_samples").Integer(static_cast<int64_t>(r.training_rows));
  json.Key("validation_samples").Integer(static_cast<int64_t>(r.validation_rows));
  json.Key("test_samples").Integer(static_cast<int64_t>(r.test_rows));
  json.Key("total_intents").Integer(static_cast<int64_t>(r.labels.size()));
  json.Key("model_config").Raw(ToJson(r.config));
  json.Key("dataset_filters").Object().Key("digest");
  WriteHex(json, r.dataset_digest);
  json.Key("duplicates").Integer(static_cast<int64_t>(r.duplicates));
  json.Key("ignored").Integer(static_cast<int64_t>(r.ignored)).Close();
  WriteWarnings(json, r);
  if (!r.failed) {
    json.Key("algorithm").String(r.config.classifier);
    json.Key("confidence_threshold").Number(static_cast<double>(r.confidence_threshold));
    json.Key("labels").Array();
    for (const auto& label : r.labels) json.String(label);
    json.Close();
    WriteScores(json, r);
    json.Key("gate");
    WriteGate(json, r);
    json.Key("metrics").Object().Key("features").Integer(static_cast<int64_t>(r.features)).Key("test");
    r.candidate.all.rows > 0 ? WriteNumbers(json, r.candidate.all) : void(json.Null());
    json.Key("recent");
    r.candidate.recent.rows > 0 ? WriteNumbers(json, r.candidate.recent) : void(json.Null());
    WriteDecisions(json, r);
    if (!r.tuning.empty()) WriteTuning(json, r);
    if (r.incremental) {
      json.Key("start");
      WriteStart(json, r.start);
    }
    json.Close();
  }
  return json.Close().Take();
}

}  // namespace retrain
