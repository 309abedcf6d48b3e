// Metrics of regression and ranking, and calibration of probabilities.
#include "core/tabular/table_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/base/math.h"

namespace retrain {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The derivative of the log loss by the factor s of all scores: sum over rows of E_p[score] - score of the truth.
double SlopeOfLoss(double s, std::span<const double> scores, std::span<const uint32_t> truth, size_t k) {
  double sum = 0;
  std::vector<double> p(k);
  for (size_t i = 0; i < truth.size(); ++i) {
    const auto row = scores.subspan(i * k, k);
    const double largest = s * *std::max_element(row.begin(), row.end());
    double total = 0, mean = 0;
    for (size_t j = 0; j < k; ++j) {
      p[j] = Exp(s * row[j] - largest);
      total += p[j];
      mean += p[j] * row[j];
    }
    sum += mean / total - row[truth[i]];
  }
  return sum;
}

// Bisection in ln s: the loss is convex in s, so its derivative has one zero at most.
TableCalibrator FitTemperature(std::span<const double> scores, std::span<const uint32_t> truth, size_t k) {
  double low = -4, high = 4;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (SlopeOfLoss(Exp(middle), scores, truth, k) > 0 ? high : low) = middle;
  }
  return {ProbabilityMap::kTemperature, Exp((low + high) / 2), 0, {}, {}};
}

// Platt, "Probabilistic outputs for support vector machines", 1999, by Newton's method with halved steps (Lin, Lin, Weng 2007).
TableCalibrator FitPlatt(std::span<const double> margins, std::span<const uint32_t> truth) {
  const auto positives = static_cast<double>(std::count(truth.begin(), truth.end(), 1u));
  const auto negatives = static_cast<double>(truth.size()) - positives;
  const double high = (positives + 1) / (positives + 2), low = 1 / (negatives + 2);
  const auto loss = [&](double a, double b) {
    double sum = 0;
    for (size_t i = 0; i < truth.size(); ++i) {
      const double t = truth[i] == 1 ? high : low, m = a * margins[i] + b;
      sum += (m > 0 ? m + Log(1 + Exp(-m)) : Log(1 + Exp(m))) - t * m;
    }
    return sum;
  };
  double a = 1, b = Log((positives + 1) / (negatives + 1)), value = loss(a, b);
  for (int iteration = 0; iteration < 100; ++iteration) {
    double ga = 0, gb = 0, haa = 1e-12, hab = 0, hbb = 1e-12;
    for (size_t i = 0; i < truth.size(); ++i) {
      const double t = truth[i] == 1 ? high : low, m = a * margins[i] + b;
      const double p = m >= 0 ? 1 / (1 + Exp(-m)) : Exp(m) / (1 + Exp(m)), d = p - t, h = p * (1 - p);
      ga += d * margins[i];
      gb += d;
      haa += h * margins[i] * margins[i];
      hab += h * margins[i];
      hbb += h;
    }
    if (std::abs(ga) < 1e-6 && std::abs(gb) < 1e-6) break;
    const double determinant = haa * hbb - hab * hab;
    if (!(determinant > 0)) break;
    const double da = -(hbb * ga - hab * gb) / determinant, db = -(haa * gb - hab * ga) / determinant;
    double step = 1;
    for (; step > 1e-8; step *= 0.5) {
      const double next = loss(a + step * da, b + step * db);
      if (next > value + 1e-4 * step * (ga * da + gb * db)) continue;
      a += step * da;
      b += step * db;
      value = next;
      break;
    }
    if (!(step > 1e-8)) break;
  }
  return {ProbabilityMap::kSigmoid, a, b, {}, {}};
}

