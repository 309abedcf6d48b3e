// Exponential smoothing state space models (see ets.h).
#include "core/forecast/ets.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/base/eigen.h"
#include "core/base/math.h"
#include "core/forecast/decode.h"
#include "core/forecast/simplex.h"

namespace retrain {
namespace {

constexpr double kBroken = 1e300;
// Initial states of seasons up to here are estimated one by one.
constexpr uint32_t kLongSeason = 24;

// The logarithm of a product of many positive factors, with one logarithm for each hundred orders of magnitude.
class LogProduct {
 public:
  void Multiply(double factor) {
    product_ *= factor;
    if (product_ > 1e100 || product_ < 1e-100) {
      log_ += Log(product_);
      product_ = 1;
    }
  }
  double Value() const { return log_ + Log(product_); }

 private:
  double log_ = 0, product_ = 1;
};

// Where the errors of a run go besides its likelihood: their mean square, or each of them.
struct Errors {
  double mean_square = 0;
  double* each = nullptr;
};

template <bool kTrend, SeasonKind kSeason, bool kRelative>
double Filter(std::span<const double> y, const EtsParameters& a, EtsState& state, Errors& errors) {
  double level = state.level, trend = state.trend, squares = 0;
  double* const season = state.season.data();
  const size_t m = state.season.size();
  LogProduct forecasts;
  size_t next = 0;
  double* each = errors.each;
  for (const double value : y) {
    const double p = kTrend ? level + a.phi * trend : level;
    if constexpr (kSeason == SeasonKind::kMultiplicative) {
      double& s = season[next];
      const double forecast = p * s;
      if (!(forecast > 1e-12) || !(s > 0)) return kBroken;
      const double relative = (value - forecast) / forecast;
      level = p + a.alpha * (relative * p);
      if constexpr (kTrend) trend = a.phi * trend + a.beta * (relative * p);
      s += a.gamma * (relative * s);
      const double e = kRelative ? relative : value - forecast;
      squares += e * e;
      if (each != nullptr) *each++ = e;
      if constexpr (kRelative) forecasts.Multiply(forecast);
    } else {
      double forecast = p;
      if constexpr (kSeason == SeasonKind::kAdditive) forecast += season[next];
      const double error = value - forecast;
      level = p + a.alpha * error;
      if constexpr (kTrend) trend = a.phi * trend + a.beta * error;
      if constexpr (kSeason == SeasonKind::kAdditive) season[next] += a.gamma * error;
      if constexpr (kRelative) {
        if (!(forecast > 1e-12)) return kBroken;
        const double relative = error / forecast;
        squares += relative * relative;
        forecasts.Multiply(forecast);
        if (each != nullptr) *each++ = relative;
      } else {
        squares += error * error;
        if (each != nullptr) *each++ = error;
      }
    }
    if constexpr (kSeason != SeasonKind::kNone)
      if (++next == m) next = 0;
  }
  if constexpr (kSeason != SeasonKind::kNone)
    std::rotate(state.season.begin(), state.season.begin() + static_cast<ptrdiff_t>(next), state.season.end());
  state.level = level;
  state.trend = trend;
  const double n = static_cast<double>(y.size());
  errors.mean_square = squares / n;
  if (!std::isfinite(squares) || !std::isfinite(level) || !std::isfinite(trend)) return kBroken;
  double likelihood = n * Log(std::max(squares, 1e-300));
  if constexpr (kRelative) likelihood += 2 * forecasts.Value();
  return likelihood;
}

template <bool kTrend, SeasonKind kSeason>
double Filter(std::span<const double> y, const EtsShape& shape, const EtsParameters& a, EtsState& state,
              Errors& errors) {
  return shape.multiplicative_error ? Filter<kTrend, kSeason, true>(y, a, state, errors)
                                    : Filter<kTrend, kSeason, false>(y, a, state, errors);
}

template <bool kTrend>
double Filter(std::span<const double> y, const EtsShape& shape, const EtsParameters& a, EtsState& state,
              Errors& errors) {
  switch (shape.season) {
    case SeasonKind::kAdditive:
      return Filter<kTrend, SeasonKind::kAdditive>(y, shape, a, state, errors);
    case SeasonKind::kMultiplicative:
      return Filter<kTrend, SeasonKind::kMultiplicative>(y, shape, a, state, errors);
    case SeasonKind::kNone:
      break;
  }
  return Filter<kTrend, SeasonKind::kNone>(y, shape, a, state, errors);
}

double Run(std::span<const double> y, const EtsShape& shape, const EtsParameters& a, EtsState& state, Errors& errors) {
  return shape.trend ? Filter<true>(y, shape, a, state, errors) : Filter<false>(y, shape, a, state, errors);
}

// Level and trend of a least-squares line through y[0 …], at the step before the first; the mean when there is no trend.
void FitLine(std::span<const double> y, bool trend, EtsState& state) {
  const double n = static_cast<double>(y.size());
  double sum = 0, weighted = 0;
  for (size_t t = 0; t < y.size(); ++t) {
    sum += y[t];
    weighted += (static_cast<double>(t) - (n - 1) / 2) * y[t];
  }
  state.level = sum / n;
  state.trend = 0;
  if (!trend || y.size() < 2) return;
  state.trend = weighted / (n * (n * n - 1) / 12);
  state.level -= state.trend * (n + 1) / 2;
}

// Initial states from the head of the series: seasonal indices of up to four seasons, then a line through what they leave
// of the first ten values or two seasons.
EtsState InitialState(std::span<const double> y, uint32_t m, const EtsShape& shape) {
  EtsState state;
  const bool seasonal = shape.season != SeasonKind::kNone;
  const size_t head = std::min<size_t>(y.size(), std::max<size_t>(10, 2 * static_cast<size_t>(m)));
  std::vector<double> adjusted(y.begin(), y.begin() + static_cast<ptrdiff_t>(head));
  if (seasonal) {
    state.season = SeasonalIndices(y.first(std::min<size_t>(y.size(), 4 * static_cast<size_t>(m))), m, shape.season);
    if (shape.season == SeasonKind::kMultiplicative)
      for (double& s : state.season) s = std::max(s, 1e-2);
    for (size_t t = 0; t < head; ++t) {
      const double s = state.season[t % m];
      adjusted[t] = shape.season == SeasonKind::kMultiplicative ? y[t] / s : y[t] - s;
    }
  }
  FitLine(adjusted, shape.trend, state);
  if (shape.multiplicative_error || shape.season == SeasonKind::kMultiplicative) {
    // The first forecast has to be positive.
    if (state.level + state.trend <= 0) {
      state.trend = 0;
      state.level = 0;
      for (const double v : adjusted) state.level += v / static_cast<double>(head);
    }
  }
  return state;
}

// Parameters of the search, each free in its own interval: alpha, beta / alpha, gamma / (1 - alpha), phi and, for models
// without a season, the initial level and trend in units of the series.
struct Coordinates {
  EtsShape shape;
  double scale = 1, level = 0, trend = 0;  // of the initial states
  bool initial = false;                    // they are searched for

