// Trend, Fourier terms and exogenous columns by penalised least squares (see regression.h).
#include "core/forecast/regression.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/eigen.h"
#include "core/base/math.h"
#include "core/forecast/decode.h"
#include "core/forecast/waves.h"

namespace retrain {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Penalties in units of the residual variance: time is scaled to [0, 1] and y to unit variance.
constexpr double kWavePenalty = 0.02, kExogenousPenalty = 0.05;
constexpr double kChangePenalties[] = {0.05, 0.5, 5, 50, 1e6};

uint32_t WaveColumns(const SeasonTerms& season) { return 2 * season.harmonics; }

// Columns of the design: intercept, slope, changes of slope, waves, exogenous.
struct Layout {
  uint32_t changes = 0, waves = 0, exogenous = 0;
  uint32_t Waves() const { return 2 + changes; }
  uint32_t Exogenous() const { return Waves() + waves; }
  uint32_t Columns() const { return Exogenous() + exogenous; }
};

// exp and log that stay finite.
double ToOriginal(double value, bool logarithm) { return logarithm ? Exp(std::min(value, 700.0)) : value; }

void FillRow(double time, uint64_t step, const Layout& layout, const RegressionOptions& options, const double* x,
             double* row) {
  row[0] = 1;
  row[1] = time;
  for (uint32_t k = 0; k < layout.changes; ++k) {
    const double at = 0.9 * (k + 1) / (layout.changes + 1);
    row[2 + k] = std::max(0.0, time - at);
  }
  double* wave = row + layout.Waves();
  for (const SeasonTerms& season : options.seasons) {
    const double turn = static_cast<double>(step) / season.period;
    for (uint32_t j = 1; j <= season.harmonics; ++j) {
      const Wave w = WaveAt(j * turn);
      *wave++ = w.sin;
      *wave++ = w.cos;
    }
  }
  for (uint32_t k = 0; k < layout.exogenous; ++k) row[layout.Exogenous() + k] = x[k];
}

// The solution of (A + diag(penalty)) w = b and the log marginal likelihood of y under it, where A = X'X, b = X'y and
// yy = y'y: w ~ N(0, sigma^2 / penalty), sigma^2 integrated out at its best value. Free columns have no penalty.
struct Solution {
  Eigen::VectorXd w;
  double evidence = -1e300;
};

Solution Solve(const Eigen::MatrixXd& a, const Eigen::VectorXd& b, double yy, double n,
               const Eigen::VectorXd& penalty) {
  Solution solution;
  Eigen::MatrixXd system = a;
  // A trace of a penalty on the free columns keeps the system regular when they are collinear.
  system.diagonal() += penalty.cwiseMax(1e-9 * n);
  const Eigen::LLT<Eigen::MatrixXd> factor(system);
  if (factor.info() != Eigen::Success) return solution;
  solution.w = factor.solve(b);
  const double rest = std::max(yy - b.dot(solution.w), 1e-12 * yy + 1e-300);
  double determinant = 0, prior = 0;
  const auto diagonal = factor.matrixLLT().diagonal();
  for (Eigen::Index i = 0; i < diagonal.size(); ++i) {
    determinant += 2 * Log(diagonal[i]);
    if (penalty[i] > 0) prior += Log(penalty[i]);
  }
  solution.evidence = -0.5 * (n * Log(rest) + determinant - prior);
  return solution;
}

// What a column varies by counts, however far from zero it lies: the penalty would keep a price of 1000 that moves by 1 from
// having an effect. Columns to both sides of zero, or that begin there, stay where they are; without variation they are zero.
void ScaleOf(const Exogenous& x, size_t column, size_t n, double& offset, double& scale) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (size_t t = 0; t < n; ++t) {
    const double value = x.values[t * x.columns + column];
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const double largest = std::max(-low, high);
  offset = low > 0 ? low : high < 0 ? high : 0;
  if (offset != 0 && high - low <= 1e-9 * largest)
    scale = std::numeric_limits<double>::infinity();
  else if (largest > 0)
    scale = offset != 0 ? high - low : largest;
}

}  // namespace

