// Backtest, weights and final fit of one series (see select.h).
#include "core/forecast/select.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/math.h"
#include "core/forecast/adjusted.h"
#include "core/forecast/intermittent.h"
#include "core/forecast/naive.h"
#include "core/forecast/theta.h"

namespace retrain {
namespace {

// Likelihood evaluations of a first and of a continued search.
constexpr int kSearch = 100, kContinue = 50;
// Smoothing methods look at no more than this many of the latest values, which keeps each piece of work short.
constexpr size_t kSmoothed = 4000;
constexpr uint32_t kMostOrigins = 60;
// How much worse than the best a method may be, and how much methods without a likelihood weigh beside one that has it.
constexpr double kWorst = 1.35, kNoLikelihood = 0.5, kLeastPrior = 0.1;
// A level that is so small a share of the mean of all values before it is no measure of errors.
constexpr double kCollapsed = 0.1;

enum class Role { kBest, kDamped, kTrendless, kOther };

double MeanAbsoluteDifference(std::span<const double> y, size_t lag) {
  if (y.size() <= lag) return 0;
  double sum = 0;
  for (size_t t = lag; t < y.size(); ++t) sum += std::fabs(y[t] - y[t - lag]);
  return sum / static_cast<double>(y.size() - lag);
}

// The fit of a role among fits sorted by AICc, or none.
const EtsFit* FitOfRole(const std::vector<EtsFit>& fits, Role role) {
  for (const EtsFit& fit : fits) {
    if (fit.aicc >= 1e299) break;
    if (role == Role::kBest || (role == Role::kDamped && fit.shape.damped) ||
        (role == Role::kTrendless && !fit.shape.trend))
      return &fit;
  }
  return nullptr;
}

void SortByAicc(std::vector<EtsFit>& fits) {
  std::stable_sort(fits.begin(), fits.end(), [](const EtsFit& a, const EtsFit& b) { return a.aicc < b.aicc; });
}

}  // namespace

enum SeriesFitter::Stage : int { kStart, kEffects, kShapes, kOthers, kRegression, kRoll, kRefit, kDone };

struct SeriesFitter::Candidate {
  ForecastMethod method;
  Role role = Role::kOther;
  std::unique_ptr<Forecaster> forecaster;  // of the head, later of the whole series
  EtsFit fit;                              // of roles that are exponential smoothing
  double prior = kNoLikelihood, final_prior = kNoLikelihood;
  std::vector<double> forecasts;  // origins × horizon
};

SeriesFitter::SeriesFitter(std::span<const double> y, const Exogenous& x, SelectOptions options)
    : y_(y), x_(x), options_(std::move(options)) {}
SeriesFitter::~SeriesFitter() = default;

bool SeriesFitter::Allows(ForecastMethod method) const {
  const auto& allowed = options_.allowed;
  return std::none_of(allowed.begin(), allowed.end(), [](bool b) { return b; }) || allowed[static_cast<size_t>(method)];
}

bool SeriesFitter::Advance() {
  switch (stage_) {
    case kStart:
      Begin();
      if (stage_ == kDone) break;
      if (adjusts_)
        stage_ = kEffects;
      else
        ChooseShapes();
      break;
    case kEffects:
      if (!FitEffects()) break;
      if (origins_.empty())
        ChooseShapes();
      else
        BeginRefit();
      break;
    case kShapes:
    case kRefit:
      if (stage_ == kRefit && next_shape_ >= shapes_.size()) {
        Refit();
        if (next_member_ == candidates_.size()) {
          Weigh();
          stage_ = kDone;
        }
        break;
      }
      FitShape();
      if (next_shape_ == shapes_.size()) {
        SortByAicc(fits_);
        if (stage_ == kShapes) stage_ = kOthers;
      }
      break;
    case kOthers:
      FitOthers();
      stage_ = pending_ != nullptr ? kRegression : kRoll;
      break;
    case kRegression:
      if (!pending_->Advance()) break;
      for (Candidate& candidate : candidates_)
        if (candidate.forecaster == nullptr) candidate.forecaster = std::make_unique<Regression>(pending_->Take());
      pending_ = nullptr;
      stage_ = kRoll;
      break;
    case kRoll:
      Roll();
      HoldOut();
      if (options_.held_out_only)
        stage_ = kDone;
      else if (adjusts_)
        stage_ = kEffects;
      else
        BeginRefit();
      break;
    default:
      break;
  }
  return stage_ == kDone;
}

void SeriesFitter::FallBack(FallbackReason reason) {
  result_.fallback = reason;
  const bool mean = Allows(ForecastMethod::kMean) && !Allows(ForecastMethod::kNaive);
  std::unique_ptr<Forecaster> forecaster;
  if (mean)
    forecaster = std::make_unique<Mean>(Mean::Fit(y_));
  else
    forecaster = std::make_unique<SeasonalNaive>(SeasonalNaive::Fit(y_, 1));
  result_.members.push_back({1, std::move(forecaster)});
  result_.windows = 1;
  // What the value has moved by from step to step is all there is; a walk grows with the root of the horizon.
  if (y_.size() > 1) {
    result_.profile.at.push_back(static_cast<float>(MeanAbsoluteDifference(y_, 1)));
    result_.profile.growth = 0.5f;
  }
  stage_ = kDone;
}

void SeriesFitter::Begin() {
  const size_t n = y_.size();
  if (std::all_of(y_.begin(), y_.end(), [this](double v) { return v == y_[0]; }) && (n > 1 || x_.columns == 0))
    return FallBack(n < 4 ? FallbackReason::kShort : FallbackReason::kConstant);
  if (n < 4) return FallBack(FallbackReason::kShort);
  intermittent_ = IsIntermittent(y_);
  season_ = options_.season;
  if (season_ > 1 && n < 2 * static_cast<size_t>(season_) + 5) {
    season_ = 1;
    result_.fallback = FallbackReason::kTooShortForSeason;
  }
  if (season_ > 24 && !HasSeason(y_.last(std::min(n, kSmoothed)), season_)) season_ = 1;
  horizon_ = static_cast<uint32_t>(std::min<size_t>(options_.horizon, std::max<size_t>(1, n / 5)));
  const size_t seasons = season_ > 1 ? 3 * std::min<size_t>(season_, 24) : 0;
  size_t back = std::max<size_t>({2 * horizon_, horizon_ + seasons, std::min(2 * horizon_ + seasons, n / 3)});
  back = std::min(back, n / 2);
  head_ = n - back;
  const size_t enough = 3 * static_cast<size_t>(season_) + 6;
  if (season_ > 1 && head_ < enough)
    head_ = std::min(n - std::max<size_t>(2, std::min<size_t>(horizon_, n / 6)), enough);
  horizon_ = static_cast<uint32_t>(std::min<size_t>(horizon_, n - head_));
  use_terms_ = options_.regression && head_ >= 20 && Allows(ForecastMethod::kRegression);
  adjusts_ = use_terms_ && x_.columns > 0 && !intermittent_;
}

// Of the head, or of the whole series when the methods have been compared. True when done.
bool SeriesFitter::FitEffects() {
  if (pending_ == nullptr) pending_ = BeginRegression(origins_.empty() ? y_.first(head_) : y_, false);
  if (!pending_->Advance()) return false;
  effects_ = std::exchange(pending_, nullptr)->Take().exogenous();
  plain_.assign(y_.begin(), y_.end());
  for (size_t t = 0; t < plain_.size(); ++t)
    plain_[t] -= EffectOf(effects_, x_.values.subspan(t * x_.columns, x_.columns));
  return true;
}

std::span<const double> SeriesFitter::Plain() const { return effects_.empty() ? y_ : std::span<const double>(plain_); }

std::unique_ptr<Forecaster> SeriesFitter::WithEffects(std::unique_ptr<Forecaster> forecaster) const {
  if (effects_.empty()) return forecaster;
  return std::make_unique<Adjusted>(effects_, std::move(forecaster));
}

void SeriesFitter::ChooseShapes() {
  if (Allows(ForecastMethod::kEts) && !intermittent_) {
    shapes_ = EtsShapes(Plain().first(head_).last(std::min(head_, kSmoothed)), season_);
  } else if (intermittent_ && Allows(ForecastMethod::kEts)) {
    shapes_ = {EtsShape{}};
  }
  stage_ = shapes_.empty() ? kOthers : kShapes;
}

void SeriesFitter::BeginRefit() {
  stage_ = kRefit;
  // A head of few seasons may have missed what the whole series shows: the shapes are then tried again.
  if (shapes_.empty() || y_.size() >= 6 * static_cast<size_t>(season_)) return;
  head_ = y_.size();
  shapes_ = EtsShapes(Plain(), season_);
  fits_.clear();
  next_shape_ = 0;
}

void SeriesFitter::FitShape() {
  const auto y = Plain().first(head_).last(std::min(head_, kSmoothed));
  fits_.push_back(FitEts(y, season_, shapes_[next_shape_++], kSearch));
}

std::unique_ptr<Forecaster> SeriesFitter::FitMethod(ForecastMethod method, std::span<const double> y) const {
  const auto latest = y.last(std::min(y.size(), kSmoothed));
  switch (method) {
    case ForecastMethod::kTheta:
      return std::make_unique<Theta>(Theta::Fit(latest, season_));
    case ForecastMethod::kSeasonalNaive:
      return std::make_unique<SeasonalNaive>(SeasonalNaive::Fit(y, season_));
    case ForecastMethod::kNaive:
      return std::make_unique<SeasonalNaive>(SeasonalNaive::Fit(y, 1));
    case ForecastMethod::kDrift:
      return std::make_unique<Drift>(Drift::Fit(y));
    case ForecastMethod::kIntermittent:
      return std::make_unique<Intermittent>(Intermittent::Fit(y));
    default:
      return std::make_unique<Mean>(Mean::Fit(y));
  }
}

std::unique_ptr<RegressionFit> SeriesFitter::BeginRegression(std::span<const double> y, bool logarithm) const {
  RegressionOptions regression;
  for (const SeasonTerms& terms : options_.terms)
    if (static_cast<double>(y.size()) >= 2 * terms.period) regression.seasons.push_back(terms);
  regression.logarithm = logarithm;
  return std::make_unique<RegressionFit>(y, x_, regression);
}

void SeriesFitter::FitOthers() {
  const auto y = Plain().first(head_);
  double best_aicc = 0;
  const EtsFit* trendless = FitOfRole(fits_, Role::kTrendless);
  if (const EtsFit* best = FitOfRole(fits_, Role::kBest)) {
    best_aicc = best->aicc;
    // What was above zero in the head may not be so later, and nothing is in proportion to zero.
    relative_ = best->shape.multiplicative_error && std::all_of(y_.begin(), y_.end(), [](double v) { return v > 0; });
  }
  const auto akaike = [best_aicc](const EtsFit& fit) { return kLeastPrior + Exp(-0.5 * (fit.aicc - best_aicc)); };
  for (const Role role : {Role::kBest, Role::kDamped, Role::kTrendless}) {
    const EtsFit* fit = FitOfRole(fits_, role);
    if (fit == nullptr || (intermittent_ && role != Role::kBest)) continue;
    Candidate candidate{
        ForecastMethod::kEts, role, WithEffects(std::make_unique<Ets>(*fit)), *fit, akaike(*fit), 1, {}};
    candidates_.push_back(std::move(candidate));
  }
  const auto add = [&](ForecastMethod method, double prior) {
    if (!Allows(method)) return;
    candidates_.push_back({method, Role::kOther, WithEffects(FitMethod(method, y)), {}, prior, prior, {}});
  };
  if (intermittent_) {
    add(ForecastMethod::kIntermittent, 1);
    add(ForecastMethod::kMean, kNoLikelihood);
  } else {
    // Without a season theta is exponential smoothing with a drift, and as likely as the smoothing is.
    const bool seasonal = season_ > 1;
    add(ForecastMethod::kTheta, kNoLikelihood * (seasonal || trendless == nullptr ? 1 : akaike(*trendless)));
    if (seasonal) add(ForecastMethod::kSeasonalNaive, kNoLikelihood);
  }
  if (use_terms_) {
    const double prior = x_.columns > 0 ? 1 : kNoLikelihood;
    candidates_.push_back({ForecastMethod::kRegression, Role::kOther, nullptr, {}, prior, prior, {}});
    pending_ = BeginRegression(y_.first(head_), relative_);
  }
  // Asked for by name, or nothing else there is.
  for (const ForecastMethod method : {ForecastMethod::kNaive, ForecastMethod::kDrift, ForecastMethod::kMean}) {
    if (options_.allowed[static_cast<size_t>(method)] && !(intermittent_ && method == ForecastMethod::kMean))
      add(method, kNoLikelihood);
  }
  if (candidates_.empty())
    candidates_.push_back(
        {ForecastMethod::kNaive, Role::kOther, WithEffects(FitMethod(ForecastMethod::kNaive, y)), {}, 1, 1, {}});
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

// One method's state over the whole series.
void SeriesFitter::Refit() {
  Candidate& candidate = candidates_[next_member_++];
  const size_t n = y_.size();
  const auto y = Plain().last(std::min(n, kSmoothed));
  if (candidate.method == ForecastMethod::kRegression) {
    if (pending_ == nullptr) pending_ = BeginRegression(y_, relative_);
    if (pending_->Advance())
      candidate.forecaster = std::make_unique<Regression>(std::exchange(pending_, nullptr)->Take());
    else
      --next_member_;  // goes on with the next piece
    return;
  }
  if (candidate.role == Role::kOther) {
    candidate.forecaster = WithEffects(FitMethod(candidate.method, Plain()));
    return;
  }
  const bool again = head_ == n;  // all shapes have been fitted to the whole series
  const EtsFit* fresh = again ? FitOfRole(fits_, candidate.role) : nullptr;
  if (fresh != nullptr) {
    candidate.fit = *fresh;
  } else {
    for (size_t i = 0; i + 1 < next_member_; ++i) {
      if (candidates_[i].role == Role::kOther || !(candidates_[i].fit.shape == candidate.fit.shape)) continue;
      candidate.fit = candidates_[i].fit;  // two roles of one shape
      candidate.forecaster = WithEffects(std::make_unique<Ets>(candidate.fit));
      return;
    }
    EtsFit fit = FitEts(y, season_, candidate.fit.shape, kContinue, &candidate.fit);
    if (fit.likelihood >= 1e299) fit = FitEts(y, season_, candidate.fit.shape, kSearch);
    if (fit.likelihood >= 1e299) {  // it cannot be this shape any more: the head's state, moved on, stays
      candidate.fit.aicc = fit.aicc;
      return;
    }
    candidate.fit = std::move(fit);
  }
  candidate.forecaster = WithEffects(std::make_unique<Ets>(candidate.fit));
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
  if (!result_.profile.at.empty()) {
    result_.scores.AddSeries();
    for (size_t o = 0; o < origins_.size(); ++o)
      for (size_t h = 0; h < horizon_ && origins_[o] + h < n; ++h) {
        const double unit = result_.profile.Value(static_cast<uint32_t>(h + 1)) * level_[o] / level_.back();
        const double error = std::fabs(Combined(weights, o, h) - y_[origins_[o] + h]);
        if (unit > 0) result_.scores.Add(QuarterOf(static_cast<uint32_t>(h + 1), horizon_), error / unit);
      }
  }
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