// Ayer et al. 1955: neighbouring blocks are joined while their means fall.
TableCalibrator FitIsotonic(std::span<const double> margins, std::span<const uint32_t> truth) {
  std::vector<uint32_t> order(truth.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return margins[a] < margins[b]; });
  struct Block {
    double from, sum, rows;
  };
  std::vector<Block> blocks;
  for (const uint32_t i : order) {
    blocks.push_back({margins[i], truth[i] == 1 ? 1.0 : 0.0, 1});
    while (blocks.size() > 1) {
      const Block &last = blocks.back(), &before = blocks[blocks.size() - 2];
      if (before.from != last.from && before.sum * last.rows < last.sum * before.rows) break;
      blocks[blocks.size() - 2] = {before.from, before.sum + last.sum, before.rows + last.rows};
      blocks.pop_back();
    }
  }
  TableCalibrator calibrator{ProbabilityMap::kIsotonic, 1, 0, {}, {}};
  for (const Block& block : blocks) {
    calibrator.from.push_back(block.from);
    // Never certain, however few rows a block has.
    const double least = 0.5 / static_cast<double>(truth.size());
    calibrator.to.push_back(std::clamp(block.sum / block.rows, least, 1 - least));
  }
  return calibrator;
}

}  // namespace

RegressionMetrics EvaluateValues(std::span<const double> truth, std::span<const double> predicted) {
  RegressionMetrics m;
  m.rows = truth.size();
  if (truth.empty()) return m;
  const auto n = static_cast<double>(truth.size());
  double mean = 0, squares = 0, absolute = 0, relative = 0, about_mean = 0, nonzero = 0;
  for (const double y : truth) mean += y / n;
  for (size_t i = 0; i < truth.size(); ++i) {
    const double error = predicted[i] - truth[i];
    squares += error * error;
    absolute += std::abs(error);
    about_mean += (truth[i] - mean) * (truth[i] - mean);
    if (truth[i] != 0) relative += std::abs(error / truth[i]), nonzero += 1;
  }
  m.rmse = std::sqrt(squares / n);
  m.mae = absolute / n;
  // The mean of equal numbers is rounded, and what they differ from it by is no variance.
  const bool varies = std::any_of(truth.begin(), truth.end(), [&](double y) { return y != truth[0]; });
  m.r2 = varies && about_mean > 0 ? 1 - squares / about_mean : kNan;
  m.mape = nonzero > 0 ? relative / nonzero : kNan;
  return m;
}

double AreaUnderRoc(std::span<const double> scores, const std::vector<bool>& positive) {
  std::vector<uint32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return scores[a] < scores[b]; });
  double rank_sum = 0, positives = 0;
  for (size_t i = 0; i < order.size();) {
    size_t end = i, in_tie = 0;
    for (; end < order.size() && scores[order[end]] == scores[order[i]]; ++end) in_tie += positive[order[end]];
    // Ranks i + 1 … end have the mean rank (i + 1 + end) / 2.
    rank_sum += static_cast<double>(in_tie) * static_cast<double>(i + 1 + end) / 2;
    positives += static_cast<double>(in_tie);
    i = end;
  }
  const double negatives = static_cast<double>(order.size()) - positives;
  if (positives == 0 || negatives == 0) return kNan;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

TableCalibrator FitCalibrator(ProbabilityMap kind, std::span<const double> scores, std::span<const uint32_t> truth,
                              size_t n_classes) {
  const auto rows = truth.first(std::min(truth.size(), kCalibrationRows));
  if (kind == ProbabilityMap::kNone) return {};
  if (kind == ProbabilityMap::kTemperature) return FitTemperature(scores, rows, n_classes);
  std::vector<double> margins(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) margins[i] = scores[2 * i + 1] - scores[2 * i];
  return kind == ProbabilityMap::kSigmoid ? FitPlatt(margins, rows) : FitIsotonic(margins, rows);
}

double LogLoss(const TableCalibrator& calibrator, std::span<const double> scores, std::span<const uint32_t> truth,
               size_t n_classes) {
  double sum = 0;
  std::vector<double> p(n_classes);
  for (size_t i = 0; i < truth.size(); ++i) {
    std::copy_n(scores.begin() + static_cast<ptrdiff_t>(i * n_classes), n_classes, p.begin());
    Calibrate(calibrator, p);
    sum -= Log(std::clamp(p[truth[i]], 1e-15, 1.0));
  }
  return sum;
}

}  // namespace retrain
