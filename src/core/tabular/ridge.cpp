// Ridge regression in closed form.
#include <algorithm>
#include <cmath>

#include "core/base/eigen.h"
#include "core/tabular/table_linear.h"

namespace retrain {
namespace {

using Eigen::Index;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstRows = Eigen::Map<const RowMajor, Eigen::Unaligned>;

constexpr size_t kGroup = 16;  // blocks whose products are added before the next look at the clock
constexpr size_t kStrip = 32;  // columns of the Gram matrix that one task adds to
constexpr Index kPanel = 96;   // columns of a panel of the decomposition

// X^T X (its lower triangle counts), X^T (y - shift) and the column sums, without an n × p matrix of the rows.
struct Sums {
  size_t d, q;                // dense and one-hot columns
  Eigen::MatrixXd dense;      // d × d
  RowMajor mixed;             // q × d: one-hot against dense
  RowMajor codes;             // q × q: one-hot against one-hot
  std::vector<double> xy, x;  // p
  double shift = 0;
};

// The columns first … first + n - 1 of D^T D.
void AddDense(const EncodedBlock& block, size_t first, size_t n, Sums& sums) {
  const ConstRows rows(block.dense.data(), static_cast<Index>(block.rows), static_cast<Index>(sums.d));
  const auto at = static_cast<Index>(first), width = static_cast<Index>(n);
  sums.dense.block(at, at, static_cast<Index>(sums.d) - at, width).noalias() +=
      rows.rightCols(static_cast<Index>(sums.d) - at).transpose() * rows.middleCols(at, width);
}

// The rows of the products that belong to one category feature.
void AddCodes(const Encoder& encoder, const EncodedBlock& block, size_t category, Sums& sums) {
  const size_t n_categories = encoder.n_categories();
  for (size_t r = 0; r < block.rows; ++r) {
    const uint32_t code = block.codes[r * n_categories + category];
    if (code == kNoCode) continue;
    const auto at = static_cast<Index>(encoder.categories()[category].first + code);
    for (size_t i = 0; i < sums.d; ++i) sums.mixed(at, static_cast<Index>(i)) += block.dense[r * sums.d + i];
    for (size_t other = 0; other <= category; ++other) {
      const uint32_t second = block.codes[r * n_categories + other];
      if (second != kNoCode) sums.codes(at, static_cast<Index>(encoder.categories()[other].first + second)) += 1;
    }
  }
}

void AddTargets(const EncodedRows& rows, const EncodedBlock& block, size_t first, Sums& sums) {
  std::vector<double> y(block.rows), ones(block.rows, 1.0);
  for (size_t r = 0; r < block.rows; ++r) y[r] = rows.target(first + r) - sums.shift;
  AddBlockGradient(rows.encoder(), block, y, 1, sums.xy);
  AddBlockGradient(rows.encoder(), block, ones, 1, sums.x);
}

// The centred normal equations: A = X^T X - n m m^T + alpha I (lower triangle) and X^T y - n m ybar.
void Centre(const Sums& sums, double n, double alpha, double y_sum, Eigen::MatrixXd& a, Eigen::VectorXd& rhs) {
  const auto d = static_cast<Index>(sums.d), q = static_cast<Index>(sums.q), p = d + q;
  a.resize(p, p);
  a.topLeftCorner(d, d) = sums.dense;
  a.bottomLeftCorner(q, d) = sums.mixed;
  a.bottomRightCorner(q, q) = sums.codes;
  const Eigen::Map<const Eigen::VectorXd, Eigen::Unaligned> x(sums.x.data(), p), xy(sums.xy.data(), p);
  for (Index j = 0; j < p; ++j)
    for (Index i = j; i < p; ++i) a(i, j) -= x(i) * x(j) / n;
  rhs = xy - x * (y_sum / n);
  if (alpha == 0) alpha = 1e-10 * std::max(a.diagonal().mean(), 1e-300);
  a.diagonal().array() += alpha;
}

}  // namespace

uint64_t RidgeBytes(size_t n_features) noexcept { return 2 * uint64_t{n_features} * n_features * sizeof(double); }

Resumable FitRidge(const EncodedRows& rows, double alpha, const Pace& pace, TableLinear& model, double& done) {
  const Encoder& encoder = rows.encoder();
  const size_t p = encoder.n_features();
  const auto n = static_cast<double>(rows.rows());
  Sums sums{encoder.n_dense(), encoder.n_one_hot(), {}, {}, {}, {}, {}, 0};
  sums.dense.setZero(static_cast<Index>(sums.d), static_cast<Index>(sums.d));
  sums.mixed.setZero(static_cast<Index>(sums.q), static_cast<Index>(sums.d));
  sums.codes.setZero(static_cast<Index>(sums.q), static_cast<Index>(sums.q));
  sums.xy.assign(p, 0);
  sums.x.assign(p, 0);
  double total = 0;
  for (size_t i = 0; i < rows.rows(); ++i) total += rows.target(i);
  sums.shift = total / n;

  // Tasks own columns of the sums, and take blocks in order: the sums are the same on any number of threads.
  std::vector<EncodedBlock> scratch(kGroup);
  const size_t strips = (sums.d + kStrip - 1) / kStrip, n_tasks = strips + encoder.n_categories() + 1;
  for (size_t first = 0; first < rows.n_blocks(); first += kGroup) {
    const size_t group = std::min(kGroup, rows.n_blocks() - first);
    std::vector<const EncodedBlock*> blocks(group);
    ParallelFor(group, pace.threads(), [&](size_t i) { blocks[i] = &rows.Block(first + i, scratch[i]); });
    ParallelFor(n_tasks, pace.threads(), [&](size_t task) {
      for (size_t i = 0; i < group; ++i) {
        if (task < strips)
          AddDense(*blocks[i], task * kStrip, std::min(kStrip, sums.d - task * kStrip), sums);
        else if (task < n_tasks - 1)
          AddCodes(encoder, *blocks[i], task - strips, sums);
        else
          AddTargets(rows, *blocks[i], rows.first_of(first + i), sums);
      }
    });
    done = 0.8 * static_cast<double>(first + group) / static_cast<double>(rows.n_blocks());
    if (pace.Expired()) co_await Pause{};
  }

  Eigen::MatrixXd a;
  Eigen::VectorXd w;
  double y_sum = 0;  // of y - shift: zero but for rounding
  for (size_t i = 0; i < rows.rows(); ++i) y_sum += rows.target(i) - sums.shift;
  Centre(sums, n, alpha, y_sum, a, w);
  sums.dense.resize(0, 0);
  sums.mixed.resize(0, 0);
  sums.codes.resize(0, 0);

  // Right-looking Cholesky decomposition A = L L^T, a panel at a time.
  const auto size = static_cast<Index>(p);
  for (Index k = 0; k < size; k += kPanel) {
    const Index width = std::min(kPanel, size - k), rest = size - k - width;
    Eigen::LLT<Eigen::MatrixXd> corner(a.block(k, k, width, width).selfadjointView<Eigen::Lower>());
    if (corner.info() != Eigen::Success)
      throw Error(ErrorCode::kInvalidParameter, "the columns are too nearly dependent for ridge regression",
                  "alpha " + std::to_string(alpha) + " does not hold them apart", "raise alpha, or leave columns out");
    a.block(k, k, width, width) = corner.matrixL();
    for (Index i = 0; i < rest; i += 4 * kPanel) {
      auto strip = a.block(k + width + i, k, std::min<Index>(4 * kPanel, rest - i), width);
      a.block(k, k, width, width).triangularView<Eigen::Lower>().transpose().solveInPlace<Eigen::OnTheRight>(strip);
    }
    for (Index j = 0; j < rest; j += kPanel) {
      const Index columns = std::min(kPanel, rest - j);
      a.block(k + width + j, k + width + j, rest - j, columns).noalias() -=
          a.block(k + width + j, k, rest - j, width) * a.block(k + width + j, k, columns, width).transpose();
      if (pace.Expired()) co_await Pause{};
    }
  }
  a.triangularView<Eigen::Lower>().solveInPlace(w);
  a.triangularView<Eigen::Lower>().transpose().solveInPlace(w);

  model.n_outputs = 1;
  model.weights.assign(w.data(), w.data() + p);
  model.means.resize(p);
  double at_means = 0;
  for (size_t i = 0; i < p; ++i) {
    model.means[i] = sums.x[i] / n;
    at_means += model.means[i] * model.weights[i];
  }
  model.bias = {sums.shift + y_sum / n - at_means};
  done = 1;
}

}  // namespace retrain