  int Size() const {
    return 1 + (shape.trend ? 1 : 0) + (shape.season != SeasonKind::kNone ? 1 : 0) + (shape.damped ? 1 : 0) +
           (initial ? 1 + (shape.trend ? 1 : 0) : 0);
  }
  void Read(const Simplex::Point& x, EtsParameters& a, EtsState& state) const {
    int i = 0;
    a.alpha = x[i++];
    a.beta = shape.trend ? x[i++] * a.alpha : 0;
    a.gamma = shape.season != SeasonKind::kNone ? x[i++] * (1 - a.alpha) : 0;
    a.phi = shape.damped ? x[i++] : 1;
    if (!initial) return;
    state.level = level + scale * x[i++];
    if (shape.trend) state.trend = trend + scale * x[i++];
  }
  Simplex::Point Write(const EtsParameters& a) const {
    Simplex::Point x{};
    int i = 0;
    x[i++] = a.alpha;
    if (shape.trend) x[i++] = a.beta / a.alpha;
    if (shape.season != SeasonKind::kNone) x[i++] = a.gamma / (1 - a.alpha);
    if (shape.damped) x[i++] = a.phi;
    return x;
  }
  void Box(Simplex& simplex, Simplex::Point& step) const {
    int i = 0;
    const auto add = [&](double low, double high, double first) {
      simplex.low[i] = low;
      simplex.high[i] = high;
      step[i++] = first;
    };
    add(1e-4, 0.9999, 0.2);
    if (shape.trend) add(1e-4, 0.9999, 0.15);
    if (shape.season != SeasonKind::kNone) add(1e-4, 0.9999, 0.15);
    if (shape.damped) add(0.8, 0.98, -0.05);
    if (initial) add(-1e3, 1e3, 1.0);
    if (initial && shape.trend) add(-1e3, 1e3, 0.2);
    simplex.n = i;
  }
};

uint32_t ParameterCount(const EtsShape& shape, uint32_t m) {
  return 3 + (shape.trend ? 2 : 0) + (shape.damped ? 1 : 0) + (shape.season != SeasonKind::kNone ? m : 0);
}

double CorrectedAic(double likelihood, double n, uint32_t parameters) {
  const double k = parameters;
  return n - k - 1 > 0 ? likelihood + 2 * k * n / (n - k - 1) : kBroken;
}

// Casts the series back: the states at its end, run over it in reverse, give the states before its beginning. False, and
// nothing changed, where that breaks down.
bool CastBack(std::span<const double> y, const std::vector<double>& reversed, EtsFit& fit) {
  EtsState state = fit.initial;
  if (FilterEts(y, fit.shape, fit.parameters, state) >= kBroken) return false;
  state.trend = -state.trend;
  // Reversed, the season of the last value comes first.
  std::reverse(state.season.begin(), state.season.end());
  if (FilterEts(reversed, fit.shape, fit.parameters, state) >= kBroken) return false;
  state.trend = -state.trend;
  std::reverse(state.season.begin(), state.season.end());
  EtsState trial = state;
  const double likelihood = FilterEts(y, fit.shape, fit.parameters, trial);
  if (!(likelihood < fit.likelihood)) return false;
  fit.initial = std::move(state);
  fit.likelihood = likelihood;
  return true;
}

// One Gauss-Newton step of the initial states at fixed parameters: least squares on the errors as they change with each
// state. False, and nothing changed, where that does not raise the likelihood.
bool ImproveInitial(std::span<const double> y, EtsFit& fit) {
  const size_t n = y.size(), m = fit.initial.season.size();
  const size_t columns = 1 + (fit.shape.trend ? 1 : 0) + m;
  const auto component = [&](EtsState& state, size_t k) -> double& {
    if (k == 0) return state.level;
    if (fit.shape.trend && k == 1) return state.trend;
    return state.season[k - columns + m];
  };
  Eigen::MatrixXd jacobian(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(columns));
  Eigen::VectorXd now(static_cast<Eigen::Index>(n));
  EtsState state = fit.initial;
  Errors errors;
  errors.each = now.data();
  if (Run(y, fit.shape, fit.parameters, state, errors) >= kBroken) return false;
  for (size_t k = 0; k < columns; ++k) {
    state = fit.initial;
    const bool index = k >= columns - m && fit.shape.season == SeasonKind::kMultiplicative;
    const double step = 1e-4 * (index ? 1.0 : std::max(std::fabs(fit.initial.level), 1e-6));
    component(state, k) += step;
    auto column = jacobian.col(static_cast<Eigen::Index>(k));
    errors.each = column.data();
    if (Run(y, fit.shape, fit.parameters, state, errors) >= kBroken) return false;
    column = (column - now) / step;
  }
  Eigen::MatrixXd normal = jacobian.transpose() * jacobian;
  // Level and season can take each other's part: the trace of a penalty keeps them where they are.
  normal.diagonal() *= 1 + 1e-6;
  normal.diagonal().array() += 1e-12 * normal.trace() + 1e-300;
  const Eigen::VectorXd move = normal.ldlt().solve(jacobian.transpose() * now);
  if (!move.allFinite()) return false;
  EtsState initial = fit.initial;
  for (size_t k = 0; k < columns; ++k) component(initial, k) -= move[static_cast<Eigen::Index>(k)];
  state = initial;
  const double likelihood = FilterEts(y, fit.shape, fit.parameters, state);
  if (!(likelihood < fit.likelihood)) return false;
  fit.initial = std::move(initial);
  fit.likelihood = likelihood;
  return true;
}

// Likelihoods have several valleys: the search begins in the deepest of a few places. Returns the evaluations it took.
int ChooseStart(std::span<const double> y, const EtsShape& shape, EtsFit& fit) {
  int evaluations = 0;
  double least = kBroken;
  EtsParameters best = fit.parameters;
  for (const double alpha : {0.1, 0.4, 0.8}) {
    for (const double share : {0.05, 0.8}) {  // beta / alpha
      if (share > 0.5 && !shape.trend) continue;
      for (const double gamma : {0.02, 0.3}) {
        if (gamma > 0.1 && shape.season == SeasonKind::kNone) continue;
        if (gamma > 0.1 && share > 0.5) continue;
        const EtsParameters trial{alpha, shape.trend ? share * alpha : 0,
                                  shape.season != SeasonKind::kNone ? gamma * (1 - alpha) : 0, fit.parameters.phi};
        EtsState state = fit.initial;
        ++evaluations;
        const double likelihood = FilterEts(y, shape, trial, state);
        if (!(likelihood < least)) continue;
        least = likelihood;
        best = trial;
      }
    }
  }
  fit.parameters = best;
  return evaluations;
}

double StandardDeviation(std::span<const double> y) {
  double mean = 0, squares = 0;
  for (const double v : y) mean += v / static_cast<double>(y.size());
  for (const double v : y) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / static_cast<double>(y.size()));
}

}  // namespace

