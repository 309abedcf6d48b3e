// Fits of one series, on its head and on the whole of it (see select.h).
#include "core/forecast/select.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/math.h"
#include "core/forecast/adjusted.h"
#include "core/forecast/intermittent.h"
#include "core/forecast/naive.h"
#include "core/forecast/select_candidate.h"
#include "core/forecast/theta.h"

namespace retrain {
namespace {

using Role = CandidateRole;

// Likelihood evaluations of a first and of a continued search.
constexpr int kSearch = 100, kContinue = 50;
// Smoothing methods look at no more than this many of the latest values, which keeps each piece of work short.
constexpr size_t kSmoothed = 4000;
// Fewer values do not tell trend, seasons and exogenous columns apart.
constexpr size_t kLeastForTerms = 20;

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
  size_t back = std::max<size_t>({2 * horizon_, horizon_ + seasons, std::min(3 * horizon_ + seasons, n / 3)});
  back = std::min(back, n / 2);
  head_ = n - back;
  const size_t enough = 3 * static_cast<size_t>(season_) + 6;
  if (season_ > 1 && head_ < enough)
    head_ = std::min(n - std::max<size_t>(2, std::min<size_t>(horizon_, n / 6)), enough);
  horizon_ = static_cast<uint32_t>(std::min<size_t>(horizon_, n - head_));
  const bool enough_for_terms = options_.regression && head_ >= kLeastForTerms;
  use_terms_ = enough_for_terms && Allows(ForecastMethod::kRegression);
  adjusts_ = enough_for_terms && x_.columns > 0 && !intermittent_;
  result_.effects = x_.columns > 0 && (use_terms_ || adjusts_);
}

// Of the head, or of the whole series when the methods have been compared. True when done.
bool SeriesFitter::FitEffects() {
  if (pending_ == nullptr) pending_ = BeginRegression(origins_.empty() ? y_.first(head_) : y_, false);
  if (!pending_->Advance()) return false;
  effects_.reference = pending_->Reference();
  effects_.coefficients = std::exchange(pending_, nullptr)->Take().exogenous();
  plain_.assign(y_.begin(), y_.end());
  for (size_t t = 0; t < plain_.size(); ++t) plain_[t] -= effects_.Of(x_.values.subspan(t * x_.columns, x_.columns));
  return true;
}

std::span<const double> SeriesFitter::Plain() const {
  return effects_.coefficients.empty() ? y_ : std::span<const double>(plain_);
}

std::unique_ptr<Forecaster> SeriesFitter::WithEffects(std::unique_ptr<Forecaster> forecaster) const {
  if (effects_.coefficients.empty()) return forecaster;
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

}  // namespace retrain
