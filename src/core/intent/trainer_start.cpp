// Where an incremental training begins, and what it leaves for the next.
#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/intent/fitting.h"

namespace retrain {

std::string ComparableConfig(IntentConfig config) {
  config.passes = 0;
  return ToJson(config);
}

// Takes up the live version's state, or says why the training starts from nothing.
void IntentTrainer::FindStart() {
  Fitting& f = *fitting_;
  TrainingStart& start = result_.start;
  result_.incremental = true;
  start.new_rows = f.labels.size();
  if (!request_.has_live) {
    start.reason = "there is no live version";
  } else if (request_.live_state.empty()) {
    start.reason = "the live version keeps no state to start from";
  } else {
    try {
      f.live_state = DecodeTrainingState(request_.live_state);
    } catch (const Error& error) {
      start.reason = error.message() + ": " + error.detail();
    }
  }
  request_.live_state = {};
  if (f.live_state && f.live_state->duals.intercepts.empty() == ClassifierOf(request_.config).keeps_intercepts) {
    start.reason = "the live version is of another classifier";
    f.live_state.reset();
  }
  if (!f.live_state) return;
  std::vector<uint64_t> keys;
  for (const uint32_t i : f.order) keys.push_back(ShortKey(dataset_.rows()[i].key));
  f.restart = RestartFrom(*f.live_state, keys, f.labels, result_.labels);
  // What is still needed of it is small.
  f.live_state->duals = {};
  f.live_state->rows = {};
  f.live_state->label_of = {};
  start.from_live = true;
  start.new_rows = f.restart.fresh_rows.size();
  start.known_rows = f.labels.size() - start.new_rows;
  start.gone_rows = f.restart.gone_rows;
}

// Whether so little has changed since the live version's calibration was fitted that the new rows may decide about it.
bool IntentTrainer::MayKeepCalibration() {
  const Fitting& f = *fitting_;
  TrainingStart& start = result_.start;
  if (!start.from_live) return false;
  const uint64_t changed = f.live_state->uncalibrated_rows + start.new_rows + start.gone_rows;
  if (request_.config.calibration == CalibrationKind::kNone)
    start.reason = "without a calibration there is none to keep";
  else if (f.live_state->config != ComparableConfig(result_.config))
    start.reason = "the configuration changed";
  else if (static_cast<double>(changed) > kMostChanged * static_cast<double>(f.labels.size()))
    start.reason = std::to_string(changed) + " rows changed since the calibration was fitted";
  else if (request_.config.networks > 0)
    start.reason = WhyNetworksCannotGoOn();
  if (!start.reason.empty() || EnoughValidationRows()) return start.reason.empty();
  // Too few validation rows to measure by: what is out of scope is kept with the calibration.
  if (request_.config.target_precision > 0) {
    start.reason = "target_precision needs held-out rows";
    return false;
  }
  if (f.live)
    fitting_->live_novelty = f.live->novelty();
  else
    start.reason = result_.live_unreadable;
  return start.reason.empty();
}

// The live version's calibration for the classes of this training, or for those among them that it knew. A class that it did
// not know gets the mean of the others' sigmoids.
Calibration IntentTrainer::LiveCalibration(bool known_only) const {
  const Fitting& f = *fitting_;
  const Calibration& live = f.live_state->calibration;
  Calibration calibration{live.kind, live.inverse_temperature, {}, {}};
  if (live.kind != CalibrationKind::kSigmoid) return calibration;
  const auto mean = [](const std::vector<float>& v) {
    return std::accumulate(v.begin(), v.end(), 0.0f) / static_cast<float>(std::max<size_t>(v.size(), 1));
  };
  const float slope = mean(live.slope), intercept = mean(live.intercept);
  for (const uint32_t label : f.restart.label_in_state) {
    const bool known = label != kNotInState;
    if (!known && known_only) continue;
    calibration.slope.push_back(known ? live.slope[label] : slope);
    calibration.intercept.push_back(known ? live.intercept[label] : intercept);
  }
  return calibration;
}

// The new rows under the live version's weights are held-out rows; with networks f.held_out are their blended margins. Its
// temperature stays unless they contradict it. Rows whose label was corrected were learnt under the other one: that the live
// version is sure of it says nothing about messages that it has not seen.
bool IntentTrainer::CalibrationHolds() {
  const Fitting& f = *fitting_;
  const std::vector<uint32_t>& in_state = f.restart.label_in_state;
  std::vector<uint32_t> class_of(in_state.size());  // among the labels that the live version knows
  uint32_t n_classes = 0;
  for (size_t k = 0; k < in_state.size(); ++k)
    if (in_state[k] != kNotInState) class_of[k] = n_classes++;
  std::vector<float> margins;
  std::vector<uint32_t> labels;
  for (size_t i = 0; i < f.restart.fresh_rows.size(); ++i) {
    const uint32_t label = f.labels[f.restart.fresh_rows[i]];
    if (in_state[label] == kNotInState || f.restart.was_other[i]) continue;
    labels.push_back(class_of[label]);
    for (size_t k = 0; k < in_state.size(); ++k)
      if (in_state[k] != kNotInState) margins.push_back(f.held_out[i * in_state.size() + k]);
  }
  if (labels.empty() || n_classes < 2) return true;
  const std::vector<float> weights(labels.size(), 1.0f);
  const Calibration live = LiveCalibration(true);
  Calibration best = live;
  best.inverse_temperature =
      BestInverseTemperature(live, margins, labels, weights, n_classes, budget_->threads, budget_->stop);
  const double gain = NegativeLogLikelihood(live, margins, labels, n_classes, budget_->stop) -
                      NegativeLogLikelihood(best, margins, labels, n_classes, budget_->stop);
  if (!Contradicts(gain, labels.size())) return true;
  result_.start.reason = "the new rows contradict the live version's calibration";
  return false;
}

// What the next incremental training starts from.
void IntentTrainer::KeepState() {
  Fitting& f = *fitting_;
  if (!f.duals) return;
  TrainingState state;
  state.config = ComparableConfig(result_.config);
  state.labels = result_.labels;
  for (const uint32_t i : f.order) state.rows.push_back(ShortKey(dataset_.rows()[i].key));
  state.label_of = std::move(f.labels);
  state.duals = std::move(*f.duals);
  state.networks = std::move(f.kept_squares);
  state.calibration = f.parts.calibration;
  const TrainingStart& start = result_.start;
  if (start.calibration_kept)
    state.uncalibrated_rows = f.live_state->uncalibrated_rows + start.new_rows + start.gone_rows;
  state.tuned = tuned_;
  if (start.tuning_kept) state.tuned->changed_rows += start.new_rows + start.gone_rows;
  result_.state = EncodeTrainingState(state);
  f.duals.reset();
}

}  // namespace retrain
