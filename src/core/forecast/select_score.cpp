// Backtest of the methods of one series, and the weights that follow from it (see select.h).
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/math.h"
#include "core/forecast/select_candidate.h"

namespace retrain {
namespace {

using Role = CandidateRole;

constexpr uint32_t kMostOrigins = 60;
// How much worse than the best a method may be.
constexpr double kWorst = 1.35;
// A level that is so small a share of the mean of all values before it is no measure of errors.
constexpr double kCollapsed = 0.1;

}  // namespace

double MeanAbsoluteDifference(std::span<const double> y, size_t lag) {
  if (y.size() <= lag) return 0;
  double sum = 0;
  for (size_t t = lag; t < y.size(); ++t) sum += std::fabs(y[t] - y[t - lag]);
  return sum / static_cast<double>(y.size() - lag);
}

void SeriesFitter::Roll() {
  const size_t n = y_.size(), last = n - horizon_;
  stride_ = std::max<size_t>(1, (n - head_ + kMostOrigins - 1) / kMostOrigins);
  const size_t window = std::max<uint32_t>(season_, 8);
  const auto level_before = [&](size_t origin) {
    double sum = 0;
    const size_t begin = origin > window ? origin - window : 0;
    for (size_t t = begin; t < origin; ++t) sum += std::fabs(y_[t]);
    return sum / static_cast<double>(origin - begin);
  };
  bool collapsed = false;
  const auto take_level = [&](size_t origin) {
    level_.push_back(relative_ ? std::max(level_before(origin), 1e-300) : 1.0);
    double sum = 0;
    for (size_t t = 0; t < origin; ++t) sum += std::fabs(y_[t]);
    collapsed = collapsed || level_.back() < kCollapsed * sum / static_cast<double>(origin);
  };
  for (size_t origin = head_; origin < n; ++origin) {
    const bool record = (origin > last ? origin - last : last - origin) % stride_ == 0;
    if (record) {
      origins_.push_back(origin);
      take_level(origin);
    }
    for (Candidate& candidate : candidates_) {
      if (record) {
        const size_t at = candidate.forecasts.size();
        candidate.forecasts.resize(at + horizon_);
        const size_t steps = std::min<size_t>(horizon_, n - origin);
        candidate.forecaster->Forecast(std::span(candidate.forecasts).subspan(at, steps), x_.From(origin));
      }
      candidate.forecaster->Update(y_[origin], x_.From(origin));
    }
  }
  take_level(n);
  // After a stretch of next to nothing (a shop that was closed) errors are in proportion to nothing.
  if (relative_ && collapsed) std::fill(level_.begin(), level_.end(), 1.0);
}

double SeriesFitter::Combined(const std::vector<double>& weights, size_t origin, size_t h) const {
  double sum = 0;
  for (size_t k = 0; k < candidates_.size(); ++k)
    if (weights[k] > 0) sum += weights[k] * candidates_[k].forecasts[origin * horizon_ + h];
  return std::clamp(sum, options_.min_value, options_.max_value);
}

// Weights from the errors at the values before the held-out ones, or at all of them.
std::vector<double> SeriesFitter::Weights(bool final) const {
  const size_t n = y_.size(), until = final ? n : n - horizon_;
  std::vector<double> error(candidates_.size(), 0.0), weights(candidates_.size(), 0.0);
  double count = 0;
  for (size_t o = 0; o < origins_.size(); ++o)
    for (size_t h = 0; h < horizon_ && origins_[o] + h < until; ++h) {
      count += 1;
      for (size_t k = 0; k < candidates_.size(); ++k) {
        const double forecast =
            std::clamp(candidates_[k].forecasts[o * horizon_ + h], options_.min_value, options_.max_value);
        const double e = forecast - y_[origins_[o] + h];
        error[k] += intermittent_ ? e * e : std::fabs(e);
      }
    }
  double best = std::numeric_limits<double>::infinity();
  for (double& e : error) {
    e = count == 0 ? 1 : intermittent_ ? std::sqrt(e / count) : e / count;
    if (!(e < 1e300)) e = 1e300;
    best = std::min(best, e);
  }
  const double floor = 1e-9 * MeanAbsoluteDifference(y_, 1) + 1e-300;
  best = std::max(best, floor);
  double total = 0;
  size_t heaviest = 0;
  for (size_t k = 0; k < candidates_.size(); ++k) {
    const Candidate& candidate = candidates_[k];
    const double share = best / std::max(error[k], floor);
    const double prior = final ? candidate.final_prior : candidate.prior;
    if (share < 1 / kWorst && candidate.role != Role::kBest) continue;
    weights[k] = prior * share * share * share * share;
    total += weights[k];
    if (weights[k] > weights[heaviest]) heaviest = k;
  }
  if (options_.choose_one || !(total > 0)) {
    std::fill(weights.begin(), weights.end(), 0.0);
    weights[heaviest] = total = 1;
  }
  for (double& w : weights) w /= total;
  // What hardly counts is not worth its state.
  double kept = 0;
  for (double& w : weights) kept += w = w < 0.02 ? 0 : w;
  for (double& w : weights) w /= kept;
  return weights;
}

// The profile of the errors at values before `until`, in units of y at a level.
ErrorProfile SeriesFitter::Profile(const std::vector<double>& weights, size_t until, double level,
                                   uint64_t* errors) const {
  std::vector<double> sums(horizon_, 0.0);
  std::vector<uint32_t> counts(horizon_, 0);
  for (size_t o = 0; o < origins_.size(); ++o)
    for (size_t h = 0; h < horizon_ && origins_[o] + h < until; ++h) {
      sums[h] += std::fabs(Combined(weights, o, h) - y_[origins_[o] + h]) / level_[o];
      ++counts[h];
      if (errors != nullptr) ++*errors;
    }
  ErrorProfile profile = FitProfile(sums, counts);
  for (float& v : profile.at) v = ErrorProfile::Stored(v * level);
  return profile;
}

uint32_t SeriesFitter::Windows(size_t values) const {
  return static_cast<uint32_t>(std::max<size_t>(1, values / std::max<size_t>(1, horizon_ / 2)));
}

// Forecasts of the last horizon of values, weighted and calibrated by what came before.
void SeriesFitter::HoldOut() {
  const size_t last = y_.size() - horizon_;
  HeldOut& held = result_.held_out;
  const auto at = static_cast<size_t>(std::find(origins_.begin(), origins_.end(), last) - origins_.begin());
  const std::vector<double> before = Weights(false);
  held.values = horizon_;
  held.scale = MeanAbsoluteDifference(y_.first(last), last > options_.season ? options_.season : 1);
  held.profile = Profile(before, last, level_[at], nullptr);
  held.windows = last > head_ ? Windows(last - head_) : 0;
  for (size_t h = 0; h < horizon_; ++h) {
    const double forecast = Combined(before, at, h), truth = y_[last + h], error = truth - forecast;
    const double size = std::fabs(truth) + std::fabs(forecast);
    held.errors.push_back(error);
    held.absolute += std::fabs(error);
    held.squares += error * error;
    if (size > 0) held.smape += 2 * std::fabs(error) / size;
  }
}

// All errors by the profile, and how dependent those of one horizon are.
void SeriesFitter::Score(const std::vector<double>& weights) {
  result_.scores.AddSeries();
  for (uint32_t h = 0; h < horizon_; ++h) {
    const uint32_t quarter = QuarterOf(h + 1, horizon_);
    double sum = 0, squares = 0, count = 0;
    for (size_t o = 0; o < origins_.size() && origins_[o] + h < y_.size(); ++o) {
      const double unit = result_.profile.Value(h + 1) * level_[o] / level_.back();
      if (!(unit > 0)) continue;
      const double score = (y_[origins_[o] + h] - Combined(weights, o, h)) / unit;
      result_.scores.Add(quarter, std::fabs(score));
      sum += score;
      squares += score * score;
      count += 1;
    }
    if (squares > 0 && std::isfinite(squares)) result_.scores.AddDependence(quarter, (sum * sum / squares - 1) / count);
  }
}

void SeriesFitter::Weigh() {
  const size_t n = y_.size();
  double best_aicc = 1e300;
  for (const Candidate& candidate : candidates_)
    if (candidate.role != Role::kOther) best_aicc = std::min(best_aicc, candidate.fit.aicc);
  const auto akaike = [best_aicc](double aicc) {
    return aicc >= 1e299 ? 0.0 : kLeastPrior + Exp(-0.5 * (aicc - best_aicc));
  };
  double trendless = 1;
  for (Candidate& candidate : candidates_) {
    if (candidate.role == Role::kOther) continue;
    candidate.final_prior = akaike(candidate.fit.aicc);
    if (candidate.role == Role::kTrendless) trendless = candidate.final_prior;
  }
  for (Candidate& candidate : candidates_)
    if (candidate.method == ForecastMethod::kTheta && season_ == 1) candidate.final_prior = kNoLikelihood * trendless;
  const std::vector<double> weights = Weights(true);
  result_.profile = Profile(weights, n, level_.back(), &result_.backtest_errors);
  result_.windows = Windows(n - origins_.front());
  if (!result_.profile.at.empty()) Score(weights);
  std::vector<double> shares = weights;
  for (size_t k = 1; k < candidates_.size(); ++k)  // two roles of one shape are one member
    for (size_t i = 0; i < k; ++i) {
      const Candidate &a = candidates_[i], &b = candidates_[k];
      if (a.role == Role::kOther || b.role == Role::kOther || !(a.fit.shape == b.fit.shape)) continue;
      shares[i] += shares[k];
      shares[k] = 0;
    }
  for (size_t k = 0; k < candidates_.size(); ++k)
    if (shares[k] > 0) result_.members.push_back({shares[k], std::move(candidates_[k].forecaster)});
  std::stable_sort(result_.members.begin(), result_.members.end(),
                   [](const ForecastMember& a, const ForecastMember& b) { return a.weight > b.weight; });
}

}  // namespace retrain