// Rows of the design that one piece of work takes in: a few milliseconds with the most columns there can be.
constexpr size_t kBlock = 256, kPiece = 4 * kBlock;

struct RegressionFit::State {
  std::span<const double> y;
  Exogenous x;
  RegressionOptions options;
  Layout layout;
  double centre = 0, scale = 1, span = 1;
  double lowest = 0, highest = 0;  // of the target
  Eigen::VectorXd target, exogenous_offset, exogenous_scale, b;
  Eigen::MatrixXd a;  // lower triangle
  Matrix design;
  Solution solution;
  size_t next = 0;  // row
  int stage = 0;
  double reference = 0;                        // x' w at the offsets
  double last = 0, products = 0, squares = 0;  // of the residuals
  Regression fit;

  // The next rows of the design, at most kBlock of them, in design; their number.
  size_t FillBlock() {
    const size_t rows = std::min(kBlock, y.size() - next);
    std::vector<double> scaled(layout.exogenous);
    for (size_t i = 0; i < rows; ++i) {
      const size_t t = next + i;
      for (uint32_t k = 0; k < layout.exogenous; ++k)
        scaled[k] = (x.values[t * x.columns + k] - exogenous_offset[k]) / exogenous_scale[k];
      FillRow(static_cast<double>(t) / span, t, layout, options, scaled.data(),
              design.row(static_cast<Eigen::Index>(i)).data());
    }
    return rows;
  }
};

RegressionFit::RegressionFit(std::span<const double> y, const Exogenous& x, const RegressionOptions& options)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  const size_t n = y.size();
  s.y = y;
  s.x = x;
  s.options = options;
  s.layout.changes = static_cast<uint32_t>(std::min<size_t>(options.changes, n / 8));
  for (const SeasonTerms& season : options.seasons) s.layout.waves += WaveColumns(season);
  s.layout.exogenous = x.columns;
  const auto columns = static_cast<Eigen::Index>(s.layout.Columns());

  s.target.resize(static_cast<Eigen::Index>(n));
  for (size_t t = 0; t < n; ++t) s.target[static_cast<Eigen::Index>(t)] = options.logarithm ? Log(y[t]) : y[t];
  s.centre = s.target.mean();
  const double deviation = std::sqrt((s.target.array() - s.centre).square().mean());
  s.scale = deviation > 1e-12 * std::fabs(s.centre) && deviation > 1e-150 ? deviation : 1.0;
  s.lowest = s.target.minCoeff();
  s.highest = s.target.maxCoeff();
  s.target = (s.target.array() - s.centre) / s.scale;
  s.span = static_cast<double>(std::max<size_t>(n - 1, 1));

  s.exogenous_offset = Eigen::VectorXd::Zero(s.layout.exogenous);
  s.exogenous_scale = Eigen::VectorXd::Ones(s.layout.exogenous);
  for (uint32_t k = 0; k < s.layout.exogenous; ++k) ScaleOf(x, k, n, s.exogenous_offset[k], s.exogenous_scale[k]);
  s.a = Eigen::MatrixXd::Zero(columns, columns);
  s.b = Eigen::VectorXd::Zero(columns);
  s.design.resize(static_cast<Eigen::Index>(std::min(n, kBlock)), columns);
}
RegressionFit::~RegressionFit() = default;

bool RegressionFit::Advance() {
  State& s = *state_;
  if (s.stage == 0) {
    Accumulate();
    if (s.next < s.y.size()) return false;
    Solve();
    s.next = 0;
    s.stage = 1;
    return false;
  }
  if (s.stage == 1) {
    Residuals();
    if (s.next == s.y.size()) s.stage = 2;
  }
  return s.stage == 2;
}