std::string EtsShape::Name() const {
  return std::string(multiplicative_error ? "M" : "A") + (trend ? (damped ? ",Ad" : ",A") : ",N") +
         (season == SeasonKind::kNone       ? ",N"
          : season == SeasonKind::kAdditive ? ",A"
                                            : ",M");
}

double FilterEts(std::span<const double> y, const EtsShape& shape, const EtsParameters& parameters, EtsState& state,
                 double* sigma2) {
  Errors errors;
  const double likelihood = Run(y, shape, parameters, state, errors);
  if (sigma2 != nullptr) *sigma2 = errors.mean_square;
  return likelihood;
}

std::vector<EtsShape> EtsShapes(std::span<const double> y, uint32_t m) {
  const bool positive = std::all_of(y.begin(), y.end(), [](double v) { return v > 0; });
  const bool seasonal = m >= 2 && y.size() >= 2 * static_cast<size_t>(m) + 5;
  std::vector<EtsShape> shapes;
  for (const SeasonKind season : {SeasonKind::kNone, SeasonKind::kAdditive, SeasonKind::kMultiplicative}) {
    if (season != SeasonKind::kNone && !seasonal) continue;
    if (season == SeasonKind::kMultiplicative && !positive) continue;
    for (const bool relative : {false, true}) {
      if (relative && !positive) continue;
      if (!relative && season == SeasonKind::kMultiplicative) continue;  // unstable: section 2.5.2
      for (int trend = 0; trend < 3; ++trend) {
        const EtsShape shape{relative, trend > 0, trend == 2, season};
        if (y.size() > ParameterCount(shape, m) + 1) shapes.push_back(shape);
      }
    }
  }
  return shapes;
}

