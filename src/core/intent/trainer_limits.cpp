// What a model does not know and which labels look wrong, from rows that it has not seen.
#include <algorithm>

#include "core/base/lane_math.h"
#include "core/eval/label_issues.h"
#include "core/intent/fitting.h"
#include "core/linear/problem.h"

namespace retrain {

// How known messages look and the confidence that is enough, from rows that the model has not seen: the validation rows as
// they will be served, or where those are few the training rows that some fold has held out.
Resumable IntentTrainer::SetLimits() {
  Fitting& f = *fitting_;
  result_.limits_from_validation = EnoughValidationRows();
  Resumable part = result_.limits_from_validation ? LookAtValidationRows() : LookAtHeldOutRows();
  while (!part.Resume()) co_await Pause{};
  const IntentConfig& config = request_.config;
  std::vector<NoveltyEvidence> known;
  for (const auto& row : f.unseen_rows)
    if (row.is_known) known.push_back(row.evidence);
  result_.limit_rows = f.unseen_rows.size() - (config.target_precision > 0 ? f.blend_rows.size() : 0);
  if (!known.empty()) f.parts.novelty = FitNovelty(known, f.unseen_idf, static_cast<float>(config.out_of_scope));
  co_await Pause{};
  if (config.target_precision == 0) co_return;
  // Rows that are out of scope are not decided, however sure the model is.
  std::vector<JudgedRow> judged;
  uint64_t looked_at = 0;
  for (const auto& row : f.unseen_rows) {
    if (!row.is_judged) continue;
    ++looked_at;
    if (!f.parts.novelty || !f.parts.novelty->OutOfScope(f.parts.novelty->Familiarity(row.evidence)))
      judged.push_back(row.judged);
  }
  const auto kept = static_cast<double>(judged.size());
  PrecisionTarget& target = result_.precision_target;
  target = ChooseThreshold(std::move(judged), config.target_precision, request_.confidence_threshold);
  target.rows = looked_at;
  if (kept > 0) target.coverage *= kept / static_cast<double>(target.rows);
  result_.confidence_threshold = target.threshold;
}

// Answers are judged only where a precision is wanted of them: that costs as many exponentials as there are margins. With
// networks only the rows that they were weighed on have an answer to judge.
Resumable IntentTrainer::LookAtHeldOutRows() {
  Fitting& f = *fitting_;
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  const size_t n = std::min(f.labels.size(), f.held_out_rows), stride = std::max<size_t>(1, n / kLimitRows);
  const bool judged = request_.config.target_precision > 0, networks = !f.parts.networks.empty();
  f.unseen_rows.reserve(n / stride + 1);
  for (size_t i = 0; i < n; i += stride) {
    if (i / stride % kRowsPerLook == 0 && Pausing()) co_await Pause{};
    if (f.folds[i] == kNeverHeldOut) continue;
    const auto margins = std::span<const float>(f.held_out).subspan(i * n_classes, n_classes);
    UnseenRow row;
    row.evidence = {LaneMax(margins.data(), n_classes), f.known[i]};
    row.is_known = true;
    row.is_judged = judged && !networks;
    if (row.is_judged) row.judged = JudgeMargins(margins, f.labels[i]);
    f.unseen_rows.push_back(row);
  }
  if (!judged) co_return;
  std::vector<float> blended(n_classes);
  for (size_t r = 0; r < f.blend_rows.size(); ++r) {
    if (r % kRowsPerLook == 0 && Pausing()) co_await Pause{};
    const uint32_t i = f.blend_rows[r];
    const float *margins = f.blend_margins.data() + r * n_classes, *scores = f.blend_scores.data() + r * n_classes;
    for (uint32_t k = 0; k < n_classes; ++k)
      blended[k] = f.parts.blend.classifier * margins[k] + f.parts.blend.networks * scores[k];
    UnseenRow row;
    row.evidence = {LaneMax(margins, n_classes), f.known[i]};
    row.is_judged = true;
    row.judged = JudgeMargins(blended, f.labels[i]);
    f.unseen_rows.push_back(row);
  }
}

// How the answer to a row with these margins is judged.
JudgedRow IntentTrainer::JudgeMargins(std::span<const float> margins, uint32_t label) const {
  std::vector<float> p(margins.begin(), margins.end());
  Calibrate(fitting_->parts.calibration, p);
  const auto best = std::max_element(p.begin(), p.end());
  return {*best, best - p.begin() == static_cast<ptrdiff_t>(label)};
}

Resumable IntentTrainer::LookAtValidationRows() {
  Fitting& f = *fitting_;
  Encode();
  co_await Pause{};
  const IntentModel model(result_.artifact);
  ScoringScratch scratch;
  const size_t stride = std::max<size_t>(1, f.validation.size() / kLimitRows);
  for (size_t i = 0; i < f.validation.size(); i += stride) {
    if (i / stride % kRowsPerLook == 0 && Pausing()) co_await Pause{};
    const DatasetRow& from = dataset_.rows()[f.validation[i]];
    model.Margins(dataset_.text(from), budget_->stop, scratch, dataset_.embedding(from));
    model.Probabilities(scratch);
    const uint32_t best = model.Best(scratch), label = f.class_of[from.label];
    UnseenRow row;
    row.evidence = model.EvidenceOf(scratch, f.unseen_idf);
    row.judged = {scratch.probabilities[best], best == label};
    row.is_judged = true;
    row.is_known = label < model.n_classes();  // an intent without a training row is none that the model knows
    f.unseen_rows.push_back(row);
  }
}

// Both passes of LabelDoubt over the rows that some fold has held out.
Resumable IntentTrainer::FindLabelIssues() {
  Fitting& f = *fitting_;
  f.parts.calibration.kind = request_.config.calibration;
  const auto n_classes = static_cast<uint32_t>(result_.labels.size());
  LabelDoubt doubt(n_classes);
  std::vector<float> p(n_classes);
  for (const bool judging : {false, true}) {
    for (size_t i = 0; i < f.labels.size(); ++i) {
      if (i % kRowsPerLook == 0 && Pausing()) co_await Pause{};
      if (f.folds[i] == kNeverHeldOut) continue;
      const auto margins = std::span<const float>(f.held_out).subspan(i * n_classes, n_classes);
      p.assign(margins.begin(), margins.end());
      Calibrate(f.parts.calibration, p);
      const uint32_t given = f.labels[i];
      if (!judging)
        doubt.Learn(p, given);
      else if (const auto suggested = doubt.Judge(p, given))
        result_.label_issues.push_back({dataset_.rows()[f.order[i]].key, given, *suggested, p[given], p[*suggested]});
    }
  }
}

}  // namespace retrain