// Block by block: the design of a long series is never whole in memory.
void RegressionFit::Accumulate() {
  State& s = *state_;
  for (const size_t end = std::min(s.y.size(), s.next + kPiece); s.next < end;) {
    const size_t rows = s.FillBlock();
    const auto block = s.design.topRows(static_cast<Eigen::Index>(rows));
    s.a.selfadjointView<Eigen::Lower>().rankUpdate(block.transpose());
    s.b.noalias() +=
        block.transpose() * s.target.segment(static_cast<Eigen::Index>(s.next), static_cast<Eigen::Index>(rows));
    s.next += rows;
  }
}

void RegressionFit::Solve() {
  State& s = *state_;
  const Layout& layout = s.layout;
  const size_t n = s.y.size();
  s.a.triangularView<Eigen::StrictlyUpper>() = s.a.transpose();
  Eigen::VectorXd penalty = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(layout.Columns()));
  for (uint32_t k = 0; k < layout.waves; ++k) penalty[layout.Waves() + k] = kWavePenalty;
  for (uint32_t k = 0; k < layout.exogenous; ++k) penalty[layout.Exogenous() + k] = kExogenousPenalty;
  const double yy = s.target.squaredNorm();
  for (const double change : kChangePenalties) {
    for (uint32_t k = 0; k < layout.changes; ++k) penalty[2 + k] = change;
    Solution solution = retrain::Solve(s.a, s.b, yy, static_cast<double>(n), penalty);
    if (solution.evidence > s.solution.evidence) s.solution = std::move(solution);
    if (layout.changes == 0) break;
  }
  const Eigen::VectorXd& w = s.solution.w;
  if (w.size() == 0)
    throw Error(ErrorCode::kInternal, "a regression on trend and season has no solution", std::to_string(n) + " values",
                "please report a bug");

  Regression& fit = s.fit;
  fit.logarithm_ = s.options.logarithm;
  fit.seasons_ = s.options.seasons;
  fit.n_ = fit.fitted_ = n;
  double end = w[0] + w[1], slope = w[1];
  for (uint32_t k = 0; k < layout.changes; ++k) {
    const double at = 0.9 * (k + 1) / (layout.changes + 1);
    end += w[2 + k] * (1 - at);
    slope += w[2 + k];
  }
  fit.level_ = s.centre + s.scale * end;
  fit.slope_ = s.scale * slope / s.span;
  for (uint32_t k = 0; k < layout.waves; ++k) fit.waves_.push_back(s.scale * w[layout.Waves() + k]);
  for (uint32_t k = 0; k < layout.exogenous; ++k) {
    fit.exogenous_.push_back(s.scale * w[layout.Exogenous() + k] / s.exogenous_scale[k]);
    s.reference += fit.exogenous_.back() * s.exogenous_offset[k];
  }
  fit.level_ -= s.reference;
  fit.lowest_ = s.lowest - 5 * (s.highest - s.lowest);
  fit.highest_ = s.highest + 5 * (s.highest - s.lowest);
}

// What the regression leaves of the series: its autocorrelation and its last.
void RegressionFit::Residuals() {
  State& s = *state_;
  for (const size_t end = std::min(s.y.size(), s.next + kPiece); s.next < end;) {
    const size_t rows = s.FillBlock();
    const Eigen::VectorXd signal = s.design.topRows(static_cast<Eigen::Index>(rows)) * s.solution.w;
    for (size_t i = 0; i < rows; ++i, ++s.next) {
      const double residual =
          s.scale * (s.target[static_cast<Eigen::Index>(s.next)] - signal[static_cast<Eigen::Index>(i)]);
      if (s.next > 0) s.products += residual * s.last;
      s.squares += residual * residual;
      s.last = residual;
    }
  }
  s.fit.rho_ = s.squares > 0 ? std::clamp(s.products / s.squares, 0.0, 0.98) : 0;
  s.fit.residual_ = s.last;
}

double RegressionFit::Reference() const noexcept { return state_->reference; }