EtsFit FitEts(std::span<const double> y, uint32_t m, const EtsShape& shape, int max_evaluations, const EtsFit* start) {
  const bool seasonal = shape.season != SeasonKind::kNone;
  EtsFit fit;
  fit.shape = shape;
  fit.initial = start != nullptr ? start->initial : InitialState(y, m, shape);
  if (start != nullptr) {
    fit.parameters = start->parameters;
  } else {
    fit.parameters = {seasonal ? 0.2 : 0.4, 0, 0, shape.damped ? 0.95 : 1.0};
    fit.parameters.beta = shape.trend ? 0.1 * fit.parameters.alpha : 0;
    fit.parameters.gamma = seasonal ? 0.1 * (1 - fit.parameters.alpha) : 0;
  }
  Coordinates coordinates{shape, std::max(StandardDeviation(y), 1e-9), fit.initial.level, fit.initial.trend, !seasonal};
  Simplex simplex;
  Simplex::Point step{};
  coordinates.Box(simplex, step);
  const std::vector<double> reversed(y.rbegin(), y.rend());
  EtsState state;
  int left = max_evaluations;
  if (start == nullptr) left -= ChooseStart(y, shape, fit);
  for (int round = 0; round < (seasonal ? 3 : 1) && left > 0; ++round) {
    if (round > 0 && !(m <= kLongSeason ? ImproveInitial(y, fit) : CastBack(y, reversed, fit))) break;
    Simplex::Point x = coordinates.Write(fit.parameters);
    simplex.max_evaluations = round == 0 && seasonal ? left / 2 : left;
    if (round > 0)
      for (double& s : step) s /= 3;
    EtsParameters trial;
    const double likelihood = simplex.Minimise(x, step, [&](const Simplex::Point& point) {
      state.level = fit.initial.level;
      state.trend = fit.initial.trend;
      state.season.assign(fit.initial.season.begin(), fit.initial.season.end());
      coordinates.Read(point, trial, state);
      return FilterEts(y, shape, trial, state);
    });
    left -= simplex.evaluations;
    if (likelihood >= kBroken) return fit;
    coordinates.Read(x, fit.parameters, fit.initial);
    fit.likelihood = likelihood;
  }
  if (seasonal && m <= kLongSeason) ImproveInitial(y, fit);
  fit.final = fit.initial;
  fit.likelihood = FilterEts(y, shape, fit.parameters, fit.final, &fit.sigma2);
  fit.aicc = fit.likelihood >= kBroken
                 ? kBroken
                 : CorrectedAic(fit.likelihood, static_cast<double>(y.size()), ParameterCount(shape, m));
  return fit;
}

void Ets::Update(double y, const Exogenous&) {
  const double p = state_.level + (shape_.trend ? parameters_.phi * state_.trend : 0);
  double error = y - p, of_season = error;
  if (shape_.season == SeasonKind::kAdditive) {
    error -= state_.season[next_];
    of_season = error;
  }
  if (shape_.season == SeasonKind::kMultiplicative) {
    const double s = state_.season[next_];
    // A state that cannot be divided by stays as it is: the next value may be an ordinary one again.
    if (!(p > 1e-12) || !(s > 1e-12))
      error = of_season = 0;
    else {
      error = (y - p * s) / s;
      of_season = (y - p * s) / p;
    }
  }
  state_.level = p + parameters_.alpha * error;
  if (shape_.trend) state_.trend = parameters_.phi * state_.trend + parameters_.beta * error;
  if (shape_.season == SeasonKind::kNone) return;
  state_.season[next_] += parameters_.gamma * of_season;
  if (++next_ == state_.season.size()) next_ = 0;
}

void Ets::Forecast(std::span<double> out, const Exogenous&) const {
  double p = state_.level, damping = 0, factor = 1;
  size_t s = next_;
  for (double& value : out) {
    if (shape_.trend) {
      factor *= parameters_.phi;
      damping += factor;
      p = state_.level + damping * state_.trend;
    }
    value = p;
    if (shape_.season == SeasonKind::kNone) continue;
    if (shape_.season == SeasonKind::kAdditive) value += state_.season[s];
    if (shape_.season == SeasonKind::kMultiplicative) value *= state_.season[s];
    if (++s == state_.season.size()) s = 0;
  }
}

void Ets::Encode(ByteWriter& out) const {
  out.Put(
      static_cast<uint8_t>((shape_.multiplicative_error ? 1 : 0) | (shape_.trend ? 2 : 0) | (shape_.damped ? 4 : 0)));
  out.Put(static_cast<uint8_t>(shape_.season));
  for (const double v :
       {parameters_.alpha, parameters_.beta, parameters_.gamma, parameters_.phi, state_.level, state_.trend})
    out.Put(v);
  out.Put(static_cast<uint32_t>(state_.season.size()));
  for (size_t i = 0; i < state_.season.size(); ++i) out.Put(state_.season[(next_ + i) % state_.season.size()]);
}

std::unique_ptr<Ets> Ets::Decode(ByteReader& in) {
  EtsShape shape;
  const auto flags = in.Get<uint8_t>();
  const auto season = in.Get<uint8_t>();
  if (flags > 7 || season > 2) CorruptedState("an unknown shape of exponential smoothing");
  shape.multiplicative_error = (flags & 1) != 0;
  shape.trend = (flags & 2) != 0;
  shape.damped = (flags & 4) != 0;
  shape.season = static_cast<SeasonKind>(season);
  EtsParameters a;
  EtsState state;
  for (double* v : {&a.alpha, &a.beta, &a.gamma, &a.phi, &state.level, &state.trend}) *v = GetFinite(in);
  state.season = GetSeason(in);
  if (state.season.empty() != (shape.season == SeasonKind::kNone)) CorruptedState("a season without its indices");
  return std::make_unique<Ets>(shape, a, std::move(state));
}

}  // namespace retrain