Regression RegressionFit::Take() { return std::move(state_->fit); }

Regression Regression::Fit(std::span<const double> y, const Exogenous& x, const RegressionOptions& options) {
  RegressionFit fit(y, x, options);
  while (!fit.Advance()) {
  }
  return fit.Take();
}

double Regression::Signal(uint64_t step, std::span<const double> x) const {
  double signal = level_ + slope_ * (static_cast<double>(step) - static_cast<double>(fitted_ - 1));
  const double* w = waves_.data();
  for (const SeasonTerms& season : seasons_) {
    const double turn = static_cast<double>(step) / season.period;
    for (uint32_t j = 1; j <= season.harmonics; ++j) {
      const Wave wave = WaveAt(j * turn);
      signal += *w++ * wave.sin;
      signal += *w++ * wave.cos;
    }
  }
  for (size_t k = 0; k < exogenous_.size(); ++k) signal += exogenous_[k] * x[k];
  return std::clamp(signal, lowest_, highest_);
}

void Regression::Update(double y, const Exogenous& x) {
  const double signal = Signal(n_, x.values.first(x.columns));
  // A value that has no logarithm says nothing of the residual.
  if (!logarithm_ || y > 0) residual_ = (logarithm_ ? Log(y) : y) - signal;
  ++n_;
}

void Regression::Forecast(std::span<double> out, const Exogenous& x) const {
  double decayed = residual_;
  for (size_t h = 0; h < out.size(); ++h) {
    decayed *= rho_;
    out[h] = ToOriginal(Signal(n_ + h, x.values.subspan(h * x.columns, x.columns)) + decayed, logarithm_);
  }
}

void Regression::Encode(ByteWriter& out) const {
  out.Put(static_cast<uint8_t>(logarithm_ ? 1 : 0));
  out.Put(n_);
  out.Put(fitted_);
  for (const double v : {level_, slope_, rho_, residual_, lowest_, highest_}) out.Put(v);
  out.Put(static_cast<uint32_t>(seasons_.size()));
  for (const SeasonTerms& season : seasons_) {
    out.Put(season.period);
    out.Put(season.harmonics);
  }
  out.PutArray(std::span<const double>(waves_));
  out.Put(static_cast<uint32_t>(exogenous_.size()));
  out.PutArray(std::span<const double>(exogenous_));
}

std::unique_ptr<Regression> Regression::Decode(ByteReader& in) {
  auto fit = std::make_unique<Regression>();
  const auto flags = in.Get<uint8_t>();
  if (flags > 1) CorruptedState("unknown flags of a regression");
  fit->logarithm_ = flags == 1;
  fit->n_ = in.Get<uint64_t>();
  fit->fitted_ = in.Get<uint64_t>();
  for (double* v : {&fit->level_, &fit->slope_, &fit->rho_, &fit->residual_, &fit->lowest_, &fit->highest_})
    *v = GetFinite(in);
  if (!(fit->lowest_ <= fit->highest_)) CorruptedState("an empty range of forecasts");
  const auto seasons = in.Get<uint32_t>();
  if (seasons > kMaxSeasonTerms) CorruptedState(std::to_string(seasons) + " seasons");
  uint32_t waves = 0;
  for (uint32_t i = 0; i < seasons; ++i) {
    SeasonTerms season;
    season.period = GetFinite(in);
    season.harmonics = in.Get<uint32_t>();
    if (!(season.period > 1) || season.harmonics > kMaxHarmonics) CorruptedState("a season that cannot be");
    waves += WaveColumns(season);
    fit->seasons_.push_back(season);
  }
  fit->waves_ = GetFinites(in, waves);
  const auto exogenous = in.Get<uint32_t>();
  if (exogenous > kMaxExogenous) CorruptedState(std::to_string(exogenous) + " exogenous columns");
  fit->exogenous_ = GetFinites(in, exogenous);
  return fit;
}

}  // namespace retrain
